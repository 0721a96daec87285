/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR: every valid form is read, whatever is not well formed is refused before it is believed, and
 * what is written has one form. */
#include "common/wire/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CBOR(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct cbor_reader open_good(struct bytes b)
{
	struct err e = ERR_INIT;
	struct cbor_reader r;
	if (!cbor_open(b, &r, &e))
		fail_msg("%s", e.text);
	return r;
}

static void assert_refused(struct bytes b, enum err_kind kind, const char *reason)
{
	struct err e = ERR_INIT;
	struct cbor_reader r;
	assert_false(cbor_open(b, &r, &e));
	assert_int_equal(e.kind, kind);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" is not in \"%s\"", reason, e.text);
}

static void cbor_int__every_width__is_read(void **state)
{
	static const struct {
		struct bytes octets;
		int64_t value;
	} cases[] = {
		{{(const uint8_t *)"\x00", 1}, 0},
		{{(const uint8_t *)"\x17", 1}, 23},
		{{(const uint8_t *)"\x18\x18", 2}, 24},
		{{(const uint8_t *)"\x18\x01", 2}, 1}, /* longer than needed */
		{{(const uint8_t *)"\x19\x09\x93", 3}, 2451},
		{{(const uint8_t *)"\x1a\x00\x01\x00\x00", 5}, 65536},
		{{(const uint8_t *)"\x1b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, INT64_MAX},
		{{(const uint8_t *)"\x26", 1}, -7},
		{{(const uint8_t *)"\x38\x22", 2}, -35},
		{{(const uint8_t *)"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, INT64_MIN},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cbor_reader r = open_good(cases[i].octets);
		struct err e = ERR_INIT;
		int64_t value;
		assert_true(cbor_int(&r, &value, &e));
		assert_true(value == cases[i].value);
		assert_true(cbor_at_end(&r));
	}
}

static void cbor_int__what_does_not_fit__is_refused(void **state)
{
	struct cbor_reader r = open_good(CBOR(0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0));
	struct err e = ERR_INIT;
	int64_t value;
	uint64_t positive;
	assert_false(cbor_int(&r, &value, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_false(cbor_uint(&r, &positive, &e));
	assert_non_null(strstr(e.text, "negative integer where unsigned"));
}

static void cbor_open__heads_that_are_none__are_refused(void **state)
{
	assert_refused(bytes_of(NULL, 0), ERR_INPUT, "an item is missing");
	assert_refused(CBOR(0x1c), ERR_INPUT, "reserved additional information 28");
	assert_refused(CBOR(0x5e), ERR_INPUT, "reserved additional information 30");
	assert_refused(CBOR(0x1f), ERR_INPUT, "a break or a length that is none");
	assert_refused(CBOR(0xdf, 0x00), ERR_INPUT, "a break or a length that is none");
	assert_refused(CBOR(0xff), ERR_INPUT, "a break");
	assert_refused(CBOR(0xf8, 0x14), ERR_INPUT, "simple value in two octets");
	assert_refused(CBOR(0x19, 0x09), ERR_INPUT, "truncated inside a head");
	assert_refused(CBOR(0xd2), ERR_INPUT, "an item is missing");
}

static void cbor_open__declared_lengths_beyond_the_end__are_refused(void **state)
{
	assert_refused(CBOR(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00), ERR_INPUT,
		"octets where 1 are left");
	assert_refused(CBOR(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00), ERR_INPUT,
		"elements in 1 octets");
	assert_refused(CBOR(0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00),
		ERR_INPUT, "pairs in 2 octets");
	assert_refused(CBOR(0x82, 0x01), ERR_INPUT, "array of 2 elements");
	assert_refused(CBOR(0x9f, 0x01), ERR_INPUT, "missing");
	assert_refused(CBOR(0xbf, 0x01, 0x02), ERR_INPUT, "missing");
	assert_refused(CBOR(0xbf, 0x01, 0xff), ERR_INPUT, "break");
	assert_refused(CBOR(0x5f, 0x41, 0x01), ERR_INPUT, "missing");
}

static void cbor_open__octets_after_the_item__are_refused(void **state)
{
	assert_refused(CBOR(0x80, 0x00), ERR_INPUT, "1 octets after the end");
}

static void cbor_open__a_key_twice__is_refused_however_it_is_written(void **state)
{
	assert_refused(CBOR(0xa2, 0x01, 0x00, 0x01, 0x00), ERR_INPUT, "twice");
	assert_refused(CBOR(0xa2, 0x01, 0x00, 0x18, 0x01, 0x00), ERR_INPUT, "twice");
	assert_refused(
		CBOR(0xa2, 0x61, 'a', 0x00, 0x7f, 0x60, 0x61, 'a', 0xff, 0x00), ERR_INPUT, "twice");
	assert_refused(CBOR(0xa2, 0xd8, 0x2f, 0x01, 0x00, 0xd9, 0x00, 0x2f, 0x01, 0x00), ERR_INPUT,
		"twice");
	assert_refused(CBOR(0x81, 0xa1, 0x00, 0xa2, 0xf5, 0x00, 0xf5, 0x00), ERR_INPUT, "twice");
	assert_refused(
		CBOR(0xa2, 0xf9, 0x3c, 0x00, 0x00, 0xf9, 0x3c, 0x00, 0x01), ERR_INPUT, "twice");
	open_good(CBOR(0xa2, 0x01, 0x00, 0x20, 0x00));
	open_good(CBOR(0xa2, 0x61, 'a', 0x00, 0x62, 'a', 'b', 0x00));
	open_good(CBOR(0xa2, 0x41, 'a', 0x00, 0x61, 'a', 0x00));
	open_good(CBOR(0xa2, 0x01, 0x00, 0xd8, 0x2f, 0x01, 0x00));
	open_good(CBOR(0xa2, 0xf9, 0x3c, 0x00, 0x00, 0xfa, 0x00, 0x00, 0x3c, 0x00, 0x01));
	open_good(CBOR(0xa2, 0xf4, 0x00, 0xf5, 0x00));
}

static void cbor_open__an_array_or_a_map_as_a_key__is_refused(void **state)
{
	assert_refused(CBOR(0xa1, 0x80, 0x00), ERR_INPUT, "as a key");
	assert_refused(CBOR(0xa1, 0xc1, 0xa0, 0x00), ERR_INPUT, "as a key");
}

static void cbor_open__nested_to_the_limit__is_read_and_one_deeper_is_refused(void **state)
{
	uint8_t nested[CBOR_DEPTH_MAX + 1];
	memset(nested, 0x81, sizeof(nested));
	nested[CBOR_DEPTH_MAX - 1] = 0x00;
	open_good(bytes_of(nested, CBOR_DEPTH_MAX));
	nested[CBOR_DEPTH_MAX - 1] = 0x81;
	nested[CBOR_DEPTH_MAX] = 0x00;
	assert_refused(bytes_of(nested, sizeof(nested)), ERR_TOO_LARGE, "nested");
	memset(nested, 0xc1, sizeof(nested)); /* tags too */
	assert_refused(bytes_of(nested, sizeof(nested)), ERR_TOO_LARGE, "nested");
}

static void cbor_open__a_map_of_too_many_pairs__is_refused(void **state)
{
	struct buf BUF_AUTO b = BUF_INIT(4096);
	struct err e = ERR_INIT;
	assert_true(cbor_put_map(&b, CBOR_MAP_MAX + 1, &e));
	for (int64_t i = 0; i <= CBOR_MAP_MAX; i++)
		assert_true(cbor_put_int(&b, i, &e) && cbor_put_null(&b, &e));
	assert_refused(buf_bytes(&b), ERR_TOO_LARGE, "more than 128 pairs");
}

static void cbor_open__text_that_is_no_utf8__is_refused(void **state)
{
	assert_refused(CBOR(0x61, 0xff), ERR_INPUT, "UTF-8");
	assert_refused(CBOR(0x62, 0xc0, 0x80), ERR_INPUT, "UTF-8");	  /* overlong */
	assert_refused(CBOR(0x63, 0xe0, 0x80, 0x80), ERR_INPUT, "UTF-8"); /* overlong */
	assert_refused(CBOR(0x63, 0xed, 0xa0, 0x80), ERR_INPUT, "UTF-8"); /* surrogate */
	assert_refused(CBOR(0x64, 0xf4, 0x90, 0x80, 0x80), ERR_INPUT, "UTF-8");
	assert_refused(CBOR(0x64, 0xf5, 0x80, 0x80, 0x80), ERR_INPUT, "UTF-8");
	assert_refused(CBOR(0x62, 0xe2, 0x82), ERR_INPUT, "UTF-8");
	assert_refused(CBOR(0x63, 0xe2, 0x82, 0x41), ERR_INPUT, "UTF-8");
	assert_refused(CBOR(0x61, 0x00), ERR_INPUT, "NUL");
	/* a character cut in two by the pieces (RFC 8949 §3.2.3) */
	assert_refused(CBOR(0x7f, 0x61, 0xc3, 0x61, 0xa9, 0xff), ERR_INPUT, "UTF-8");
	open_good(CBOR(0x62, 0xc3, 0xa9));
	open_good(CBOR(0x63, 0xe2, 0x82, 0xac));
	open_good(CBOR(0x64, 0xf0, 0x9f, 0x98, 0x80));
	open_good(CBOR(0x41, 0xff)); /* octets are no text */
}

static void cbor_bytes__in_pieces__is_copied_and_not_viewed(void **state)
{
	struct bytes whole = CBOR(0x5f, 0x42, 1, 2, 0x40, 0x41, 3, 0xff);
	struct cbor_reader r = open_good(whole), again = r;
	struct buf BUF_AUTO out = BUF_INIT(3);
	struct err e = ERR_INIT;
	struct bytes v;
	assert_false(cbor_bytes(&r, &v, &e));
	assert_non_null(strstr(e.text, "in pieces"));
	assert_int_equal(r.len, whole.len);
	assert_true(cbor_bytes_copy(&r, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), CBOR(1, 2, 3)));
	assert_true(cbor_at_end(&r));
	/* over the buffer's maximum: nothing is left behind */
	assert_false(cbor_bytes_copy(&again, &out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(out.len, 3);
}

static void cbor_bytes__one_piece_of_indefinite_length__is_viewed(void **state)
{
	struct cbor_reader r = open_good(CBOR(0x5f, 0x40, 0x42, 1, 2, 0xff));
	struct err e = ERR_INIT;
	struct bytes v;
	assert_true(cbor_bytes(&r, &v, &e));
	assert_true(bytes_equal(v, CBOR(1, 2)));
	assert_true(cbor_at_end(&r));
}

static void cbor_open__pieces_of_another_type__are_refused(void **state)
{
	assert_refused(CBOR(0x5f, 0x61, 'a', 0xff), ERR_INPUT, "of another type");
	assert_refused(CBOR(0x5f, 0x5f, 0xff, 0xff), ERR_INPUT, "of another type");
}

static void cbor_map__definite_or_not__reads_the_same(void **state)
{
	static const struct bytes forms[] = {
		{(const uint8_t *)"\xa2\x01\x82\x02\x03\x04\x80", 7},
		{(const uint8_t *)"\xbf\x01\x9f\x02\x03\xff\x04\x9f\xff\xff", 10},
	};
	for (size_t i = 0; i < 2; i++) {
		struct cbor_reader r = open_good(forms[i]), pairs, elements;
		struct err e = ERR_INIT;
		size_t count;
		uint64_t value;
		assert_true(cbor_map(&r, &pairs, &count, &e));
		assert_int_equal(count, 2);
		assert_true(cbor_at_end(&r));
		assert_true(cbor_uint(&pairs, &value, &e) && value == 1);
		assert_true(cbor_array(&pairs, &elements, &count, &e));
		assert_int_equal(count, 2);
		assert_true(cbor_uint(&elements, &value, &e) && value == 2);
		assert_true(cbor_uint(&elements, &value, &e) && value == 3);
		assert_true(cbor_at_end(&elements));
		assert_int_equal(cbor_peek(&elements), CBOR_END);
		assert_true(cbor_uint(&pairs, &value, &e) && value == 4);
		assert_true(cbor_array(&pairs, &elements, &count, &e));
		assert_int_equal(count, 0);
		assert_true(cbor_at_end(&pairs));
	}
}

static void cbor_take__another_type__leaves_the_reader_where_it_was(void **state)
{
	struct cbor_reader r = open_good(CBOR(0xd2, 0x84, 0x01, 0x61, 'x', 0xf5, 0xf6));
	BUF_AUTO struct buf text = BUF_INIT(8);
	struct cbor_reader inner;
	struct err e = ERR_INIT;
	struct bytes whole;
	uint64_t number;
	uint8_t simple;
	bool flag;
	assert_int_equal(cbor_peek(&r), CBOR_TAG);
	assert_false(cbor_array(&r, &inner, NULL, &e));
	assert_non_null(strstr(e.text, "tag where array belongs"));
	assert_true(cbor_tag(&r, &number, &e));
	assert_int_equal(number, 18);
	assert_false(cbor_map(&r, &inner, NULL, &e));
	assert_true(cbor_array(&r, &inner, NULL, &e));
	assert_false(cbor_tag(&inner, &number, &e));
	assert_true(cbor_skip(&inner, &whole, &e));
	assert_true(bytes_equal(whole, CBOR(0x01)));
	assert_false(cbor_bytes(&inner, &whole, &e));
	assert_true(cbor_text_copy(&inner, &text, &e));
	assert_string_equal(buf_str(&text), "x");
	assert_true(cbor_bool(&inner, &flag, &e) && flag);
	assert_false(cbor_bool(&inner, &flag, &e));
	assert_non_null(strstr(e.text, "no boolean"));
	assert_false(cbor_at_end(&inner));
	assert_true(cbor_simple(&inner, &simple, &e));
	assert_int_equal(simple, CBOR_NULL);
	assert_true(cbor_at_end(&inner));
	assert_false(cbor_skip(&inner, NULL, &e));
}

static void cbor_peek__floats_and_simple_values__are_told_apart(void **state)
{
	struct cbor_reader r = open_good(CBOR(0xf9, 0x3c, 0x00));
	assert_int_equal(cbor_peek(&r), CBOR_FLOAT);
	r = open_good(CBOR(0xfb, 0, 0, 0, 0, 0, 0, 0, 0));
	assert_int_equal(cbor_peek(&r), CBOR_FLOAT);
	r = open_good(CBOR(0xf8, 0xff));
	assert_int_equal(cbor_peek(&r), CBOR_SIMPLE);
}

static void cbor_put__every_width__is_the_shortest(void **state)
{
	struct buf BUF_AUTO b = BUF_INIT(256);
	struct err e = ERR_INIT;
	assert_true(cbor_put_uint(&b, 23, &e) && cbor_put_uint(&b, 24, &e) &&
		    cbor_put_uint(&b, 255, &e) && cbor_put_uint(&b, 256, &e) &&
		    cbor_put_uint(&b, 65535, &e) && cbor_put_uint(&b, 65536, &e) &&
		    cbor_put_uint(&b, 4294967296, &e) && cbor_put_int(&b, -35, &e) &&
		    cbor_put_int(&b, INT64_MIN, &e) && cbor_put_tag(&b, 18, &e) &&
		    cbor_put_array(&b, 0, &e) && cbor_put_map(&b, 0, &e) &&
		    cbor_put_bool(&b, true, &e) && cbor_put_bool(&b, false, &e) &&
		    cbor_put_null(&b, &e) && cbor_put_text(&b, "a", &e) &&
		    cbor_put_bytes(&b, CBOR(1), &e));
	static const uint8_t expected[] = {0x17, 0x18, 24, 0x18, 255, 0x19, 1, 0, 0x19, 255, 255,
		0x1a, 0, 1, 0, 0, 0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 0x38, 0x22, 0x3b, 0x7f, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xd2, 0x80, 0xa0, 0xf5, 0xf4, 0xf6, 0x61, 'a', 0x41,
		1};
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(expected, sizeof(expected))));
}

static void cbor_put_key__out_of_order__is_a_bug(void **state)
{
	struct buf BUF_AUTO b = BUF_INIT(256);
	struct cbor_key_order order = {0};
	struct err e = ERR_INIT;
	assert_true(cbor_put_key(&b, &order, 2, &e) && cbor_put_null(&b, &e));
	assert_true(cbor_put_key(&b, &order, 24, &e) && cbor_put_null(&b, &e));
	assert_true(cbor_put_key(&b, &order, -1, &e) && cbor_put_null(&b, &e));
	size_t len = b.len;
	assert_false(cbor_put_key(&b, &order, -1, &e));
	assert_int_equal(e.kind, ERR_BUG);
	assert_false(cbor_put_key(&b, &order, 1, &e));
	assert_int_equal(b.len, len);
}

static void cbor_put__no_room__leaves_the_buffer_as_it_was(void **state)
{
	struct buf BUF_AUTO b = BUF_INIT(3);
	struct err e = ERR_INIT;
	assert_false(cbor_put_bytes(&b, CBOR(1, 2, 3), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cbor_int__every_width__is_read),
		cmocka_unit_test(cbor_int__what_does_not_fit__is_refused),
		cmocka_unit_test(cbor_open__heads_that_are_none__are_refused),
		cmocka_unit_test(cbor_open__declared_lengths_beyond_the_end__are_refused),
		cmocka_unit_test(cbor_open__octets_after_the_item__are_refused),
		cmocka_unit_test(cbor_open__a_key_twice__is_refused_however_it_is_written),
		cmocka_unit_test(cbor_open__an_array_or_a_map_as_a_key__is_refused),
		cmocka_unit_test(cbor_open__nested_to_the_limit__is_read_and_one_deeper_is_refused),
		cmocka_unit_test(cbor_open__a_map_of_too_many_pairs__is_refused),
		cmocka_unit_test(cbor_open__text_that_is_no_utf8__is_refused),
		cmocka_unit_test(cbor_bytes__in_pieces__is_copied_and_not_viewed),
		cmocka_unit_test(cbor_bytes__one_piece_of_indefinite_length__is_viewed),
		cmocka_unit_test(cbor_open__pieces_of_another_type__are_refused),
		cmocka_unit_test(cbor_map__definite_or_not__reads_the_same),
		cmocka_unit_test(cbor_take__another_type__leaves_the_reader_where_it_was),
		cmocka_unit_test(cbor_peek__floats_and_simple_values__are_told_apart),
		cmocka_unit_test(cbor_put__every_width__is_the_shortest),
		cmocka_unit_test(cbor_put_key__out_of_order__is_a_bug),
		cmocka_unit_test(cbor_put__no_room__leaves_the_buffer_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
