/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the store while the registrar runs, made on a thread of its own, one at a time. The
 * journal tells who asked for it, and is signed before, so that the audit log in the copy
 * verifies. */
#ifndef REGISTRAR_BACKUP_H
#define REGISTRAR_BACKUP_H

#include "registrar/registrar.h"

#define BACKUPS_PATH "/api/v1/backups"

/* GET: the last one of this process: {"id", "state": "none", "running", "done" or "failed", "path",
 * "started", "finished", "octets", "reason"}. POST {"path": ABSOLUTE} begins one and answers
 * the same; 503 while one runs. */
void backup_show(struct call *c, void *registrar);
void backup_begin(struct call *c, void *registrar);

bool backup_start(struct registrar *r, struct err *e) MUST_CHECK;
/* When the last that succeeded was finished; 0: none since the start. On the first loop. */
int64_t backup_last_success(const struct registrar *r);
/* Give up what runs: the process is about to end. Any thread. */
void backup_cancel(struct registrar *r);
/* When the loops have stopped. */
void backup_end(struct registrar *r);

#endif
