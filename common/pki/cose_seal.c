/* SPDX-License-Identifier: Apache-2.0 */
/* Writing COSE_Sign1: tag 18, nothing but alg in the protected header, certificates as an
 * unprotected x5bag (RFC 9052 §4.2, RFC 9360 §2); verified before it leaves. And taking
 * certificates out again, which a registrar does for a pledge on a thin link. */
#include "common/pki/cose_parts.h"

#define PROTECTED_MAX 16 /* a map of one small number */

static bool put_protected(const struct cose_alg *alg, struct buf *out, struct err *e)
{
	struct cbor_key_order order = {0};

	return cbor_put_map(out, 1, e) && cbor_put_key(out, &order, COSE_LABEL_ALG, e) &&
	       cbor_put_int(out, alg->alg, e);
}

/* Each certificate once. */
static bool choose_certs(const struct cert_list *certs, struct cert_list *out, struct err *e)
{
	for (size_t i = 0; certs && i < certs->count; i++) {
		if (cert_list_contains(out, certs->items[i]))
			continue;
		if (out->count == COSE_CERTS_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d certificates to carry",
				COSE_CERTS_MAX);
		if (!cert_list_add(out, certs->items[i], e))
			return false;
	}
	return true;
}

static bool put_unprotected(const struct cert_list *certs, struct buf *out, struct err *e)
{
	CERT_LIST_AUTO struct cert_list each = CERT_LIST_INIT;
	struct cbor_key_order order = {0};

	if (!choose_certs(certs, &each, e))
		return false;
	if (each.count == 0)
		return cbor_put_map(out, 0, e);
	if (!cbor_put_map(out, 1, e) || !cbor_put_key(out, &order, COSE_LABEL_X5BAG, e) ||
		(each.count > 1 && !cbor_put_array(out, each.count, e)))
		return false;
	for (size_t i = 0; i < each.count; i++)
		if (!cbor_put_bytes(out, cert_der(each.items[i]), e))
			return false;
	return true;
}

static bool sign(const struct cose_alg *alg, const struct identity *signer,
	struct bytes protected_header, struct bytes payload, struct buf *signature, struct err *e)
{
	BUF_AUTO struct buf tbs = BUF_INIT(COSE_MAX);
	BUF_AUTO struct buf der = BUF_INIT(2 * COSE_SIGNATURE_MAX);

	return cose_signed_octets(protected_header, payload, &tbs, e) &&
	       key_sign(signer->key, buf_bytes(&tbs), &der, e) &&
	       cose_alg_from_der(alg, buf_bytes(&der), signature, e);
}

static bool put_container(struct bytes payload, const struct identity *signer,
	const struct cert_list *certs, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf head = BUF_INIT(PROTECTED_MAX);
	BUF_AUTO struct buf signature = BUF_INIT(COSE_SIGNATURE_MAX);
	const struct cose_alg *alg = cose_alg_of_key(key_evp(signer->key), e);

	return alg && put_protected(alg, &head, e) &&
	       sign(alg, signer, buf_bytes(&head), payload, &signature, e) &&
	       cbor_put_tag(out, COSE_TAG, e) && cbor_put_array(out, 4, e) &&
	       cbor_put_bytes(out, buf_bytes(&head), e) && put_unprotected(certs, out, e) &&
	       cbor_put_bytes(out, payload, e) && cbor_put_bytes(out, buf_bytes(&signature), e);
}

bool cose_can_seal(const struct identity *signer, struct err *e)
{
	return cose_alg_of_key(key_evp(signer->key), e) != NULL;
}

bool cose_seal(struct bytes payload, const struct identity *signer, const struct cert_list *certs,
	struct buf *out, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(COSE_MAX);

	if (!put_container(payload, signer, certs, &made, e) ||
		!cose_verify_own(buf_bytes(&made), signer->cert, payload, e))
		return err_prefix(e, "signing a COSE as %s", cert_subject(signer->cert));
	return buf_append(out, made.data, made.len, e);
}

/* ---- without certificates ---- */

static bool is_certs(struct cbor_reader key)
{
	struct err ignored = ERR_INIT;
	int64_t label;

	return cbor_int(&key, &label, &ignored) &&
	       (label == COSE_LABEL_X5BAG || label == COSE_LABEL_X5CHAIN);
}

/* The pairs that stay, as they stood, and how many they are. */
static bool keep_pairs(struct cbor_reader pairs, struct buf *kept, size_t *count, struct err *e)
{
	*count = 0;
	while (!cbor_at_end(&pairs)) {
		bool leave = is_certs(pairs);
		struct bytes key, value;

		if (!cbor_skip(&pairs, &key, e) || !cbor_skip(&pairs, &value, e))
			return false;
		if (leave)
			continue;
		if (!buf_append(kept, key.data, key.len, e) ||
			!buf_append(kept, value.data, value.len, e))
			return false;
		++*count;
	}
	return true;
}

/* What is not touched goes over as it stands, heads and their widths included. */
static bool strip(struct bytes octets, struct buf *made, struct err *e)
{
	BUF_AUTO struct buf kept = BUF_INIT(COSE_MAX);
	struct cose_elements el = {.tagged = false};
	struct cbor_reader pairs, map;
	size_t before, count, had;

	if (!cose_elements_read(octets, &el, e))
		return false;
	map = el.unprotected;
	before = (size_t)(map.p - octets.data);
	if (!cbor_map(&map, &pairs, &had, e) || !keep_pairs(pairs, &kept, &count, e))
		return false;
	if (count == had)
		return buf_append(made, octets.data, octets.len, e);
	return buf_append(made, octets.data, before, e) && cbor_put_map(made, count, e) &&
	       buf_append(made, kept.data, kept.len, e) &&
	       buf_append(made, el.payload.p, octets.len - (size_t)(el.payload.p - octets.data), e);
}

bool cose_strip_certs(struct bytes octets, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(COSE_MAX);

	return (strip(octets, &made, e) && buf_append(out, made.data, made.len, e)) ||
	       err_prefix(e, "COSE");
}
