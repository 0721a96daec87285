/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying with kept multiples of a public key: see known_key.h. The arithmetic is OpenSSL's, but
 * for the inverse of s, the equation that of FIPS 186-5 §6.4.2; nothing in it is secret. A
 * generator of one's own with its multiples is an old feature of OpenSSL's, and deprecated
 * since 3.0; without it, no key is known. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/pki/known_key.h"

#include <gmp.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>
#include <string.h>

#include "common/pki/digest.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

#define P256_LEN       32
#define P256_LIMBS     (P256_LEN * 8 / GMP_NUMB_BITS)
#define P256_POINT_LEN 65

/* SubjectPublicKeyInfo of a key on P-256 up to its point, uncompressed (RFC 5480) */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00};
static const struct bytes ecdsa_sha256 =
	OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

/* Two copies of the curve: one with its base point, one with the key's point in its place. */
struct key_multiples {
	EC_GROUP *of_base, *of_key;
};

/* How many there are in the process: file-scope state, for their memory is the process's. */
static atomic_uint alive;

static void multiples_free(struct key_multiples *m)
{
	if (!m)
		return;
	EC_GROUP_free(m->of_base);
	EC_GROUP_free(m->of_key);
	free(m);
	atomic_fetch_sub(&alive, 1);
}

static bool take_point(struct key_multiples *m, struct bytes point)
{
	EC_POINT *q = EC_POINT_new(m->of_key);
	bool ok = q && EC_POINT_oct2point(m->of_key, q, point.data, point.len, NULL) == 1 &&
		  EC_GROUP_set_generator(
			  m->of_key, q, EC_GROUP_get0_order(m->of_base), BN_value_one()) == 1 &&
		  EC_GROUP_precompute_mult(m->of_key, NULL) == 1 &&
		  EC_GROUP_have_precompute_mult(m->of_key) == 1;

	EC_POINT_free(q);
	return ok;
}

static struct key_multiples *multiples_new(struct bytes spki)
{
	struct err ignored = ERR_INIT;
	struct key_multiples *m;

	if (spki.len != sizeof(p256_head) + P256_POINT_LEN ||
		memcmp(spki.data, p256_head, sizeof(p256_head)) != 0 ||
		atomic_load(&alive) >= KNOWN_KEYS_MAX)
		return NULL;
	m = mem_new(sizeof(*m), &ignored);
	if (!m)
		return NULL;
	atomic_fetch_add(&alive, 1);
	m->of_base = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	m->of_key = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (m->of_base && m->of_key &&
		take_point(m, bytes_of(spki.data + sizeof(p256_head), P256_POINT_LEN)))
		return m;
	multiples_free(m);
	return NULL;
}

/* A failure is for good: the key goes on being verified as every key is. */
void known_key_note(struct known_key *k, struct bytes spki)
{
	if (atomic_load(&k->proven) >= KNOWN_KEY_AFTER ||
		atomic_fetch_add(&k->proven, 1) + 1 != KNOWN_KEY_AFTER)
		return;
	atomic_store(&k->multiples, multiples_new(spki));
	ossl_begin(); /* nobody's verdict depends on it */
}

void known_key_clear(struct known_key *k)
{
	multiples_free(atomic_load(&k->multiples));
	memset(k, 0, sizeof(*k));
}

/* ---- the equation ---- */

/* An INTEGER from 1 to order - 1, in DER. */
static bool take_scalar(struct der *d, const BIGNUM *order, BIGNUM *out)
{
	struct err ignored = ERR_INIT;
	struct der_tlv t;

	if (!der_expect(d, DER_INTEGER, &t, "", &ignored) || t.content.len == 0 ||
		t.content.len > P256_LEN + 1 || (t.content.p[0] & 0x80) ||
		(t.content.len > 1 && t.content.p[0] == 0 && !(t.content.p[1] & 0x80)))
		return false;
	return BN_bin2bn(t.content.p, (int)t.content.len, out) && !BN_is_zero(out) &&
	       BN_cmp(out, order) < 0;
}

/* Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } */
static bool take_signature(struct bytes der, const BIGNUM *order, BIGNUM *r, BIGNUM *s)
{
	struct err ignored = ERR_INIT;
	struct der d = der_of(der);
	struct der_tlv seq;

	return der_expect(&d, DER_SEQUENCE, &seq, "", &ignored) && der_at_end(&d) &&
	       take_scalar(&seq.content, order, r) && take_scalar(&seq.content, order, s) &&
	       der_at_end(&seq.content);
}

static bool take_limbs(const BIGNUM *n, mp_limb_t limbs[P256_LIMBS])
{
	uint8_t octets[P256_LEN];

	return BN_bn2binpad(n, octets, P256_LEN) == P256_LEN &&
	       mpn_set_str(limbs, octets, P256_LEN, 256) == P256_LIMBS;
}

/* s to its inverse modulo the order, a prime of P256_LEN octets, or to what is left of the order
 * without it: then both points are on the other side of the curve, where their sum has the same x.
 * BN_mod_inverse() takes a third of a verification for it, OpenSSL's own for curves is not public;
 * GMP takes a tenth of that, and no memory. It need not be believed: with any other w in place of
 * the inverse, the equation is that of the signature whose s has the inverse w. */
static bool invert(BIGNUM *s, const BIGNUM *order)
{
	/* a limb more than there is: GMP may ask for the room */
	mp_limb_t a[P256_LIMBS + 1], n[P256_LIMBS + 1], gcd[P256_LIMBS + 1], factor[P256_LIMBS + 1];
	uint8_t octets[P256_LEN];
	mp_size_t signed_len;
	size_t len = 0;
	mpz_t inverse;

	if (!take_limbs(s, a) || !take_limbs(order, n) ||
		mpn_gcdext(gcd, factor, &signed_len, a, P256_LIMBS, n, P256_LIMBS) != 1 ||
		gcd[0] != 1)
		return false;
	mpz_export(octets, &len, 1, 1, 1, 0, mpz_roinit_n(inverse, factor, labs(signed_len)));
	return BN_bin2bn(octets, (int)len, s) != NULL;
}

/* Is the point's x, which is X / Z², this one? Dividing would be a fifth of a verification. */
static bool is_x(const BIGNUM *candidate, const BIGNUM *x, const BIGNUM *zz, const BIGNUM *prime,
	BN_CTX *ctx)
{
	BIGNUM *product = BN_CTX_get(ctx);

	return product && BN_mod_mul(product, candidate, zz, prime, ctx) == 1 &&
	       BN_cmp(product, x) == 0;
}

/* Is r the x of a point, modulo the order? The field's prime is above the order, so that the order
 * may be lacking in r. */
static bool has_x(const EC_GROUP *group, const EC_POINT *p, const BIGNUM *r, BN_CTX *ctx)
{
	const BIGNUM *order = EC_GROUP_get0_order(group), *prime = EC_GROUP_get0_field(group);
	BIGNUM *x = BN_CTX_get(ctx), *zz = BN_CTX_get(ctx), *beyond = BN_CTX_get(ctx);

	return beyond && !EC_POINT_is_at_infinity(group, p) &&
	       EC_POINT_get_Jprojective_coordinates_GFp(group, p, x, NULL, zz, ctx) == 1 &&
	       BN_mod_sqr(zz, zz, prime, ctx) == 1 &&
	       (is_x(r, x, zz, prime, ctx) ||
		       (BN_add(beyond, r, order) == 1 && BN_cmp(beyond, prime) < 0 &&
			       is_x(beyond, x, zz, prime, ctx)));
}

/* Is r the x of u·G + v·Q? */
static bool sum_has_x(const struct key_multiples *m, const BIGNUM *u, const BIGNUM *v,
	const BIGNUM *r, BN_CTX *ctx)
{
	EC_POINT *a = EC_POINT_new(m->of_base), *b = EC_POINT_new(m->of_key);
	bool has = a && b && EC_POINT_mul(m->of_base, a, u, NULL, NULL, ctx) == 1 &&
		   EC_POINT_mul(m->of_key, b, v, NULL, NULL, ctx) == 1 &&
		   EC_POINT_add(m->of_base, a, a, b, ctx) == 1 && has_x(m->of_base, a, r, ctx);

	EC_POINT_free(a);
	EC_POINT_free(b);
	return has;
}

static bool equation_holds(const struct key_multiples *m, const uint8_t hash[SHA256_LEN],
	struct bytes signature, BN_CTX *ctx)
{
	const BIGNUM *order = EC_GROUP_get0_order(m->of_base);
	BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *u = BN_CTX_get(ctx);
	BIGNUM *v = BN_CTX_get(ctx);

	return v && take_signature(signature, order, r, s) && invert(s, order) &&
	       BN_bin2bn(hash, SHA256_LEN, u) && BN_mod_mul(u, u, s, order, ctx) == 1 &&
	       BN_mod_mul(v, r, s, order, ctx) == 1 && sum_has_x(m, u, v, r, ctx);
}

bool known_key_accepts(
	struct known_key *k, struct bytes sig_alg, struct bytes data, struct bytes signature)
{
	const struct key_multiples *m = atomic_load(&k->multiples);
	struct err ignored = ERR_INIT;
	uint8_t hash[SHA256_LEN];
	BN_CTX *ctx;
	bool holds;

	if (!m || !bytes_equal(sig_alg, ecdsa_sha256) || !digest_sha256(data, hash, &ignored))
		return false;
	ctx = BN_CTX_new();
	if (!ctx)
		return false;
	BN_CTX_start(ctx);
	holds = equation_holds(m, hash, signature, ctx);
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	ossl_begin(); /* what was not to be had is OpenSSL's to find out */
	return holds;
}
