/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: RFC 4648 §10 values, and what each dialect must not let through. */
#include "common/wire/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef bool (*decoder)(struct bytes in, struct buf *out, struct err *e);

static void assert_decodes(decoder decode, const char *text, const char *expected)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(4096);
	assert_true(decode(bytes_of_str(text), &out, &e));
	assert_string_equal(buf_str(&out), expected);
}

static void assert_refused(decoder decode, const char *text, const char *reason)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(4096);
	assert_true(buf_append_str(&out, "before", &e));
	assert_false(decode(bytes_of_str(text), &out, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, reason));
	assert_int_equal(out.len, 6);
}

static void base64_encode__rfc_4648_values__are_right(void **state)
{
	const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO out = BUF_INIT(64);
		assert_true(base64_encode(bytes_of_str(pairs[i][0]), &out, &e));
		assert_string_equal(buf_str(&out), pairs[i][1]);
		assert_decodes(base64_decode, pairs[i][1], pairs[i][0]);
	}
}

/* The other alphabet, without padding (RFC 4648 §5), as some peers write nonces. */
static bool to_base64url(const struct buf *text, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < text->len && text->data[i] != '='; i++) {
		char c = (char)text->data[i];

		c = c == '+' ? '-' : c == '/' ? '_' : c;
		if (!buf_append(out, &c, 1, e))
			return false;
	}
	return true;
}

static void base64_encode__every_length_up_to_two_chunks__comes_back(void **state)
{
	uint8_t octets[700];
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37);
	for (size_t n = 0; n <= sizeof(octets); n++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO text = BUF_INIT(2048), url = BUF_INIT(2048),
				    lines = BUF_INIT(2048);
		struct buf BUF_AUTO back = BUF_INIT(2048), back2 = BUF_INIT(2048),
				    back3 = BUF_INIT(2048);
		struct bytes in = bytes_of(octets, n);
		assert_true(base64_encode(in, &text, &e));
		assert_true(to_base64url(&text, &url, &e));
		assert_true(base64_encode_wrapped(in, 64, &lines, &e));
		assert_true(base64_decode(buf_bytes(&text), &back, &e));
		assert_true(base64_decode_any(buf_bytes(&url), &back2, &e));
		assert_true(base64_decode_spaced(buf_bytes(&lines), &back3, &e));
		assert_true(bytes_equal(buf_bytes(&back), in));
		assert_true(bytes_equal(buf_bytes(&back2), in));
		assert_true(bytes_equal(buf_bytes(&back3), in));
	}
}

static void base64_encode_wrapped__full_and_short_lines__all_end_in_newline(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(256);
	uint8_t zeros[50] = {0};
	assert_true(base64_encode_wrapped(bytes_of(zeros, sizeof(zeros)), 64, &out, &e));
	assert_int_equal(out.len, 64 + 1 + 4 + 1);
	assert_int_equal(out.data[64], '\n');
	assert_int_equal(out.data[69], '\n');
}

static void base64_encode__beyond_the_maximum__leaves_the_buffer_as_it_was(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(500);
	uint8_t zeros[600] = {0};
	assert_false(base64_encode(bytes_of(zeros, sizeof(zeros)), &out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(out.len, 0);
	assert_false(base64_encode_wrapped(bytes_of(zeros, sizeof(zeros)), 64, &out, &e));
	assert_int_equal(out.len, 0);
}

/* req: ENC-ALL-008 */
static void base64_decode__anything_but_canonical_text__is_refused(void **state)
{
	assert_refused(base64_decode, "A===", "misplaced padding");
	assert_refused(base64_decode, "A", "left over");
	assert_refused(base64_decode, "=", "misplaced padding");
	assert_refused(base64_decode, "Zg=", "padding is missing");
	assert_refused(base64_decode, "Zg", "padding is missing");
	assert_refused(base64_decode, "Zg===", "misplaced padding");
	assert_refused(base64_decode, "Zm8==", "misplaced padding");
	assert_refused(base64_decode, "Zh==", "trailing bits");
	assert_refused(base64_decode, "Zm9=", "trailing bits");
	assert_refused(base64_decode, "Zg==Zg==", "data after");
	assert_refused(base64_decode, "Zm9v\n", "0x0a");
	assert_refused(base64_decode, "-_-_", "0x2d");
	assert_refused(base64_decode, "Zm\xc3\xa9v", "0xc3");
}

static void base64_decode__a_nul_inside__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(64);
	assert_false(base64_decode(bytes_of("Zm\0v", 4), &out, &e));
}

static void base64_decode_spaced__white_space_anywhere__is_skipped(void **state)
{
	assert_decodes(base64_decode_spaced, " Zm9v\r\nYm\tFy\n", "foobar");
	assert_decodes(base64_decode_spaced, "Zg=\n=\n", "f");
	assert_refused(base64_decode_spaced, "Zm9v.", "0x2e");
	assert_refused(base64_decode_spaced, "Zg= Zg==", "data after");
}

static void base64_decode_any__both_alphabets_and_no_padding__are_read(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO a = BUF_INIT(64), b = BUF_INIT(64);
	assert_true(base64_decode_any(bytes_of_str("-_XE9zK9q8Ll1qylMtLKeg"), &a, &e));
	assert_true(base64_decode_any(bytes_of_str("+/XE9zK9q8Ll1qylMtLKeg=="), &b, &e));
	assert_int_equal(a.len, 16);
	assert_true(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	assert_refused(base64_decode_any, "Zg=", "padding is missing");
	assert_refused(base64_decode_any, "Z", "left over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_encode__rfc_4648_values__are_right),
		cmocka_unit_test(base64_encode__every_length_up_to_two_chunks__comes_back),
		cmocka_unit_test(base64_encode_wrapped__full_and_short_lines__all_end_in_newline),
		cmocka_unit_test(base64_encode__beyond_the_maximum__leaves_the_buffer_as_it_was),
		cmocka_unit_test(base64_decode__anything_but_canonical_text__is_refused),
		cmocka_unit_test(base64_decode__a_nul_inside__is_refused),
		cmocka_unit_test(base64_decode_spaced__white_space_anywhere__is_skipped),
		cmocka_unit_test(base64_decode_any__both_alphabets_and_no_padding__are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
