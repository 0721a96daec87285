/* SPDX-License-Identifier: Apache-2.0 */
/* A mutator for CBOR: change one item and mend the counts and lengths around it, so that the change
 * is seen by whoever reads that item. A byte string that holds CBOR is gone into, too. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/cbor.h"
#include "tests/fuzz/fuzz.h"

#define ITEMS_MAX 4000
#define OUT_MAX	  131072

struct surgery {
	unsigned seed;
	size_t at; /* which item, counted in the order in which they begin */
	size_t count;
};

/* How many items were written in place of one: 0, 1 or 2. */
static bool pass(struct surgery *s, struct cbor_reader *r, struct buf *out, size_t *items);

static bool mutate_octets(struct bytes content, bool text, struct buf *out)
{
	size_t room = content.len + 64;
	char *octets = malloc(room + 1);
	struct err e = ERR_INIT;
	bool ok;

	FUZZ_REQUIRE(octets);
	if (content.len)
		memcpy(octets, content.data, content.len);
	room = LLVMFuzzerMutate((uint8_t *)octets, content.len, room);
	octets[room] = '\0';
	ok = text ? cbor_put_text(out, octets, &e)
		  : cbor_put_bytes(out, bytes_of(octets, room), &e);
	free(octets);
	return ok;
}

static bool something_else(unsigned seed, struct buf *out)
{
	static const struct bytes items[] = {{(const uint8_t *)"\x00", 1},
		{(const uint8_t *)"\x26", 1}, {(const uint8_t *)"\x40", 1},
		{(const uint8_t *)"\x60", 1}, {(const uint8_t *)"\x80", 1},
		{(const uint8_t *)"\xa0", 1}, {(const uint8_t *)"\xf4", 1},
		{(const uint8_t *)"\xf6", 1}, {(const uint8_t *)"\xf9\x3c\x00", 3},
		{(const uint8_t *)"\xd8\x2f\x19\x09\x9a", 5},
		{(const uint8_t *)"\x5f\x41\x01\x41\x02\xff", 6},
		{(const uint8_t *)"\x7f\x61x\xff", 4}, {(const uint8_t *)"\x9f\xff", 2},
		{(const uint8_t *)"\xbf\xff", 2}, {(const uint8_t *)"\x18\x20", 2},
		{(const uint8_t *)"\x19\x00\x01", 3},
		{(const uint8_t *)"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9}};
	struct bytes chosen = items[seed % (sizeof(items) / sizeof(*items))];
	struct err e = ERR_INIT;

	return buf_append(out, chosen.data, chosen.len, &e);
}

static bool mutate_item(const struct surgery *s, struct cbor_reader item, struct buf *out)
{
	enum cbor_type type = cbor_peek(&item);
	struct err e = ERR_INIT;
	BUF_AUTO struct buf text = BUF_INIT(OUT_MAX);
	struct bytes content;
	int64_t number;

	if (type == CBOR_BYTES && cbor_bytes(&item, &content, &e))
		return mutate_octets(content, false, out);
	if (type == CBOR_TEXT && cbor_text_copy(&item, &text, &e))
		return mutate_octets(buf_bytes(&text), true, out);
	if (cbor_int(&item, &number, &e))
		return cbor_put_int(out, (int64_t)((uint64_t)number + s->seed / 8 % 64 - 32), &e);
	return something_else(s->seed / 8, out);
}

static bool operate(const struct surgery *s, struct cbor_reader *r, struct buf *out, size_t *items)
{
	struct cbor_reader at = *r;
	struct err e = ERR_INIT;
	struct bytes whole;

	if (!cbor_skip(r, &whole, &e))
		return false;
	*items = 1;
	switch (s->seed % 8) {
	case 0: /* gone */
		*items = 0;
		return true;
	case 1: /* twice */
		*items = 2;
		return buf_append(out, whole.data, whole.len, &e) &&
		       buf_append(out, whole.data, whole.len, &e);
	case 2:
		return something_else(s->seed / 8, out);
	}
	return mutate_item(s, at, out);
}

static bool pass_container(struct surgery *s, struct cbor_reader *r, bool map, struct buf *out)
{
	BUF_AUTO struct buf body = BUF_INIT(OUT_MAX);
	struct cbor_reader inner;
	struct err e = ERR_INIT;
	size_t total = 0, items;

	if (!(map ? cbor_map(r, &inner, NULL, &e) : cbor_array(r, &inner, NULL, &e)))
		return false;
	for (; !cbor_at_end(&inner); total += items)
		if (!pass(s, &inner, &body, &items))
			return false;
	return (map ? cbor_put_map(out, total / 2, &e) : cbor_put_array(out, total, &e)) &&
	       buf_append(out, body.data, body.len, &e);
}

static bool pass_octets(struct surgery *s, struct cbor_reader *r, struct buf *out)
{
	BUF_AUTO struct buf body = BUF_INIT(OUT_MAX);
	struct cbor_reader inner, at = *r;
	struct err e = ERR_INIT;
	struct bytes content, whole;
	size_t items;

	if (!cbor_skip(r, &whole, &e))
		return false;
	if (!cbor_bytes(&at, &content, &e) || content.len < 2 || !cbor_open(content, &inner, &e))
		return buf_append(out, whole.data, whole.len, &e);
	return pass(s, &inner, &body, &items) && cbor_put_bytes(out, buf_bytes(&body), &e);
}

static bool pass(struct surgery *s, struct cbor_reader *r, struct buf *out, size_t *items)
{
	struct err e = ERR_INIT;
	struct bytes whole;
	uint64_t tag;

	*items = 1;
	if (s->count > ITEMS_MAX)
		return false;
	if (s->count++ == s->at)
		return operate(s, r, out, items);
	switch (cbor_peek(r)) {
	case CBOR_ARRAY:
	case CBOR_MAP:
		return pass_container(s, r, cbor_peek(r) == CBOR_MAP, out);
	case CBOR_BYTES:
		return pass_octets(s, r, out);
	case CBOR_TAG:
		return cbor_tag(r, &tag, &e) && cbor_put_tag(out, tag, &e) &&
		       pass(s, r, out, items);
	case CBOR_UINT:
	case CBOR_NEGATIVE:
	case CBOR_TEXT:
	case CBOR_SIMPLE:
	case CBOR_FLOAT:
	case CBOR_END:
		break;
	}
	return cbor_skip(r, &whole, &e) && buf_append(out, whole.data, whole.len, &e);
}

bool fuzz_change_cbor(struct bytes cbor, unsigned seed, struct buf *out)
{
	BUF_AUTO struct buf same = BUF_INIT(OUT_MAX);
	struct surgery s = {.seed = seed, .at = SIZE_MAX};
	struct cbor_reader r, again;
	struct err e = ERR_INIT;
	size_t items;

	if (!cbor_open(cbor, &r, &e))
		return false;
	again = r;
	if (!pass(&s, &r, &same, &items) || s.count == 0)
		return false;
	s.at = seed / 128 % s.count;
	s.count = 0;
	return pass(&s, &again, out, &items);
}

size_t fuzz_mutate_cbor(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	BUF_AUTO struct buf changed = BUF_INIT(OUT_MAX);

	if (seed % 4 == 0 || !fuzz_change_cbor(bytes_of(data, len), seed / 4, &changed) ||
		changed.len > room || changed.len == 0)
		return LLVMFuzzerMutate(data, len, room);
	memcpy(data, changed.data, changed.len);
	return changed.len;
}
