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

#define ROWS	  60 /* two on a page: thirty pages to undo */
#define ROW_BYTES 1500

enum { ADD, TOUCH, STATEMENT_COUNT };

static const char *const migrations[] = {
	"CREATE TABLE things (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, raw BLOB)", NULL};
static const char *const statements[] = {
	[ADD] = "INSERT INTO things (id, revision, raw) VALUES ($1, 0, zeroblob($2))",
	[TOUCH] = "UPDATE things SET revision = revision + 1",
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

static void store_write__pages_of_an_onboarding__make_no_temporary_file(void **state)
{
	char path[] = "/tmp/store_sqlite_test.XXXXXX", cmd[64];
	struct err e = ERR_INIT;
	struct store *s;
	sqlite3_vfs *files;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	s = store_open(path, &schema, &e);
	if (!s)
		fail_msg("%s", e.text);
	for (int64_t id = 1; id <= ROWS; id++)
		write_one(s, &(struct store_op){.statement = ADD,
				     .params = {STORE_I(id), STORE_I(ROW_BYTES)},
				     .param_count = 2});
	files = sqlite3_vfs_find(NULL);
	assert_int_equal(
		files->xSetSystemCall(files, "open", (sqlite3_syscall_ptr)counting_open), 0);
	write_one(s, &(struct store_op){.statement = TOUCH});
	assert_int_equal(files->xSetSystemCall(files, "open", NULL), 0);
	assert_int_equal(temporary_files, 0);
	store_close(s);
	snprintf(cmd, sizeof(cmd), "rm -f %s*", path);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_write__pages_of_an_onboarding__make_no_temporary_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
