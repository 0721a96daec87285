/* SPDX-License-Identifier: Apache-2.0 */
/* One device and what happens to it in the store: it asks, is decided about, gets vouchers and
 * certificates. */
#ifndef TESTS_UNIT_RECORDS_DEVICE_H
#define TESTS_UNIT_RECORDS_DEVICE_H

#include "registrar/records/claims.h"
#include "registrar/records/devices.h"
#include "tests/unit/records_fixture.h"

#define UNTIL (NOW + 100) /* the end of approvals */

static const struct device_key device = {"acme", "SN-1"};
static const uint8_t idevid[SHA256_LEN] = {1}, request[SHA256_LEN] = {2}, own[SHA256_LEN] = {3};
static const uint8_t csr[SHA256_LEN] = {4}, client[SHA256_LEN] = {5};

static inline struct request_record a_request(int64_t at)
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

static inline struct journal_entry a_line(const char *step)
{
	return (struct journal_entry){
		.at = NOW, .exchange = "x-1", .device = device, .step = step, .outcome = "fine"};
}

static inline void hold(struct fixture *f, int64_t at)
{
	const struct records_writer w = writer(f);
	const struct request_record r = a_request(at);
	const struct journal_entry j = a_line("claim");
	struct err e = ERR_INIT;

	assert_int_equal(wait(f, records_hold(&w, &r, &j, &e), &e), ERR_NONE);
}

static inline enum err_kind try_to_keep_voucher(
	struct fixture *f, const char *voucher, const char *rvr)
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

static inline void keep_voucher(struct fixture *f, const char *voucher, const char *rvr)
{
	assert_int_equal(try_to_keep_voucher(f, voucher, rvr), ERR_NONE);
}

static inline enum err_kind judge(struct fixture *f, enum history_state verdict)
{
	const struct records_writer w = writer(f);
	const struct request_record r = a_request(NOW);
	const struct journal_entry j = a_line("history");
	struct err e = ERR_INIT;

	return wait(f, records_judge_history(&w, &r, verdict, &j, &e), &e);
}

static inline enum err_kind issue(struct fixture *f, uint8_t number, int64_t at)
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

static inline struct device_record read_device(struct fixture *f)
{
	struct device_record d;
	struct err e = ERR_INIT;

	if (!records_device(f->store, device, &d, &e))
		fail_msg("%s", e.text);
	return d;
}

/* As it was read at the revision. */
static inline enum err_kind try_to_decide(
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

static inline void decide(struct fixture *f, int64_t id, enum claim_state to)
{
	assert_int_equal(try_to_decide(f, id, read_device(f).revision, to), ERR_NONE);
}

static inline void sweep(struct fixture *f, const struct sweep_limits *l)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_int_equal(wait(f, records_sweep(&w, l, &e), &e), ERR_NONE);
}

static inline enum err_kind revoke_device(struct fixture *f)
{
	const struct records_writer w = writer(f);
	const struct journal_entry j = a_line("device");
	struct err e = ERR_INIT;

	return wait(f, records_retire(&w, STANDING_REVOKED, 0, &j, &e), &e);
}

#endif
