/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on P-256, and those whose multiples are kept: what they say about signatures, held against
 * OpenSSL. */
#include "tests/unit/pki_fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "common/pki/digest.h"
#include "common/pki/key.h"
#include "common/pki/known_key.h"
#include "common/pki/oid.h"
#include "common/pki/p256.h"
#include "common/pki/signature.h"
#include "common/wire/der.h"

#define ROUNDS	   200
#define SCALAR_LEN 32

static const struct bytes sha256_alg =
	OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
static const struct bytes sha384_alg =
	OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03);
static const struct bytes message = {(const uint8_t *)"what is signed", 14};
static const char order_hex[] = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

struct subject {
	struct key *key;
	struct buf spki;
	struct known_key known;
};

static void subject_clear(struct subject *s)
{
	known_key_clear(&s->known);
	buf_clear(&s->spki);
	key_free(s->key);
}

static struct buf signature_over(const struct subject *s, struct bytes data)
{
	struct buf out = BUF_INIT(2048);
	struct err e = ERR_INIT;

	assert_true(key_sign(s->key, data, &out, &e));
	return out;
}

/* Seen `times` times. */
static void subject_init(struct subject *s, enum key_type type, unsigned times)
{
	struct err e = ERR_INIT;
	struct buf sig;

	*s = (struct subject){.key = key_generate(type, &e), .spki = BUF_INIT(1024)};
	assert_non_null(s->key);
	assert_true(key_public_spki(s->key, &s->spki, &e));
	known_key_init(&s->known, buf_bytes(&s->spki));
	sig = signature_over(s, message);
	for (unsigned i = 0; i < times; i++)
		assert_int_equal(known_key_accepts(&s->known, sha256_alg, message, buf_bytes(&sig)),
			type == KEY_EC_P256);
	buf_clear(&sig);
}

/* What is said with multiples, without, and by OpenSSL; they have to agree. */
static bool verdict(struct subject *s, struct bytes data, struct bytes signature)
{
	struct err e = ERR_INIT;
	bool known = known_key_accepts(&s->known, sha256_alg, data, signature);

	assert_non_null(atomic_load(&s->known.multiples));
	assert_int_equal(
		known, p256_accepts_spki(buf_bytes(&s->spki), sha256_alg, data, signature));
	assert_int_equal(known, signature_verify(key_evp(s->key), sha256_alg, data, signature, &e));
	assert_queue_empty();
	return known;
}

static void known_key__any_message__is_judged_as_by_openssl(void **state)
{
	struct subject s;
	uint8_t text[64] = {0};

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	for (uint8_t i = 0; i < ROUNDS; i++) {
		struct bytes data = bytes_of(text, i % sizeof(text));
		struct buf sig;

		text[0] = i;
		sig = signature_over(&s, data);
		assert_true(verdict(&s, data, buf_bytes(&sig)));
		assert_false(verdict(&s, message, buf_bytes(&sig)));
		sig.data[sig.len - 1 - i % SCALAR_LEN] ^= (uint8_t)(1 << i % 8);
		assert_false(verdict(&s, data, buf_bytes(&sig)));
		buf_clear(&sig);
	}
	subject_clear(&s);
}

static void known_key__any_octet_of_a_signature_changed__is_refused(void **state)
{
	struct subject s;
	struct buf sig;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	sig = signature_over(&s, message);
	for (size_t i = 0; i < sig.len; i++) {
		sig.data[i] ^= 1;
		assert_false(verdict(&s, message, buf_bytes(&sig)));
		sig.data[i] ^= 1;
		assert_false(verdict(&s, message, bytes_of(sig.data, i)));
	}
	assert_true(verdict(&s, message, buf_bytes(&sig)));
	buf_clear(&sig);
	subject_clear(&s);
}

static void known_key__octets_after_the_signature__are_refused(void **state)
{
	struct err e = ERR_INIT;
	struct subject s;
	struct buf sig;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	sig = signature_over(&s, message);
	assert_true(buf_append(&sig, "", 1, &e));
	assert_false(verdict(&s, message, buf_bytes(&sig)));
	sig.data[1]++;
	assert_false(verdict(&s, message, buf_bytes(&sig)));
	buf_clear(&sig);
	subject_clear(&s);
}

/* ---- signatures put together by hand ---- */

static void put_scalar(struct buf *out, const BIGNUM *n)
{
	uint8_t octets[SCALAR_LEN + 2] = {0};
	int len = BN_bn2bin(n, octets + 1);
	bool sign_octet = len == 0 || (octets[1] & 0x80);
	struct err e = ERR_INIT;

	assert_true(der_put(out, DER_INTEGER,
		bytes_of(octets + (sign_octet ? 0 : 1), (size_t)len + (sign_octet ? 1 : 0)), &e));
}

static void put_signature(struct buf *out, const BIGNUM *r, const BIGNUM *t)
{
	BUF_AUTO struct buf inner = BUF_INIT(256);
	struct err e = ERR_INIT;

	put_scalar(&inner, r);
	put_scalar(&inner, t);
	assert_true(der_put(out, DER_SEQUENCE, buf_bytes(&inner), &e));
}

static bool verdict_on(struct subject *s, const BIGNUM *r, const BIGNUM *t)
{
	BUF_AUTO struct buf sig = BUF_INIT(256);

	put_signature(&sig, r, t);
	return verdict(s, message, buf_bytes(&sig));
}

struct scalars {
	BN_CTX *ctx;
	BIGNUM *order, *r, *s, *other;
};

static void scalars_init(struct scalars *n, const struct subject *s)
{
	struct buf sig = signature_over(s, message);
	struct der d = der_of(buf_bytes(&sig));
	struct err e = ERR_INIT;
	struct der_tlv seq, r, t;

	*n = (struct scalars){.ctx = BN_CTX_new(), .other = BN_new()};
	assert_true(BN_hex2bn(&n->order, order_hex));
	assert_true(der_expect(&d, DER_SEQUENCE, &seq, "", &e));
	assert_true(der_expect(&seq.content, DER_INTEGER, &r, "", &e));
	assert_true(der_expect(&seq.content, DER_INTEGER, &t, "", &e));
	n->r = BN_bin2bn(r.content.p, (int)r.content.len, NULL);
	n->s = BN_bin2bn(t.content.p, (int)t.content.len, NULL);
	buf_clear(&sig);
}

static void scalars_clear(struct scalars *n)
{
	BN_CTX_free(n->ctx);
	BN_free(n->order);
	BN_free(n->r);
	BN_free(n->s);
	BN_free(n->other);
}

static void known_key__numbers_out_of_range__are_refused(void **state)
{
	struct subject s;
	struct scalars n;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	scalars_init(&n, &s);
	assert_true(verdict_on(&s, n.r, n.s));
	BN_zero(n.other);
	assert_false(verdict_on(&s, n.other, n.s));
	assert_false(verdict_on(&s, n.r, n.other));
	assert_false(verdict_on(&s, n.other, n.other));
	assert_false(verdict_on(&s, n.order, n.s));
	assert_false(verdict_on(&s, n.r, n.order));
	assert_true(BN_add(n.other, n.r, n.order)); /* the same modulo the order */
	assert_false(verdict_on(&s, n.other, n.s));
	assert_true(BN_add(n.other, n.s, n.order));
	assert_false(verdict_on(&s, n.r, n.other));
	scalars_clear(&n);
	subject_clear(&s);
}

static void known_key__the_other_s__is_accepted_as_by_openssl(void **state)
{
	struct subject s;
	struct scalars n;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	scalars_init(&n, &s);
	assert_true(BN_sub(n.other, n.order, n.s));
	assert_true(verdict_on(&s, n.r, n.other));
	assert_false(verdict_on(&s, n.s, n.r));
	scalars_clear(&n);
	subject_clear(&s);
}

/* With r = -z / d the sum of the two points is the one at infinity, which has no x. */
static void known_key__a_sum_at_infinity__is_refused(void **state)
{
	uint8_t z[SHA256_LEN];
	struct err e = ERR_INIT;
	struct subject s;
	struct scalars n;
	BIGNUM *d = NULL;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	scalars_init(&n, &s);
	assert_true(digest_sha256(message, z, &e));
	assert_true(EVP_PKEY_get_bn_param(key_evp(s.key), OSSL_PKEY_PARAM_PRIV_KEY, &d));
	assert_non_null(BN_mod_inverse(d, d, n.order, n.ctx));
	assert_non_null(BN_bin2bn(z, sizeof(z), n.other));
	assert_true(BN_mod_mul(n.other, n.other, d, n.order, n.ctx));
	assert_true(BN_sub(n.other, n.order, n.other));
	assert_false(verdict_on(&s, n.other, n.s));
	BN_clear_free(d);
	scalars_clear(&n);
	subject_clear(&s);
}

/* The key for which (r, s) signs the message, r that of a point: (s·R - z·G) / r. */
static void put_key_for(const EC_GROUP *group, const EC_POINT *with_r, const BIGNUM *s,
	const struct scalars *n, struct buf *spki)
{
	EC_POINT *q = EC_POINT_new(group);
	uint8_t z[SHA256_LEN], *point = NULL;
	BIGNUM *inverse = BN_new(), *factor = BN_new();
	struct err e = ERR_INIT;
	size_t len;

	assert_true(EC_POINT_get_affine_coordinates(group, with_r, n->r, NULL, n->ctx));
	assert_true(BN_nnmod(n->r, n->r, n->order, n->ctx));
	assert_non_null(BN_mod_inverse(inverse, n->r, n->order, n->ctx));
	assert_true(digest_sha256(message, z, &e));
	assert_non_null(BN_bin2bn(z, sizeof(z), factor));
	assert_true(BN_mod_mul(factor, factor, inverse, n->order, n->ctx));
	assert_true(BN_sub(factor, n->order, factor));
	assert_true(BN_mod_mul(inverse, inverse, s, n->order, n->ctx));
	assert_true(EC_POINT_mul(group, q, factor, with_r, inverse, n->ctx));
	len = EC_POINT_point2buf(group, q, POINT_CONVERSION_UNCOMPRESSED, &point, n->ctx);
	assert_true(len < spki->len);
	memcpy(spki->data + spki->len - len, point, len);
	OPENSSL_free(point);
	BN_free(inverse);
	BN_free(factor);
	EC_POINT_free(q);
}

static void accept_each(struct bytes spki, struct bytes signature)
{
	struct known_key known;
	struct err e = ERR_INIT;
	EVP_PKEY *key = key_parse_spki(spki, &e);

	known_key_init(&known, spki);
	assert_true(signature_verify(key, sha256_alg, message, signature, &e));
	for (unsigned i = 0; i < KNOWN_KEY_AFTER; i++)
		assert_true(known_key_accepts(&known, sha256_alg, message, signature));
	assert_non_null(atomic_load(&known.multiples));
	assert_true(known_key_accepts(&known, sha256_alg, message, signature));
	known_key_clear(&known);
	EVP_PKEY_free(key);
}

/* Itself or its inverse is short, or the same. */
static void known_key__an_s_that_is_seldom_met__is_accepted_as_by_openssl(void **state)
{
	static const char *const unusual[] = {"1", "2", "FFFFFFFFFFFFFFFF", "10000000000000000",
		"FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
		"7FFFFFFF800000007FFFFFFFFFFFFFFFDE737D56D38BCF4279DCE5617E3192A9",
		"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC63254F",
		"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632550"};
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	struct subject s;
	struct scalars n;

	subject_init(&s, KEY_EC_P256, 0);
	scalars_init(&n, &s);
	for (size_t i = 0; i < sizeof(unusual) / sizeof(*unusual); i++) {
		BUF_AUTO struct buf sig = BUF_INIT(256);

		assert_true(BN_hex2bn(&n.s, unusual[i]));
		put_key_for(group, EC_GROUP_get0_generator(group), n.s, &n, &s.spki);
		put_signature(&sig, n.r, n.s);
		accept_each(buf_bytes(&s.spki), buf_bytes(&sig));
	}
	scalars_clear(&n);
	subject_clear(&s);
	EC_GROUP_free(group);
}

/* The x of its point is not below the order: of 2^128 points one is such. */
static void known_key__an_r_that_lacks_the_order__is_accepted_as_by_openssl(void **state)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	BUF_AUTO struct buf sig = BUF_INIT(256);
	EC_POINT *far = EC_POINT_new(group);
	struct subject s;
	struct scalars n;

	subject_init(&s, KEY_EC_P256, 0);
	scalars_init(&n, &s);
	assert_true(BN_add(n.other, n.order, BN_value_one()));
	while (EC_POINT_set_compressed_coordinates(group, far, n.other, 0, n.ctx) != 1)
		assert_true(BN_add_word(n.other, 1));
	ERR_clear_error();
	assert_true(BN_set_word(n.s, 12345));
	put_key_for(group, far, n.s, &n, &s.spki);
	assert_true(BN_num_bits(n.r) < 16);
	put_signature(&sig, n.r, n.s);
	accept_each(buf_bytes(&s.spki), buf_bytes(&sig));
	scalars_clear(&n);
	subject_clear(&s);
	EC_POINT_free(far);
	EC_GROUP_free(group);
}

/* ---- which keys are known ---- */

static void known_key__seldom_seen__has_no_multiples(void **state)
{
	struct subject s;
	struct buf sig;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER - 1);
	assert_null(atomic_load(&s.known.multiples));
	sig = signature_over(&s, message);
	sig.data[sig.len - 1] ^= 1; /* what is wrong does not count */
	assert_false(known_key_accepts(&s.known, sha256_alg, message, buf_bytes(&sig)));
	assert_null(atomic_load(&s.known.multiples));
	sig.data[sig.len - 1] ^= 1;
	assert_true(known_key_accepts(&s.known, sha256_alg, message, buf_bytes(&sig)));
	assert_non_null(atomic_load(&s.known.multiples));
	buf_clear(&sig);
	subject_clear(&s);
}

static void known_key__another_algorithm__is_left_to_openssl(void **state)
{
	struct subject s;
	struct buf sig;

	subject_init(&s, KEY_EC_P256, KNOWN_KEY_AFTER);
	sig = signature_over(&s, message);
	assert_false(known_key_accepts(&s.known, sha384_alg, message, buf_bytes(&sig)));
	assert_false(known_key_accepts(&s.known, bytes_of(NULL, 0), message, buf_bytes(&sig)));
	assert_false(p256_accepts_spki(buf_bytes(&s.spki), sha384_alg, message, buf_bytes(&sig)));
	buf_clear(&sig);
	subject_clear(&s);
}

static void known_key__of_another_kind__is_never_known(void **state)
{
	static const enum key_type others[] = {KEY_EC_P384, KEY_RSA_3072, KEY_ED25519};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct subject s;

		subject_init(&s, others[i], KNOWN_KEY_AFTER);
		assert_null(s.known.point);
		subject_clear(&s);
	}
}

static void known_key__point_off_the_curve__is_never_known(void **state)
{
	struct known_key known;
	struct subject s;
	struct buf sig;

	subject_init(&s, KEY_EC_P256, 0);
	sig = signature_over(&s, message);
	s.spki.data[s.spki.len - 1] ^= 1;
	known_key_init(&known, buf_bytes(&s.spki));
	assert_null(known.point);
	assert_false(known_key_accepts(&known, sha256_alg, message, buf_bytes(&sig)));
	assert_queue_empty();
	known_key_clear(&known);
	buf_clear(&sig);
	subject_clear(&s);
}

static void known_key__more_than_there_is_room_for__is_left_to_openssl(void **state)
{
	struct subject s[KNOWN_KEYS_MAX + 1];

	for (size_t i = 0; i < KNOWN_KEYS_MAX + 1; i++)
		subject_init(&s[i], KEY_EC_P256, KNOWN_KEY_AFTER);
	assert_non_null(atomic_load(&s[KNOWN_KEYS_MAX - 1].known.multiples));
	assert_null(atomic_load(&s[KNOWN_KEYS_MAX].known.multiples));
	subject_clear(&s[0]);
	subject_init(&s[0], KEY_EC_P256, KNOWN_KEY_AFTER); /* room again */
	assert_non_null(atomic_load(&s[0].known.multiples));
	for (size_t i = 0; i < KNOWN_KEYS_MAX + 1; i++)
		subject_clear(&s[i]);
}

static void cert_verify__by_a_known_key__still_refuses_what_is_wrong(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct cert *c =
		fixture_cert(&(struct recipe){.cn = "root", .key = key, .ext = {FIXTURE_CA}});
	struct err e = ERR_INIT;

	for (int i = 0; i < KNOWN_KEY_AFTER + 2; i++)
		assert_true(cert_signed_by(c, c, &e));
	assert_false(cert_verify(c, sha256_alg, message, bytes_of("\x30\x00", 2), &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	assert_queue_empty();
	cert_free(c);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_key__any_message__is_judged_as_by_openssl),
		cmocka_unit_test(known_key__any_octet_of_a_signature_changed__is_refused),
		cmocka_unit_test(known_key__octets_after_the_signature__are_refused),
		cmocka_unit_test(known_key__numbers_out_of_range__are_refused),
		cmocka_unit_test(known_key__the_other_s__is_accepted_as_by_openssl),
		cmocka_unit_test(known_key__a_sum_at_infinity__is_refused),
		cmocka_unit_test(known_key__an_s_that_is_seldom_met__is_accepted_as_by_openssl),
		cmocka_unit_test(known_key__an_r_that_lacks_the_order__is_accepted_as_by_openssl),
		cmocka_unit_test(known_key__seldom_seen__has_no_multiples),
		cmocka_unit_test(known_key__another_algorithm__is_left_to_openssl),
		cmocka_unit_test(known_key__of_another_kind__is_never_known),
		cmocka_unit_test(known_key__point_off_the_curve__is_never_known),
		cmocka_unit_test(known_key__more_than_there_is_room_for__is_left_to_openssl),
		cmocka_unit_test(cert_verify__by_a_known_key__still_refuses_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
