/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies out of blocks: whatever sequence of blocks comes, what is held is what the accepted ones
 * say, no more than allowed, and no memory beyond it. The first octet is the limit; then records of
 * a head (block, number, length) and that many octets. */
#include <string.h>

#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"
#include "tests/fuzz/fuzz.h"

#define RECORD_HEAD 5
#define LIMIT_UNIT  32

/* The same, told by the states alone. */
struct shadow {
	uint8_t octets[256 * LIMIT_UNIT];
	size_t len;
};

static void follow(struct shadow *s, enum coap_body_state state, uint64_t offset, struct bytes part)
{
	switch (state) {
	case COAP_BODY_MORE:
	case COAP_BODY_COMPLETE:
		if (offset == 0)
			s->len = 0;
		FUZZ_REQUIRE(offset <= s->len);
		if (offset == s->len && part.len > 0) {
			FUZZ_REQUIRE(s->len + part.len <= sizeof(s->octets));
			memcpy(s->octets + s->len, part.data, part.len);
			s->len += part.len;
		}
		break;
	case COAP_BODY_GAP:
	case COAP_BODY_TOO_LARGE:
	case COAP_BODY_NO_MEMORY:
		s->len = 0;
		break;
	}
}

static void must_add(struct coap_message *m, uint16_t number, struct bytes value)
{
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(coap_message_add(m, number, value, &e));
}

/* One record: octet 0 has the bits of below, 1 the number, 2 and 3 the length, 4 the format. */
enum { HAS_BLOCK = 1, MORE = 2, IS_ANSWER = 4, HAS_SIZE = 8, HAS_FORMAT = 16 };

static size_t record(struct coap_body *b, struct shadow *s, const uint8_t *at, size_t left)
{
	struct coap_message m = {.code = at[0] & IS_ANSWER ? COAP_CONTENT : COAP_POST};
	struct coap_block block = {at[1], (at[0] & MORE) != 0, (uint8_t)((at[0] >> 5) % 7)};
	size_t len = (size_t)(at[2] << 8 | at[3]) % (left - RECORD_HEAD + 1);
	bool in_blocks = at[0] & HAS_BLOCK;
	enum coap_body_state state;
	uint8_t format[4], size[4];

	m.payload = bytes_of(at + RECORD_HEAD, len);
	if (at[0] & HAS_FORMAT)
		must_add(&m, COAP_OPT_CONTENT_FORMAT, coap_uint(at[4], format));
	if (at[0] & HAS_SIZE)
		must_add(&m, at[0] & IS_ANSWER ? COAP_OPT_SIZE2 : COAP_OPT_SIZE1,
			coap_uint((uint32_t)at[4] << at[1] % 24, size));
	state = coap_body_add(b, in_blocks ? &block : NULL, &m);
	follow(s, state, in_blocks ? (uint64_t)block.num << (block.szx + 4) : 0, m.payload);
	FUZZ_REQUIRE(state != COAP_BODY_COMPLETE || !in_blocks || !block.more);
	FUZZ_REQUIRE(state != COAP_BODY_MORE || (in_blocks && block.more));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&b->octets), bytes_of(s->octets, s->len)));
	FUZZ_REQUIRE(b->octets.len <= b->octets.max);
	FUZZ_REQUIRE(b->octets.cap <= 64 || b->octets.cap <= 2 * (b->octets.len + 1));
	return RECORD_HEAD + len;
}

/* Cut and put together again, in each size of blocks. */
static void there_and_back(struct bytes whole)
{
	for (uint8_t szx = 0; szx <= COAP_SZX_MAX; szx++) {
		enum coap_body_state state = COAP_BODY_MORE;
		struct coap_block block = {.szx = szx}, read;
		struct coap_message m = {.code = COAP_CHANGED};
		struct coap_body back;
		struct err e = ERR_INIT;
		uint8_t scratch[4];
		bool present;

		coap_body_init(&back, whole.len);
		for (; state == COAP_BODY_MORE; block.num++) {
			FUZZ_REQUIRE(
				coap_block_slice(whole, block.num, szx, &m.payload, &block.more));
			m.option_count = 0;
			must_add(&m, COAP_OPT_BLOCK2, coap_block_value(&block, scratch));
			FUZZ_REQUIRE(coap_block_read(&m, COAP_OPT_BLOCK2, &present, &read, &e));
			FUZZ_REQUIRE(read.num == block.num && read.more == block.more);
			state = coap_body_add(&back, &read, &m);
		}
		FUZZ_REQUIRE(state == COAP_BODY_COMPLETE);
		FUZZ_REQUIRE(bytes_equal(buf_bytes(&back.octets), whole));
		FUZZ_REQUIRE(!coap_block_slice(whole, block.num, szx, &m.payload, &block.more));
		coap_body_clear(&back);
	}
}

static void read_option(const uint8_t *data, size_t len)
{
	struct coap_message m = {0};
	struct err e = ERR_INIT;
	struct coap_block b;
	bool present, ok;

	must_add(&m, COAP_OPT_BLOCK1, bytes_of(data, len));
	ok = coap_block_read(&m, COAP_OPT_BLOCK1, &present, &b, &e);
	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(present && b.szx <= COAP_SZX_MAX);
	FUZZ_REQUIRE(!coap_block_read(&m, COAP_OPT_BLOCK2, &present, &b, &e) || !present);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct shadow shadow;
	struct coap_body body;
	size_t at = 1;

	if (len == 0)
		return 0;
	read_option(data, len > 6 ? 6 : len);
	FUZZ_REQUIRE(coap_block_szx_for(data[0] * 16u, len % 64) <= COAP_SZX_MAX);
	shadow.len = 0;
	coap_body_init(&body, (size_t)data[0] * LIMIT_UNIT);
	while (len - at >= RECORD_HEAD)
		at += record(&body, &shadow, data + at, len - at);
	if (len < 2048)
		there_and_back(bytes_of(data, len));
	coap_body_clear(&body);
	return 0;
}
