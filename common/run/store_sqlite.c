/* SPDX-License-Identifier: Apache-2.0 */
/* The SQLite engine of the store: WAL with synchronous=FULL, one connection that writes in batches
 * on a thread of its own, a bounded pool of connections that read. Measured: one commit per request
 * caps a server at the disk's flush rate (120 to 325 a second on real disks); a batch shares one
 * flush. */
#include "common/run/store_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/pki/hash_chain.h"
#include "common/run/store_lock.h"
#include "common/run/store_sqlite.h"

#define READERS_MAX                                                                                \
	8 /* read connections: more than any sensible number of worker threads waits for */
#define BUSY_MS 5000 /* how long to wait for somebody with the sqlite3 shell */
/* What undoes one transaction, before it becomes a file: an onboarding's pages and half as many
 * again. SQLite moves it to the file in one piece, and its files take no more than this at once:
 * of a larger piece the rest is found to be a full disk. */
#define UNDO_OCTETS ((128 << 10) - 1)

enum control { BEGIN, SAVE, RELEASE, UNDO, COMMIT, ROLLBACK, CONTROL_COUNT };

static const char *const control_sql[CONTROL_COUNT] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[SAVE] = "SAVEPOINT one",
	[RELEASE] = "RELEASE one",
	[UNDO] = "ROLLBACK TO one",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
};

/* A prepared statement and where its $1, $2, … ended up: SQLite numbers them by first appearance.
 */
struct statement {
	sqlite3_stmt *stmt;
	int param_count;
	int position[STORE_PARAMS_MAX];
};

struct connection {
	sqlite3 *db;
	struct statement statements[STORE_STATEMENTS_MAX];
};

/* What the store's own points to. */
struct sqlite {
	const struct store_schema *schema;
	const char *path; /* the store's */
	size_t statement_count;
	int lock_fd;
	struct connection *writer;
	sqlite3_stmt *control[CONTROL_COUNT];
	pthread_mutex_t readers_lock; /* guards what follows */
	pthread_cond_t reader_free;
	struct connection *idle[READERS_MAX];
	size_t idle_count, reader_count;
};

struct sqlite_row {
	struct store_row row;
	sqlite3_stmt *stmt;
};

/* What SQLite says, as one of our kinds: a broken constraint is the caller's conflict, all else is
 * ours. */
static bool fail(struct err *e, sqlite3 *db, const char *doing)
{
	int code = sqlite3_errcode(db);
	enum err_kind kind = ERR_STORE;

	if (code == SQLITE_CONSTRAINT)
		kind = ERR_CONFLICT;
	if (code == SQLITE_NOMEM)
		kind = ERR_NO_MEMORY;
	return err_set(e, kind, "store: %s: %s", doing, sqlite3_errmsg(db));
}

static bool execute(sqlite3 *db, const char *sql, const char *doing, struct err *e)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK || fail(e, db, doing);
}

/* ---- statements ---- */

static bool find_params(struct statement *s, const char *sql, struct err *e)
{
	int n = sqlite3_bind_parameter_count(s->stmt);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(s->stmt, i);
		long number = name && name[0] == '$' ? strtol(name + 1, NULL, 10) : 0;

		if (number < 1 || number > STORE_PARAMS_MAX || number > n)
			return err_set(
				e, ERR_BUG, "store: parameter %s in: %s", name ? name : "?", sql);
		s->position[number - 1] = i;
	}
	s->param_count = n;
	return true;
}

static bool prepare(struct connection *c, const struct sqlite *s, size_t index, struct err *e)
{
	struct statement *st = &c->statements[index];
	const char *sql = s->schema->statements[index];

	if (st->stmt)
		return true;
	if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st->stmt, NULL) !=
		SQLITE_OK)
		return fail(e, c->db, sql);
	return find_params(st, sql, e);
}

static int bind_one(sqlite3_stmt *stmt, int position, const struct store_value *v)
{
	const void *data = v->octets.data ? (const void *)v->octets.data : "";

	switch (v->type) {
	case STORE_NULL:
		return sqlite3_bind_null(stmt, position);
	case STORE_INT:
		return sqlite3_bind_int64(stmt, position, v->integer);
	case STORE_TEXT:
		return sqlite3_bind_text64(
			stmt, position, data, v->octets.len, SQLITE_STATIC, SQLITE_UTF8);
	case STORE_BLOB:
		return sqlite3_bind_blob64(stmt, position, data, v->octets.len, SQLITE_STATIC);
	}
	return SQLITE_MISUSE;
}

static bool bind_all(sqlite3 *db, struct statement *st, const struct store_value *params,
	size_t count, struct err *e)
{
	if ((size_t)st->param_count != count)
		return err_set(
			e, ERR_BUG, "store: %zu values for: %s", count, sqlite3_sql(st->stmt));
	for (size_t i = 0; i < count; i++)
		if (bind_one(st->stmt, st->position[i], &params[i]) != SQLITE_OK)
			return fail(e, db, "binding a value");
	return true;
}

/* ---- chain_hash() ---- */

/* A value as its text, which lives as long as the value; NULL as no octets at all. */
static struct bytes value_text(sqlite3_value *v)
{
	const void *text = sqlite3_value_text(v);

	return bytes_of(text, text ? (size_t)sqlite3_value_bytes(v) : 0);
}

/* SQL: chain_hash(previous, field, …) → 32 octets; previous NULL begins a chain. */
static void chain_hash(sqlite3_context *c, int count, sqlite3_value **values)
{
	struct bytes fields[HASH_CHAIN_FIELDS_MAX];
	const uint8_t *previous = NULL;
	uint8_t hash[SHA256_LEN];
	struct err e = ERR_INIT;

	if (count < 1 || count - 1 > HASH_CHAIN_FIELDS_MAX) {
		sqlite3_result_error(c, "chain_hash: too many values", -1);
		return;
	}
	if (sqlite3_value_bytes(values[0]) == SHA256_LEN)
		previous = sqlite3_value_blob(values[0]);
	for (int i = 1; i < count; i++)
		fields[i - 1] = value_text(values[i]);
	if (hash_chain_next(previous, fields, (size_t)count - 1, hash, &e))
		sqlite3_result_blob(c, hash, sizeof(hash), SQLITE_TRANSIENT);
	else if (e.kind == ERR_NO_MEMORY)
		sqlite3_result_error_nomem(c);
	else
		sqlite3_result_error(c, e.text, -1);
}

bool store_sqlite_functions(sqlite3 *db, struct err *e)
{
	return sqlite3_create_function(db, "chain_hash", -1,
		       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL, chain_hash,
		       NULL, NULL) == SQLITE_OK ||
	       fail(e, db, "chain_hash");
}

/* ---- connections ---- */

static void connection_close(struct connection *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < STORE_STATEMENTS_MAX; i++)
		sqlite3_finalize(c->statements[i].stmt);
	sqlite3_close(c->db);
	free(c);
}

static struct connection *connection_open(const char *path, const char *pragmas, struct err *e)
{
	struct connection *c = mem_new(sizeof(*c), e);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

	if (!c)
		return NULL;
	if (sqlite3_open_v2(path, &c->db, flags, NULL) != SQLITE_OK) {
		if (c->db)
			fail(e, c->db, path);
		else
			err_set(e, ERR_NO_MEMORY, "store: %s: no memory", path);
		connection_close(c);
		return NULL;
	}
	sqlite3_busy_timeout(c->db, BUSY_MS);
	if (store_sqlite_functions(c->db, e) && execute(c->db, pragmas, "settings", e))
		return c;
	connection_close(c);
	return NULL;
}

/* ---- opening: kind, version ---- */

/* SQLite would make the file readable for everybody; the -wal and -shm files take its mode. */
static bool create_private(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set_errno(e, ERR_STORE, "store: %s", path);
	close(fd);
	return true;
}

static bool pragma_int(sqlite3 *db, const char *sql, int64_t *out, struct err *e)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
		  sqlite3_step(stmt) == SQLITE_ROW;

	if (ok)
		*out = sqlite3_column_int64(stmt, 0);
	else
		fail(e, db, sql);
	sqlite3_finalize(stmt);
	return ok;
}

/* The schema's name as SQLite's application_id (FNV-1a, never 0: that means unset). */
static int32_t application_id(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return (int32_t)(hash | 1);
}

static bool migrate_one(sqlite3 *db, const char *sql, int32_t id, int64_t version, struct err *e)
{
	char after[96];

	snprintf(after, sizeof(after), "PRAGMA application_id=%d; PRAGMA user_version=%lld; COMMIT",
		id, (long long)version);
	if (execute(db, "BEGIN IMMEDIATE", "migration", e) && execute(db, sql, "migration", e) &&
		execute(db, after, "migration", e))
		return true;
	if (!sqlite3_get_autocommit(db))
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err_prefix(e, "to schema version %lld", (long long)version);
}

static bool migrate(sqlite3 *db, const struct sqlite *s, struct err *e)
{
	int32_t ours = application_id(s->schema->name);
	int64_t id, version, tables, newest = 0;

	while (s->schema->migrations[newest])
		newest++;
	if (!pragma_int(db, "PRAGMA application_id", &id, e) ||
		!pragma_int(db, "PRAGMA user_version", &version, e) ||
		!pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
		return err_prefix(e, "%s", s->path);
	if (id != ours && (id != 0 || version != 0 || tables != 0))
		return err_set(
			e, ERR_STORE, "store: %s is not a %s store", s->path, s->schema->name);
	if (version > newest)
		return err_set(e, ERR_STORE,
			"store: %s has schema version %lld, this program knows %lld: a newer "
			"release wrote it",
			s->path, (long long)version, (long long)newest);
	if (!execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", "settings", e))
		return false;
	for (; version < newest; version++)
		if (!migrate_one(db, s->schema->migrations[version], ours, version + 1, e))
			return err_prefix(e, "%s", s->path);
	return true;
}

/* Every statement is prepared at once: a slip in the table stops the start, not a request. */
static bool open_writer(struct sqlite *s, struct err *e)
{
	s->writer = connection_open(
		s->path, "PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=67108864", e);
	if (!s->writer || !migrate(s->writer->db, s, e))
		return false;
	for (size_t i = 0; i < s->statement_count; i++)
		if (!prepare(s->writer, s, i, e))
			return false;
	for (size_t i = 0; i < CONTROL_COUNT; i++)
		if (sqlite3_prepare_v2(s->writer->db, control_sql[i], -1, &s->control[i], NULL) !=
			SQLITE_OK)
			return fail(e, s->writer->db, control_sql[i]);
	return true;
}

/* ---- writing ---- */

static bool control(struct sqlite *s, enum control what, struct err *e)
{
	int rc = sqlite3_step(s->control[what]);

	sqlite3_reset(s->control[what]);
	return rc == SQLITE_DONE || fail(e, s->writer->db, control_sql[what]);
}

static bool run_op(struct sqlite *s, const struct store_op *op, int64_t *changed, struct err *e)
{
	sqlite3 *db = s->writer->db;
	struct statement *st;
	bool ok;
	int rc;

	if (op->statement < 0 || (size_t)op->statement >= s->statement_count)
		return err_set(e, ERR_BUG, "store: no statement %d", op->statement);
	st = &s->writer->statements[op->statement];
	ok = bind_all(db, st, op->params, op->param_count, e);
	if (ok) {
		while ((rc = sqlite3_step(st->stmt)) == SQLITE_ROW)
			; /* rows of a RETURNING clause interest nobody here */
		ok = rc == SQLITE_DONE || fail(e, db, "writing");
	}
	*changed = ok && !sqlite3_stmt_readonly(st->stmt) ? sqlite3_changes64(db) : 0;
	sqlite3_reset(st->stmt);
	sqlite3_clear_bindings(st->stmt);
	return ok && store_op_check(op, *changed, e);
}

/* One transaction under its savepoint. False: the whole batch is lost, *e says why. */
static bool run_job(struct sqlite *s, struct store_job *job, struct err *e)
{
	bool ok = true;

	if (!control(s, SAVE, e))
		return false;
	for (size_t i = 0; i < job->op_count && ok; i++)
		ok = run_op(s, &job->ops[i], &job->changed[i], &job->result);
	if (ok)
		return control(s, RELEASE, e);
	if (sqlite3_get_autocommit(
		    s->writer->db)) { /* disk full, I/O error: SQLite undid everything */
		*e = job->result;
		return false;
	}
	return control(s, UNDO, e) && control(s, RELEASE, e);
}

static bool run_batch(struct sqlite *s, struct store_job *batch, struct err *e)
{
	if (!control(s, BEGIN, e))
		return false;
	for (struct store_job *job = batch; job; job = job->next)
		if (!run_job(s, job, e))
			return false;
	return control(s, COMMIT, e);
}

static void fail_batch(struct sqlite *s, struct store_job *batch, const struct err *why)
{
	struct err ignored = ERR_INIT;

	if (!sqlite3_get_autocommit(s->writer->db) && !control(s, ROLLBACK, &ignored))
		sqlite3_exec(s->writer->db, "ROLLBACK", NULL, NULL, NULL);
	for (struct store_job *job = batch; job; job = job->next)
		if (job->result.kind == ERR_NONE)
			job->result = *why;
}

static bool run(struct store *store, struct store_job *batch)
{
	struct err e = ERR_INIT;

	if (run_batch(store->own, batch, &e))
		return true;
	fail_batch(store->own, batch, &e);
	return false;
}

/* ---- reading ---- */

static struct connection *reader_take(struct sqlite *s, struct err *e)
{
	struct connection *c = NULL;
	bool make = false;

	pthread_mutex_lock(&s->readers_lock);
	while (s->idle_count == 0 && s->reader_count == READERS_MAX)
		pthread_cond_wait(&s->reader_free, &s->readers_lock);
	if (s->idle_count > 0) {
		c = s->idle[--s->idle_count];
	} else {
		s->reader_count++;
		make = true;
	}
	pthread_mutex_unlock(&s->readers_lock);
	if (!make)
		return c;
	c = connection_open(s->path, "PRAGMA query_only=ON", e);
	if (!c) {
		pthread_mutex_lock(&s->readers_lock);
		s->reader_count--;
		pthread_cond_signal(&s->reader_free);
		pthread_mutex_unlock(&s->readers_lock);
	}
	return c;
}

static void reader_give(struct sqlite *s, struct connection *c)
{
	pthread_mutex_lock(&s->readers_lock);
	s->idle[s->idle_count++] = c;
	pthread_cond_signal(&s->reader_free);
	pthread_mutex_unlock(&s->readers_lock);
}

static bool each_row(struct connection *c, struct statement *st, store_row_fn *fn, void *arg,
	int64_t *rows, struct err *e)
{
	struct sqlite_row row = {{&store_sqlite}, st->stmt};
	struct err from_row = ERR_INIT;
	int rc;

	while ((rc = sqlite3_step(st->stmt)) == SQLITE_ROW) {
		(*rows)++;
		if (fn && !fn(arg, &row.row, &from_row)) {
			if (from_row.kind == ERR_NONE)
				return true;
			*e = from_row;
			return false;
		}
	}
	return rc == SQLITE_DONE || fail(e, c->db, "reading");
}

static bool read_rows(struct store *store, int statement, const struct store_value *params,
	size_t param_count, store_row_fn *fn, void *arg, int64_t *rows, struct err *e)
{
	struct sqlite *s = store->own;
	struct connection *c = reader_take(s, e);
	struct statement *st;
	bool ok;

	if (!c)
		return false;
	st = &c->statements[statement];
	ok = prepare(c, s, (size_t)statement, e) && bind_all(c->db, st, params, param_count, e) &&
	     each_row(c, st, fn, arg, rows, e);
	sqlite3_reset(st->stmt);
	if (st->stmt)
		sqlite3_clear_bindings(st->stmt);
	reader_give(s, c);
	return ok;
}

static sqlite3_stmt *stmt_of(const struct store_row *r)
{
	return ((const struct sqlite_row *)r)->stmt;
}

static int64_t row_int(const struct store_row *r, int column)
{
	return sqlite3_column_int64(stmt_of(r), column);
}

static const char *row_text(const struct store_row *r, int column)
{
	return (const char *)sqlite3_column_text(stmt_of(r), column);
}

static struct bytes row_blob(const struct store_row *r, int column)
{
	const void *data = sqlite3_column_blob(stmt_of(r), column);

	return bytes_of(data, (size_t)sqlite3_column_bytes(stmt_of(r), column));
}

/* ---- life ---- */

static void close_all(struct store *store)
{
	struct sqlite *s = store->own;

	if (!s)
		return;
	for (size_t i = 0; i < CONTROL_COUNT; i++)
		sqlite3_finalize(s->control[i]);
	for (size_t i = 0; i < s->idle_count; i++)
		connection_close(s->idle[i]);
	connection_close(s->writer);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_cond_destroy(&s->reader_free);
	pthread_mutex_destroy(&s->readers_lock);
	free(s);
}

static bool open_all(struct store *store, struct err *e)
{
	struct sqlite *s = store->own = mem_new(sizeof(*s), e);

	if (!s)
		return false;
	pthread_mutex_init(&s->readers_lock, NULL);
	pthread_cond_init(&s->reader_free, NULL);
	/* for the whole process and before anybody used SQLite: later it changes nothing */
	(void)sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, UNDO_OCTETS);
	/* it counts its allocations under one lock for all threads, and nobody asks for the sum */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	s->schema = store->schema;
	s->statement_count = store->statement_count;
	s->path = store->where;
	s->lock_fd = store_lock(s->path, e);
	return s->lock_fd >= 0 && create_private(s->path, e) && open_writer(s, e);
}

/* The lock of the file makes this the only process there is. */
static bool always(struct store *store)
{
	return true;
}

/* ---- space ---- */

static int64_t size_of_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static bool space(struct store *store, struct store_space *out, struct err *e)
{
	const struct sqlite *s = store->own;
	FREE_AUTO char *log = str_printf(e, "%s-wal", s->path);
	struct statvfs fs;

	if (!log)
		return false;
	if (statvfs(s->path, &fs) != 0)
		return err_set_errno(e, ERR_IO, "store: %s", s->path);
	out->bytes = size_of_file(s->path) + size_of_file(log);
	out->free_bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	return true;
}

const struct store_engine store_sqlite = {
	.open = open_all,
	.close = close_all,
	.run = run,
	.read = read_rows,
	.space = space,
	.ready = always,
	.leads = always,
	.row_int = row_int,
	.row_text = row_text,
	.row_blob = row_blob,
};
