/* SPDX-License-Identifier: Apache-2.0 */
/* The store: durability, group commit, lone failures, locks, versions, concurrent readers. Written
 * against store.h only, so that it runs over every engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/run/store.h"
#include "tests/unit/store_fixture.h"

enum { ADD, RENAME, COUNT, ALL, GET, STATEMENT_COUNT };

static const char *const migrations[] = {
	"CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, raw BLOB)",
	"CREATE UNIQUE INDEX things_name ON things (name)",
	NULL,
};
static const char *const first_migration[] = {
	"CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, raw BLOB)", NULL};
static const char *const broken_migration[] = {
	"CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, raw BLOB)",
	"CREATE TABLE more (id INTEGER); CREATE TABLE things (id INTEGER)", NULL};
static const char *const statements[] = {
	[ADD] = "INSERT INTO things (raw, name, id) VALUES ($3, $2, $1)",
	[RENAME] = "UPDATE things SET name = $2 WHERE id = $1",
	[COUNT] = "SELECT count(*) FROM things",
	[ALL] = "SELECT id, name, raw FROM things ORDER BY id",
	[GET] = "SELECT id, name, raw FROM things WHERE id = $1",
	[STATEMENT_COUNT] = NULL,
};
#define POSTGRES_THINGS "CREATE TABLE things (id bigint PRIMARY KEY, name text NOT NULL, raw bytea)"
static const char *const postgres_migrations[] = {
	POSTGRES_THINGS, "CREATE UNIQUE INDEX things_name ON things (name)", NULL};
static const char *const postgres_first[] = {POSTGRES_THINGS, NULL};
static const char *const postgres_broken[] = {
	POSTGRES_THINGS, "CREATE TABLE more (id bigint); CREATE TABLE things (id bigint)", NULL};
static const char *const postgres_statements[STATEMENT_COUNT] = {
	[ADD] = "INSERT INTO things (raw, name, id) VALUES ($3, $2,"
		" coalesce($1, (SELECT coalesce(max(id), 0) + 1 FROM things)))",
};
static const struct store_schema schema = {
	"test", migrations, statements, {postgres_migrations, 1, postgres_statements}};
static const struct store_schema older = {
	"test", first_migration, statements, {postgres_first, 1, postgres_statements}};
static const struct store_schema broken = {
	"test", broken_migration, statements, {postgres_broken, 1, postgres_statements}};
static const struct store_schema other = {
	"other", migrations, statements, {postgres_migrations, 1, postgres_statements}};

struct fixture {
	char dir[64];
	char path[STORE_PLACE_MAX];
	struct store *store;
	struct err e;
};

static void reopen(struct fixture *f)
{
	store_close(f->store);
	f->store = store_open(f->path, &schema, &f->e);
	if (!f->store)
		fail_msg("%s", f->e.text);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "t", f->path);
	*state = f;
	reopen(f);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	store_close(f->store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

static struct store_op add(int64_t id, const char *name)
{
	return (struct store_op){.statement = ADD,
		.params = {STORE_I(id), store_text(name), store_blob(bytes_of("\0\1", 2))},
		.param_count = 3};
}

static bool put(struct fixture *f, int64_t id, const char *name)
{
	struct store_op op = add(id, name);

	return store_write_wait(f->store, &op, 1, NULL, &f->e);
}

static bool read_int(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

static int64_t count(struct store *s)
{
	struct err e = ERR_INIT;
	int64_t n = -1;

	assert_true(store_read(s, COUNT, NULL, 0, read_int, &n, NULL, &e));
	return n;
}

struct seen {
	char name[32];
	size_t raw_len;
	bool raw_null;
};

static bool read_thing(void *arg, const struct store_row *r, struct err *e)
{
	struct seen *s = arg;

	snprintf(s->name, sizeof(s->name), "%s", store_row_text(r, 1));
	s->raw_len = store_row_blob(r, 2).len;
	s->raw_null = store_row_text(r, 2) == NULL;
	return true;
}

static void store_write_wait__row__is_read_back_and_survives_reopening(void **state)
{
	struct fixture *f = *state;
	struct seen s;
	struct store_value id = STORE_I(7);
	int64_t rows;

	assert_true(put(f, 7, "seven"));
	reopen(f);
	assert_true(store_read(f->store, GET, &id, 1, read_thing, &s, &rows, &f->e));
	assert_int_equal(rows, 1);
	assert_string_equal(s.name, "seven");
	assert_int_equal(s.raw_len, 2);
}

static void store_write_wait__null_and_empty__are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct store_op null = add(1, "n"), empty = add(2, "");
	struct store_value id = STORE_I(1);
	struct seen s;

	null.params[2] = store_blob((struct bytes){NULL, 0});
	empty.params[2] = store_blob(bytes_of("", 0));
	assert_true(store_write_wait(f->store, &null, 1, NULL, &f->e));
	assert_true(store_write_wait(f->store, &empty, 1, NULL, &f->e));
	assert_true(store_read(f->store, GET, &id, 1, read_thing, &s, NULL, &f->e));
	assert_true(s.raw_null);
	id = STORE_I(2);
	assert_true(store_read(f->store, GET, &id, 1, read_thing, &s, NULL, &f->e));
	assert_false(s.raw_null);
	assert_string_equal(s.name, "");
}

static void store_write_wait__second_step_fails__first_is_undone(void **state)
{
	struct fixture *f = *state;
	struct store_op ops[2] = {add(1, "a"), add(1, "b")};

	assert_false(store_write_wait(f->store, ops, 2, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	assert_int_equal(count(f->store), 0);
	assert_true(put(f, 1, "a"));
}

static void store_write_wait__must_change_changes_nothing__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct store_op ops[2] = {add(1, "a"),
		{.statement = RENAME, .params = {STORE_I(2), store_text("x")}, .param_count = 2}};
	int64_t changed[2] = {-1, -1};

	assert_true(store_write_wait(f->store, ops, 2, changed, &f->e));
	assert_int_equal(changed[0], 1);
	assert_int_equal(changed[1], 0);
	ops[0] = add(3, "c");
	ops[1].must_change = true;
	assert_false(store_write_wait(f->store, ops, 2, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	assert_int_equal(count(f->store), 1);
}

static void store_write_wait__other_than_the_rows_expected__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	struct store_op op = add(1, "a");

	op.rows = 2;
	assert_false(store_write_wait(f->store, &op, 1, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_CONFLICT);
	assert_int_equal(count(f->store), 0);
	op.rows = 1;
	assert_true(store_write_wait(f->store, &op, 1, NULL, &f->e));
}

static void store_write_wait__wrong_number_of_values__is_a_bug_and_harmless(void **state)
{
	struct fixture *f = *state;
	struct store_op op = add(1, "a");

	op.param_count = 2;
	assert_false(store_write_wait(f->store, &op, 1, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_BUG);
	op = add(1, "a");
	op.statement = STATEMENT_COUNT;
	assert_false(store_write_wait(f->store, &op, 1, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_BUG);
	assert_true(put(f, 1, "a"));
}

static void store_write_wait__import_of_many_steps__is_one_transaction(void **state)
{
	struct fixture *f = *state;
	struct store_op *ops = calloc(STORE_IMPORT_MAX + 1, sizeof(*ops));
	int64_t changed[STORE_IMPORT_MAX];
	static char names[STORE_IMPORT_MAX + 1][16];

	for (int i = 0; i <= STORE_IMPORT_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "%d", i);
		ops[i] = add(i + 1, names[i]);
	}
	assert_false(store_write_wait(f->store, ops, STORE_IMPORT_MAX + 1, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_BUG);
	assert_true(store_write_wait(f->store, ops, STORE_IMPORT_MAX, changed, &f->e));
	assert_int_equal(changed[STORE_IMPORT_MAX - 1], 1);
	assert_int_equal(count(f->store), STORE_IMPORT_MAX);
	free(ops);
}

/* ---- batches and loops ---- */

#define WRITES 2000

struct tally {
	struct fixture *f;
	struct loop *loop;
	pthread_t loop_thread;
	size_t done, failed;
	int64_t seen_when_done; /* rows a reader saw inside the first callback */
};

static void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct tally *t = arg;

	assert_true(pthread_equal(pthread_self(), t->loop_thread));
	if (t->done == 0)
		t->seen_when_done = count(t->f->store);
	t->done++;
	if (e) {
		assert_int_equal(e->kind, ERR_CONFLICT);
		t->failed++;
	} else {
		assert_int_equal(changed[0], 1);
	}
	if (t->done == WRITES)
		loop_stop(t->loop);
}

/* Every tenth breaks the unique name: it alone must fail, whatever batch it travels in. */
static void store_write__many_at_once__answer_on_the_loop_and_fail_alone(void **state)
{
	struct tally t = {.f = *state, .loop_thread = pthread_self()};
	char name[32];

	t.loop = loop_new(&t.f->e);
	for (int64_t i = 0; i < WRITES; i++) {
		struct store_op op;

		snprintf(name, sizeof(name), "n%d", i % 10 == 9 ? 0 : (int)i);
		op = add(i, name);
		assert_true(store_write(t.f->store, &op, 1, t.loop, on_done, &t, &t.f->e));
		memset(name, 'x', sizeof(name)); /* the store has its own copy */
	}
	loop_run(t.loop);
	assert_int_equal(t.failed, WRITES / 10);
	assert_int_equal(count(t.f->store), WRITES - WRITES / 10);
	assert_true(t.seen_when_done >= 1);
	loop_free(t.loop);
}

static void ignore_done(void *arg, const int64_t *changed, const struct err *e)
{
	(*(int *)arg)++;
}

static void store_close__work_queued__is_durable_first(void **state)
{
	struct fixture *f = *state;
	int answered = 0;
	char name[16];

	for (int i = 0; i < 300; i++) {
		struct store_op op;

		snprintf(name, sizeof(name), "%d", i);
		op = add(i, name);
		assert_true(store_write(f->store, &op, 1, NULL, ignore_done, &answered, &f->e));
	}
	reopen(f);
	assert_int_equal(answered, 300);
	assert_int_equal(count(f->store), 300);
}

static void *writer(void *arg)
{
	struct fixture *f = arg;

	for (int i = 0; i < 50; i++) {
		struct err e = ERR_INIT;
		char name[64];
		struct store_op op;

		snprintf(name, sizeof(name), "%lx-%d", (unsigned long)pthread_self(), i);
		op = add(0, name);
		op.params[0] = (struct store_value){.type = STORE_NULL};
		assert_true(store_write_wait(f->store, &op, 1, NULL, &e));
	}
	return NULL;
}

static void *reader(void *arg)
{
	struct fixture *f = arg;
	int64_t last = 0, now;

	for (int i = 0; i < 200; i++) {
		now = count(f->store);
		assert_true(now >= last);
		last = now;
	}
	return NULL;
}

/* More readers than connections: they take turns. */
static void store_read__from_many_threads__sees_only_growth(void **state)
{
	pthread_t threads[16];

	for (size_t i = 0; i < 16; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, i < 4 ? writer : reader, *state), 0);
	for (size_t i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count(((struct fixture *)*state)->store), 200);
}

static bool stop_at_once(void *arg, const struct store_row *r, struct err *e)
{
	return false;
}

static bool fail_at_once(void *arg, const struct store_row *r, struct err *e)
{
	return err_set(e, ERR_INPUT, "not this row");
}

static void store_read__row_function_ends_it__with_or_without_error(void **state)
{
	struct fixture *f = *state;
	int64_t rows = 0;

	assert_true(put(f, 1, "a") && put(f, 2, "b"));
	assert_true(store_read(f->store, ALL, NULL, 0, stop_at_once, NULL, &rows, &f->e));
	assert_int_equal(rows, 1);
	assert_false(store_read(f->store, ALL, NULL, 0, fail_at_once, NULL, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_INPUT);
}

static void store_read__statement_that_writes__is_refused(void **state)
{
	struct fixture *f = *state;
	struct store_value v[2] = {STORE_I(1), store_text("x")};

	assert_true(put(f, 1, "a"));
	assert_false(store_read(f->store, RENAME, v, 2, NULL, NULL, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_STORE);
}

/* ---- opening ---- */

static void store_open__second_instance__is_refused_with_the_holders_pid(void **state)
{
	struct fixture *f = *state;
	char want[64];

	snprintf(want, sizeof(want), "already in use by process %ld", (long)getpid());
	assert_null(store_open(f->path, &schema, &f->e));
	assert_non_null(strstr(f->e.text, want));
}

static void store_open__newer_schema__is_refused_and_untouched(void **state)
{
	struct fixture *f = *state;

	assert_true(put(f, 1, "a"));
	store_close(f->store);
	f->store = NULL;
	assert_null(store_open(f->path, &older, &f->e));
	assert_non_null(strstr(f->e.text, "schema version 2, this program knows 1"));
	reopen(f);
	assert_int_equal(count(f->store), 1);
}

static void store_open__older_schema__is_migrated_with_its_rows(void **state)
{
	struct fixture *f = *state;
	char path[STORE_PLACE_MAX];
	struct store *s;
	struct store_op op = add(1, "a");

	store_place(f->dir, "old", path);
	s = store_open(path, &older, &f->e);
	assert_true(store_write_wait(s, &op, 1, NULL, &f->e));
	store_close(s);
	s = store_open(path, &schema, &f->e);
	assert_int_equal(count(s), 1);
	op = add(2, "a");
	assert_false(store_write_wait(s, &op, 1, NULL, &f->e)); /* the new index is there */
	store_close(s);
}

static void store_open__migration_fails__leaves_the_version_before(void **state)
{
	struct fixture *f = *state;
	char path[STORE_PLACE_MAX];
	struct store *s;

	store_place(f->dir, "old", path);
	assert_null(store_open(path, &broken, &f->e));
	assert_non_null(strstr(f->e.text, "to schema version 2"));
	s = store_open(
		path, &schema, &f->e); /* "more" must not be there: nothing of step 2 was kept */
	assert_non_null(s);
	store_close(s);
}

static void store_open__store_of_another_kind__is_refused(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	f->store = NULL;
	assert_null(store_open(f->path, &other, &f->e));
	assert_non_null(strstr(f->e.text, "is not a other store"));
}

static void store_open__not_a_database__is_refused(void **state)
{
	struct fixture *f = *state;
	char path[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/text", f->dir);
	out = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("nothing to see here\n", out);
	fclose(out);
	assert_null(store_open(path, &schema, &f->e));
	assert_int_equal(f->e.kind, ERR_STORE);
}

static void store_open__new_file__is_private(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- bad ends ---- */

/* A child reports each durable row through a pipe and is killed in the middle of its work. */
static void write_until_killed(const char *path, int out)
{
	struct err e = ERR_INIT;
	struct store *s = store_open(path, &schema, &e);

	for (int64_t i = 0; s; i++) {
		struct store_op op;
		char name[24];

		snprintf(name, sizeof(name), "%lld", (long long)i);
		op = add(i, name);
		if (!store_write_wait(s, &op, 1, NULL, &e) || write(out, &i, sizeof(i)) < 0)
			break;
	}
	_exit(1);
}

static void store_write_wait__process_killed__what_was_reported_is_there(void **state)
{
	struct fixture *f = *state;
	int fds[2], status;
	int64_t last = -1, next;
	pid_t child;

	store_close(f->store);
	f->store = NULL;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0)
		write_until_killed(f->path, fds[1]);
	close(fds[1]);
	while (last < 50 && read(fds[0], &next, sizeof(next)) == sizeof(next))
		last = next;
	kill(child, SIGKILL);
	while (read(fds[0], &next, sizeof(next)) == sizeof(next))
		last = next;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	close(fds[0]);
	assert_true(last >= 50);
	reopen(f); /* the dead child's lock went with it */
	assert_true(count(f->store) > last);
}

/* The disk full, played by a limit on file sizes. In a child: the limit is the whole process's. */
static int fill_and_recover(const char *path)
{
	struct err e = ERR_INIT;
	struct store *s = store_open(path, &schema, &e);
	struct rlimit small = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY}, free_again = small;
	static uint8_t big[40000];
	struct store_op op = add(1, "kept"), large = add(2, "large");
	int64_t n;

	free_again.rlim_cur = RLIM_INFINITY;
	large.params[2] = store_blob(bytes_of(big, sizeof(big)));
	signal(SIGXFSZ, SIG_IGN);
	if (!s || !store_write_wait(s, &op, 1, NULL, &e))
		return 1;
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 2; i < 10; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		large.params[0] = STORE_I(i);
		large.params[1] = store_text(name);
		if (!store_write_wait(s, &large, 1, NULL, &e))
			break;
	}
	if (e.kind != ERR_STORE)
		return 2;
	setrlimit(RLIMIT_FSIZE, &free_again);
	n = count(s);
	op = add(1000, "after");
	if (!store_write_wait(s, &op, 1, NULL, &e))
		return 3;
	if (count(s) != n + 1)
		return 4;
	store_close(s);
	return 0;
}

static int64_t size_of(const char *path, const char *end)
{
	char name[128];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, end);
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

static void store_space__of_database_and_log__is_what_the_files_take(void **state)
{
	struct fixture *f = *state;
	struct store_space space;

	assert_true(put(f, 1, "a name"));
	assert_true(store_space(f->store, &space, &f->e));
	assert_int_equal(space.bytes, size_of(f->path, "") + size_of(f->path, "-wal"));
	assert_true(size_of(f->path, "-wal") > 0);
	assert_true(space.free_bytes > 0);
}

static void store_write_wait__disk_full__is_an_error_and_it_recovers(void **state)
{
	struct fixture *f = *state;
	char path[128];
	int status;
	pid_t child;

	store_close(f->store); /* no threads while forking */
	f->store = NULL;
	snprintf(path, sizeof(path), "%s/full.db", f->dir);
	child = fork();
	if (child == 0)
		_exit(fill_and_recover(path));
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(store_write_wait__row__is_read_back_and_survives_reopening),
		TEST(store_write_wait__null_and_empty__are_told_apart),
		TEST(store_write_wait__second_step_fails__first_is_undone),
		TEST(store_write_wait__must_change_changes_nothing__is_a_conflict),
		TEST(store_write_wait__other_than_the_rows_expected__is_a_conflict),
		TEST(store_write_wait__wrong_number_of_values__is_a_bug_and_harmless),
		TEST(store_write_wait__import_of_many_steps__is_one_transaction),
		TEST(store_write__many_at_once__answer_on_the_loop_and_fail_alone),
		TEST(store_close__work_queued__is_durable_first),
		TEST(store_read__from_many_threads__sees_only_growth),
		TEST(store_read__row_function_ends_it__with_or_without_error),
		TEST(store_read__statement_that_writes__is_refused),
		TEST(store_open__newer_schema__is_refused_and_untouched),
		TEST(store_open__older_schema__is_migrated_with_its_rows),
		TEST(store_open__migration_fails__leaves_the_version_before),
		TEST(store_open__store_of_another_kind__is_refused),
		TEST(store_write_wait__process_killed__what_was_reported_is_there),
	};
	const struct CMUnitTest of_files[] = {
		TEST(store_open__second_instance__is_refused_with_the_holders_pid),
		TEST(store_open__not_a_database__is_refused),
		TEST(store_open__new_file__is_private),
		TEST(store_space__of_database_and_log__is_what_the_files_take),
		TEST(store_write_wait__disk_full__is_an_error_and_it_recovers),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (!store_is_on_a_server())
		failed += cmocka_run_group_tests(of_files, NULL, NULL);
	return failed;
}
