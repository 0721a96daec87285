/* SPDX-License-Identifier: Apache-2.0 */
/* Our own names, computed once at start. RFC 8995 §5.8.2 says which one a MASA should write;
 * implementations differ (T-07), so every certificate of our chain counts under each known form. */
#include "registrar/domain.h"

#include <string.h>

#include "common/wire/base64.h"
#include "common/wire/der.h"

static void add_id(struct domain *d, struct bytes id)
{
	struct domain_id *slot;

	if (id.len == 0 || id.len > DOMAIN_ID_MAX ||
		d->id_count == sizeof(d->ids) / sizeof(*d->ids))
		return;
	slot = &d->ids[d->id_count++];
	memcpy(slot->octets, id.data, id.len);
	slot->len = id.len;
}

/* The public key without its algorithm: what a SHA-1 key identifier is made of (RFC 5280 §4.2.1.2).
 */
static bool key_bits(struct bytes spki, struct bytes *bits, struct err *e)
{
	struct der d = der_of(spki), inner;
	struct der_tlv t;

	if (!der_expect(&d, DER_SEQUENCE, &t, "SubjectPublicKeyInfo", e))
		return false;
	inner = t.content;
	if (!der_expect(&inner, DER_SEQUENCE, &t, "algorithm", e) ||
		!der_expect(&inner, DER_BIT_STRING, &t, "public key", e))
		return false;
	if (t.content.len < 1)
		return err_set(e, ERR_INPUT, "empty public key");
	*bits = bytes_of(t.content.p + 1, t.content.len - 1);
	return true;
}

static bool add_cert(struct domain *d, const struct cert *c, struct err *e)
{
	uint8_t sha256[SHA256_LEN], sha1[SHA1_LEN];
	struct bytes bits = {NULL, 0};

	add_id(d, cert_ski(c));
	if (!digest_sha256(cert_spki(c), sha256, e) || !key_bits(cert_spki(c), &bits, e) ||
		!digest_sha1(bits, sha1, e))
		return false;
	add_id(d, bytes_of(sha256, sizeof(sha256)));
	add_id(d, bytes_of(sha1, sizeof(sha1)));
	return true;
}

static bool add_list(struct domain *d, const struct cert_list *l, struct err *e)
{
	for (size_t i = 0; i < l->count; i++)
		if (!add_cert(d, l->items[i], e))
			return false;
	return true;
}

bool domain_init(struct domain *d, const struct identity *id, const struct cert_list *ca_certs,
	struct err *e)
{
	memset(d, 0, sizeof(*d));
	d->identity = id;
	return digest_sha256(cert_spki(id->cert), d->spki_sha256, e) && add_cert(d, id->cert, e) &&
	       add_list(d, &id->chain, e) && add_list(d, ca_certs, e);
}

bool domain_is_own(const struct domain *d, const char *domain_id, bool *own, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(DOMAIN_ID_MAX);
	struct err malformed = ERR_INIT; /* then it is somebody else's */

	*own = false;
	if (!base64_decode_any(bytes_of_str(domain_id), &octets, &malformed)) {
		if (malformed.kind == ERR_NO_MEMORY)
			*e = malformed;
		return malformed.kind != ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < d->id_count && !*own; i++)
		*own = bytes_equal(buf_bytes(&octets), bytes_of(d->ids[i].octets, d->ids[i].len));
	return true;
}

static bool in_own_chain(const struct identity *id, struct bytes der)
{
	if (bytes_equal(cert_der(id->cert), der))
		return true;
	for (size_t i = 0; i < id->chain.count; i++)
		if (bytes_equal(cert_der(id->chain.items[i]), der))
			return true;
	return false;
}

bool domain_covered_by(const struct domain *d, struct bytes pinned_der, struct cert_cache *cache,
	int64_t now, struct err *e)
{
	CERT_LIST_AUTO struct cert_list pins = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchors = NULL;
	CERT_AUTO struct cert *pinned = NULL;

	/* Our own chain was checked link by link at start: most vouchers pin a part of it. */
	if (in_own_chain(d->identity, pinned_der))
		return true;
	pinned = cert_cache_get(cache, pinned_der, e);
	if (!pinned)
		return err_prefix(e, "pinned-domain-cert");
	if (cert_same_key(pinned, d->identity->cert))
		return true;
	if (!cert_list_add(&pins, pinned, e))
		return false;
	anchors = anchors_new(&pins, e);
	if (!anchors)
		return false;
	if (chain_verify(anchors, d->identity->cert, &d->identity->chain, now, NULL, e))
		return true;
	if (e->kind == ERR_UNAUTHENTICATED)
		e->kind = ERR_PEER;
	return err_prefix(e, "pinned-domain-cert \"%s\" does not cover our certificate",
		cert_subject(pinned));
}
