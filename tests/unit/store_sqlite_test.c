/* SPDX-License-Identifier: Apache-2.0 */
/* What only SQLite's store has: the files beside its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/run/store.h"

#define ROWS	  60  /* two on a page: thirty pages to undo */
#define MANY_ROWS 300 /* more than are kept in memory */
#define ROW_BYTES 1500

enum { ADD, TOUCH, TOUCHED, STATEMENT_COUNT };

static const char *const migrations[] = {
	"CREATE TABLE things (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, raw BLOB)", NULL};
static const char *const statements[] = {
	[ADD] = "INSERT INTO things (id, revision, raw) VALUES ($1, 0, zeroblob($2))",
	[TOUCH] = "UPDATE things SET revision = revision + 1",
	[TOUCHED] = "SELECT count(*) FROM things WHERE revision = $1",
	[STATEMENT_COUNT] = NULL,
};
static const struct store_schema schema = {"test", migrations, statements, {NULL, 0, NULL}};

static int temporary_files;

/* SQLite's own are named so. */
static int counting_open(const char *path, int flags, int mode)
{
	temporary_files += strstr(path, "etilqs") != NULL;
	return open(path, flags, mode);
}

static void write_one(struct store *s, const struct store_op *op)
{
	struct err e = ERR_INIT;

	if (!store_write_wait(s, op, 1, NULL, &e))
		fail_msg("%s", e.text);
}

static struct store_op add(int64_t id)
{
	return (struct store_op){
		.statement = ADD, .params = {STORE_I(id), STORE_I(ROW_BYTES)}, .param_count = 2};
}

static struct store *filled(const char *path, int64_t rows)
{
	struct err e = ERR_INIT;
	struct store *s = store_open(path, &schema, &e);

	if (!s)
		fail_msg("%s", e.text);
	for (int64_t id = 1; id <= rows; id++) {
		const struct store_op op = add(id);

		write_one(s, &op);
	}
	return s;
}

static int make_file(void **state)
{
	static char path[32];
	int fd;

	snprintf(path, sizeof(path), "/tmp/store_sqlite_test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	temporary_files = 0;
	*state = path;
	return 0;
}

static int remove_files(void **state)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -f %s*", (const char *)*state);
	return system(cmd);
}

static void store_write__pages_of_an_onboarding__make_no_temporary_file(void **state)
{
	struct store *s = filled(*state, ROWS);
	sqlite3_vfs *files = sqlite3_vfs_find(NULL);

	assert_int_equal(
		files->xSetSystemCall(files, "open", (sqlite3_syscall_ptr)counting_open), 0);
	write_one(s, &(struct store_op){.statement = TOUCH});
	assert_int_equal(files->xSetSystemCall(files, "open", NULL), 0);
	assert_int_equal(temporary_files, 0);
	store_close(s);
}

static bool read_int(void *arg, const struct store_row *r, struct err *e)
{
	(void)e;
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

static int64_t touched(struct store *s, int64_t times)
{
	struct store_value v = STORE_I(times);
	struct err e = ERR_INIT;
	int64_t n = -1;

	assert_true(store_read(s, TOUCHED, &v, 1, read_int, &n, NULL, &e));
	return n;
}

/* SQLite moves what it has in memory to a file by one write. */
static void store_write__more_pages_than_memory_holds__are_written_or_undone(void **state)
{
	struct store *s = filled(*state, MANY_ROWS);
	const struct store_op twice[] = {{.statement = TOUCH}, add(1)};
	sqlite3_vfs *files = sqlite3_vfs_find(NULL);
	struct err e = ERR_INIT;

	assert_int_equal(
		files->xSetSystemCall(files, "open", (sqlite3_syscall_ptr)counting_open), 0);
	write_one(s, &(struct store_op){.statement = TOUCH});
	assert_int_equal(touched(s, 1), MANY_ROWS);
	assert_false(store_write_wait(s, twice, 2, NULL, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(touched(s, 1), MANY_ROWS);
	assert_int_equal(files->xSetSystemCall(files, "open", NULL), 0);
	assert_int_equal(temporary_files, 2);
	store_close(s);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, make_file, remove_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(store_write__pages_of_an_onboarding__make_no_temporary_file),
		TEST(store_write__more_pages_than_memory_holds__are_written_or_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
