/* SPDX-License-Identifier: Apache-2.0 */
/* Backups: prepared by the daemon, the store copied, the end logged. */
#include "common/run/backup.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/run/store_copy.h"
#include "common/run/store_move.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"

#define BACKUP_NICE 10 /* devices come first */
#define REPLY_MAX   8192

enum backup_state { BACKUP_NONE, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };
static const char *const state_names[] = {"none", "running", "done", "failed"};

struct backup {
	struct backup_daemon d;
	enum backup_state state;
	int64_t id, started, finished, octets;
	int64_t succeeded; /* when the last one did that */
	char path[PATH_MAX];
	char by[BACKUP_BY_MAX];
	char *store_path;
	struct err result;
	pthread_t thread;
	bool thread_runs; /* or waits to be joined */
	atomic_bool stop;
};

/* ---- The end ---- */

static void work_end(const struct backup *b)
{
	if (b->d.work_end)
		b->d.work_end(b->d.app);
}

static void finish(struct backup *b)
{
	char octets[24];

	b->finished = b->d.now(b->d.app);
	snprintf(octets, sizeof(octets), "%lld", (long long)b->octets);
	if (b->result.kind == ERR_NONE) {
		b->state = BACKUP_DONE;
		b->succeeded = b->finished;
		log_event(b->d.log, LOG_LEVEL_INFO, "backup-finished", NULL, "path", b->path,
			"octets", octets, "by", b->by, NULL);
	} else {
		b->state = BACKUP_FAILED;
		log_err(b->d.log, "alert-backup-failed", NULL, &b->result);
	}
	work_end(b);
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

/* A file is copied with all its pages; a database row by row, into such a file. */
static bool copy_store(struct backup *b)
{
	const struct store_move m = {.schema = b->d.schema, .stop = &b->stop};

	if (store_is_remote(b->store_path))
		return store_save(&m, b->d.store, b->path, &b->octets, &b->result);
	return store_copy(b->store_path, b->path, &b->stop, &b->octets, &b->result);
}

static void *copy(void *arg)
{
	struct backup *b = arg;
	struct err ignored = ERR_INIT;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKUP_NICE);
	if (!copy_store(b))
		b->octets = 0;
	while (!loop_post(b->d.loop, on_copied, b, &ignored))
		usleep(100000); /* no memory to say so */
	return NULL;
}

void backup_prepared(struct backup *b, const struct err *e)
{
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

static bool begin(struct backup *b, const struct call *c, const char *by, struct err *e)
{
	char path[PATH_MAX];

	if (b->state == BACKUP_RUNNING) {
		err_set(e, ERR_RETRY_LATER, "a backup is under way");
		return err_tell(e, "A backup is under way already.");
	}
	if (!read_path(c, path, e))
		return false;
	memcpy(b->path, path, sizeof(path));
	snprintf(b->by, sizeof(b->by), "%s", by);
	b->result = (struct err)ERR_INIT;
	b->started = b->d.now(b->d.app);
	b->finished = b->octets = 0;
	b->id++;
	b->state = BACKUP_RUNNING;
	if (b->d.work_begin)
		b->d.work_begin(b->d.app);
	if (b->d.prepare(b->d.app, b, call_exchange(c), b->by, b->path, e))
		return true;
	b->state = BACKUP_FAILED;
	b->result = *e;
	work_end(b);
	return false;
}

/* ---- For the administrator ---- */

static json_t *text(const char *s)
{
	json_t *value = s ? json_string(s) : NULL;

	return value ? value : json_null();
}

static json_t *moment(int64_t unix_s)
{
	char at[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	return text(unix_s && datetime_format(unix_s, at, &ignored) ? at : NULL);
}

void backup_tell(const struct backup *b, struct call *c)
{
	const char *why = b->state == BACKUP_FAILED ? b->result.text : NULL;
	int64_t octets = b->state == BACKUP_DONE ? b->octets : 0; /* its thread's until then */
	BUF_AUTO struct buf reply = BUF_INIT(REPLY_MAX);
	struct err e = ERR_INIT;
	JSON_AUTO json_t *answer = json_pack("{sI ss so so so sI so}", "id", (json_int_t)b->id,
		"state", state_names[b->state], "path", text(b->path[0] ? b->path : NULL),
		"started", moment(b->started), "finished", moment(b->finished), "octets",
		(json_int_t)octets, "reason", text(why));

	if (!answer)
		err_set(&e, ERR_NO_MEMORY, "no memory for an answer");
	if (answer && json_format(answer, &reply, &e))
		call_reply(c, 200, "application/json", buf_bytes(&reply));
	else
		call_reply_err(c, b->d.log, "admin-failed", &e);
}

void backup_want(struct backup *b, struct call *c, const char *by)
{
	struct err e = ERR_INIT;

	if (begin(b, c, by, &e))
		backup_tell(b, c);
	else
		call_reply_err(c, b->d.log, "admin-failed", &e);
}

/* ---- Life ---- */

struct backup *backup_new(const struct backup_daemon *d, struct err *e)
{
	struct backup *b = mem_new(sizeof(*b), e);

	if (!b)
		return NULL;
	b->d = *d;
	b->store_path = str_dup(d->store_path, e);
	b->d.store_path = b->store_path;
	if (b->store_path)
		return b;
	backup_free(b);
	return NULL;
}

int64_t backup_succeeded(const struct backup *b)
{
	return b->succeeded;
}

void backup_cancel(struct backup *b)
{
	if (b)
		atomic_store(&b->stop, true);
}

void backup_free(struct backup *b)
{
	if (!b)
		return;
	backup_cancel(b);
	join(b);
	free(b->store_path);
	free(b);
}
