/* SPDX-License-Identifier: Apache-2.0 */
/* Verifying on P-256: see p256.h. The arithmetic is OpenSSL's, but for the inverse of s, the
 * equation that of FIPS 186-5 §6.4.2; nothing in it is secret. A generator of one's own with its
 * multiples is an old feature of OpenSSL's, and deprecated since 3.0, as are a point's projective
 * coordinates. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/pki/p256.h"

#include <gmp.h>
#include <openssl/obj_mac.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/pki/digest.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

#define P256_LEN       32
#define P256_LIMBS     (P256_LEN * 8 / GMP_NUMB_BITS)
#define P256_POINT_LEN 65

/* SubjectPublicKeyInfo of a key on P-256 up to its point, uncompressed (RFC 5480), whose first
 * octet comes last here */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00, 0x04};
static const struct bytes ecdsa_sha256 =
	OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);

/* ---- points ---- */

/* The curve takes three times as long to make as a point on it is to read: file-scope state, but
 * written once. NULL: no memory. */
static const EC_GROUP *curve(void)
{
	static _Atomic(EC_GROUP *) made_once;
	EC_GROUP *known = atomic_load(&made_once), *made;

	if (known)
		return known;
	made = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (made && !ossl_is_starved() && atomic_compare_exchange_strong(&made_once, &known, made))
		return made;
	EC_GROUP_free(made);
	return known;
}

/* OpenSSL refuses a point that is not on the curve. */
EC_POINT *p256_point(struct bytes spki)
{
	const size_t before = sizeof(p256_head) - 1;
	const EC_GROUP *group;
	EC_POINT *q;

	if (spki.len != before + P256_POINT_LEN ||
		memcmp(spki.data, p256_head, sizeof(p256_head)) != 0)
		return NULL;
	group = curve();
	q = group ? EC_POINT_new(group) : NULL;
	if (q && EC_POINT_oct2point(group, q, spki.data + before, P256_POINT_LEN, NULL) == 1)
		return q;
	EC_POINT_free(q);
	ossl_forget();
	return NULL;
}

EC_GROUP *p256_multiples(const EC_POINT *key)
{
	EC_GROUP *m = curve() ? EC_GROUP_dup(curve()) : NULL;

	if (m && EC_GROUP_set_generator(m, key, EC_GROUP_get0_order(m), BN_value_one()) == 1 &&
		EC_GROUP_precompute_mult(m, NULL) == 1 && EC_GROUP_have_precompute_mult(m) == 1)
		return m;
	EC_GROUP_free(m);
	ossl_forget();
	return NULL;
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

/* u·G + v·Q */
static bool sum(const EC_GROUP *group, const EC_GROUP *multiples, const EC_POINT *q,
	const BIGNUM *u, const BIGNUM *v, EC_POINT *out, BN_CTX *ctx)
{
	EC_POINT *other;
	bool ok;

	if (!multiples)
		return EC_POINT_mul(group, out, u, q, v, ctx) == 1;
	other = EC_POINT_new(multiples);
	ok = other && EC_POINT_mul(group, out, u, NULL, NULL, ctx) == 1 &&
	     EC_POINT_mul(multiples, other, v, NULL, NULL, ctx) == 1 &&
	     EC_POINT_add(group, out, out, other, ctx) == 1;
	EC_POINT_free(other);
	return ok;
}

/* Is r the x of u·G + v·Q? */
static bool sum_has_x(const EC_GROUP *multiples, const EC_POINT *q, const BIGNUM *u,
	const BIGNUM *v, const BIGNUM *r, BN_CTX *ctx)
{
	EC_POINT *p = EC_POINT_new(curve());
	bool has = p && sum(curve(), multiples, q, u, v, p, ctx) && has_x(curve(), p, r, ctx);

	EC_POINT_free(p);
	return has;
}

static bool equation_holds(const EC_POINT *q, const EC_GROUP *multiples,
	const uint8_t hash[SHA256_LEN], struct bytes signature, BN_CTX *ctx)
{
	const BIGNUM *order = EC_GROUP_get0_order(curve());
	BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *u = BN_CTX_get(ctx);
	BIGNUM *v = BN_CTX_get(ctx);

	return v && take_signature(signature, order, r, s) && invert(s, order) &&
	       BN_bin2bn(hash, SHA256_LEN, u) && BN_mod_mul(u, u, s, order, ctx) == 1 &&
	       BN_mod_mul(v, r, s, order, ctx) == 1 && sum_has_x(multiples, q, u, v, r, ctx);
}

/* Nobody's verdict depends on what was not to be had: OpenSSL is asked then, and finds out. */
bool p256_accepts(const EC_POINT *key, const EC_GROUP *multiples, struct bytes sig_alg,
	struct bytes data, struct bytes signature)
{
	struct err ignored = ERR_INIT;
	uint8_t hash[SHA256_LEN];
	bool holds = false;
	BN_CTX *ctx;

	if (!key || !bytes_equal(sig_alg, ecdsa_sha256) || !digest_sha256(data, hash, &ignored))
		return false;
	ctx = BN_CTX_new();
	if (ctx) {
		BN_CTX_start(ctx);
		holds = equation_holds(key, multiples, hash, signature, ctx);
		BN_CTX_end(ctx);
	}
	BN_CTX_free(ctx);
	ossl_begin();
	return holds;
}

bool p256_accepts_spki(
	struct bytes spki, struct bytes sig_alg, struct bytes data, struct bytes signature)
{
	OSSL_AUTO(EC_POINT) EC_POINT *key = p256_point(spki);

	return p256_accepts(key, NULL, sig_alg, data, signature);
}
