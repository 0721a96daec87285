/* SPDX-License-Identifier: Apache-2.0 */
/* What only the PostgreSQL engine has to hold: values on their way through the protocol, several
 * processes on one database, and a server that is killed, hangs, comes back, or whose answer to a
 * COMMIT is lost. With a server of its own, for what is done to it would disturb others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pki/hash_chain.h"
#include "common/run/store_engine.h"
#include "tests/unit/store_server.h"

#define WAIT_MS	 20000 /* for what must happen */
#define PASSWORD "sesame"

enum { ADD, BUMP, GET, COUNT, BUMPED, ALL, WIDE, SUM, HASH, LONG, NAP, MANY, STATEMENT_COUNT };

static const char *const sqlite_migrations[] = {"CREATE TABLE nothing (id INTEGER)", NULL};
static const char *const statements[STATEMENT_COUNT + 1] = {
	[ADD] = "INSERT INTO log (id, text, raw, hash) VALUES ((SELECT coalesce(max(log.id), 0) + 1"
		" FROM log), $1, $2, chain_hash((SELECT log.hash FROM log ORDER BY log.id DESC"
		" LIMIT 1), $1))",
	[BUMP] = "UPDATE counter SET n = n + $1",
	[GET] = "SELECT $1, CAST($2 AS bytea), $3, CAST($4 AS bigint), n > -1 FROM counter",
	[COUNT] = "SELECT count(*) FROM log",
	[BUMPED] = "SELECT n FROM counter",
	[ALL] = "SELECT id, text, raw, hash FROM log ORDER BY id",
	[WIDE] = "SELECT $1 + 1",
	[SUM] = "SELECT sum(v) FROM (VALUES (CAST($1 AS bigint)), ($2)) AS t (v)",
	[HASH] = "SELECT chain_hash(CAST($1 AS bytea), CAST($2 AS text), CAST($3 AS text))",
	[LONG] = "SELECT pg_sleep(3)",
	[NAP] = "SELECT pg_sleep(0.003)",
	[MANY] = "SELECT n FROM generate_series(1, 200000) AS t (n)",
	[STATEMENT_COUNT] = NULL,
};
static const char *const migrations[] = {
	"CREATE TABLE log (id bigint PRIMARY KEY, text text, raw bytea, hash bytea NOT NULL);"
	"CREATE TABLE counter (n bigint NOT NULL CHECK (n < 1000000)); INSERT INTO counter VALUES "
	"(0)",
	NULL};
static const struct store_schema schema = {
	"test", sqlite_migrations, statements, {migrations, 1, NULL}};

/* ---- the server ---- */

struct server {
	char folder[64];
	char uri[200]; /* the server's */
};

struct fixture {
	struct server *server;
	char where[STORE_PLACE_MAX];
	struct store *store;
	struct err e;
	long long deadlocks; /* that there were before */
};

static void server_do(const struct server *s, const char *what)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "tests/tools/postgres.py %s %s/pg >%s/uri", what, s->folder,
		s->folder);
	if (system(cmd) != 0)
		fail_msg("%s", cmd);
}

static int server_up(void **state)
{
	struct server *s = calloc(1, sizeof(*s));
	char name[100];
	FILE *in;

	snprintf(s->folder, sizeof(s->folder), "/tmp/store_postgres.XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	assert_int_equal(chmod(s->folder, 0755), 0);
	server_do(s, "start");
	snprintf(name, sizeof(name), "%s/uri", s->folder);
	in = fopen(name, "r");
	assert_non_null(fgets(s->uri, sizeof(s->uri), in));
	s->uri[strcspn(s->uri, "\n")] = '\0';
	fclose(in);
	*state = s;
	return 0;
}

static int server_down(void **state)
{
	struct server *s = *state;
	char cmd[128];

	server_do(s, "stop");
	snprintf(cmd, sizeof(cmd), "rm -rf %s", s->folder);
	assert_int_equal(system(cmd), 0);
	free(s);
	return 0;
}

static struct store *open_at(const char *where)
{
	struct err e = ERR_INIT;
	struct store *s = store_open(where, &schema, &e);

	if (!s)
		fail_msg("%s", e.text);
	return s;
}

static int set_up(void **state)
{
	static int number;
	struct fixture *f = calloc(1, sizeof(*f));
	char name[32];

	f->server = *state;
	snprintf(name, sizeof(name), "n%d", ++number);
	store_place_on(f->server->uri, name, f->where);
	f->store = open_at(f->where);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	*state = f->server;
	free(f);
	return 0;
}

/* ---- asking ---- */

static bool read_int(void *arg, const struct store_row *r, struct err *e)
{
	*(int64_t *)arg = store_row_int(r, 0);
	return true;
}

static bool ask_int(struct store *s, int statement, int64_t *n, struct err *e)
{
	return store_read(s, statement, NULL, 0, read_int, n, NULL, e);
}

static int64_t number(struct store *s, int statement)
{
	struct err e = ERR_INIT;
	int64_t n = -1, end = clock_mono_ms() + WAIT_MS;

	while (!ask_int(s, statement, &n, &e)) {
		if (clock_mono_ms() > end)
			fail_msg("%s", e.text);
		usleep(20000);
	}
	return n;
}

static struct store_op add(const char *text)
{
	return (struct store_op){.statement = ADD,
		.params = {store_text(text), store_blob(bytes_of("\0\1\0", 3))},
		.param_count = 2,
		.rows = 1};
}

static struct store_op bump(int64_t by)
{
	return (struct store_op){
		.statement = BUMP, .params = {STORE_I(by)}, .param_count = 1, .must_change = true};
}

static bool write_one(struct store *s, struct store_op op, struct err *e)
{
	return store_write_wait(s, &op, 1, NULL, e);
}

static bool comes_true(bool (*condition)(void *arg), void *arg)
{
	int64_t end = clock_mono_ms() + WAIT_MS;

	while (clock_mono_ms() < end) {
		if (condition(arg))
			return true;
		usleep(5000);
	}
	return false;
}

static bool is_ready(void *store)
{
	return store_ready(store);
}

static bool is_not_ready(void *store)
{
	return !store_ready(store);
}

static bool leads(void *store)
{
	return store_leads(store);
}

static bool leads_not(void *store)
{
	return !store_leads(store);
}

static bool is_one(void *arg)
{
	return atomic_load((atomic_int *)arg) == 1;
}

/* ---- values ---- */

static bool check_values(void *arg, const struct store_row *r, struct err *e)
{
	struct bytes blob = store_row_blob(r, 1);

	assert_string_equal(store_row_text(r, 0), "Grüße, 世界 'quoted' \\x");
	assert_int_equal(blob.len, 5);
	assert_memory_equal(blob.data, "\0a\0\xff\0", 5);
	assert_null(store_row_text(r, 2));
	assert_int_equal(store_row_blob(r, 2).len, 0);
	assert_int_equal(store_row_int(r, 2), 0);
	assert_true(store_row_int(r, 3) == *(int64_t *)arg);
	assert_int_equal(store_row_int(r, 4), 1);
	return true;
}

static void store_read__values_of_every_kind__come_back_as_they_went(void **state)
{
	struct fixture *f = *state;
	const int64_t numbers[] = {INT64_MIN, -1, 0, 1, INT64_MAX};

	for (size_t i = 0; i < 5; i++) {
		int64_t n = numbers[i];
		struct store_value v[4] = {store_text("Grüße, 世界 'quoted' \\x"),
			store_blob(bytes_of("\0a\0\xff\0", 5)), store_text(NULL), STORE_I(n)};

		if (!store_read(f->store, GET, v, 4, check_values, &n, NULL, &f->e))
			fail_msg("%s", f->e.text);
	}
}

/* "$1 + 1" alone means a number of 32 bits to it, and sums are numbers of any size. */
static void store_read__numbers_beyond_32_bits__are_whole(void **state)
{
	struct fixture *f = *state;
	struct store_value v[2] = {STORE_I(INT64_MAX - 1), STORE_I(-30000)};
	int64_t n;

	assert_true(store_read(f->store, WIDE, v, 1, read_int, &n, NULL, &f->e));
	assert_true(n == INT64_MAX);
	assert_true(store_read(f->store, SUM, v, 2, read_int, &n, NULL, &f->e));
	assert_true(n == INT64_MAX - 30001);
	v[0] = STORE_I(-5000000000);
	assert_true(store_read(f->store, SUM, v, 2, read_int, &n, NULL, &f->e));
	assert_true(n == -5000030000);
}

static void store_write_wait__text_with_a_zero_octet__is_refused_alone(void **state)
{
	struct fixture *f = *state;
	struct store_op op = add("x");

	op.params[0].octets = bytes_of("a\0b", 3);
	assert_false(write_one(f->store, op, &f->e));
	assert_int_equal(f->e.kind, ERR_INPUT);
	assert_true(write_one(f->store, add("x"), &f->e));
	assert_int_equal(number(f->store, COUNT), 1);
}

static bool copy_hash(void *arg, const struct store_row *r, struct err *e)
{
	assert_int_equal(store_row_blob(r, 0).len, SHA256_LEN);
	memcpy(arg, store_row_blob(r, 0).data, SHA256_LEN);
	return true;
}

static void chain_hash__in_the_database__is_that_of_hash_chain_next(void **state)
{
	struct fixture *f = *state;
	static const char *const texts[][2] = {
		{"a", "b"}, {"", NULL}, {NULL, ""}, {"Grüße", "12:-"}, {"-", "世界"}};
	uint8_t previous[SHA256_LEN], ours[SHA256_LEN], theirs[SHA256_LEN];

	memset(previous, 7, sizeof(previous));
	for (size_t i = 0; i < 10; i++) {
		const uint8_t *before = i % 2 ? previous : NULL;
		struct bytes fields[2] = {{NULL, 0}, {NULL, 0}};
		struct store_value v[3] = {store_blob(bytes_of(before, before ? SHA256_LEN : 0))};

		for (size_t k = 0; k < 2; k++) {
			v[k + 1] = store_text(texts[i / 2][k]);
			if (texts[i / 2][k])
				fields[k] = bytes_of_str(texts[i / 2][k]);
		}
		assert_true(hash_chain_next(before, fields, 2, ours, &f->e));
		assert_true(store_read(f->store, HASH, v, 3, copy_hash, theirs, NULL, &f->e));
		assert_memory_equal(ours, theirs, SHA256_LEN);
	}
}

static bool stop_at_once(void *arg, const struct store_row *r, struct err *e)
{
	return false;
}

static void store_read__of_many_rows_ended_early__leaves_the_store_usable(void **state)
{
	struct fixture *f = *state;
	int64_t rows;

	for (int i = 0; i < 20; i++) {
		assert_true(store_read(f->store, MANY, NULL, 0, stop_at_once, NULL, &rows, &f->e));
		assert_int_equal(rows, 1);
		assert_true(store_ready(f->store));
	}
	assert_true(store_read(f->store, MANY, NULL, 0, NULL, NULL, &rows, &f->e));
	assert_int_equal(rows, 200000);
}

/* ---- batches ---- */

struct tally {
	pthread_mutex_t lock;
	int done, conflicts, others;
	struct err last; /* of those */
};

static void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct tally *t = arg;

	pthread_mutex_lock(&t->lock);
	t->done++;
	t->conflicts += e && e->kind == ERR_CONFLICT;
	t->others += e && e->kind != ERR_CONFLICT;
	if (e)
		t->last = *e;
	pthread_mutex_unlock(&t->lock);
}

/* How many are done, how many of them not well. */
static void look_at(struct tally *t, int *done, int *bad)
{
	pthread_mutex_lock(&t->lock);
	*done = t->done;
	*bad = t->conflicts + t->others;
	pthread_mutex_unlock(&t->lock);
}

static bool is_done(void *arg)
{
	int done, bad;

	look_at(arg, &done, &bad);
	return done == 1;
}

/* Conflicts of every kind in one batch with what is good. */
static void store_write__conflicts_among_good_ones__fail_alone(void **state)
{
	struct fixture *f = *state;
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};

	for (int i = 0; i < 300; i++) {
		struct store_op ops[2] = {bump(1), add("x")};

		if (i % 3 == 1)
			ops[0] = bump(1000000); /* CHECK */
		if (i % 3 == 2)
			ops[1].rows = 2; /* one row changes */
		assert_true(store_write(f->store, ops, 2, NULL, on_done, &t, &f->e));
	}
	store_close(f->store);
	assert_int_equal(t.done, 300);
	assert_int_equal(t.conflicts, 200);
	assert_int_equal(t.others, 0);
	f->store = open_at(f->where);
	assert_int_equal(number(f->store, BUMPED), 100);
	assert_int_equal(number(f->store, COUNT), 100);
}

/* ---- two on one database ---- */

struct lines {
	int64_t last;
	uint8_t hash[SHA256_LEN];
};

static bool check_line(void *arg, const struct store_row *r, struct err *e)
{
	struct lines *l = arg;
	struct bytes text = bytes_of_str(store_row_text(r, 1));

	assert_int_equal(store_row_int(r, 0), l->last + 1);
	assert_true(hash_chain_next(l->last ? l->hash : NULL, &text, 1, l->hash, e));
	assert_int_equal(store_row_blob(r, 3).len, SHA256_LEN);
	assert_memory_equal(store_row_blob(r, 3).data, l->hash, SHA256_LEN);
	l->last++;
	return true;
}

/* Numbered without a gap, each hash of the one before. */
static int64_t check_log(struct store *s)
{
	struct lines l = {.last = 0};
	struct err e = ERR_INIT;

	if (!store_read(s, ALL, NULL, 0, check_line, &l, NULL, &e))
		fail_msg("%s", e.text);
	return l.last;
}

/* Each takes its time between reading the last number and committing the next. */
static void *write_thirty(void *arg)
{
	for (int i = 0; i < 30; i++) {
		struct store_op ops[3] = {add("x"), {.statement = NAP}, bump(1)};
		struct err e = ERR_INIT;

		if (!store_write_wait(arg, ops, 3, NULL, &e))
			return NULL; /* it will be missing */
	}
	return NULL;
}

/* Each batch reads where the one before has ended, whosever that was. */
static void store_write__by_two_stores_at_once__numbers_and_chain_are_whole(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_at(f->where);
	pthread_t threads[6];

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, write_thirty, i % 2 ? other : f->store),
			0);
	for (size_t i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	store_close(other);
	assert_int_equal(check_log(f->store), 180);
	assert_int_equal(number(f->store, BUMPED), 180);
}

static void count_up(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void store_watch__another_process_commits__is_told_and_own_only_once(void **state)
{
	struct fixture *f = *state;
	struct store *other = open_at(f->where);
	atomic_int here = 0, there = 0;

	store_watch(f->store, count_up, &here);
	store_watch(other, count_up, &there);
	assert_true(write_one(f->store, add("x"), &f->e));
	assert_true(comes_true(is_one, &there));
	usleep(100000); /* own notification would come now */
	assert_int_equal(atomic_load(&here), 1);
	assert_int_equal(atomic_load(&there), 1);
	store_close(other);
}

/* ---- a server that goes away ---- */

struct busy {
	struct store *store;
	atomic_bool stop;
	atomic_llong acknowledged, failed;
};

static void *write_on(void *arg)
{
	struct busy *b = arg;

	while (!atomic_load(&b->stop)) {
		struct store_op ops[2] = {add("x"), bump(1)};
		struct err e = ERR_INIT;

		if (store_write_wait(b->store, ops, 2, NULL, &e))
			atomic_fetch_add(&b->acknowledged, 1);
		else
			atomic_fetch_add(&b->failed, 1);
	}
	return NULL;
}

static bool has_ten_more(void *arg)
{
	struct busy *b = arg;

	return atomic_load(&b->acknowledged) >= 10;
}

static void store_write__server_killed_and_started__nothing_is_lost_or_twice(void **state)
{
	struct fixture *f = *state;
	struct busy b = {.store = f->store};
	pthread_t threads[3];
	long long total = 0;

	for (size_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, write_on, &b);
	for (int round = 0; round < 2; round++) {
		assert_true(comes_true(has_ten_more, &b));
		server_do(f->server, "kill");
		total += atomic_exchange(&b.acknowledged, 0);
		server_do(f->server, "start");
	}
	assert_true(comes_true(has_ten_more, &b));
	atomic_store(&b.stop, true);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	total += atomic_load(&b.acknowledged);
	assert_int_equal(atomic_load(&b.failed), 0);
	assert_true(comes_true(is_ready, f->store));
	assert_int_equal(number(f->store, BUMPED), total);
	assert_int_equal(check_log(f->store), total);
}

static void store_read__server_hangs__fails_in_time_then_at_once_then_works(void **state)
{
	struct fixture *f = *state;
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct store_op op = bump(1);
	int64_t start, first, second, n;
	int done, bad;

	number(f->store, BUMPED);
	server_do(f->server, "freeze");
	assert_true(store_write(f->store, &op, 1, NULL, on_done, &t, &f->e));
	start = clock_mono_ms();
	assert_false(ask_int(f->store, BUMPED, &n, &f->e));
	first = clock_mono_ms() - start;
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	start = clock_mono_ms();
	assert_false(ask_int(f->store, BUMPED, &n, &f->e));
	second = clock_mono_ms() - start;
	assert_false(store_ready(f->store));
	assert_true(comes_true(leads_not, f->store));
	server_do(f->server, "thaw");
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	assert_in_range(first, 0, 4 * STORE_READ_WAIT_MS); /* or as long as it hangs */
	assert_in_range(second, 0, STORE_READ_WAIT_MS / 2);
	assert_true(comes_true(is_ready, f->store));
	assert_true(write_one(f->store, bump(1), &f->e)); /* behind the one of before */
	look_at(&t, &done, &bad);
	assert_int_equal(done, 1);
	assert_int_equal(bad, 0);
	assert_int_equal(number(f->store, BUMPED), 2);
}

/* It is slow, not away: only who asked is told so. */
static void store_read__one_slow_question__does_not_end_the_others(void **state)
{
	struct fixture *f = *state;

	assert_false(store_read(f->store, LONG, NULL, 0, NULL, NULL, NULL, &f->e));
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	assert_true(comes_true(is_ready, f->store));
	assert_int_equal(number(f->store, BUMPED), 0);
	assert_true(write_one(f->store, bump(1), &f->e));
}

/* ---- a line that is cut ---- */

#define FOR_GOOD_MS 3600000 /* until the test opens it */

enum cut { PASS, CUT_BEFORE, CUT_AFTER, CUT_LATE, CUT_NOW };

/* Forwards connections to the server; at a COMMIT it cuts them all, before the server has got it or
 * after it has answered, which nobody then hears. CUT_LATE: the server does not hear of that and
 * gets the COMMIT when `late` is set. CUT_NOW: at once, whatever is said. */
struct relay {
	int listener, server_port, port;
	pthread_t thread;
	atomic_int cut;
	atomic_int cuts;
	atomic_llong closed_until_ms; /* nobody gets through before */
	int closed_for_ms;	      /* after a cut */
	atomic_bool late;
	char held[4096]; /* the COMMIT, for the server at held_to */
	size_t held_len;
	int held_to;
	int pairs[64][2];
	size_t count;
};

static int dial(int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void drop(struct relay *r, size_t i)
{
	close(r->pairs[i][0]);
	close(r->pairs[i][1]);
	r->pairs[i][0] = r->pairs[--r->count][0];
	r->pairs[i][1] = r->pairs[r->count][1];
}

static void cut_all(struct relay *r)
{
	atomic_store(&r->cut, PASS);
	atomic_store(&r->closed_until_ms, clock_mono_ms() + r->closed_for_ms);
	while (r->count > 0)
		drop(r, 0);
	atomic_fetch_add(&r->cuts, 1);
}

static bool hold(struct relay *r, size_t i, const char *octets, size_t len)
{
	if (len > sizeof(r->held))
		return false;
	memcpy(r->held, octets, len);
	r->held_len = len;
	r->held_to = fcntl(r->pairs[i][1], F_DUPFD_CLOEXEC, 0);
	return r->held_to >= 0;
}

static void let_go(struct relay *r)
{
	if (!r->held_len || !atomic_load(&r->late))
		return;
	if (write(r->held_to, r->held, r->held_len) == (ssize_t)r->held_len)
		(void)!read(r->held_to, r->held, sizeof(r->held)); /* the answer, for nobody */
	close(r->held_to);
	r->held_len = 0;
}

static bool cut_here(struct relay *r, size_t i, const char *octets, size_t len)
{
	static const char commit[] = "COMMIT";
	char answer[4096];

	if (atomic_load(&r->cut) == PASS || !memmem(octets, len, commit, sizeof(commit)))
		return false;
	if (atomic_load(&r->cut) == CUT_AFTER &&
		(write(r->pairs[i][1], octets, len) != (ssize_t)len ||
			read(r->pairs[i][1], answer, sizeof(answer)) <= 0))
		return false;
	if (atomic_load(&r->cut) == CUT_LATE && !hold(r, i, octets, len))
		return false;
	cut_all(r);
	return true;
}

static void forward(struct relay *r, size_t i, int from)
{
	char octets[65536];
	ssize_t n = read(r->pairs[i][from], octets, sizeof(octets));

	if (n > 0 && from == 0 && cut_here(r, i, octets, (size_t)n))
		return;
	if (n <= 0 || write(r->pairs[i][!from], octets, (size_t)n) != n)
		drop(r, i);
}

static void take_call(struct relay *r)
{
	int from = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC), to = dial(r->server_port);

	if (from < 0 || to < 0 || r->count == 64 ||
		clock_mono_ms() < atomic_load(&r->closed_until_ms)) {
		close(from);
		close(to);
		return;
	}
	r->pairs[r->count][0] = from;
	r->pairs[r->count++][1] = to;
}

static void *relay_main(void *arg)
{
	struct relay *r = arg;

	while (atomic_load(&r->cut) >= 0) {
		struct pollfd fds[129] = {{.fd = r->listener, .events = POLLIN}};

		let_go(r);
		if (atomic_load(&r->cut) == CUT_NOW)
			cut_all(r);
		for (size_t i = 0; i < r->count; i++)
			for (size_t k = 0; k < 2; k++)
				fds[1 + 2 * i + k] =
					(struct pollfd){.fd = r->pairs[i][k], .events = POLLIN};
		if (poll(fds, 1 + 2 * r->count, 50) <= 0)
			continue;
		for (size_t i = 0; i < r->count; i++)
			if (fds[1 + 2 * i].revents || fds[2 + 2 * i].revents) {
				forward(r, i, fds[1 + 2 * i].revents ? 0 : 1);
				break; /* places may have changed */
			}
		if (fds[0].revents)
			take_call(r);
	}
	while (r->count > 0)
		drop(r, 0);
	return NULL;
}

static void relay_start(struct relay *r, const char *uri)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);

	r->server_port = atoi(strrchr(uri, ':') + 1);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(r->listener, 64), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &len), 0);
	r->port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

static void relay_stop(struct relay *r)
{
	atomic_store(&r->cut, -1);
	pthread_join(r->thread, NULL);
	close(r->listener);
}

/* The same place by way of the relay. */
static void by_relay(const struct fixture *f, const struct relay *r, char where[STORE_PLACE_MAX])
{
	const char *rest = strstr(f->where, "/postgres?");

	snprintf(where, STORE_PLACE_MAX, "postgresql://brski:" PASSWORD "@127.0.0.1:%d%s", r->port,
		rest);
}

static void lose_commits(struct fixture *f, enum cut cut)
{
	struct relay r = {.listener = -1};
	char where[STORE_PLACE_MAX];
	struct store *s;

	relay_start(&r, f->server->uri);
	by_relay(f, &r, where);
	s = open_at(where);
	for (int i = 1; i <= 5; i++) {
		struct store_op ops[2] = {bump(1), add("x")};
		int64_t changed[2] = {0, 0};

		atomic_store(&r.cut, cut);
		if (!store_write_wait(s, ops, 2, changed, &f->e))
			fail_msg("%s", f->e.text);
		assert_int_equal(changed[0], 1);
		assert_int_equal(atomic_load(&r.cuts), i);
		assert_int_equal(number(f->store, BUMPED), i);
	}
	store_close(s);
	relay_stop(&r);
	assert_int_equal(check_log(f->store), 5);
}

static void store_write__answer_to_commit_lost__was_done_and_is_not_run_again(void **state)
{
	lose_commits(*state, CUT_AFTER);
}

static void store_write__commit_lost_on_its_way__is_run_again(void **state)
{
	lose_commits(*state, CUT_BEFORE);
}

#define WAITS_FOR_WRITERS                                                                          \
	"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted"

static bool waits_for_writers(void *server)
{
	return store_server_number(server, WAITS_FOR_WRITERS) == 1;
}

/* The line is cut, and the server, which has not heard of it, gets the COMMIT when we look for it
 * already: what is not there yet may come as long as its transaction has not ended. Of a writer's
 * first batch there is no row that would keep us waiting. */
static void store_write__commit_arrives_while_it_is_looked_for__is_not_run_again(void **state)
{
	struct fixture *f = *state;
	struct relay r = {.listener = -1};
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	char where[STORE_PLACE_MAX];
	struct store_op op = bump(1);
	struct store *s;

	relay_start(&r, f->server->uri);
	by_relay(f, &r, where);
	s = open_at(where);
	atomic_store(&r.cut, CUT_LATE);
	assert_true(store_write(s, &op, 1, NULL, on_done, &t, &f->e));
	assert_true(comes_true(is_one, &r.cuts));
	assert_true(comes_true(waits_for_writers, f->server->uri));
	atomic_store(&r.late, true);
	store_close(s);
	relay_stop(&r);
	assert_int_equal(t.done, 1);
	assert_int_equal(t.conflicts + t.others, 0);
	assert_int_equal(number(f->store, BUMPED), 1);
}

/* A line to the server for what store_server_do() cannot: to stay in a transaction. */
static PGconn *somebody(const struct fixture *f, const char *sql)
{
	PGconn *c = PQconnectdb(f->where);

	PQclear(PQexec(c, "SET deadlock_timeout = '100s'")); /* it is the other who notices */
	PQclear(PQexec(c, "SET lock_timeout = '20s'"));
	PQclear(PQexec(c, "BEGIN"));
	PQclear(PQexec(c, sql));
	if (PQtransactionStatus(c) != PQTRANS_INTRANS)
		fail_msg("%s: %s", sql, PQerrorMessage(c));
	return c;
}

#define WAITS_FOR_TABLE "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"

static bool waits_for_table(void *server)
{
	return store_server_number(server, WAITS_FOR_TABLE) == 1;
}

static long long deadlocks(const struct fixture *f)
{
	return store_server_number(f->server->uri, "SELECT deadlocks FROM pg_stat_database"
						   " WHERE datname = current_database()");
}

static bool was_a_deadlock(void *arg)
{
	const struct fixture *f = arg;

	return deadlocks(f) > f->deadlocks;
}

/* It looks for a deadlock once, after so long: by then the other has to be in it. */
static void look_for_deadlocks_late(struct fixture *f)
{
	f->deadlocks = deadlocks(f);
	store_close(f->store);
	store_server_do(f->server->uri, "ALTER ROLE brski SET deadlock_timeout = '3s'");
	f->store = open_at(f->where);
}

/* It wants the lock of all writers, and has one that they want. It does not get it when that comes
 * too late: they had looked for a deadlock before. */
static bool cross(PGconn *c)
{
	bool done;

	PQclear(PQexec(c, "SELECT pg_advisory_xact_lock(hashtext(current_schema() ||"
			  " '/brski/test'), 1)"));
	PQclear(PQexec(c, "UPDATE counter SET n = n + 100"));
	done = PQtransactionStatus(c) == PQTRANS_INTRANS;
	PQclear(PQexec(c, "COMMIT"));
	if (PQtransactionStatus(c) != PQTRANS_IDLE)
		fail_msg("%s", PQerrorMessage(c));
	PQfinish(c);
	return done;
}

static void store_write__deadlock_with_a_stranger__is_run_again(void **state)
{
	struct fixture *f = *state;
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct store_op op = bump(1);
	int written = 0;
	PGconn *other;
	bool waited;

	look_for_deadlocks_late(f);
	assert_true(write_one(f->store, add("x"), &f->e)); /* its connection is there */
	do {
		other = somebody(f, "LOCK TABLE counter");
		assert_true(store_write(f->store, &op, 1, NULL, on_done, &t, &f->e));
		written++;
		waited = comes_true(waits_for_table, f->server->uri);
	} while (!cross(other) && written < 5);
	store_close(f->store);
	f->store = open_at(f->where);
	assert_true(waited);
	assert_true(comes_true(was_a_deadlock, f));
	assert_int_equal(t.done, written);
	assert_int_equal(t.others, 0);
	assert_int_equal(number(f->store, BUMPED), 100 + written);
}

#define NAPS 300 /* a second or so */

/* Does somebody nap? Asked on one connection, for it is over soon. */
static bool naps(void *connection)
{
	PGresult *r = PQexec(connection, "SELECT FROM pg_stat_activity WHERE state = 'active'"
					 " AND query = 'SELECT pg_sleep(0.003)'");
	bool found = PQntuples(r) == 1;

	PQclear(r);
	return found;
}

/* One that is at fault fails, alone; the deadlock is nobody's. */
static void store_write__deadlock_while_run_step_by_step__is_run_again(void **state)
{
	struct fixture *f = *state;
	struct tally first = {.lock = PTHREAD_MUTEX_INITIALIZER}, t = first;
	struct store_op slow[NAPS], bad = bump(1000000), last = add("x");
	PGconn *other, *eye = PQconnectdb(f->server->uri);
	int done = 0, wrong;
	bool napped;

	for (size_t i = 0; i < NAPS; i++)
		slow[i] = (struct store_op){.statement = NAP};
	look_for_deadlocks_late(f);
	other = somebody(f, "LOCK TABLE log");
	assert_true(store_write(f->store, slow, NAPS, NULL, on_done, &first, &f->e));
	assert_true(comes_true(naps, eye)); /* what comes now is the next batch */
	assert_true(store_write(f->store, &bad, 1, NULL, on_done, &t, &f->e));
	assert_true(store_write(f->store, slow, NAPS, NULL, on_done, &t, &f->e));
	assert_true(store_write(f->store, &last, 1, NULL, on_done, &t, &f->e));
	while (done == 0) {
		usleep(1000);
		look_at(&first, &done, &wrong);
	}
	napped = comes_true(naps, eye);
	PQfinish(eye);
	assert_true(cross(other));
	store_close(f->store);
	f->store = open_at(f->where);
	assert_true(napped);
	assert_true(comes_true(was_a_deadlock, f));
	assert_int_equal(t.done, 3);
	assert_int_equal(t.conflicts, 1);
	assert_int_equal(t.others, 0);
	assert_int_equal(number(f->store, BUMPED), 100);
	assert_int_equal(check_log(f->store), 1);
}

/* Whatever hangs, others' turn comes; nothing of it is kept. */
static void store_write__table_locked_for_ever__fails_in_time_and_others_do_not(void **state)
{
	struct fixture *f = *state;
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct store_op op = bump(1);
	PGconn *other;
	bool ended, again;

	assert_true(write_one(f->store, add("x"), &f->e));
	f->store->queue.wait_ms = 500;
	other = somebody(f, "LOCK TABLE counter");
	assert_true(store_write(f->store, &op, 1, NULL, on_done, &t, &f->e));
	ended = comes_true(is_done, &t);
	f->store->queue.wait_ms = WAIT_MS;
	again = ended && write_one(f->store, add("x"), &f->e);
	PQfinish(other);
	assert_true(ended);
	assert_int_equal(t.others, 1);
	assert_int_equal(t.last.kind, ERR_RETRY_LATER);
	assert_non_null(strstr(t.last.text, "kept it waiting")); /* it was not away */
	assert_true(again);
	assert_true(comes_true(is_ready, f->store));
	assert_int_equal(number(f->store, BUMPED), 0);
	assert_int_equal(number(f->store, COUNT), 2);
}

/* The server hangs over the COMMIT for longer than anybody holds a connection to it. */
static void store_write__server_hangs_while_committing__is_neither_lost_nor_twice(void **state)
{
	struct fixture *f = *state;
	struct busy b = {.store = f->store};
	pthread_t thread;

	pthread_create(&thread, NULL, write_on, &b);
	assert_true(comes_true(has_ten_more, &b));
	server_do(f->server, "freeze");
	assert_true(comes_true(is_not_ready, f->store));
	server_do(f->server, "thaw");
	assert_true(comes_true(is_ready, f->store));
	atomic_store(&b.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(atomic_load(&b.failed), 0);
	assert_int_equal(number(f->store, BUMPED), atomic_load(&b.acknowledged));
	assert_int_equal(check_log(f->store), atomic_load(&b.acknowledged));
}

/* What could be run again by whoever asked is given up in time; what may have been done is not. */
static void store_write__database_away_for_too_long__fails_but_not_what_is_in_doubt(void **state)
{
	struct fixture *f = *state;
	struct relay r = {.listener = -1, .cut = CUT_AFTER};
	struct tally doubtful = {.lock = PTHREAD_MUTEX_INITIALIZER}, late = doubtful;
	char where[STORE_PLACE_MAX];
	struct store_op op = bump(1);
	struct store *s;
	int done, bad;

	relay_start(&r, f->server->uri);
	by_relay(f, &r, where);
	s = open_at(where);
	assert_int_equal(atomic_load(&r.cuts), 1); /* which it got over while it began */
	atomic_store(&r.cuts, 0);
	s->queue.wait_ms = 300;
	r.closed_for_ms = FOR_GOOD_MS;
	atomic_store(&r.cut, CUT_AFTER);
	assert_true(store_write(s, &op, 1, NULL, on_done, &doubtful, &f->e));
	assert_true(comes_true(is_one, &r.cuts));
	assert_true(store_write(s, &op, 1, NULL, on_done, &late, &f->e));
	assert_true(comes_true(is_done, &late));
	look_at(&late, &done, &bad);
	assert_int_equal(bad, 1);
	assert_false(write_one(s, op, &f->e));
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	look_at(&doubtful, &done, &bad);
	assert_int_equal(done, 0);
	s->queue.wait_ms = WAIT_MS; /* also for what is in doubt at the end */
	atomic_store(&r.closed_until_ms, 0);
	store_close(s);
	assert_int_equal(doubtful.done, 1);
	assert_int_equal(doubtful.others, 0);
	assert_int_equal(number(f->store, BUMPED), 1);
	relay_stop(&r);
}

/* Not only what is queued behind it: what the writer has in its hands, and has not sent. */
static void store_write__database_gone_with_a_batch_in_hand__fails_in_time(void **state)
{
	struct fixture *f = *state;
	struct relay r = {.listener = -1};
	char where[STORE_PLACE_MAX];
	struct store *s;
	bool written, again;

	relay_start(&r, f->server->uri);
	by_relay(f, &r, where);
	s = open_at(where);
	s->queue.wait_ms = 300;
	r.closed_for_ms = FOR_GOOD_MS;
	atomic_store(&r.cut, CUT_NOW);
	assert_true(comes_true(is_one, &r.cuts));
	written = write_one(s, bump(1), &f->e); /* else it hangs here */
	s->queue.wait_ms = WAIT_MS;
	atomic_store(&r.closed_until_ms, 0);
	again = write_one(s, add("x"), &f->e);
	store_close(s);
	relay_stop(&r);
	assert_false(written);
	assert_int_equal(f->e.kind, ERR_RETRY_LATER);
	assert_true(again);
	assert_int_equal(number(f->store, BUMPED), 0);
}

#define WAITS_FOR_STANDBY " FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND state = 'active'"

static bool waits_for_standby(void *server)
{
	return store_server_number(server, "SELECT count(*)" WAITS_FOR_STANDBY) == 1;
}

/* "" is nobody. */
static void wait_for_standby(const char *server, const char *name)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
	store_server_do(server, sql);
	store_server_do(server, "SELECT pg_reload_conf()");
}

/* Who is interrupted while it waits for the other machine has committed on this one, and only
 * there: seen, but gone when this one burns down. */
static void store_write__interrupted_before_the_standby_has_it__waits_for_it_again(void **state)
{
	struct fixture *f = *state;
	struct tally t = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct store_op op = bump(1);
	char *server = f->server->uri;
	int written = 0, done, bad;
	long long ended;
	bool again;

	wait_for_standby(server, "another");
	do { /* the server takes its time to do as it was told */
		assert_true(store_write(f->store, &op, 1, NULL, on_done, &t, &f->e));
		written++;
		while (look_at(&t, &done, &bad), done < written && !waits_for_standby(server))
			usleep(5000);
	} while (done == written);
	ended = store_server_number(
		server, "SELECT count(pg_terminate_backend(pid, 5000))" WAITS_FOR_STANDBY);
	again = comes_true(waits_for_standby, server);
	look_at(&t, &done, &bad);
	wait_for_standby(server, "");
	assert_int_equal(ended, 1);
	assert_true(again);
	assert_int_equal(done, written - 1);
	store_close(f->store);
	f->store = open_at(f->where);
	look_at(&t, &done, &bad);
	assert_int_equal(done, written);
	assert_int_equal(bad, 0);
	assert_int_equal(number(f->store, BUMPED), written);
}

/* ---- who leads ---- */

/* Its line is cut for good: it leads no more, and soon the other one does. */
static void store_leads__the_leader_is_cut_off__moves_to_the_other(void **state)
{
	struct fixture *f = *state;
	struct relay r = {.listener = -1};
	char where[STORE_PLACE_MAX];
	struct store *cut_off;
	int64_t end = clock_mono_ms() + WAIT_MS;

	store_close(f->store);
	relay_start(&r, f->server->uri);
	by_relay(f, &r, where);
	cut_off = open_at(where);
	assert_true(comes_true(leads, cut_off));
	f->store = open_at(f->where);
	assert_false(store_leads(f->store));
	relay_stop(&r);
	while (!store_leads(f->store) && clock_mono_ms() < end)
		usleep(1000);
	assert_true(store_leads(f->store));
	assert_true(comes_true(leads_not, cut_off)); /* it hears when the server does, not before */
	store_close(cut_off);
}

#define OF_LEADERS                                                                                 \
	" FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND granted AND database ="      \
	" (SELECT oid FROM pg_database WHERE datname = current_database())"

/* The sessions of tests before this one end after their stores were closed. */
static bool one_leads(void *server)
{
	return store_server_number(server, "SELECT count(*)" OF_LEADERS) == 1;
}

/* Ends the session that holds the lock: its process may come back before another takes over. */
static long long end_leader(const char *server)
{
	return store_server_number(server, "SELECT count(pg_terminate_backend(pid))" OF_LEADERS);
}

static bool one_of_two_leads(void *arg)
{
	struct store **two = arg;

	return store_leads(two[0]) != store_leads(two[1]);
}

static void store_leads__of_two__is_one_of_them_whatever_ends(void **state)
{
	struct fixture *f = *state;
	struct store *other;

	assert_true(comes_true(leads, f->store));
	other = open_at(f->where);
	assert_false(store_leads(other));
	assert_true(comes_true(one_leads, f->server->uri));
	assert_int_equal(end_leader(f->server->uri), 1);
	/* the other may be quicker to lead than it is to hear that it does not */
	assert_true(comes_true(one_of_two_leads, (struct store *[2]){f->store, other}));
	store_close(f->store);
	f->store = NULL;
	assert_true(comes_true(leads, other));
	store_close(other);
}

/* ---- opening ---- */

static void store_open__first_host_is_dead__takes_the_next(void **state)
{
	struct fixture *f = *state;
	char where[STORE_PLACE_MAX];
	struct store *s;

	snprintf(where, sizeof(where), "postgresql://brski:" PASSWORD "@127.0.0.1:1,127.0.0.1:%d%s",
		atoi(strrchr(f->server->uri, ':') + 1), strstr(f->where, "/postgres?"));
	s = open_at(where);
	assert_true(write_one(s, bump(1), &f->e));
	assert_int_equal(number(s, BUMPED), 1);
	store_close(s);
}

/* As the manual says: a role that may do nothing but own its database. */
static void store_open__as_an_ordinary_user_over_a_socket__works(void **state)
{
	struct fixture *f = *state;
	char where[STORE_PLACE_MAX];
	struct store *s;

	store_server_do(f->server->uri, "CREATE ROLE plain LOGIN");
	store_server_do(f->server->uri, "CREATE DATABASE plain OWNER plain");
	snprintf(where, sizeof(where), "postgresql://plain@/plain?host=%s/pg&port=%d",
		f->server->folder, atoi(strrchr(f->server->uri, ':') + 1));
	s = open_at(where);
	assert_true(write_one(s, bump(1), &f->e));
	assert_int_equal(number(s, BUMPED), 1);
	assert_true(comes_true(leads, s));
	store_close(s);
}

static void refuses(const char *where, const char *why)
{
	struct err e = ERR_INIT;

	assert_null(store_open(where, &schema, &e));
	if (!strstr(e.text, why))
		fail_msg("%s", e.text);
	assert_null(strstr(e.text, PASSWORD));
}

static void store_open__place_of_others__is_refused_and_untouched(void **state)
{
	struct fixture *f = *state;
	char where[STORE_PLACE_MAX];

	store_place_on(f->server->uri, "others", where);
	store_server_do(where, "CREATE TABLE accounts (id bigint)");
	refuses(where, "is not a test store");
	assert_int_equal(
		store_server_number(where, "SELECT count(*) FROM pg_tables WHERE schemaname ="
					   " current_schema()"),
		1);
}

static void store_open__other_encoding__is_refused(void **state)
{
	struct fixture *f = *state;
	char where[STORE_PLACE_MAX];

	store_server_do(f->server->uri,
		"CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C'"
		" LC_CTYPE 'C'");
	snprintf(where, sizeof(where), "%.*slatin",
		(int)(strrchr(f->server->uri, '/') + 1 - f->server->uri), f->server->uri);
	refuses(where, "its encoding is LATIN1");
}

static void store_open__schema_without_tables_for_it__is_refused(void **state)
{
	struct fixture *f = *state;
	const struct store_schema none = {"test", sqlite_migrations, statements, {NULL, 0, NULL}};
	const struct store_schema behind = {
		"test", sqlite_migrations, statements, {migrations, 2, NULL}};

	assert_null(store_open(f->where, &none, &f->e));
	assert_int_equal(f->e.kind, ERR_STORE);
	assert_null(store_open(f->where, &behind, &f->e));
	assert_int_equal(f->e.kind, ERR_BUG);
}

/* Not a request in the night. */
static void store_open__a_statement_with_a_slip__ends_the_start(void **state)
{
	struct fixture *f = *state;
	static const char *const slips[] = {"SELECT n FROM counter", "SELECT m FROM counter", NULL};
	const struct store_schema slip = {"test", sqlite_migrations, slips, {migrations, 1, NULL}};

	assert_null(store_open(f->where, &slip, &f->e));
	assert_non_null(strstr(f->e.text, "SELECT m FROM counter: "));
	assert_non_null(strstr(f->e.text, "does not exist"));
}

static void wrong_password(const struct fixture *f, const struct log *log)
{
	char where[STORE_PLACE_MAX];
	struct err e = ERR_INIT;

	snprintf(where, sizeof(where), "postgresql://brski:" PASSWORD "-not@%s",
		strchr(f->server->uri, '@') + 1);
	assert_null(store_open_logging(where, &schema, log, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_null(strstr(e.text, PASSWORD));
	snprintf(where, sizeof(where), "postgresql://brski:" PASSWORD "%%zz@host/%s", "name");
	assert_null(store_open_logging(where, &schema, log, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(strstr(e.text, PASSWORD));
	assert_null(store_open_logging(
		"postgresql://h/d?password=" PASSWORD "&nonsense=" PASSWORD, &schema, log, &e));
	assert_null(strstr(e.text, PASSWORD));
}

/* From its start to its end, through an outage. */
static void store__whatever_happens__tells_nobody_the_password(void **state)
{
	struct fixture *f = *state;
	FILE *out = tmpfile();
	struct log log = {.program = "test", .level = LOG_LEVEL_DEBUG, .fd = fileno(out)};
	char text[16384];
	size_t len;

	wrong_password(f, &log);
	store_close(f->store);
	f->store = store_open_logging(f->where, &schema, &log, &f->e);
	assert_non_null(f->store);
	server_do(f->server, "kill");
	assert_true(comes_true(is_not_ready, f->store));
	server_do(f->server, "start");
	assert_true(comes_true(is_ready, f->store));
	rewind(out);
	len = fread(text, 1, sizeof(text) - 1, out);
	text[len] = '\0';
	fclose(out);
	assert_non_null(strstr(text, "event=store-away"));
	assert_non_null(strstr(text, "event=store-reached"));
	assert_null(strstr(text, PASSWORD));
	store_close(f->store); /* its log is going */
	f->store = NULL;
}

static void store_close__of_the_leader__does_not_begin_to_follow(void **state)
{
	struct fixture *f = *state;
	FILE *out = tmpfile();
	struct log log = {.program = "test", .level = LOG_LEVEL_DEBUG, .fd = fileno(out)};
	char text[16384];

	store_close(f->store);
	f->store = store_open_logging(f->where, &schema, &log, &f->e);
	assert_non_null(f->store);
	assert_true(comes_true(leads, f->store));
	store_close(f->store);
	f->store = NULL;
	rewind(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
	fclose(out);
	assert_non_null(strstr(text, "event=store-leads"));
	assert_null(strstr(text, "event=store-follows"));
}

static void store_space__of_a_database__is_its_size_alone(void **state)
{
	struct fixture *f = *state;
	struct store_space space;

	assert_true(store_space(f->store, &space, &f->e));
	assert_true(space.bytes > 1000000);
	assert_int_equal(space.free_bytes, -1);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(store_read__values_of_every_kind__come_back_as_they_went),
		TEST(store_read__numbers_beyond_32_bits__are_whole),
		TEST(store_write_wait__text_with_a_zero_octet__is_refused_alone),
		TEST(chain_hash__in_the_database__is_that_of_hash_chain_next),
		TEST(store_read__of_many_rows_ended_early__leaves_the_store_usable),
		TEST(store_write__conflicts_among_good_ones__fail_alone),
		TEST(store_write__by_two_stores_at_once__numbers_and_chain_are_whole),
		TEST(store_watch__another_process_commits__is_told_and_own_only_once),
		TEST(store_write__database_away_for_too_long__fails_but_not_what_is_in_doubt),
		TEST(store_leads__the_leader_is_cut_off__moves_to_the_other),
		TEST(store_leads__of_two__is_one_of_them_whatever_ends),
		TEST(store_write__answer_to_commit_lost__was_done_and_is_not_run_again),
		TEST(store_write__commit_lost_on_its_way__is_run_again),
		TEST(store_write__commit_arrives_while_it_is_looked_for__is_not_run_again),
		TEST(store_write__database_gone_with_a_batch_in_hand__fails_in_time),
		TEST(store_write__deadlock_with_a_stranger__is_run_again),
		TEST(store_write__deadlock_while_run_step_by_step__is_run_again),
		TEST(store_write__table_locked_for_ever__fails_in_time_and_others_do_not),
		TEST(store_write__interrupted_before_the_standby_has_it__waits_for_it_again),
		TEST(store_read__one_slow_question__does_not_end_the_others),
		TEST(store_open__first_host_is_dead__takes_the_next),
		TEST(store_open__as_an_ordinary_user_over_a_socket__works),
		TEST(store_open__place_of_others__is_refused_and_untouched),
		TEST(store_open__other_encoding__is_refused),
		TEST(store_open__schema_without_tables_for_it__is_refused),
		TEST(store_open__a_statement_with_a_slip__ends_the_start),
		TEST(store_space__of_a_database__is_its_size_alone),
		TEST(store_close__of_the_leader__does_not_begin_to_follow),
		TEST(store_write__server_killed_and_started__nothing_is_lost_or_twice),
		TEST(store_read__server_hangs__fails_in_time_then_at_once_then_works),
		TEST(store_write__server_hangs_while_committing__is_neither_lost_nor_twice),
		TEST(store__whatever_happens__tells_nobody_the_password),
	};

	if (system("tests/tools/postgres.py installed") != 0) {
		print_message("1..0 # SKIP no PostgreSQL\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, server_up, server_down);
}
