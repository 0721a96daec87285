/* SPDX-License-Identifier: Apache-2.0 */
/* The store in front of its engines: see store.h and store_engine.h. The queue, the writer thread
 * and who watches are the same for all of them. */
#include "common/run/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/run/store_engine.h"

#define BATCH_MAX                                                                                  \
	512 /* transactions sharing a commit: beyond this the flush is no longer the cost */
#define WRITER_NICE 5 /* a third of a worker's share when both want to run */

/* ---- values and rows ---- */

struct store_value store_text(const char *s)
{
	return s ? (struct store_value){.type = STORE_TEXT, .octets = bytes_of_str(s)}
		 : (struct store_value){.type = STORE_NULL};
}

struct store_value store_blob(struct bytes b)
{
	return b.data ? (struct store_value){.type = STORE_BLOB, .octets = b}
		      : (struct store_value){.type = STORE_NULL};
}

int64_t store_row_int(const struct store_row *r, int column)
{
	return r->engine->row_int(r, column);
}

const char *store_row_text(const struct store_row *r, int column)
{
	return r->engine->row_text(r, column);
}

struct bytes store_row_blob(const struct store_row *r, int column)
{
	return r->engine->row_blob(r, column);
}

/* ---- watching ---- */

void store_watch(struct store *s, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&s->watch_lock);
	s->committed_arg = arg;
	s->committed = fn;
	pthread_mutex_unlock(&s->watch_lock);
}

void store_committed(struct store *s)
{
	pthread_mutex_lock(&s->watch_lock);
	if (s->committed)
		s->committed(s->committed_arg);
	pthread_mutex_unlock(&s->watch_lock);
}

/* ---- writing ---- */

bool store_op_check(const struct store_op *op, int64_t changed, struct err *e)
{
	if ((op->must_change && changed == 0) || (op->rows && changed != op->rows))
		return err_set(e, ERR_CONFLICT, "store: the record is not in the state expected");
	return true;
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct store_job *batch;

	/* what makes transactions comes first: while the processors are busy, more of them share a
	 * flush; when there is time, there is no difference */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), WRITER_NICE);
	while ((batch = store_queue_take(&s->queue, BATCH_MAX)) != NULL) {
		if (s->engine->run(s, batch))
			store_committed(s);
		store_queue_answer(&s->queue, batch);
	}
	return NULL;
}

bool store_write(struct store *s, const struct store_op *ops, size_t op_count, struct loop *l,
	store_done *done, void *arg, struct err *e)
{
	return store_queue_push(&s->queue, ops, op_count, l, done, arg, e);
}

struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool answered;
	size_t op_count;
	int64_t *changed;
	struct err *e;
	bool ok;
};

static void waiter_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct waiter *w = arg;

	pthread_mutex_lock(&w->lock);
	w->ok = !e;
	if (e)
		*w->e = *e;
	else if (w->changed)
		memcpy(w->changed, changed, w->op_count * sizeof(*changed));
	w->answered = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

bool store_write_wait(struct store *s, const struct store_op *ops, size_t op_count,
	int64_t *changed, struct err *e)
{
	struct waiter w = {.op_count = op_count, .changed = changed, .e = e};

	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.wake, NULL);
	if (store_write(s, ops, op_count, NULL, waiter_done, &w, e)) {
		pthread_mutex_lock(&w.lock);
		while (!w.answered)
			pthread_cond_wait(&w.wake, &w.lock);
		pthread_mutex_unlock(&w.lock);
	}
	pthread_cond_destroy(&w.wake);
	pthread_mutex_destroy(&w.lock);
	return w.ok;
}

bool store_moves(struct store *s, uint64_t *seen)
{
	return store_queue_moves(&s->queue, seen);
}

/* ---- reading ---- */

bool store_read(struct store *s, int statement, const struct store_value *params,
	size_t param_count, store_row_fn *fn, void *arg, int64_t *rows, struct err *e)
{
	int64_t count = 0;
	bool ok;

	if (statement < 0 || (size_t)statement >= s->statement_count)
		return err_set(e, ERR_BUG, "store: no statement %d", statement);
	ok = s->engine->read(s, statement, params, param_count, fn, arg, &count, e);
	if (rows)
		*rows = count;
	return ok;
}

bool store_space(struct store *s, struct store_space *out, struct err *e)
{
	return s->engine->space(s, out, e);
}

bool store_ready(struct store *s)
{
	return s->engine->ready(s);
}

bool store_leads(struct store *s)
{
	return s->engine->leads(s);
}

/* ---- life ---- */

static void store_free(struct store *s)
{
	s->engine->close(s);
	store_queue_destroy(&s->queue);
	pthread_mutex_destroy(&s->watch_lock);
	free(s->where);
	free(s);
}

static struct store *store_new(const char *where, const struct store_schema *schema, struct err *e)
{
	struct store *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	if (!store_queue_init(&s->queue, e)) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->watch_lock, NULL);
	s->engine = store_is_remote(where) ? &store_postgres : &store_sqlite;
	s->schema = schema;
	s->where = str_dup(where, e);
	if (!s->where) {
		store_free(s);
		return NULL;
	}
	return s;
}

static bool start(struct store *s, struct err *e)
{
	while (s->schema->statements[s->statement_count])
		if (++s->statement_count > STORE_STATEMENTS_MAX)
			return err_set(
				e, ERR_BUG, "store: more than %d statements", STORE_STATEMENTS_MAX);
	if (!s->engine->open(s, e))
		return false;
	s->thread_runs = pthread_create(&s->thread, NULL, writer_main, s) == 0;
	if (s->thread_runs)
		pthread_setname_np(s->thread, "store-writer");
	return s->thread_runs || err_set(e, ERR_NO_MEMORY, "store: no thread");
}

struct store *store_open_logging(
	const char *where, const struct store_schema *schema, const struct log *log, struct err *e)
{
	struct store *s = store_new(where, schema, e);

	if (!s)
		return NULL;
	s->log = log;
	if (start(s, e))
		return s;
	store_free(s);
	return NULL;
}

struct store *store_open(const char *where, const struct store_schema *schema, struct err *e)
{
	return store_open_logging(where, schema, NULL, e);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_queue_close(&s->queue);
	pthread_join(s->thread, NULL);
	store_free(s);
}
