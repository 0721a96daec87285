/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <openssl/err.h>

#include "common/pki/siv.h"

static const uint8_t text[] = "twelve octet";

static void siv_open__what_was_sealed__comes_back(void **state)
{
	uint8_t sealed[12 + SIV_TAG_LEN], again[12 + SIV_TAG_LEN], opened[12];
	struct err e = ERR_INIT;
	struct siv_key *k = siv_key_new(&e);

	assert_non_null(k);
	assert_true(siv_seal(k, bytes_of(text, 12), sealed, &e));
	assert_true(siv_seal(k, bytes_of(text, 12), again, &e));
	assert_memory_equal(sealed, again, sizeof(sealed));
	assert_true(siv_open(k, bytes_of(sealed, sizeof(sealed)), opened, &e));
	assert_memory_equal(opened, text, 12);
	assert_null(memmem(sealed, sizeof(sealed), text, 6));
	siv_key_free(k);
}

/* req: J-13 */
static void siv_open__any_bit_changed_or_another_key__is_refused(void **state)
{
	uint8_t sealed[12 + SIV_TAG_LEN], opened[12 + 1];
	struct err e = ERR_INIT;
	struct siv_key *k = siv_key_new(&e), *other = siv_key_new(&e);

	assert_true(siv_seal(k, bytes_of(text, 12), sealed, &e));
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(siv_open(k, bytes_of(sealed, sizeof(sealed)), opened, &e));
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(siv_open(other, bytes_of(sealed, sizeof(sealed)), opened, &e));
	for (size_t len = 0; len < sizeof(sealed); len++)
		assert_false(siv_open(k, bytes_of(sealed, len), opened, &e));
	assert_true(siv_open(k, bytes_of(sealed, sizeof(sealed)), opened, &e));
	assert_int_equal(ERR_peek_error(), 0);
	siv_key_free(k);
	siv_key_free(other);
}

static void siv_seal__nothing_or_too_much__is_refused(void **state)
{
	static uint8_t large[SIV_TEXT_MAX + 1], out[SIV_TEXT_MAX + 1 + SIV_TAG_LEN];
	struct err e = ERR_INIT;
	struct siv_key *k = siv_key_new(&e);

	assert_false(siv_seal(k, bytes_of(large, 0), out, &e));
	assert_false(siv_seal(k, bytes_of(large, sizeof(large)), out, &e));
	siv_key_free(k);
	siv_key_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siv_open__what_was_sealed__comes_back),
		cmocka_unit_test(siv_open__any_bit_changed_or_another_key__is_refused),
		cmocka_unit_test(siv_seal__nothing_or_too_much__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
