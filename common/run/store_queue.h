/* SPDX-License-Identifier: Apache-2.0 */
/* The waiting room in front of a store's writer thread: transactions copied into one allocation
 * each, taken out in batches, and answered on the loop they came from. Knows nothing of any
 * database, so that every engine shares it. */
#ifndef RUN_STORE_QUEUE_H
#define RUN_STORE_QUEUE_H

#include <pthread.h>

#include "common/run/store.h"

struct store_job {
	struct store_job *next;
	struct loop *loop; /* where done is called; NULL: on the writer thread itself */
	store_done *done;
	void *arg;
	struct err result; /* kind ERR_NONE: durable */
	int64_t queued_ms; /* when, by clock_mono_ms() */
	int64_t *changed;  /* one per op, filled in by the engine */
	size_t op_count;
	struct store_op ops[]; /* changed and the octets follow in the same allocation */
};

struct store_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_job *head, **tail; /* waiting for the writer */
	size_t held;	 /* waiting or in the writer's hands; at most STORE_QUEUE_MAX */
	int64_t wait_ms; /* STORE_WRITE_WAIT_MS, but in tests */
	bool closing;
	bool waiting;		    /* the writer, for work */
	uint64_t turns;		    /* it has come round this often */
	size_t company;		    /* jobs at once, lately; writer's own, as what follows */
	struct timespec answered;   /* when its last batch was */
	struct store_job *unposted; /* answered, but the loop had no memory to take it */
};

bool store_queue_init(struct store_queue *q, struct err *e) MUST_CHECK;
void store_queue_destroy(struct store_queue *q);

/* Copy and append; false as store_write() says. Any thread. */
bool store_queue_push(struct store_queue *q, const struct store_op *ops, size_t op_count,
	struct loop *l, store_done *done, void *arg, struct err *e) MUST_CHECK;
/* Has the writer come round since *seen, or nothing to do? Any one thread. */
bool store_queue_moves(struct store_queue *q, uint64_t *seen);
/* Writer: wait for work and take up to batch_max jobs in order; NULL when closed and empty. Where
 * jobs come in company, it lets them gather for a moment: they share one flush of the disk. */
struct store_job *store_queue_take(struct store_queue *q, size_t batch_max);
/* Writer: call every job of the batch back, each on its loop; none is ever lost. */
void store_queue_answer(struct store_queue *q, struct store_job *batch);
/* Writer, while it waits for its database: say that it lives, and fail what has waited for longer
 * than wait_ms with ERR_RETRY_LATER. */
void store_queue_tick(struct store_queue *q);
/* Has the job waited for so long? Its result is set then. */
bool store_job_is_late(const struct store_queue *q, struct store_job *job);
/* Take no more; the writer ends after what is queued. */
void store_queue_close(struct store_queue *q);
bool store_queue_is_closed(struct store_queue *q);

#endif
