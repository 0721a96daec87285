/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators do to devices and sites, in the store: all of it or nothing, only to what
 * they have looked at, and counted where it is. */
#include "registrar/records/devices.h"
#include "registrar/records/sites.h"
#include "tests/unit/records_fixture.h"

#define UNTIL (NOW + 100)

static const uint8_t digest[SHA256_LEN] = {1};

static struct journal_entry line(const char *serial, const char *outcome)
{
	return (struct journal_entry){.at = NOW,
		.device = {"acme", serial},
		.actor = "me",
		.step = "device",
		.outcome = outcome};
}

/* It has a voucher. */
static void join(struct fixture *f, const char *serial)
{
	const struct records_writer w = writer(f);
	const struct request_record r = {.device = {"acme", serial},
		.subject = "CN=Device",
		.idevid_sha256 = digest,
		.request_sha256 = digest,
		.registrar_sha256 = digest,
		.at = NOW};
	const struct journal_entry j = line(serial, "delivered");
	struct err e = ERR_INIT;

	assert_int_equal(wait(f,
				 records_keep_voucher(&w, &r, bytes_of_str("voucher"), "x/y",
					 (struct bytes){0}, HISTORY_GOOD, &j, &e),
				 &e),
		ERR_NONE);
}

static struct device_record device(struct fixture *f, const char *serial)
{
	struct device_record d;
	struct err e = ERR_INIT;

	assert_true(records_device(f->store, (struct device_key){"acme", serial}, &d, &e));
	return d;
}

static enum err_kind quarantine(struct fixture *f, const char *serial, int64_t revision)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(serial, "quarantined");
	struct err e = ERR_INIT;

	return wait(f, records_quarantine(&w, revision, "why", &j, &e), &e);
}

static enum err_kind release(struct fixture *f, const char *serial)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(serial, "released");
	struct err e = ERR_INIT;

	return wait(f, records_release(&w, 0, &j, &e), &e);
}

static enum err_kind retire(struct fixture *f, const char *serial, enum standing as)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(serial, "retired");
	struct err e = ERR_INIT;

	return wait(f, records_retire(&w, as, 0, &j, &e), &e);
}

static enum err_kind move(struct fixture *f, const char *serial, const char *site)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(serial, "moved");
	struct err e = ERR_INIT;

	return wait(f, records_move(&w, 0, site, &j, &e), &e);
}

static enum err_kind replace(
	struct fixture *f, const char *old, int64_t revision, const char *by, int64_t by_revision)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(old, "replaced");
	const struct replacement p = {.by = {"acme", by},
		.revision = revision,
		.by_revision = by_revision,
		.by_seen = by_revision != 0,
		.until = UNTIL,
		.reason = "it burnt"};
	struct err e = ERR_INIT;

	return wait(f, records_replace(&w, &p, &j, &e), &e);
}

static int64_t counted(struct fixture *f, enum standing standing)
{
	struct err e = ERR_INIT;
	int64_t count;

	assert_true(records_count_devices(f->store, standing, &count, &e));
	return count;
}

static bool count_line(void *arg, const struct journal_line *l, struct err *e)
{
	++*(int *)arg;
	return true;
}

static int lines(struct fixture *f, const char *serial)
{
	struct err e = ERR_INIT;
	int count = 0;

	assert_true(records_history(
		f->store, (struct device_key){"acme", serial}, 0, 100, count_line, &count, &e));
	return count;
}

/* ---- devices ---- */

static void records_quarantine__twice_or_stale_or_retired__is_a_conflict_without_a_line(
	void **state)
{
	struct fixture *f = *state;

	join(f, "A");
	assert_int_equal(quarantine(f, "A", device(f, "A").revision + 1), ERR_CONFLICT);
	assert_int_equal(quarantine(f, "A", device(f, "A").revision), ERR_NONE);
	assert_int_equal(quarantine(f, "A", 0), ERR_CONFLICT);
	assert_int_equal(device(f, "A").standing, STANDING_QUARANTINED);
	assert_int_equal(counted(f, STANDING_QUARANTINED), 1);
	assert_int_equal(lines(f, "A"), 2);
	assert_int_equal(release(f, "A"), ERR_NONE);
	assert_int_equal(release(f, "A"), ERR_CONFLICT);
	assert_int_equal(device(f, "A").standing, STANDING_JOINING);
	assert_int_equal(counted(f, STANDING_QUARANTINED), 0);
	assert_int_equal(retire(f, "A", STANDING_REVOKED), ERR_NONE);
	assert_int_equal(quarantine(f, "A", 0), ERR_CONFLICT);
}

static void records_quarantine__a_voucher_under_way__is_not_kept(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct request_record r = {.device = {"acme", "A"},
		.subject = "CN=Device",
		.idevid_sha256 = digest,
		.request_sha256 = digest,
		.registrar_sha256 = digest,
		.at = NOW};
	const struct journal_entry j = line("A", "delivered");
	struct err e = ERR_INIT;

	join(f, "A");
	assert_int_equal(quarantine(f, "A", 0), ERR_NONE);
	assert_int_equal(wait(f,
				 records_keep_voucher(&w, &r, bytes_of_str("voucher"), "x/y",
					 (struct bytes){0}, HISTORY_GOOD, &j, &e),
				 &e),
		ERR_CONFLICT);
}

static void records_retire__from_less_to_more__is_done_and_not_back(void **state)
{
	struct fixture *f = *state;

	join(f, "A");
	assert_int_equal(retire(f, "A", STANDING_REVOKED), ERR_NONE);
	assert_int_equal(retire(f, "A", STANDING_REVOKED), ERR_CONFLICT);
	assert_int_equal(retire(f, "A", STANDING_DECOMMISSIONED), ERR_NONE);
	assert_int_equal(retire(f, "A", STANDING_REVOKED), ERR_CONFLICT);
	assert_int_equal(device(f, "A").standing, STANDING_DECOMMISSIONED);
	assert_int_equal(counted(f, STANDING_DECOMMISSIONED), 1);
	assert_int_equal(counted(f, STANDING_REVOKED), 0);
}

static void records_replace__by_an_unseen_one__preapproves_it_at_the_same_site(void **state)
{
	struct fixture *f = *state;

	join(f, "OLD");
	assert_int_equal(move(f, "OLD", "/eu"), ERR_NONE);
	assert_int_equal(replace(f, "OLD", device(f, "OLD").revision, "NEW", 0), ERR_NONE);
	assert_int_equal(device(f, "OLD").standing, STANDING_REPLACED);
	assert_int_equal(device(f, "NEW").claim, CLAIM_PREAPPROVED);
	assert_int_equal(device(f, "NEW").claim_until, UNTIL);
	assert_string_equal(device(f, "NEW").site, "/eu");
	assert_int_equal(lines(f, "NEW"), 1);
	assert_int_equal(replace(f, "OLD", 0, "OTHER", 0), ERR_CONFLICT);
	assert_false(device(f, "OTHER").found);
}

static void records_replace__either_one_changed_meanwhile__does_nothing(void **state)
{
	struct fixture *f = *state;

	join(f, "OLD");
	join(f, "NEW");
	assert_int_equal(
		replace(f, "OLD", device(f, "OLD").revision + 1, "NEW", device(f, "NEW").revision),
		ERR_CONFLICT);
	assert_int_equal(
		replace(f, "OLD", device(f, "OLD").revision, "NEW", device(f, "NEW").revision + 1),
		ERR_CONFLICT);
	assert_int_equal(replace(f, "OLD", device(f, "OLD").revision, "NEW", 0), ERR_CONFLICT);
	assert_int_equal(device(f, "OLD").standing, STANDING_JOINING);
	assert_int_equal(device(f, "NEW").claim, CLAIM_NONE);
	assert_int_equal(lines(f, "OLD"), 1);
	assert_int_equal(
		replace(f, "OLD", device(f, "OLD").revision, "NEW", device(f, "NEW").revision),
		ERR_NONE);
	assert_int_equal(device(f, "NEW").claim, CLAIM_APPROVED);
}

struct found {
	char serials[8][16];
	size_t count;
};

static bool note_found(void *arg, const struct claim_row *row, struct err *e)
{
	struct found *f = arg;

	snprintf(f->serials[f->count++ % 8], 16, "%s", row->serial);
	return true;
}

static void records_find_devices__by_beginning__goes_on_behind_each(void **state)
{
	static const char *const all[] = {"B-2", "A-3", "A-1", "C", "A-2"};
	struct fixture *f = *state;
	struct found found = {.count = 0};
	struct err e = ERR_INIT;
	int64_t next = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		join(f, all[i]);
	do
		assert_true(records_find_devices(
			f->store, "A-", false, next, 2, note_found, &found, &next, &e));
	while (next);
	assert_int_equal(found.count, 3);
	assert_string_equal(found.serials[0], "A-1");
	assert_string_equal(found.serials[2], "A-3");
	found.count = 0;
	assert_true(
		records_find_devices(f->store, "-2", true, 0, 10, note_found, &found, &next, &e));
	assert_int_equal(found.count, 2);
	assert_int_equal(next, 0);
	found.count = 0;
	assert_true(
		records_find_devices(f->store, "-2", false, 0, 10, note_found, &found, &next, &e));
	assert_int_equal(found.count, 0);
}

/* ---- sites ---- */

static enum err_kind add_site(struct fixture *f, const char *path, int64_t approvers, bool rejects)
{
	const struct records_writer w = writer(f);
	const struct site_row site = {
		.path = path, .approvers = approvers, .rejects_unknown = rejects};
	const struct journal_entry j = line(NULL, "added");
	struct err e = ERR_INIT;

	return wait(f, records_add_site(&w, &site, &j, &e), &e);
}

static enum err_kind remove_site(struct fixture *f, const char *path)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = line(NULL, "removed");
	struct err e = ERR_INIT;

	return wait(f, records_remove_site(&w, path, 1, &j, &e), &e);
}

static bool take_counts(void *arg, const struct site_row *row, struct err *e)
{
	int64_t *counts = arg;

	counts[0] = row->devices;
	counts[1] = row->below;
	return true;
}

static void assert_counts(struct fixture *f, const char *path, int64_t here, int64_t below)
{
	int64_t counts[2] = {-1, -1};
	struct err e = ERR_INIT;

	assert_true(records_site(f->store, path, take_counts, counts, &e));
	assert_int_equal(counts[0], here);
	assert_int_equal(counts[1], below);
}

static void records_move__from_site_to_site__is_counted_where_it_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(add_site(f, "/eu/de", 1, false), ERR_NONE);
	assert_int_equal(add_site(f, "/eu-2", 1, false), ERR_NONE);
	join(f, "A");
	join(f, "B");
	assert_counts(f, "/", 2, 0);
	assert_int_equal(move(f, "A", "/eu/de"), ERR_NONE);
	assert_int_equal(move(f, "B", "/eu-2"), ERR_NONE);
	assert_counts(f, "/", 0, 2);
	assert_counts(f, "/eu", 0, 1);
	assert_counts(f, "/eu/de", 1, 0);
	assert_int_equal(remove_site(f, "/eu/de"), ERR_CONFLICT);
	assert_int_equal(remove_site(f, "/eu"), ERR_CONFLICT);
	assert_int_equal(move(f, "A", "/"), ERR_NONE);
	assert_int_equal(remove_site(f, "/eu"), ERR_CONFLICT);
	assert_int_equal(remove_site(f, "/eu/de"), ERR_NONE);
	assert_int_equal(remove_site(f, "/eu"), ERR_NONE);
	assert_int_equal(remove_site(f, "/"), ERR_CONFLICT);
	assert_counts(f, "/", 1, 1);
}

/* Something was on its way there when the site was removed: nothing is lost. */
static void records_move__to_a_site_that_is_gone__makes_it_again(void **state)
{
	struct fixture *f = *state;

	join(f, "A");
	assert_int_equal(move(f, "A", "/new"), ERR_NONE);
	assert_counts(f, "/new", 1, 0);
}

static void records_site_policy__of_a_site__is_the_strictest_above_it(void **state)
{
	struct fixture *f = *state;
	struct site_policy p;
	struct err e = ERR_INIT;

	assert_int_equal(add_site(f, "/eu", 2, false), ERR_NONE);
	assert_int_equal(add_site(f, "/eu/de/x", 1, true), ERR_NONE);
	assert_int_equal(add_site(f, "/eu", 1, false), ERR_CONFLICT);
	assert_true(records_site_policy(f->store, "/eu/de", &p, &e));
	assert_int_equal(p.approvers, 2);
	assert_false(p.rejects_unknown);
	assert_true(records_site_policy(f->store, "/eu/de/x/unknown", &p, &e));
	assert_int_equal(p.approvers, 2);
	assert_true(p.rejects_unknown);
	assert_true(records_site_policy(f->store, "/", &p, &e));
	assert_int_equal(p.approvers, 1);
	assert_false(p.rejects_unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_quarantine__twice_or_stale_or_retired__is_a_conflict_without_a_line),
		T(records_quarantine__a_voucher_under_way__is_not_kept),
		T(records_retire__from_less_to_more__is_done_and_not_back),
		T(records_replace__by_an_unseen_one__preapproves_it_at_the_same_site),
		T(records_replace__either_one_changed_meanwhile__does_nothing),
		T(records_find_devices__by_beginning__goes_on_behind_each),
		T(records_move__from_site_to_site__is_counted_where_it_is),
		T(records_move__to_a_site_that_is_gone__makes_it_again),
		T(records_site_policy__of_a_site__is_the_strictest_above_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
