/* SPDX-License-Identifier: Apache-2.0 */
/* When a MASA is said to be gone, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "registrar/masa_watch.h"

static int setup(void **state)
{
	struct err e = ERR_INIT;

	*state = masa_watch_new(&e);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	masa_watch_free(*state);
	return 0;
}

static enum masa_change note(void **state, const char *name, bool answered, int64_t now_ms)
{
	int64_t for_ms;

	return masa_watch_note(*state, name, answered, now_ms, &for_ms);
}

static void masa_watch_note__many_failures__are_one_change(void **state)
{
	int64_t for_ms = 0;

	assert_int_equal(note(state, "acme", false, 1000), MASA_UNREACHABLE);
	assert_int_equal(note(state, "acme", false, 2000), MASA_AS_BEFORE);
	assert_int_equal(masa_watch_gone(*state), 1);
	assert_int_equal(masa_watch_note(*state, "acme", true, 4000, &for_ms), MASA_RECOVERED);
	assert_int_equal(for_ms, 3000);
	assert_int_equal(note(state, "acme", true, 5000), MASA_AS_BEFORE);
	assert_int_equal(masa_watch_gone(*state), 0);
}

static void masa_watch_note__it_answers_at_once__is_no_change(void **state)
{
	assert_int_equal(note(state, "acme", true, 1000), MASA_AS_BEFORE);
}

static void masa_watch_note__manufacturers__are_told_apart(void **state)
{
	assert_int_equal(note(state, "acme", false, 1000), MASA_UNREACHABLE);
	assert_int_equal(note(state, "other", true, 1000), MASA_AS_BEFORE);
	assert_int_equal(note(state, "other", false, 1000), MASA_UNREACHABLE);
	assert_int_equal(masa_watch_gone(*state), 2);
}

static void masa_watch_note__it_comes_and_goes__is_gone_once_a_minute(void **state)
{
	int gone = 0;

	for (int64_t ms = 1; ms <= 10 * MASA_WAVERS_MS; ms += 100)
		gone += note(state, "acme", ms / 100 % 2, ms) == MASA_UNREACHABLE;
	assert_in_range(gone, 9, 11);
}

static void masa_watch_note__more_names_than_a_configuration_has__are_forgotten(void **state)
{
	char name[32];

	for (int i = 0; i <= MANUFACTURERS_MAX; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		assert_int_equal(note(state, name, false, 1000), MASA_UNREACHABLE);
	}
	assert_int_equal(masa_watch_gone(*state), 1);
}

int main(void)
{
#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		WATCH_TEST(masa_watch_note__many_failures__are_one_change),
		WATCH_TEST(masa_watch_note__it_answers_at_once__is_no_change),
		WATCH_TEST(masa_watch_note__manufacturers__are_told_apart),
		WATCH_TEST(masa_watch_note__it_comes_and_goes__is_gone_once_a_minute),
		WATCH_TEST(masa_watch_note__more_names_than_a_configuration_has__are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
