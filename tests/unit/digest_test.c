/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/pki/digest.h"

static void digest_sha256__of_abc__is_the_standard_vector(void **state)
{
	static const uint8_t want[4] = {0xba, 0x78, 0x16, 0xbf}; /* FIPS 180-4 example */
	uint8_t got[SHA256_LEN];
	struct err e = ERR_INIT;

	assert_true(digest_sha256(bytes_of_str("abc"), got, &e));
	assert_memory_equal(got, want, sizeof(want));
}

static void digest_sha1__of_abc__is_the_standard_vector(void **state)
{
	static const uint8_t want[4] = {0xa9, 0x99, 0x3e, 0x36};
	uint8_t got[SHA1_LEN];
	struct err e = ERR_INIT;

	assert_true(digest_sha1(bytes_of_str("abc"), got, &e));
	assert_memory_equal(got, want, sizeof(want));
}

static void digest_sha256__of_nothing__differs_from_that_of_a_nul(void **state)
{
	uint8_t none[SHA256_LEN], nul[SHA256_LEN];
	struct err e = ERR_INIT;

	assert_true(digest_sha256(bytes_of("", 0), none, &e));
	assert_true(digest_sha256(bytes_of("", 1), nul, &e));
	assert_memory_not_equal(none, nul, SHA256_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_sha256__of_abc__is_the_standard_vector),
		cmocka_unit_test(digest_sha1__of_abc__is_the_standard_vector),
		cmocka_unit_test(digest_sha256__of_nothing__differs_from_that_of_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
