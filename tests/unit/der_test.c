/* SPDX-License-Identifier: Apache-2.0 */
/* The DER reader and writer: every form that is BER only must be refused. */
#include "common/wire/der.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DER(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void assert_scan_refused(struct bytes b, const char *reason)
{
	struct err e = ERR_INIT;
	assert_false(der_scan(b, 8, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, reason));
}

static void der_scan__nested_elements__are_accepted(void **state)
{
	struct err e = ERR_INIT;
	assert_true(der_scan(DER(0x30, 0x05, 0xa0, 0x03, 0x02, 0x01, 0x07), 3, &e));
	assert_true(der_scan(DER(0x05, 0x00), 1, &e));
}

static void der_scan__forms_that_are_ber_only__are_refused(void **state)
{
	assert_scan_refused(DER(0x30, 0x80, 0x05, 0x00, 0x00, 0x00), "indefinite");
	assert_scan_refused(DER(0x04, 0x81, 0x01, 0xff), "not minimal");
	assert_scan_refused(DER(0x04, 0x82, 0x00, 0x01, 0xff), "not minimal");
	assert_scan_refused(DER(0x24, 0x03, 0x04, 0x01, 0xff), "BER only");
	assert_scan_refused(DER(0x10, 0x00), "BER only");
	assert_scan_refused(DER(0x30, 0x02, 0x00, 0x00), "end-of-contents");
	assert_scan_refused(DER(0xbf, 0x81, 0x01, 0x00), "multi-octet tag");
}

static void der_scan__truncated_anywhere__is_refused(void **state)
{
	const uint8_t whole[] = {0x30, 0x06, 0x31, 0x04, 0x0c, 0x02, 'h', 'i'};
	struct err e = ERR_INIT;
	assert_true(der_scan(bytes_of(whole, sizeof(whole)), 3, &e));
	for (size_t n = 0; n < sizeof(whole); n++)
		assert_false(der_scan(bytes_of(whole, n), 3, &e));
	assert_scan_refused(DER(0x30), "truncated before");
	assert_scan_refused(DER(0x30, 0x82, 0x01), "truncated inside");
	assert_scan_refused(DER(0x30, 0x85, 1, 1, 1, 1, 1), "length of 5 octets");
	assert_scan_refused(DER(0x30, 0x84, 0xff, 0xff, 0xff, 0xff), "octets where");
}

static void der_scan__child_longer_than_its_parent__is_refused(void **state)
{
	assert_scan_refused(DER(0x30, 0x03, 0x04, 0x02, 0x00), "octets where");
}

static void der_scan__octets_after_the_element__are_refused(void **state)
{
	assert_scan_refused(DER(0x05, 0x00, 0x05, 0x00), "after the end");
}

static void der_scan__deeper_than_allowed__is_refused(void **state)
{
	struct bytes three = DER(0x30, 0x04, 0x30, 0x02, 0x05, 0x00);
	struct err e = ERR_INIT;
	assert_true(der_scan(three, 3, &e));
	assert_false(der_scan(three, 2, &e));
	assert_non_null(strstr(e.text, "too deep"));
}

static void der_scan__a_bomb_of_many_levels__ends_at_the_limit(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO b = BUF_INIT(65536);
	for (int i = 0; i < 4000; i++) {
		struct buf BUF_AUTO outer = BUF_INIT(65536);
		assert_true(der_put(&outer, DER_SEQUENCE, buf_bytes(&b), &e));
		buf_clear(&b);
		assert_true(buf_append(&b, outer.data, outer.len, &e));
	}
	assert_scan_refused(buf_bytes(&b), "too deep");
}

static void der_expect__tag_differs__names_the_field_and_does_not_move(void **state)
{
	struct err e = ERR_INIT;
	struct der d = der_of(DER(0x02, 0x01, 0x05));
	struct der_tlv t;
	assert_false(der_expect(&d, DER_SEQUENCE, &t, "SignedData", &e));
	assert_non_null(strstr(e.text, "SignedData"));
	assert_int_equal(d.len, 3);
	assert_true(der_expect(&d, DER_INTEGER, &t, "version", &e));
	assert_int_equal(t.whole.len, 3);
	assert_true(der_expect_end(&d, "SignedData", &e));
}

static void der_expect_end__something_is_left__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct der d = der_of(DER(0x05, 0x00));
	assert_false(der_expect_end(&d, "SignerInfo", &e));
	assert_non_null(strstr(e.text, "SignerInfo: 2 octets after"));
}

static void der_optional__other_tag__is_left_for_the_next_reader(void **state)
{
	struct err e = ERR_INIT;
	struct der d = der_of(DER(0xa0, 0x00, 0x05, 0x00));
	struct der_tlv t;
	bool present = true;
	assert_true(der_optional(&d, DER_CONTEXT_CONSTRUCTED(1), &t, &present, &e));
	assert_false(present);
	assert_true(der_optional(&d, DER_CONTEXT_CONSTRUCTED(0), &t, &present, &e));
	assert_true(present);
	assert_int_equal(d.len, 2);
	d = der_of(DER(0xa0, 0x05));
	assert_false(der_optional(&d, DER_CONTEXT_CONSTRUCTED(0), &t, &present, &e));
}

static bool read_uint(struct bytes b, uint32_t *out)
{
	struct err e = ERR_INIT;
	struct der d = der_of(b);
	struct der_tlv t;
	return der_next(&d, &t, &e) && der_uint(&t, out, &e);
}

static void der_uint__reads_the_whole_range(void **state)
{
	uint32_t v = 1;
	assert_true(read_uint(DER(0x02, 0x01, 0x00), &v));
	assert_int_equal(v, 0);
	assert_true(read_uint(DER(0x02, 0x02, 0x00, 0x80), &v));
	assert_int_equal(v, 128);
	assert_true(read_uint(DER(0x02, 0x05, 0x00, 0xff, 0xff, 0xff, 0xff), &v));
	assert_true(v == UINT32_MAX);
}

static void der_uint__negative_padded_or_too_large__is_refused(void **state)
{
	uint32_t v;
	assert_false(read_uint(DER(0x02, 0x00), &v));
	assert_false(read_uint(DER(0x02, 0x01, 0xff), &v));
	assert_false(read_uint(DER(0x02, 0x02, 0x00, 0x7f), &v));
	assert_false(read_uint(DER(0x02, 0x05, 0x01, 0x00, 0x00, 0x00, 0x00), &v));
	assert_false(read_uint(DER(0x04, 0x01, 0x01), &v));
}

static void der_oid_is__compares_content_and_tag(void **state)
{
	struct err e = ERR_INIT;
	struct der d = der_of(DER(0x06, 0x03, 0x55, 0x04, 0x05));
	struct der_tlv t;
	assert_true(der_next(&d, &t, &e));
	assert_true(der_oid_is(&t, DER(0x55, 0x04, 0x05)));
	assert_false(der_oid_is(&t, DER(0x55, 0x04, 0x03)));
	t.tag = DER_OCTET_STRING;
	assert_false(der_oid_is(&t, DER(0x55, 0x04, 0x05)));
}

static void der_put__every_length_form__reads_back(void **state)
{
	const size_t lens[] = {0, 1, 127, 128, 255, 256, 65535, 65536};
	static uint8_t zeros[65536];
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO b = BUF_INIT(70000);
		assert_true(der_put(&b, DER_OCTET_STRING, bytes_of(zeros, lens[i]), &e));
		assert_true(der_scan(buf_bytes(&b), 1, &e));
		struct der d = der_of(buf_bytes(&b));
		struct der_tlv t;
		assert_true(der_next(&d, &t, &e));
		assert_int_equal(t.content.len, lens[i]);
	}
}

static void der_put__no_room_for_the_content__leaves_the_buffer_as_it_was(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO b = BUF_INIT(4);
	assert_false(der_put(&b, DER_OCTET_STRING, DER(1, 2, 3, 4), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(b.len, 0);
}

static void der_put_set_of__elements_in_any_order__ascend_as_octets(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO b = BUF_INIT(64);
	struct bytes items[] = {DER(4, 2, 1, 1), DER(4, 1, 9), DER(2, 1, 7), DER(4, 1)};
	const uint8_t sorted[] = {DER_SET, 12, 2, 1, 7, 4, 1, 4, 1, 9, 4, 2, 1, 1};

	assert_true(der_put_set_of(&b, DER_SET, items, 4, &e));
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(sorted, sizeof(sorted))));
	struct buf BUF_AUTO small = BUF_INIT(8);
	assert_false(der_put_set_of(&small, DER_SET, items, 4, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(small.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(der_scan__nested_elements__are_accepted),
		cmocka_unit_test(der_scan__forms_that_are_ber_only__are_refused),
		cmocka_unit_test(der_scan__truncated_anywhere__is_refused),
		cmocka_unit_test(der_scan__child_longer_than_its_parent__is_refused),
		cmocka_unit_test(der_scan__octets_after_the_element__are_refused),
		cmocka_unit_test(der_scan__deeper_than_allowed__is_refused),
		cmocka_unit_test(der_scan__a_bomb_of_many_levels__ends_at_the_limit),
		cmocka_unit_test(der_expect__tag_differs__names_the_field_and_does_not_move),
		cmocka_unit_test(der_expect_end__something_is_left__is_refused),
		cmocka_unit_test(der_optional__other_tag__is_left_for_the_next_reader),
		cmocka_unit_test(der_uint__reads_the_whole_range),
		cmocka_unit_test(der_uint__negative_padded_or_too_large__is_refused),
		cmocka_unit_test(der_oid_is__compares_content_and_tag),
		cmocka_unit_test(der_put__every_length_form__reads_back),
		cmocka_unit_test(der_put__no_room_for_the_content__leaves_the_buffer_as_it_was),
		cmocka_unit_test(der_put_set_of__elements_in_any_order__ascend_as_octets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
