/* SPDX-License-Identifier: Apache-2.0 */
/* Where a device stands: stored facts first, then the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "registrar/standing.h"

#define NOW  1790000000
#define SOON 2592000

static void standing_of__each_fact_and_moment__stands_as_the_table_says(void **state)
{
	static const struct {
		enum standing stored;
		int64_t not_after;
		enum standing told;
	} table[] = {
		{STANDING_NONE, 0, STANDING_NONE},
		{STANDING_NONE, NOW - 1, STANDING_NONE},
		{STANDING_JOINING, 0, STANDING_JOINING},
		{STANDING_JOINING, NOW - 1, STANDING_JOINING},
		{STANDING_ACTIVE, 0, STANDING_ACTIVE},
		{STANDING_ACTIVE, NOW + SOON + 1, STANDING_ACTIVE},
		{STANDING_ACTIVE, NOW + SOON, STANDING_EXPIRING},
		{STANDING_ACTIVE, NOW + 1, STANDING_EXPIRING},
		{STANDING_ACTIVE, NOW, STANDING_EXPIRED},
		{STANDING_ACTIVE, NOW - 1, STANDING_EXPIRED},
		{STANDING_ACTIVE, INT64_MAX, STANDING_ACTIVE},
		{STANDING_QUARANTINED, NOW - 1, STANDING_QUARANTINED},
		{STANDING_REVOKED, NOW - 1, STANDING_REVOKED},
		{STANDING_DECOMMISSIONED, NOW + 1, STANDING_DECOMMISSIONED},
		{STANDING_REPLACED, NOW + 1, STANDING_REPLACED},
		{STANDING_REFUSED, NOW - 1, STANDING_REFUSED},
	};
	const struct standing_rule rule = {NOW, SOON};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_string_equal(
			standing_name(standing_of(table[i].stored, table[i].not_after, &rule)),
			standing_name(table[i].told));
}

static void standing_parse__each_name__is_read_back(void **state)
{
	enum standing s;

	for (int i = 0; i < STANDING_COUNT; i++) {
		assert_true(standing_parse(standing_name((enum standing)i), &s));
		assert_int_equal(s, i);
	}
	assert_false(standing_parse("gone", &s));
	assert_false(standing_parse("", &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standing_of__each_fact_and_moment__stands_as_the_table_says),
		cmocka_unit_test(standing_parse__each_name__is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
