/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a daemon's store while it runs, one at a time, each made on a thread of its own. All
 * but the copying is on one loop, where the calls have to come from as well. */
#ifndef RUN_BACKUP_H
#define RUN_BACKUP_H

#include "common/net/call.h"

#define BACKUP_BY_MAX 64

struct backup;

/* What a backup asks of the daemon it is part of. */
struct backup_daemon {
	const struct log *log;
	struct loop *loop;
	const char *store_path; /* as it was at the start */
	struct store *store;
	const struct store_schema *schema;
	void *app;
	int64_t (*now)(void *app);
	/* A drain has to wait from here to there. NULL: it does not. */
	void (*work_begin)(void *app);
	void (*work_end)(void *app);
	/* Write down that somebody wants a copy in `path`, and put what was written in a state in
	 * which a copy is worth something; backup_prepared() is called when that is durable,
	 * perhaps at once. False: it will not be. */
	bool (*prepare)(void *app, struct backup *b, const char *exchange, const char *by,
		const char *path, struct err *e);
};

struct backup *backup_new(const struct backup_daemon *d, struct err *e) MUST_CHECK;
/* Give up what runs: the process is about to end. Any thread; NULL is fine. */
void backup_cancel(struct backup *b);
/* When the loops have stopped. */
void backup_free(struct backup *b);

/* The last one of this process: {"id", "state": "none", "running", "done" or "failed", "path",
 * "started", "finished", "octets", "reason"}. */
void backup_tell(const struct backup *b, struct call *c);
/* {"path": ABSOLUTE} in the body begins one and answers the same; 503 while one runs. */
void backup_want(struct backup *b, struct call *c, const char *by);
/* e: NULL when the copying may begin. */
void backup_prepared(struct backup *b, const struct err *e);

/* When the last that succeeded was finished; 0: none since the start. */
int64_t backup_succeeded(const struct backup *b);

#endif
