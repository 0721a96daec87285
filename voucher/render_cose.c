/* SPDX-License-Identifier: Apache-2.0 */
/* A constrained voucher for people: names where the wire has numbers (RFC 9254 §3, rfc8366bis §9).
 * The payload has been read as a voucher before, so its maps are where they belong.
 */
#include "voucher/render_cose.h"

#include <string.h>

#include "common/message/voucher_cbor.h"
#include "common/message/voucher_leaves.h"
#include "common/pki/cose.h"
#include "common/wire/cbor_json.h"
#include "common/wire/hex.h"
#include "voucher/render.h"

#define TAG_SID 47

/* The SID a key stands for, false when it is none. */
static bool sid_of(struct cbor_reader key, enum voucher_kind kind, uint64_t *sid)
{
	struct err ignored = ERR_INIT;
	bool absolute = cbor_peek(&key) == CBOR_TAG;
	uint64_t tag;

	if (absolute && (!cbor_tag(&key, &tag, &ignored) || tag != TAG_SID))
		return false;
	if (!cbor_uint(&key, sid, &ignored) || *sid > UINT16_MAX)
		return false;
	*sid += absolute ? 0 : voucher_container_sids[kind];
	return true;
}

static bool take_key(
	struct cbor_reader *pairs, enum voucher_kind kind, struct buf *out, struct err *e)
{
	uint64_t sid;

	if (!sid_of(*pairs, kind, &sid)) {
		json_t *JSON_AUTO other = cbor_to_json(pairs, e);
		if (!other)
			return false;
		return json_is_string(other) ? buf_append_str(out, json_string_value(other), e)
					     : json_format(other, out, e);
	}
	const char *name = voucher_sid_name(kind, sid);
	return cbor_skip(pairs, NULL, e) &&
	       (name ? buf_append_str(out, name, e)
		     : buf_printf(out, e, "SID %llu", (unsigned long long)sid));
}

static json_t *take_value(const char *name, struct cbor_reader *pairs, struct err *e)
{
	json_t *value = cbor_to_json(pairs, e);
	json_int_t number = value && json_is_integer(value) ? json_integer_value(value) : -1;
	bool known = number >= 0 && number < ASSERTION_OTHER - ASSERTION_VERIFIED;

	if (strcmp(name, "assertion") != 0 || !known)
		return value;
	json_decref(value);
	return json_string(
		voucher_assertion_name((enum voucher_assertion)(ASSERTION_VERIFIED + number)));
}

static bool put_pair(
	json_t *fields, enum voucher_kind kind, struct cbor_reader *pairs, struct err *e)
{
	BUF_AUTO struct buf key = BUF_INIT(VOUCHER_CBOR_MAX);

	return take_key(pairs, kind, &key, e) &&
	       render_put(fields, buf_str(&key), take_value(buf_str(&key), pairs, e), e);
}

json_t *render_cbor_fields(enum voucher_kind kind, struct bytes payload, struct err *e)
{
	json_t *JSON_AUTO fields = json_object();
	struct cbor_reader root, top, pairs;

	if (!cbor_open(payload, &root, e) || !cbor_map(&root, &top, NULL, e) ||
		!cbor_skip(&top, NULL, e) || !cbor_map(&top, &pairs, NULL, e))
		return NULL;
	while (!cbor_at_end(&pairs))
		if (!put_pair(fields, kind, &pairs, e))
			return NULL;
	return json_incref(fields);
}

static json_t *alg_of(const struct cose *c)
{
	const char *name = cose_alg_name(c->alg);

	return name ? json_string(name) : json_integer(c->alg);
}

static bool put_header(json_t *object, const struct cose *c, struct err *e)
{
	char kid[2 * COSE_KID_MAX + 1];

	hex_encode(buf_bytes(&c->kid), kid);
	return render_put(object, "tagged", json_boolean(c->tagged), e) &&
	       render_put(object, "alg", alg_of(c), e) &&
	       (c->kid.len == 0 || render_put(object, "kid", json_string(kid), e)) &&
	       render_put(object, "protected-certificates",
		       json_integer((json_int_t)c->protected_certs), e) &&
	       (c->certs_unreadable == 0 ||
		       render_put(object, "unreadable-certificates",
			       json_integer((json_int_t)c->certs_unreadable), e));
}

json_t *render_cose(struct bytes octets, struct err *e)
{
	json_t *JSON_AUTO object = json_object();
	COSE_AUTO struct cose c;

	cose_init(&c);
	if (!cose_parse(octets, NULL, &c, e) || !put_header(object, &c, e))
		return NULL;
	return json_incref(object);
}
