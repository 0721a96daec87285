/* SPDX-License-Identifier: Apache-2.0 */
/* The whole policy on joining, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registrar/claim.h"

static const struct {
	enum admit_policy admit;
	bool listed;
	enum claim_state said;
	enum claim_answer want;
} rows[] = {
	{ADMIT_HOLD, false, CLAIM_NONE, CLAIM_HOLD},
	{ADMIT_HOLD, false, CLAIM_PENDING, CLAIM_HOLD},
	{ADMIT_HOLD, false, CLAIM_APPROVED, CLAIM_ADMIT},
	{ADMIT_HOLD, false, CLAIM_REJECTED, CLAIM_REFUSE},
	{ADMIT_HOLD, false, CLAIM_PREAPPROVED, CLAIM_ADMIT},
	{ADMIT_HOLD, false, CLAIM_EXPIRED, CLAIM_HOLD},
	{ADMIT_HOLD, true, CLAIM_NONE, CLAIM_ADMIT},
	{ADMIT_HOLD, true, CLAIM_EXPIRED, CLAIM_ADMIT},
	{ADMIT_HOLD, true, CLAIM_PENDING, CLAIM_ADMIT},
	{ADMIT_HOLD, true, CLAIM_REJECTED, CLAIM_REFUSE},
	{ADMIT_LISTED, false, CLAIM_NONE, CLAIM_UNWANTED},
	{ADMIT_LISTED, false, CLAIM_PENDING, CLAIM_UNWANTED},
	{ADMIT_LISTED, false, CLAIM_APPROVED, CLAIM_ADMIT},
	{ADMIT_LISTED, false, CLAIM_PREAPPROVED, CLAIM_ADMIT},
	{ADMIT_LISTED, false, CLAIM_EXPIRED, CLAIM_UNWANTED},
	{ADMIT_LISTED, false, CLAIM_REJECTED, CLAIM_REFUSE},
	{ADMIT_LISTED, true, CLAIM_NONE, CLAIM_ADMIT},
	{ADMIT_LISTED, true, CLAIM_REJECTED, CLAIM_REFUSE},
	{ADMIT_ALL, false, CLAIM_NONE, CLAIM_ADMIT},
	{ADMIT_ALL, false, CLAIM_PENDING, CLAIM_ADMIT},
	{ADMIT_ALL, false, CLAIM_REJECTED, CLAIM_REFUSE},
	{ADMIT_ALL, true, CLAIM_REJECTED, CLAIM_REFUSE},
};

static void claim_decide__every_row_of_the_policy__gives_its_answer(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (claim_decide(rows[i].admit, rows[i].listed, rows[i].said) != rows[i].want)
			fail_msg("row %zu", i);
}

static void claim_decide__an_unknown_device_by_default__is_never_admitted(void **state)
{
	enum admit_policy by_default = (enum admit_policy)0;

	assert_int_equal(claim_decide(by_default, false, CLAIM_NONE), CLAIM_HOLD);
}

static void claim_wait_s__few_wait__is_what_is_configured(void **state)
{
	assert_int_equal(claim_wait_s(60, CLAIMS_MANY - 1), 60);
	assert_int_equal(claim_wait_s(1, 0), 1);
}

static void claim_wait_s__many_wait__is_spread_over_a_quarter_below(void **state)
{
	int64_t least = 60, most = 0;

	for (int i = 0; i < 1000; i++) {
		int64_t s = claim_wait_s(60, CLAIMS_MANY);

		least = s < least ? s : least;
		most = s > most ? s : most;
		assert_int_equal(claim_wait_s(1, CLAIMS_MANY), 1);
	}
	assert_int_equal(least, 45);
	assert_int_equal(most, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claim_wait_s__few_wait__is_what_is_configured),
		cmocka_unit_test(claim_wait_s__many_wait__is_spread_over_a_quarter_below),
		cmocka_unit_test(claim_decide__every_row_of_the_policy__gives_its_answer),
		cmocka_unit_test(claim_decide__an_unknown_device_by_default__is_never_admitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
