/* SPDX-License-Identifier: Apache-2.0 */
/* Text of strangers in a log and on a terminal. */
#include "common/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/log.h"

static void text_unsafe_len__characters_that_do_something__are_found(void **state)
{
	assert_int_equal(text_unsafe_len("\x1b[31m"), 1);
	assert_int_equal(text_unsafe_len("\n"), 1);
	assert_int_equal(text_unsafe_len("\x7f"), 1);
	assert_int_equal(text_unsafe_len("\xc2\x9b"
					 "31m"),
		2);
	assert_int_equal(text_unsafe_len("\xe2\x80\xae"
					 "lager"),
		3);
	assert_int_equal(text_unsafe_len("\xe2\x81\xa6"), 3);
}

static void text_unsafe_len__characters_that_are_only_shown__are_not(void **state)
{
	assert_int_equal(text_unsafe_len(""), 0);
	assert_int_equal(text_unsafe_len("a"), 0);
	assert_int_equal(text_unsafe_len("\xc2\xa0"), 0);
	assert_int_equal(text_unsafe_len("\xc3\x9b"), 0);
	assert_int_equal(text_unsafe_len("\xe2\x80\x93"), 0);
	assert_int_equal(text_unsafe_len("\xe2"), 0);
	assert_int_equal(text_unsafe_len("\xc2"), 0);
}

static void text_make_safe__mixed_text__keeps_its_length_and_what_is_harmless(void **state)
{
	char text[] = "M\xc3\xbcller\xc2\x9b"
		      "2J\xe2\x80\xae\n";

	text_make_safe(text, '?');
	assert_string_equal(text, "M\xc3\xbcller??2J????");
}

/* Whole, cut off, overlong, a surrogate, beyond the last plane, never an octet of UTF-8. */
static void text_make_utf8__octets_of_no_character__are_replaced_one_by_one(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80",
			"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\xe2\x82", "a??"},
		{"\xf0\x9f\x98", "???"},
		{"\xc3", "?"},
		{"\xc3(", "?("},
		{"\xc0\xaf", "??"},
		{"\xe0\x80\xaf", "???"},
		{"\xed\xa0\x80", "???"},
		{"\xf4\x90\x80\x80", "????"},
		{"\xff\xfe", "??"},
		{"\x80"
		 "b",
			"?b"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[32];

		strcpy(text, cases[i].in);
		text_make_utf8(text, '?');
		assert_string_equal(text, cases[i].out);
	}
}

/* A line of the log with one value. */
static void log_one(const char *value, char *out, size_t size)
{
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	log_event(&(struct log){.program = "p", .level = LOG_LEVEL_INFO, .fd = fds[1]},
		LOG_LEVEL_INFO, "e", NULL, "subject", value, NULL);
	n = read(fds[0], out, size - 1);
	assert_true(n > 0);
	out[n] = '\0';
	close(fds[0]);
	close(fds[1]);
}

static void log_event__name_that_drives_a_terminal__is_written_in_hex(void **state)
{
	char line[4096];

	log_one("CN=\xc2\x9b"
		"2J\xe2\x80\xae\x1b]0;",
		line, sizeof(line));
	assert_non_null(strstr(line, "subject=\"CN=\\xc2\\x9b2J\\xe2\\x80\\xae\\x1b]0;\"\n"));
	log_one("CN=M\xc3\xbcller \"a\\\"\n", line, sizeof(line));
	assert_non_null(strstr(line, "subject=\"CN=M\xc3\xbcller \\\"a\\\\\\\"\\x0a\"\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_unsafe_len__characters_that_do_something__are_found),
		cmocka_unit_test(text_unsafe_len__characters_that_are_only_shown__are_not),
		cmocka_unit_test(text_make_safe__mixed_text__keeps_its_length_and_what_is_harmless),
		cmocka_unit_test(text_make_utf8__octets_of_no_character__are_replaced_one_by_one),
		cmocka_unit_test(log_event__name_that_drives_a_terminal__is_written_in_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
