/* SPDX-License-Identifier: Apache-2.0 */
/* The thread and its two queues. */
#include "registrar/admin/jobs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/wire/json.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/fellows.h"

#define JOBS_NICE     5		/* devices come first */
#define NUMBER_TRIES  5		/* several registrars begin one at once */
#define FAILURES_TEXT (1 << 20) /* JOB_FAILURES_MAX of them as JSON */
#define END_AGAIN_US  1000000

struct task {
	struct task *next;
	struct jobs_task t;
};

struct job {
	struct job *next;
	struct registrar *r;
	struct jobs_order order; /* its strings are owned */
	int64_t id, begun, done, failed;
	json_t *failures;
};

struct jobs {
	struct registrar *r;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct task *first_task, **last_task;
	size_t task_count;
	struct job *first_job, **last_job;
	size_t job_count;
	bool ending;
	atomic_bool cancelled;
	pthread_t thread;
	bool thread_runs;
};

/* ---- Quick tasks ---- */

static struct task *take_task(struct jobs *j)
{
	struct task *t;

	pthread_mutex_lock(&j->lock);
	t = j->first_task;
	if (t) {
		j->first_task = t->next;
		if (!j->first_task)
			j->last_task = &j->first_task;
		j->task_count--;
	}
	pthread_mutex_unlock(&j->lock);
	return t;
}

static void run_tasks(struct jobs *j)
{
	struct err ignored = ERR_INIT;
	struct task *t;

	while ((t = take_task(j))) {
		t->t.work(t->t.arg);
		while (!loop_post_or_drop(t->t.loop, t->t.done, t->t.drop, t->t.arg, &ignored))
			usleep(100000); /* no memory to say so */
		free(t);
	}
}

bool jobs_do(struct registrar *r, const struct jobs_task *t, struct err *e)
{
	struct task *task = mem_new(sizeof(*task), e);
	struct jobs *j = r->jobs;
	bool room;

	if (!task)
		return false;
	task->t = *t;
	pthread_mutex_lock(&j->lock);
	room = j->task_count < JOBS_QUICK_MAX && !j->ending;
	if (room) {
		*j->last_task = task;
		j->last_task = &task->next;
		j->task_count++;
		pthread_cond_signal(&j->wake);
	}
	pthread_mutex_unlock(&j->lock);
	if (room)
		return true;
	free(task);
	return err_set(e, ERR_RETRY_LATER, "%d decisions wait", JOBS_QUICK_MAX);
}

/* ---- Long jobs ---- */

static void job_free(struct job *job)
{
	if (!job)
		return;
	free((char *)(uintptr_t)job->order.kind);
	free((char *)(uintptr_t)job->order.by);
	free((char *)(uintptr_t)job->order.exchange);
	free((char *)(uintptr_t)job->order.what);
	json_decref(job->failures);
	free(job);
}

static struct job_record record_of(const struct job *job, enum job_state state)
{
	return (struct job_record){
		.id = job->id,
		.state = state,
		.kind = job->order.kind,
		.by = job->order.by,
		.exchange = job->order.exchange,
		.what = job->order.what,
		.total = job->order.total,
		.done = job->done,
		.failed = job->failed,
		.begun = job->begun,
		.member = fellows_id(job->r),
	};
}

static struct job *job_new(struct registrar *r, const struct jobs_order *o, struct err *e)
{
	struct job *job = mem_new(sizeof(*job), e);

	if (!job)
		return NULL;
	job->r = r;
	job->order = *o;
	job->order.kind = str_dup(o->kind, e);
	job->order.by = str_dup(o->by, e);
	job->order.exchange = str_dup(o->exchange, e);
	job->order.what = str_dup(o->what, e);
	job->failures = json_array();
	if (job->order.kind && job->order.by && job->order.exchange && job->order.what &&
		job->failures)
		return job;
	job_free(job);
	err_set(e, ERR_NO_MEMORY, "no memory for a job");
	return NULL;
}

static bool note_last(void *arg, const struct job_record *job, struct err *e)
{
	*(int64_t *)arg = job->id;
	return false;
}

/* It is stored before anybody is told of it. Another registrar may take the number meanwhile. */
static bool store_begin(struct jobs *j, struct job *job, struct err *e)
{
	struct job_record record;

	job->begun = registrar_now(j->r);
	for (int tries = 0; tries < NUMBER_TRIES; tries++) {
		*e = (struct err)ERR_INIT;
		job->id = 0;
		if (!records_list_jobs(j->r->store, 1, note_last, &job->id, e))
			return false;
		job->id++;
		record = record_of(job, JOB_RUNNING);
		if (records_begin_job(j->r->store, &record, e))
			return true;
		if (e->kind != ERR_CONFLICT)
			return false;
	}
	return false;
}

bool jobs_add(struct registrar *r, const struct jobs_order *o, int64_t *id, struct err *e)
{
	struct jobs *j = r->jobs;
	struct job *job;

	if (j->job_count >= JOBS_LONG_MAX || atomic_load(&j->cancelled))
		return err_set(e, ERR_RETRY_LATER, "%d jobs wait", JOBS_LONG_MAX);
	job = job_new(r, o, e);
	if (!job || !store_begin(j, job, e)) {
		job_free(job);
		return false;
	}
	*id = job->id;
	registrar_work_begin(r);
	pthread_mutex_lock(&j->lock);
	*j->last_job = job;
	j->last_job = &job->next;
	j->job_count++;
	pthread_mutex_unlock(&j->lock);
	return true;
}

/* Who follows it waits for its end, which a full disk must not keep from them for ever. What is not
 * noted when the registrar ends is noted by its next start. */
static void store_end(struct jobs *j, const struct job *job, const struct job_record *record)
{
	struct err e = ERR_INIT;

	while (!records_end_job(j->r->store, record, &e)) {
		log_err(&j->r->log, "job-not-noted", job->order.exchange, &e);
		if (e.kind == ERR_CONFLICT || atomic_load(&j->cancelled))
			return;
		run_tasks(j);
		usleep(END_AGAIN_US);
		e = (struct err)ERR_INIT;
	}
}

static void end_job(struct job *job, enum job_state state, const struct err *why)
{
	BUF_AUTO struct buf failures = BUF_INIT(FAILURES_TEXT);
	struct job_record record = record_of(job, state);
	struct registrar *r = job->r;
	struct err e = ERR_INIT;

	record.ended = registrar_now(r);
	if (why)
		record.reason = err_sentence(why);
	if (json_array_size(job->failures) && json_format(job->failures, &failures, &e))
		record.failures = buf_str(&failures);
	if (why)
		log_err(&r->log, "job-failed", job->order.exchange, why);
	store_end(r->jobs, job, &record);
	job->order.drop(job->order.arg);
	registrar_count_claims(r);
	job_free(job);
	registrar_work_end(r);
}

static void run_job(struct jobs *j, struct job *job)
{
	struct err e = ERR_INIT;
	bool more = true;

	while (more && !atomic_load(&j->cancelled)) {
		if (!job->order.step(job->order.arg, job, &more, &e)) {
			end_job(job, JOB_FAILED, &e);
			return;
		}
		run_tasks(j);
	}
	end_job(job, more ? JOB_INTERRUPTED : JOB_FINISHED, NULL);
}

static struct job *take_job(struct jobs *j)
{
	struct job *job;

	pthread_mutex_lock(&j->lock);
	job = j->first_job;
	if (job) {
		j->first_job = job->next;
		if (!j->first_job)
			j->last_job = &j->first_job;
		j->job_count--;
	}
	pthread_mutex_unlock(&j->lock);
	return job;
}

int64_t job_id(const struct job *j)
{
	return j->id;
}

int64_t job_done(const struct job *j)
{
	return j->done;
}

int64_t job_failed(const struct job *j)
{
	return j->failed;
}

void job_count(struct job *j, int64_t done, int64_t failed)
{
	j->done += done;
	j->failed += failed;
}

void job_note_failure(struct job *j, json_t *item)
{
	if (json_array_size(j->failures) < JOB_FAILURES_MAX)
		json_array_append(j->failures, item);
	json_decref(item);
}

/* ---- The thread ---- */

static bool wait_for_work(struct jobs *j)
{
	bool work;

	pthread_mutex_lock(&j->lock);
	while (!j->first_task && !j->first_job && !j->ending)
		pthread_cond_wait(&j->wake, &j->lock);
	work = j->first_task || j->first_job;
	pthread_mutex_unlock(&j->lock);
	return work;
}

static void *jobs_main(void *arg)
{
	struct jobs *j = arg;
	struct job *job;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), JOBS_NICE);
	while (wait_for_work(j)) {
		run_tasks(j);
		job = take_job(j);
		if (job)
			run_job(j, job);
	}
	return NULL;
}

bool jobs_start(struct registrar *r, struct err *e)
{
	struct jobs *j = mem_new(sizeof(*j), e);

	if (!j)
		return false;
	r->jobs = j;
	j->r = r;
	j->last_task = &j->first_task;
	j->last_job = &j->first_job;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->wake, NULL);
	if (fellows_id(r) ? !records_interrupt_jobs(r->store, registrar_now(r), e)
			  : !records_interrupt_all_jobs(r->store, registrar_now(r), e))
		return false;
	j->thread_runs = pthread_create(&j->thread, NULL, jobs_main, j) == 0;
	return j->thread_runs || err_set(e, ERR_NO_MEMORY, "no thread for jobs");
}

void jobs_cancel(struct registrar *r)
{
	if (r->jobs)
		atomic_store(&r->jobs->cancelled, true);
}

void jobs_end(struct registrar *r)
{
	struct jobs *j = r->jobs;

	if (!j)
		return;
	jobs_cancel(r);
	if (j->thread_runs) {
		pthread_mutex_lock(&j->lock);
		j->ending = true;
		pthread_cond_signal(&j->wake);
		pthread_mutex_unlock(&j->lock);
		pthread_join(j->thread, NULL);
	}
	pthread_cond_destroy(&j->wake);
	pthread_mutex_destroy(&j->lock);
	free(j);
	r->jobs = NULL;
}

/* ---- For administrators ---- */

static json_t *job_object(const struct job_record *job)
{
	return json_pack("{sI ss ss ss so sI sI sI so so so}", "id", (json_int_t)job->id, "kind",
		job->kind, "state", job_state_name(job->state), "what", job->what, "by",
		admin_text(job->by), "total", (json_int_t)job->total, "done", (json_int_t)job->done,
		"failed", (json_int_t)job->failed, "begun", admin_moment(job->begun), "ended",
		admin_moment(job->ended), "reason", admin_text(job->reason));
}

/* One's own; all of them for who decides about everything. */
static bool is_in_sight(const struct call *c, const struct job_record *job)
{
	const struct principal *p = admin_who(c);

	return p && ((job->by && strcmp(job->by, p->name) == 0) ||
			    principal_may_everywhere(p, MAY_DECIDE, p->asked_at));
}

struct shown_jobs {
	const struct call *call;
	json_t *items;
};

static bool add_job(void *arg, const struct job_record *job, struct err *e)
{
	const struct shown_jobs *s = arg;

	return !is_in_sight(s->call, job) || admin_append(s->items, job_object(job), e);
}

void jobs_list(struct call *c, void *app)
{
	struct registrar *r = app;
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct shown_jobs s = {c, items};
	struct err e = ERR_INIT;

	if (items && !records_list_jobs(r->store, JOBS_SHOWN_MAX, add_job, &s, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = items ? json_pack("{sO sn}", "items", items, "next") : NULL;
	admin_reply(c, r, answer);
}

static bool show_job(void *arg, const struct job_record *job, struct err *e)
{
	struct shown_jobs *s = arg;
	json_t *object;

	if (!is_in_sight(s->call, job))
		return true;
	object = job_object(job);
	if (!object || json_object_set_new(object, "failures",
			       admin_stored_json(job->failures, json_array())) != 0) {
		json_decref(object);
		return err_set(e, ERR_NO_MEMORY, "no memory for a job");
	}
	s->items = object;
	return true;
}

void jobs_show(struct call *c, void *app)
{
	struct registrar *r = app;
	struct shown_jobs s = {c, NULL};
	struct err e = ERR_INIT;
	int64_t id;

	if (!admin_parse_number(call_path(c) + strlen(JOBS_PATH "/"), &id) ||
		(records_show_job(r->store, id, show_job, &s, &e) && !s.items))
		err_set(&e, ERR_NOT_FOUND, "no such job");
	err_tell(&e, "There is no job with this number.");
	if (s.items)
		admin_reply(c, r, s.items);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
	json_decref(s.items);
}
