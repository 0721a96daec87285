/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON of vouchers and voucher-requests: what is accepted and written again reads the same, and
 * is written the same from then on. What the fast reader takes, Jansson reads in the same way. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/json_plain.h"
#include "tests/fuzz/fuzz.h"

/* Nor does the fast writer write anything that Jansson would not. */
static void check_written(const json_t *value)
{
	BUF_AUTO struct buf ours = BUF_INIT(4 * VOUCHER_JSON_MAX);
	char *theirs = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (json_format_plain(value, &ours))
		FUZZ_REQUIRE(strcmp(buf_str(&ours), theirs) == 0);
	free(theirs);
}

static void check_plain(struct bytes text)
{
	json_t *plain = json_parse_plain(text), *reference;
	char *ours, *theirs;

	if (!plain)
		return;
	reference = json_loadb(
		(const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	FUZZ_REQUIRE(reference);
	ours = json_dumps(plain, JSON_ENCODE_ANY);
	theirs = json_dumps(reference, JSON_ENCODE_ANY);
	FUZZ_REQUIRE(strcmp(ours, theirs) == 0);
	check_written(reference);
	free(ours);
	free(theirs);
	json_decref(plain);
	json_decref(reference);
}

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

	check_plain(bytes_of(data, len));
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
