/* SPDX-License-Identifier: Apache-2.0 */
/* What the MASA keeps: imports that change nothing twice, one event per request, logs abridged. */
#include "tests/unit/masa_fixture.h"

#include <sqlite3.h>

#include "masa/records.h"
#include "masa/records_sql.h"
#include "tests/unit/store_fixture.h"

struct fixture {
	char dir[64];
	struct store *store;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[STORE_PLACE_MAX];

	snprintf(f->dir, sizeof(f->dir), "/tmp/masa_records.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "m", path);
	OK(f->store = store_open(path, &masa_schema, e));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char cmd[128];

	store_close(f->store);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", f->dir);
	assert_int_equal(system(cmd), 0);
	free(f);
	return 0;
}

/* Rows changed. */
static int64_t import(struct fixture *f, const char *serial, const char *issuer, const char *owner)
{
	struct device_row row = {.serial = serial, .owner = owner};
	struct store_op ops[DEVICE_IMPORT_OPS];
	int64_t changed[DEVICE_IMPORT_OPS];

	if (issuer) {
		row.idevid_issuer = bytes_of_str(issuer);
		row.issuer_key = row.idevid_issuer;
	}
	records_device_import(&row, NOW, ops);
	OK(store_write_wait(f->store, ops, DEVICE_IMPORT_OPS, changed, e));
	return changed[0] + changed[1] + changed[2];
}

static void owner(struct fixture *f, const char *name)
{
	struct store_op op = records_owner_put(name, "pem", NOW);

	OK(store_write_wait(f->store, &op, 1, NULL, e));
}

static size_t find(struct fixture *f, const char *serial, struct device_list *out)
{
	OK(records_devices_find(f->store, serial, out, e));
	return out->count;
}

static void records_device_import__same_row_twice__changes_nothing(void **state)
{
	struct fixture *f = *state;
	DEVICE_LIST_AUTO struct device_list l = {.count = 0};

	owner(f, "site");
	assert_int_equal(import(f, "SN-1", NULL, NULL), 1);
	assert_int_equal(import(f, "SN-1", NULL, NULL), 0);
	assert_int_equal(import(f, "SN-1", NULL, "site"), 1);
	assert_int_equal(import(f, "SN-1", NULL, "site"), 0);
	assert_int_equal(import(f, "SN-1", NULL, NULL), 0);
	assert_int_equal(find(f, "SN-1", &l), 1);
	assert_string_equal(l.items[0].owner, "site");
	assert_int_equal(l.items[0].issuer_key.len, 0);
}

static void records_device_import__issuer_learnt_later__completes_the_device(void **state)
{
	struct fixture *f = *state;
	DEVICE_LIST_AUTO struct device_list l = {.count = 0};

	import(f, "SN-1", NULL, NULL);
	assert_int_equal(import(f, "SN-1", "AAA", NULL), 1);
	assert_int_equal(import(f, "SN-1", NULL, NULL), 0);
	assert_int_equal(find(f, "SN-1", &l), 1);
	assert_int_equal(l.items[0].issuer_key.len, 3);
}

static void records_device_import__another_issuer__is_another_device(void **state)
{
	struct fixture *f = *state;
	DEVICE_LIST_AUTO struct device_list l = {.count = 0};

	owner(f, "site");
	import(f, "SN-1", "AAA", NULL);
	assert_int_equal(import(f, "SN-1", "BBB", "site"), 2);
	assert_int_equal(find(f, "SN-1", &l), 2);
	assert_null(l.items[0].owner);
	assert_string_equal(l.items[1].owner, "site");
	device_list_clear(&l);
	assert_int_equal(find(f, "SN-2", &l), 0);
}

static void records_device_import__owner_unknown__keeps_nothing(void **state)
{
	struct fixture *f = *state;
	struct device_row row = {.serial = "SN-1", .owner = "nobody"};
	struct store_op ops[DEVICE_IMPORT_OPS];
	struct err e = ERR_INIT;
	DEVICE_LIST_AUTO struct device_list l = {.count = 0};

	records_device_import(&row, NOW, ops);
	assert_false(store_write_wait(f->store, ops, DEVICE_IMPORT_OPS, NULL, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(find(f, "SN-1", &l), 0);
}

static bool count_device(void *arg, const struct device_row *row, struct err *e)
{
	int64_t *last = arg;

	assert_true(row->id > *last);
	*last = row->id;
	return true;
}

static void records_owner_put__a_new_one_or_new_anchors__is_another_revision(void **state)
{
	struct fixture *f = *state;
	int64_t none, first, changed;

	OK(records_owners_revision(f->store, &none, e));
	owner(f, "site");
	OK(records_owners_revision(f->store, &first, e));
	assert_int_not_equal(first, none);
	owner(f, "other");
	owner(f, "site");
	OK(records_owners_revision(f->store, &changed, e));
	assert_int_equal(changed, first + 2);
}

static void records_devices_list__after_an_id__goes_on_there(void **state)
{
	struct fixture *f = *state;
	int64_t last = 0, before;

	import(f, "A", NULL, NULL);
	import(f, "B", NULL, NULL);
	OK(records_devices_list(f->store, 0, count_device, &last, e));
	assert_true(last > 0);
	before = last;
	OK(records_devices_list(f->store, last, count_device, &last, e));
	assert_int_equal(last, before);
}

/* ---- events ---- */

struct happening {
	int request;	    /* stands for its digest */
	int domain, called; /* called: by the name of another domain */
	const char *nonce;  /* made another with each of the pledge's */
	int pledges;	    /* request of the pledge; 0: as many as requests */
	int64_t date, expires_on;
};

static bool record(struct fixture *f, struct happening h)
{
	int name = h.called ? h.called : h.domain;
	uint8_t digest[SHA256_LEN] = {(uint8_t)h.request, (uint8_t)(h.request >> 8)};
	uint8_t key[SHA256_LEN] = {(uint8_t)h.domain, (uint8_t)(h.domain >> 8)};
	char domain[16], content[32], nonce[64];
	struct event ev = {.device = 1,
		.date = h.date ? h.date : NOW,
		.domain_id = domain,
		.domain_key = key,
		.nonce = h.nonce ? nonce : NULL,
		.assertion = ASSERTION_PROXIMITY,
		.digest = digest,
		.expires_on = h.expires_on,
		.content = content,
		.registrar = "CN=R"};
	struct store_op ops[EVENT_OPS];
	int64_t changed[EVENT_OPS];

	snprintf(domain, sizeof(domain), "domain%d", name);
	snprintf(content, sizeof(content), "content%d", h.request);
	snprintf(nonce, sizeof(nonce), "%d%s", h.pledges ? h.pledges : h.request,
		h.nonce ? h.nonce : "");
	records_event_write(&ev, ops);
	OK(store_write_wait(f->store, ops, EVENT_OPS, changed, e));
	return changed[EVENT_OPS - 1] > 0;
}

static void records_event_write__same_request_twice__is_one_event(void **state)
{
	struct fixture *f = *state;
	AUDIT_LOG_AUTO struct audit_log log = {0};
	ISSUED_AUTO struct issued i;
	uint8_t digest[SHA256_LEN] = {1};

	import(f, "SN-1", NULL, NULL);
	assert_true(record(f, (struct happening){.request = 1, .nonce = NONCE}));
	assert_false(record(f, (struct happening){.request = 1, .nonce = NONCE}));
	OK(records_audit_log(f->store, 1, 256, &log, e));
	assert_int_equal(log.event_count, 1);
	OK(records_issued_find(f->store, digest, NOW, &i, e));
	assert_true(i.found);
	assert_string_equal(i.content, "content1");
}

/* The registrar lost our answer and has wrapped the pledge's request anew. */
static void records_event_write__another_request_for_the_same_nonce__is_one_event(void **state)
{
	struct fixture *f = *state;
	struct happening first = {.request = 1, .pledges = 1, .nonce = "N", .expires_on = NOW + 10};
	struct happening again = first, elsewhere = first;
	uint8_t key[SHA256_LEN] = {0};
	ISSUED_AUTO struct issued i;

	again.request = 2;
	elsewhere.request = 3;
	elsewhere.domain = 1;
	import(f, "SN-1", NULL, NULL);
	assert_true(record(f, first));
	assert_false(record(f, again));
	OK(records_issued_for_nonce(f->store, 1, key, "1N", NOW, &i, e));
	assert_true(i.found);
	assert_string_equal(i.content, "content1");
	issued_clear(&i);
	OK(records_issued_for_nonce(f->store, 1, key, "1N", NOW + 10, &i, e));
	assert_false(i.found);
	assert_true(record(f, elsewhere));
	again.date = NOW + 10;
	again.expires_on = NOW + 20;
	assert_true(record(f, again));
}

/* A device that joins often has many events of one domain: none of them is tried one by one. */
static void records_event_write__for_a_nonce__finds_its_place_by_the_index(void **state)
{
	static const int statements[] = {EVENT_RELEASE_NONCE, ISSUED_BY_NONCE};
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (size_t i = 0; masa_schema.migrations[i]; i++)
		assert_int_equal(
			sqlite3_exec(db, masa_schema.migrations[i], NULL, NULL, NULL), SQLITE_OK);
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		char sql[1024];
		sqlite3_stmt *plan;
		bool found = false;

		snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s",
			masa_schema.statements[statements[i]]);
		assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &plan, NULL), SQLITE_OK);
		while (sqlite3_step(plan) == SQLITE_ROW)
			found = found || strstr((const char *)sqlite3_column_text(plan, 3),
						 "events_of_device (device=? AND domain_key=? AND "
						 "<expr>=?)");
		sqlite3_finalize(plan);
		assert_true(found);
	}
	sqlite3_close(db);
}

static void records_last_event__grows_with_the_log(void **state)
{
	struct fixture *f = *state;
	int64_t last = -1, then;

	OK(records_last_event(f->store, &last, e));
	assert_int_equal(last, 0);
	import(f, "SN-1", NULL, NULL);
	assert_true(record(f, (struct happening){.request = 1, .nonce = NONCE}));
	OK(records_last_event(f->store, &last, e));
	assert_false(record(f, (struct happening){.request = 1, .nonce = NONCE}));
	assert_true(record(f, (struct happening){.request = 2, .nonce = NONCE}));
	OK(records_last_event(f->store, &then, e));
	assert_int_equal(then, last + 1);
}

/* R8995-MASA-017: a renewal is an event of its own. */
static void records_event_write__voucher_expired__is_recorded_again(void **state)
{
	struct fixture *f = *state;
	AUDIT_LOG_AUTO struct audit_log log = {0};
	struct issued i;
	uint8_t digest[SHA256_LEN] = {1};
	bool found;

	import(f, "SN-1", NULL, NULL);
	assert_true(record(f, (struct happening){.request = 1, .expires_on = NOW + 100}));
	assert_false(record(
		f, (struct happening){.request = 1, .date = NOW + 99, .expires_on = NOW + 199}));
	OK(records_issued_find(f->store, digest, NOW + 100, &i, e));
	assert_false(i.found);
	OK(records_audit_log_for(f->store, digest, 256, &found, &log, e));
	assert_true(found);
	assert_int_equal(log.event_count, 1);
	audit_log_clear(&log);
	digest[0] = 2;
	OK(records_audit_log_for(f->store, digest, 256, &found, &log, e));
	assert_false(found);
	assert_int_equal(log.event_count, 0);
	assert_true(record(
		f, (struct happening){.request = 1, .date = NOW + 100, .expires_on = NOW + 200}));
	OK(records_audit_log(f->store, 1, 256, &log, e));
	assert_int_equal(log.event_count, 2);
	assert_null(log.events[0].nonce);
	assert_int_equal(log.events[0].assertion, ASSERTION_PROXIMITY);
}

/* req: R8995-MASA-033, R8995-MASA-043 */
static void records_audit_log__long_history__keeps_the_newest_of_each_kind_with_counts(void **state)
{
	struct fixture *f = *state;
	AUDIT_LOG_AUTO struct audit_log log = {0};

	import(f, "SN-1", NULL, NULL);
	record(f, (struct happening){.request = 1, .domain = 1, .nonce = "old"});
	record(f, (struct happening){.request = 2, .domain = 1, .nonce = "older"});
	record(f, (struct happening){.request = 3, .domain = 1});
	record(f, (struct happening){.request = 4, .domain = 2, .nonce = "other"});
	record(f, (struct happening){.request = 5, .domain = 1, .nonce = "newest"});
	OK(records_audit_log(f->store, 1, 5, &log, e));
	assert_int_equal(log.event_count, 5);
	assert_int_equal(log.nonced_duplicates, 0);
	audit_log_clear(&log);
	OK(records_audit_log(f->store, 1, 4, &log, e));
	assert_int_equal(log.event_count, 3);
	assert_string_equal(log.events[0].nonce, "5newest");
	assert_int_equal(log.events[0].truncated, 2);
	assert_string_equal(log.events[1].domain_id, "domain2");
	assert_int_equal(log.events[1].truncated, 0);
	assert_null(log.events[2].nonce);
	assert_int_equal(log.nonced_duplicates, 2);
	assert_int_equal(log.nonceless_duplicates, 0);
	assert_int_equal(log.arbitrary, 0);
}

static void records_audit_log__long_history_of_one_owner__is_abridged_too(void **state)
{
	struct fixture *f = *state;

	import(f, "SN-1", NULL, NULL);
	for (int i = 1; i <= 3; i++)
		record(f, (struct happening){.request = i, .domain = 1, .nonce = NONCE});
	for (int64_t full = 2; full <= 3; full++) {
		AUDIT_LOG_AUTO struct audit_log log = {0};

		OK(records_audit_log(f->store, 1, full, &log, e));
		assert_int_equal(log.event_count, full == 2 ? 1 : 3);
		assert_int_equal(log.nonced_duplicates, full == 2 ? 2 : 0);
		assert_string_equal(log.events[0].domain_id, "domain1");
	}
}

/* Two keys under one identifier: each is told by its own hash, long or short the log.
 * req: R8995-MASA-034 */
static void records_audit_log__borrowed_identifier__is_replaced_by_the_keys(void **state)
{
	static const char first[] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
			  second[] = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	static const uint8_t digest[SHA256_LEN] = {1};
	struct fixture *f = *state;
	bool found;

	import(f, "SN-1", NULL, NULL);
	record(f, (struct happening){.request = 1, .domain = 3, .nonce = NONCE});
	record(f, (struct happening){.request = 2, .domain = 2, .called = 1, .nonce = NONCE});
	record(f, (struct happening){.request = 3, .domain = 1, .nonce = NONCE});
	for (int64_t full = 2; full <= 3; full++) {
		AUDIT_LOG_AUTO struct audit_log log = {0};

		OK(records_audit_log_for(f->store, digest, full, &found, &log, e));
		assert_true(found);
		assert_int_equal(log.event_count, 3);
		audit_log_clear(&log);
		OK(records_audit_log(f->store, 1, full, &log, e));
		assert_int_equal(log.event_count, 3);
		assert_string_equal(log.events[0].domain_id, first);
		assert_string_equal(log.events[1].domain_id, second);
		assert_string_equal(log.events[2].domain_id, "domain3");
	}
}

static void records_was_owner__key__decides_and_not_the_name(void **state)
{
	struct fixture *f = *state;
	uint8_t key[SHA256_LEN] = {1}, stranger[SHA256_LEN] = {2};
	bool was;

	import(f, "SN-1", NULL, NULL);
	record(f, (struct happening){.request = 1, .domain = 1, .nonce = NONCE});
	OK(records_was_owner(f->store, 1, key, &was, e));
	assert_true(was);
	OK(records_was_owner(f->store, 1, stranger, &was, e));
	assert_false(was);
	OK(records_was_owner(f->store, 2, key, &was, e));
	assert_false(was);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(records_device_import__same_row_twice__changes_nothing),
		TEST(records_device_import__issuer_learnt_later__completes_the_device),
		TEST(records_device_import__another_issuer__is_another_device),
		TEST(records_device_import__owner_unknown__keeps_nothing),
		TEST(records_owner_put__a_new_one_or_new_anchors__is_another_revision),
		TEST(records_devices_list__after_an_id__goes_on_there),
		TEST(records_event_write__same_request_twice__is_one_event),
		TEST(records_event_write__another_request_for_the_same_nonce__is_one_event),
		TEST(records_event_write__for_a_nonce__finds_its_place_by_the_index),
		TEST(records_last_event__grows_with_the_log),
		TEST(records_event_write__voucher_expired__is_recorded_again),
		TEST(records_audit_log__long_history__keeps_the_newest_of_each_kind_with_counts),
		TEST(records_audit_log__long_history_of_one_owner__is_abridged_too),
		TEST(records_audit_log__borrowed_identifier__is_replaced_by_the_keys),
		TEST(records_was_owner__key__decides_and_not_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
