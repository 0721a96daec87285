/* SPDX-License-Identifier: Apache-2.0 */
/* Moments: RFC 3339 with its offsets and fractions, HTTP dates, Retry-After. */
#include "common/wire/datetime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int64_t parsed(const char *text)
{
	struct err e = ERR_INIT;
	int64_t t = -1;
	assert_true(datetime_parse(text, &t, &e));
	return t;
}

/* req: ENC-ALL-010 */
static void datetime_parse__fractions_and_offsets__are_read(void **state)
{
	assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
	assert_int_equal(parsed("2021-04-13T21:43:23Z"), 1618350203);
	assert_int_equal(parsed("2021-04-13T21:43:23.787Z"), 1618350203);
	assert_int_equal(parsed("2021-04-13T17:43:23.747-04:00"), 1618350203);
	assert_int_equal(parsed("2021-04-14T03:13:23+05:30"), 1618350203);
	assert_int_equal(parsed("2021-04-13t21:43:23z"), 1618350203);
	assert_int_equal(parsed("2024-02-29T00:00:00Z"), 1709164800);
	assert_int_equal(parsed("2016-12-31T23:59:60Z"), 1483228799);
	assert_true(parsed("9999-12-31T23:59:59Z") == INT64_C(253402300799));
	assert_true(parsed("1969-12-31T23:59:59Z") == -1);
}

/* req: ENC-ALL-010 */
static void datetime_parse__no_zone_or_no_such_moment__is_refused(void **state)
{
	const char *const bad[] = {"", "2021-04-13", "2021-04-13T21:43:23", "2021-04-13T21:43:23.Z",
		"2021-04-13 21:43:23Z", "2021-04-13T21:43Z", "2021-4-13T21:43:23Z",
		"21-04-13T21:43:23Z", "2021-13-01T00:00:00Z", "2021-00-01T00:00:00Z",
		"2021-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2021-04-31T00:00:00Z",
		"2021-04-00T00:00:00Z", "2021-04-13T24:00:00Z", "2021-04-13T23:60:00Z",
		"2021-04-13T23:59:61Z", "2021-04-13T21:43:23+24:00", "2021-04-13T21:43:23+01:60",
		"2021-04-13T21:43:23+0100", "2021-04-13T21:43:23ZZ", "2021-04-13T21:43:23Z ",
		" 2021-04-13T21:43:23Z", "2021-04-13T21:43:23,5Z", "+2021-04-13T21:43:23Z"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err e = ERR_INIT;
		int64_t t;
		assert_false(datetime_parse(bad[i], &t, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void datetime_parse_or_day__a_day__is_its_first_or_last_second(void **state)
{
	struct err e = ERR_INIT;
	int64_t t;

	assert_true(datetime_parse_or_day("2026-12-01", DATETIME_DAY_BEGINS, &t, &e));
	assert_int_equal(t, parsed("2026-12-01T00:00:00Z"));
	assert_true(datetime_parse_or_day("2026-12-01", DATETIME_DAY_ENDS, &t, &e));
	assert_int_equal(t, parsed("2026-12-01T23:59:59Z"));
	assert_true(datetime_parse_or_day("2026-12-01T09:00:00+01:00", DATETIME_DAY_ENDS, &t, &e));
	assert_int_equal(t, parsed("2026-12-01T08:00:00Z"));
}

static void datetime_parse_or_day__no_such_day__is_refused(void **state)
{
	const char *const bad[] = {"", "2026-13-01", "2026-02-29", "2026-12-1", "01-12-2026",
		"2026-12-01Z", "2026/12/01"};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err e = ERR_INIT;
		int64_t t;

		assert_false(datetime_parse_or_day(bad[i], DATETIME_DAY_ENDS, &t, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void datetime_format__every_day_of_many_years__reads_back(void **state)
{
	for (int64_t t = 0; t < INT64_C(253402300799); t += 86400 * INT64_C(113) + 4567) {
		struct err e = ERR_INIT;
		char text[DATETIME_LEN + 1];
		assert_true(datetime_format(t, text, &e));
		assert_int_equal(strlen(text), DATETIME_LEN);
		assert_true(parsed(text) == t);
	}
}

static void datetime_format__known_moments__are_right(void **state)
{
	struct err e = ERR_INIT;
	char text[DATETIME_LEN + 1];
	assert_true(datetime_format(1618350203, text, &e));
	assert_string_equal(text, "2021-04-13T21:43:23Z");
	assert_true(datetime_format(951782400, text, &e));
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	assert_true(datetime_format(INT64_C(253402300799), text, &e));
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void datetime_format__outside_of_its_years__is_refused(void **state)
{
	struct err e = ERR_INIT;
	char text[DATETIME_LEN + 1];
	assert_false(datetime_format(-1, text, &e));
	assert_false(datetime_format(INT64_C(253402300800), text, &e));
	assert_false(datetime_format(INT64_MAX, text, &e));
}

static void datetime_parse_http__imf_fixdate__is_read_and_all_else_refused(void **state)
{
	const char *const bad[] = {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT ", "06 Nov 1994 08:49:37 GMT"};
	struct err e = ERR_INIT;
	int64_t t = 0;
	assert_true(datetime_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &t, &e));
	assert_int_equal(t, 784111777);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(datetime_parse_http(bad[i], &t, &e));
}

static void datetime_parse_retry_after__seconds_or_a_date__give_a_delay(void **state)
{
	int64_t d = -1;
	assert_true(datetime_parse_retry_after("120", NULL, 0, &d));
	assert_int_equal(d, 120);
	assert_true(datetime_parse_retry_after("0", NULL, 0, &d));
	assert_int_equal(d, 0);
	assert_true(datetime_parse_retry_after("99999999999999999999999999", NULL, 0, &d));
	assert_int_equal(d, 315360000);
	assert_true(
		datetime_parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", NULL, 784111770, &d));
	assert_int_equal(d, 7);
	assert_true(
		datetime_parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", NULL, 784111780, &d));
	assert_int_equal(d, 0);
}

static void datetime_parse_retry_after__clock_is_wrong__the_date_header_counts(void **state)
{
	int64_t d = -1;
	assert_true(datetime_parse_retry_after(
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:07 GMT", 5, &d));
	assert_int_equal(d, 30);
}

static void datetime_parse_retry_after__neither_form__is_refused(void **state)
{
	const char *const bad[] = {"", "-1", "1.5", "soon", "10s", "0x10", "1 2"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t d = 0;
		assert_false(datetime_parse_retry_after(bad[i], NULL, 0, &d));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datetime_parse__fractions_and_offsets__are_read),
		cmocka_unit_test(datetime_parse__no_zone_or_no_such_moment__is_refused),
		cmocka_unit_test(datetime_parse_or_day__a_day__is_its_first_or_last_second),
		cmocka_unit_test(datetime_parse_or_day__no_such_day__is_refused),
		cmocka_unit_test(datetime_format__every_day_of_many_years__reads_back),
		cmocka_unit_test(datetime_format__known_moments__are_right),
		cmocka_unit_test(datetime_format__outside_of_its_years__is_refused),
		cmocka_unit_test(datetime_parse_http__imf_fixdate__is_read_and_all_else_refused),
		cmocka_unit_test(datetime_parse_retry_after__seconds_or_a_date__give_a_delay),
		cmocka_unit_test(
			datetime_parse_retry_after__clock_is_wrong__the_date_header_counts),
		cmocka_unit_test(datetime_parse_retry_after__neither_form__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
