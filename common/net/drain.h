/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a server that runs on several loops: each loop has a share of it, takes in nobody new
 * and finishes what it serves; who wanted the end is told once, when the last share is idle or when
 * time is up. */
#ifndef NET_DRAIN_H
#define NET_DRAIN_H

#include <stdatomic.h>

#include "common/base/log.h"
#include "common/net/loop.h"

struct drain {
	atomic_size_t shares_left;
	atomic_bool told;
	int64_t deadline_ms; /* from the start of each share */
	loop_fn *done;
	void *arg;
};

struct drain_share {
	struct drain *drain;
	bool begun, ended;
	struct loop_timer deadline;
};

void drain_init(struct drain *d, size_t shares);
/* done(arg) is called once, on the thread of a share. Before drain_start(). */
void drain_set(struct drain *d, int64_t deadline_ms, loop_fn *done, void *arg);
/* Have begin(share_arg) called on its loop; where memory does not last for that, the end comes now.
 */
void drain_start(
	struct drain *d, struct loop *l, loop_fn *begin, void *share_arg, const struct log *log);

bool drain_share_init(
	struct drain_share *s, struct drain *d, struct loop *l, struct err *e) MUST_CHECK;
/* What follows is for the share's loop. False: it has begun before. */
bool drain_share_begin(struct drain_share *s);
/* Its server looks whether it is idle after each step: while it drains that ends it. */
void drain_share_check(struct drain_share *s, bool idle);
/* Nobody is to be told any more. */
void drain_share_clear(struct drain_share *s);

#endif
