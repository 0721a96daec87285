/* SPDX-License-Identifier: Apache-2.0 */
/* Between the store and its engines: the store (store.c) has the queue and the writer thread and
 * hands batches and queries to one of them, which it chose by where the records are. For files that
 * are engines; everybody else uses store.h. */
#ifndef RUN_STORE_ENGINE_H
#define RUN_STORE_ENGINE_H

#include <pthread.h>

#include "common/run/store_queue.h"

/* The most statements of a schema. */
#define STORE_STATEMENTS_MAX 256

struct store {
	const struct store_engine *engine;
	const struct store_schema *schema;
	size_t statement_count;
	const struct log *log; /* or NULL */
	char *where;	       /* may hold a password: engines have a text of their own to show */
	void *own;	       /* the engine's */
	struct store_queue queue;
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t watch_lock;
	void (*committed)(void *arg); /* or NULL */
	void *committed_arg;
};

struct store_engine {
	/* Open or create, check what it is, migrate. False: close() follows all the same. */
	bool (*open)(struct store *s, struct err *e);
	void (*close)(struct store *s); /* s->own may be NULL */
	/* Writer thread: run the jobs in order, durably, each whole or not at all; fill in result
	 * and changed of each. Was anything committed? */
	bool (*run)(struct store *s, struct store_job *batch);
	bool (*read)(struct store *s, int statement, const struct store_value *params,
		size_t param_count, store_row_fn *fn, void *arg, int64_t *rows, struct err *e);
	bool (*space)(struct store *s, struct store_space *out, struct err *e);
	bool (*ready)(struct store *s);
	bool (*leads)(struct store *s);
	int64_t (*row_int)(const struct store_row *r, int column);
	const char *(*row_text)(const struct store_row *r, int column);
	struct bytes (*row_blob)(const struct store_row *r, int column);
};

/* What an engine's rows begin with. */
struct store_row {
	const struct store_engine *engine;
};

extern const struct store_engine store_sqlite, store_postgres;

/* Somebody has committed: tell who watches. Any thread. */
void store_committed(struct store *s);
/* What a step has changed, against what it must: ERR_CONFLICT. */
bool store_op_check(const struct store_op *op, int64_t changed, struct err *e) MUST_CHECK;

#endif
