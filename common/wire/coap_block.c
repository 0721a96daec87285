/* SPDX-License-Identifier: Apache-2.0 */
/* Block-wise transfer: the Block options' value (RFC 7959 §2.2), bodies put together and cut (§2.3
 * to §2.5, §2.9). */
#include "common/wire/coap_block.h"

#include "common/wire/coap_format.h"

#include <string.h>

#define BLOCK_VALUE_MAX 3 /* octets of the option */
#define SZX_RESERVED	7

bool coap_block_read(const struct coap_message *m, uint16_t number, bool *present,
	struct coap_block *out, struct err *e)
{
	uint32_t value;

	*present = coap_message_find(m, number, 0) != NULL;
	*out = (struct coap_block){0};
	if (!*present)
		return true;
	if (coap_message_find(m, number, 0)->value.len > BLOCK_VALUE_MAX ||
		!coap_message_uint(m, number, &value))
		return err_set(e, ERR_INPUT, "option %u is too long", number);
	if ((value & 7) == SZX_RESERVED)
		return err_set(e, ERR_INPUT, "option %u has a reserved block size", number);
	*out = (struct coap_block){value >> 4, (value & 8) != 0, (uint8_t)(value & 7)};
	return true;
}

struct bytes coap_block_value(const struct coap_block *b, uint8_t scratch[4])
{
	return coap_uint(b->num << 4 | (b->more ? 8u : 0u) | b->szx, scratch);
}

uint8_t coap_block_szx_for(size_t plaintext_max, size_t head_len)
{
	uint8_t szx = COAP_SZX_MAX;

	while (szx > 0 && head_len + COAP_BLOCK_OCTETS(szx) > plaintext_max)
		szx--;
	return szx;
}

/* ---- Putting together ----------------------------------------------------------------------- */

void coap_body_init(struct coap_body *b, size_t max)
{
	*b = (struct coap_body){.format = COAP_FORMAT_NONE};
	buf_init(&b->octets, max);
}

void coap_body_clear(struct coap_body *b)
{
	buf_clear(&b->octets);
	coap_body_init(b, b->octets.max);
}

static enum coap_body_state drop(struct coap_body *b, enum coap_body_state why)
{
	coap_body_clear(b);
	return why;
}

static uint32_t format_of(const struct coap_message *m)
{
	uint32_t format;

	return coap_message_uint(m, COAP_OPT_CONTENT_FORMAT, &format) ? format : COAP_FORMAT_NONE;
}

static void begin(struct coap_body *b, const struct coap_message *m)
{
	bool is_request = COAP_CODE_CLASS(m->code) == 0;

	coap_body_clear(b);
	b->begun = true;
	b->format = format_of(m);
	if (!coap_message_uint(m, is_request ? COAP_OPT_SIZE1 : COAP_OPT_SIZE2, &b->size_announced))
		b->size_announced = 0;
}

/* A request says with each block what the body is (B-05); an answer may leave it at the first. */
static bool same_format(const struct coap_body *b, const struct coap_message *m)
{
	uint32_t format = format_of(m);

	return format == b->format || (format == COAP_FORMAT_NONE && COAP_CODE_CLASS(m->code) != 0);
}

/* Only the last block may be shorter than its size (§2.2). */
static bool has_its_length(const struct coap_block *block, size_t len)
{
	size_t size = COAP_BLOCK_OCTETS(block->szx);

	return block->more ? len == size : len <= size;
}

static bool is_held(const struct coap_body *b, uint64_t offset, struct bytes part)
{
	return offset + part.len <= b->octets.len &&
	       bytes_equal(part, bytes_of(b->octets.data + offset, part.len));
}

static enum coap_body_state append(
	struct coap_body *b, const struct coap_block *block, struct bytes part)
{
	struct err e = ERR_INIT;

	if (!buf_append(&b->octets, part.data, part.len, &e))
		return drop(b, e.kind == ERR_TOO_LARGE ? COAP_BODY_TOO_LARGE : COAP_BODY_NO_MEMORY);
	return block->more ? COAP_BODY_MORE : COAP_BODY_COMPLETE;
}

enum coap_body_state coap_body_add(
	struct coap_body *b, const struct coap_block *block, const struct coap_message *m)
{
	static const struct coap_block whole = {0};
	uint64_t offset = block ? (uint64_t)block->num << (block->szx + 4) : 0;

	if (offset == 0)
		begin(b, m);
	if (b->size_announced > b->octets.max)
		return drop(b, COAP_BODY_TOO_LARGE);
	if (!block)
		return append(b, &whole, m->payload);
	if (!b->begun || !same_format(b, m) || !has_its_length(block, m->payload.len))
		return drop(b, COAP_BODY_GAP);
	if (offset == b->octets.len)
		return append(b, block, m->payload);
	if (!is_held(b, offset, m->payload))
		return drop(b, COAP_BODY_GAP);
	if (block->more)
		return COAP_BODY_MORE;
	return offset + m->payload.len == b->octets.len ? COAP_BODY_COMPLETE
							: drop(b, COAP_BODY_GAP);
}

/* ---- Cutting -------------------------------------------------------------------------------- */

bool coap_block_slice(struct bytes body, uint32_t num, uint8_t szx, struct bytes *out, bool *more)
{
	uint64_t offset = (uint64_t)num << (szx + 4);
	size_t size = COAP_BLOCK_OCTETS(szx), rest;

	if (offset > body.len || (offset == body.len && num > 0))
		return false;
	rest = body.len - (size_t)offset;
	*more = rest > size;
	*out = bytes_of(body.data + offset, *more ? size : rest);
	return true;
}
