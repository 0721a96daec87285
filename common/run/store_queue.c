/* SPDX-License-Identifier: Apache-2.0 */
/* Queue of transactions for a writer thread: see store_queue.h. */
#include "common/run/store_queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"

/* How soon an answer that found its loop without memory is offered again. */
#define REPOST_NS 10000000

/* How long jobs gather between two batches under load: half a millisecond for each that came in
 * company lately. They share one flush of the disk and the pages it writes, which were an eighth of
 * all the work done; a crowd waits longer than that for the processor. */
#define GATHER_EACH_NS	500000
#define GATHER_LEAST_NS 5000000
#define COMPANY_MAX	40 /* forgotten within as many batches: less than a second */

#define SECOND_NS 1000000000

bool store_queue_init(struct store_queue *q, struct err *e)
{
	pthread_condattr_t attr;

	memset(q, 0, sizeof(*q));
	q->tail = &q->head;
	q->wait_ms = STORE_WRITE_WAIT_MS;
	if (pthread_mutex_init(&q->lock, NULL) != 0)
		return err_set(e, ERR_NO_MEMORY, "no mutex for the store");
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (pthread_cond_init(&q->wake, &attr) != 0) {
		pthread_condattr_destroy(&attr);
		pthread_mutex_destroy(&q->lock);
		return err_set(e, ERR_NO_MEMORY, "no condition for the store");
	}
	pthread_condattr_destroy(&attr);
	return true;
}

void store_queue_destroy(struct store_queue *q)
{
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
}

static size_t octets_of(const struct store_op *ops, size_t op_count)
{
	size_t sum = 0;

	for (size_t i = 0; i < op_count; i++)
		for (size_t p = 0; p < ops[i].param_count; p++)
			sum += ops[i].params[p].octets.len;
	return sum;
}

/* The caller's values may live on its stack: copy them behind the ops. */
static void copy_ops(struct store_job *job, const struct store_op *ops)
{
	uint8_t *room = (uint8_t *)&job->changed[job->op_count];

	memcpy(job->ops, ops, job->op_count * sizeof(*ops));
	for (size_t i = 0; i < job->op_count; i++) {
		for (size_t p = 0; p < job->ops[i].param_count; p++) {
			struct bytes *octets = &job->ops[i].params[p].octets;

			if (octets->len)
				memcpy(room, octets->data, octets->len);
			octets->data = room;
			room += octets->len;
		}
	}
}

static struct store_job *job_new(const struct store_op *ops, size_t op_count, struct err *e)
{
	struct store_job *job;

	if (op_count == 0 || op_count > STORE_IMPORT_MAX) {
		err_set(e, ERR_BUG, "a transaction of %zu steps", op_count);
		return NULL;
	}
	for (size_t i = 0; i < op_count; i++)
		if (ops[i].param_count > STORE_PARAMS_MAX) {
			err_set(e, ERR_BUG, "a statement with %zu values", ops[i].param_count);
			return NULL;
		}
	job = mem_new(sizeof(*job) + op_count * (sizeof(*ops) + sizeof(*job->changed)) +
			      octets_of(ops, op_count),
		e);
	if (!job)
		return NULL;
	job->op_count = op_count;
	job->changed = (int64_t *)(void *)&job->ops[op_count];
	copy_ops(job, ops);
	return job;
}

bool store_queue_push(struct store_queue *q, const struct store_op *ops, size_t op_count,
	struct loop *l, store_done *done, void *arg, struct err *e)
{
	struct store_job *job = job_new(ops, op_count, e);
	bool room;

	if (!job)
		return false;
	job->loop = l;
	job->done = done;
	job->arg = arg;
	job->queued_ms = clock_mono_ms();
	pthread_mutex_lock(&q->lock);
	room = q->held < STORE_QUEUE_MAX && !q->closing;
	if (room) {
		*q->tail = job;
		q->tail = &job->next;
		q->held++;
		pthread_cond_signal(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
	if (!room) {
		free(job);
		return err_set(e, ERR_RETRY_LATER, "store: %d transactions are waiting already",
			STORE_QUEUE_MAX);
	}
	return true;
}

static void job_finish(void *arg)
{
	struct store_job *job = arg;

	job->done(job->arg, job->changed, job->result.kind == ERR_NONE ? NULL : &job->result);
	free(job);
}

static bool job_answer(struct store_job *job)
{
	struct err e = ERR_INIT;

	if (job->loop)
		return loop_post_or_drop(job->loop, job_finish, free, job, &e);
	job_finish(job);
	return true;
}

static void repost(struct store_queue *q)
{
	struct store_job *job = q->unposted;

	q->unposted = NULL;
	while (job) {
		struct store_job *next = job->next;

		if (!job_answer(job)) {
			job->next = q->unposted;
			q->unposted = job;
		}
		job = next;
	}
}

static struct timespec later(struct timespec t, long ns)
{
	t.tv_nsec += ns;
	if (t.tv_nsec >= SECOND_NS) {
		t.tv_nsec -= SECOND_NS;
		t.tv_sec++;
	}
	return t;
}

static void wait_for_work(struct store_queue *q)
{
	struct timespec until;

	if (!q->unposted) {
		pthread_cond_wait(&q->wake, &q->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until = later(until, REPOST_NS);
	pthread_cond_timedwait(&q->wake, &q->lock, &until);
}

static long gather_ns(size_t company)
{
	long ns = (long)company * GATHER_EACH_NS;

	return ns < GATHER_LEAST_NS ? GATHER_LEAST_NS : ns;
}

/* A client alone, whose jobs come one by one, is never kept waiting. */
static void gather(struct store_queue *q)
{
	struct timespec until = later(q->answered, gather_ns(q->company));

	if (q->company < 2 || q->closing)
		return;
	pthread_mutex_unlock(&q->lock);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	pthread_mutex_lock(&q->lock);
}

static size_t company_after(size_t before, size_t taken)
{
	if (taken < before)
		return before - 1;
	return taken < COMPANY_MAX ? taken : COMPANY_MAX;
}

struct store_job *store_queue_take(struct store_queue *q, size_t batch_max)
{
	struct store_job *batch, *last;
	size_t taken = 0;

	repost(q);
	pthread_mutex_lock(&q->lock);
	while (!q->head && !(q->closing && !q->unposted)) {
		q->waiting = true;
		wait_for_work(q);
		q->waiting = false;
		pthread_mutex_unlock(&q->lock);
		repost(q);
		pthread_mutex_lock(&q->lock);
	}
	gather(q);
	q->turns++;
	batch = q->head;
	if (batch) {
		for (last = batch; ++taken < batch_max && last->next;)
			last = last->next;
		q->head = last->next;
		if (!q->head)
			q->tail = &q->head;
		last->next = NULL;
	}
	q->company = company_after(q->company, taken);
	pthread_mutex_unlock(&q->lock);
	return batch;
}

void store_queue_answer(struct store_queue *q, struct store_job *batch)
{
	size_t answered = 0;

	while (batch) {
		struct store_job *next = batch->next;

		if (!job_answer(batch)) {
			batch->next = q->unposted;
			q->unposted = batch;
		}
		answered++;
		batch = next;
	}
	clock_gettime(CLOCK_MONOTONIC, &q->answered);
	pthread_mutex_lock(&q->lock);
	q->held -= answered;
	pthread_mutex_unlock(&q->lock);
}

bool store_job_is_late(const struct store_queue *q, struct store_job *job)
{
	if (clock_mono_ms() - job->queued_ms < q->wait_ms)
		return false;
	err_set(&job->result, ERR_RETRY_LATER,
		"store: the database was away, or kept it waiting, for too long");
	err_tell(&job->result, STORE_AWAY);
	return true;
}

/* Those at the head have waited longest. */
static struct store_job *take_late(struct store_queue *q)
{
	struct store_job *late = NULL, **tail = &late;

	while (q->head && store_job_is_late(q, q->head)) {
		*tail = q->head;
		tail = &q->head->next;
		q->head = q->head->next;
	}
	*tail = NULL;
	if (!q->head)
		q->tail = &q->head;
	return late;
}

void store_queue_tick(struct store_queue *q)
{
	struct store_job *late;

	repost(q);
	pthread_mutex_lock(&q->lock);
	q->turns++;
	late = take_late(q);
	pthread_mutex_unlock(&q->lock);
	if (late)
		store_queue_answer(q, late);
}

bool store_queue_moves(struct store_queue *q, uint64_t *seen)
{
	bool moves;

	pthread_mutex_lock(&q->lock);
	moves = q->turns != *seen || (q->waiting && !q->head);
	*seen = q->turns;
	pthread_mutex_unlock(&q->lock);
	return moves;
}

void store_queue_close(struct store_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closing = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

bool store_queue_is_closed(struct store_queue *q)
{
	bool closing;

	pthread_mutex_lock(&q->lock);
	closing = q->closing;
	pthread_mutex_unlock(&q->lock);
	return closing;
}
