/* SPDX-License-Identifier: Apache-2.0 */
/* Noticing that the clock was set. */
#include "common/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define YEARS_10 (3650LL * 86400)

static void clock_watch_jumped__a_clock_that_just_runs__is_no_jump(void **state)
{
	struct clock_watch w = {0};
	int64_t by_s = 0;

	assert_false(clock_watch_jumped(&w, NULL, &by_s));
	assert_false(clock_watch_jumped(&w, NULL, &by_s));
	atomic_fetch_sub(&w.distance_s, CLOCK_JUMP_S / 2); /* a correction, not a jump */
	assert_false(clock_watch_jumped(&w, NULL, &by_s));
}

static void clock_watch_jumped__a_clock_that_was_set__is_told_once_with_its_size(void **state)
{
	static const int64_t jumps[] = {YEARS_10, -YEARS_10, CLOCK_JUMP_S + 2};
	struct clock_watch w = {0};
	int64_t by_s = 0;

	clock_watch_jumped(&w, NULL, &by_s);
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		atomic_fetch_sub(&w.distance_s, jumps[i]); /* as if it had been so before */
		assert_true(clock_watch_jumped(&w, NULL, &by_s));
		assert_in_range(by_s - jumps[i] + 2, 0, 4); /* a second may have begun */
		assert_false(clock_watch_jumped(&w, NULL, &by_s));
	}
}

static void clock_watch_jumped__a_fixed_moment__never_jumps(void **state)
{
	const struct clock c = {.fixed_unix_s = 1};
	struct clock_watch w = {.distance_s = 5};
	int64_t by_s;

	assert_false(clock_watch_jumped(&w, &c, &by_s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_watch_jumped__a_clock_that_just_runs__is_no_jump),
		cmocka_unit_test(
			clock_watch_jumped__a_clock_that_was_set__is_told_once_with_its_size),
		cmocka_unit_test(clock_watch_jumped__a_fixed_moment__never_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
