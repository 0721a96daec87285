/* SPDX-License-Identifier: Apache-2.0 */
/* Telling once that all shares of a server have ended. */
#include "common/net/drain.h"

void drain_init(struct drain *d, size_t shares)
{
	atomic_init(&d->shares_left, shares);
	atomic_init(&d->told, false);
}

void drain_set(struct drain *d, int64_t deadline_ms, loop_fn *done, void *arg)
{
	d->deadline_ms = deadline_ms;
	d->done = done;
	d->arg = arg;
}

static void tell(struct drain *d)
{
	if (!atomic_exchange(&d->told, true))
		d->done(d->arg);
}

void drain_start(
	struct drain *d, struct loop *l, loop_fn *begin, void *share_arg, const struct log *log)
{
	struct err e = ERR_INIT;

	if (loop_post(l, begin, share_arg, &e))
		return;
	log_err(log, "drain-failed", NULL, &e);
	tell(d);
}

static void on_deadline(void *arg)
{
	struct drain_share *s = arg;

	tell(s->drain);
}

bool drain_share_init(struct drain_share *s, struct drain *d, struct loop *l, struct err *e)
{
	s->drain = d;
	return loop_timer_init(&s->deadline, l, on_deadline, s, e);
}

bool drain_share_begin(struct drain_share *s)
{
	if (s->begun)
		return false;
	s->begun = true;
	loop_timer_arm(&s->deadline, s->drain->deadline_ms);
	return true;
}

void drain_share_check(struct drain_share *s, bool idle)
{
	if (!s->begun || s->ended || !idle)
		return;
	s->ended = true;
	if (atomic_fetch_sub(&s->drain->shares_left, 1) == 1)
		tell(s->drain);
}

void drain_share_clear(struct drain_share *s)
{
	s->ended = true;
	loop_timer_clear(&s->deadline);
}
