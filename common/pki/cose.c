/* SPDX-License-Identifier: Apache-2.0 */
/* Reading COSE_Sign1 and finding whose signature it is (RFC 9052 §3, §4.2, §4.4; RFC 9360 §2).
 * cose_parse() settles the structure, cose_verify() the truth. Trust in the signer is never decided
 * here, and no certificate found in a container becomes an anchor.
 */
#include "common/pki/cose.h"

#include <string.h>

#include "common/pki/cose_parts.h"

#define COSE_ELEMENTS 4
#define COSE_CRIT_MAX 16	      /* labels one crit lists; usual are none */
#define COSE_TBS_MAX  (COSE_MAX + 64) /* the Sig_structure adds two heads and a word */
#define COSE_CONTEXT  "Signature1"
#define EXTERNAL_AAD  bytes_of(NULL, 0)

void cose_init(struct cose *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->protected_header, COSE_MAX);
	buf_init(&c->payload, COSE_MAX);
	buf_init(&c->signature, COSE_MAX);
	buf_init(&c->kid, COSE_KID_MAX);
}

void cose_clear(struct cose *c)
{
	buf_clear(&c->protected_header);
	buf_clear(&c->payload);
	buf_clear(&c->signature);
	buf_clear(&c->kid);
	cert_free(c->signer);
	cert_list_clear(&c->certs);
	cose_init(c);
}

/* ---- the container ---- */

static bool take_tag(struct cbor_reader *r, bool *tagged, struct err *e)
{
	uint64_t tag;

	*tagged = cbor_peek(r) == CBOR_TAG;
	if (!*tagged)
		return true;
	if (!cbor_tag(r, &tag, e))
		return false;
	return tag == COSE_TAG || err_set(e, ERR_INPUT, "tag %llu where 18 (COSE_Sign1) belongs",
					  (unsigned long long)tag);
}

bool cose_elements_read(struct bytes octets, struct cose_elements *out, struct err *e)
{
	struct cbor_reader r, elements;
	size_t count;

	if (octets.len > COSE_MAX)
		return err_set(
			e, ERR_TOO_LARGE, "%zu octets, at most %d are read", octets.len, COSE_MAX);
	if (!cbor_open(octets, &r, e) || !take_tag(&r, &out->tagged, e) ||
		!cbor_array(&r, &elements, &count, e))
		return false;
	if (count != COSE_ELEMENTS)
		return err_set(e, ERR_INPUT, "%zu elements where a COSE_Sign1 has %d", count,
			COSE_ELEMENTS);
	struct cbor_reader *each[COSE_ELEMENTS] = {
		&out->protected_item, &out->unprotected, &out->payload, &out->signature};
	for (size_t i = 0; i < COSE_ELEMENTS; i++) {
		struct bytes whole;

		if (!cbor_skip(&elements, &whole, e))
			return false;
		*each[i] = (struct cbor_reader){.p = whole.data, .len = whole.len};
	}
	return true;
}

/* ---- headers ---- */

struct header_reader {
	struct cose *out;
	struct cert_cache *cache;
	bool with_certs;
	bool is_protected; /* of the two, the bucket that is being read */
	unsigned seen;	   /* bits: rows of headers[] */
	size_t cert_count;
};

static bool take_alg(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	if (!h->is_protected)
		return err_set(e, ERR_INPUT, "not in the protected header");
	return cbor_int(value, &h->out->alg, e);
}

static bool take_kid(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	return cbor_bytes_copy(value, &h->out->kid, e);
}

static bool ignore_value(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	return cbor_skip(value, NULL, e);
}

static bool is_understood(const struct cbor_reader *label);

/* A critical header that we do not know would change what the rest means (RFC 9052 §3.1). */
static bool take_crit(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	struct cbor_reader labels;
	size_t count;

	if (!h->is_protected)
		return err_set(e, ERR_INPUT, "not in the protected header");
	if (!cbor_array(value, &labels, &count, e))
		return false;
	if (count == 0 || count > COSE_CRIT_MAX)
		return err_set(
			e, ERR_INPUT, "%zu labels where 1 to %d belong", count, COSE_CRIT_MAX);
	while (!cbor_at_end(&labels)) {
		if (!is_understood(&labels))
			return err_set(e, ERR_INPUT, "a critical header that is not known");
		if (!cbor_skip(&labels, NULL, e))
			return false;
	}
	return true;
}

/* What is no certificate is nobody's: RFC 9360 lets a bag hold more than we can use. */
static bool add_cert(struct header_reader *h, struct bytes der, struct err *e)
{
	struct err why = ERR_INIT;
	struct cose *c = h->out;

	if (++h->cert_count > COSE_CERTS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d certificates", COSE_CERTS_MAX);
	if (!h->with_certs)
		return true;
	CERT_AUTO struct cert *cert = cert_cache_get(h->cache, der, &why);
	if (!cert && why.kind == ERR_NO_MEMORY) {
		*e = why;
		return false;
	}
	if (!cert)
		c->certs_unreadable++;
	else if (!cert_list_contains(&c->certs, cert) && !cert_list_add(&c->certs, cert, e))
		return false;
	if (h->is_protected)
		c->protected_certs = c->certs.count;
	return true;
}

static bool take_cert(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(COSE_MAX);

	return cbor_bytes_copy(value, &der, e) && add_cert(h, buf_bytes(&der), e);
}

/* COSE_X509: one certificate bare, several in an array; an array of one is read too. */
static bool take_certs(struct header_reader *h, struct cbor_reader *value, struct err *e)
{
	struct cbor_reader certs;

	if (cbor_peek(value) != CBOR_ARRAY)
		return take_cert(h, value, e);
	if (!cbor_array(value, &certs, NULL, e))
		return false;
	while (!cbor_at_end(&certs))
		if (!take_cert(h, &certs, e))
			return false;
	return true;
}

static const struct header {
	int64_t label;
	const char *name;
	bool (*take)(struct header_reader *h, struct cbor_reader *value, struct err *e);
} headers[] = {
	{COSE_LABEL_ALG, "alg", take_alg},
	{COSE_LABEL_CRIT, "crit", take_crit},
	{COSE_LABEL_CONTENT, "content type", ignore_value},
	{COSE_LABEL_KID, "kid", take_kid},
	{COSE_LABEL_X5BAG, "x5bag", take_certs},
	{COSE_LABEL_X5CHAIN, "x5chain", take_certs},
};
#define HEADERS (sizeof(headers) / sizeof(headers[0]))

/* The row of the label at r, HEADERS when there is none: text, or a number that is not ours. */
static size_t row_of(const struct cbor_reader *r)
{
	struct cbor_reader at = *r;
	struct err ignored = ERR_INIT;
	int64_t label;
	size_t i = 0;

	if (!cbor_int(&at, &label, &ignored))
		return HEADERS;
	while (i < HEADERS && headers[i].label != label)
		i++;
	return i;
}

static bool is_understood(const struct cbor_reader *label)
{
	return row_of(label) < HEADERS;
}

static bool read_header(
	struct header_reader *h, size_t row, struct cbor_reader *value, struct err *e)
{
	if (h->seen & 1U << row)
		return err_set(e, ERR_INPUT, "%s: in both headers", headers[row].name);
	h->seen |= 1U << row;
	return headers[row].take(h, value, e) || err_prefix(e, "%s", headers[row].name);
}

static bool read_bucket(struct header_reader *h, struct cbor_reader map, struct err *e)
{
	struct cbor_reader pairs;

	if (!cbor_map(&map, &pairs, NULL, e))
		return false;
	while (!cbor_at_end(&pairs)) {
		size_t row = row_of(&pairs);

		if (cbor_peek(&pairs) != CBOR_UINT && cbor_peek(&pairs) != CBOR_NEGATIVE &&
			cbor_peek(&pairs) != CBOR_TEXT)
			return err_set(e, ERR_INPUT, "a label that is neither number nor text");
		if (!cbor_skip(&pairs, NULL, e))
			return false;
		if (row == HEADERS ? !cbor_skip(&pairs, NULL, e) : !read_header(h, row, &pairs, e))
			return false;
	}
	return true;
}

/* A map in a bstr; an empty bstr is an empty map, which has no alg. */
static bool read_protected(struct header_reader *h, struct err *e)
{
	struct cbor_reader map;
	struct bytes octets = buf_bytes(&h->out->protected_header);

	h->is_protected = true;
	if (octets.len > 0 && (!cbor_open(octets, &map, e) || !read_bucket(h, map, e)))
		return err_prefix(e, "protected header");
	h->is_protected = false;
	return h->seen & 1U || err_set(e, ERR_INPUT, "protected header: alg is missing");
}

static bool read_payload(struct cbor_reader *payload, struct cose *out, struct err *e)
{
	if (cbor_peek(payload) == CBOR_SIMPLE)
		return err_set(e, ERR_INPUT, "the payload is detached");
	return cbor_bytes_copy(payload, &out->payload, e) || err_prefix(e, "payload");
}

static bool read_sign1(struct bytes octets, bool with_certs, struct cert_cache *cache,
	struct cose *out, struct err *e)
{
	struct header_reader h = {.out = out, .cache = cache, .with_certs = with_certs};
	struct cose_elements el = {.tagged = false};

	if (!cose_elements_read(octets, &el, e))
		return false;
	out->tagged = el.tagged;
	if (!cbor_bytes_copy(&el.protected_item, &out->protected_header, e))
		return err_prefix(e, "protected header");
	if (!read_protected(&h, e))
		return false;
	if (!read_bucket(&h, el.unprotected, e))
		return err_prefix(e, "unprotected header");
	return read_payload(&el.payload, out, e) &&
	       (cbor_bytes_copy(&el.signature, &out->signature, e) || err_prefix(e, "signature"));
}

static bool parse(struct bytes octets, bool with_certs, struct cert_cache *cache, struct cose *out,
	struct err *e)
{
	cose_init(out);
	if (read_sign1(octets, with_certs, cache, out, e))
		return true;
	cose_clear(out);
	return err_prefix(e, "COSE");
}

bool cose_parse(struct bytes octets, struct cert_cache *cache, struct cose *out, struct err *e)
{
	return parse(octets, true, cache, out, e);
}

/* ---- the signature ---- */

bool cose_signed_octets(
	struct bytes protected_header, struct bytes payload, struct buf *out, struct err *e)
{
	return cbor_put_array(out, 4, e) && cbor_put_text(out, COSE_CONTEXT, e) &&
	       cbor_put_bytes(out, protected_header, e) && cbor_put_bytes(out, EXTERNAL_AAD, e) &&
	       cbor_put_bytes(out, payload, e);
}

/* One signature on its way from key to key. */
struct trial {
	const struct cose_alg *alg;
	struct bytes tbs, der;
	size_t tried;
	struct cert *found;
};

/* False only for a failure of our own; t->found says whether somebody's key fits. */
static bool try_each(
	struct trial *t, const struct cert_list *certs, unsigned eku, unsigned mask, struct err *e)
{
	for (size_t i = 0; certs && !t->found && i < certs->count; i++) {
		struct cert *c = certs->items[i];
		EVP_PKEY *key = cert_public_key(c);
		struct err why = ERR_INIT;

		if (!key)
			return err_set(e, ERR_NO_MEMORY, "no memory for a public key");
		if ((cert_eku(c) & mask) != eku || !cose_alg_fits(t->alg, key))
			continue;
		t->tried++;
		if (cert_verify(c, t->alg->x509, t->tbs, t->der, &why))
			t->found = c;
		else if (why.kind != ERR_UNAUTHENTICATED) {
			*e = why;
			return false;
		}
	}
	return true;
}

/* Whom the caller knows under this key is the one that is meant. */
static struct cert *as_known(struct cert *found, const struct cert_list *hint)
{
	for (size_t i = 0; hint && i < hint->count; i++)
		if (cert_same_key(found, hint->items[i]))
			return hint->items[i];
	return found;
}

static bool nobodys(
	const struct cose *c, const struct cert_list *hint, const struct trial *t, struct err *e)
{
	if (t->tried > 0)
		return err_set(e, ERR_UNAUTHENTICATED,
			"it was made with the key of none of the %zu certificates at hand",
			t->tried);
	if (c->certs.count == 0 && (!hint || hint->count == 0))
		err_set(e, ERR_UNAUTHENTICATED, "the signer's certificate is missing");
	else
		err_set(e, ERR_UNAUTHENTICATED, "no certificate at hand has a key for %s",
			t->alg->name);
	return err_tell(e, "The certificate of the signer is missing.");
}

static bool find_signer(struct cose *c, const struct cert_list *hint, struct err *e)
{
	BUF_AUTO struct buf tbs = BUF_INIT(COSE_TBS_MAX);
	BUF_AUTO struct buf der = BUF_INIT(2 * COSE_SIGNATURE_MAX);
	struct trial t = {.alg = cose_alg_find(c->alg)};

	if (!t.alg) {
		err_set(e, ERR_INPUT, "algorithm %lld is not supported", (long long)c->alg);
		return err_tell(e, "The algorithm of the signature is not supported.");
	}
	if (!cose_signed_octets(buf_bytes(&c->protected_header), buf_bytes(&c->payload), &tbs, e) ||
		!cose_alg_to_der(t.alg, buf_bytes(&c->signature), &der, e))
		return false;
	t.tbs = buf_bytes(&tbs);
	t.der = buf_bytes(&der);
	if (!try_each(&t, &c->certs, CERT_EKU_CMC_RA, CERT_EKU_CMC_RA, e) ||
		!try_each(&t, &c->certs, 0, CERT_EKU_CMC_RA, e) || !try_each(&t, hint, 0, 0, e))
		return false;
	if (!t.found)
		return nobodys(c, hint, &t, e);
	cert_free(c->signer);
	c->signer = cert_ref(as_known(t.found, hint));
	return true;
}

bool cose_verify(struct cose *c, const struct cert_list *hint, struct err *e)
{
	return find_signer(c, hint, e) || err_prefix(e, "COSE signature");
}

bool cose_open(struct bytes octets, struct cert_cache *cache, const struct cert_list *hint,
	struct cose *out, struct err *e)
{
	if (!cose_parse(octets, cache, out, e))
		return false;
	if (cose_verify(out, hint, e))
		return true;
	cose_clear(out);
	return false;
}

bool cose_verify_own(struct bytes octets, struct cert *signer, struct bytes payload, struct err *e)
{
	COSE_AUTO struct cose c;
	struct cert_list only = {.items = &signer, .count = 1};

	cose_init(&c);
	if (parse(octets, false, NULL, &c, e) && cose_verify(&c, &only, e)) {
		if (bytes_equal(buf_bytes(&c.payload), payload))
			return true;
		err_set(e, ERR_BUG, "COSE: the payload is not what was to be signed");
	}
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_BUG;
	return false;
}
