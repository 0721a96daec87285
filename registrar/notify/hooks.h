/* SPDX-License-Identifier: Apache-2.0 */
/* Telling events to programs of the site, on a thread of its own: however slow or broken a receiver
 * is, no device and no administrator waits for it. Each hook gets its events in their order, one at
 * a time, at least once; what it does not take after some tries becomes a dead letter, and the hook
 * goes on. Where it has come to is in the store. */
#ifndef REGISTRAR_NOTIFY_HOOKS_H
#define REGISTRAR_NOTIFY_HOOKS_H

#include "registrar/registrar.h"

#define HOOKS_MAX 32 /* each has one request under way at most */

/* With the store open. */
bool hooks_start(struct registrar *r, struct err *e) MUST_CHECK;
/* The loops of the workers have stopped, the store is open: end the thread, keep the cursors. */
void hooks_stop(struct registrar *r);
/* The store is closed. */
void hooks_end(struct registrar *r);

/* Any thread: something was committed; hooks or dead letters were changed in the store. */
void hooks_wake(struct registrar *r);
void hooks_changed(struct registrar *r);

/* One try with an event that is no line of the journal. taken: or why not; on the loop given, once.
 * False: nothing was begun. */
struct hook_trial_result {
	bool found, taken;
	int64_t took_ms;
	struct err why;
};
typedef void hook_trial_done(void *arg, const struct hook_trial_result *result);
bool hooks_try(struct registrar *r, int64_t id, struct loop *l, hook_trial_done *done, void *arg,
	struct err *e) MUST_CHECK;

/* Lines of the journal, of which `last` is the newest, that the slowest hook has before it. */
int64_t hooks_backlog(const struct registrar *r, int64_t last);

#endif
