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

static void retry_rule__each_setback__has_its_row(void **state)
{
	for (int i = 0; i < SETBACK_COUNT; i++) {
		const struct retry_rule *r = retry_rule((enum setback)i);

		assert_non_null(r->what);
		assert_non_null(r->clause);
		assert_true(r->next == RETRY_CANDIDATE ? r->longest_s > 0 : true);
		assert_true(r->outcome != OUTCOME_DONE);
	}
}

static enum setback of(int status)
{
	return retry_setback_of_status(status, false, false);
}

static void retry_setback_of_status__each_class__means_what_the_clauses_say(void **state)
{
	assert_int_equal(retry_rule(of(202))->next, RETRY_SAME);
	assert_int_equal(of(200), SETBACK_STRANGER);
	assert_int_equal(of(204), SETBACK_STRANGER);
	assert_int_equal(of(100), SETBACK_STRANGER);
	assert_int_equal(of(302), SETBACK_REDIRECT);
	assert_int_equal(of(400), SETBACK_FORM);
	assert_int_equal(of(401), SETBACK_ON_PATH);
	assert_int_equal(of(403), SETBACK_REFUSED);
	assert_int_equal(of(404), SETBACK_UNWANTED);
	assert_int_equal(of(406), SETBACK_UNWANTED);
	assert_int_equal(of(408), SETBACK_BUSY);
	assert_int_equal(of(410), SETBACK_UNWANTED);
	assert_int_equal(of(415), SETBACK_FORM);
	assert_int_equal(of(429), SETBACK_TOO_MANY);
	assert_int_equal(of(500), SETBACK_BUSY);
	assert_int_equal(of(503), SETBACK_BUSY);
	assert_int_equal(of(600), SETBACK_STRANGER);
	for (int status = 400; status < 600; status++)
		assert_int_equal(retry_rule(of(status))->next, RETRY_CANDIDATE);
}

/* CLOUD-PLG-007 */
static void retry_setback_of_status__401_of_a_cloud_registrar__depends_on_retry_after(void **state)
{
	const struct retry_rule *later = retry_rule(retry_setback_of_status(401, true, true));
	const struct retry_rule *never = retry_rule(retry_setback_of_status(401, true, false));

	assert_int_equal(later->next, RETRY_CANDIDATE);
	assert_int_equal(retry_asked_max_s(later, 60), 21600);
	assert_int_equal(never->next, RETRY_START_OVER);
	assert_int_equal(retry_setback_of_status(403, true, true), SETBACK_REFUSED);
}

static void retry_asked_max_s__who_may_ask_for_time__is_capped(void **state)
{
	assert_int_equal(retry_asked_max_s(retry_rule(SETBACK_BUSY), 60), 60);
	assert_int_equal(retry_asked_max_s(retry_rule(SETBACK_NOT_YET), 7), 7);
	assert_int_equal(retry_asked_max_s(retry_rule(SETBACK_REFUSED), 60), 0);
}

/* Who answers, and says "not now", is asked again in minutes; everybody else within the hour. */
static void retry_rule__not_now__is_heard_and_rests_for_minutes_others_for_an_hour(void **state)
{
	static const enum setback not_now[] = {SETBACK_SET_ASIDE, SETBACK_TOO_MANY, SETBACK_BUSY};

	for (int i = 0; i < SETBACK_COUNT; i++) {
		const struct retry_rule *r = retry_rule((enum setback)i);
		bool minutes = false;

		for (size_t n = 0; n < sizeof(not_now) / sizeof(*not_now); n++)
			minutes = minutes || i == (int)not_now[n];
		if (r->next == RETRY_CANDIDATE)
			assert_int_equal(r->longest_s, minutes ? 120 : 3600);
		if (minutes)
			assert_int_equal(r->asking, ASKING_CAPPED);
	}
}

static void retry_pause_ms__failures_in_a_row__double_up_to_the_rules_end(void **state)
{
	const struct retry_rule *refused = retry_rule(SETBACK_REFUSED);
	const struct retry_rule *busy = retry_rule(SETBACK_BUSY);

	assert_int_equal(retry_pause_ms(refused, 1, 0, 2, 3600, draw_most), 2000);
	assert_int_equal(retry_pause_ms(refused, 3, 0, 2, 3600, draw_most), 8000);
	assert_int_equal(retry_pause_ms(refused, 99, 0, 2, 86400, draw_most), 3600000);
	assert_int_equal(retry_pause_ms(busy, 99, 0, 2, 3600, draw_most), 120000);
	assert_int_equal(retry_pause_ms(refused, 99, 0, 2, 5, draw_most), 5000);
}

static void retry_pause_ms__what_it_asked_for__comes_first_and_the_jitter_on_top(void **state)
{
	const struct retry_rule *busy = retry_rule(SETBACK_BUSY);

	assert_int_equal(
		retry_pause_ms(busy, 1, 30, 2, 3600, draw_least), 30000 + BACKOFF_FLOOR_MS);
	assert_int_equal(retry_pause_ms(busy, 1, 30, 2, 3600, draw_most), 60000);
	assert_int_equal(retry_pause_ms(busy, 4, 1, 2, 3600, draw_most), 17000);
	assert_int_equal(
		retry_pause_ms(retry_rule(SETBACK_REFUSED), 1, 30, 2, 3600, draw_most), 2000);
}

static void retry_wait_ms__202__is_never_less_than_asked(void **state)
{
	assert_int_equal(retry_wait_ms(60, draw_least), 60000);
	assert_int_equal(retry_wait_ms(60, draw_most), 66000);
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
	assert_int_equal(outcome_exit_code(OUTCOME_STRANGER), 4);
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
		cmocka_unit_test(retry_rule__each_setback__has_its_row),
		cmocka_unit_test(retry_setback_of_status__each_class__means_what_the_clauses_say),
		cmocka_unit_test(
			retry_setback_of_status__401_of_a_cloud_registrar__depends_on_retry_after),
		cmocka_unit_test(retry_asked_max_s__who_may_ask_for_time__is_capped),
		cmocka_unit_test(
			retry_rule__not_now__is_heard_and_rests_for_minutes_others_for_an_hour),
		cmocka_unit_test(retry_pause_ms__failures_in_a_row__double_up_to_the_rules_end),
		cmocka_unit_test(
			retry_pause_ms__what_it_asked_for__comes_first_and_the_jitter_on_top),
		cmocka_unit_test(retry_wait_ms__202__is_never_less_than_asked),
		cmocka_unit_test(outcome_worse__what_tells_more__wins),
		cmocka_unit_test(outcome_exit_code__each__is_as_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
