/* SPDX-License-Identifier: Apache-2.0 */
/* Who tries too often waits, whoever it is; nobody is forgotten by trying with other names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "registrar/access/attempts.h"
#include "registrar/access/denials.h"

#define NOW 1000000

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	*state = attempts_new(NOW, &e);
	return *state == NULL;
}

static int tear_down(void **state)
{
	attempts_free(*state);
	return 0;
}

/* Seconds to wait; 0: the try is on. */
static int64_t try_as(struct attempts *a, const char *name, int64_t now_ms)
{
	struct err e = ERR_INIT;
	int64_t wait_s = 0;

	if (attempts_begin(a, name, now_ms, &wait_s, &e))
		return 0;
	assert_int_equal(e.kind, ERR_TOO_MANY);
	assert_true(wait_s > 0);
	return wait_s;
}

static void attempts_begin__the_sixth_at_once__is_locked(void **state)
{
	for (int i = 0; i < ATTEMPTS_FREE; i++)
		assert_int_equal(try_as(*state, "ada", NOW + i), 0);
	assert_int_equal(try_as(*state, "ada", NOW + 10), ATTEMPTS_LOCK_MS / 1000);
	assert_int_equal(try_as(*state, "bob", NOW + 10), 0);
}

static void attempts_begin__each_further_failure__waits_twice_as_long_up_to_a_bound(void **state)
{
	int64_t now = NOW, expected = ATTEMPTS_LOCK_MS / 1000;

	for (int i = 0; i < ATTEMPTS_FREE; i++)
		assert_int_equal(try_as(*state, "ada", now), 0);
	for (int i = 0; i < 12; i++) {
		assert_int_equal(try_as(*state, "ada", now), expected);
		assert_int_equal(try_as(*state, "ada", now + expected * 1000 - 1), 1);
		now += expected * 1000;
		assert_int_equal(try_as(*state, "ada", now), 0);
		expected = expected * 2 < ATTEMPTS_LOCK_MAX_MS / 1000 ? expected * 2
								      : ATTEMPTS_LOCK_MAX_MS / 1000;
	}
	assert_int_equal(expected, ATTEMPTS_LOCK_MAX_MS / 1000);
}

static void attempts_forgive__after_success__counts_anew(void **state)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < ATTEMPTS_FREE; i++)
			assert_int_equal(try_as(*state, "ada", NOW), 0);
		attempts_forgive(*state, "ada");
	}
	assert_int_equal(try_as(*state, "ada", NOW), 0);
}

static void attempts_begin__a_day_later__is_forgotten(void **state)
{
	const int64_t later = NOW + ATTEMPTS_LOCK_MS + ATTEMPTS_FORGET_MS + 1;

	for (int i = 0; i < ATTEMPTS_FREE; i++)
		assert_int_equal(try_as(*state, "ada", NOW), 0);
	for (int i = 0; i < ATTEMPTS_FREE; i++)
		assert_int_equal(try_as(*state, "ada", later), 0);
	assert_true(try_as(*state, "ada", later) > 0);
}

static void attempts_begin__more_names_than_there_is_room_for__the_failed_stays(void **state)
{
	char name[32];

	for (int i = 0; i < ATTEMPTS_FREE - 1; i++)
		assert_int_equal(try_as(*state, "ada", NOW), 0);
	for (int i = 0; i < ATTEMPTS_NAMES_MAX + 100; i++) {
		snprintf(name, sizeof(name), "nobody-%d", i);
		assert_int_equal(try_as(*state, name, NOW + 1 + i), 0);
	}
	assert_int_equal(try_as(*state, "ada", NOW + 10000), 0);
	assert_true(try_as(*state, "ada", NOW + 10000) > 0);
}

static void attempts_from__one_source_floods__others_go_on(void **state)
{
	struct err e = ERR_INIT;
	int admitted = 0;

	for (int port = 1; port <= 100; port++) {
		char address[32];

		snprintf(address, sizeof(address), "192.0.2.1:%d", port);
		admitted += attempts_from(*state, address, NOW, &e);
	}
	assert_in_range(admitted, 1, ATTEMPTS_PER_SECOND);
	assert_int_equal(e.kind, ERR_TOO_MANY);
	assert_true(attempts_from(*state, "[2001:db8::1]:40000", NOW, &e));
	assert_true(attempts_from(*state, "192.0.2.1:1", NOW + 3000, &e));
}

static void denials__of_a_minute__are_written_up_to_a_number_then_counted(void **state)
{
	struct err e = ERR_INIT;
	struct denials *d = denials_new(&e);
	int64_t left_out;
	int written = 0;

	for (int i = 0; i < 1000; i++) {
		written += denials_admit(d, NOW + i, &left_out);
		assert_int_equal(left_out, 0);
	}
	assert_int_equal(written, DENIALS_PER_MINUTE);
	assert_int_equal(denials_collect(d, NOW + DENIALS_WINDOW_MS - 1), 0);
	/* by the next one, and once */
	assert_true(denials_admit(d, NOW + DENIALS_WINDOW_MS, &left_out));
	assert_int_equal(left_out, 1000 - DENIALS_PER_MINUTE);
	assert_int_equal(denials_collect(d, NOW + 2 * DENIALS_WINDOW_MS), 0);
	denials_free(d);
}

static void denials__when_no_other_comes__are_counted_all_the_same(void **state)
{
	struct err e = ERR_INIT;
	struct denials *d = denials_new(&e);
	int64_t left_out;

	for (int i = 0; i < DENIALS_PER_MINUTE + 3; i++)
		(void)denials_admit(d, NOW, &left_out);
	assert_int_equal(denials_collect(d, NOW + DENIALS_WINDOW_MS), 3);
	assert_int_equal(denials_collect(d, NOW + 2 * DENIALS_WINDOW_MS), 0);
	denials_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			attempts_begin__the_sixth_at_once__is_locked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			attempts_begin__each_further_failure__waits_twice_as_long_up_to_a_bound,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			attempts_forgive__after_success__counts_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			attempts_begin__a_day_later__is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			attempts_begin__more_names_than_there_is_room_for__the_failed_stays, set_up,
			tear_down),
		cmocka_unit_test(denials__of_a_minute__are_written_up_to_a_number_then_counted),
		cmocka_unit_test(denials__when_no_other_comes__are_counted_all_the_same),
		cmocka_unit_test_setup_teardown(
			attempts_from__one_source_floods__others_go_on, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
