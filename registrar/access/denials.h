/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals on the administrators' side, as lines of log and journal: the first of a minute at once,
 * then they are counted, and the count is a line of its own. Who knocks for days fills no disk; and
 * they are counted apart from those of users, whose tries are not lost among theirs. */
#ifndef REGISTRAR_ACCESS_DENIALS_H
#define REGISTRAR_ACCESS_DENIALS_H

#include "registrar/registrar.h"

#define DENIALS_WINDOW_MS  60000
#define DENIALS_PER_MINUTE 20 /* lines in the journal: 6 MB a day at the worst */

struct denials;

struct denials *denials_new(struct err *e) MUST_CHECK;
void denials_free(struct denials *d);

/* May another line be written? *left_out: of the window before, to be told first; 0: nothing. */
bool denials_admit(struct denials *d, int64_t now_ms, int64_t *left_out);
/* What was left out of a window that is over and not told yet. */
int64_t denials_collect(struct denials *d, int64_t now_ms);

/* code as the peer is told it; about: what they tried, or NULL for the request's method and path.
 * Step session, outcome denied. On the call's loop. */
void admin_denied(struct registrar *r, const struct call *c, const char *code, const char *about);
/* Write the count of what was left out, if its minute is over. On the first loop, now and then. */
void denials_flush(struct registrar *r);

#endif
