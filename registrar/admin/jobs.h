/* SPDX-License-Identifier: Apache-2.0 */
/* One thread for what would hold up a loop: quick tasks whose caller waits for the answer, and long
 * jobs, which are stored with their progress and can be looked at while they run and afterwards.
 * Between two steps of a long job quick tasks have their turn. A job that a drain or a crash ends
 * is stored as interrupted; what it did is done, the rest is not. */
#ifndef REGISTRAR_ADMIN_JOBS_H
#define REGISTRAR_ADMIN_JOBS_H

#include "common/wire/json.h"
#include "registrar/records/claims.h"
#include "registrar/registrar.h"

#define JOBS_PATH	 "/api/v1/jobs"
#define JOBS_QUICK_MAX	 256 /* waiting: more administrators than press a button at one time */
#define JOBS_LONG_MAX	 16  /* waiting: each holds what it is about */
#define JOBS_SHOWN_MAX	 100 /* kept in the store */
#define JOB_FAILURES_MAX 200 /* items that failed, shown with it; all are counted */

struct jobs;
bool jobs_start(struct registrar *r, struct err *e) MUST_CHECK;
/* No step of a long job is begun any more. Any thread. */
void jobs_cancel(struct registrar *r);
/* Ends the thread, after the quick tasks that wait; before the store is closed. */
void jobs_end(struct registrar *r);

/* work(arg) on the thread, then done(arg) on the loop; when that is gone by then, drop(arg).
 * ERR_RETRY_LATER: too many wait. Any thread. */
struct jobs_task {
	void (*work)(void *arg);
	loop_fn *done, *drop;
	struct loop *loop;
	void *arg;
};
bool jobs_do(struct registrar *r, const struct jobs_task *t, struct err *e) MUST_CHECK;

struct job;
struct jobs_order {
	const char *kind, *by, *exchange, *what; /* copied */
	int64_t total;
	/* One step at a time, on the thread: work through some, and say how many by job_count();
	 * false with *e: the job has failed; *more: it wants to be called again. */
	bool (*step)(void *arg, struct job *job, bool *more, struct err *e);
	void (*drop)(void *arg); /* when it has ended */
	void *arg;
};
/* Stored and queued. On the thread of a quick task only. *id: its number. ERR_RETRY_LATER. */
bool jobs_add(
	struct registrar *r, const struct jobs_order *o, int64_t *id, struct err *e) MUST_CHECK;

/* For a step: what to store with its transaction, and what was done. */
int64_t job_id(const struct job *j);
int64_t job_done(const struct job *j);
int64_t job_failed(const struct job *j);
void job_count(struct job *j, int64_t done, int64_t failed);
/* Takes the item: one that failed. */
void job_note_failure(struct job *j, json_t *item);

/* Handlers. */
void jobs_list(struct call *c, void *app);
void jobs_show(struct call *c, void *app);

#endif
