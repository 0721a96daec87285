/* SPDX-License-Identifier: Apache-2.0 */
/* How long the pledge waits, and what it makes of several failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pledge/limits.h"
#include "pledge/outcome.h"
#include "pledge/retry.h"

#define NOW 1795255200 /* Sat, 21 Nov 2026 10:00:00 GMT */

static uint32_t draw_most(uint32_t below)
{
	return below - 1;
}

static uint32_t draw_half(uint32_t below)
{
	return below / 2;
}

static uint32_t draw_least(uint32_t below)
{
	return 0;
}

static void retry_backoff_ms__each_round__doubles_the_range(void **state)
{
	assert_int_equal(retry_backoff_ms(0, 2, 3600, draw_most), 2000);
	assert_int_equal(retry_backoff_ms(1, 2, 3600, draw_most), 4000);
	assert_int_equal(retry_backoff_ms(5, 2, 3600, draw_most), 64000);
}

static void retry_backoff_ms__many_rounds__stays_at_the_maximum(void **state)
{
	assert_int_equal(retry_backoff_ms(11, 2, 3600, draw_most), 3600000);
	assert_int_equal(retry_backoff_ms(4000000000u, 2, 3600, draw_most), 3600000);
	assert_int_equal(retry_backoff_ms(0, 60, 5, draw_most), 5000);
}

static void retry_backoff_ms__jitter__covers_the_whole_range_but_no_tight_loop(void **state)
{
	assert_int_equal(retry_backoff_ms(5, 2, 3600, draw_half), 32000);
	assert_int_equal(retry_backoff_ms(5, 2, 3600, draw_least), BACKOFF_FLOOR_MS);
}

static void retry_after_s__seconds__are_taken(void **state)
{
	assert_int_equal(retry_after_s("5", "", NOW, 60), 5);
}

static void retry_after_s__more_than_the_maximum__is_capped(void **state)
{
	assert_int_equal(retry_after_s("86400", "", NOW, 60), 60);
	assert_int_equal(retry_after_s("99999999999999999999", "", NOW, 60), 60);
}

static void retry_after_s__http_date__counts_from_the_servers_date(void **state)
{
	assert_int_equal(retry_after_s("Sat, 21 Nov 2026 10:00:20 GMT",
				 "Sat, 21 Nov 2026 10:00:05 GMT", NOW, 60),
		15);
	assert_int_equal(retry_after_s("Sat, 21 Nov 2026 10:00:20 GMT", "", NOW, 60), 20);
	assert_int_equal(retry_after_s("Sat, 21 Nov 2026 09:00:00 GMT", "", NOW, 60), 1);
}

static void retry_after_s__absent_or_garbage__is_sixty_seconds(void **state)
{
	assert_int_equal(retry_after_s("", "", NOW, 3600), 60);
	assert_int_equal(retry_after_s("soon", "", NOW, 3600), 60);
	assert_int_equal(retry_after_s("-5", "", NOW, 3600), 60);
	assert_int_equal(retry_after_s("", "", NOW, 2), 2);
}

static void retry_after_s__zero__is_no_tight_loop(void **state)
{
	assert_int_equal(retry_after_s("0", "", NOW, 60), 1);
}

static void outcome_worse__what_tells_more__wins(void **state)
{
	assert_int_equal(
		outcome_worse(OUTCOME_UNREACHABLE, OUTCOME_UNREACHABLE), OUTCOME_UNREACHABLE);
	assert_int_equal(outcome_worse(OUTCOME_UNREACHABLE, OUTCOME_REFUSED), OUTCOME_REFUSED);
	assert_int_equal(outcome_worse(OUTCOME_VOUCHER, OUTCOME_REFUSED), OUTCOME_VOUCHER);
	assert_int_equal(outcome_worse(OUTCOME_REFUSED, OUTCOME_BUSY), OUTCOME_BUSY);
}

static void outcome_exit_code__each__is_as_documented(void **state)
{
	assert_int_equal(outcome_exit_code(OUTCOME_DONE), 0);
	assert_int_equal(outcome_exit_code(OUTCOME_FAILED), 1);
	assert_int_equal(outcome_exit_code(OUTCOME_BUSY), 1);
	assert_int_equal(outcome_exit_code(OUTCOME_REFUSED), 3);
	assert_int_equal(outcome_exit_code(OUTCOME_UNREACHABLE), 4);
	assert_int_equal(outcome_exit_code(OUTCOME_VOUCHER), 5);
	assert_int_equal(outcome_exit_code(OUTCOME_PENDING), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_backoff_ms__each_round__doubles_the_range),
		cmocka_unit_test(retry_backoff_ms__many_rounds__stays_at_the_maximum),
		cmocka_unit_test(
			retry_backoff_ms__jitter__covers_the_whole_range_but_no_tight_loop),
		cmocka_unit_test(retry_after_s__seconds__are_taken),
		cmocka_unit_test(retry_after_s__more_than_the_maximum__is_capped),
		cmocka_unit_test(retry_after_s__http_date__counts_from_the_servers_date),
		cmocka_unit_test(retry_after_s__absent_or_garbage__is_sixty_seconds),
		cmocka_unit_test(retry_after_s__zero__is_no_tight_loop),
		cmocka_unit_test(outcome_worse__what_tells_more__wins),
		cmocka_unit_test(outcome_exit_code__each__is_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
