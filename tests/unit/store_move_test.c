/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of both daemons with every kind of row, moved to a file or a database and back: what comes
 * back is what there was; what was cut off in the middle is not there at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/run/store_move.h"
#include "common/run/store_sqlite.h"
#include "masa/records.h"
#include "registrar/records/records.h"
#include "tests/unit/skip.h"
#include "tests/unit/store_fixture.h"

#define SQL_MAX 16384
#define NOW	1790000000

struct fixture {
	char dir[64];
	char from[96], to[STORE_PLACE_MAX], back[96];
	const struct store_schema *schema;
	char told[512]; /* the last line */
	enum err_kind kind;
	struct err e;
};

/* ---- a store with every kind of row ---- */

static sqlite3 *open_file(const char *path)
{
	struct err e = ERR_INIT;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_true(store_sqlite_functions(db, &e));
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %.300s", sqlite3_errmsg(db), sql);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t n;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sqlite3_errmsg(db), sql);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* Values that engines may take for each other, in three rows. */
static const char *value(int row, const char *type, bool names_a_row, bool may_be_null)
{
	static const char *const numbers[] = {"1", "2", "3"},
				 *const extremes[] = {"-7", "NULL", "-9223372036854775808"},
				 *const texts[] = {"'Ger\xc3\xa4t \xf0\x9f\x94\x91 \"1\"\t'",
					 "NULL", "''"},
				 *const octets[] = {"x'00ff5c780a'", "NULL", "x''"};

	if (row == 1 && !may_be_null)
		return strcmp(type, "BLOB") == 0      ? "x'3132'"
		       : strcmp(type, "INTEGER") == 0 ? "2"
						      : "'/2'";
	if (strcmp(type, "BLOB") == 0)
		return octets[row];
	if (strcmp(type, "INTEGER") != 0)
		return texts[row];
	return names_a_row ? numbers[row] : extremes[row];
}

/* Of a catalog: table, column, type, not null, primary key. */
static void add_row(sqlite3 *db, sqlite3_stmt *columns, const char *table, int row)
{
	char sql[SQL_MAX], values[SQL_MAX / 2] = "";

	snprintf(sql, sizeof(sql), "INSERT INTO \"%s\" (", table);
	sqlite3_reset(columns);
	sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
	for (int i = 0; sqlite3_step(columns) == SQLITE_ROW; i++) {
		const char *name = (const char *)sqlite3_column_text(columns, 0);
		bool key = sqlite3_column_int(columns, 3) > 0 || strcmp(name, "device") == 0;
		size_t at = strlen(sql), at_values = strlen(values);

		snprintf(sql + at, sizeof(sql) - at, "%s\"%s\"", i ? ", " : "", name);
		snprintf(values + at_values, sizeof(values) - at_values, "%s%s", i ? ", " : "",
			value(row,
				strcmp(name, "assertion") == 0
					? "TEXT"
					: (const char *)sqlite3_column_text(columns, 1),
				key, !key && !sqlite3_column_int(columns, 2)));
	}
	snprintf(sql + strlen(sql), sizeof(sql) - strlen(sql),
		") VALUES (%s) ON CONFLICT DO NOTHING", values);
	run(db, sql);
}

static void add_rows(sqlite3 *db)
{
	sqlite3_stmt *tables, *columns;

	assert_int_equal(sqlite3_prepare_v2(db,
				 "SELECT name FROM sqlite_schema WHERE type = 'table' AND name "
				 "NOT LIKE 'sqlite%' AND name <> 'tally' ORDER BY rowid",
				 -1, &tables, NULL),
		SQLITE_OK);
	assert_int_equal(
		sqlite3_prepare_v2(db,
			"SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE "
			"hidden = 0 AND (name <> 'hash' OR ?1 = 'head')",
			-1, &columns, NULL),
		SQLITE_OK);
	while (sqlite3_step(tables) == SQLITE_ROW)
		for (int row = 0; row < 3; row++)
			add_row(db, columns, (const char *)sqlite3_column_text(tables, 0), row);
	sqlite3_finalize(tables);
	sqlite3_finalize(columns);
}

/* As masa/records_sql.c has it; a registrar's comes of a trigger. */
static void chain_events(sqlite3 *db)
{
	char sql[1024];

	for (int id = 1; id <= 3; id++) {
		snprintf(sql, sizeof(sql),
			"UPDATE events SET hash = chain_hash((SELECT hash FROM events WHERE id = "
			"%d), "
			"id, date, (SELECT serial FROM devices AS d WHERE d.id = device), "
			"domain_id, "
			"lower(hex(domain_key)), nonce, assertion, expires_on, content, registrar) "
			"WHERE id = %d",
			id - 1, id);
		run(db, sql);
	}
}

static void make_source(struct fixture *f, const struct store_schema *schema)
{
	struct store *s = store_open(f->from, schema, &f->e);
	sqlite3 *db;

	assert_non_null(s);
	store_close(s);
	f->schema = schema;
	db = open_file(f->from);
	add_rows(db);
	if (schema == &masa_schema)
		chain_events(db);
	assert_int_equal(number(db, schema->moving.broken), 0);
	sqlite3_close(db);
}

static void make_long_log(struct fixture *f)
{
	sqlite3 *db = open_file(f->from);

	run(db, "INSERT INTO journal (id, at, step) WITH RECURSIVE n (i) AS "
		"(VALUES (4) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i, i, 'x' FROM "
		"n");
	sqlite3_close(db);
}

/* ---- the same in both ---- */

/* EXCEPT tells 1 from '1', '' from x'' and from NULL. */
static void check_same(const char *a, const char *b)
{
	sqlite3 *db = open_file(a);
	sqlite3_stmt *tables;
	char sql[SQL_MAX];
	int count = 0;

	snprintf(sql, sizeof(sql), "ATTACH '%s' AS b", b);
	run(db, sql);
	assert_int_equal(sqlite3_prepare_v2(db,
				 "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND "
				 "name NOT LIKE 'sqlite%'",
				 -1, &tables, NULL),
		SQLITE_OK);
	for (; sqlite3_step(tables) == SQLITE_ROW; count++) {
		const char *t = (const char *)sqlite3_column_text(tables, 0);

		snprintf(sql, sizeof(sql),
			"SELECT (SELECT count(*) FROM (SELECT * FROM main.\"%s\" EXCEPT SELECT * "
			"FROM b.\"%s\")) + abs((SELECT count(*) FROM main.\"%s\") - (SELECT "
			"count(*) FROM b.\"%s\")) + 1000 * ((SELECT count(*) FROM main.\"%s\") < "
			"2)",
			t, t, t, t, t);
		if (number(db, sql) != 0)
			fail_msg("%s is not the same", t);
	}
	assert_in_range(count, 4, 40);
	sqlite3_finalize(tables);
	assert_int_equal(number(db, "SELECT count(*) FROM main.sqlite_schema WHERE type <> 'table' "
				    "AND sql NOT IN (SELECT sql FROM b.sqlite_schema)"),
		0);
	sqlite3_close(db);
}

/* ---- moving ---- */

static void note(void *arg, const char *line)
{
	struct fixture *f = arg;

	snprintf(f->told, sizeof(f->told), "%s", line);
}

static bool move(struct fixture *f, const char *from, const char *to)
{
	const struct store_move m = {.schema = f->schema, .tell = note, .arg = f};

	f->e = (struct err)ERR_INIT;
	return store_move(&m, from, to, &f->e);
}

static void must_move(struct fixture *f, const char *from, const char *to)
{
	if (!move(f, from, to))
		fail_msg("%s", f->e.text);
}

static void there_and_back(struct fixture *f, const struct store_schema *schema)
{
	make_source(f, schema);
	must_move(f, f->from, f->to);
	must_move(f, f->to, f->back);
	check_same(f->from, f->back);
}

static void store_move__of_a_registrar__brings_back_what_there_was(void **state)
{
	there_and_back(*state, &records_schema);
}

static void store_move__of_a_masa__brings_back_what_there_was(void **state)
{
	there_and_back(*state, &masa_schema);
}

static bool add_line(struct store *s, const char *step, const char *reason)
{
	const struct journal_entry line = {.at = NOW, .actor = "", .step = step, .reason = reason};
	struct err e = ERR_INIT;

	return records_journal_wait(s, &line, &e);
}

/* Lines written at the target, by its own triggers and functions, continue the chain. */
static void store_move__and_more_written_there__is_one_chain(void **state)
{
	struct fixture *f = *state;
	struct store *s;
	sqlite3 *db;

	make_source(f, &records_schema);
	must_move(f, f->from, f->to);
	s = store_open(f->to, &records_schema, &f->e);
	assert_non_null(s);
	assert_true(add_line(s, "\xc3\xbc", NULL) && add_line(s, "", "\xe2\x82\xac"));
	store_close(s);
	must_move(f, f->to, f->back);
	assert_string_not_equal(f->told, "");
	db = open_file(f->back);
	assert_int_equal(number(db, records_schema.moving.broken), 0);
	assert_int_equal(number(db, "SELECT count(*) FROM journal WHERE hash IS NOT NULL"), 5);
	sqlite3_close(db);
}

/* What an intruder did stays to be seen. */
static void store_move__of_a_broken_chain__says_so_and_keeps_it(void **state)
{
	struct fixture *f = *state;
	sqlite3 *db;

	make_source(f, &records_schema);
	db = open_file(f->from);
	run(db, "DROP TRIGGER journal_stays; UPDATE journal SET actor = 'x' WHERE id = 2;"
		"CREATE TRIGGER journal_stays BEFORE UPDATE ON journal WHEN OLD.hash IS NOT NULL "
		"BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END");
	sqlite3_close(db);
	must_move(f, f->from, f->to);
	assert_non_null(strstr(f->told, "line 2 of the log does not follow"));
}

/* ---- refusals ---- */

static void store_move__where_one_is_in_use__is_refused(void **state)
{
	struct fixture *f = *state;

	make_source(f, &records_schema);
	must_move(f, f->from, f->to);
	assert_false(move(f, f->from, f->to));
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	must_move(f, f->to, f->back); /* nothing happened to it */
	check_same(f->from, f->back);
}

static void store_move__to_one_that_was_never_used__fills_it(void **state)
{
	struct fixture *f = *state;
	struct store *s;

	make_source(f, &records_schema);
	s = store_open(f->to, &records_schema, &f->e);
	assert_non_null(s);
	store_close(s);
	must_move(f, f->from, f->to);
	must_move(f, f->to, f->back);
	check_same(f->from, f->back);
}

static void store_move__of_another_kind_or_of_nothing__is_refused(void **state)
{
	struct fixture *f = *state;

	make_source(f, &records_schema);
	f->schema = &masa_schema;
	assert_false(move(f, f->from, f->to));
	assert_int_equal(f->e.kind, ERR_STORE);
	assert_false(move(f, "/nonexistent/store.db", f->to));
	assert_int_equal(f->e.kind, ERR_STORE);
	assert_false(move(f, f->from, "postgresq://brski:mellon@db/site"));
	assert_int_equal(f->e.kind, ERR_INPUT);
	assert_null(strstr(f->e.text, "mellon"));
}

static void check_in_use(struct fixture *f, const char *where, const char *from, const char *to)
{
	struct store *s = store_open(where, &records_schema, &f->e);

	assert_non_null(s);
	for (int i = 0; i < 1000 && !store_leads(s); i++)
		usleep(20000);
	assert_true(store_leads(s));
	assert_false(move(f, from, to));
	assert_int_equal(f->e.kind, ERR_STORE);
	store_close(s);
}

static void store_move__while_somebody_works_there__is_refused(void **state)
{
	struct fixture *f = *state;

	make_source(f, &records_schema);
	check_in_use(f, f->from, f->from, f->to);
	check_in_use(f, f->to, f->from, f->to);
	must_move(f, f->from, f->to);
	check_in_use(f, f->to, f->to, f->back);
}

/* ---- cut off ---- */

static void store_move__told_to_stop__leaves_nothing(void **state)
{
	const atomic_bool stop = true;
	struct fixture *f = *state;
	const struct store_move m = {.schema = &records_schema, .stop = &stop};

	make_source(f, &records_schema);
	make_long_log(f);
	assert_false(store_move(&m, f->from, f->to, &f->e));
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	if (!store_is_on_a_server())
		assert_int_not_equal(access(f->to, F_OK), 0);
	must_move(f, f->from, f->to);
}

static void die(void *arg, const char *line)
{
	if (strncmp(line, "rule:", 5) == 0) /* half of all tables */
		raise(SIGKILL);
}

static void store_move__killed_in_the_middle__leaves_a_place_as_new(void **state)
{
	struct fixture *f = *state;
	const struct store_move m = {.schema = &records_schema, .tell = die};
	int status;
	pid_t pid;

	make_source(f, &records_schema);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)!store_move(&m, f->from, f->to, &f->e);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	if (!store_is_on_a_server())
		assert_int_not_equal(access(f->to, F_OK), 0);
	must_move(f, f->from, f->to);
	must_move(f, f->to, f->back);
	check_same(f->from, f->back);
}

/* ---- backups of a database ---- */

static void store_save__of_a_database_in_use__is_a_file_that_can_be_loaded(void **state)
{
	struct fixture *f = *state;
	struct store_move m = {.schema = &records_schema};
	struct store *s;
	int64_t octets = 0;

	if (!store_is_on_a_server())
		SKIP_BECAUSE("no PostgreSQL in this run");
	make_source(f, &records_schema);
	must_move(f, f->from, f->to);
	s = store_open(f->to, &records_schema, &f->e);
	assert_non_null(s);
	assert_true(store_save(&m, s, f->back, &octets, &f->e));
	assert_in_range(octets, 4096, 10000000);
	assert_false(store_save(&m, s, f->back, &octets, &f->e)); /* never over one that is there */
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	store_close(s);
	check_same(f->from, f->back);
}

static bool adopt(void *arg, const char *path, struct err *e)
{
	struct store *s = store_open(path, &records_schema, e);
	bool ok = s && add_line(s, "restore", NULL);

	store_close(s);
	return ok;
}

static void store_load__of_a_backup__leaves_the_backup_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct store_move m = {.schema = &records_schema};
	sqlite3 *db;

	if (!store_is_on_a_server())
		SKIP_BECAUSE("no PostgreSQL in this run");
	make_source(f, &records_schema);
	assert_true(store_load(&m, f->from, f->to, adopt, NULL, &f->e));
	must_move(f, f->to, f->back);
	db = open_file(f->back);
	assert_int_equal(number(db, "SELECT count(*) FROM journal"), 4);
	sqlite3_close(db);
	db = open_file(f->from);
	assert_int_equal(number(db, "SELECT count(*) FROM journal"), 3);
	sqlite3_close(db);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/store_move.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->from, sizeof(f->from), "%s/from.db", f->dir);
	snprintf(f->back, sizeof(f->back), "%s/back.db", f->dir);
	store_place(f->dir, "to", f->to);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(store_move__of_a_registrar__brings_back_what_there_was),
		TEST(store_move__of_a_masa__brings_back_what_there_was),
		TEST(store_move__and_more_written_there__is_one_chain),
		TEST(store_move__of_a_broken_chain__says_so_and_keeps_it),
		TEST(store_move__where_one_is_in_use__is_refused),
		TEST(store_move__to_one_that_was_never_used__fills_it),
		TEST(store_move__of_another_kind_or_of_nothing__is_refused),
		TEST(store_move__while_somebody_works_there__is_refused),
		TEST(store_move__told_to_stop__leaves_nothing),
		TEST(store_move__killed_in_the_middle__leaves_a_place_as_new),
		TEST(store_save__of_a_database_in_use__is_a_file_that_can_be_loaded),
		TEST(store_load__of_a_backup__leaves_the_backup_as_it_is),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
