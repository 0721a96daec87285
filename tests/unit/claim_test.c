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

/* ---- Devices that come back ---- */

#define NOW    1790000000
#define WINDOW 1000

static const struct {
	const char *what;
	enum admit_policy admit;
	struct device_record known;
	enum claim_answer want;
} returns[] = {
	{"certificate valid", ADMIT_HOLD,
		{.claim = CLAIM_NONE, .state = DEVICE_ENROLLED, .not_after = NOW + 1}, CLAIM_HOLD},
	{"just ended", ADMIT_HOLD,
		{.claim = CLAIM_NONE, .state = DEVICE_ENROLLED, .not_after = NOW}, CLAIM_ADMIT},
	{"last moment", ADMIT_HOLD,
		{.claim = CLAIM_PENDING, .state = DEVICE_ENROLLED, .not_after = NOW - WINDOW + 1},
		CLAIM_ADMIT},
	{"too late", ADMIT_HOLD,
		{.claim = CLAIM_NONE, .state = DEVICE_ENROLLED, .not_after = NOW - WINDOW},
		CLAIM_HOLD},
	{"too late where all are let in", ADMIT_ALL,
		{.claim = CLAIM_NONE, .state = DEVICE_ENROLLED, .not_after = NOW - WINDOW},
		CLAIM_HOLD},
	{"too late with the approval it joined with", ADMIT_HOLD,
		{.claim = CLAIM_APPROVED,
			.state = DEVICE_ENROLLED,
			.not_after = NOW - WINDOW,
			.decided_at = NOW - 2 * WINDOW},
		CLAIM_HOLD},
	{"too late, approved again", ADMIT_HOLD,
		{.claim = CLAIM_APPROVED,
			.state = DEVICE_ENROLLED,
			.not_after = NOW - WINDOW,
			.decided_at = NOW - 1},
		CLAIM_ADMIT},
	{"too late, an approval that nobody has used", ADMIT_HOLD,
		{.claim = CLAIM_APPROVED,
			.state = DEVICE_ENROLLED,
			.not_after = NOW - WINDOW,
			.claim_until = NOW + 1},
		CLAIM_ADMIT},
	{"got its new voucher and lost it", ADMIT_HOLD,
		{.claim = CLAIM_NONE, .state = DEVICE_VOUCHED, .not_after = NOW - 1}, CLAIM_ADMIT},
	{"rejected", ADMIT_ALL,
		{.claim = CLAIM_REJECTED, .state = DEVICE_ENROLLED, .not_after = NOW - 1},
		CLAIM_REFUSE},
	{"revoked", ADMIT_ALL, {.claim = CLAIM_NONE, .state = DEVICE_REVOKED, .not_after = NOW - 1},
		CLAIM_HOLD},
	{"quarantined", ADMIT_ALL,
		{.claim = CLAIM_APPROVED,
			.state = DEVICE_ENROLLED,
			.not_after = NOW - 1,
			.quarantined_at = NOW - 1},
		CLAIM_HOLD},
	{"quarantined before it joined", ADMIT_ALL,
		{.claim = CLAIM_NONE, .state = DEVICE_NEW, .quarantined_at = NOW - 1}, CLAIM_HOLD},
	{"quarantined and rejected", ADMIT_ALL,
		{.claim = CLAIM_REJECTED, .state = DEVICE_ENROLLED, .quarantined_at = NOW - 1},
		CLAIM_REFUSE},
};

static enum claim_answer judge(size_t row, int64_t rejoin_s, struct rule_set *rules)
{
	const struct manufacturer_config config = {
		.name = (char[]){"acme"}, .admit = returns[row].admit};
	const struct manufacturer m = {.config = &config};
	const struct claim_case c = {
		.manufacturer = &m,
		.serial = "SN-1",
		.address = "192.0.2.1:1",
		.known = &returns[row].known,
		.now = NOW,
		.rejoin_s = rejoin_s,
	};
	struct rule *rule;

	return claim_judge(&c, rules, &rule);
}

static struct rule_set *one_rule(enum rule_action action)
{
	struct err e = ERR_INIT;
	struct rule_set *rules = rule_set_new(&e);

	assert_non_null(rules);
	assert_true(rule_set_add(rules, 1, &(struct rule_text){.action = action}, &e));
	return rules;
}

static void claim_judge__a_device_that_comes_back__is_let_in_within_the_window(void **state)
{
	struct err e = ERR_INIT;
	struct rule_set *none = rule_set_new(&e);

	assert_non_null(none);
	for (size_t i = 0; i < sizeof(returns) / sizeof(*returns); i++)
		if (judge(i, WINDOW, none) != returns[i].want)
			fail_msg("%s", returns[i].what);
	rule_set_free(none);
}

static void claim_judge__no_window__leaves_it_to_an_administrator(void **state)
{
	struct err e = ERR_INIT;
	struct rule_set *none = rule_set_new(&e);

	assert_int_equal(judge(1, 0, none), CLAIM_HOLD);
	rule_set_free(none);
}

/* A rule may keep a device out that would come back by itself; none lets in who is shut out. */
static void claim_judge__rules__reject_who_comes_back_and_approve_nobody(void **state)
{
	struct rule_set *rejects = one_rule(RULE_REJECT), *approves = one_rule(RULE_APPROVE);

	assert_int_equal(judge(1, WINDOW, rejects), CLAIM_REFUSE);
	assert_int_equal(judge(3, WINDOW, approves), CLAIM_HOLD);
	assert_int_equal(judge(10, WINDOW, approves), CLAIM_HOLD);
	assert_int_equal(judge(12, WINDOW, approves), CLAIM_HOLD);
	rule_set_free(rejects);
	rule_set_free(approves);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claim_wait_s__few_wait__is_what_is_configured),
		cmocka_unit_test(claim_wait_s__many_wait__is_spread_over_a_quarter_below),
		cmocka_unit_test(claim_decide__every_row_of_the_policy__gives_its_answer),
		cmocka_unit_test(claim_decide__an_unknown_device_by_default__is_never_admitted),
		cmocka_unit_test(
			claim_judge__a_device_that_comes_back__is_let_in_within_the_window),
		cmocka_unit_test(claim_judge__no_window__leaves_it_to_an_administrator),
		cmocka_unit_test(claim_judge__rules__reject_who_comes_back_and_approve_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
