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

static void hex_digit__either_case__has_its_value_and_nothing_else_has_one(void **state)
{
	const char digits[] = "0123456789abcdefABCDEF";

	for (int c = -128; c < 256; c++) {
		const char *at = (char)c ? strchr(digits, (char)c) : NULL;
		int want = at ? (int)(at - digits) : -1;

		assert_int_equal(hex_digit((char)c), want < 16 ? want : want - 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_encode__octets__are_lower_case),
		cmocka_unit_test(hex_digit__either_case__has_its_value_and_nothing_else_has_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
