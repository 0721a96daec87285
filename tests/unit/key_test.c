/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys and signatures, judged by OpenSSL's own verification. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/pki/key.h"
#include "common/pki/signature.h"

static const struct bytes message = {(const uint8_t *)"what is signed", 14};

static void key_sign__every_type__openssl_verifies(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		struct err e = ERR_INIT;
		KEY_AUTO struct key *k = key_generate((enum key_type)t, &e);
		BUF_AUTO struct buf sig = BUF_INIT(2048);
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		assert_non_null(k);
		assert_true(key_sign(k, message, &sig, &e));
		assert_true(EVP_DigestVerifyInit(ctx, NULL, key_digest(k), NULL, key_evp(k)));
		assert_int_equal(
			EVP_DigestVerify(ctx, sig.data, sig.len, message.data, message.len), 1);
		EVP_MD_CTX_free(ctx);
	}
	assert_queue_empty();
}

static void key_parse_pkcs8__every_type__is_the_same_key(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		struct err e = ERR_INIT;
		KEY_AUTO struct key *a = key_generate((enum key_type)t, &e);
		KEY_AUTO struct key *b = NULL;
		BUF_AUTO_WIPE struct buf der = BUF_INIT(KEY_PEM_MAX);

		assert_non_null(a);
		assert_true(key_format_pkcs8(a, &der, &e));
		b = key_parse_pkcs8(buf_bytes(&der), &e);
		assert_non_null(b);
		assert_int_equal(EVP_PKEY_eq(key_evp(a), key_evp(b)), 1);
		assert_true(buf_append(&der, "", 1, &e));
		assert_null(key_parse_pkcs8(buf_bytes(&der), &e)); /* something after it */
		assert_null(key_parse_pkcs8(bytes_of(der.data, der.len - 2), &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
	assert_queue_empty();
}

static void key_parse_pkcs8__public_half_of_another_key__is_refused(void **state)
{
	struct err e = ERR_INIT;
	KEY_AUTO struct key *a = key_generate(KEY_EC_P256, &e);
	KEY_AUTO struct key *b = key_generate(KEY_EC_P256, &e);
	BUF_AUTO_WIPE struct buf der = BUF_INIT(KEY_PEM_MAX), other = BUF_INIT(KEY_PEM_MAX);

	assert_non_null(a);
	assert_non_null(b);
	assert_true(key_format_pkcs8(a, &der, &e));
	assert_true(key_format_pkcs8(b, &other, &e));
	assert_int_equal(der.len, other.len);
	memcpy(der.data + der.len - 64, other.data + other.len - 64,
		64); /* the point, at the end */
	assert_null(key_parse_pkcs8(buf_bytes(&der), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(key_parse_pkcs8(bytes_of("", 0), &e));
	assert_queue_empty();
}

static void key_save__then_load__gives_the_same_key_with_mode_0600(void **state)
{
	char dir[] = "/tmp/key_testXXXXXX";
	char path[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/k.pem", dir);
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		struct err e = ERR_INIT;
		struct stat st;
		KEY_AUTO struct key *a = key_generate((enum key_type)t, &e);
		KEY_AUTO struct key *b = NULL;

		assert_non_null(a);
		assert_true(key_save(a, path, &e));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		b = key_load(path, &e);
		assert_non_null(b);
		assert_int_equal(EVP_PKEY_eq(key_evp(a), key_evp(b)), 1);
		assert_queue_empty();
	}
	unlink(path);
	rmdir(dir);
}

static void key_parse_pem__traditional_form__is_read(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *evp = fixture_ec("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	KEY_AUTO struct key *k = NULL;
	char *pem;
	long len;

	assert_true(PEM_write_bio_PrivateKey_traditional(bio, evp, NULL, NULL, 0, NULL, NULL));
	len = BIO_get_mem_data(bio, &pem);
	k = key_parse_pem(bytes_of(pem, (size_t)len), &e);
	assert_non_null(k);
	assert_int_equal(EVP_PKEY_eq(key_evp(k), evp), 1);
	BIO_free(bio);
	EVP_PKEY_free(evp);
	assert_queue_empty();
}

static void key_parse_pem__encrypted__is_refused_without_asking(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *evp = fixture_ec("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;

	assert_true(PEM_write_bio_PKCS8PrivateKey(
		bio, evp, EVP_aes_128_cbc(), "secret", 6, NULL, NULL));
	len = BIO_get_mem_data(bio, &pem);
	assert_null(key_parse_pem(bytes_of(pem, (size_t)len), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, "encrypted"));
	BIO_free(bio);
	EVP_PKEY_free(evp);
	assert_queue_empty();
}

static void refuse_key(EVP_PKEY *evp, const char *why)
{
	struct err e = ERR_INIT;
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;

	assert_non_null(evp);
	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, evp, NULL, NULL, 0, NULL, NULL));
	len = BIO_get_mem_data(bio, &pem);
	assert_null(key_parse_pem(bytes_of(pem, (size_t)len), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, why));
	BIO_free(bio);
	EVP_PKEY_free(evp);
	assert_queue_empty();
}

static void key_parse_pem__weak_or_strange_key__is_refused(void **state)
{
	refuse_key(EVP_RSA_gen(1024), "1024 bits");
	refuse_key(fixture_ec("secp256k1"), "secp256k1");
	refuse_key(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "not supported");
}

static void key_parse_pem__garbage__is_refused(void **state)
{
	struct err e = ERR_INIT;

	assert_null(key_parse_pem(bytes_of_str("hello"), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(key_parse_pem(bytes_of(NULL, 0), &e));
	assert_queue_empty();
}

static void key_type_parse__unknown_name__is_refused(void **state)
{
	struct err e = ERR_INIT;
	enum key_type t;

	for (int i = 0; i < KEY_TYPE_COUNT; i++) {
		assert_true(key_type_parse(key_type_name((enum key_type)i), &t, &e));
		assert_int_equal(t, i);
	}
	assert_false(key_type_parse("rsa-1024", &t, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void key_public_spki__is_what_openssl_reads_back(void **state)
{
	struct err e = ERR_INIT;
	KEY_AUTO struct key *k = key_generate(KEY_EC_P384, &e);
	BUF_AUTO struct buf spki = BUF_INIT(1024), pkcs8 = BUF_INIT(1024);
	const uint8_t *p;
	EVP_PKEY *back;

	assert_true(key_public_spki(k, &spki, &e));
	p = spki.data;
	back = d2i_PUBKEY(NULL, &p, (long)spki.len);
	assert_int_equal(EVP_PKEY_eq(back, key_evp(k)), 1);
	EVP_PKEY_free(back);
	assert_true(key_format_pkcs8(k, &pkcs8, &e));
	p = pkcs8.data;
	back = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8.len);
	assert_int_equal(EVP_PKEY_eq(back, key_evp(k)), 1);
	EVP_PKEY_free(back);
}

static void key_parse_spki__every_kind__is_what_openssl_reads(void **state)
{
	EVP_PKEY *keys[] = {fixture_ec("P-256"), fixture_ec("P-256"), fixture_ec("P-384"),
		fixture_ec("P-521"), EVP_RSA_gen(2048), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct err e = ERR_INIT;
		uint8_t *der = NULL, *again = NULL;
		int len = i2d_PUBKEY(keys[i], &der);
		EVP_PKEY *key = key_parse_spki(bytes_of(der, (size_t)len), &e);

		assert_non_null(key);
		assert_int_equal(EVP_PKEY_eq(key, keys[i]), 1);
		assert_int_equal(i2d_PUBKEY(key, &again), len);
		assert_memory_equal(der, again, (size_t)len);
		OPENSSL_free(der);
		OPENSSL_free(again);
		EVP_PKEY_free(key);
		EVP_PKEY_free(keys[i]);
	}
	assert_queue_empty();
}

static void refuse_spki(struct bytes spki)
{
	struct err e = ERR_INIT;

	assert_null(key_parse_spki(spki, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_queue_empty();
}

static void key_parse_spki__point_off_the_curve_or_broken__is_refused(void **state)
{
	EVP_PKEY *k = fixture_ec("P-256");
	uint8_t *der = NULL;
	size_t len = (size_t)i2d_PUBKEY(k, &der);

	for (size_t n = 0; n < len; n++)
		refuse_spki(bytes_of(der, n));
	der[len - 1] ^= 1;
	refuse_spki(bytes_of(der, len)); /* y is wrong now */
	der[len - 1] ^= 1;
	der[len - 65] = 9;
	refuse_spki(bytes_of(der, len)); /* no such form of a point */
	OPENSSL_free(der);
	EVP_PKEY_free(k);
}

static void key_parse_spki__other_or_spelled_out_curve__is_refused(void **state)
{
	EVP_PKEY *keys[] = {fixture_ec("secp256k1"), fixture_ec("P-256")};
	struct err e = ERR_INIT;

	assert_true(EVP_PKEY_set_utf8_string_param(
		keys[1], OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT));
	for (size_t i = 0; i < 2; i++) {
		uint8_t *der = NULL;
		int len = i2d_PUBKEY(keys[i], &der);
		const uint8_t *p = der;
		EVP_PKEY *by_openssl = d2i_PUBKEY(NULL, &p, len);

		refuse_spki(bytes_of(der, (size_t)len));
		assert_false(signature_key_acceptable(by_openssl, &e));
		EVP_PKEY_free(by_openssl);
		OPENSSL_free(der);
		EVP_PKEY_free(keys[i]);
	}
}

/* ---- signature ---- */

/* A signature by OpenSSL with this digest. */
static size_t sign(EVP_PKEY *k, const char *digest, bool pss, uint8_t *out, size_t room)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	assert_true(EVP_DigestSignInit(
		ctx, &pctx, digest ? EVP_get_digestbyname(digest) : NULL, NULL, k));
	if (pss) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) > 0);
	}
	assert_true(EVP_DigestSign(ctx, out, &room, message.data, message.len));
	EVP_MD_CTX_free(ctx);
	return room;
}

/* The AlgorithmIdentifier OpenSSL puts into a certificate signed this way. */
static size_t algorithm(EVP_PKEY *k, const char *digest, bool pss, uint8_t *out)
{
	X509 *x = X509_new();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	const X509_ALGOR *alg;
	int len;

	X509_set_pubkey(x, k);
	assert_true(EVP_DigestSignInit(
		ctx, &pctx, digest ? EVP_get_digestbyname(digest) : NULL, NULL, k));
	if (pss) {
		EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_true(X509_sign_ctx(x, ctx) > 0);
	X509_get0_signature(NULL, &alg, x);
	len = i2d_X509_ALGOR(alg, &out);
	assert_true(len > 0);
	X509_free(x);
	EVP_MD_CTX_free(ctx);
	return (size_t)len;
}

static const struct {
	const char *key, *digest;
	bool pss, believed;
} combinations[] = {
	{"P-256", "SHA256", false, true},
	{"P-256", "SHA512", false, true},
	{"P-384", "SHA384", false, true},
	{"P-521", "SHA512", false, true},
	{"rsa", "SHA256", false, true},
	{"rsa", "SHA384", false, true},
	{"rsa", "SHA512", false, true},
	{"rsa", "SHA256", true, true},
	{"rsa", "SHA384", true, true},
	{"ed25519", NULL, false, true},
	{"P-256", "SHA1", false, false},
	{"P-256", "SHA224", false, false},
	{"secp256k1", "SHA256", false, false},
	{"rsa", "SHA1", false, false},
	{"rsa", "MD5", false, false},
	{"rsa", "SHA1", true, false},
	{"rsa1024", "SHA256", false, false},
};

static EVP_PKEY *key_by_name(const char *name)
{
	if (strcmp(name, "rsa") == 0)
		return EVP_RSA_gen(2048);
	if (strcmp(name, "rsa1024") == 0)
		return EVP_RSA_gen(1024);
	if (strcmp(name, "ed25519") == 0)
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return fixture_ec(name);
}

static void check_combination(size_t i)
{
	struct err e = ERR_INIT;
	EVP_PKEY *k = key_by_name(combinations[i].key);
	uint8_t sig[1024], alg[256];
	size_t sig_len = sign(k, combinations[i].digest, combinations[i].pss, sig, sizeof(sig));
	size_t alg_len = algorithm(k, combinations[i].digest, combinations[i].pss, alg);
	bool good =
		signature_verify(k, bytes_of(alg, alg_len), message, bytes_of(sig, sig_len), &e);

	if (good != combinations[i].believed)
		fail_msg("%s %s: %s", combinations[i].key, combinations[i].digest, e.text);
	if (!good)
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	sig[sig_len / 2] ^= 1;
	assert_false(
		signature_verify(k, bytes_of(alg, alg_len), message, bytes_of(sig, sig_len), &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	EVP_PKEY_free(k);
	assert_queue_empty();
}

/* req: ENC-ALL-025 */
static void signature_verify__sound_algorithms_only__are_believed(void **state)
{
	for (size_t i = 0; i < sizeof(combinations) / sizeof(combinations[0]); i++)
		check_combination(i);
}

static void signature_verify__algorithm_of_another_key_type__is_refused(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = fixture_ec("P-256");
	uint8_t sig[1024], alg[256];
	size_t sig_len = sign(rsa, "SHA256", false, sig, sizeof(sig));
	size_t alg_len = algorithm(ec, "SHA256", false, alg);

	assert_false(
		signature_verify(rsa, bytes_of(alg, alg_len), message, bytes_of(sig, sig_len), &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	assert_non_null(strstr(e.text, "does not fit"));
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

static void signature_verify__broken_algorithm_identifier__is_refused(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *ec = fixture_ec("P-256");
	uint8_t alg[256] = {0}, sig[256];
	size_t sig_len = sign(ec, "SHA256", false, sig, sizeof(sig));
	size_t len = algorithm(ec, "SHA256", false, alg);

	for (size_t n = 0; n < len; n++)
		assert_false(signature_verify(
			ec, bytes_of(alg, n), message, bytes_of(sig, sig_len), &e));
	assert_false(signature_verify(/* an octet too many */
		ec, bytes_of(alg, len + 1), message, bytes_of(sig, sig_len), &e));
	EVP_PKEY_free(ec);
	assert_queue_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_sign__every_type__openssl_verifies),
		cmocka_unit_test(key_parse_pkcs8__every_type__is_the_same_key),
		cmocka_unit_test(key_parse_pkcs8__public_half_of_another_key__is_refused),
		cmocka_unit_test(key_save__then_load__gives_the_same_key_with_mode_0600),
		cmocka_unit_test(key_parse_pem__traditional_form__is_read),
		cmocka_unit_test(key_parse_pem__encrypted__is_refused_without_asking),
		cmocka_unit_test(key_parse_pem__weak_or_strange_key__is_refused),
		cmocka_unit_test(key_parse_pem__garbage__is_refused),
		cmocka_unit_test(key_type_parse__unknown_name__is_refused),
		cmocka_unit_test(key_public_spki__is_what_openssl_reads_back),
		cmocka_unit_test(key_parse_spki__every_kind__is_what_openssl_reads),
		cmocka_unit_test(key_parse_spki__point_off_the_curve_or_broken__is_refused),
		cmocka_unit_test(key_parse_spki__other_or_spelled_out_curve__is_refused),
		cmocka_unit_test(signature_verify__sound_algorithms_only__are_believed),
		cmocka_unit_test(signature_verify__algorithm_of_another_key_type__is_refused),
		cmocka_unit_test(signature_verify__broken_algorithm_identifier__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
