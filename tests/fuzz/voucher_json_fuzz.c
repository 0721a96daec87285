/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of vouchers and voucher-requests: what is accepted and written again reads the same, and
 * is written the same from then on. */
#include "tests/fuzz/fuzz.h"

static void check_nonce(const char *nonce)
{
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_NONCE_MAX);
	struct err e = ERR_INIT;

	if (!nonce) {
		FUZZ_REQUIRE(!voucher_nonce_equal(nonce, nonce));
		return;
	}
	FUZZ_REQUIRE(voucher_nonce_equal(nonce, nonce));
	if (voucher_nonce_octets(nonce, &octets, &e))
		FUZZ_REQUIRE(octets.len >= VOUCHER_NONCE_MIN && octets.len <= VOUCHER_NONCE_MAX);
}

static void check_round_trip(const struct voucher *v)
{
	VOUCHER_AUTO struct voucher again;
	BUF_AUTO struct buf first = BUF_INIT(2 * VOUCHER_JSON_MAX);
	BUF_AUTO struct buf second = BUF_INIT(2 * VOUCHER_JSON_MAX);
	struct err e = ERR_INIT;

	voucher_init(&again, v->kind);
	if (!voucher_format_json(v, &first, &e)) { /* a leaf of the other kind, an odd date */
		FUZZ_REQUIRE(e.text[0]);
		return;
	}
	if (first.len > VOUCHER_JSON_MAX)
		return;
	FUZZ_REQUIRE(voucher_parse_json(buf_bytes(&first), &again, &e));
	FUZZ_REQUIRE(again.kind == v->kind);
	FUZZ_REQUIRE(voucher_format_json(&again, &second, &e));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;
	bool ok;

	voucher_init(&v, VOUCHER);
	ok = voucher_parse_json(bytes_of(data, len), &v, &e);
	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(v.serial_number && v.serial_number[0]);
	check_nonce(v.nonce);
	check_round_trip(&v);
	return 0;
}
