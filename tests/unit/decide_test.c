/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a decision, whatever was decided before and by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/admin/decide.h"

#define NOW 1790000000

static struct principal ann, bob;

static struct claim_row a_claim(enum claim_state state, const char *by)
{
	return (struct claim_row){.id = 7,
		.manufacturer = "Acme",
		.serial = "A-1",
		.site = "/eu/de",
		.revision = 3,
		.claim = state,
		.by = by,
		.first_seen = NOW - 100,
		.decided_at = by ? NOW - 50 : 0};
}

static enum decide_result judge(const struct claim_row *row, enum claim_state to,
	const struct principal *who, int64_t revision, bool change)
{
	const struct decision d = {.to = to, .who = who, .change = change, .now = NOW};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	assert_true(decide_judge(&d, row, revision, 1, &v, &e));
	free(v.approvals);
	return v.result;
}

static void decide_judge__what_was_decided_before__is_respected(void **state)
{
	static const struct {
		enum claim_state before;
		const char *by; /* NULL: nobody; "ann" asks */
		enum claim_state to;
		int64_t revision;
		bool change;
		enum decide_result result;
	} rows[] = {
		{CLAIM_PENDING, NULL, CLAIM_APPROVED, -1, false, DECIDE_DONE},
		{CLAIM_PENDING, NULL, CLAIM_REJECTED, 3, false, DECIDE_DONE},
		{CLAIM_PENDING, NULL, CLAIM_APPROVED, 2, false, DECIDE_STALE},
		{CLAIM_PENDING, NULL, CLAIM_APPROVED, 2, true, DECIDE_STALE},
		{CLAIM_NONE, NULL, CLAIM_APPROVED, -1, false, DECIDE_DONE},
		{CLAIM_EXPIRED, "bob", CLAIM_APPROVED, -1, false, DECIDE_DONE},
		{CLAIM_APPROVED, "bob", CLAIM_APPROVED, -1, false, DECIDE_UNCHANGED},
		{CLAIM_PREAPPROVED, "bob", CLAIM_APPROVED, 2, false, DECIDE_UNCHANGED},
		{CLAIM_REJECTED, "bob", CLAIM_REJECTED, -1, false, DECIDE_UNCHANGED},
		{CLAIM_APPROVED, "bob", CLAIM_APPROVED, -1, true, DECIDE_DONE},
		{CLAIM_APPROVED, "bob", CLAIM_REJECTED, -1, false, DECIDE_ALREADY},
		{CLAIM_REJECTED, "bob", CLAIM_APPROVED, -1, false, DECIDE_ALREADY},
		{CLAIM_REJECTED, "bob", CLAIM_APPROVED, 2, false, DECIDE_ALREADY},
		{CLAIM_REJECTED, "bob", CLAIM_APPROVED, 3, false, DECIDE_DONE}, /* it was seen */
		{CLAIM_REJECTED, "bob", CLAIM_APPROVED, -1, true, DECIDE_DONE},
		{CLAIM_REJECTED, "ann", CLAIM_APPROVED, -1, false, DECIDE_DONE}, /* her own */
		{CLAIM_REJECTED, "ann", CLAIM_APPROVED, 2, false, DECIDE_ALREADY},
		{CLAIM_APPROVED, "rule 3", CLAIM_REJECTED, -1, false, DECIDE_DONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct claim_row row = a_claim(rows[i].before, rows[i].by);
		enum decide_result result =
			judge(&row, rows[i].to, &ann, rows[i].revision, rows[i].change);

		if (result != rows[i].result)
			fail_msg("row %zu: %s", i, decide_result_name(result));
	}
}

static void decide_judge__an_approval_that_is_over__is_given_again(void **state)
{
	struct claim_row row = a_claim(CLAIM_APPROVED, "bob");

	row.until = NOW;
	assert_int_equal(judge(&row, CLAIM_APPROVED, &ann, -1, false), DECIDE_DONE);
	row.until = NOW + 1;
	assert_int_equal(judge(&row, CLAIM_APPROVED, &ann, -1, false), DECIDE_UNCHANGED);
}

static void decide_judge__against_another__tells_who_what_and_when(void **state)
{
	const struct claim_row row = a_claim(CLAIM_REJECTED, "bob");
	const struct decision d = {.to = CLAIM_APPROVED, .who = &ann, .now = NOW};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_non_null(strstr(v.detail, "Rejected by bob at 2026-09-21T14:12:30Z;"));
	assert_null(v.approvals);
}

static void decide_judge__before_the_device_asks__is_a_preapproval(void **state)
{
	struct claim_row row = a_claim(CLAIM_EXPIRED, NULL);
	const struct decision d = {.to = CLAIM_APPROVED, .who = &ann, .now = NOW};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	row.first_seen = 0;
	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_int_equal(v.to, CLAIM_PREAPPROVED);
}

/* ---- Two approvers ---- */

static enum decide_result approve_of_two(
	struct claim_row *row, const struct principal *who, char **approvals)
{
	const struct decision d = {.to = CLAIM_APPROVED, .who = who, .now = NOW};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	assert_true(decide_judge(&d, row, -1, 2, &v, &e));
	if (v.approvals) {
		free(*approvals);
		*approvals = v.approvals;
		row->approvals = *approvals;
	}
	return v.result;
}

static void decide_judge__of_two_approvers__the_second_is_another(void **state)
{
	struct claim_row row = a_claim(CLAIM_PENDING, NULL);
	char *approvals = NULL;

	assert_int_equal(approve_of_two(&row, &ann, &approvals), DECIDE_ONCE);
	assert_string_equal(approvals, "[{\"by\":\"ann\",\"at\":\"2026-09-21T14:13:20Z\"}]");
	assert_int_equal(approve_of_two(&row, &ann, &approvals), DECIDE_SAME_APPROVER);
	assert_int_equal(approve_of_two(&row, &bob, &approvals), DECIDE_DONE);
	assert_non_null(strstr(approvals, "bob"));
	free(approvals);
}

static void decide_judge__approvals_of_a_decision_before__count_no_longer(void **state)
{
	struct claim_row row = a_claim(CLAIM_PENDING, "ann");
	char *approvals = NULL;

	row.approvals = "[{\"by\":\"bob\",\"at\":\"2026-09-21T14:00:00Z\"}]";
	row.decided_at = NOW - 10;
	assert_int_equal(approve_of_two(&row, &ann, &approvals), DECIDE_ONCE);
	assert_null(strstr(approvals, "bob"));
	free(approvals);
}

static void decide_judge__rejecting__needs_no_second(void **state)
{
	const struct claim_row row = a_claim(CLAIM_PENDING, NULL);
	const struct decision d = {.to = CLAIM_REJECTED, .who = &ann, .now = NOW};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	assert_true(decide_judge(&d, &row, -1, 2, &v, &e));
	assert_int_equal(v.result, DECIDE_DONE);
}

/* ---- Who may ---- */

static void decide_judge__out_of_scope__is_not_there_or_not_allowed(void **state)
{
	const struct claim_row row = a_claim(CLAIM_PENDING, NULL);
	struct principal p = {.name = "carl"};
	struct decision d = {.to = CLAIM_APPROVED, .who = &p, .now = NOW};
	struct grant g = {.role = ROLE_APPROVER, .site = (char *)(uintptr_t) "/us"};
	struct decide_verdict v;
	struct err e = ERR_INIT;

	assert_true(principal_add(&p, &g, &e));
	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_int_equal(v.result, DECIDE_NOT_FOUND);
	g = (struct grant){.role = ROLE_VIEWER};
	assert_true(principal_add(&p, &g, &e));
	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_int_equal(v.result, DECIDE_NOT_ALLOWED);
	g = (struct grant){.role = ROLE_APPROVER, .site = (char *)(uintptr_t) "/eu/de"};
	assert_true(principal_add(&p, &g, &e));
	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_int_equal(v.result, DECIDE_DONE);
	d.site = "/eu"; /* nor put it where one may not decide */
	assert_true(decide_judge(&d, &row, -1, 1, &v, &e));
	assert_int_equal(v.result, DECIDE_NOT_ALLOWED);
	principal_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decide_judge__what_was_decided_before__is_respected),
		cmocka_unit_test(decide_judge__an_approval_that_is_over__is_given_again),
		cmocka_unit_test(decide_judge__against_another__tells_who_what_and_when),
		cmocka_unit_test(decide_judge__before_the_device_asks__is_a_preapproval),
		cmocka_unit_test(decide_judge__of_two_approvers__the_second_is_another),
		cmocka_unit_test(decide_judge__approvals_of_a_decision_before__count_no_longer),
		cmocka_unit_test(decide_judge__rejecting__needs_no_second),
		cmocka_unit_test(decide_judge__out_of_scope__is_not_there_or_not_allowed),
	};

	principal_local(&ann, "ann");
	principal_local(&bob, "bob");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
