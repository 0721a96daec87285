/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to PostgreSQL: see store_postgres.h. Each batch is one transaction that begins with the
 * lock of all writers and leaves its number in the row of this one. It goes out in one piece; only
 * when something in it fails is it undone and run step by step, each job under a savepoint.
 *
 * Until its COMMIT a batch is waited for no longer than a write may wait at all: whatever hangs, be
 * it somebody's lock on a table or one process of a server that answers others, its connection is
 * closed, and so nothing of it was kept. (A time-out of the server's would do as well, but for
 * the COMMIT: whose wait for a standby it cuts short is told that all is well.)
 *
 * A COMMIT without an answer: once the lock can be had again, that transaction is over, and the row
 * says whether it was kept. It waits until that is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/store_postgres.h"

#define HANG_MS	   5000 /* no batch takes that long while all is well */
#define NUMBER_MAX 24
#define SECOND_MS  1000
#define NS_OF_MS   1000000

/* Committed reads: each statement sees what was there when the lock was given. */
#define BEGIN_SQL "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
#define MARK_SQL                                                                                   \
	"INSERT INTO store_writer (id, batch, at) VALUES ($1, CAST($2 AS bigint), now())"          \
	" ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, at = excluded.at"
#define NOTIFY_SQL "SELECT pg_notify($1, $2)"
#define FIND_SQL   "UPDATE store_writer SET at = now() WHERE id = $1 RETURNING batch"

/* What became of an attempt. */
enum outcome {
	KEPT,
	REFUSED, /* nothing was kept, and every job knows why */
	AGAIN,	 /* nothing was kept: the connection was lost before, or a deadlock */
	UNKNOWN, /* it was lost while committing */
};

struct attempt {
	struct pg *p;
	struct pg_link *l;
	struct store_job *batch;
	struct pg_patience patience;
	struct pg_patience endless; /* where giving up would leave us in doubt */
	char number[NUMBER_MAX];
	char *channel, *lock; /* SQL */
	struct err why;	      /* the batch as a whole failed */
};

/* ---- patience ---- */

static bool goes_on(void *arg)
{
	struct pg *p = arg;
	bool same;

	store_queue_tick(&p->store->queue);
	pthread_mutex_lock(&p->lock);
	same = p->up && p->writer->generation == p->generation;
	pthread_mutex_unlock(&p->lock);
	return same;
}

bool pg_writer_hangs(struct pg *p)
{
	int64_t since = atomic_load(&p->busy_since_ms);

	return since && clock_mono_ms() - since > HANG_MS;
}

/* ---- in the pipeline ---- */

static bool queue_sql(struct attempt *a, const char *sql, int count, const char *const *values)
{
	if (PQsendQueryParams(a->l->conn, sql, count, NULL, values, NULL, NULL, 0) != 1)
		a->l->lost = true;
	return !a->l->lost;
}

static bool queue_begin(struct attempt *a)
{
	return queue_sql(a, BEGIN_SQL, 0, NULL) && queue_sql(a, a->lock, 0, NULL);
}

static bool queue_end(struct attempt *a)
{
	const char *const mark[] = {a->p->id, a->number}, *const notify[] = {a->channel, a->p->id};

	return queue_sql(a, MARK_SQL, 2, mark) && queue_sql(a, NOTIFY_SQL, 2, notify);
}

static bool queue_job(struct attempt *a, const struct store_job *job)
{
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < job->op_count; i++)
		if (!pg_send(a->p, a->l, (size_t)job->ops[i].statement, job->ops[i].params,
			    job->ops[i].param_count, &ignored))
			a->l->lost = true; /* no memory: what went out must not be gone on with */
	return !a->l->lost;
}

static bool queue_sync(struct attempt *a)
{
	if (PQpipelineSync(a->l->conn) != 1)
		a->l->lost = true;
	return !a->l->lost;
}

/* The answer to one statement, the caller's. NULL: lost. */
static PGresult *answer(struct attempt *a)
{
	PGresult *r = pg_next(a->l, &a->patience), *end = r ? pg_next(a->l, &a->patience) : NULL;

	if (!r || end)
		a->l->lost = true;
	PQclear(end);
	return r;
}

/* Is it the answer of a statement that worked? */
static bool take_sql(struct attempt *a)
{
	PGresult *r = answer(a);
	bool ok = (r && pg_is_good(r)) || pg_fail(a->p, a->l, r, "writing", &a->why);

	PQclear(r);
	return ok;
}

/* Two or more of them; all are taken in, that the pipeline may go on. */
static bool take_many(struct attempt *a, int count)
{
	bool ok = true;

	while (count-- > 0 && !a->l->lost)
		if (ok)
			ok = take_sql(a);
		else
			PQclear(answer(a));
	return ok && !a->l->lost;
}

static bool take_sync(struct attempt *a)
{
	PGresult *r = pg_next(a->l, &a->patience);

	if (PQresultStatus(r) != PGRES_PIPELINE_SYNC)
		a->l->lost = true;
	PQclear(r);
	return !a->l->lost;
}

/* SELECT says how many rows there were, which is no change. */
static int64_t rows_changed(PGresult *r)
{
	if (strncmp(PQcmdStatus(r), "SELECT", 6) == 0)
		return 0;
	return strtoll(PQcmdTuples(r), NULL, 10);
}

static bool take_op(struct attempt *a, const struct store_op *op, int64_t *changed, struct err *e)
{
	PGresult *r = answer(a);
	bool ok = (r && pg_is_good(r)) || pg_fail(a->p, a->l, r, "writing", e);

	*changed = ok ? rows_changed(r) : 0;
	PQclear(r);
	return ok && store_op_check(op, *changed, e);
}

/* All answers of a job; its result is that of the first step that failed. */
static void take_job(struct attempt *a, struct store_job *job)
{
	for (size_t i = 0; i < job->op_count && !a->l->lost; i++) {
		struct err e = ERR_INIT;

		if (!take_op(a, &job->ops[i], &job->changed[i], &e) && job->result.kind == ERR_NONE)
			job->result = e;
	}
}

/* ---- jobs ---- */

/* Has every job what its statements need? What has not is not even sent. */
static bool is_sound(const struct pg *p, struct store_job *job)
{
	for (size_t i = 0; i < job->op_count; i++) {
		const struct store_op *op = &job->ops[i];

		if (op->statement < 0 || (size_t)op->statement >= p->store->statement_count)
			return err_set(
				&job->result, ERR_BUG, "store: no statement %d", op->statement);
		if ((int)op->param_count != p->types[op->statement].count)
			return err_set(&job->result, ERR_BUG, "store: %zu values for: %s",
				op->param_count, pg_sql(p, (size_t)op->statement));
	}
	return true;
}

/* Begin anew with those that still may be run. How many are they? */
static size_t freshen(struct pg *p, struct store_job *batch)
{
	size_t live = 0;

	for (struct store_job *job = batch; job; job = job->next) {
		job->result = (struct err)ERR_INIT;
		live += !store_job_is_late(&p->store->queue, job) && is_sound(p, job);
	}
	return live;
}

static bool is_live(const struct store_job *job)
{
	return job->result.kind == ERR_NONE;
}

static size_t count_live(const struct store_job *batch)
{
	size_t live = 0;

	for (; batch; batch = batch->next)
		live += is_live(batch);
	return live;
}

/* Without a reason it has to be ours: what was not kept never looks as if it was. */
static void fail_live(struct store_job *batch, const struct err *why)
{
	struct err bug = ERR_INIT;

	if (why->kind == ERR_NONE) {
		err_set(&bug, ERR_BUG, "store: a batch failed without a reason");
		why = &bug;
	}
	for (; batch; batch = batch->next)
		if (is_live(batch))
			batch->result = *why;
}

/* ---- the ends of a transaction ---- */

static enum outcome roll_back(struct attempt *a)
{
	struct err ignored = ERR_INIT;

	return pg_do(a->p, a->l, "ROLLBACK", &a->patience, &ignored) ? REFUSED : AGAIN;
}

static enum outcome refuse(struct attempt *a)
{
	if (a->l->lost || a->l->spoiled)
		return AGAIN;
	if (!a->l->again)
		fail_live(a->batch, &a->why);
	return roll_back(a) == REFUSED && !a->l->again ? REFUSED : AGAIN;
}

static enum outcome commit(struct attempt *a)
{
	PGresult *r = pg_ask(a->l, "COMMIT", 0, NULL, &a->endless);
	bool kept = r && pg_is_good(r) && strcmp(PQcmdStatus(r), "COMMIT") == 0;
	enum outcome o = kept ? KEPT : REFUSED;

	if (!kept) {
		pg_fail(a->p, a->l, r, "committing", &a->why);
		if (a->l->lost)
			o = UNKNOWN;
		else if (a->l->again)
			o = AGAIN;
		else
			fail_live(a->batch, &a->why);
	}
	PQclear(r);
	return o;
}

/* ---- all at once ---- */

static bool send_batch(struct attempt *a)
{
	if (!queue_begin(a))
		return false;
	for (const struct store_job *job = a->batch; job; job = job->next)
		if (is_live(job) && !queue_job(a, job))
			return false;
	return queue_end(a) && queue_sync(a);
}

static bool take_batch(struct attempt *a)
{
	bool began = take_many(a, 2), ended;

	for (struct store_job *job = a->batch; job && !a->l->lost; job = job->next)
		if (is_live(job))
			take_job(a, job);
	ended = take_many(a, 2);
	return take_sync(a) && began && ended;
}

/* ---- one by one ---- */

enum before { FIRST, AFTER_GOOD, AFTER_BAD };

static const char *const savepoint[][3] = {
	[FIRST] = {"SAVEPOINT one"},
	[AFTER_GOOD] = {"RELEASE one", "SAVEPOINT one"},
	[AFTER_BAD] = {"ROLLBACK TO one", "RELEASE one", "SAVEPOINT one"},
};

static int queue_savepoint(struct attempt *a, enum before before)
{
	int count = 0;

	while (count < 3 && savepoint[before][count] &&
		queue_sql(a, savepoint[before][count], 0, NULL))
		count++;
	return count;
}

/* False: lost, or all is over with a->why. */
static bool run_job(struct attempt *a, struct store_job *job, enum before *before)
{
	int count = queue_savepoint(a, *before);
	bool saved;

	if (a->l->lost || !queue_job(a, job) || !queue_sync(a))
		return false;
	saved = take_many(a, count);
	take_job(a, job);
	*before = is_live(job) ? AFTER_GOOD : AFTER_BAD;
	return take_sync(a) && saved && !a->l->again;
}

static bool run_jobs(struct attempt *a)
{
	enum before before = FIRST;
	int count;

	bool ok = queue_begin(a) && queue_sync(a) && take_many(a, 2);

	if (!take_sync(a) || !ok)
		return false;
	for (struct store_job *job = a->batch; job; job = job->next)
		if (is_live(job) && !run_job(a, job, &before))
			return false;
	count = queue_savepoint(a, before);
	ok = queue_end(a) && queue_sync(a) && take_many(a, count + 2);
	return take_sync(a) && ok;
}

/* ---- a batch ---- */

static bool prepare_all(struct attempt *a)
{
	for (const struct store_job *job = a->batch; job; job = job->next)
		for (size_t i = 0; is_live(job) && i < job->op_count; i++)
			if (!pg_prepare(a->p, a->l, (size_t)job->ops[i].statement, &a->patience,
				    &a->why))
				return false;
	return true;
}

static bool in_pipeline(struct attempt *a, bool (*work)(struct attempt *a))
{
	bool ok = PQenterPipelineMode(a->l->conn) == 1 && work(a);

	if (!a->l->lost && PQexitPipelineMode(a->l->conn) != 1)
		a->l->lost = true;
	return ok && !a->l->lost;
}

static bool all_at_once(struct attempt *a)
{
	return send_batch(a) && take_batch(a);
}

static enum outcome step_by_step(struct attempt *a)
{
	if (in_pipeline(a, run_jobs))
		return count_live(a->batch) ? commit(a) : roll_back(a);
	return refuse(a);
}

static enum outcome run_batch(struct attempt *a)
{
	const size_t live = count_live(a->batch);
	bool ok;

	if (!prepare_all(a))
		return refuse(a);
	ok = in_pipeline(a, all_at_once);
	if (a->l->lost || (!ok && a->l->spoiled))
		return AGAIN;
	if (ok && count_live(a->batch) == live)
		return commit(a);
	if (roll_back(a) == AGAIN || a->l->again)
		return AGAIN;
	if (live == 1) { /* and who else should have failed? */
		fail_live(a->batch, &a->why);
		return REFUSED;
	}
	return freshen(a->p, a->batch) ? step_by_step(a) : REFUSED;
}

/* The lock is given when that transaction is over, and then its number is there or never will be.
 * There it may be in one place only, where whoever waited for the other machines was interrupted:
 * it counts when a change after it is in all of them. */
static enum outcome find_out(struct attempt *a)
{
	const char *const id[] = {a->p->id};
	enum outcome o = UNKNOWN;
	PGresult *r = NULL;

	if (pg_do(a->p, a->l, BEGIN_SQL, &a->endless, &a->why) &&
		pg_do(a->p, a->l, a->lock, &a->endless, &a->why))
		r = pg_ask(a->l, FIND_SQL, 1, id, &a->endless);
	if (r && pg_is_good(r))
		o = PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), a->number) == 0 ? KEPT : AGAIN;
	PQclear(r);
	if (o == AGAIN)
		roll_back(a);
	else if (o == KEPT && !pg_do(a->p, a->l, "COMMIT", &a->endless, &a->why))
		o = UNKNOWN;
	if (o == UNKNOWN)
		a->l->lost = true;
	return o;
}

/* ---- the writer's connection ---- */

static struct timespec soon(void)
{
	int64_t ms = clock_mono_ms() + PG_SLICE_MS;

	return (struct timespec){.tv_sec = ms / SECOND_MS, .tv_nsec = ms % SECOND_MS * NS_OF_MS};
}

static struct pg_link *wait_for_link(struct pg *p)
{
	const struct timespec until = soon();
	struct pg_link *l;

	pthread_mutex_lock(&p->lock);
	if (!p->next_writer && !p->writer_wanted) {
		p->writer_wanted = true;
		pg_keeper_wake(p);
	}
	if (!p->next_writer)
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
	l = p->next_writer;
	p->next_writer = NULL;
	pthread_mutex_unlock(&p->lock);
	return l;
}

static void drop_link(struct pg *p, bool suspect)
{
	pg_link_close(p->writer);
	p->writer = NULL;
	if (!suspect)
		return;
	pthread_mutex_lock(&p->lock);
	p->suspect = true;
	pthread_mutex_unlock(&p->lock);
	pg_keeper_wake(p);
}

/* Is there no use in waiting any longer? Then every job knows why. */
static bool gives_up(struct pg *p, struct store_job *batch, bool unknown, int64_t *closed_ms)
{
	struct err e = ERR_INIT;

	if (!unknown)
		return freshen(p, batch) == 0;
	if (!store_queue_is_closed(&p->store->queue))
		return false;
	if (!*closed_ms)
		*closed_ms = clock_mono_ms();
	if (clock_mono_ms() - *closed_ms < p->store->queue.wait_ms)
		return false;
	err_set(&e, ERR_STORE, "store: %s: ended before it was known whether this was kept",
		p->shown);
	fail_live(batch, &e);
	return true;
}

static bool has_link(struct pg *p, struct store_job *batch, bool unknown)
{
	int64_t closed_ms = 0;

	if (p->writer && !goes_on(p))
		drop_link(p, false);
	while (!p->writer) {
		store_queue_tick(&p->store->queue);
		if (gives_up(p, batch, unknown, &closed_ms))
			return false;
		p->writer = wait_for_link(p);
	}
	return true;
}

static enum outcome try(struct pg *p, struct store_job *batch, bool unknown)
{
	const int64_t until_ms = clock_mono_ms() + p->store->queue.wait_ms;
	struct attempt a = {.p = p,
		.l = p->writer,
		.batch = batch,
		.patience = {until_ms, goes_on, p},
		.endless = {PG_FOREVER, goes_on, p}};
	enum outcome o = unknown ? UNKNOWN : AGAIN;

	p->writer->again = false;
	a.channel = pg_channel(p, &a.why);
	a.lock = pg_lock_sql(p, "pg_advisory_xact_lock", PG_LOCK_WRITE, &a.why);
	snprintf(a.number, sizeof(a.number), "%lld", (long long)p->batch);
	if (!a.channel || !a.lock)
		p->writer->lost = true; /* no memory: later */
	else if (unknown)
		o = find_out(&a);
	else
		o = freshen(p, batch) ? run_batch(&a) : REFUSED;
	free(a.channel);
	free(a.lock);
	return o;
}

static bool run_to_the_end(struct pg *p, struct store_job *batch)
{
	enum outcome o = AGAIN;

	for (unsigned tries = 0; o == AGAIN || o == UNKNOWN; tries++) {
		if (!has_link(p, batch, o == UNKNOWN))
			return false;
		o = try(p, batch, o == UNKNOWN);
		if (p->writer->lost || p->writer->spoiled)
			drop_link(p, p->writer->lost);
		else if (o != AGAIN)
			continue;
		usleep((useconds_t)pg_pause_ms(tries) * 1000 / 4);
	}
	return o == KEPT;
}

bool pg_run(struct store *s, struct store_job *batch)
{
	struct pg *p = s->own;
	bool kept;

	p->batch++;
	atomic_store(&p->busy_since_ms, clock_mono_ms());
	kept = run_to_the_end(p, batch);
	atomic_store(&p->busy_since_ms, 0);
	return kept;
}
