/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: work from other threads, deadlines that are absolute, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/net/loop.h"

#define POSTS 1000

static void stop(void *arg)
{
	loop_stop(arg);
}

struct order {
	struct loop *loop;
	int seen;
	bool in_order;
	pthread_t ran_on;
};

struct numbered {
	struct order *order;
	int number;
};

static void note(void *arg)
{
	struct numbered *n = arg;

	n->order->in_order &= n->order->seen == n->number;
	n->order->seen++;
	n->order->ran_on = pthread_self();
	if (n->order->seen == POSTS)
		loop_stop(n->order->loop);
}

static struct numbered posts[POSTS];

static void *post_all(void *arg)
{
	struct order *o = arg;
	struct err e = ERR_INIT;

	for (int i = 0; i < POSTS; i++) {
		posts[i] = (struct numbered){o, i};
		if (!loop_post(o->loop, note, &posts[i], &e))
			abort();
	}
	return NULL;
}

static void loop_post__from_another_thread__runs_in_order_on_the_loops_thread(void **state)
{
	struct err e = ERR_INIT;
	struct order o = {.in_order = true};
	pthread_t t;

	(void)state;
	o.loop = loop_new(&e);
	assert_non_null(o.loop);
	pthread_create(&t, NULL, post_all, &o);
	loop_run(o.loop);
	pthread_join(t, NULL);
	assert_int_equal(o.seen, POSTS);
	assert_true(o.in_order);
	assert_true(pthread_equal(o.ran_on, pthread_self()));
	loop_free(o.loop);
}

static void loop_stop__before_run__ends_the_run_at_once(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);

	(void)state;
	assert_non_null(l);
	loop_stop(l);
	loop_run(l);
	loop_free(l);
}

static void count_up(void *arg)
{
	(*(int *)arg)++;
}

static void count_first(void *arg)
{
	++*((int **)arg)[0];
}

static void count_second(void *arg)
{
	++*((int **)arg)[1];
}

static void loop_free__work_still_queued__is_dropped(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	int ran = 0;

	(void)state;
	assert_non_null(l);
	assert_true(loop_post(l, count_up, &ran, &e));
	loop_free(l);
	assert_int_equal(ran, 0);
}

static void loop_free__work_nobody_else_would_free__is_handed_to_its_drop(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	int ran = 0, dropped = 0;
	int *counts[2] = {&ran, &dropped};

	(void)state;
	assert_non_null(l);
	assert_true(loop_post_or_drop(l, count_first, count_second, counts, &e));
	loop_free(l);
	assert_int_equal(ran, 0);
	assert_int_equal(dropped, 1);
}

struct race {
	struct loop *loop;
	struct loop_timer tick, deadline;
	int ticks;
	int64_t started_ms, ended_ms;
};

/* Activity every 5 ms must not move a deadline that was armed once. */
static void on_tick(void *arg)
{
	struct race *r = arg;

	r->ticks++;
	loop_timer_arm(&r->tick, 5);
}

static void on_deadline(void *arg)
{
	struct race *r = arg;

	r->ended_ms = clock_mono_ms();
	loop_stop(r->loop);
}

/* How far the clock of the deadlines may be behind: they end that much early. */
static int64_t tick_ms(void)
{
	struct timespec tick;

	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
	return tick.tv_nsec / 1000000 + 1;
}

static void loop_timer__activity_goes_on__deadline_stays_absolute(void **state)
{
	struct err e = ERR_INIT;
	struct race r = {0};

	(void)state;
	r.loop = loop_new(&e);
	assert_non_null(r.loop);
	assert_true(loop_timer_init(&r.tick, r.loop, on_tick, &r, &e));
	assert_true(loop_timer_init(&r.deadline, r.loop, on_deadline, &r, &e));
	r.started_ms = clock_mono_ms();
	loop_timer_arm(&r.tick, 5);
	loop_timer_arm(&r.deadline, 60);
	loop_run(r.loop);
	assert_true(r.ticks > 2);
	assert_in_range(r.ended_ms - r.started_ms, 60 - tick_ms(), 2000);
	loop_timer_clear(&r.tick);
	loop_timer_clear(&r.deadline);
	loop_free(r.loop);
}

static void loop_timer__disarmed__never_fires(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	struct loop_timer never, end;
	int fired = 0;

	(void)state;
	assert_non_null(l);
	assert_true(loop_timer_init(&never, l, count_up, &fired, &e));
	assert_true(loop_timer_init(&end, l, stop, l, &e));
	loop_timer_arm(&never, 1);
	loop_timer_disarm(&never);
	loop_timer_arm(&end, 20);
	loop_run(l);
	assert_int_equal(fired, 0);
	loop_timer_clear(&never);
	loop_timer_clear(&end);
	loop_timer_clear(&end); /* twice is fine */
	loop_free(l);
}

static void loop_timer__armed_again__fires_once_at_the_later_moment(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	struct loop_timer again, end;
	int fired = 0;

	(void)state;
	assert_non_null(l);
	assert_true(loop_timer_init(&again, l, count_up, &fired, &e));
	assert_true(loop_timer_init(&end, l, stop, l, &e));
	loop_timer_arm(&again, 1);
	loop_timer_arm(&again, 10);
	loop_timer_arm(&end, 50);
	loop_run(l);
	assert_int_equal(fired, 1);
	loop_timer_clear(&again);
	loop_timer_clear(&end);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop_post__from_another_thread__runs_in_order_on_the_loops_thread),
		cmocka_unit_test(loop_stop__before_run__ends_the_run_at_once),
		cmocka_unit_test(loop_free__work_still_queued__is_dropped),
		cmocka_unit_test(loop_free__work_nobody_else_would_free__is_handed_to_its_drop),
		cmocka_unit_test(loop_timer__activity_goes_on__deadline_stays_absolute),
		cmocka_unit_test(loop_timer__disarmed__never_fires),
		cmocka_unit_test(loop_timer__armed_again__fires_once_at_the_later_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
