/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"

static void assert_cut(const char *text, size_t max, const char *expected)
{
	struct bytes cut = bytes_cut_text(bytes_of_str(text), max);

	assert_true(bytes_equal(cut, bytes_of_str(expected)));
}

static void bytes_cut_text__room_ends_anywhere__no_character_is_halved(void **state)
{
	assert_cut("abc", 3, "abc");
	assert_cut("abc", 4, "abc");
	assert_cut("abc", 2, "ab");
	assert_cut("", 0, "");
	assert_cut("abc", 0, "");
	assert_cut("a\xc3\xa4"
		   "b",
		2, "a");
	assert_cut("a\xc3\xa4"
		   "b",
		3, "a\xc3\xa4");
	assert_cut("\xf0\x9f\x98\x80", 3, "");
	assert_cut("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
}

static void bytes_cut_text__nothing_but_the_middle_of_characters__ends(void **state)
{
	assert_cut("\x80\x80\x80", 2, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_cut_text__room_ends_anywhere__no_character_is_halved),
		cmocka_unit_test(bytes_cut_text__nothing_but_the_middle_of_characters__ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
