/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR from anywhere: what is opened can be read to its end by every function there is, and what is
 * written of it opens again and is then written the same. */
#include <string.h>

#include "common/wire/cbor_json.h"
#include "tests/fuzz/fuzz.h"

static void copy_item(struct cbor_reader *r, struct buf *out);

static void copy_number(struct cbor_reader *r, struct buf *out)
{
	struct err e = ERR_INIT;
	struct bytes whole;
	uint64_t number;
	int64_t either;

	if (cbor_uint(r, &number, &e))
		FUZZ_REQUIRE(cbor_put_uint(out, number, &e));
	else if (cbor_int(r, &either, &e))
		FUZZ_REQUIRE(either < 0 && cbor_put_int(out, either, &e));
	else
		FUZZ_REQUIRE(
			cbor_skip(r, &whole, &e) && buf_append(out, whole.data, whole.len, &e));
}

/* A view is what a copy is, or there is none. */
static void copy_string(struct cbor_reader *r, bool text, struct buf *out)
{
	BUF_AUTO struct buf octets = BUF_INIT(1 << 20);
	struct cbor_reader at = *r;
	struct err e = ERR_INIT;
	struct bytes v;

	FUZZ_REQUIRE(text ? cbor_text_copy(r, &octets, &e) : cbor_bytes_copy(r, &octets, &e));
	if (cbor_bytes(&at, &v, &e))
		FUZZ_REQUIRE(bytes_equal(v, buf_bytes(&octets)) && at.p == r->p);
	FUZZ_REQUIRE(!text || strlen(buf_str(&octets)) == octets.len);
	FUZZ_REQUIRE(text ? cbor_put_text(out, buf_str(&octets), &e)
			  : cbor_put_bytes(out, buf_bytes(&octets), &e));
}

static void copy_container(struct cbor_reader *r, bool map, struct buf *out)
{
	struct cbor_reader inner;
	struct err e = ERR_INIT;
	size_t count, seen = 0;

	FUZZ_REQUIRE(map ? cbor_map(r, &inner, &count, &e) : cbor_array(r, &inner, &count, &e));
	FUZZ_REQUIRE(!map || count <= CBOR_MAP_MAX);
	FUZZ_REQUIRE(map ? cbor_put_map(out, count, &e) : cbor_put_array(out, count, &e));
	for (; !cbor_at_end(&inner); seen++)
		copy_item(&inner, out);
	FUZZ_REQUIRE(seen == (map ? 2 * count : count));
}

static void copy_rest(struct cbor_reader *r, struct buf *out)
{
	struct err e = ERR_INIT;
	uint64_t tag;
	uint8_t simple;
	bool flag;

	if (cbor_peek(r) == CBOR_TAG) {
		FUZZ_REQUIRE(cbor_tag(r, &tag, &e) && cbor_put_tag(out, tag, &e));
		copy_item(r, out);
	} else if (cbor_peek(r) == CBOR_FLOAT) {
		FUZZ_REQUIRE(!cbor_simple(r, &simple, &e));
		FUZZ_REQUIRE(cbor_skip(r, NULL, &e) && cbor_put_null(out, &e));
	} else if (cbor_bool(r, &flag, &e)) {
		FUZZ_REQUIRE(cbor_put_bool(out, flag, &e));
	} else {
		FUZZ_REQUIRE(cbor_simple(r, &simple, &e) && cbor_put_null(out, &e));
	}
}

static void copy_item(struct cbor_reader *r, struct buf *out)
{
	enum cbor_type type = cbor_peek(r);

	FUZZ_REQUIRE(type != CBOR_END);
	if (type == CBOR_UINT || type == CBOR_NEGATIVE)
		copy_number(r, out);
	else if (type == CBOR_BYTES || type == CBOR_TEXT)
		copy_string(r, type == CBOR_TEXT, out);
	else if (type == CBOR_ARRAY || type == CBOR_MAP)
		copy_container(r, type == CBOR_MAP, out);
	else
		copy_rest(r, out);
}

static void check_json(struct cbor_reader r)
{
	struct err e = ERR_INIT;
	json_t *JSON_AUTO value = cbor_to_json(&r, &e);
	BUF_AUTO struct buf cbor = BUF_INIT(1 << 20);
	struct cbor_reader again;

	fuzz_check_promises(value != NULL, &e);
	FUZZ_REQUIRE(!value || cbor_at_end(&r));
	FUZZ_REQUIRE(!value || !cbor_to_json(&r, &e)); /* nothing is left */
	if (value && json_to_cbor(value, &cbor, &e))
		FUZZ_REQUIRE(cbor_open(buf_bytes(&cbor), &again, &e));
}

/* The other way: JSON becomes CBOR, and that the same JSON. */
static void check_from_json(struct bytes text)
{
	BUF_AUTO struct buf cbor = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct cbor_reader r;

	if (text.len == 0 || text.data[0] != '{')
		return;
	json_t *JSON_AUTO value = json_parse_object(text, &e);
	if (!value || !json_to_cbor(value, &cbor, &e))
		return;
	FUZZ_REQUIRE(cbor_open(buf_bytes(&cbor), &r, &e) || e.kind == ERR_TOO_LARGE);
	json_t *JSON_AUTO again = e.kind == ERR_NONE ? cbor_to_json(&r, &e) : NULL;
	FUZZ_REQUIRE(!again || json_equal(value, again));
}

/* Floats and most simple values are copied as null: two of them as keys of one map are then one. */
static bool has_odd(struct bytes octets)
{
	for (size_t i = 0; i < octets.len; i++)
		if (octets.data[i] >= 0xe0 && octets.data[i] != 0xf4 && octets.data[i] != 0xf5 &&
			octets.data[i] != 0xf6 && octets.data[i] != 0xff)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
	struct cbor_reader r, again;
	struct err e = ERR_INIT;
	bool ok = cbor_open(bytes_of(data, len), &r, &e);

	fuzz_check_promises(ok, &e);
	check_from_json(bytes_of(data, len));
	if (!ok)
		return 0;
	check_json(r);
	again = r;
	if (has_odd(bytes_of(data, len))) {
		copy_item(&again, &once);
		return 0;
	}
	copy_item(&r, &once);
	FUZZ_REQUIRE(cbor_at_end(&r));
	FUZZ_REQUIRE(cbor_open(buf_bytes(&once), &again, &e));
	copy_item(&again, &twice);
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_cbor(data, len, room, seed);
}
