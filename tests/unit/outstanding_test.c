/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "registrar/outstanding.h"

#define MAX 8

static struct outstanding *make(void)
{
	struct err e = ERR_INIT;
	struct outstanding *o = outstanding_new(MAX, &e);

	assert_non_null(o);
	return o;
}

/* Keys that all want the same place, so that they push each other along. */
static void key_of(uint8_t n, uint8_t key[SHA256_LEN])
{
	memset(key, 0, SHA256_LEN);
	key[SHA256_LEN - 1] = n;
}

static enum outstanding_answer take(struct outstanding *o, uint8_t n)
{
	uint8_t key[SHA256_LEN];

	key_of(n, key);
	return outstanding_take(o, key);
}

static void release(struct outstanding *o, uint8_t n)
{
	uint8_t key[SHA256_LEN];

	key_of(n, key);
	outstanding_release(o, key);
}

static void outstanding_take__the_same_device_twice__is_busy_until_released(void **state)
{
	struct outstanding *o = make();

	assert_int_equal(take(o, 1), OUTSTANDING_TAKEN);
	assert_int_equal(take(o, 1), OUTSTANDING_BUSY);
	release(o, 1);
	assert_int_equal(take(o, 1), OUTSTANDING_TAKEN);
	outstanding_free(o);
}

static void outstanding_take__more_than_the_maximum__is_full(void **state)
{
	struct outstanding *o = make();

	for (uint8_t n = 0; n < MAX; n++)
		assert_int_equal(take(o, n), OUTSTANDING_TAKEN);
	assert_int_equal(take(o, MAX), OUTSTANDING_FULL);
	assert_int_equal(take(o, 0), OUTSTANDING_BUSY);
	release(o, 3);
	assert_int_equal(take(o, MAX), OUTSTANDING_TAKEN);
	outstanding_free(o);
}

static void outstanding_release__from_the_middle_of_a_run__loses_no_other(void **state)
{
	struct outstanding *o = make();

	for (uint8_t gone = 0; gone < MAX; gone++) {
		for (uint8_t n = 0; n < MAX; n++)
			assert_int_equal(take(o, n), OUTSTANDING_TAKEN);
		release(o, gone);
		for (uint8_t n = 0; n < MAX; n++)
			assert_int_equal(
				take(o, n), n == gone ? OUTSTANDING_TAKEN : OUTSTANDING_BUSY);
		for (uint8_t n = 0; n < MAX; n++)
			release(o, n);
		assert_int_equal(outstanding_count(o), 0);
	}
	outstanding_free(o);
}

static void outstanding_release__before_a_device_in_its_own_place__leaves_it_there(void **state)
{
	struct outstanding *o = make();
	uint8_t first[SHA256_LEN] = {0}, second[SHA256_LEN] = {1}; /* neighbours */

	assert_int_equal(outstanding_take(o, first), OUTSTANDING_TAKEN);
	assert_int_equal(outstanding_take(o, second), OUTSTANDING_TAKEN);
	outstanding_release(o, first);
	assert_int_equal(outstanding_take(o, second), OUTSTANDING_BUSY);
	outstanding_free(o);
}

static void outstanding_release__of_a_device_that_is_not_there__changes_nothing(void **state)
{
	struct outstanding *o = make();

	assert_int_equal(take(o, 1), OUTSTANDING_TAKEN);
	release(o, 2);
	assert_int_equal(outstanding_count(o), 1);
	outstanding_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outstanding_take__the_same_device_twice__is_busy_until_released),
		cmocka_unit_test(outstanding_take__more_than_the_maximum__is_full),
		cmocka_unit_test(outstanding_release__from_the_middle_of_a_run__loses_no_other),
		cmocka_unit_test(
			outstanding_release__before_a_device_in_its_own_place__leaves_it_there),
		cmocka_unit_test(
			outstanding_release__of_a_device_that_is_not_there__changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
