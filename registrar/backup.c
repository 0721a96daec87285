/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: noted in the journal, the journal signed, the store copied, the end logged. All but the
 * copying is on the first loop. */
#include "registrar/backup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/run/store_copy.h"
#include "registrar/admin_answer.h"
#include "registrar/admin_guard.h"
#include "registrar/records.h"
#include "registrar/seal.h"

#define BACKUP_NICE 10 /* devices come first */

enum backup_state { BACKUP_NONE, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };
static const char *const state_names[] = {"none", "running", "done", "failed"};

struct backup {
	struct registrar *r;
	enum backup_state state;
	int64_t id, started, finished, octets;
	int64_t succeeded; /* when the last one did that */
	char path[PATH_MAX];
	char by[CALL_PEER_MAX];
	char *store_path; /* as it was at the start */
	struct err result;
	pthread_t thread;
	bool thread_runs; /* or waits to be joined */
	atomic_bool stop;
};

/* ---- The end ---- */

static void finish(struct backup *b)
{
	struct registrar *r = b->r;
	char octets[24];

	b->finished = registrar_now(r);
	snprintf(octets, sizeof(octets), "%lld", (long long)b->octets);
	if (b->result.kind == ERR_NONE) {
		b->state = BACKUP_DONE;
		b->succeeded = b->finished;
		log_event(&r->log, LOG_LEVEL_INFO, "backup-finished", NULL, "path", b->path,
			"octets", octets, "by", b->by, NULL);
	} else {
		b->state = BACKUP_FAILED;
		log_err(&r->log, "alert-backup-failed", NULL, &b->result);
	}
	registrar_work_end(r);
}

static void join(struct backup *b)
{
	if (b->thread_runs)
		pthread_join(b->thread, NULL);
	b->thread_runs = false;
}

static void on_copied(void *arg)
{
	struct backup *b = arg;

	join(b);
	finish(b);
}

/* ---- On a thread of its own ---- */

static void *copy(void *arg)
{
	struct backup *b = arg;
	struct err ignored = ERR_INIT;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKUP_NICE);
	if (!store_copy(b->store_path, b->path, &b->stop, &b->octets, &b->result))
		b->octets = 0;
	while (!loop_post(b->r->workers[0].loop, on_copied, b, &ignored))
		usleep(100000); /* no memory to say so */
	return NULL;
}

static void on_sealed(void *arg, const struct hash_chain_head *head, const struct err *e)
{
	struct backup *b = arg;

	if (e)
		b->result = *e;
	else if (pthread_create(&b->thread, NULL, copy, b) != 0)
		err_set(&b->result, ERR_NO_MEMORY, "no thread for a backup");
	else
		b->thread_runs = true;
	if (!b->thread_runs)
		finish(b);
}

/* ---- The beginning ---- */

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct backup *b = arg;

	if (e)
		b->result = *e;
	else if (seal_now(b->r, on_sealed, b, &b->result))
		return;
	finish(b);
}

static bool journal(struct backup *b, const char *exchange, struct err *e)
{
	const struct records_writer w = {b->r->store, b->r->workers[0].loop, on_journaled, b};
	const struct journal_entry line = {
		.at = b->started,
		.exchange = exchange,
		.actor = b->by,
		.step = "backup",
		.outcome = "begun",
		.reason = b->path,
	};

	return records_journal(&w, &line, e);
}

static bool read_path(const struct call *c, char out[PATH_MAX], struct err *e)
{
	JSON_AUTO json_t *body = json_parse_object(call_body(c), e);
	const char *path = NULL;

	if (!body || !json_get_string(body, "path", &path, e))
		return false;
	if (!path || path[0] != '/' || strlen(path) >= PATH_MAX) {
		err_set(e, ERR_INPUT, "a backup without an absolute path");
		return err_tell(e, "Say where to with an absolute path.");
	}
	memcpy(out, path, strlen(path) + 1);
	return true;
}

static bool begin(struct backup *b, const struct call *c, struct err *e)
{
	char path[PATH_MAX];

	if (b->state == BACKUP_RUNNING) {
		err_set(e, ERR_RETRY_LATER, "a backup is under way");
		return err_tell(e, "A backup is under way already.");
	}
	if (!read_path(c, path, e))
		return false;
	memcpy(b->path, path, sizeof(path));
	snprintf(b->by, sizeof(b->by), "%s", admin_by(c));
	b->result = (struct err)ERR_INIT;
	b->started = registrar_now(b->r);
	b->finished = b->octets = 0;
	b->id++;
	registrar_work_begin(b->r);
	b->state = BACKUP_RUNNING;
	if (journal(b, call_exchange(c), e))
		return true;
	b->state = BACKUP_FAILED;
	b->result = *e;
	registrar_work_end(b->r);
	return false;
}

/* ---- For the administrator ---- */

static void tell(struct call *c, const struct backup *b)
{
	const char *why = b->state == BACKUP_FAILED ? b->result.text : NULL;
	int64_t octets = b->state == BACKUP_DONE ? b->octets : 0; /* its thread's until then */
	JSON_AUTO json_t *answer = json_pack("{sI ss so so so sI so}", "id", (json_int_t)b->id,
		"state", state_names[b->state], "path", admin_text(b->path[0] ? b->path : NULL),
		"started", admin_moment(b->started), "finished", admin_moment(b->finished),
		"octets", (json_int_t)octets, "reason", admin_text(why));

	admin_reply(c, b->r, answer);
}

void backup_show(struct call *c, void *registrar)
{
	const struct registrar *r = registrar;

	tell(c, r->backup);
}

void backup_begin(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;

	if (begin(r->backup, c, &e))
		tell(c, r->backup);
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
}

/* ---- Life ---- */

bool backup_start(struct registrar *r, struct err *e)
{
	r->backup = mem_new(sizeof(*r->backup), e);
	if (!r->backup)
		return false;
	r->backup->r = r;
	r->backup->store_path = str_dup(r->setup->config.store, e);
	return r->backup->store_path != NULL;
}

int64_t backup_last_success(const struct registrar *r)
{
	return r->backup->succeeded;
}

void backup_cancel(struct registrar *r)
{
	if (r->backup)
		atomic_store(&r->backup->stop, true);
}

void backup_end(struct registrar *r)
{
	if (!r->backup)
		return;
	backup_cancel(r);
	join(r->backup);
	free(r->backup->store_path);
	free(r->backup);
	r->backup = NULL;
}
