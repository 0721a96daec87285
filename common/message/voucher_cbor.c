/* SPDX-License-Identifier: Apache-2.0 */
/* The YANG-CBOR of vouchers and voucher-requests, by the same table of leaves as their JSON (RFC
 * 9254 §3 to §6; rfc8366bis §9). A key is the difference between the leaf's SID and its
 * container's; 9 and above mean other leaves in a request than in a voucher.
 */
#include "common/message/voucher_cbor.h"

#include <stdlib.h>
#include <string.h>

#include "common/message/voucher_leaves.h"
#include "common/wire/base64.h"
#include "common/wire/cbor.h"
#include "common/wire/datetime.h"

#define TAG_SID	  47   /* an absolute SID (RFC 9254 §3.2) */
#define KEY_MAX	  64   /* octets of a name; the longest leaf has 39 */
#define TEXT_MAX  4096 /* no text of a voucher is longer */
#define DELTA_MAX 22   /* the last leaf of a request */

/* Leaves of the modules that this project does not keep. */
static const struct {
	const char *name;
	uint16_t sid[2];
} other_leaves[] = {
	{"manufacturer-proprietary", {2465, 2523}},
	{"extensions", {2466, 2522}},
	{"agent-provided-proximity-registrar-cert", {0, 2515}},
	{"agent-sign-cert", {0, 2516}},
	{"agent-signed-data", {0, 2517}},
	/* in the module of requests too, and without a meaning there */
	{"domain-cert-revocation-checks", {0, 2504}},
	{"last-renewal-date", {0, 2507}},
	{"pinned-domain-cert", {0, 2509}},
	{"pinned-domain-pubk", {0, 2518}},
	{"pinned-domain-pubk-sha256", {0, 2519}},
	{"additional-configuration-url", {0, 2520}},
	{"est-domain", {0, 2521}},
};

const char *voucher_sid_name(enum voucher_kind kind, uint64_t sid)
{
	const struct voucher_leaf *l = voucher_leaf_by_sid(sid, kind);

	if (sid == voucher_container_sids[kind])
		return voucher_containers[kind];
	for (size_t i = 0; !l && i < sizeof(other_leaves) / sizeof(other_leaves[0]); i++)
		if (sid > 0 && other_leaves[i].sid[kind] == sid)
			return other_leaves[i].name;
	return l ? l->name : NULL;
}

/* ---- reading ---- */

static bool parse_text(struct cbor_reader *r, char **out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);

	if (!cbor_text_copy(r, &text, e))
		return false;
	*out = str_dup(buf_str(&text), e);
	return *out != NULL;
}

static bool parse_date(
	const struct voucher_leaf *l, struct cbor_reader *r, struct voucher *v, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
	bool *has = (void *)((char *)v + l->has_offset);

	*has = cbor_text_copy(r, &text, e) &&
	       datetime_parse(buf_str(&text), voucher_leaf_at(l, v), e);
	return *has;
}

/* An enumeration outside of a union is its number (RFC 9254 §6.6), also where keys are names. */
static bool parse_assertion(struct cbor_reader *r, enum voucher_assertion *out, struct err *e)
{
	uint64_t number;

	if (!cbor_uint(r, &number, e))
		return false;
	*out = number < ASSERTION_OTHER - ASSERTION_VERIFIED
		       ? (enum voucher_assertion)(ASSERTION_VERIFIED + number)
		       : ASSERTION_OTHER;
	return true;
}

static bool parse_nonce(struct cbor_reader *r, char **out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_CBOR_MAX);
	BUF_AUTO struct buf text = BUF_INIT(2 * VOUCHER_NONCE_MAX);

	if (!cbor_bytes_copy(r, &octets, e))
		return false;
	if (octets.len < VOUCHER_NONCE_MIN || octets.len > VOUCHER_NONCE_MAX)
		return err_set(e, ERR_INPUT, "%zu octets where %d to %d belong", octets.len,
			VOUCHER_NONCE_MIN, VOUCHER_NONCE_MAX);
	if (!base64_encode(buf_bytes(&octets), &text, e))
		return false;
	*out = str_dup(buf_str(&text), e);
	return *out != NULL;
}

static bool parse_flag(struct cbor_reader *r, enum voucher_flag *out, struct err *e)
{
	bool flag;

	if (!cbor_bool(r, &flag, e))
		return false;
	*out = flag ? FLAG_TRUE : FLAG_FALSE;
	return true;
}

static bool parse_octets(
	const struct voucher_leaf *l, struct cbor_reader *r, struct buf *out, struct err *e)
{
	if (!cbor_bytes_copy(r, out, e))
		return false;
	if (out->len == 0)
		return err_set(e, ERR_INPUT, "empty");
	return l->type != LEAF_CERT || voucher_leaf_check_cert(out, e);
}

static bool parse_serial(struct cbor_reader *r, char **out, struct err *e)
{
	return parse_text(r, out, e) && voucher_leaf_check_serial(*out, e);
}

static bool parse_leaf(
	const struct voucher_leaf *l, struct cbor_reader *r, struct voucher *v, struct err *e)
{
	if (voucher_leaf_present(l, v))
		return err_set(e, ERR_INPUT, "there twice, under two keys");
	switch (l->type) {
	case LEAF_DATE:
		return parse_date(l, r, v, e);
	case LEAF_ASSERTION:
		return parse_assertion(r, voucher_leaf_at(l, v), e);
	case LEAF_SERIAL:
		return parse_serial(r, voucher_leaf_at(l, v), e);
	case LEAF_STRING:
		return parse_text(r, voucher_leaf_at(l, v), e);
	case LEAF_NONCE:
		return parse_nonce(r, voucher_leaf_at(l, v), e);
	case LEAF_FLAG:
		return parse_flag(r, voucher_leaf_at(l, v), e);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return parse_octets(l, r, voucher_leaf_at(l, v), e);
	}
	return err_set(e, ERR_BUG, "leaf of no type");
}

/* A key of either map. What is neither number nor name names nothing. */
struct key {
	bool is_name;
	char name[KEY_MAX + 1]; /* "" for one that is longer than any of ours */
	uint64_t sid;		/* 0: none */
};

static bool take_name(struct cbor_reader *r, struct key *out, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(VOUCHER_CBOR_MAX);

	if (!cbor_text_copy(r, &name, e))
		return false;
	out->is_name = true;
	if (name.len <= KEY_MAX)
		memcpy(out->name, buf_str(&name), name.len);
	return true;
}

/* base: the SID that a bare number is counted from. */
static bool take_key(struct cbor_reader *r, uint64_t base, struct key *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct err ignored = ERR_INIT;
	uint64_t number;

	*out = (struct key){.sid = 0};
	if (cbor_peek(r) == CBOR_TEXT)
		return take_name(r, out, e);
	if (cbor_uint(&at, &number, &ignored) && number <= UINT16_MAX)
		out->sid = base + number;
	else if (cbor_tag(&at, &number, &ignored) && number == TAG_SID &&
		 cbor_uint(&at, &number, &ignored))
		out->sid = number;
	return cbor_skip(r, NULL, e);
}

static bool parse_leaves(struct cbor_reader pairs, struct voucher *out, struct err *e)
{
	while (!cbor_at_end(&pairs)) {
		const struct voucher_leaf *l;
		struct key key;

		if (!take_key(&pairs, voucher_container_sids[out->kind], &key, e))
			return false;
		l = key.is_name ? voucher_leaf_by_name(key.name, out->kind)
				: voucher_leaf_by_sid(key.sid, out->kind);
		if (!l && !cbor_skip(&pairs, NULL, e))
			return false;
		if (l && !parse_leaf(l, &pairs, out, e))
			return voucher_leaf_refuse(l, e);
	}
	return out->serial_number || voucher_leaf_serial_missing(e);
}

static bool kind_of(const struct key *key, enum voucher_kind *out, struct err *e)
{
	for (int kind = VOUCHER; kind <= VOUCHER_REQUEST; kind++) {
		if (key->is_name ? strcmp(key->name, voucher_containers[kind]) != 0
				 : key->sid != voucher_container_sids[kind])
			continue;
		*out = (enum voucher_kind)kind;
		return true;
	}
	if (key->is_name)
		err_set(e, ERR_INPUT, "top-level member \"%s\": no voucher", key->name);
	else
		err_set(e, ERR_INPUT, "top-level SID %llu: no voucher",
			(unsigned long long)key->sid);
	return err_tell(e, "The content is neither a voucher nor a voucher-request.");
}

static bool parse_top(struct cbor_reader root, struct voucher *out, struct err *e)
{
	struct cbor_reader pairs, leaves;
	enum voucher_kind kind = VOUCHER;
	struct key key;
	size_t count;

	if (!cbor_map(&root, &pairs, &count, e))
		return false;
	if (count != 1)
		return err_set(e, ERR_INPUT, "%zu top-level members where one belongs", count);
	if (!take_key(&pairs, 0, &key, e) || !kind_of(&key, &kind, e) ||
		!cbor_map(&pairs, &leaves, NULL, e))
		return false;
	voucher_init(out, kind);
	return parse_leaves(leaves, out, e);
}

bool voucher_parse_cbor(struct bytes cbor, struct voucher *out, struct err *e)
{
	struct cbor_reader root;

	voucher_init(out, VOUCHER);
	if (cbor.len > VOUCHER_CBOR_MAX)
		return err_set(e, ERR_TOO_LARGE, "voucher of %zu octets of CBOR", cbor.len);
	if (cbor_open(cbor, &root, e) && parse_top(root, out, e))
		return true;
	voucher_clear(out);
	return err_prefix(e, "voucher");
}

/* ---- writing ---- */

static bool put_date(int64_t unix_s, struct buf *out, struct err *e)
{
	char text[DATETIME_LEN + 1];

	return datetime_format(unix_s, text, e) && cbor_put_text(out, text, e);
}

static bool put_assertion(enum voucher_assertion a, struct buf *out, struct err *e)
{
	if (a < ASSERTION_VERIFIED || a >= ASSERTION_OTHER)
		return err_set(e, ERR_BUG, "assertion without a number");
	return cbor_put_uint(out, (uint64_t)a - ASSERTION_VERIFIED, e);
}

static bool put_nonce(const char *nonce, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_NONCE_MAX);

	return voucher_nonce_octets(nonce, &octets, e) &&
	       cbor_put_bytes(out, buf_bytes(&octets), e);
}

static bool put_value(
	const struct voucher_leaf *l, const struct voucher *v, struct buf *out, struct err *e)
{
	const void *field = voucher_leaf_of(l, v);

	switch (l->type) {
	case LEAF_DATE:
		return put_date(*(const int64_t *)field, out, e);
	case LEAF_ASSERTION:
		return put_assertion(*(const enum voucher_assertion *)field, out, e);
	case LEAF_SERIAL:
	case LEAF_STRING:
		return cbor_put_text(out, *(char *const *)field, e);
	case LEAF_NONCE:
		return put_nonce(*(char *const *)field, out, e);
	case LEAF_FLAG:
		return cbor_put_bool(out, *(const enum voucher_flag *)field == FLAG_TRUE, e);
	case LEAF_BINARY:
	case LEAF_ISSUER:
	case LEAF_CERT:
		return cbor_put_bytes(out, buf_bytes(field), e);
	}
	return err_set(e, ERR_BUG, "leaf of no type");
}

static bool count_leaves(const struct voucher *v, size_t *out, struct err *e)
{
	*out = 0;
	for (size_t i = 0; i < voucher_leaf_count; i++) {
		const struct voucher_leaf *l = &voucher_leaves[i];

		if (!voucher_leaf_present(l, v))
			continue;
		if (!l->sid[v->kind])
			return err_set(e, ERR_BUG, "%s does not belong into this message", l->name);
		++*out;
	}
	return true;
}

static bool put_leaves(const struct voucher *v, struct buf *out, struct err *e)
{
	struct cbor_key_order order = {0};

	for (int64_t delta = 1; delta <= DELTA_MAX; delta++) {
		uint64_t sid = voucher_container_sids[v->kind] + (uint64_t)delta;
		const struct voucher_leaf *l = voucher_leaf_by_sid(sid, v->kind);

		if (!l || !voucher_leaf_present(l, v))
			continue;
		if (!cbor_put_key(out, &order, delta, e))
			return false;
		if (!put_value(l, v, out, e))
			return err_prefix(e, "%s", l->name);
	}
	return true;
}

bool voucher_format_cbor(const struct voucher *v, struct buf *out, struct err *e)
{
	struct cbor_key_order order = {0};
	size_t count;

	if (!v->serial_number)
		return err_set(e, ERR_BUG, "voucher without a serial-number");
	return count_leaves(v, &count, e) && cbor_put_map(out, 1, e) &&
	       cbor_put_key(out, &order, voucher_container_sids[v->kind], e) &&
	       cbor_put_map(out, count, e) && put_leaves(v, out, e);
}
