/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar remembers of a device, who may join, and until when: each write and what a
 * reader then sees. */
#include "registrar/records/rules.h"
#include "tests/unit/records_device.h"
#include "tests/unit/records_journal.h"

static void records_device__never_seen__is_not_found(void **state)
{
	assert_false(read_device(*state).found);
}

static void records_hold__a_new_device__is_pending_once(void **state)
{
	struct fixture *f = *state;
	struct device_record d;
	struct err e = ERR_INIT;
	int64_t pending;

	hold(f, NOW);
	assert_int_equal(f->changed[0], 1);
	hold(f, NOW + 5);
	assert_int_equal(f->changed[0], 0);
	d = read_device(f);
	assert_true(d.found);
	assert_int_equal(d.claim, CLAIM_PENDING);
	assert_int_equal(d.state, DEVICE_NEW);
	assert_int_equal(d.last_seen, NOW + 5);
	assert_memory_equal(d.idevid_sha256, idevid, SHA256_LEN);
	assert_memory_equal(d.request_sha256, request, SHA256_LEN);
	assert_memory_equal(d.registrar_sha256, own, SHA256_LEN);
	assert_true(records_count_claims(f->store, CLAIM_PENDING, &pending, &e));
	assert_int_equal(pending, 1);
}

static void records_hold__a_device_that_was_decided_about__stays_decided(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	hold(f, NOW + 1);
	assert_int_equal(read_device(f).claim, CLAIM_REJECTED);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	hold(f, NOW + 2);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

static void records_decide_rows__a_row_that_is_not_as_it_was_read__changes_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t revision;

	hold(f, NOW);
	revision = read_device(f).revision;
	assert_int_equal(
		try_to_decide(f, 77, revision, CLAIM_APPROVED), ERR_CONFLICT); /* nobody's */
	assert_int_equal(
		try_to_decide(f, read_device(f).id, revision + 1, CLAIM_APPROVED), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
	assert_int_equal(try_to_decide(f, read_device(f).id, revision, CLAIM_APPROVED), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
	assert_int_equal(read_device(f).revision, revision + 1);
	assert_int_equal(
		try_to_decide(f, read_device(f).id, revision, CLAIM_REJECTED), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

static void records_keep_voucher__of_a_new_device__is_read_back(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf voucher = BUF_INIT(100), rvr = BUF_INIT(100);
	struct err e = ERR_INIT;

	assert_false(records_voucher(f->store, device, &voucher, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	keep_voucher(f, "voucher", "request");
	assert_int_equal(read_device(f).state, DEVICE_VOUCHED);
	assert_string_equal(read_device(f).voucher_type, "application/voucher-cms+json");
	assert_true(records_voucher(f->store, device, &voucher, &e));
	assert_string_equal(buf_str(&voucher), "voucher");
	assert_true(records_registrar_request(f->store, device, &rvr, &e));
	assert_string_equal(buf_str(&rvr), "request");
}

static void records_judge_history__refused__takes_voucher_and_enrolment_away(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf out = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "request");
	assert_int_equal(judge(f, HISTORY_REFUSED), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_REFUSED);
	assert_string_equal(read_device(f).voucher_type, "");
	assert_false(records_voucher(f->store, device, &out, &e));
	assert_int_equal(issue(f, 1, NOW), ERR_CONFLICT);
}

/* ... is no reason for either engine to refuse the device. */
static void records_keep_voucher__words_cut_within_a_character__is_kept(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct request_record r = a_request(NOW);
	struct journal_entry j = a_line("voucher");
	struct err e = ERR_INIT;

	hold(f, NOW);
	r.model = "Ger\xc3\xa4t \xc3";
	j.reason = "Ger\xc3\xa4t \xe2\x82";
	assert_int_equal(wait(f,
				 records_keep_voucher(&w, &r, bytes_of_str("voucher"), "x",
					 bytes_of(NULL, 0), HISTORY_REFUSED, &j, &e),
				 &e),
		ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_VOUCHED);
}

static void records_judge_history__good__drops_what_is_no_longer_needed(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf out = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "request");
	assert_int_equal(judge(f, HISTORY_GOOD), ERR_NONE);
	assert_int_equal(read_device(f).history, HISTORY_GOOD);
	assert_int_equal(read_device(f).state, DEVICE_VOUCHED);
	assert_false(records_registrar_request(f->store, device, &out, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_true(records_voucher(f->store, device, &out, &e));
}

/* the configuration was changed to let it in while it waited */
static void records_keep_voucher__of_a_pending_device__settles_the_claim(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t pending = -1;

	hold(f, NOW);
	keep_voucher(f, "voucher", "");
	assert_int_equal(f->changed[0], 1);
	assert_int_equal(read_device(f).claim, CLAIM_NONE);
	assert_true(records_count_claims(f->store, CLAIM_PENDING, &pending, &e));
	assert_int_equal(pending, 0);
	keep_voucher(f, "again", "");
	assert_int_equal(f->changed[0], 0);
}

static void records_keep_voucher__of_an_approved_device__keeps_the_approval(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	keep_voucher(f, "voucher", "");
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

static void records_keep_voucher__for_a_device_rejected_meanwhile__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_CONFLICT);
	assert_int_equal(read_device(f).state, DEVICE_NEW);
}

static void records_sweep__old_claims__go_and_rejected_ones_stay(void **state)
{
	struct fixture *f = *state;
	const struct sweep_limits limits = {.claims_before = NOW + 10, .journal_rows = 1000};

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	sweep(f, &limits);
	assert_true(read_device(f).found);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	sweep(f, &limits);
	assert_true(read_device(f).found);
}

static void records_sweep__an_approval_nobody_used__expires_and_goes_later(void **state)
{
	struct sweep_limits limits = {
		.now = UNTIL - 1, .claims_before = UNTIL, .journal_rows = 1000};
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	sweep(f, &limits);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
	limits.now = UNTIL;
	sweep(f, &limits);
	assert_int_equal(f->changed[0], 1);
	assert_int_equal(read_device(f).claim, CLAIM_EXPIRED);
	sweep(f, &limits);
	assert_int_equal(f->changed[0], 0);
	assert_true(read_device(f).found);
	limits.claims_before = UNTIL + 1;
	sweep(f, &limits);
	assert_false(read_device(f).found);
}

static void records_sweep__an_approval_that_was_used__has_no_end(void **state)
{
	const struct sweep_limits limits = {
		.now = UNTIL + 1, .claims_before = UNTIL + 2, .journal_rows = 1000};
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	assert_int_equal(read_device(f).claim_until, UNTIL);
	keep_voucher(f, "voucher", "");
	assert_int_equal(read_device(f).claim_until, 0);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	decide(f, read_device(f).id, CLAIM_APPROVED); /* it has its voucher */
	assert_int_equal(read_device(f).claim_until, 0);
	sweep(f, &limits);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

/* whether or not the sweep has come to it */
static void records_hold__when_the_approval_is_over__is_pending_again(void **state)
{
	const struct sweep_limits limits = {.now = UNTIL, .journal_rows = 1000};
	struct fixture *f = *state;
	struct device_record d;

	hold(f, NOW);
	for (int swept = 0; swept < 2; swept++) {
		decide(f, read_device(f).id, CLAIM_APPROVED);
		if (swept)
			sweep(f, &limits);
		d = read_device(f);
		assert_int_equal(device_record_claim(&d, UNTIL), CLAIM_EXPIRED);
		hold(f, UNTIL);
		assert_int_equal(read_device(f).claim, CLAIM_PENDING);
		assert_int_equal(read_device(f).claim_until, 0);
	}
	decide(f, read_device(f).id, CLAIM_APPROVED);
	d = read_device(f);
	assert_int_equal(device_record_claim(&d, UNTIL - 1), CLAIM_APPROVED);
	hold(f, UNTIL - 1);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

static void records_keep_voucher__when_the_approval_has_expired__settles_the_claim(void **state)
{
	const struct sweep_limits limits = {.now = UNTIL, .journal_rows = 1000};
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	sweep(f, &limits);
	keep_voucher(f, "voucher", ""); /* the configuration lets it in */
	assert_int_equal(read_device(f).claim, CLAIM_NONE);
	assert_int_equal(read_device(f).claim_until, 0);
}

static void records_sweep__devices_with_a_voucher__stay(void **state)
{
	struct fixture *f = *state;
	const struct sweep_limits limits = {.claims_before = NOW + 10, .journal_rows = 1000};

	hold(f, NOW);
	keep_voucher(f, "voucher", "");
	sweep(f, &limits);
	assert_true(read_device(f).found);
}

static bool note_row(void *arg, const struct claim_row *row, struct err *e)
{
	struct claim_row *out = arg;

	*out = *row;
	return true;
}

static void records_list_claims__by_state__shows_those_only(void **state)
{
	struct fixture *f = *state;
	struct claim_row row = {0};
	struct err e = ERR_INIT;

	hold(f, NOW);
	assert_true(records_list_claims(f->store, CLAIM_APPROVED, 0, 10, note_row, &row, &e));
	assert_int_equal(row.id, 0);
	assert_true(records_list_claims(f->store, CLAIM_PENDING, 0, 10, note_row, &row, &e));
	assert_int_equal(row.id, 1);
	assert_int_equal(row.claim, CLAIM_PENDING);
	assert_int_equal(row.first_seen, NOW);
	row.id = 0;
	assert_true(records_list_claims(f->store, CLAIM_STATE_COUNT, 1, 10, note_row, &row, &e));
	assert_int_equal(row.id, 0); /* after the first there is none */
}

static void hold_another(struct fixture *f, const char *serial, int64_t at)
{
	const struct records_writer w = writer(f);
	const struct request_record r = {.device = {"acme", serial},
		.subject = "CN=Device",
		.idevid_sha256 = idevid,
		.request_sha256 = request,
		.registrar_sha256 = own,
		.at = at};
	const struct journal_entry j = a_line("claim");
	struct err e = ERR_INIT;

	assert_int_equal(wait(f, records_hold(&w, &r, &j, &e), &e), ERR_NONE);
}

static int64_t count_claims(struct fixture *f, enum claim_state state)
{
	struct err e = ERR_INIT;
	int64_t count = -1;

	assert_true(records_count_claims(f->store, state, &count, &e));
	return count;
}

static void records_count_claims__decided_and_swept__are_counted_where_they_are(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(count_claims(f, CLAIM_PENDING), 0);
	hold(f, NOW);
	hold_another(f, "SN-2", NOW);
	hold_another(f, "SN-3", NOW);
	decide(f, 2, CLAIM_REJECTED);
	assert_int_equal(count_claims(f, CLAIM_PENDING), 2);
	assert_int_equal(count_claims(f, CLAIM_REJECTED), 1);
	assert_int_equal(count_claims(f, CLAIM_APPROVED), 0);
}

static void records_oldest_pending__decided_ones_before_it__are_passed_over(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t first_seen = -1;

	assert_true(records_oldest_pending(f->store, &first_seen, &e));
	assert_int_equal(first_seen, 0);
	hold(f, NOW);
	hold_another(f, "SN-2", NOW + 60);
	hold_another(f, "SN-3", NOW + 120);
	hold(f, NOW + 180); /* it asks again */
	assert_true(records_oldest_pending(f->store, &first_seen, &e));
	assert_int_equal(first_seen, NOW);
	decide(f, 1, CLAIM_APPROVED);
	assert_true(records_oldest_pending(f->store, &first_seen, &e));
	assert_int_equal(first_seen, NOW + 60);
}

static void records_status__telemetry__is_kept_with_the_device(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct journal_entry j = a_line("voucher-status");
	struct claim_row row = {0};
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(wait(f, records_status(&w, device, true, "true", &j, &e), &e), ERR_NONE);
	assert_true(records_list_devices(f->store, 0, 10, note_row, &row, &e));
	assert_int_equal(row.id, 1);
	assert_int_equal(journal_lines(f), 2);
}

static int64_t count_devices(struct fixture *f, enum standing standing)
{
	struct err e = ERR_INIT;
	int64_t count = -1;

	assert_true(records_count_devices(f->store, standing, &count, &e));
	return count;
}

/* The device stands there, and is the only one that is counted. */
static void assert_stands(struct fixture *f, enum standing expected)
{
	assert_int_equal(read_device(f).standing, expected);
	for (int i = STANDING_ACTIVE; i < STANDING_STORED_COUNT; i++)
		assert_int_equal(
			count_devices(f, (enum standing)i), (enum standing)i == expected ? 1 : 0);
}

static void device_standing__each_step_of_its_life__is_derived_and_counted(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	assert_stands(f, STANDING_NONE);
	decide(f, 1, CLAIM_APPROVED);
	keep_voucher(f, "voucher", "");
	assert_stands(f, STANDING_JOINING);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_stands(f, STANDING_ACTIVE);
	assert_true(read_device(f).not_after > NOW);
	decide(f, 1, CLAIM_REJECTED);
	assert_stands(f, STANDING_REFUSED);
	decide(f, 1, CLAIM_APPROVED);
	assert_stands(f, STANDING_ACTIVE);
	assert_int_equal(judge(f, HISTORY_REFUSED), ERR_NONE);
	assert_stands(f, STANDING_REFUSED);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_stands(f, STANDING_REVOKED);
	assert_int_equal(count_claims(f, CLAIM_APPROVED), 0);
	decide(f, 1, CLAIM_APPROVED);
	keep_voucher(f, "voucher", "");
	assert_stands(f, STANDING_JOINING);
}

static bool check_described(void *arg, const struct claim_row *row, struct err *e)
{
	assert_string_equal(row->model, "gw-1");
	assert_string_equal(row->address, "10.8.0.1");
	assert_string_equal(row->site, "/");
	assert_null(row->labels);
	*(int *)arg += 1;
	return true;
}

static void records_hold__what_the_request_tells__stands_with_the_claim(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int seen = 0;

	hold(f, NOW);
	assert_true(records_find_by_id(f->store, 1, check_described, &seen, &e));
	assert_int_equal(seen, 1);
	keep_voucher(f, "voucher", "");
	assert_true(records_find_by_id(f->store, 1, check_described, &seen, &e));
	assert_int_equal(seen, 2);
}

static void device_revision__asking_again__leaves_it_and_changes_raise_it(void **state)
{
	struct fixture *f = *state;
	int64_t held, decided, vouched;

	hold(f, NOW);
	held = read_device(f).revision;
	hold(f, NOW + 10);
	assert_int_equal(read_device(f).revision, held);
	decide(f, 1, CLAIM_APPROVED);
	decided = read_device(f).revision;
	assert_true(decided > held);
	keep_voucher(f, "voucher", "");
	vouched = read_device(f).revision;
	assert_true(vouched > decided);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_true(read_device(f).revision > vouched);
	vouched = read_device(f).revision;
	assert_int_equal(issue(f, 2, NOW + 4000), ERR_NONE); /* a renewal */
	assert_int_equal(read_device(f).revision, vouched);
}

static enum err_kind keep_voucher_by_rule(struct fixture *f, int64_t at, bool limited)
{
	const struct records_writer w = writer(f);
	const struct rule_use use = {
		.id = 1, .limited = limited, .name = "rule 1", .reason = "pilot"};
	struct request_record r = a_request(at);
	const struct journal_entry j = a_line("voucher");
	struct err e = ERR_INIT;

	r.rule = &use;
	return wait(f,
		records_keep_voucher(&w, &r, bytes_of_str("v"), "application/voucher-cms+json",
			bytes_of_str(""), HISTORY_UNKNOWN, &j, &e),
		&e);
}

static void records_keep_voucher__by_a_rule__approves_the_device(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(keep_voucher_by_rule(f, NOW, false), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
	assert_int_equal(read_device(f).claim_until, 0);
	assert_int_equal(journal_lines(f), 2);
}

static void approve_after_the_end(struct fixture *f, bool swept)
{
	const struct sweep_limits limits = {.now = UNTIL, .journal_rows = 1000};

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	if (swept)
		sweep(f, &limits);
	assert_int_equal(keep_voucher_by_rule(f, UNTIL, false), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
	assert_int_equal(read_device(f).claim_until, 0);
}

static void records_keep_voucher__by_a_rule_after_an_approval__approves_again(void **state)
{
	approve_after_the_end(*state, true);
}

static void records_keep_voucher__by_a_rule_before_the_sweep__approves_again(void **state)
{
	approve_after_the_end(*state, false);
}

static void records_keep_voucher__by_a_rule_after_a_rejection__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(keep_voucher_by_rule(f, NOW, false), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_REJECTED);
}

static void records_keep_voucher__by_a_rule_with_nothing_left__is_a_conflict(void **state)
{
	const struct rule_text text = {.action = RULE_APPROVE, .limited = true, .remaining = 0};
	const struct journal_entry j = a_line("rule");
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_int_equal(keep_voucher_by_rule(f, NOW, true), ERR_CONFLICT); /* it is gone */
	assert_int_equal(wait(f, records_add_rule(&w, 1, 1, &text, &j, &e), &e), ERR_NONE);
	assert_int_equal(keep_voucher_by_rule(f, NOW, true), ERR_CONFLICT);
	assert_false(read_device(f).found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_device__never_seen__is_not_found),
		T(records_hold__a_new_device__is_pending_once),
		T(records_hold__a_device_that_was_decided_about__stays_decided),
		T(records_decide_rows__a_row_that_is_not_as_it_was_read__changes_nothing),
		T(records_keep_voucher__of_a_new_device__is_read_back),
		T(records_judge_history__refused__takes_voucher_and_enrolment_away),
		T(records_keep_voucher__words_cut_within_a_character__is_kept),
		T(records_judge_history__good__drops_what_is_no_longer_needed),
		T(records_keep_voucher__of_a_pending_device__settles_the_claim),
		T(records_keep_voucher__of_an_approved_device__keeps_the_approval),
		T(records_keep_voucher__for_a_device_rejected_meanwhile__is_a_conflict),
		T(records_sweep__old_claims__go_and_rejected_ones_stay),
		T(records_sweep__devices_with_a_voucher__stay),
		T(records_list_claims__by_state__shows_those_only),
		T(records_count_claims__decided_and_swept__are_counted_where_they_are),
		T(records_oldest_pending__decided_ones_before_it__are_passed_over),
		T(records_status__telemetry__is_kept_with_the_device),
		T(device_standing__each_step_of_its_life__is_derived_and_counted),
		T(records_hold__what_the_request_tells__stands_with_the_claim),
		T(device_revision__asking_again__leaves_it_and_changes_raise_it),
		T(records_sweep__an_approval_nobody_used__expires_and_goes_later),
		T(records_sweep__an_approval_that_was_used__has_no_end),
		T(records_hold__when_the_approval_is_over__is_pending_again),
		T(records_keep_voucher__when_the_approval_has_expired__settles_the_claim),
		T(records_keep_voucher__by_a_rule__approves_the_device),
		T(records_keep_voucher__by_a_rule_after_an_approval__approves_again),
		T(records_keep_voucher__by_a_rule_before_the_sweep__approves_again),
		T(records_keep_voucher__by_a_rule_after_a_rejection__is_a_conflict),
		T(records_keep_voucher__by_a_rule_with_nothing_left__is_a_conflict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
