/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of signatures: a table of the algorithms believed, and the keys they fit.
 * RFC 5758 (ECDSA), RFC 8017 (RSA), RFC 8410 (Ed25519). */
#include "common/pki/signature.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "common/pki/ossl.h"
#include "common/wire/der.h"

enum padding { PADDING_NONE, PADDING_PKCS1, PADDING_PSS };

/* How one signature is to be checked. */
struct method {
	int key_type;		 /* EVP_PKEY_EC … */
	const char *digest_name; /* NULL for Ed25519 */
	enum padding padding;
};

static const struct {
	uint8_t oid[9];
	size_t oid_len;
	struct method method;
} algorithms[] = {
	/* 1.2.840.10045.4.3.2 to .4: ecdsa-with-SHA256 … */
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, 8,
		{EVP_PKEY_EC, "SHA256", PADDING_NONE}},
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}, 8,
		{EVP_PKEY_EC, "SHA384", PADDING_NONE}},
	{{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04}, 8,
		{EVP_PKEY_EC, "SHA512", PADDING_NONE}},
	/* 1.2.840.113549.1.1.11 to .13: sha256WithRSAEncryption … */
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b}, 9,
		{EVP_PKEY_RSA, "SHA256", PADDING_PKCS1}},
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c}, 9,
		{EVP_PKEY_RSA, "SHA384", PADDING_PKCS1}},
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d}, 9,
		{EVP_PKEY_RSA, "SHA512", PADDING_PKCS1}},
	/* 1.2.840.113549.1.1.10: RSASSA-PSS, the digest is in the parameters */
	{{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a}, 9,
		{EVP_PKEY_RSA, NULL, PADDING_PSS}},
	/* 1.3.101.112: Ed25519 */
	{{0x2b, 0x65, 0x70}, 3, {EVP_PKEY_ED25519, NULL, PADDING_NONE}},
};

static const struct {
	int nid;
	const char *name;
} digests[] = {
	{NID_sha256, "SHA256"},
	{NID_sha384, "SHA384"},
	{NID_sha512, "SHA512"},
};
#define DIGEST_COUNT (sizeof(digests) / sizeof(digests[0]))

static const char *digest_by_algor(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid;

	if (!alg)
		return NULL; /* the default is SHA-1 */
	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	for (size_t i = 0; i < DIGEST_COUNT; i++)
		if (digests[i].nid == OBJ_obj2nid(oid))
			return digests[i].name;
	return NULL;
}

static bool curve_acceptable(EVP_PKEY *key, struct err *e)
{
	static const char *const curves[] = {
		"prime256v1", "P-256", "secp384r1", "P-384", "secp521r1", "P-521"};
	char name[64] = "unnamed";
	int spelled_out = 0;

	(void)EVP_PKEY_get_int_param(
		key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &spelled_out);
	if (spelled_out)
		return err_set(e, ERR_INPUT, "key on a curve that is not named (RFC 5480)");
	(void)EVP_PKEY_get_group_name(key, name, sizeof(name), NULL);
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
		if (strcmp(name, curves[i]) == 0)
			return true;
	return err_set(e, ossl_verdict(ERR_INPUT),
		"key on curve %s; P-256, P-384 and P-521 are supported", name);
}

bool signature_key_acceptable(EVP_PKEY *key, struct err *e)
{
	int bits;

	if (!key)
		return err_set(e, ERR_INPUT, "no key");
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return curve_acceptable(key, e);
	case EVP_PKEY_ED25519:
		return true;
	case EVP_PKEY_RSA:
		bits = EVP_PKEY_get_bits(key);
		if (bits >= SIGNATURE_RSA_BITS_MIN && bits <= SIGNATURE_RSA_BITS_MAX)
			return true;
		return err_set(e, ERR_INPUT, "RSA key of %d bits; %d to %d are supported", bits,
			SIGNATURE_RSA_BITS_MIN, SIGNATURE_RSA_BITS_MAX);
	default:
		return err_set(e, ERR_INPUT, "key of a kind that is not supported");
	}
}

static bool check_key(EVP_PKEY *key, const struct method *m, struct err *e)
{
	if (!signature_key_acceptable(key, e)) {
		if (e->kind != ERR_NO_MEMORY)
			e->kind = ERR_UNAUTHENTICATED;
		return false;
	}
	if (EVP_PKEY_get_base_id(key) != m->key_type)
		return err_set(e, ERR_UNAUTHENTICATED, "the algorithm does not fit the key");
	return true;
}

static bool set_pss(EVP_PKEY_CTX *ctx, const char *digest_name, struct err *e)
{
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
		EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1 ||
		EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, digest_name, NULL) != 1)
		return ossl_fail(e, ERR_UNAUTHENTICATED, "RSA-PSS");
	return true;
}

static bool run(EVP_PKEY *key, const struct method *m, struct bytes data, struct bytes signature,
	struct err *e)
{
	OSSL_AUTO(EVP_MD_CTX) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	int rc;

	if (!ctx)
		return ossl_fail(e, ERR_NO_MEMORY, "signature");
	if (EVP_DigestVerifyInit_ex(ctx, &pctx, m->digest_name, NULL, NULL, key, NULL) != 1)
		return ossl_fail(e, ERR_UNAUTHENTICATED, "signature cannot be checked");
	if (m->padding == PADDING_PSS && !set_pss(pctx, m->digest_name, e))
		return false;
	rc = EVP_DigestVerify(ctx, signature.data, signature.len, data.data, data.len);
	if (rc != 1)
		return ossl_fail(e, ERR_UNAUTHENTICATED, "signature is wrong");
	ossl_forget();
	return true;
}

/* RFC 4055 §3.1, the combination everybody uses: MGF1 with the same digest, salt as long as it. */
static bool read_pss(struct bytes parameters, struct method *m, struct err *e)
{
	const uint8_t *p = parameters.data;
	RSA_PSS_PARAMS *pss = d2i_RSA_PSS_PARAMS(NULL, &p, (long)parameters.len);
	X509_ALGOR *mgf_hash = NULL;
	const char *mgf_digest = NULL;
	long salt = -1;

	if (!pss)
		return ossl_fail(e, ERR_INPUT, "RSA-PSS parameters");
	if (p != parameters.data + parameters.len) {
		RSA_PSS_PARAMS_free(pss);
		return err_set(e, ERR_INPUT, "octets after the RSA-PSS parameters");
	}
	m->digest_name = digest_by_algor(pss->hashAlgorithm);
	if (pss->maskGenAlgorithm && pss->maskGenAlgorithm->parameter)
		mgf_hash = ASN1_TYPE_unpack_sequence(
			ASN1_ITEM_rptr(X509_ALGOR), pss->maskGenAlgorithm->parameter);
	mgf_digest = digest_by_algor(mgf_hash);
	if (pss->saltLength)
		salt = ASN1_INTEGER_get(pss->saltLength);
	X509_ALGOR_free(mgf_hash);
	RSA_PSS_PARAMS_free(pss);
	if (!m->digest_name || !mgf_digest || strcmp(m->digest_name, mgf_digest) != 0 ||
		salt != EVP_MD_get_size(EVP_get_digestbyname(m->digest_name)))
		return err_set(e, ossl_verdict(ERR_UNAUTHENTICATED),
			"RSA-PSS parameters that are not supported");
	ossl_forget();
	return true;
}

/* RFC 4055 §5: NULL, or left out. RFC 5758 §3.2, RFC 8410 §3: left out; a NULL is put up with. The
 * signature does not cover this, so that nothing else may hide in it. */
static bool check_no_parameters(struct der parameters, struct err *e)
{
	struct der_tlv null;
	bool present;

	if (!der_optional(&parameters, DER_NULL, &null, &present, e))
		return false;
	if (present && !der_at_end(&null.content))
		return err_set(e, ERR_INPUT, "parameters of the algorithm: a NULL with content");
	return der_expect_end(&parameters, "parameters of the algorithm", e);
}

static bool find_method(struct bytes sig_alg, struct method *m, struct err *e)
{
	struct der d = der_of(sig_alg);
	struct der_tlv seq, oid;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "AlgorithmIdentifier", e) ||
		!der_expect_end(&d, "AlgorithmIdentifier", e) ||
		!der_expect(&seq.content, DER_OID, &oid, "algorithm", e))
		return false;
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (!der_oid_is(&oid, bytes_of(algorithms[i].oid, algorithms[i].oid_len)))
			continue;
		*m = algorithms[i].method;
		return m->padding == PADDING_PSS
			       ? read_pss(bytes_of(seq.content.p, seq.content.len), m, e)
			       : check_no_parameters(seq.content, e);
	}
	return err_set(e, ERR_UNAUTHENTICATED, "signature algorithm is not one of those believed");
}

bool signature_verify(EVP_PKEY *key, struct bytes sig_alg, struct bytes data,
	struct bytes signature, struct err *e)
{
	struct method m = {EVP_PKEY_NONE, NULL, PADDING_NONE};

	ossl_begin();
	return find_method(sig_alg, &m, e) && check_key(key, &m, e) &&
	       run(key, &m, data, signature, e);
}
