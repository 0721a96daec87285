/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers fetched ahead, in the store. */
#include "registrar/records/ahead.h"
#include "tests/unit/records_fixture.h"

#define TYPE "application/voucher-cms+json"

static const uint8_t digest[SHA256_LEN] = {1};
static const struct device_key A = {"acme", "A-1"}, B = {"acme", "B-1"};

/* What the last read gave; and its last row. */
static struct seen {
	int rows;
	struct ahead_row last;
	char voucher[16], request[16];
} seen;

static void wait_for(struct fixture *f, bool queued, const struct err *e, enum err_kind kind)
{
	assert_int_equal(wait(f, queued, e), kind);
}

static void keep(struct fixture *f, struct device_key device, int64_t until, const char *voucher)
{
	const struct records_writer w = writer(f);
	const struct ahead_row row = {
		.device = device,
		.type = TYPE,
		.masa = "https://masa.example/.well-known/brski",
		.by = "root",
		.fetched_at = NOW,
		.until = until,
		.renew_at = until ? until - 10 : 0,
		.voucher = bytes_of_str(voucher),
		.request = bytes_of_str("request"),
	};
	const struct journal_entry line = {.at = NOW,
		.device = device,
		.actor = "root",
		.step = "ahead",
		.outcome = "fetched"};
	struct err e = ERR_INIT;

	wait_for(f, records_keep_ahead(&w, &row, &line, &e), &e, ERR_NONE);
}

static bool on_row(void *arg, const struct ahead_row *row, struct err *e)
{
	seen.rows++;
	seen.last = *row;
	snprintf(seen.voucher, sizeof(seen.voucher), "%.*s", (int)row->voucher.len,
		row->voucher.len ? (const char *)row->voucher.data : "");
	snprintf(seen.request, sizeof(seen.request), "%.*s", (int)row->request.len,
		row->request.len ? (const char *)row->request.data : "");
	return true;
}

static int rows(bool read, const struct err *e)
{
	int n = seen.rows;

	if (!read && e->kind != ERR_NONE)
		fail_msg("%s", e->text);
	seen.rows = 0;
	return n;
}

static int due(struct fixture *f, int64_t now)
{
	struct err e = ERR_INIT;
	bool ok = records_due_ahead(f->store, now, 10, on_row, NULL, &e);

	return rows(ok, &e);
}

static int unchecked_after(struct fixture *f, int64_t after)
{
	struct err e = ERR_INIT;
	bool ok = records_unchecked_ahead(f->store, after, 10, on_row, NULL, &e);

	return rows(ok, &e);
}

static int unchecked(struct fixture *f)
{
	return unchecked_after(f, 0);
}

static int found(struct fixture *f, struct device_key device, const char *type)
{
	struct err e = ERR_INIT;
	bool ok = records_read_ahead(f->store, device, type, on_row, NULL, &e);

	return rows(ok, &e);
}

static void records_keep_ahead__twice__is_one_with_the_newer_octets(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int64_t id, count;

	keep(f, A, NOW + 100, "first");
	assert_int_equal(found(f, A, TYPE), 1);
	id = seen.last.id;
	keep(f, A, NOW + 200, "second");
	keep(f, B, 0, "other");
	assert_int_equal(found(f, A, TYPE), 1);
	assert_string_equal(seen.voucher, "second");
	assert_string_equal(seen.request, "request");
	assert_int_equal(seen.last.id, id);
	assert_int_equal(seen.last.until, NOW + 200);
	assert_int_equal(found(f, A, "application/voucher+cose"), 0);
	assert_int_equal(found(f, (struct device_key){"other", "A-1"}, TYPE), 0);
	assert_true(records_count_ahead(f->store, &count, &e));
	assert_int_equal(count, 2);
}

static void records_due_ahead__at_its_moment_only__is_told(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	keep(f, A, NOW + 100, "a");
	keep(f, B, 0, "b"); /* has no end */
	assert_int_equal(due(f, NOW + 89), 0);
	assert_int_equal(due(f, NOW + 90), 1);
	wait_for(f, records_delay_ahead(&w, seen.last.id, NOW + 95, &e), &e, ERR_NONE);
	assert_int_equal(due(f, NOW + 94), 0);
	assert_int_equal(due(f, NOW + 95), 1);
}

static void use(struct fixture *f, struct device_key device)
{
	const struct records_writer w = writer(f);
	const struct request_record r = {.device = device,
		.subject = "CN=device",
		.idevid_sha256 = digest,
		.request_sha256 = digest,
		.registrar_sha256 = digest,
		.at = NOW + 1,
		.ahead = true};
	const struct journal_entry line = {
		.at = NOW + 1, .device = device, .step = "voucher", .outcome = "delivered"};
	struct err e = ERR_INIT;

	wait_for(f,
		records_keep_voucher(&w, &r, bytes_of_str("voucher"), TYPE, (struct bytes){0},
			HISTORY_UNKNOWN, &line, &e),
		&e, ERR_NONE);
}

static void records_check_ahead__after_its_use__judges_the_device_once(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct request_record r = {.device = A, .idevid_sha256 = digest, .at = NOW + 5};
	const struct journal_entry line = {
		.at = NOW + 5, .device = A, .step = "history", .outcome = "warned", .reason = "so"};
	struct device_record device;
	struct err e = ERR_INIT;

	keep(f, A, NOW + 100, "a");
	assert_int_equal(unchecked(f), 0);
	use(f, A);
	assert_int_equal(unchecked(f), 1);
	assert_int_equal(unchecked_after(f, seen.last.id - 1), 1);
	assert_int_equal(unchecked_after(f, seen.last.id), 0);
	assert_string_equal(seen.request, "request");
	wait_for(f, records_check_ahead(&w, seen.last.id, &r, HISTORY_WARNED, &line, &e), &e,
		ERR_NONE);
	assert_int_equal(unchecked(f), 0);
	assert_true(records_device(f->store, A, &device, &e));
	assert_int_equal(device.history, HISTORY_WARNED);
	use(f, A); /* used again: looked at again */
	assert_int_equal(unchecked(f), 1);
	wait_for(f, records_pass_ahead(&w, seen.last.id, NOW + 6, &e), &e, ERR_NONE);
	assert_int_equal(unchecked(f), 0);
}

static void records_drop_ahead__that_is_gone__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct journal_entry line = {
		.at = NOW, .device = A, .actor = "root", .step = "ahead", .outcome = "dropped"};
	struct err e = ERR_INIT;
	int64_t id;

	keep(f, A, 0, "a");
	assert_true(records_find_ahead(f->store, "A-1", 10, on_row, NULL, &e));
	assert_int_equal(rows(true, &e), 1);
	id = seen.last.id;
	wait_for(f, records_drop_ahead(&w, &id, &line, 1, &e), &e, ERR_NONE);
	wait_for(f, records_drop_ahead(&w, &id, &line, 1, &e), &e, ERR_CONFLICT);
	assert_int_equal(found(f, A, TYPE), 0);
}

/* Whoever forgets the voucher does not thereby wave its device through. */
static void records_drop_ahead__used_and_not_checked__is_over_but_stays_for_the_check(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct journal_entry line = {
		.at = NOW + 2, .device = A, .actor = "root", .step = "ahead", .outcome = "dropped"};
	struct err e = ERR_INIT;
	int64_t id;

	keep(f, A, NOW + 100, "a");
	use(f, A);
	assert_int_equal(unchecked(f), 1);
	id = seen.last.id;
	wait_for(f, records_drop_ahead(&w, &id, &line, 1, &e), &e, ERR_NONE);
	assert_int_equal(unchecked(f), 1);
	assert_string_equal(seen.request, "request");
	assert_int_equal(seen.last.until, NOW + 2);
	assert_int_equal(due(f, NOW + 1000), 0);
	wait_for(f, records_pass_ahead(&w, id, NOW + 6, &e), &e, ERR_NONE);
	wait_for(f, records_drop_ahead(&w, &id, &line, 1, &e), &e, ERR_NONE);
	assert_int_equal(found(f, A, TYPE), 0);
}

static void records_sweep_ahead__those_that_ended__go_but_not_before_they_are_checked(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	keep(f, A, NOW + 100, "a");
	keep(f, B, NOW + 100, "b");
	use(f, B);
	wait_for(f, records_sweep_ahead(&w, NOW + 100, &e), &e, ERR_NONE);
	assert_int_equal(found(f, A, TYPE), 1);
	wait_for(f, records_sweep_ahead(&w, NOW + 101, &e), &e, ERR_NONE);
	assert_int_equal(found(f, A, TYPE), 0);
	assert_int_equal(found(f, B, TYPE), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_keep_ahead__twice__is_one_with_the_newer_octets),
		T(records_due_ahead__at_its_moment_only__is_told),
		T(records_check_ahead__after_its_use__judges_the_device_once),
		T(records_drop_ahead__that_is_gone__is_a_conflict),
		T(records_drop_ahead__used_and_not_checked__is_over_but_stays_for_the_check),
		T(records_sweep_ahead__those_that_ended__go_but_not_before_they_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
