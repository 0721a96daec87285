/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/masa_fixture.h"

#include "masa/rate.h"

static const uint8_t a[SHA256_LEN] = {1}, b[SHA256_LEN] = {2};

static void rate_take__burst_of_a_minute__then_waits_and_refills_evenly(void **state)
{
	struct err e = ERR_INIT;
	struct rate *r = rate_new(10, 60, &e);

	for (int i = 0; i < 60; i++)
		assert_true(rate_take(r, a, 5000, &e));
	assert_false(rate_take(r, a, 5000, &e));
	assert_int_equal(e.kind, ERR_RETRY_LATER);
	assert_true(rate_take(r, b, 5000, &e));
	assert_false(rate_take(r, a, 5999, &e));
	assert_true(rate_take(r, a, 6000, &e));
	assert_false(rate_take(r, a, 6000, &e));
	for (int i = 0; i < 60; i++)
		assert_true(rate_take(r, a, 500000, &e));
	assert_false(rate_take(r, a, 500000, &e));
	rate_free(r);
}

static void rate_take__no_limit__never_waits(void **state)
{
	struct err e = ERR_INIT;
	struct rate *r = rate_new(10, 0, &e);

	for (int i = 0; i < 1000; i++)
		assert_true(rate_take(r, a, 0, &e));
	rate_free(r);
}

static void rate_take__more_registrars_than_room__forgets_the_oldest(void **state)
{
	struct err e = ERR_INIT;
	struct rate *r = rate_new(1, 1, &e);

	assert_true(rate_take(r, a, 0, &e));
	assert_false(rate_take(r, a, 0, &e));
	assert_true(rate_take(r, b, 0, &e));
	assert_true(rate_take(r, a, 0, &e));
	rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rate_take__burst_of_a_minute__then_waits_and_refills_evenly),
		cmocka_unit_test(rate_take__no_limit__never_waits),
		cmocka_unit_test(rate_take__more_registrars_than_room__forgets_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
