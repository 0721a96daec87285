/* SPDX-License-Identifier: Apache-2.0 */
/* The derivation of TLS 1.3 keys that handshakes use, held against OpenSSL's own. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "common/base/rng.h"
#include "common/pki/ossl_provider.h"

#define OCTETS_MAX 300 /* more than a label may have */

static int install(void **state)
{
	struct err e = ERR_INIT;

	return ossl_provider_install(&e) ? 0 : -1;
}

/* What goes into a derivation; len -1: that parameter is not given. */
struct question {
	int mode;
	const char *digest;
	int key, salt, prefix, label, data;
	size_t out;
};

static const uint8_t *octets(void)
{
	static uint8_t made[OCTETS_MAX];
	struct err e = ERR_INIT;

	assert_true(rng_bytes(made, sizeof(made), &e));
	return made;
}

static size_t put(OSSL_PARAM *p, size_t n, const char *name, const uint8_t *value, int len)
{
	if (len >= 0)
		p[n++] = OSSL_PARAM_construct_octet_string(
			name, (void *)(uintptr_t)value, (size_t)len);
	return n;
}

static void put_all(OSSL_PARAM *p, const struct question *q, int *mode, const uint8_t *from)
{
	size_t n = 0;

	*mode = q->mode;
	p[n++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, mode);
	if (q->digest)
		p[n++] = OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)q->digest, 0);
	n = put(p, n, OSSL_KDF_PARAM_KEY, from, q->key);
	n = put(p, n, OSSL_KDF_PARAM_SALT, from + 1, q->salt);
	n = put(p, n, OSSL_KDF_PARAM_PREFIX, from + 2, q->prefix);
	n = put(p, n, OSSL_KDF_PARAM_LABEL, from + 3, q->label);
	n = put(p, n, OSSL_KDF_PARAM_DATA, from + 4, q->data);
	p[n] = OSSL_PARAM_construct_end();
}

static EVP_KDF_CTX *context(OSSL_LIB_CTX *lib)
{
	EVP_KDF *kdf = EVP_KDF_fetch(lib, "TLS13-KDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	assert_non_null(ctx);
	EVP_KDF_free(kdf);
	return ctx;
}

static int answer(OSSL_LIB_CTX *lib, const OSSL_PARAM *params, uint8_t *out, size_t len)
{
	EVP_KDF_CTX *ctx = context(lib);
	int rc = EVP_KDF_derive(ctx, out, len, params);

	EVP_KDF_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

/* Both say the same: whether there is an answer, and which. */
static bool ask_both(const struct question *q)
{
	uint8_t ours[OCTETS_MAX] = {0}, reference[OCTETS_MAX] = {0};
	const uint8_t *from = octets();
	OSSL_PARAM params[8];
	int mode, rc;

	put_all(params, q, &mode, from);
	rc = answer(NULL, params, reference, q->out);
	assert_int_equal(answer(ossl_provider_handshake_ctx(), params, ours, q->out), rc);
	if (rc == 1)
		assert_memory_equal(ours, reference, sizeof(ours));
	return rc == 1;
}

enum { EXPAND = EVP_KDF_HKDF_MODE_EXPAND_ONLY, EXTRACT = EVP_KDF_HKDF_MODE_EXTRACT_ONLY };

static void tls13_kdf__what_a_handshake_asks__is_answered_as_by_openssl(void **state)
{
	static const struct question asked[] = {
		{EXTRACT, "SHA2-256", -1, -1, 6, 7, -1, 32},
		{EXTRACT, "SHA2-256", 32, 32, 6, 7, -1, 32},
		{EXTRACT, "SHA2-256", 66, 32, 6, 7, -1, 32}, /* of P-521 */
		{EXTRACT, "SHA2-256", -1, 32, 6, 7, -1, 32},
		{EXPAND, "SHA2-256", 32, -1, 6, 3, -1, 16},
		{EXPAND, "SHA2-256", 32, -1, 6, 3, -1, 32},
		{EXPAND, "SHA2-256", 32, -1, 6, 2, -1, 12},
		{EXPAND, "SHA2-256", 32, -1, 6, 12, 32, 32},
		{EXTRACT, "SHA2-384", -1, -1, 6, 7, -1, 48},
		{EXTRACT, "SHA2-384", 32, 48, 6, 7, -1, 48},
		{EXTRACT, "SHA2-384", -1, 48, 6, 7, -1, 48},
		{EXPAND, "SHA2-384", 48, -1, 6, 12, 48, 48},
		{EXPAND, "SHA2-384", 48, -1, 6, 3, -1, 32},
	};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		assert_true(ask_both(&asked[i]));
}

static void tls13_kdf__each_length__is_answered_as_by_openssl(void **state)
{
	for (int len = 0; len < OCTETS_MAX - 5; len++) {
		ask_both(&(struct question){EXPAND, "SHA2-256", 32, -1, 6, 3, 32, (size_t)len});
		ask_both(&(struct question){EXPAND, "SHA2-256", len, -1, 6, 3, 32, 32});
		ask_both(&(struct question){EXPAND, "SHA2-256", 32, -1, len, 3, 32, 32});
		ask_both(&(struct question){EXPAND, "SHA2-256", 32, -1, 6, len, 32, 32});
		ask_both(&(struct question){EXPAND, "SHA2-256", 32, -1, 6, 3, len, 32});
		ask_both(&(struct question){EXTRACT, "SHA2-256", len, 32, 6, 7, -1, 32});
		ask_both(&(struct question){EXTRACT, "SHA2-256", 32, len, 6, 7, -1, 32});
		ask_both(&(struct question){EXTRACT, "SHA2-256", 32, 32, 6, len, -1, 32});
	}
}

static void tls13_kdf__what_no_handshake_asks__is_answered_as_by_openssl(void **state)
{
	static const struct question asked[] = {
		{EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, "SHA2-256", 32, 32, 6, 7, -1, 32},
		{7, "SHA2-256", 32, 32, 6, 7, -1, 32},
		{EXPAND, NULL, 32, -1, 6, 3, -1, 32},
		{EXPAND, "SHA256", 32, -1, 6, 3, -1, 32},
		{EXPAND, "sha2-256", 32, -1, 6, 3, -1, 32},
		{EXPAND, "SHA2-256-none", 32, -1, 6, 3, -1, 32},
		{EXPAND, "SHA2-512", 64, -1, 6, 3, -1, 32},
		{EXPAND, "SHA2-256", -1, -1, 6, 3, -1, 32},
		{EXPAND, "SHA2-256", 32, 32, 6, 3, -1, 32},
		{EXPAND, "SHA2-256", 32, -1, -1, 3, -1, 32},
		{EXPAND, "SHA2-256", 32, -1, 6, -1, -1, 32},
		{EXTRACT, "SHA2-256", 32, 32, 6, 7, 32, 32},
		{EXTRACT, "SHA2-256", 32, 32, 6, 7, -1, 31},
		{EXTRACT, "SHA2-256", 32, 32, 6, 7, -1, 33},
	};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++)
		ask_both(&asked[i]);
	assert_false(ask_both(&asked[0]));
}

static void assert_same_answer(const OSSL_PARAM *params)
{
	uint8_t ours[32], reference[32];

	assert_int_equal(answer(NULL, params, reference, sizeof(reference)), 1);
	assert_int_equal(answer(ossl_provider_handshake_ctx(), params, ours, sizeof(ours)), 1);
	assert_memory_equal(ours, reference, sizeof(ours));
}

static void tls13_kdf__a_parameter_twice__is_taken_as_by_openssl(void **state)
{
	const struct question q = {EXPAND, "SHA2-256", 32, -1, 6, 3, -1, 32};
	const uint8_t *from = octets();
	int mode, other = EXTRACT;
	OSSL_PARAM params[8];

	put_all(params, &q, &mode, from);
	put(params, 5, OSSL_KDF_PARAM_KEY, from + 100, 32);
	params[6] = OSSL_PARAM_construct_end();
	assert_same_answer(params);
	params[5] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &other);
	assert_same_answer(params);
}

/* Else a derivation would do without what was set before it. */
static void tls13_kdf__parameters_to_keep__are_refused(void **state)
{
	const struct question q = {EXPAND, "SHA2-256", 32, -1, 6, 3, -1, 32};
	EVP_KDF_CTX *ctx = context(ossl_provider_handshake_ctx());
	OSSL_PARAM params[8];
	uint8_t out[32];
	int mode;

	put_all(params, &q, &mode, octets());
	assert_int_equal(EVP_KDF_CTX_set_params(ctx, params), 0);
	assert_int_not_equal(EVP_KDF_derive(ctx, out, sizeof(out), NULL), 1);
	ERR_clear_error();
	EVP_KDF_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls13_kdf__what_a_handshake_asks__is_answered_as_by_openssl),
		cmocka_unit_test(tls13_kdf__each_length__is_answered_as_by_openssl),
		cmocka_unit_test(tls13_kdf__what_no_handshake_asks__is_answered_as_by_openssl),
		cmocka_unit_test(tls13_kdf__a_parameter_twice__is_taken_as_by_openssl),
		cmocka_unit_test(tls13_kdf__parameters_to_keep__are_refused),
	};

	return cmocka_run_group_tests(tests, install, NULL);
}
