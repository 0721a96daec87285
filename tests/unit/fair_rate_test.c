/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/fair_rate.h"

static int admitted(struct fair_rate *f, const char *who, int times, int64_t now_ms)
{
	int n = 0;

	for (int i = 0; i < times; i++)
		n += fair_rate_admit(f, who, strlen(who), 1, now_ms);
	return n;
}

/* req: J-19 */
static void fair_rate_admit__one_floods__another_still_gets_its_part(void **state)
{
	struct err e = ERR_INIT;
	struct fair_rate f;
	int flooder = 0, other = 0;

	assert_true(fair_rate_init(&f, 100, 0, &e));
	for (int64_t ms = 0; ms < 60000; ms += 10) {
		flooder += admitted(&f, "flooder", 100, ms);
		other += ms % 100 == 0 ? admitted(&f, "other", 1, ms) : 0;
	}
	/* a quarter of 100 a second, and what was saved up; the shuffle may lend another bin */
	assert_in_range(flooder, 1400, 2400);
	/* ten a second asked for; only a shared bin, a tenth of the time at most, takes some */
	assert_in_range(other, 400, 600);
}

/* req: J-19 */
static void fair_rate_admit__many_flood__the_whole_keeps_its_limit(void **state)
{
	struct err e = ERR_INIT;
	struct fair_rate f;
	int all = 0;
	char who[2] = "A";

	assert_true(fair_rate_init(&f, 100, 0, &e));
	for (int64_t ms = 0; ms < 10000; ms += 10)
		for (who[0] = 'A'; who[0] <= 'Z'; who[0]++)
			all += admitted(&f, who, 10, ms);
	assert_in_range(all, 1000, 1000 + 200 + 5);
}

static void fair_rate_admit__quiet_for_long__saves_up_no_more_than_the_burst(void **state)
{
	struct err e = ERR_INIT;
	struct fair_rate f;

	assert_true(fair_rate_init(&f, 100, 0, &e));
	assert_int_equal(admitted(&f, "a", 1000, 0), 50);
	assert_int_equal(admitted(&f, "a", 1000, 1000000), 50);
	assert_int_equal(admitted(&f, "a", 1000, 1000000), 0);
	/* a clock that is asked in the wrong order does no harm */
	assert_int_equal(admitted(&f, "a", 1000, 999000), 0);
}

static void fair_rate_admit__no_limit__takes_everything(void **state)
{
	struct err e = ERR_INIT;
	struct fair_rate f;

	assert_true(fair_rate_init(&f, 0, 0, &e));
	assert_int_equal(admitted(&f, "a", 100000, 0), 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fair_rate_admit__one_floods__another_still_gets_its_part),
		cmocka_unit_test(fair_rate_admit__many_flood__the_whole_keeps_its_limit),
		cmocka_unit_test(fair_rate_admit__quiet_for_long__saves_up_no_more_than_the_burst),
		cmocka_unit_test(fair_rate_admit__no_limit__takes_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
