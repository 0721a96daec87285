/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of devices that were announced or are approved before they ask. */
#include "tests/unit/records_device.h"
#include "tests/unit/records_journal.h"

static enum err_kind import(struct fixture *f, const char *list, int64_t count)
{
	const struct records_writer w = writer(f);
	const struct import_record i = {.list = bytes_of_str(list),
		.count = count,
		.approved = bytes_of_str(list),
		.approved_count = count,
		.at = NOW,
		.until = UNTIL,
		.exchange = "x-1",
		.by = "unix:uid=0",
		.summary = "all"};
	struct err e = ERR_INIT;

	return wait(f, records_import(&w, &i, &e), &e);
}

static enum err_kind announce(struct fixture *f, const char *list, int64_t count)
{
	const struct records_writer w = writer(f);
	const struct import_record i = {.list = bytes_of_str(list),
		.count = count,
		.announced = bytes_of_str(list),
		.announced_count = count,
		.at = NOW,
		.until = UNTIL,
		.exchange = "x-1",
		.by = "supplier",
		.summary = "all"};
	struct err e = ERR_INIT;

	return wait(f, records_import(&w, &i, &e), &e);
}

static const char ours[] = "[[\"acme\",\"SN-1\",\"order 7\",0]]";

static void records_import__announced__is_held_when_it_asks(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t count = -1;

	assert_int_equal(announce(f, "[[\"acme\",\"SN-1\",null,0,\"/eu\"]]", 1), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_ANNOUNCED);
	assert_string_equal(read_device(f).site, "/eu");
	assert_true(records_count_claims(f->store, CLAIM_ANNOUNCED, &count, &e));
	assert_int_equal(count, 1);
	assert_int_equal(announce(f, "[[\"acme\",\"SN-1\",null,0]]", 1), ERR_CONFLICT);
	hold(f, NOW + 1);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
	assert_string_equal(read_device(f).site, "/eu");
}

static void records_import__of_what_was_announced__is_preapproved(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(announce(f, "[[\"acme\",\"SN-1\",null,0,\"/eu\"]]", 1), ERR_NONE);
	assert_int_equal(import(f, "[[\"acme\",\"SN-1\",null,0]]", 1), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_PREAPPROVED);
	assert_string_equal(read_device(f).site, "/eu");
	assert_int_equal(announce(f, "[[\"acme\",\"SN-1\",null,0]]", 1), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_PREAPPROVED);
}

static void records_import__of_an_unknown_device__is_preapproved_until_it_joins(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t pending = -1;

	assert_int_equal(import(f, ours, 1), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_PREAPPROVED);
	assert_int_equal(read_device(f).last_seen, 0);
	assert_true(records_count_claims(f->store, CLAIM_PENDING, &pending, &e));
	assert_int_equal(pending, 0);
	assert_int_equal(journal_lines(f), 1);
	keep_voucher(f, "voucher", "");
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
	assert_int_equal(read_device(f).last_seen, NOW);
}

static void records_import__of_a_device_that_waits__approves_it(void **state)
{
	struct fixture *f = *state;

	hold(f, NOW);
	assert_int_equal(import(f, ours, 1), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_APPROVED);
}

static void records_import__with_one_decided_about__changes_nothing(void **state)
{
	static const enum claim_state decided[] = {CLAIM_APPROVED, CLAIM_REJECTED};
	struct fixture *f = *state;
	struct device_record other;
	struct err e = ERR_INIT;

	hold(f, NOW);
	for (size_t i = 0; i < sizeof(decided) / sizeof(*decided); i++) {
		decide(f, read_device(f).id, decided[i]);
		assert_int_equal(
			import(f, "[[\"acme\",\"SN-2\",null,0],[\"acme\",\"SN-1\",null,1]]", 2),
			ERR_CONFLICT);
		assert_int_equal(read_device(f).claim, decided[i]);
		assert_true(
			records_device(f->store, (struct device_key){"acme", "SN-2"}, &other, &e));
		assert_false(other.found);
	}
}

struct looked_up {
	int rows;
	int64_t place;
	struct known_claim claim;
};

static bool note_known(void *arg, int64_t place, const struct known_claim *claim, struct err *e)
{
	struct looked_up *l = arg;

	*l = (struct looked_up){l->rows + 1, place, *claim};
	return true;
}

static void records_import__when_the_approval_is_over__approves_again(void **state)
{
	const struct sweep_limits limits = {.now = UNTIL, .journal_rows = 1000};
	struct fixture *f = *state;

	assert_int_equal(import(f, ours, 1), ERR_NONE);
	assert_int_equal(read_device(f).claim_until, UNTIL);
	assert_int_equal(import(f, ours, 1), ERR_CONFLICT);
	sweep(f, &limits);
	assert_int_equal(read_device(f).claim, CLAIM_EXPIRED);
	assert_int_equal(import(f, ours, 1), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_PREAPPROVED);
}

static void records_import__of_a_revoked_device__is_a_conflict(void **state)
{
	const struct journal_entry j = a_line("revoke");
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(wait(f, records_retire(&w, STANDING_REVOKED, 0, &j, &e), &e), ERR_NONE);
	assert_int_equal(import(f, ours, 1), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_NONE);
}

static void records_look_up__a_list__tells_of_those_known(void **state)
{
	static const char list[] =
		"[[\"acme\",\"SN-0\",null,4],[\"acme\",\"SN-1\",null,5],[\"a\",\"SN-1\",null,6]]";
	struct fixture *f = *state;
	struct looked_up l = {0};
	struct err e = ERR_INIT;

	assert_int_equal(import(f, ours, 1), ERR_NONE);
	assert_true(records_look_up(f->store, bytes_of_str(list), NOW, note_known, &l, &e));
	assert_int_equal(l.rows, 1);
	assert_int_equal(l.place, 5);
	assert_int_equal(l.claim.said, CLAIM_PREAPPROVED);
	assert_false(l.claim.seen);
	assert_true(records_look_up(f->store, bytes_of_str(list), UNTIL, note_known, &l, &e));
	assert_int_equal(l.claim.said, CLAIM_EXPIRED);
	keep_voucher(f, "voucher", "");
	assert_true(records_look_up(f->store, bytes_of_str(list), NOW, note_known, &l, &e));
	assert_true(l.claim.seen);
	assert_int_equal(l.claim.state, DEVICE_VOUCHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_import__announced__is_held_when_it_asks),
		T(records_import__of_what_was_announced__is_preapproved),
		T(records_import__of_an_unknown_device__is_preapproved_until_it_joins),
		T(records_import__of_a_device_that_waits__approves_it),
		T(records_import__with_one_decided_about__changes_nothing),
		T(records_import__when_the_approval_is_over__approves_again),
		T(records_import__of_a_revoked_device__is_a_conflict),
		T(records_look_up__a_list__tells_of_those_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
