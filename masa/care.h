/* SPDX-License-Identifier: Apache-2.0 */
/* Looking after a MASA: how it is, what may be wrong, a copy of its store while it runs; and a copy
 * put back when it does not. */
#ifndef MASA_CARE_H
#define MASA_CARE_H

#include "masa/masa.h"

/* GET: one object; `health` is "ok", "warn" or "fail", `problems` the reasons. */
void care_status(struct call *c, void *masa);
/* GET: a list of {"check", "verdict", "found", "next"}. */
void care_doctor(struct call *c, void *masa);
/* run/backup.h */
void care_backup_show(struct call *c, void *masa);
void care_backup_begin(struct call *c, void *masa);

/* With the store open. l: the loop that serves administrators. */
bool care_start(struct masa *m, struct loop *l, struct err *e) MUST_CHECK;
/* When the loops have stopped. */
void care_end(struct masa *m);

/* Put the copy at `from` in the place of the store, which nobody may be using, and say on standard
 * output what became of both. */
bool care_restore(const char *config_path, const char *from, struct err *e) MUST_CHECK;

#endif
