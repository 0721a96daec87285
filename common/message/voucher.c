/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of vouchers and voucher-requests, driven by one table of leaves (RFC 8366 §5.3; RFC 8995
 * §3.4; rfc8366bis §5; JSON as of RFC 7951). */
#include "common/message/voucher_leaves.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"

#define NONCE_DECODED_MAX VOUCHER_JSON_MAX /* whatever stood in a message can be compared */

static const char *const assertion_names[] = {
	[ASSERTION_ABSENT] = NULL,
	[ASSERTION_VERIFIED] = "verified",
	[ASSERTION_LOGGED] = "logged",
	[ASSERTION_PROXIMITY] = "proximity",
	[ASSERTION_AGENT_PROXIMITY] = "agent-proximity",
	[ASSERTION_OTHER] = "other",
};

/* What peers are known to send instead, and why it is refused. */
static const struct {
	const char *name;
	const char *reason;
} foreign_members[] = {
	{"ietf-voucher-request-prm:voucher", "a registrar-agent's request (BRSKI-PRM)"},
	{"ietf-voucher-request-async:voucher", "a draft of a registrar-agent's request"},
	{"ietf-async-voucher-request:voucher", "a draft of a registrar-agent's request"},
	{"voucher", "without the module's name (RFC 7951 §4)"},
	{"voucher-request", "without the module's name (RFC 7951 §4)"},
};

const char *voucher_assertion_name(enum voucher_assertion a)
{
	return assertion_names[a];
}

enum voucher_assertion voucher_assertion_parse(const char *text)
{
	for (int a = ASSERTION_VERIFIED; a < ASSERTION_OTHER; a++)
		if (strcmp(text, assertion_names[a]) == 0)
			return (enum voucher_assertion)a;
	return ASSERTION_OTHER;
}

void voucher_init(struct voucher *v, enum voucher_kind kind)
{
	*v = (struct voucher){.kind = kind};
	for (size_t i = 0; i < voucher_leaf_count; i++)
		if (voucher_leaves[i].type >= LEAF_BINARY)
			buf_init(voucher_leaf_at(&voucher_leaves[i], v), VOUCHER_JSON_MAX);
}

void voucher_clear(struct voucher *v)
{
	for (size_t i = 0; i < voucher_leaf_count; i++) {
		if (voucher_leaves[i].type >= LEAF_BINARY)
			buf_clear(voucher_leaf_at(&voucher_leaves[i], v));
		else if (voucher_leaves[i].type == LEAF_SERIAL ||
			 voucher_leaves[i].type == LEAF_STRING ||
			 voucher_leaves[i].type == LEAF_NONCE)
			free_ptr(voucher_leaf_at(&voucher_leaves[i], v));
	}
	voucher_init(v, v->kind);
}

/* ---- reading ---- */

static bool parse_binary(const struct voucher_leaf *l, enum voucher_kind kind, const char *text,
	struct buf *out, struct err *e)
{
	struct bytes in = bytes_of_str(text);
	if (in.len == 0)
		return err_set(e, ERR_INPUT, "empty");
	if (l->type == LEAF_ISSUER && kind == VOUCHER_REQUEST) {
		return base64_decode(in, out, e) ||
		       (e->kind != ERR_NO_MEMORY && buf_append(out, in.data, in.len, e));
	}
	return base64_decode(in, out, e) &&
	       (l->type != LEAF_CERT || voucher_leaf_check_cert(out, e));
}

static bool parse_date(
	const struct voucher_leaf *l, const char *text, struct voucher *v, struct err *e)
{
	bool *has = (void *)((char *)v + l->has_offset);
	*has = datetime_parse(text, voucher_leaf_at(l, v), e);
	return *has;
}

static bool parse_flag(const json_t *value, enum voucher_flag *out, struct err *e)
{
	const char *quoted = json_is_string(value) ? json_string_value(value) : "";
	if (json_is_true(value) || strcmp(quoted, "true") == 0)
		*out = FLAG_TRUE;
	else if (json_is_false(value) || strcmp(quoted, "false") == 0)
		*out = FLAG_FALSE;
	else
		return err_set(e, ERR_INPUT, "not a boolean");
	return true;
}

static bool parse_string(const char *text, char **out, struct err *e)
{
	*out = str_dup(text, e);
	return *out != NULL;
}

static bool parse_leaf(
	const struct voucher_leaf *l, const json_t *value, struct voucher *v, struct err *e)
{
	const char *text = json_string_value(value);
	if (voucher_leaf_present(l, v))
		return err_set(e, ERR_INPUT, "there twice, under two names");
	if (!text && l->type != LEAF_FLAG)
		return err_set(e, ERR_INPUT, "not a string");
	switch (l->type) {
	case LEAF_DATE:
		return parse_date(l, text, v, e);
	case LEAF_ASSERTION:
		*(enum voucher_assertion *)voucher_leaf_at(l, v) = voucher_assertion_parse(text);
		return true;
	case LEAF_SERIAL:
		return voucher_leaf_check_serial(text, e) &&
		       parse_string(text, voucher_leaf_at(l, v), e);
	case LEAF_STRING:
	case LEAF_NONCE:
		return parse_string(text, voucher_leaf_at(l, v), e);
	case LEAF_FLAG:
		return parse_flag(value, voucher_leaf_at(l, v), e);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return parse_binary(l, v->kind, text, voucher_leaf_at(l, v), e);
	}
	return err_set(e, ERR_BUG, "leaf of no type");
}

static bool parse_leaves(json_t *object, struct voucher *out, struct err *e)
{
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		const struct voucher_leaf *l = voucher_leaf_by_name(name, out->kind);
		if (l && !parse_leaf(l, value, out, e))
			return voucher_leaf_refuse(l, e);
	}
	return out->serial_number || voucher_leaf_serial_missing(e);
}

static bool refuse_top_member(const char *name, struct err *e)
{
	const char *reason = "neither a voucher nor a voucher-request";
	for (size_t i = 0; i < sizeof(foreign_members) / sizeof(foreign_members[0]); i++)
		if (strcmp(name, foreign_members[i].name) == 0)
			reason = foreign_members[i].reason;
	err_set(e, ERR_INPUT, "top-level member \"%.60s\": %s", name, reason);
	return err_tell(e, "The body is not a voucher-request as of RFC 8995.");
}

static bool parse_top(json_t *root, struct voucher *out, struct err *e)
{
	void *first = json_object_iter(root);
	if (json_object_size(root) != 1)
		return err_set(e, ERR_INPUT, "%zu top-level members where one belongs",
			json_object_size(root));
	const char *name = json_object_iter_key(first);
	json_t *inner = json_object_iter_value(first);
	if (strcmp(name, voucher_containers[VOUCHER]) == 0)
		voucher_init(out, VOUCHER);
	else if (strcmp(name, voucher_containers[VOUCHER_REQUEST]) == 0)
		voucher_init(out, VOUCHER_REQUEST);
	else
		return refuse_top_member(name, e);
	if (!json_is_object(inner))
		return err_set(e, ERR_INPUT, "%s is not an object", name);
	return parse_leaves(inner, out, e);
}

bool voucher_parse_json(struct bytes json, struct voucher *out, struct err *e)
{
	voucher_init(out, VOUCHER);
	if (json.len > VOUCHER_JSON_MAX)
		return err_set(e, ERR_TOO_LARGE, "voucher of %zu octets of JSON", json.len);
	json_t *JSON_AUTO root = json_parse_object(json, e);
	if (root && parse_top(root, out, e))
		return true;
	voucher_clear(out);
	return err_prefix(e, "voucher");
}

/* ---- writing ---- */

static json_t *format_date(const void *field, struct err *e)
{
	char text[DATETIME_LEN + 1];
	return datetime_format(*(const int64_t *)field, text, e) ? json_string_nocheck(text) : NULL;
}

static json_t *format_assertion(enum voucher_assertion a, struct err *e)
{
	if (a > ASSERTION_ABSENT && a < ASSERTION_OTHER)
		return json_string_nocheck(assertion_names[a]);
	err_set(e, ERR_BUG, "assertion without a name");
	return NULL;
}

static json_t *format_binary(const struct buf *octets, struct err *e)
{
	struct buf BUF_AUTO text = BUF_INIT(2 * VOUCHER_JSON_MAX);
	return base64_encode(buf_bytes(octets), &text, e)
		       ? json_stringn_nocheck(buf_str(&text), text.len)
		       : NULL;
}

/* NULL with *e set for a value that cannot be written, NULL without for lack of memory. */
static json_t *format_leaf(const struct voucher_leaf *l, const struct voucher *v, struct err *e)
{
	switch (l->type) {
	case LEAF_DATE:
		return format_date(voucher_leaf_of(l, v), e);
	case LEAF_ASSERTION:
		return format_assertion(*(const enum voucher_assertion *)voucher_leaf_of(l, v), e);
	case LEAF_SERIAL:
	case LEAF_STRING:
	case LEAF_NONCE:
		return json_string(*(char *const *)voucher_leaf_of(l, v));
	case LEAF_FLAG:
		return json_boolean(*(const enum voucher_flag *)voucher_leaf_of(l, v) == FLAG_TRUE);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return format_binary(voucher_leaf_of(l, v), e);
	}
	return NULL;
}

static bool format_leaves(const struct voucher *v, json_t *object, struct err *e)
{
	for (size_t i = 0; i < voucher_leaf_count; i++) {
		const struct voucher_leaf *l = &voucher_leaves[i];
		if (!voucher_leaf_present(l, v))
			continue;
		if (!l->sid[v->kind])
			return err_set(e, ERR_BUG, "%s does not belong into this message", l->name);
		struct err why = {.kind = ERR_NO_MEMORY, .text = "no memory for JSON"};
		if (json_object_set_new(object, l->name, format_leaf(l, v, &why)) != 0) {
			*e = why;
			return err_prefix(e, "%s", l->name);
		}
	}
	return true;
}

bool voucher_format_json(const struct voucher *v, struct buf *out, struct err *e)
{
	if (!v->serial_number)
		return err_set(e, ERR_BUG, "voucher without a serial-number");
	json_t *JSON_AUTO root = json_object();
	json_t *inner = json_object();
	if (json_object_set_new(root, voucher_containers[v->kind], inner) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory for JSON");
	return format_leaves(v, inner, e) && json_format(root, out, e);
}

/* ---- nonces ---- */

bool voucher_nonce_octets(const char *nonce, struct buf *out, struct err *e)
{
	size_t before = out->len;
	if (!base64_decode_any(bytes_of_str(nonce), out, e))
		return err_prefix(e, "nonce");
	size_t len = out->len - before;
	if (len < VOUCHER_NONCE_MIN || len > VOUCHER_NONCE_MAX) {
		out->len = before;
		return err_set(e, ERR_INPUT, "nonce of %zu octets where %d to %d belong", len,
			VOUCHER_NONCE_MIN, VOUCHER_NONCE_MAX);
	}
	return true;
}

bool voucher_nonce_equal(const char *a, const char *b)
{
	struct err ignored = ERR_INIT;
	struct buf BUF_AUTO octets_a = BUF_INIT(NONCE_DECODED_MAX);
	struct buf BUF_AUTO octets_b = BUF_INIT(NONCE_DECODED_MAX);
	if (!a || !b)
		return false;
	if (bytes_equal_ct(bytes_of_str(a), bytes_of_str(b)))
		return true;
	return base64_decode_any(bytes_of_str(a), &octets_a, &ignored) &&
	       base64_decode_any(bytes_of_str(b), &octets_b, &ignored) &&
	       bytes_equal_ct(buf_bytes(&octets_a), buf_bytes(&octets_b));
}
