/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a store that is in use, and copies put in the place of one that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/run/store_copy.h"
#include "common/run/store_lock.h"

enum { ADD, COUNT, STATEMENT_COUNT };

static const char *const migrations[] = {"CREATE TABLE things (id INTEGER PRIMARY KEY)", NULL};
static const char *const statements[] = {
	[ADD] = "INSERT INTO things (id) VALUES ($1)",
	[COUNT] = "SELECT count(*) FROM things",
	[STATEMENT_COUNT] = NULL,
};
static const struct store_schema schema = {"test", migrations, statements};

struct fixture {
	char dir[64], path[96], copy[96];
	struct store *store;
	struct err e;
	int64_t octets;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/store_copy_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/t.db", f->dir);
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->dir);
	f->store = store_open(f->path, &schema, &f->e);
	assert_non_null(f->store);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char cmd[96];

	store_close(f->store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

static void add(struct fixture *f, int64_t id)
{
	const struct store_op op = {.statement = ADD, .params = {STORE_I(id)}, .param_count = 1};

	if (!store_write_wait(f->store, &op, 1, NULL, &f->e))
		fail_msg("%s", f->e.text);
}

static bool take_count(void *arg, const struct store_row *r, struct err *e)
{
	int64_t *n = arg;

	*n = store_row_int(r, 0);
	return true;
}

static int64_t count_in(const char *path)
{
	struct err e = ERR_INIT;
	struct store *s = store_open(path, &schema, &e);
	int64_t n = -1;

	if (!s || !store_read(s, COUNT, NULL, 0, take_count, &n, NULL, &e))
		fail_msg("%s", e.text);
	store_close(s);
	return n;
}

/* Files in the directory whose names hold the word. */
static int files(const struct fixture *f, const char *word)
{
	DIR *d = opendir(f->dir);
	struct dirent *entry;
	int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += strstr(entry->d_name, word) != NULL;
	closedir(d);
	return n;
}

static void close_store(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

/* ---- store_copy ---- */

static void store_copy__of_a_store_in_use__has_what_was_committed(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	add(f, 1);
	add(f, 2);
	if (!store_copy(f->path, f->copy, NULL, &f->octets, &f->e))
		fail_msg("%s", f->e.text);
	add(f, 3);
	assert_int_equal(stat(f->copy, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, f->octets);
	assert_int_equal(files(f, "copy"), 1);
	assert_int_equal(count_in(f->copy), 2);
}

static void store_copy__to_a_name_that_is_taken__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	assert_true(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	add(f, 1);
	assert_false(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	assert_int_equal(files(f, "copy"), 1);
	assert_int_equal(count_in(f->copy), 0);
}

static void store_copy__told_to_stop__leaves_nothing(void **state)
{
	struct fixture *f = *state;
	atomic_bool stop = true;

	for (int64_t i = 0; i < 3000; i++) {
		struct store_op ops[] = {
			{.statement = ADD, .params = {STORE_I(2 * i)}, .param_count = 1},
			{.statement = ADD, .params = {STORE_I(2 * i + 1)}, .param_count = 1}};

		assert_true(store_write_wait(f->store, ops, 2, NULL, &f->e));
	}
	assert_false(store_copy(f->path, f->copy, &stop, &f->octets, &f->e));
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	assert_int_equal(files(f, "copy"), 0);
}

static void store_copy__of_nothing__is_refused_and_makes_nothing(void **state)
{
	struct fixture *f = *state;
	char nothing[128];

	snprintf(nothing, sizeof(nothing), "%s/nothing", f->dir);
	assert_false(store_copy(nothing, f->copy, NULL, &f->octets, &f->e));
	assert_int_equal(f->e.kind, ERR_STORE);
	assert_int_equal(files(f, "nothing"), 0);
	assert_int_equal(files(f, "copy"), 0);
}

/* ---- store_restore ---- */

static bool adopt_well(void *arg, const char *path, struct err *e)
{
	return count_in(path) == *(const int64_t *)arg || err_set(e, ERR_BUG, "another count");
}

static bool adopt_never(void *arg, const char *path, struct err *e)
{
	return err_set(e, ERR_STORE, "no");
}

static void store_restore__a_copy__takes_the_place_and_what_was_there_is_kept(void **state)
{
	struct fixture *f = *state;
	int64_t two = 2;
	char *kept;

	add(f, 1);
	add(f, 2);
	assert_true(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	add(f, 3);
	close_store(f);
	if (!store_restore(f->copy, f->path, adopt_well, &two, &kept, &f->e))
		fail_msg("%s", f->e.text);
	assert_int_equal(count_in(f->path), 2);
	assert_int_equal(count_in(kept), 3);
	assert_int_equal(files(f, ".restore"), 0);
	free(kept);
}

static void store_restore__where_nothing_was__keeps_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t none = 0;
	char *kept;

	assert_true(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	close_store(f);
	assert_int_equal(unlink(f->path), 0);
	assert_true(store_restore(f->copy, f->path, adopt_well, &none, &kept, &f->e));
	assert_null(kept);
	assert_int_equal(count_in(f->path), 0);
}

static void store_restore__not_adopted__changes_nothing(void **state)
{
	struct fixture *f = *state;
	char *kept;

	assert_true(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	add(f, 1);
	close_store(f);
	assert_false(store_restore(f->copy, f->path, adopt_never, NULL, &kept, &f->e));
	assert_null(kept);
	assert_int_equal(files(f, ".restore") + files(f, ".replaced"), 0);
	assert_int_equal(count_in(f->path), 1);
}

static void store_restore__under_a_store_in_use__is_refused(void **state)
{
	struct fixture *f = *state;
	char *kept;

	assert_true(store_copy(f->path, f->copy, NULL, &f->octets, &f->e));
	add(f, 1);
	assert_false(store_restore(f->copy, f->path, adopt_never, NULL, &kept, &f->e));
	assert_non_null(strstr(f->e.text, "already in use by process"));
	add(f, 2);
}

/* ---- store_lock ---- */

static void store_lock__once_given_back__is_to_be_had_again(void **state)
{
	struct fixture *f = *state;
	int fd;

	assert_int_equal(store_lock(f->path, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_STORE);
	close_store(f);
	fd = store_lock(f->path, &f->e);
	assert_true(fd >= 0);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(store_copy__of_a_store_in_use__has_what_was_committed),
		T(store_copy__to_a_name_that_is_taken__is_a_conflict),
		T(store_copy__told_to_stop__leaves_nothing),
		T(store_copy__of_nothing__is_refused_and_makes_nothing),
		T(store_restore__a_copy__takes_the_place_and_what_was_there_is_kept),
		T(store_restore__where_nothing_was__keeps_nothing),
		T(store_restore__not_adopted__changes_nothing),
		T(store_restore__under_a_store_in_use__is_refused),
		T(store_lock__once_given_back__is_to_be_had_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
