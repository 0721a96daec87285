/* SPDX-License-Identifier: Apache-2.0 */
/* The CBOR of vouchers and voucher-requests: what is accepted and written again reads the same, is
 * written the same from then on, and says the same in JSON. */
#include <string.h>

#include "common/message/voucher_cbor.h"
#include "tests/fuzz/fuzz.h"

static void check_json(const struct voucher *v)
{
	VOUCHER_AUTO struct voucher again;
	BUF_AUTO struct buf json = BUF_INIT(2 * VOUCHER_JSON_MAX);
	struct err e = ERR_INIT;

	voucher_init(&again, v->kind);
	if (!voucher_format_json(v, &json, &e) || json.len > VOUCHER_JSON_MAX)
		return;
	FUZZ_REQUIRE(voucher_parse_json(buf_bytes(&json), &again, &e));
	FUZZ_REQUIRE(strcmp(again.serial_number, v->serial_number) == 0);
	FUZZ_REQUIRE(!v->nonce || voucher_nonce_equal(again.nonce, v->nonce));
	FUZZ_REQUIRE(again.assertion == v->assertion);
}

static void check_round_trip(const struct voucher *v)
{
	VOUCHER_AUTO struct voucher again;
	BUF_AUTO struct buf first = BUF_INIT(2 * VOUCHER_CBOR_MAX);
	BUF_AUTO struct buf second = BUF_INIT(2 * VOUCHER_CBOR_MAX);
	struct err e = ERR_INIT;

	voucher_init(&again, v->kind);
	if (!voucher_format_cbor(v, &first, &e)) { /* an assertion nobody knows, an odd date */
		FUZZ_REQUIRE(e.text[0]);
		return;
	}
	if (first.len > VOUCHER_CBOR_MAX)
		return;
	FUZZ_REQUIRE(voucher_parse_cbor(buf_bytes(&first), &again, &e));
	FUZZ_REQUIRE(again.kind == v->kind);
	FUZZ_REQUIRE(voucher_format_cbor(&again, &second, &e));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
}

/* A leaf of one kind has its name; 2450 to 2549 are all there may be. */
static void check_names(void)
{
	static bool done;

	for (uint64_t sid = 2440; !done && sid < 2560; sid++)
		FUZZ_REQUIRE(
			!voucher_sid_name(VOUCHER, sid) || !voucher_sid_name(VOUCHER_REQUEST, sid));
	done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;
	bool ok;

	voucher_init(&v, VOUCHER);
	ok = voucher_parse_cbor(bytes_of(data, len), &v, &e);
	fuzz_check_promises(ok, &e);
	check_names();
	if (!ok)
		return 0;
	FUZZ_REQUIRE(v.serial_number && v.serial_number[0]);
	FUZZ_REQUIRE(!v.nonce || voucher_nonce_equal(v.nonce, v.nonce));
	check_round_trip(&v);
	check_json(&v);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_cbor(data, len, room, seed);
}
