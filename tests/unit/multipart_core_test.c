/* SPDX-License-Identifier: Apache-2.0 */
/* multipart-core: two elements are one part, and half a part is none. */
#include "common/wire/multipart_core.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OCTETS(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define MAX	    2

static void assert_refused(struct bytes b, enum err_kind kind, const char *reason)
{
	struct multipart_part parts[MAX];
	struct err e = ERR_INIT;
	size_t count = 7;
	assert_false(multipart_core_read(b, parts, MAX, &count, &e));
	assert_int_equal(e.kind, kind);
	assert_int_equal(count, 0);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" is not in \"%s\"", reason, e.text);
}

static void multipart_core_put__two_parts__have_exactly_these_octets(void **state)
{
	static const uint8_t expected[] = {
		0x84, 0x19, 0x01, 0x1c, 0x43, 1, 2, 3, 0x19, 0x01, 0x19, 0x41, 9};
	const struct multipart_part parts[] = {{284, OCTETS(1, 2, 3)}, {281, OCTETS(9)}};
	struct buf BUF_AUTO out = BUF_INIT(64);
	struct err e = ERR_INIT;
	assert_true(multipart_core_put(&out, parts, 2, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(expected, sizeof(expected))));
	struct multipart_part read[MAX];
	size_t count;
	assert_true(multipart_core_read(buf_bytes(&out), read, MAX, &count, &e));
	assert_int_equal(count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(read[i].format, parts[i].format);
		assert_true(bytes_equal(read[i].content, parts[i].content));
	}
}

static void multipart_core_put__no_room__leaves_the_buffer_as_it_was(void **state)
{
	const struct multipart_part part = {284, OCTETS(1, 2, 3)};
	struct buf BUF_AUTO out = BUF_INIT(6);
	struct err e = ERR_INIT;
	assert_false(multipart_core_put(&out, &part, 1, &e));
	assert_int_equal(out.len, 0);
}

/* req: C-35 */
static void multipart_core_read__an_odd_number_of_elements__is_refused(void **state)
{
	assert_refused(OCTETS(0x81, 0x19, 0x01, 0x1f), ERR_INPUT, "1 elements");
	assert_refused(OCTETS(0x83, 0x00, 0x40, 0x00), ERR_INPUT, "3 elements");
	assert_refused(OCTETS(0x9f, 0x00, 0xff), ERR_INPUT, "1 elements");
}

static void multipart_core_read__none_null_and_indefinite__are_read(void **state)
{
	struct multipart_part parts[MAX];
	struct err e = ERR_INIT;
	size_t count;
	assert_true(multipart_core_read(OCTETS(0x80), parts, MAX, &count, &e));
	assert_int_equal(count, 0);
	assert_true(
		multipart_core_read(OCTETS(0x9f, 0x00, 0xf6, 0x18, 0x32, 0x5f, 0x41, 5, 0xff, 0xff),
			parts, MAX, &count, &e));
	assert_int_equal(count, 2);
	assert_int_equal(parts[0].content.len, 0);
	assert_int_equal(parts[1].format, 50);
	assert_int_equal(parts[1].content.data[0], 5);
}

static void multipart_core_read__anything_else__is_refused(void **state)
{
	assert_refused(OCTETS(0xa0), ERR_INPUT, "map where array belongs");
	assert_refused(OCTETS(0x82, 0x40, 0x00), ERR_INPUT, "part 1");
	assert_refused(OCTETS(0x82, 0x20, 0x40), ERR_INPUT, "part 1");
	assert_refused(OCTETS(0x82, 0x00, 0x61, 'x'), ERR_INPUT, "part 1");
	assert_refused(OCTETS(0x82, 0x00, 0xf5), ERR_INPUT, "no octets");
	assert_refused(OCTETS(0x84, 0x00, 0x40, 0x1a, 0, 1, 0, 0, 0x40), ERR_INPUT, "part 2");
	assert_refused(OCTETS(0x80, 0x00), ERR_INPUT, "after the end");
	assert_refused(OCTETS(0x86, 0, 0x40, 0, 0x40, 0, 0x40), ERR_TOO_LARGE, "3 parts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(multipart_core_put__two_parts__have_exactly_these_octets),
		cmocka_unit_test(multipart_core_put__no_room__leaves_the_buffer_as_it_was),
		cmocka_unit_test(multipart_core_read__an_odd_number_of_elements__is_refused),
		cmocka_unit_test(multipart_core_read__none_null_and_indefinite__are_read),
		cmocka_unit_test(multipart_core_read__anything_else__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
