/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of vouchers and voucher-requests, driven by one table of leaves (RFC 8366 §5.3; RFC 8995
 * §3.4; rfc8366bis §5; JSON as of RFC 7951). A leaf that does not belong to the kind of message is
 * an unknown member: ignored unread, as the clause asks of pinned-domain-cert, last-renewal-date
 * and domain-cert-revocation-checks in a request (R8995-REG-054, R8995-MASA-040).
 */
#include "common/message/voucher.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/datetime.h"
#include "common/wire/der.h"
#include "common/wire/json.h"

#define IN_VOUCHER (1U << VOUCHER)
#define IN_REQUEST (1U << VOUCHER_REQUEST)
#define IN_BOTH	   (IN_VOUCHER | IN_REQUEST)

#define NONCE_DECODED_MAX VOUCHER_JSON_MAX /* whatever stood in a message can be compared */

enum leaf_type {
	LEAF_DATE,	/* RFC 3339 */
	LEAF_ASSERTION, /* one of the names below */
	LEAF_SERIAL,	/* the one mandatory leaf */
	LEAF_STRING,	/* kept as it stood */
	LEAF_FLAG,   /* boolean; the example of RFC 8366 §5.2 quotes it, so "true" is taken too */
	LEAF_BINARY, /* base64 */
	LEAF_ISSUER, /* base64; peers put other text into a request, where it is only a hint (T-08)
		      */
	LEAF_CERT,   /* base64 of exactly one DER element */
};

struct leaf {
	const char *name;
	const char *alias; /* the name rfc8366bis has in its prose (T-29), or NULL */
	enum leaf_type type;
	unsigned kinds;
	size_t offset;
	size_t has_offset; /* dates only */
};

#define FIELD(member)	   offsetof(struct voucher, member), 0
#define DATE_FIELD(member) offsetof(struct voucher, member), offsetof(struct voucher, has_##member)

/* In the order we write them. */
static const struct leaf leaves[] = {
	{"created-on", NULL, LEAF_DATE, IN_BOTH, DATE_FIELD(created_on)},
	{"expires-on", NULL, LEAF_DATE, IN_BOTH, DATE_FIELD(expires_on)},
	{"assertion", NULL, LEAF_ASSERTION, IN_BOTH, FIELD(assertion)},
	{"serial-number", NULL, LEAF_SERIAL, IN_BOTH, FIELD(serial_number)},
	{"idevid-issuer", NULL, LEAF_ISSUER, IN_BOTH, FIELD(idevid_issuer)},
	{"nonce", NULL, LEAF_STRING, IN_BOTH, FIELD(nonce)},
	{"pinned-domain-cert", NULL, LEAF_CERT, IN_VOUCHER, FIELD(pinned_domain_cert)},
	{"pinned-domain-pubk", NULL, LEAF_BINARY, IN_VOUCHER, FIELD(pinned_domain_pubk)},
	{"pinned-domain-pubk-sha256", NULL, LEAF_BINARY, IN_VOUCHER,
		FIELD(pinned_domain_pubk_sha256)},
	{"domain-cert-revocation-checks", NULL, LEAF_FLAG, IN_VOUCHER,
		FIELD(domain_cert_revocation_checks)},
	{"last-renewal-date", NULL, LEAF_DATE, IN_VOUCHER, DATE_FIELD(last_renewal_date)},
	{"est-domain", NULL, LEAF_STRING, IN_VOUCHER, FIELD(est_domain)},
	{"additional-configuration-url", NULL, LEAF_STRING, IN_VOUCHER,
		FIELD(additional_configuration_url)},
	{"prior-signed-voucher-request", NULL, LEAF_BINARY, IN_REQUEST,
		FIELD(prior_signed_voucher_request)},
	{"proximity-registrar-cert", "proximity-domain-cert", LEAF_CERT, IN_REQUEST,
		FIELD(proximity_registrar_cert)},
	{"proximity-registrar-pubk", "proximity-domain-pubk", LEAF_BINARY, IN_REQUEST,
		FIELD(proximity_registrar_pubk)},
	{"proximity-registrar-pubk-sha256", "proximity-domain-pubk-sha256", LEAF_BINARY, IN_REQUEST,
		FIELD(proximity_registrar_pubk_sha256)},
};
#define LEAF_COUNT (sizeof(leaves) / sizeof(leaves[0]))

static const char *const assertion_names[] = {
	[ASSERTION_ABSENT] = NULL,
	[ASSERTION_VERIFIED] = "verified",
	[ASSERTION_LOGGED] = "logged",
	[ASSERTION_PROXIMITY] = "proximity",
	[ASSERTION_AGENT_PROXIMITY] = "agent-proximity",
	[ASSERTION_OTHER] = "other",
};

static const char *const top_members[] = {
	[VOUCHER] = "ietf-voucher:voucher",
	[VOUCHER_REQUEST] = "ietf-voucher-request:voucher",
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

static void *leaf_at(const struct leaf *l, struct voucher *v)
{
	return (char *)v + l->offset;
}

static const void *leaf_of(const struct leaf *l, const struct voucher *v)
{
	return (const char *)v + l->offset;
}

void voucher_init(struct voucher *v, enum voucher_kind kind)
{
	*v = (struct voucher){.kind = kind};
	for (size_t i = 0; i < LEAF_COUNT; i++)
		if (leaves[i].type >= LEAF_BINARY)
			buf_init(leaf_at(&leaves[i], v), VOUCHER_JSON_MAX);
}

void voucher_clear(struct voucher *v)
{
	for (size_t i = 0; i < LEAF_COUNT; i++) {
		if (leaves[i].type >= LEAF_BINARY)
			buf_clear(leaf_at(&leaves[i], v));
		else if (leaves[i].type == LEAF_SERIAL || leaves[i].type == LEAF_STRING)
			free_ptr(leaf_at(&leaves[i], v));
	}
	voucher_init(v, v->kind);
}

static bool leaf_present(const struct leaf *l, const struct voucher *v)
{
	switch (l->type) {
	case LEAF_DATE:
		return *(const bool *)((const char *)v + l->has_offset);
	case LEAF_ASSERTION:
		return *(const enum voucher_assertion *)leaf_of(l, v) != ASSERTION_ABSENT;
	case LEAF_SERIAL:
	case LEAF_STRING:
		return *(char *const *)leaf_of(l, v) != NULL;
	case LEAF_FLAG:
		return *(const enum voucher_flag *)leaf_of(l, v) != FLAG_ABSENT;
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return ((const struct buf *)leaf_of(l, v))->len > 0;
	}
	return false;
}

/* ---- reading ---- */

static bool check_serial(const char *text, struct err *e)
{
	size_t len = strlen(text);
	if (len == 0 || len > VOUCHER_SERIAL_MAX)
		return err_set(
			e, ERR_INPUT, "%zu octets where 1 to %d belong", len, VOUCHER_SERIAL_MAX);
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			return err_set(e, ERR_INPUT, "control character 0x%02x", (uint8_t)*p);
	return true;
}

static bool check_one_element(const struct buf *der, struct err *e)
{
	struct der d = der_of(buf_bytes(der));
	struct der_tlv certificate;
	return der_expect(&d, DER_SEQUENCE, &certificate, "certificate", e) &&
	       der_expect_end(&d, "certificate", e);
}

static bool parse_binary(const struct leaf *l, enum voucher_kind kind, const char *text,
	struct buf *out, struct err *e)
{
	struct bytes in = bytes_of_str(text);
	if (in.len == 0)
		return err_set(e, ERR_INPUT, "empty");
	if (l->type == LEAF_ISSUER && kind == VOUCHER_REQUEST) {
		return base64_decode(in, out, e) ||
		       (e->kind != ERR_NO_MEMORY && buf_append(out, in.data, in.len, e));
	}
	return base64_decode(in, out, e) && (l->type != LEAF_CERT || check_one_element(out, e));
}

static bool parse_date(const struct leaf *l, const char *text, struct voucher *v, struct err *e)
{
	bool *has = (void *)((char *)v + l->has_offset);
	*has = datetime_parse(text, leaf_at(l, v), e);
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

static bool parse_leaf(const struct leaf *l, const json_t *value, struct voucher *v, struct err *e)
{
	const char *text = json_string_value(value);
	if (leaf_present(l, v))
		return err_set(e, ERR_INPUT, "there twice, under two names");
	if (!text && l->type != LEAF_FLAG)
		return err_set(e, ERR_INPUT, "not a string");
	switch (l->type) {
	case LEAF_DATE:
		return parse_date(l, text, v, e);
	case LEAF_ASSERTION:
		*(enum voucher_assertion *)leaf_at(l, v) = voucher_assertion_parse(text);
		return true;
	case LEAF_SERIAL:
		return check_serial(text, e) && parse_string(text, leaf_at(l, v), e);
	case LEAF_STRING:
		return parse_string(text, leaf_at(l, v), e);
	case LEAF_FLAG:
		return parse_flag(value, leaf_at(l, v), e);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return parse_binary(l, v->kind, text, leaf_at(l, v), e);
	}
	return err_set(e, ERR_BUG, "leaf of no type");
}

static const struct leaf *leaf_by_name(const char *name, enum voucher_kind kind)
{
	for (size_t i = 0; i < LEAF_COUNT; i++) {
		const struct leaf *l = &leaves[i];
		bool named =
			strcmp(l->name, name) == 0 || (l->alias && strcmp(l->alias, name) == 0);
		if (named && (l->kinds & 1U << kind))
			return l;
	}
	return NULL;
}

static bool parse_leaves(json_t *object, struct voucher *out, struct err *e)
{
	const char *name;
	json_t *value;
	json_object_foreach(object, name, value)
	{
		const struct leaf *l = leaf_by_name(name, out->kind);
		if (l && !parse_leaf(l, value, out, e)) {
			err_prefix(e, "%s", l->name);
			if (e->kind == ERR_INPUT)
				err_tell(e, "The member %s is not valid.", l->name);
			return false;
		}
	}
	if (!out->serial_number) {
		err_set(e, ERR_INPUT, "serial-number is missing");
		return err_tell(e, "The member serial-number is missing.");
	}
	return true;
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
	if (strcmp(name, top_members[VOUCHER]) == 0)
		voucher_init(out, VOUCHER);
	else if (strcmp(name, top_members[VOUCHER_REQUEST]) == 0)
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
	return datetime_format(*(const int64_t *)field, text, e) ? json_string(text) : NULL;
}

static json_t *format_assertion(enum voucher_assertion a, struct err *e)
{
	if (a > ASSERTION_ABSENT && a < ASSERTION_OTHER)
		return json_string(assertion_names[a]);
	err_set(e, ERR_BUG, "assertion without a name");
	return NULL;
}

static json_t *format_binary(const struct buf *octets, struct err *e)
{
	struct buf BUF_AUTO text = BUF_INIT(2 * VOUCHER_JSON_MAX);
	return base64_encode(buf_bytes(octets), &text, e) ? json_string(buf_str(&text)) : NULL;
}

/* NULL with *e set for a value that cannot be written, NULL without for lack of memory. */
static json_t *format_leaf(const struct leaf *l, const struct voucher *v, struct err *e)
{
	switch (l->type) {
	case LEAF_DATE:
		return format_date(leaf_of(l, v), e);
	case LEAF_ASSERTION:
		return format_assertion(*(const enum voucher_assertion *)leaf_of(l, v), e);
	case LEAF_SERIAL:
	case LEAF_STRING:
		return json_string(*(char *const *)leaf_of(l, v));
	case LEAF_FLAG:
		return json_boolean(*(const enum voucher_flag *)leaf_of(l, v) == FLAG_TRUE);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return format_binary(leaf_of(l, v), e);
	}
	return NULL;
}

static bool format_leaves(const struct voucher *v, json_t *object, struct err *e)
{
	for (size_t i = 0; i < LEAF_COUNT; i++) {
		const struct leaf *l = &leaves[i];
		if (!leaf_present(l, v))
			continue;
		if (!(l->kinds & 1U << v->kind))
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
	if (json_object_set_new(root, top_members[v->kind], inner) != 0)
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
