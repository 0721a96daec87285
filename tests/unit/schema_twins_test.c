/* SPDX-License-Identifier: Apache-2.0 */
/* The schemas of both daemons have a twin on PostgreSQL: as many versions, and words of its own
 * only where SQLite's are not understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "masa/records.h"
#include "registrar/records/records.h"

static const struct store_schema *const schemas[] = {&records_schema, &masa_schema};
#define SCHEMAS (sizeof(schemas) / sizeof(*schemas))

static int64_t count(const char *const *list)
{
	int64_t n = 0;

	while (list[n])
		n++;
	return n;
}

static void migrations__of_both_engines__come_to_the_same_version(void **state)
{
	for (size_t i = 0; i < SCHEMAS; i++)
		assert_int_equal(schemas[i]->postgres.first_version - 1 +
					 count(schemas[i]->postgres.migrations),
			count(schemas[i]->migrations));
}

static void statements__of_postgresql__differ_from_those_of_sqlite(void **state)
{
	for (size_t i = 0; i < SCHEMAS; i++)
		for (int64_t k = 0; k < count(schemas[i]->statements); k++) {
			const char *own = schemas[i]->postgres.statements[k];

			if (own && strcmp(own, schemas[i]->statements[k]) == 0)
				fail_msg("%s", own);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(migrations__of_both_engines__come_to_the_same_version),
		cmocka_unit_test(statements__of_postgresql__differ_from_those_of_sqlite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
