/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of the store while the registrar runs (run/backup.h). The journal tells who asked for it,
 * and is signed before, so that the audit log in the copy verifies. */
#ifndef REGISTRAR_BACKUP_H
#define REGISTRAR_BACKUP_H

#include "common/run/backup.h"
#include "registrar/registrar.h"

#define BACKUPS_PATH "/api/v1/backups"

/* GET: backup_tell(). POST: backup_want(). */
void backup_show(struct call *c, void *registrar);
void backup_begin(struct call *c, void *registrar);

bool backup_start(struct registrar *r, struct err *e) MUST_CHECK;

#endif
