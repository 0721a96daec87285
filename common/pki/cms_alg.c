/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithms a voucher may be signed with, as tables: SHA-2 with ECDSA, RSA (both paddings)
 * and Ed25519 (RFC 5754, RFC 4056, RFC 8419). A SignerInfo names digest and signature apart, and
 * practice adds its own spellings (rsaEncryption, id-ecPublicKey); all end in the one
 * AlgorithmIdentifier that says everything. SHA-1 and MD5 have no row, so they verify nothing.
 */
#include "common/pki/cms_parts.h"

#include "common/pki/digest.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define BIT_STRING_MAX (1 + 2048) /* no unused bits, and RSA of as many bits as key_algs has */

enum { IX_SHA256, IX_SHA384, IX_SHA512, DIGESTS };

static const struct cms_alg_digest digests[DIGESTS] = {
	[IX_SHA256] = {OID_SHA256,
		OCTETS(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
			0x01),
		digest_sha256, SHA256_LEN},
	[IX_SHA384] = {OID_SHA384,
		OCTETS(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
			0x02),
		digest_sha384, SHA384_LEN},
	[IX_SHA512] = {OID_SHA512,
		OCTETS(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
			0x03),
		digest_sha512, SHA512_LEN},
};

/* AlgorithmIdentifiers in full. ECDSA has no parameters, RSA has NULL (RFC 5758, RFC 4055). */
#define ECDSA(n) OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, (n))
#define RSA_PKCS1(n)                                                                               \
	OCTETS(0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, (n), 0x05,  \
		0x00)
#define ECDSA_ALL                                                                                  \
	{                                                                                          \
		ECDSA(2), ECDSA(3), ECDSA(4)                                                       \
	}
#define RSA_PKCS1_ALL                                                                              \
	{                                                                                          \
		RSA_PKCS1(11), RSA_PKCS1(12), RSA_PKCS1(13)                                        \
	}
#define ED25519 OCTETS(0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70)

#define WITH(digest) (1u << (digest))
#define WITH_ANY     (WITH(IX_SHA256) | WITH(IX_SHA384) | WITH(IX_SHA512))

static const struct signature_alg {
	struct bytes oid;
	unsigned digests;		  /* bits: which digestAlgorithm may stand beside it */
	struct bytes identifier[DIGESTS]; /* what it means together with that digest */
} signature_algs[] = {
	{OID_ECDSA_SHA256, WITH(IX_SHA256), ECDSA_ALL},
	{OID_ECDSA_SHA384, WITH(IX_SHA384), ECDSA_ALL},
	{OID_ECDSA_SHA512, WITH(IX_SHA512), ECDSA_ALL},
	{OID_EC_PUBLIC_KEY, WITH_ANY, ECDSA_ALL},
	{OID_RSA_ENCRYPTION, WITH_ANY, RSA_PKCS1_ALL},
	{OID_RSA_SHA256, WITH(IX_SHA256), RSA_PKCS1_ALL},
	{OID_RSA_SHA384, WITH(IX_SHA384), RSA_PKCS1_ALL},
	{OID_RSA_SHA512, WITH(IX_SHA512), RSA_PKCS1_ALL},
	{OID_ED25519, WITH(IX_SHA512), {[IX_SHA512] = ED25519}},
};
#define SIGNATURE_ALGS (sizeof(signature_algs) / sizeof(signature_algs[0]))

static const struct bytes oid_rsa_pss = OID_RSA_PSS;

/* AlgorithmIdentifier ::= SEQUENCE { algorithm OID, parameters ANY OPTIONAL } */
static bool read_identifier(
	struct bytes identifier, struct der_tlv *oid, struct der *parameters, struct err *e)
{
	struct der d = der_of(identifier);
	struct der_tlv seq;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "AlgorithmIdentifier", e) ||
		!der_expect(&seq.content, DER_OID, oid, "algorithm", e))
		return false;
	*parameters = seq.content;
	return true;
}

const struct cms_alg_digest *cms_alg_digest(struct bytes identifier, struct err *e)
{
	struct der_tlv oid;
	struct der parameters;

	if (!read_identifier(identifier, &oid, &parameters, e))
		return NULL;
	for (size_t i = 0; i < DIGESTS; i++)
		if (der_oid_is(&oid, digests[i].oid))
			return &digests[i];
	err_set(e, ERR_UNAUTHENTICATED, "digest algorithm is not SHA-256, SHA-384 or SHA-512");
	return NULL;
}

/* RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, ... }: the hash has to be the
 * digestAlgorithm (RFC 4056 §3), which SHA-1 by default never is. */
static bool check_pss(struct der parameters, const struct cms_alg_digest *digest, struct err *e)
{
	struct der_tlv seq, hash;
	const struct cms_alg_digest *inner;

	if (!der_expect(&parameters, DER_SEQUENCE, &seq, "RSASSA-PSS-params", e) ||
		!der_expect(&seq.content, DER_CONTEXT_CONSTRUCTED(0), &hash, "PSS hash", e))
		return false;
	inner = cms_alg_digest(bytes_of(hash.content.p, hash.content.len), e);
	if (!inner)
		return false;
	if (inner != digest)
		return err_set(e, ERR_UNAUTHENTICATED, "PSS hash is not the digest algorithm");
	return true;
}

bool cms_alg_signature(struct bytes identifier, const struct cms_alg_digest *digest,
	struct bytes *out, struct err *e)
{
	size_t which = (size_t)(digest - digests);
	struct der_tlv oid;
	struct der parameters;

	if (!read_identifier(identifier, &oid, &parameters, e))
		return false;
	*out = identifier;
	if (der_oid_is(&oid, oid_rsa_pss))
		return check_pss(parameters, digest, e);
	for (size_t i = 0; i < SIGNATURE_ALGS; i++) {
		const struct signature_alg *alg = &signature_algs[i];

		if (!der_oid_is(&oid, alg->oid))
			continue;
		if (!(alg->digests & WITH(which)))
			return err_set(e, ERR_UNAUTHENTICATED,
				"signature and digest algorithm do not belong together");
		*out = alg->identifier[which];
		return true;
	}
	return err_set(e, ERR_UNAUTHENTICATED, "unknown or untrusted signature algorithm");
}

static const struct key_alg {
	int type;
	int bits_max;
	unsigned digest;
	struct bytes signature_alg;
} key_algs[] = {
	{EVP_PKEY_EC, 256, IX_SHA256, ECDSA(2)}, {EVP_PKEY_EC, 384, IX_SHA384, ECDSA(3)},
	{EVP_PKEY_RSA, 16384, IX_SHA256, RSA_PKCS1(1)}, /* rsaEncryption (RFC 3370 §3.2) */
	{EVP_PKEY_ED25519, 256, IX_SHA512, ED25519},	/* RFC 8419 §3.1 */
};

bool cms_alg_of_key(EVP_PKEY *key, struct cms_alg_choice *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(key_algs) / sizeof(key_algs[0]); i++) {
		if (EVP_PKEY_get_base_id(key) != key_algs[i].type ||
			EVP_PKEY_get_bits(key) > key_algs[i].bits_max)
			continue;
		out->digest = &digests[key_algs[i].digest];
		out->signature_alg = key_algs[i].signature_alg;
		return true;
	}
	return err_set(e, ERR_INPUT, "no CMS signature is made with this type of key");
}

bool cms_alg_sign(const struct key *key, struct bytes data, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf bits = BUF_INIT(BIT_STRING_MAX);
	struct cms_alg_choice choice;
	struct bytes alg;

	return cms_alg_of_key(key_evp(key), &choice, e) &&
	       cms_alg_signature(choice.signature_alg, choice.digest, &alg, e) &&
	       buf_append(&bits, "", 1, e) && key_sign(key, data, &bits, e) &&
	       buf_append(out, alg.data, alg.len, e) &&
	       der_put(out, DER_BIT_STRING, buf_bytes(&bits), e);
}
