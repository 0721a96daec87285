/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys out of a SubjectPublicKeyInfo (RFC 5480, RFC 8410, RFC 8017). OpenSSL's general
 * decoder takes 140 us for each; for the kinds a device has, the octets are handed to the key's own
 * code, which takes 20 us and checks the same: a point off the curve is refused. On P-256, where
 * most of them are, it takes 7 us. */
#include "common/pki/key.h"

#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <string.h>

#include "common/pki/ossl.h"
#include "common/wire/der.h"

struct spki {
	struct der_tlv algorithm, parameters;
	bool has_parameters;
	struct bytes bits; /* the BIT STRING's value */
};

static bool read_spki(struct bytes der, struct spki *out, struct err *e)
{
	struct der d = der_of(der);
	struct der_tlv seq, alg, key;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "public key", e) ||
		!der_expect_end(&d, "public key", e) ||
		!der_expect(&seq.content, DER_SEQUENCE, &alg, "public key", e) ||
		!der_expect(&seq.content, DER_BIT_STRING, &key, "public key", e) ||
		!der_expect_end(&seq.content, "public key", e) ||
		!der_expect(&alg.content, DER_OID, &out->algorithm, "public key", e))
		return false;
	out->has_parameters = !der_at_end(&alg.content);
	if (out->has_parameters && !der_next(&alg.content, &out->parameters, e))
		return false;
	if (!der_expect_end(&alg.content, "public key", e))
		return false;
	if (key.content.len < 2 || key.content.p[0] != 0)
		return err_set(e, ERR_INPUT, "public key of a broken octet");
	out->bits = bytes_of(key.content.p + 1, key.content.len - 1);
	return true;
}

bool key_spki_bits(struct bytes spki, struct bytes *bits, struct err *e)
{
	struct spki s;

	if (!read_spki(spki, &s, e))
		return false;
	*bits = s.bits;
	return true;
}

#define OID(...)                                                                                   \
	{                                                                                          \
		.data = (const uint8_t[]){__VA_ARGS__},                                            \
		.len = sizeof((const uint8_t[]){__VA_ARGS__})                                      \
	}

static const struct bytes oid_ec = OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);
static const struct bytes oid_ed25519 = OID(0x2b, 0x65, 0x70);
static const struct {
	struct bytes oid;
	const char *name;
} curves[] = {
	{OID(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07), "P-256"},
	{OID(0x2b, 0x81, 0x04, 0x00, 0x22), "P-384"},
	{OID(0x2b, 0x81, 0x04, 0x00, 0x23), "P-521"},
};

/* RFC 5480 §2.1.1: the curve has to be named; its parameters spelled out are how a forged curve
 * gets in. */
static const char *curve_name(const struct spki *s)
{
	for (size_t i = 0; s->has_parameters && i < sizeof(curves) / sizeof(curves[0]); i++)
		if (der_oid_is(&s->parameters, curves[i].oid))
			return curves[i].name;
	return NULL;
}

static EVP_PKEY *ec_key(const char *curve, struct bytes point)
{
	OSSL_AUTO(EVP_PKEY_CTX)
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_AUTO(OSSL_PARAM_BLD) OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_AUTO(OSSL_PARAM) OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (!ctx || !bld ||
		OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) != 1 ||
		OSSL_PARAM_BLD_push_octet_string(
			bld, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len) != 1)
		return NULL;
	params = OSSL_PARAM_BLD_to_param(bld);
	if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return NULL;
	return key;
}

/* Nine tenths of making a key is making its curve. The first key on P-256 lends its curve to those
 * that follow: file-scope state, but written once, as all keys on P-256 have the same. */
static _Atomic(EVP_PKEY *) p256_key;

static void lend_curve(EVP_PKEY *key)
{
	EVP_PKEY *none = NULL;

	if (EVP_PKEY_up_ref(key) && !atomic_compare_exchange_strong(&p256_key, &none, key))
		EVP_PKEY_free(key);
}

/* A point with the curve of another key. OpenSSL refuses one that is not on it. */
static EVP_PKEY *key_like(const EVP_PKEY *model, struct bytes point)
{
	EVP_PKEY *key = EVP_PKEY_new();

	if (key && EVP_PKEY_copy_parameters(key, model) == 1 &&
		EVP_PKEY_set1_encoded_public_key(key, point.data, point.len) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

#define P256_POINT_LEN	   65 /* uncompressed */
#define POINT_UNCOMPRESSED 4

static EVP_PKEY *p256(struct bytes point)
{
	EVP_PKEY *model = atomic_load(&p256_key), *key;

	if (model && point.len == P256_POINT_LEN && point.data[0] == POINT_UNCOMPRESSED)
		return key_like(model, point);
	key = ec_key("P-256", point);
	if (key && !model && !ossl_is_starved())
		lend_curve(key);
	return key;
}

static EVP_PKEY *any_key(struct bytes spki)
{
	const uint8_t *p = spki.data;

	return d2i_PUBKEY(NULL, &p, (long)spki.len);
}

/* Whatever kind it is of; a curve only by its name. */
static bool make_key(struct bytes spki, const struct spki *s, EVP_PKEY **out, struct err *e)
{
	const char *curve = der_oid_is(&s->algorithm, oid_ec) ? curve_name(s) : NULL;

	if (curve)
		*out = strcmp(curve, "P-256") == 0 ? p256(s->bits) : ec_key(curve, s->bits);
	else if (der_oid_is(&s->algorithm, oid_ec))
		return err_set(e, ERR_INPUT, "public key on none of P-256, P-384, P-521");
	else if (der_oid_is(&s->algorithm, oid_ed25519) && !s->has_parameters)
		*out = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL, s->bits.data, s->bits.len);
	else
		*out = any_key(spki);
	return *out || ossl_fail(e, ERR_INPUT, "public key cannot be read");
}

/* A key that was made while memory ran out may lack its size, which OpenSSL then takes for zero:
 * no algorithm would fit it, for as long as its certificate is kept. */
EVP_PKEY *key_parse_spki(struct bytes spki, struct err *e)
{
	bool before = ossl_is_starved();
	EVP_PKEY *key = NULL;
	struct spki s;

	if (!read_spki(spki, &s, e))
		return NULL;
	ossl_begin();
	if (make_key(spki, &s, &key, e) && ossl_is_starved()) {
		EVP_PKEY_free(key);
		key = NULL;
		ossl_fail(e, ERR_NO_MEMORY, "public key");
	}
	ossl_forget();
	ossl_go_on(before);
	return key;
}
