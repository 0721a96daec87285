/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "pledge/proxy_share.h"

#define ITEMS 9

/* Sources that always have something, until the scene has moved what it wanted to. */
struct source {
	struct share_item item;
	struct scene *scene;
	size_t left, moved;
};
struct scene {
	struct share share;
	struct loop *loop;
	struct share_flow flows[2];
	struct source sources[ITEMS];
	size_t stop_at, moved;
};

static size_t move(struct share_item *item, size_t max, bool *more)
{
	struct source *s = (struct source *)item;
	size_t n = max < 16384 ? max : 16384;

	assert_true(max > 0);
	n = n < s->left ? n : s->left;
	s->left -= n;
	s->moved += n;
	s->scene->moved += n;
	*more = s->left > 0;
	if (s->scene->moved >= s->scene->stop_at)
		loop_stop(s->scene->loop);
	return n;
}

/* The first item is the one of the first neighbour, all others are the second's. */
static void begin(struct scene *x, int64_t per_second, size_t stop_at)
{
	struct err e = ERR_INIT;

	memset(x, 0, sizeof(*x));
	x->loop = loop_new(&e);
	x->stop_at = stop_at;
	assert_true(share_init(&x->share, x->loop, move, per_second, &e));
	for (size_t i = 0; i < ITEMS; i++) {
		x->sources[i].scene = x;
		x->sources[i].left = 100000000;
		x->sources[i].item.flow = &x->flows[i > 0];
	}
}

static void end(struct scene *x)
{
	share_clear(&x->share);
	loop_free(x->loop);
}

static size_t moved_by_second(const struct scene *x)
{
	size_t n = 0;

	for (size_t i = 1; i < ITEMS; i++)
		n += x->sources[i].moved;
	return n;
}

/* req: R8995-JP-010 */
static void share__one_item_against_eight__gets_half(void **state)
{
	struct scene x;

	begin(&x, 0, 20000000);
	for (size_t i = ITEMS; i-- > 0;)
		share_ready(&x.share, &x.sources[i].item);
	loop_run(x.loop);
	assert_in_range(x.sources[0].moved, 9900000, 10200000);
	assert_in_range(moved_by_second(&x), 9900000, 10200000);
	/* and the eight have the same among themselves */
	for (size_t i = 1; i < ITEMS; i++)
		assert_in_range(x.sources[i].moved, 1200000, 1300000);
	end(&x);
}

/* req: R8995-JP-010 */
static void share__limit_on_the_whole__is_kept_and_halved(void **state)
{
	struct scene x;
	int64_t begun = clock_mono_ms();

	begin(&x, 10000000, 5000000);
	for (size_t i = 0; i < ITEMS; i++)
		share_ready(&x.share, &x.sources[i].item);
	loop_run(x.loop);
	/* 5 MB at 10 MB/s, less the quarter of a second that may go at once */
	assert_true(clock_mono_ms() - begun >= 240);
	assert_in_range(x.sources[0].moved, 2400000, 2600000);
	end(&x);
}

static void share__what_has_nothing_left__leaves_the_rest_to_others(void **state)
{
	struct scene x;

	begin(&x, 0, 1000000);
	x.sources[0].left = 100;
	share_ready(&x.share, &x.sources[0].item);
	share_ready(&x.share, &x.sources[1].item);
	share_ready(&x.share, &x.sources[1].item); /* twice is once */
	loop_run(x.loop);
	assert_int_equal(x.sources[0].moved, 100);
	assert_true(x.sources[1].moved >= 999900);
	end(&x);
}

static void share_forget__item_in_the_middle__is_not_asked_any_more(void **state)
{
	struct scene x;

	begin(&x, 0, 900000);
	for (size_t i = 0; i < 5; i++)
		share_ready(&x.share, &x.sources[i].item);
	share_forget(&x.share, &x.sources[2].item);
	share_forget(&x.share, &x.sources[4].item);
	share_forget(&x.share, &x.sources[4].item);
	x.sources[8].item.flow = NULL;
	share_forget(&x.share, &x.sources[8].item); /* never had anything */
	share_forget(&x.share, &x.sources[0].item);
	share_forget_flow(&x.share, &x.flows[0]);
	loop_run(x.loop);
	assert_int_equal(x.sources[0].moved + x.sources[2].moved + x.sources[4].moved, 0);
	assert_true(x.sources[1].moved > 0 && x.sources[3].moved > 0);
	end(&x);
}

static void share_forget_flow__last_in_the_ring__others_still_get_in(void **state)
{
	struct scene x;

	begin(&x, 0, 100000);
	share_ready(&x.share, &x.sources[0].item);
	share_ready(&x.share, &x.sources[1].item);
	share_forget(&x.share, &x.sources[1].item);
	share_forget_flow(&x.share, &x.flows[1]);
	share_forget_flow(&x.share, &x.flows[1]);
	share_ready(&x.share, &x.sources[2].item);
	loop_run(x.loop);
	assert_true(x.sources[0].moved > 0 && x.sources[2].moved > 0);
	assert_int_equal(x.sources[1].moved, 0);
	end(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share__one_item_against_eight__gets_half),
		cmocka_unit_test(share__limit_on_the_whole__is_kept_and_halved),
		cmocka_unit_test(share__what_has_nothing_left__leaves_the_rest_to_others),
		cmocka_unit_test(share_forget__item_in_the_middle__is_not_asked_any_more),
		cmocka_unit_test(share_forget_flow__last_in_the_ring__others_still_get_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
