/* SPDX-License-Identifier: Apache-2.0 */
/* When a MASA is left alone, and when it is asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "registrar/limits.h"
#include "registrar/masa_gate.h"

static const struct masa_gate_limits limits = {.failures = 3, .pause_ms = 30000};

static int setup(void **state)
{
	struct err e = ERR_INIT;

	*state = masa_gates_new(&e);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	masa_gates_free(*state);
	return 0;
}

static bool enter(void **state, int64_t now_ms, struct masa_pass *pass)
{
	int64_t wait_ms;

	return masa_gate_enter(*state, "masa:443", now_ms, pass, &wait_ms);
}

static enum masa_gate_state leave(
	void **state, const struct masa_pass *pass, bool answered, int64_t now_ms)
{
	enum masa_gate_state now_is;

	(void)masa_gate_leave(
		*state, pass, answered ? MASA_ANSWERED : MASA_FAILED, &limits, now_ms, &now_is);
	return now_is;
}

static void open_it(void **state, int64_t now_ms)
{
	struct masa_pass pass;

	for (int i = 0; i < 3; i++) {
		assert_true(enter(state, now_ms, &pass));
		leave(state, &pass, false, now_ms);
	}
	assert_int_equal(masa_gates_open(*state), 1);
}

static void masa_gate__failures_in_a_row__open_it_and_an_answer_between_does_not(void **state)
{
	struct masa_pass pass;

	for (int i = 0; i < 5; i++) {
		assert_true(enter(state, 1000, &pass));
		assert_int_equal(leave(state, &pass, i % 3 == 2, 1000), MASA_GATE_CLOSED);
	}
	assert_true(enter(state, 1000, &pass));
	assert_int_equal(leave(state, &pass, false, 1000), MASA_GATE_OPEN);
}

static void masa_gate__open__refuses_at_once_and_says_how_long(void **state)
{
	struct masa_pass pass;
	int64_t wait_ms = 0;

	open_it(state, 1000);
	assert_false(masa_gate_enter(*state, "masa:443", 1001, &pass, &wait_ms));
	assert_in_range(wait_ms, MASA_PAUSE_MS / 2, MASA_PAUSE_MS);
	assert_false(masa_gate_passes(*state, "masa:443", 1001));
	assert_true(masa_gate_enter(*state, "other:443", 1001, &pass, &wait_ms));
}

/* Else all registrars that lost the same MASA would be back at one moment. */
static void masa_gate__opened_at_one_moment__pauses_are_not_all_the_same(void **state)
{
	int64_t least_ms = MASA_PAUSE_MS, most_ms = 0;

	for (int i = 0; i < 32; i++) {
		struct masa_pass pass;
		int64_t wait_ms = 0;
		char name[32];

		snprintf(name, sizeof(name), "masa-%d:443", i);
		for (int n = 0; n < 3; n++) {
			enum masa_gate_state now_is;

			assert_true(masa_gate_enter(*state, name, 1000, &pass, &wait_ms));
			(void)masa_gate_leave(*state, &pass, MASA_FAILED, &limits, 1000, &now_is);
		}
		assert_false(masa_gate_enter(*state, name, 1000, &pass, &wait_ms));
		least_ms = wait_ms < least_ms ? wait_ms : least_ms;
		most_ms = wait_ms > most_ms ? wait_ms : most_ms;
	}
	assert_true(least_ms < most_ms);
}

static void masa_gate__after_the_pause__one_probe_goes_and_no_second(void **state)
{
	struct masa_pass probe, other;

	open_it(state, 1000);
	assert_true(enter(state, 1000 + MASA_PAUSE_MS, &probe));
	assert_true(probe.probe);
	assert_false(enter(state, 1000 + MASA_PAUSE_MS, &other));
	assert_int_equal(leave(state, &probe, true, 4000), MASA_GATE_CLOSED);
	assert_true(enter(state, 4000, &other));
	assert_false(other.probe);
}

static void masa_gate__a_probe_fails__the_pause_doubles_up_to_its_longest(void **state)
{
	struct masa_pass probe;
	int64_t now_ms = 1000, wait_ms = 0, before = MASA_PAUSE_MS;

	open_it(state, now_ms);
	for (int i = 0; i < 8; i++) {
		now_ms += before;
		assert_true(enter(state, now_ms, &probe));
		assert_int_equal(leave(state, &probe, false, now_ms), MASA_GATE_OPEN);
		before = 2 * before < limits.pause_ms ? 2 * before : limits.pause_ms;
		assert_false(masa_gate_enter(*state, "masa:443", now_ms, &probe, &wait_ms));
		assert_in_range(wait_ms, before * 3 / 4, before);
	}
}

/* A hundred under way when it died: those that time out last do not lengthen the pause. */
static void masa_gate__failures_of_before_it_opened__say_nothing(void **state)
{
	struct masa_pass late[10], probe;

	for (size_t i = 0; i < 10; i++)
		assert_true(enter(state, 1000, &late[i]));
	for (size_t i = 0; i < 10; i++)
		leave(state, &late[i], false, 1000);
	assert_true(enter(state, 1000 + MASA_PAUSE_MS, &probe));
	leave(state, &late[0], false, 1000 + MASA_PAUSE_MS);
	assert_int_equal(leave(state, &probe, true, 4000), MASA_GATE_CLOSED);
}

static void masa_gate__a_late_answer__closes_it(void **state)
{
	struct masa_pass slow, pass;

	assert_true(enter(state, 1000, &slow));
	open_it(state, 1000);
	assert_int_equal(leave(state, &slow, true, 1500), MASA_GATE_CLOSED);
	assert_true(enter(state, 1500, &pass));
}

static void masa_gate__a_probe_is_lost__another_goes_in_the_end(void **state)
{
	struct masa_pass probe;

	open_it(state, 1000);
	assert_true(enter(state, 4000, &probe));
	assert_false(enter(state, 4000 + MASA_PROBE_LOST_MS - 1, &probe));
	assert_true(enter(state, 4000 + MASA_PROBE_LOST_MS, &probe));
}

static void masa_gate__a_probe_that_was_not_tried__leaves_the_way_to_the_next(void **state)
{
	struct masa_pass probe;
	enum masa_gate_state now_is;

	open_it(state, 1000);
	assert_true(enter(state, 4000, &probe));
	(void)masa_gate_leave(*state, &probe, MASA_NOT_TRIED, &limits, 4001, &now_is);
	assert_int_equal(now_is, MASA_GATE_OPEN);
	assert_true(enter(state, 4001, &probe));
}

static void masa_gate__more_than_fit__the_oldest_makes_room(void **state)
{
	struct masa_pass pass;
	int64_t wait_ms;
	char name[32];

	open_it(state, 1000);
	for (int i = 0; i < MASA_GATES_MAX; i++) {
		snprintf(name, sizeof(name), "masa-%d:443", i);
		assert_true(masa_gate_enter(*state, name, 2000 + i, &pass, &wait_ms));
	}
	assert_int_equal(masa_gates_open(*state), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(masa_gate__failures_in_a_row__open_it_and_an_answer_between_does_not),
		T(masa_gate__open__refuses_at_once_and_says_how_long),
		T(masa_gate__opened_at_one_moment__pauses_are_not_all_the_same),
		T(masa_gate__after_the_pause__one_probe_goes_and_no_second),
		T(masa_gate__a_probe_fails__the_pause_doubles_up_to_its_longest),
		T(masa_gate__failures_of_before_it_opened__say_nothing),
		T(masa_gate__a_late_answer__closes_it),
		T(masa_gate__a_probe_is_lost__another_goes_in_the_end),
		T(masa_gate__a_probe_that_was_not_tried__leaves_the_way_to_the_next),
		T(masa_gate__more_than_fit__the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
