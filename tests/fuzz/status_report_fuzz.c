/* SPDX-License-Identifier: Apache-2.0 */
/* Status reports of pledges: whatever is understood can be written strictly and reads the same. */
#include <stdlib.h>
#include <string.h>

#include "common/message/status_report.h"
#include "tests/fuzz/fuzz.h"

static void check_round_trip(const struct status_report *r)
{
	STATUS_REPORT_AUTO struct status_report again = {.version = 0};
	BUF_AUTO struct buf text = BUF_INIT(4 * STATUS_REPORT_MAX);
	struct err e = ERR_INIT;

	if (!status_report_format(r, &text, &e)) { /* a context that is no object is only kept */
		FUZZ_REQUIRE(r->reason_context && r->reason_context[0] != '{');
		return;
	}
	if (text.len > STATUS_REPORT_MAX)
		return;
	FUZZ_REQUIRE(status_report_parse(buf_bytes(&text), &again, &e));
	FUZZ_REQUIRE(again.status == r->status);
	FUZZ_REQUIRE(strcmp(again.reason, r->reason) == 0);
	FUZZ_REQUIRE(!again.unknown_members);
}

static void check_cbor(const uint8_t *data, size_t len)
{
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};
	STATUS_REPORT_AUTO struct status_report again = {.version = 0};
	BUF_AUTO struct buf out = BUF_INIT(4 * STATUS_REPORT_MAX);
	struct err e = ERR_INIT;
	bool ok = status_report_parse_cbor(bytes_of(data, len), &r, &e);

	fuzz_check_promises(ok, &e);
	if (!ok || !status_report_format_cbor(&r, &out, &e) || out.len > STATUS_REPORT_MAX)
		return; /* a context that is longer in JSON, or nested too deep for it */
	FUZZ_REQUIRE(status_report_parse_cbor(buf_bytes(&out), &again, &e));
	FUZZ_REQUIRE(again.status == r.status && again.version == r.version);
	FUZZ_REQUIRE(strcmp(again.reason, r.reason) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};
	struct err e = ERR_INIT;
	bool ok = status_report_parse(bytes_of(data, len), &r, &e);

	fuzz_check_promises(ok, &e);
	if (ok)
		check_round_trip(&r);
	check_cbor(data, len);
	return 0;
}
