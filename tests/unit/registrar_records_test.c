/* SPDX-License-Identifier: Apache-2.0 */
/* What the registrar remembers: each write and what a reader then sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registrar/fraud.h"
#include "registrar/limits.h"
#include "registrar/records/claims.h"
#include "registrar/records/devices.h"
#include "registrar/records/members.h"
#include "registrar/records/rules.h"
#include "tests/unit/store_fixture.h"

#define NOW   1790000000
#define UNTIL (NOW + 100) /* the end of approvals */

static const struct device_key device = {"acme", "SN-1"};
static const uint8_t idevid[SHA256_LEN] = {1}, request[SHA256_LEN] = {2}, own[SHA256_LEN] = {3};
static const uint8_t csr[SHA256_LEN] = {4}, client[SHA256_LEN] = {5};

struct fixture {
	char dir[64];
	struct store *store;
	struct loop *loop;
	/* the last write */
	int64_t changed[STORE_OPS_MAX];
	enum err_kind kind;
	size_t lines;
	int64_t keep; /* certificates of the device; 0: ten */
};

static void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct fixture *f = arg;

	f->kind = e ? e->kind : ERR_NONE;
	if (changed)
		memcpy(f->changed, changed, sizeof(f->changed[0]));
	loop_stop(f->loop);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[STORE_PLACE_MAX];
	struct err e = ERR_INIT;

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/records_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "r", path);
	f->loop = loop_new(&e);
	f->store = store_open(path, &records_schema, &e);
	if (!f->loop || !f->store)
		fail_msg("%s", e.text);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	store_close(f->store);
	loop_free(f->loop);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct records_writer writer(struct fixture *f)
{
	return (struct records_writer){f->store, f->loop, on_done, f};
}

/* Wait for the write that was queued; says how it ended. */
static enum err_kind wait(struct fixture *f, bool queued, const struct err *e)
{
	if (!queued)
		fail_msg("not queued: %s", e->text);
	loop_run(f->loop);
	return f->kind;
}

static struct request_record a_request(int64_t at)
{
	return (struct request_record){.device = device,
		.subject = "CN=Device",
		.idevid_sha256 = idevid,
		.request_sha256 = request,
		.registrar_sha256 = own,
		.at = at,
		.model = "gw-1",
		.address = "10.8.0.1"};
}

static struct journal_entry a_line(const char *step)
{
	return (struct journal_entry){
		.at = NOW, .exchange = "x-1", .device = device, .step = step, .outcome = "fine"};
}

static void hold(struct fixture *f, int64_t at)
{
	const struct records_writer w = writer(f);
	const struct request_record r = a_request(at);
	const struct journal_entry j = a_line("claim");
	struct err e = ERR_INIT;

	assert_int_equal(wait(f, records_hold(&w, &r, &j, &e), &e), ERR_NONE);
}

static enum err_kind try_to_keep_voucher(struct fixture *f, const char *voucher, const char *rvr)
{
	const struct records_writer w = writer(f);
	const struct request_record r = a_request(NOW);
	const struct journal_entry j = a_line("voucher");
	struct err e = ERR_INIT;

	return wait(f,
		records_keep_voucher(&w, &r, bytes_of_str(voucher), "application/voucher-cms+json",
			bytes_of_str(rvr), HISTORY_UNKNOWN, &j, &e),
		&e);
}

static void keep_voucher(struct fixture *f, const char *voucher, const char *rvr)
{
	assert_int_equal(try_to_keep_voucher(f, voucher, rvr), ERR_NONE);
}

static enum err_kind judge(struct fixture *f, enum history_state verdict)
{
	const struct records_writer w = writer(f);
	const struct request_record r = a_request(NOW);
	const struct journal_entry j = a_line("history");
	struct err e = ERR_INIT;

	return wait(f, records_judge_history(&w, &r, verdict, &j, &e), &e);
}

static enum err_kind issue(struct fixture *f, uint8_t number, int64_t at)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = a_line("enroll");
	const uint8_t sha256[SHA256_LEN] = {number};
	const struct issued_record c = {
		.device = device,
		.sha256 = sha256,
		.serial_hex = "0a",
		.der = bytes_of(&number, 1),
		.subject = "CN=Device",
		.at = at,
		.not_after = at + 1000,
		.repeat_since = at - 3600,
		.csr_sha256 = csr,
		.client_sha256 = client,
		.keep = f->keep ? f->keep : 10,
	};
	struct err e = ERR_INIT;

	return wait(f, records_issue(&w, &c, &j, &e), &e);
}

static struct device_record read_device(struct fixture *f)
{
	struct device_record d;
	struct err e = ERR_INIT;

	if (!records_device(f->store, device, &d, &e))
		fail_msg("%s", e.text);
	return d;
}

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

/* As it was read at the revision. */
static enum err_kind try_to_decide(
	struct fixture *f, int64_t id, int64_t revision, enum claim_state to)
{
	char rows[96];
	struct verdict_record v = {.count = 1,
		.at = NOW,
		.until = to == CLAIM_APPROVED ? UNTIL : 0,
		.by = "unix:uid=0",
		.reason = "because"};
	struct err e = ERR_INIT;

	snprintf(rows, sizeof(rows), "[[%lld,%lld,\"%s\",%d,null]]", (long long)id,
		(long long)revision, claim_state_name(to), to);
	v.rows = bytes_of_str(rows);
	return records_decide_rows(f->store, &v, &e) ? ERR_NONE : e.kind;
}

static void decide(struct fixture *f, int64_t id, enum claim_state to)
{
	assert_int_equal(try_to_decide(f, id, read_device(f).revision, to), ERR_NONE);
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

static void records_issue__a_certificate__is_found_by_digest_and_by_request(void **state)
{
	struct fixture *f = *state;
	const uint8_t sha256[SHA256_LEN] = {1}, other[SHA256_LEN] = {9};
	struct certificate_record c;
	BUF_AUTO struct buf der = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_ENROLLED);
	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_true(c.found);
	assert_string_equal(c.serial, "SN-1");
	assert_int_equal(c.not_after, NOW + 1000);
	certificate_record_clear(&c);
	assert_true(records_certificate(f->store, other, &c, &e));
	assert_false(c.found);
	assert_true(records_certificate_for(f->store, csr, client, NOW - 3600, &der, &e));
	assert_int_equal(der.len, 1);
	assert_false(records_certificate_for(f->store, csr, other, NOW - 3600, &der, &e));
	assert_false(records_certificate_for(f->store, csr, client, NOW + 1, &der, &e));
}

static void records_issue__the_same_request_within_the_hour__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW + 3600), ERR_CONFLICT);
	assert_int_equal(issue(f, 3, NOW + 3601), ERR_NONE);
}

/* Rejected while a voucher was fetched or a certificate made: neither is recorded, so neither
 * leaves. req: R8995-REG-012 */
static void records_issue__for_a_device_rejected_meanwhile__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	const uint8_t sha256[SHA256_LEN] = {1};
	struct certificate_record c;
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(issue(f, 1, NOW), ERR_CONFLICT);
	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_false(c.found);
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

static void records_issue__for_a_device_nobody_knows__is_a_conflict(void **state)
{
	assert_int_equal(issue(*state, 1, NOW), ERR_CONFLICT);
}

static bool count_line(void *arg, const struct journal_line *line, struct err *e)
{
	int *lines = arg;

	++*lines;
	assert_string_equal(line->entry.device.serial, "SN-1");
	assert_string_equal(line->entry.exchange, "x-1");
	return true;
}

static int journal_lines(struct fixture *f)
{
	struct err e = ERR_INIT;
	int lines = 0;

	assert_true(records_read_journal(f->store, "SN-1", 100, count_line, &lines, &e));
	return lines;
}

static void sweep(struct fixture *f, const struct sweep_limits *l)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_int_equal(wait(f, records_sweep(&w, l, &e), &e), ERR_NONE);
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

struct ends {
	int expiring, expired;
};

static bool count_end(void *arg, const struct journal_line *line, struct err *e)
{
	struct ends *n = arg;

	n->expiring += strcmp(line->entry.outcome, "expiring") == 0;
	n->expired += strcmp(line->entry.outcome, "expired") == 0;
	return true;
}

/* Lines about ends after a sweep. */
static void assert_ends(struct fixture *f, int64_t now, int64_t until, int expiring, int expired)
{
	const struct sweep_limits limits = {.now = now, .expiring = until, .journal_rows = 1000};
	struct ends n = {0, 0};
	struct err e = ERR_INIT;

	sweep(f, &limits);
	assert_true(records_read_journal(f->store, "SN-1", 100, count_end, &n, &e));
	assert_int_equal(n.expiring, expiring);
	assert_int_equal(n.expired, expired);
}

static void records_sweep__an_end_that_comes__is_told_once_for_each_certificate(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	issue(f, 1, NOW);
	assert_ends(f, NOW, NOW + 999, 0, 0);
	assert_ends(f, NOW, NOW + 1000, 1, 0);
	assert_ends(f, NOW, NOW + 1000, 1, 0);
	assert_ends(f, NOW + 999, NOW + 1999, 1, 0);
	assert_ends(f, NOW + 1000, NOW + 2000, 1, 1);
	assert_ends(f, NOW + 1000, NOW + 2000, 1, 1);
	issue(f, 2, NOW + 5000);
	assert_ends(f, NOW + 5000, NOW + 6000, 2, 1);
	assert_ends(f, NOW + 6000, NOW + 7000, 2, 2);
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

/* ---- The journal as a chain ---- */

struct chain {
	uint8_t hash[SHA256_LEN];
	int64_t first, last;
};

static struct bytes field(const char *s)
{
	return s ? bytes_of_str(s) : (struct bytes){0};
}

/* The hash of the line over `c`, from the fields that records.h names. */
static bool follow(void *arg, const struct journal_line *line, struct err *e)
{
	const struct journal_entry *j = &line->entry;
	struct chain *c = arg;
	char sequence[24], at[24];
	struct bytes fields[9];

	snprintf(sequence, sizeof(sequence), "%lld", (long long)line->sequence);
	snprintf(at, sizeof(at), "%lld", (long long)j->at);
	memcpy(fields,
		(struct bytes[]){field(sequence), field(at), field(j->exchange),
			field(j->device.manufacturer), field(j->device.serial), field(j->actor),
			field(j->step), field(j->outcome), field(j->reason)},
		sizeof(fields));
	assert_true(hash_chain_next(c->hash, fields, 9, c->hash, e));
	assert_non_null(line->hash);
	assert_memory_equal(line->hash, c->hash, SHA256_LEN);
	assert_true(c->last == 0 || line->sequence == c->last + 1);
	c->first = c->first ? c->first : line->sequence;
	c->last = line->sequence;
	return true;
}

static struct chain read_chain(struct fixture *f, const uint8_t *begin)
{
	struct chain c = {.first = 0};
	struct err e = ERR_INIT;

	if (begin)
		memcpy(c.hash, begin, SHA256_LEN);
	assert_true(records_list_journal(f->store, 0, 1000, follow, &c, &e));
	return c;
}

static int64_t seal(struct fixture *f, int64_t sequence, const uint8_t *hash, int64_t at)
{
	const struct records_writer w = writer(f);
	struct head_record h = {.head = {.sequence = sequence, .at = at},
		.signature = bytes_of_str("signature"),
		.certificates = "PEM"};
	struct err e = ERR_INIT;

	memcpy(h.head.hash, hash, SHA256_LEN);
	assert_int_equal(wait(f, records_add_head(&w, &h, &e), &e), ERR_NONE);
	return f->changed[0];
}

static void records_journal__of_all_writers__is_one_chain(void **state)
{
	struct fixture *f = *state;
	struct chain c;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	keep_voucher(f, "voucher", "");
	assert_int_equal(judge(f, HISTORY_GOOD), ERR_NONE);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	c = read_chain(f, NULL);
	assert_int_equal(c.first, 1);
	assert_int_equal(c.last, 5);
}

static bool is_decision(void *arg, const struct journal_line *line, struct err *e)
{
	int *found = arg;

	*found += line->entry.actor && strcmp(line->entry.actor, "unix:uid=0") == 0 &&
		  strcmp(line->entry.step, "claim") == 0 &&
		  strcmp(line->entry.outcome, "rejected") == 0 &&
		  strcmp(line->entry.reason, "because") == 0;
	return true;
}

static bool note_job(void *arg, const struct job_record *job, struct err *e)
{
	struct job_record *out = arg;

	*out = *job;
	out->kind = out->by = out->exchange = out->what = out->reason = out->failures = NULL;
	return true;
}

static void records_interrupt_jobs__what_ran__is_interrupted_and_what_ended_is_not(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.id = 1,
		.state = JOB_RUNNING,
		.kind = "approve",
		.by = "ann",
		.exchange = "x-1",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	assert_true(records_begin_job(f->store, &job, &e));
	job.state = JOB_FINISHED;
	job.ended = NOW + 1;
	job.done = 2000;
	assert_true(records_end_job(f->store, &job, &e));
	job.id = 2;
	job.state = JOB_RUNNING;
	assert_true(records_begin_job(f->store, &job, &e));
	assert_true(records_interrupt_jobs(f->store, NOW + 5, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_FINISHED);
	assert_int_equal(shown.done, 2000);
	assert_true(records_show_job(f->store, 2, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	assert_int_equal(shown.ended, NOW + 5);
	assert_true(records_list_jobs(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.id, 2);
	assert_int_equal(read_chain(f, NULL).last, 4); /* begun, finished, begun, interrupted */
	assert_true(records_interrupt_jobs(f->store, NOW + 9, &e));
	assert_int_equal(read_chain(f, NULL).last, 4);
}

/* ---- members ---- */

static const struct member_row member_one = {.id = "m1", .host = "a", .started_at = NOW};
static const struct member_row member_two = {.id = "m2", .host = "b", .started_at = NOW + 1};

static bool note_member(void *arg, const struct member_row *m, struct err *e)
{
	char *text = arg;

	snprintf(text + strlen(text), 64, "%s@%s:%lld ", m->id, m->host, (long long)m->beat);
	return true;
}

static void expect_members(struct fixture *f, const char *expected)
{
	char text[256] = "";
	struct err e = ERR_INIT;

	assert_true(records_list_members(f->store, note_member, text, &e));
	assert_string_equal(text, expected);
}

static enum err_kind beat(struct fixture *f, const char *id)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f, records_beat(&w, id, &e), &e);
}

static enum err_kind reserve(struct fixture *f, const char *id, int64_t now)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f, records_reserve(&w, idevid, id, now, now + 20, &e), &e);
}

static void records_members__come_beat_and_go__are_listed(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_join_wait(f->store, &member_two, &e));
	assert_int_equal(beat(f, "m2"), ERR_NONE);
	assert_int_equal(beat(f, "m3"), ERR_CONFLICT);
	expect_members(f, "m1@a:0 m2@b:1 ");
	assert_true(records_leave_wait(f->store, "m1", NOW, &e));
	expect_members(f, "m2@b:1 ");
	assert_int_equal(beat(f, "m1"), ERR_CONFLICT);
}

/* Jobs and devices in hand of who is gone are free; nobody else's. */
static void records_bury_member__what_it_had_in_hand__is_free(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.state = JOB_RUNNING,
		.kind = "approve",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW};
	struct job_record shown = {0};
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_join_wait(f->store, &member_two, &e));
	for (job.id = 1; job.id <= 2; job.id++) {
		job.member = job.id == 1 ? "m1" : "m2";
		assert_true(records_begin_job(f->store, &job, &e));
	}
	job.id = 2;
	assert_false(records_begin_job(f->store, &job, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	e = (struct err)ERR_INIT;
	assert_int_equal(reserve(f, "m1", NOW), ERR_NONE);
	assert_true(records_interrupt_jobs(f->store, NOW + 1, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_int_equal(wait(f, records_bury_member(&w, "m1", NOW + 5, &e), &e), ERR_NONE);
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	assert_true(records_show_job(f->store, 2, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_int_equal(reserve(f, "m2", NOW + 5), ERR_NONE);
}

static void records_interrupt_all_jobs__of_a_member_of_before__are_interrupted(void **state)
{
	struct fixture *f = *state;
	const struct job_record job = {.id = 1,
		.state = JOB_RUNNING,
		.kind = "approve",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW,
		.member = "m1"};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_begin_job(f->store, &job, &e));
	assert_true(records_interrupt_jobs(f->store, NOW, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_true(records_interrupt_all_jobs(f->store, NOW, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	expect_members(f, "");
}

static void records_reserve__in_anothers_hands__is_a_conflict_until_it_is_free(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_int_equal(reserve(f, "m1", NOW), ERR_NONE);
	assert_int_equal(reserve(f, "m2", NOW + 19), ERR_CONFLICT);
	assert_int_equal(reserve(f, "m2", NOW + 20), ERR_NONE);
	/* what was taken over is not the first one's to give back */
	assert_int_equal(wait(f, records_unreserve(&w, idevid, "m1", &e), &e), ERR_NONE);
	assert_int_equal(reserve(f, "m1", NOW + 21), ERR_CONFLICT);
	assert_int_equal(wait(f, records_unreserve(&w, idevid, "m2", &e), &e), ERR_NONE);
	assert_int_equal(reserve(f, "m1", NOW + 21), ERR_NONE);
}

static void records_news__behind_a_line__say_what_it_is_about(void **state)
{
	struct fixture *f = *state;
	static const char *const steps[] = {"voucher", "rule", "admit", "hook", "voucher"};
	struct records_news news;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		const struct journal_entry j = {.at = NOW, .step = steps[i], .outcome = "added"};

		assert_true(records_journal_wait(f->store, &j, &e));
	}
	assert_true(records_news(f->store, 0, &news, &e));
	assert_int_equal(news.last, 5);
	assert_int_equal(news.rule, 2);
	assert_int_equal(news.hook, 4);
	assert_true(records_news(f->store, 2, &news, &e));
	assert_int_equal(news.last, 5);
	assert_int_equal(news.rule, 0);
	assert_int_equal(news.hook, 4);
	assert_true(records_news(f->store, 5, &news, &e));
	assert_int_equal(news.last, 0);
}

static void records_decide_rows__of_a_job__counts_its_progress(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.id = 7,
		.state = JOB_RUNNING,
		.kind = "approve",
		.what = "all",
		.total = 2,
		.begun = NOW};
	struct verdict_record v = {.rows = bytes_of_str("[[1,1,\"approved\",2,null]]"),
		.count = 1,
		.at = NOW,
		.job = 7,
		.done = 1,
		.failed = 1};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	hold(f, NOW);
	assert_true(records_begin_job(f->store, &job, &e));
	assert_int_equal(read_device(f).revision, 2);
	assert_false(records_decide_rows(f->store, &v, &e)); /* not as it was read */
	assert_true(records_show_job(f->store, 7, note_job, &shown, &e));
	assert_int_equal(shown.done, 0);
	v.rows = bytes_of_str("[[1,2,\"approved\",2,null]]");
	assert_true(records_decide_rows(f->store, &v, &e));
	assert_true(records_show_job(f->store, 7, note_job, &shown, &e));
	assert_int_equal(shown.done, 1);
	assert_int_equal(shown.failed, 1);
}

static void records_decide_rows__a_decision__is_in_the_journal_of_its_device(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int found = 0;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(try_to_decide(f, read_device(f).id, 1, CLAIM_REJECTED), ERR_CONFLICT);
	assert_true(records_read_journal(f->store, "SN-1", 100, is_decision, &found, &e));
	assert_int_equal(found, 1);
	assert_int_equal(read_chain(f, NULL).last, 2);
}

static void records_add_head__of_a_line_that_is_not_there__is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint8_t wrong[SHA256_LEN] = {1};
	struct chain c;

	hold(f, NOW);
	c = read_chain(f, NULL);
	assert_int_equal(seal(f, 1, wrong, NOW), 0);
	assert_int_equal(seal(f, 2, c.hash, NOW), 0);
	assert_int_equal(seal(f, 1, c.hash, NOW), 1);
	assert_int_equal(seal(f, 1, c.hash, NOW), 0);
}

static void records_sweep__the_journal__goes_up_to_a_head_and_begins_there(void **state)
{
	struct fixture *f = *state;
	const struct sweep_limits rows = {.journal_rows = 4},
				  age = {.journal_before = NOW + 1, .journal_rows = 1000};
	struct chain first;

	for (int i = 0; i < 3; i++)
		hold(f, NOW);
	first = read_chain(f, NULL);
	sweep(f, &(struct sweep_limits){.journal_before = NOW + 9, .journal_rows = 0});
	assert_int_equal(journal_lines(f), 3); /* nothing is signed yet */
	seal(f, 3, first.hash, NOW);
	for (int i = 0; i < 3; i++)
		hold(f, NOW);
	sweep(f, &rows);
	assert_int_equal(journal_lines(f), 6); /* no head leaves four */
	hold(f, NOW);
	sweep(f, &rows);
	assert_int_equal(journal_lines(f), 4);
	assert_int_equal(read_chain(f, first.hash).first, 4);
	seal(f, 7, read_chain(f, first.hash).hash, NOW);
	sweep(f, &age);
	assert_int_equal(journal_lines(f), 4); /* one has to stay for its number */
	hold(f, NOW);
	sweep(f, &age);
	assert_int_equal(journal_lines(f), 1);
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

/* ---- import ---- */

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

/* ---- revocation ---- */

static enum err_kind revoke_device(struct fixture *f)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = a_line("device");
	struct err e = ERR_INIT;

	return wait(f, records_retire(&w, STANDING_REVOKED, 0, &j, &e), &e);
}

static int64_t revoked_at(struct fixture *f, uint8_t number)
{
	const uint8_t sha256[SHA256_LEN] = {number};
	struct certificate_record c;
	struct err e = ERR_INIT;
	int64_t at;

	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_true(c.found);
	at = c.revoked_at;
	certificate_record_clear(&c);
	return at;
}

static void records_retire__a_device_with_certificates__takes_all_of_them(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf out = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW - 5000), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_REVOKED);
	assert_int_equal(revoked_at(f, 1), NOW);
	assert_int_equal(revoked_at(f, 2), NOW);
	assert_false(records_voucher(f->store, device, &out, &e));
	assert_false(records_certificate_for(f->store, csr, client, NOW - 3600, &out, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(issue(f, 3, NOW), ERR_CONFLICT);
	assert_int_equal(revoke_device(f), ERR_CONFLICT);
}

static void records_retire__a_device_without_a_voucher__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(revoke_device(f), ERR_CONFLICT);
	hold(f, NOW);
	assert_int_equal(revoke_device(f), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
}

static void records_keep_voucher__of_a_revoked_device__wants_a_new_approval(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_CONFLICT);
	hold(f, NOW);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_CONFLICT);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_VOUCHED);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_int_equal(revoked_at(f, 1), NOW);
	assert_int_equal(revoked_at(f, 2), 0);
}

/* A history that speaks against a device must not make it one that comes back by a better one. */
static void records_judge_history__refused_of_a_revoked_device__stays_revoked(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(judge(f, HISTORY_REFUSED), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_REVOKED);
	assert_int_equal(read_device(f).history, HISTORY_REFUSED);
}

static void records_retire__a_rejected_device__stays_rejected(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_REJECTED);
}

/* ---- the inventory ---- */

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

static bool count_revoked(void *arg, const struct revoked_row *row, struct err *e)
{
	int *count = arg;

	assert_string_equal(row->serial_hex, "0a");
	assert_int_equal(row->revoked_at, NOW);
	assert_int_equal(row->der.len, 1);
	++*count;
	return true;
}

static void records_list_revoked__what_ended_long_ago__is_left_out(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int count = 0;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW - 5000), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_true(records_list_revoked(f->store, 0, count_revoked, &count, &e));
	assert_int_equal(count, 0);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_true(records_list_revoked(f->store, NOW, count_revoked, &count, &e));
	assert_int_equal(count, 1);
	assert_true(records_list_revoked(f->store, NOW - 4000, count_revoked, &count, &e));
	assert_int_equal(count, 3);
}

static enum err_kind keep_crl(struct fixture *f, int64_t before, int64_t number, const char *der)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f,
		records_keep_crl(&w, bytes_of_str("ski"), before, number, bytes_of_str(der), &e),
		&e);
}

static struct issued_standing told_of(struct fixture *f, const char *number, uint8_t issuer)
{
	struct issued_standing out;
	struct err e = ERR_INIT;

	if (!records_issued_standing(f->store, number, bytes_of(&issuer, 1), &out, &e))
		fail_msg("%s", e.text);
	return out;
}

/* Two CAs may have given the same number; here the octet that is the certificate names its CA. */
static void records_issued_standing__by_number_and_ca__is_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_false(told_of(f, "0a", 1).found);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_true(told_of(f, "0a", 1).found);
	assert_int_equal(told_of(f, "0a", 1).revoked_at, 0);
	assert_false(told_of(f, "0b", 1).found);
	assert_false(told_of(f, "0a", 2).found);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(told_of(f, "0a", 1).revoked_at, NOW);
	assert_false(told_of(f, "0a", 2).found);
	assert_false(told_of(f, "0b", 1).found);
}

static void records_keep_crl__a_number_that_was_used__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf der = BUF_INIT(100);
	struct err e = ERR_INIT;
	int64_t number;

	assert_true(records_crl(f->store, bytes_of_str("ski"), &number, &der, &e));
	assert_int_equal(number, 0);
	assert_int_equal(keep_crl(f, 0, 1, "one"), ERR_NONE);
	assert_int_equal(keep_crl(f, 1, 1, "another"), ERR_CONFLICT);
	assert_int_equal(keep_crl(f, 1, 2, "two"), ERR_NONE);
	/* made of what was there before the second: it may lack what that has */
	assert_int_equal(keep_crl(f, 1, 3, "three"), ERR_CONFLICT);
	assert_int_equal(keep_crl(f, 0, 3, "three"), ERR_CONFLICT);
	assert_true(records_crl_number(f->store, bytes_of_str("ski"), &number, &e));
	assert_int_equal(number, 2);
	assert_true(records_crl(f->store, bytes_of_str("ski"), &number, &der, &e));
	assert_int_equal(number, 2);
	assert_string_equal(buf_str(&der), "two");
	assert_true(records_crl(f->store, bytes_of_str("other"), &number, &der, &e));
	assert_int_equal(number, 0);
}

/* ---- rules ---- */

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

/* ---- Fraud ---- */

struct lines {
	size_t count;
	char text[8][64]; /* "step outcome reason", the newest first */
};

static bool take_text(void *arg, const struct journal_line *line, struct err *e)
{
	struct lines *l = arg;
	const struct journal_entry *j = &line->entry;

	if (l->count < 8)
		snprintf(l->text[l->count++], sizeof(l->text[0]), "%s %s %s", j->step, j->outcome,
			j->reason ? j->reason : "-");
	return true;
}

static struct lines read_lines(struct fixture *f)
{
	struct lines l = {0};
	struct err e = ERR_INIT;

	assert_true(records_read_journal(f->store, device.serial, 8, take_text, &l, &e));
	return l;
}

static struct fraud second_key(unsigned quarantine_on)
{
	const struct device_record unmarked = {.found = true};
	struct fraud f = {.quarantine_on = quarantine_on};

	fraud_add(&f, &unmarked, FRAUD_SECOND_KEY, "why");
	return f;
}

static void hold_with(struct fixture *f, const struct fraud *fraud)
{
	const struct records_writer w = writer(f);
	struct request_record r = a_request(NOW);
	const struct journal_entry j = a_line("claim");
	struct err e = ERR_INIT;

	r.fraud = fraud;
	r.waits = true;
	assert_int_equal(wait(f, records_hold(&w, &r, &j, &e), &e), ERR_NONE);
}

static void records_hold__with_a_signal__marks_once_and_says_so_once(void **state)
{
	struct fixture *f = *state;
	const struct fraud fraud = second_key(0);

	hold_with(f, &fraud);
	hold_with(f, &fraud);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
	assert_int_equal(read_device(f).quarantined_at, 0);
	assert_int_equal(read_lines(f).count, 1);
	assert_string_equal(read_lines(f).text[0], "fraud second-key why");
}

static void records_fraud__by_policy__quarantines_and_says_who(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct fraud fraud = second_key(FRAUD_BIT(FRAUD_SECOND_KEY));
	const struct journal_entry j = a_line(NULL);
	struct err e = ERR_INIT;

	hold(f, NOW - 5);
	assert_int_equal(wait(f, records_fraud(&w, &fraud, &j, &e), &e), ERR_NONE);
	assert_int_equal(read_device(f).quarantined_at, NOW);
	assert_int_equal(read_device(f).standing, STANDING_QUARANTINED);
	assert_string_equal(read_lines(f).text[0], "device quarantined second-key");
	assert_string_equal(read_lines(f).text[1], "fraud second-key why");
}

static enum err_kind clear_marks(struct fixture *f, int64_t revision)
{
	const struct records_writer w = writer(f);
	struct journal_entry j = a_line("device");
	struct err e = ERR_INIT;

	return wait(f, records_clear_marks(&w, revision, &j, &e), &e);
}

static void records_clear_marks__of_a_marked_device__begins_anew(void **state)
{
	struct fixture *f = *state;
	const struct fraud fraud = second_key(0);

	hold_with(f, &fraud);
	assert_int_equal(clear_marks(f, read_device(f).revision + 1), ERR_CONFLICT);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
	assert_int_equal(clear_marks(f, read_device(f).revision), ERR_NONE);
	assert_int_equal(read_device(f).marks, 0);
	assert_int_equal(clear_marks(f, 0), ERR_CONFLICT);
	hold_with(f, &fraud);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
}

static size_t lines_after_failures(struct fixture *f, int times, int64_t at)
{
	const struct records_writer w = writer(f);
	struct journal_entry j = a_line("admit");
	struct err e = ERR_INIT;
	size_t before = f->lines;

	j.at = at;
	for (int i = 0; i < times; i++) {
		assert_int_equal(
			wait(f, records_failure(&w, &j, DEVICE_LINES_MAX, &e), &e), ERR_NONE);
		f->lines += (size_t)f->changed[0];
	}
	return f->lines - before;
}

static void records_failure__again_and_again__leaves_so_many_lines_a_day(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct journal_entry other = a_line("admit");
	struct err e = ERR_INIT;

	assert_int_equal(lines_after_failures(f, DEVICE_LINES_MAX + 3, NOW), DEVICE_LINES_MAX);
	other.device.serial = "SN-2";
	assert_int_equal(wait(f, records_failure(&w, &other, DEVICE_LINES_MAX, &e), &e), ERR_NONE);
	assert_int_equal(f->changed[0], 1);
	assert_int_equal(lines_after_failures(f, 1, NOW + 86399), 0);
	assert_int_equal(lines_after_failures(f, 1, NOW + 86400), 1);
}

static void records_keep_voucher__day_by_day__is_counted(void **state)
{
	struct fixture *f = *state;
	const int64_t day = NOW / 86400;

	keep_voucher(f, "voucher", "");
	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(read_device(f).day, day);
	assert_int_equal(read_device(f).joins, 2);
	assert_int_equal(read_device(f).certificates, 1);
	assert_int_equal(issue(f, 2, NOW + 86400), ERR_NONE);
	assert_int_equal(read_device(f).day, day + 1);
	assert_int_equal(read_device(f).joins, 0);
	assert_int_equal(read_device(f).certificates, 1);
}

static void records_issue__more_than_are_kept__drops_the_oldest_that_have_ended(void **state)
{
	struct fixture *f = *state;
	const uint8_t first[SHA256_LEN] = {1}, second[SHA256_LEN] = {2}, third[SHA256_LEN] = {3};
	struct certificate_record c;
	struct err e = ERR_INIT;
	const uint8_t *const gone_or_kept[] = {first, second, third};

	keep_voucher(f, "voucher", "");
	f->keep = 1;
	for (uint8_t i = 0; i < 3; i++) /* each ends before the next; one is kept at least */
		assert_int_equal(issue(f, i + 1, NOW + i * 5000), ERR_NONE);
	for (size_t i = 0; i < 3; i++) {
		assert_true(records_certificate(f->store, gone_or_kept[i], &c, &e));
		assert_int_equal(c.found, i == 2);
		certificate_record_clear(&c);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_hold__with_a_signal__marks_once_and_says_so_once),
		T(records_fraud__by_policy__quarantines_and_says_who),
		T(records_clear_marks__of_a_marked_device__begins_anew),
		T(records_failure__again_and_again__leaves_so_many_lines_a_day),
		T(records_keep_voucher__day_by_day__is_counted),
		T(records_issue__more_than_are_kept__drops_the_oldest_that_have_ended),
		T(records_device__never_seen__is_not_found),
		T(records_hold__a_new_device__is_pending_once),
		T(records_hold__a_device_that_was_decided_about__stays_decided),
		T(records_decide_rows__a_row_that_is_not_as_it_was_read__changes_nothing),
		T(records_keep_voucher__of_a_new_device__is_read_back),
		T(records_judge_history__refused__takes_voucher_and_enrolment_away),
		T(records_keep_voucher__words_cut_within_a_character__is_kept),
		T(records_judge_history__good__drops_what_is_no_longer_needed),
		T(records_issue__a_certificate__is_found_by_digest_and_by_request),
		T(records_issue__the_same_request_within_the_hour__is_a_conflict),
		T(records_issue__for_a_device_rejected_meanwhile__is_a_conflict),
		T(records_keep_voucher__of_a_pending_device__settles_the_claim),
		T(records_keep_voucher__of_an_approved_device__keeps_the_approval),
		T(records_keep_voucher__for_a_device_rejected_meanwhile__is_a_conflict),
		T(records_issue__for_a_device_nobody_knows__is_a_conflict),
		T(records_sweep__old_claims__go_and_rejected_ones_stay),
		T(records_sweep__devices_with_a_voucher__stay),
		T(records_journal__of_all_writers__is_one_chain),
		T(records_interrupt_jobs__what_ran__is_interrupted_and_what_ended_is_not),
		T(records_decide_rows__of_a_job__counts_its_progress),
		T(records_decide_rows__a_decision__is_in_the_journal_of_its_device),
		T(records_add_head__of_a_line_that_is_not_there__is_not_kept),
		T(records_sweep__the_journal__goes_up_to_a_head_and_begins_there),
		T(records_list_claims__by_state__shows_those_only),
		T(records_count_claims__decided_and_swept__are_counted_where_they_are),
		T(records_oldest_pending__decided_ones_before_it__are_passed_over),
		T(records_status__telemetry__is_kept_with_the_device),
		T(records_retire__a_device_with_certificates__takes_all_of_them),
		T(records_retire__a_device_without_a_voucher__is_a_conflict),
		T(records_keep_voucher__of_a_revoked_device__wants_a_new_approval),
		T(records_judge_history__refused_of_a_revoked_device__stays_revoked),
		T(records_retire__a_rejected_device__stays_rejected),
		T(device_standing__each_step_of_its_life__is_derived_and_counted),
		T(records_hold__what_the_request_tells__stands_with_the_claim),
		T(device_revision__asking_again__leaves_it_and_changes_raise_it),
		T(records_list_revoked__what_ended_long_ago__is_left_out),
		T(records_issued_standing__by_number_and_ca__is_what_became_of_it),
		T(records_keep_crl__a_number_that_was_used__is_a_conflict),
		T(records_members__come_beat_and_go__are_listed),
		T(records_bury_member__what_it_had_in_hand__is_free),
		T(records_interrupt_all_jobs__of_a_member_of_before__are_interrupted),
		T(records_reserve__in_anothers_hands__is_a_conflict_until_it_is_free),
		T(records_news__behind_a_line__say_what_it_is_about),
		T(records_import__announced__is_held_when_it_asks),
		T(records_import__of_what_was_announced__is_preapproved),
		T(records_import__of_an_unknown_device__is_preapproved_until_it_joins),
		T(records_import__of_a_device_that_waits__approves_it),
		T(records_import__with_one_decided_about__changes_nothing),
		T(records_import__when_the_approval_is_over__approves_again),
		T(records_import__of_a_revoked_device__is_a_conflict),
		T(records_look_up__a_list__tells_of_those_known),
		T(records_sweep__an_approval_nobody_used__expires_and_goes_later),
		T(records_sweep__an_approval_that_was_used__has_no_end),
		T(records_sweep__an_end_that_comes__is_told_once_for_each_certificate),
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
