/* SPDX-License-Identifier: Apache-2.0 */
/* Reading OCSP requests (RFC 6960 §4.1.1), and whom they are about: see ocsp.h. */
#include "common/pki/ocsp.h"

#include <string.h>

#include "common/pki/extension.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"

#define VERSION_TAG	   DER_CONTEXT_CONSTRUCTED(0)
#define REQUESTOR_TAG	   DER_CONTEXT_CONSTRUCTED(1)
#define EXTENSIONS_TAG	   DER_CONTEXT_CONSTRUCTED(2)
#define ONE_EXTENSIONS_TAG DER_CONTEXT_CONSTRUCTED(0) /* about one of the certificates */
#define SIGNATURE_TAG	   DER_CONTEXT_CONSTRUCTED(0)
#define VERSION_1	   0

static const struct bytes oid_nonce = OID_OCSP_NONCE;

static struct bytes content_of(const struct der_tlv *t)
{
	return bytes_of(t->content.p, t->content.len);
}

/* ---- Extensions ---- */

/* The OCTET STRING stands in another one (RFC 9654 §2.1). */
static bool read_nonce(const struct extension *x, struct ocsp_request *r, struct err *e)
{
	struct der d = x->value.content;
	struct der_tlv nonce;

	if (r->nonce.len > 0)
		return err_set(e, ERR_INPUT, "two nonces");
	if (!der_expect(&d, DER_OCTET_STRING, &nonce, "nonce", e) ||
		!der_expect_end(&d, "nonce", e))
		return false;
	r->nonce = content_of(&nonce);
	return (r->nonce.len > 0 && r->nonce.len <= OCSP_NONCE_MAX) ||
	       err_set(e, ERR_INPUT, "nonce of %zu octets (RFC 9654 §2.1)", r->nonce.len);
}

/* What is not critical may be passed over (RFC 6960 §4.4). r is NULL where a nonce has no place. */
static bool take_extension(const struct extension *x, struct ocsp_request *r, struct err *e)
{
	if (r && der_oid_is(&x->oid, oid_nonce))
		return read_nonce(x, r, e);
	return !x->critical || err_set(e, ERR_INPUT, "a critical extension nobody knows");
}

static bool read_extensions(struct der *d, uint8_t tag, struct ocsp_request *r, struct err *e)
{
	struct der_tlv outer, all;
	struct extension x;
	bool present;

	if (!der_optional(d, tag, &outer, &present, e))
		return false;
	if (!present)
		return true;
	if (!der_expect(&outer.content, DER_SEQUENCE, &all, "extensions", e) ||
		!der_expect_end(&outer.content, "extensions", e))
		return false;
	while (!der_at_end(&all.content))
		if (!extension_next(&all.content, &x, e) || !take_extension(&x, r, e))
			return false;
	return true;
}

/* ---- Certificates ---- */

static bool is_minimal(struct bytes number)
{
	if (number.len < 2)
		return number.len == 1;
	return !(number.data[0] == 0 && number.data[1] < 0x80) &&
	       !(number.data[0] == 0xff && number.data[1] >= 0x80);
}

/* Digests have no parameters, or NULL for them (RFC 5754 §2). */
static bool read_hash(struct der *id, struct der_tlv *oid, struct err *e)
{
	struct der_tlv algorithm, null;
	bool present;

	return der_expect(id, DER_SEQUENCE, &algorithm, "hashAlgorithm", e) &&
	       der_expect(&algorithm.content, DER_OID, oid, "hashAlgorithm", e) &&
	       der_optional(&algorithm.content, DER_NULL, &null, &present, e) &&
	       (!present || der_expect_end(&null.content, "hashAlgorithm", e)) &&
	       der_expect_end(&algorithm.content, "hashAlgorithm", e);
}

/* CertID ::= SEQUENCE { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } */
static bool read_id(struct der *d, struct ocsp_asked *a, struct err *e)
{
	struct der_tlv id, hash, name, key, serial;

	if (!der_expect(d, DER_SEQUENCE, &id, "CertID", e) || !read_hash(&id.content, &hash, e) ||
		!der_expect(&id.content, DER_OCTET_STRING, &name, "issuerNameHash", e) ||
		!der_expect(&id.content, DER_OCTET_STRING, &key, "issuerKeyHash", e) ||
		!der_expect(&id.content, DER_INTEGER, &serial, "serialNumber", e) ||
		!der_expect_end(&id.content, "CertID", e))
		return false;
	*a = (struct ocsp_asked){id.whole, content_of(&hash), content_of(&name), content_of(&key),
		content_of(&serial)};
	if (a->serial.len > CERT_SERIAL_MAX)
		return err_set(e, ERR_INPUT, "serial number of %zu octets", a->serial.len);
	return is_minimal(a->serial) || err_set(e, ERR_INPUT, "serial number not minimal");
}

static bool read_asked(struct der *list, struct ocsp_asked *a, struct err *e)
{
	struct der_tlv request;

	return der_expect(list, DER_SEQUENCE, &request, "request", e) &&
	       read_id(&request.content, a, e) &&
	       read_extensions(&request.content, ONE_EXTENSIONS_TAG, NULL, e) &&
	       der_expect_end(&request.content, "request", e);
}

static bool read_list(struct der *tbs, struct ocsp_request *r, struct err *e)
{
	struct der_tlv list;

	if (!der_expect(tbs, DER_SEQUENCE, &list, "requestList", e))
		return false;
	for (; !der_at_end(&list.content); r->count++) {
		if (r->count == OCSP_ASKED_MAX)
			return err_set(e, ERR_INPUT, "more than %d certificates", OCSP_ASKED_MAX);
		if (!read_asked(&list.content, &r->asked[r->count], e))
			return false;
	}
	return r->count > 0 || err_set(e, ERR_INPUT, "no certificate is asked about");
}

/* ---- The whole ---- */

static bool read_version(struct der *tbs, struct err *e)
{
	struct der_tlv outer, number;
	uint32_t version;
	bool present;

	if (!der_optional(tbs, VERSION_TAG, &outer, &present, e))
		return false;
	if (!present)
		return true;
	if (!der_expect(&outer.content, DER_INTEGER, &number, "version", e) ||
		!der_expect_end(&outer.content, "version", e) || !der_uint(&number, &version, e))
		return false;
	return version == VERSION_1 || err_set(e, ERR_INPUT, "version %u", version + 1);
}

static bool read_tbs(struct der *tbs, struct ocsp_request *r, struct err *e)
{
	struct der_tlv requestor;
	bool present;

	return read_version(tbs, e) && der_optional(tbs, REQUESTOR_TAG, &requestor, &present, e) &&
	       read_list(tbs, r, e) && read_extensions(tbs, EXTENSIONS_TAG, r, e) &&
	       der_expect_end(tbs, "tbsRequest", e);
}

static bool read_whole(struct ocsp_request *r, struct err *e)
{
	struct der d = der_of(buf_bytes(&r->der));
	struct der_tlv all, tbs, signature;
	bool present;

	return der_expect(&d, DER_SEQUENCE, &all, "OCSPRequest", e) &&
	       der_expect_end(&d, "OCSPRequest", e) &&
	       der_expect(&all.content, DER_SEQUENCE, &tbs, "tbsRequest", e) &&
	       der_optional(&all.content, SIGNATURE_TAG, &signature, &present, e) &&
	       der_expect_end(&all.content, "OCSPRequest", e) && read_tbs(&tbs.content, r, e);
}

bool ocsp_request_parse(struct bytes der, struct ocsp_request *out, struct err *e)
{
	if (buf_append(&out->der, der.data, der.len, e) && read_whole(out, e))
		return true;
	ocsp_request_clear(out);
	return err_prefix(e, "OCSP request");
}

void ocsp_request_clear(struct ocsp_request *r)
{
	buf_clear(&r->der);
	*r = (struct ocsp_request)OCSP_REQUEST_INIT;
}

/* ---- Whom it is about ---- */

static const struct {
	struct bytes oid;
	const EVP_MD *(*md)(void);
} hashes[] = {
	{OID_SHA1, EVP_sha1},
	{OID_SHA256, EVP_sha256},
	{OID_SHA384, EVP_sha384},
	{OID_SHA512, EVP_sha512},
};

static const EVP_MD *hash_of(const struct ocsp_asked *a)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
		if (bytes_equal(a->hash, hashes[i].oid))
			return hashes[i].md();
	return NULL;
}

static bool is_hash(struct bytes hash, const EVP_MD *md, struct bytes of, bool *is, struct err *e)
{
	uint8_t own[EVP_MAX_MD_SIZE];
	unsigned len;

	if (EVP_Digest(of.data, of.len, own, &len, md, NULL) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "no memory to compute a digest");
	*is = bytes_equal(hash, bytes_of(own, len));
	return true;
}

static bool is_of(const struct ocsp_asked *a, const struct cert *issuer, bool *is, struct err *e)
{
	const EVP_MD *md = hash_of(a);

	*is = false;
	if (!md)
		return true;
	return is_hash(a->name_hash, md, cert_subject_der(issuer), is, e) &&
	       (!*is || is_hash(a->key_hash, md, cert_key_bits(issuer), is, e));
}

bool ocsp_request_is_of(
	const struct ocsp_request *r, const struct cert *issuer, bool *is, struct err *e)
{
	ossl_begin();
	*is = true;
	for (size_t i = 0; *is && i < r->count; i++)
		if (!is_of(&r->asked[i], issuer, is, e))
			return false;
	return true;
}
