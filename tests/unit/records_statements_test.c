/* SPDX-License-Identifier: Apache-2.0 */
/* What a joining writes needs no table of SQLite's own meanwhile: each costs several pages,
 * cleared, every time, and the statement still works as before, so that only this shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <string.h>

#include "registrar/records/records.h"
#include "registrar/records/sql.h"

static void no_hash(sqlite3_context *c, int count, sqlite3_value **values)
{
	sqlite3_result_null(c);
}

static sqlite3 *empty_store(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_create_function(db, "chain_hash", -1,
				 SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, no_hash, NULL, NULL),
		SQLITE_OK);
	for (size_t i = 0; records_schema.migrations[i]; i++)
		assert_int_equal(sqlite3_exec(db, records_schema.migrations[i], NULL, NULL, NULL),
			SQLITE_OK);
	return db;
}

/* of the statement and the triggers it fires */
static int tables_made(sqlite3 *db, const char *sql)
{
	char explain[4096];
	sqlite3_stmt *stmt;
	int count = 0;

	assert_true(strlen(sql) + sizeof("EXPLAIN ") <= sizeof(explain));
	strcpy(explain, "EXPLAIN ");
	strcat(explain, sql);
	assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		count += strcmp((const char *)sqlite3_column_text(stmt, 1), "OpenEphemeral") == 0;
	sqlite3_finalize(stmt);
	return count;
}

static void statements__of_a_joining__make_no_table_meanwhile(void **state)
{
	static const enum statement joining[] = {READ_DEVICE, READ_CERTIFICATE,
		READ_CERTIFICATE_FOR, ADD_DEVICE, KEEP_VOUCHER, ADD_JOURNAL, NOTE_VOUCHER_STATUS,
		NOTE_ENROLL_STATUS, ENROLL_DEVICE, DROP_OLD_CERTIFICATES};
	sqlite3 *db = empty_store();

	for (size_t i = 0; i < sizeof(joining) / sizeof(*joining); i++) {
		const char *sql = records_schema.statements[joining[i]];

		if (tables_made(db, sql) > 0)
			fail_msg("%s", sql);
	}
	sqlite3_close(db);
}

/* the same question finds one where there is one */
static void statements__select_into_a_table_with_triggers__makes_one(void **state)
{
	sqlite3 *db = empty_store();

	assert_int_equal(tables_made(db, "INSERT INTO journal (at) SELECT 1 WHERE true"), 1);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements__of_a_joining__make_no_table_meanwhile),
		cmocka_unit_test(statements__select_into_a_table_with_triggers__makes_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
