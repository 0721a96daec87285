/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal there and back. */
#include "common/wire/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void hex_encode__octets__are_lower_case(void **state)
{
	char out[9];
	hex_encode(bytes_of("\x00\xff\x1a\x9c", 4), out);
	assert_string_equal(out, "00ff1a9c");
	hex_encode(bytes_of("", 0), out);
	assert_string_equal(out, "");
}

static void hex_decode__either_case_and_colons__are_read(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(16);
	assert_true(hex_decode("00:Ff:1a", &out, &e));
	assert_true(hex_decode("9C", &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of("\x00\xff\x1a\x9c", 4)));
}

static void hex_decode__anything_else__is_refused(void **state)
{
	const char *const bad[] = {"0", "0g", "000", ":00", "00::00", "00:", "0 0", "00 "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO out = BUF_INIT(16);
		assert_false(hex_decode(bad[i], &out, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_int_equal(out.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_encode__octets__are_lower_case),
		cmocka_unit_test(hex_decode__either_case_and_colons__are_read),
		cmocka_unit_test(hex_decode__anything_else__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
