/* SPDX-License-Identifier: Apache-2.0 */
/* One event loop per worker thread, on libevent_core. Everything that belongs to a loop is touched
 * by its thread only; other threads hand work over with loop_post(). */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>

#include "common/base/err.h"

struct loop;
typedef void loop_fn(void *arg);

struct loop *loop_new(struct err *e) MUST_CHECK;
void loop_free(struct loop *l);
/* Run until loop_stop(); from one thread. */
void loop_run(struct loop *l);
/* From any thread. */
void loop_stop(struct loop *l);
/* From any thread: have fn(arg) called on the loop's thread. Never fails after loop_new(): the
 * queue node is allocated here and false with ERR_NO_MEMORY leaves nothing queued. */
bool loop_post(struct loop *l, loop_fn *fn, void *arg, struct err *e) MUST_CHECK;
/* The same for an arg that nobody else would free: when the loop is freed before fn ran, drop(arg)
 * is called instead, by loop_free(). */
bool loop_post_or_drop(
	struct loop *l, loop_fn *fn, loop_fn *drop, void *arg, struct err *e) MUST_CHECK;

/* Absolute, one-shot deadlines (libevent's I/O time-outs restart on every byte; these do not).
 * Embedded in the caller's struct; arm and disarm on the loop's thread only. */
struct loop_timer {
	struct event *ev;
	loop_fn *fn;
	void *arg;
};
bool loop_timer_init(
	struct loop_timer *t, struct loop *l, loop_fn *fn, void *arg, struct err *e) MUST_CHECK;
void loop_timer_arm(struct loop_timer *t, int64_t delay_ms); /* replaces an earlier setting */
void loop_timer_disarm(struct loop_timer *t);
void loop_timer_clear(struct loop_timer *t);

/* For net/ files. */
struct event_base *loop_base(struct loop *l);

#endif
