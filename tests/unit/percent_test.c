/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/wire/percent.h"

static void percent_encode__any_octets__come_back(void **state)
{
	BUF_AUTO struct buf text = BUF_INIT(2000), back = BUF_INIT(2000);
	struct err e = ERR_INIT;
	uint8_t all[255];

	for (int i = 0; i < 255; i++)
		all[i] = (uint8_t)(i + 1);
	assert_true(percent_encode(bytes_of(all, sizeof(all)), &text, &e));
	assert_true(percent_decode(buf_bytes(&text), &back, &e));
	assert_true(bytes_equal(buf_bytes(&back), bytes_of(all, sizeof(all))));
	buf_clear(&text);
	assert_true(percent_encode(bytes_of_str("SN-1/a b%"), &text, &e));
	assert_string_equal(buf_str(&text), "SN-1%2Fa%20b%25");
}

static void percent_decode__malformed__is_refused(void **state)
{
	static const char *const bad[] = {"%", "a%4", "%4g", "%g4", "x%00y", "%%%"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		BUF_AUTO struct buf out = BUF_INIT(100);
		struct err e = ERR_INIT;

		assert_false(percent_decode(bytes_of_str(bad[i]), &out, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void percent_query__value__is_found_by_its_whole_name(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(100);
	struct err e = ERR_INIT;
	bool found;

	assert_true(percent_query("xafter=1&after=a%26b&after=2", "after", &out, &found, &e));
	assert_true(found);
	assert_string_equal(buf_str(&out), "a&b");
	assert_true(percent_query("after&before=1", "after", &out, &found, &e));
	assert_false(found);
	assert_true(percent_query("", "after", &out, &found, &e));
	assert_false(found);
	assert_false(percent_query("after=%", "after", &out, &found, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent_encode__any_octets__come_back),
		cmocka_unit_test(percent_decode__malformed__is_refused),
		cmocka_unit_test(percent_query__value__is_found_by_its_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
