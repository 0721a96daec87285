/* SPDX-License-Identifier: Apache-2.0 */
/* Reading CBOR item by item. Entering a container means finding its end once; inside, no count and
 * no break octet is in anybody's way (RFC 8949 §3). What is well formed is cbor_walk.c's business.
 */
#include "common/wire/cbor_parts.h"

static const char *const type_names[] = {
	[CBOR_UINT] = "unsigned integer",
	[CBOR_NEGATIVE] = "negative integer",
	[CBOR_BYTES] = "byte string",
	[CBOR_TEXT] = "text",
	[CBOR_ARRAY] = "array",
	[CBOR_MAP] = "map",
	[CBOR_TAG] = "tag",
	[CBOR_SIMPLE] = "simple value",
	[CBOR_FLOAT] = "floating-point number",
	[CBOR_END] = "end",
};

bool cbor_at_end(const struct cbor_reader *r)
{
	return r->len == 0;
}

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
	if (r->len == 0)
		return CBOR_END;
	uint8_t major = r->p[0] >> 5, info = r->p[0] & 0x1f;
	if (major < MAJOR_OTHER)
		return (enum cbor_type)major;
	return info > INFO_ONE_OCTET && info <= INFO_EIGHT ? CBOR_FLOAT : CBOR_SIMPLE;
}

bool cbor_open(struct bytes octets, struct cbor_reader *out, struct err *e)
{
	struct cbor_reader r = {.p = octets.data, .len = octets.len};

	*out = r;
	return cbor_walk(&r, e) &&
	       (cbor_at_end(&r) || err_set(e, ERR_INPUT, "CBOR: %zu octets after the end", r.len));
}

/* ---- taking items ---- */

static bool expect(const struct cbor_reader *r, enum cbor_type type, struct err *e)
{
	enum cbor_type found = cbor_peek(r);

	if (found == type)
		return true;
	return err_set(
		e, ERR_INPUT, "CBOR: %s where %s belongs", type_names[found], type_names[type]);
}

bool cbor_uint(struct cbor_reader *r, uint64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct cbor_head h;

	if (!expect(r, CBOR_UINT, e) || !cbor_head_take(&at, &h, e))
		return false;
	*out = h.argument;
	*r = at;
	return true;
}

bool cbor_int(struct cbor_reader *r, int64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct cbor_head h;

	if (cbor_peek(r) != CBOR_NEGATIVE && !expect(r, CBOR_UINT, e))
		return false;
	if (!cbor_head_take(&at, &h, e))
		return false;
	if (h.argument > INT64_MAX)
		return err_set(e, ERR_INPUT, "CBOR: integer out of range");
	*out = h.major == MAJOR_UINT ? (int64_t)h.argument : -1 - (int64_t)h.argument;
	*r = at;
	return true;
}

bool cbor_simple(struct cbor_reader *r, uint8_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct cbor_head h;

	if (!expect(r, CBOR_SIMPLE, e) || !cbor_head_take(&at, &h, e))
		return false;
	*out = (uint8_t)h.argument;
	*r = at;
	return true;
}

bool cbor_bool(struct cbor_reader *r, bool *out, struct err *e)
{
	struct cbor_reader at = *r;
	uint8_t value;

	if (!cbor_simple(&at, &value, e))
		return false;
	if (value != CBOR_FALSE && value != CBOR_TRUE)
		return err_set(e, ERR_INPUT, "CBOR: simple value %u is no boolean", value);
	*out = value == CBOR_TRUE;
	*r = at;
	return true;
}

bool cbor_bytes(struct cbor_reader *r, struct bytes *out, struct err *e)
{
	struct cbor_pieces s;
	struct bytes piece;

	*out = bytes_of(NULL, 0);
	if (!expect(r, CBOR_BYTES, e) || !cbor_pieces_begin(*r, &s, e))
		return false;
	while (!s.over) {
		if (!cbor_pieces_next(&s, &piece, e))
			return false;
		if (out->len > 0 && piece.len > 0)
			return err_set(e, ERR_INPUT, "CBOR: a byte string in pieces");
		if (piece.len > 0)
			*out = piece;
	}
	*r = s.left;
	return true;
}

static bool copy(struct cbor_reader *r, enum cbor_type type, struct buf *out, struct err *e)
{
	struct cbor_pieces s;
	struct bytes piece;
	size_t before = out->len;

	if (!expect(r, type, e) || !cbor_pieces_begin(*r, &s, e))
		return false;
	while (!s.over) {
		if (!cbor_pieces_next(&s, &piece, e) ||
			!buf_append(out, piece.data, piece.len, e)) {
			out->len = before;
			return false;
		}
	}
	*r = s.left;
	return true;
}

bool cbor_bytes_copy(struct cbor_reader *r, struct buf *out, struct err *e)
{
	return copy(r, CBOR_BYTES, out, e);
}

bool cbor_text_copy(struct cbor_reader *r, struct buf *out, struct err *e)
{
	return copy(r, CBOR_TEXT, out, e);
}

bool cbor_skip(struct cbor_reader *r, struct bytes *whole, struct err *e)
{
	struct cbor_reader at = *r;

	if (!cbor_walk(&at, e))
		return false;
	if (whole)
		*whole = bytes_of(r->p, (size_t)(at.p - r->p));
	*r = at;
	return true;
}

/* Items up to the end of what is left or the break that stands there. */
static bool count_items(struct cbor_reader inner, size_t *out, struct err *e)
{
	for (*out = 0; !cbor_at_end(&inner); ++*out)
		if (!cbor_skip(&inner, NULL, e))
			return false;
	return true;
}

static bool enter(struct cbor_reader *r, enum cbor_type type, struct cbor_reader *inner,
	size_t *count, struct err *e)
{
	struct cbor_reader at = *r, body = *r;
	struct cbor_head h;

	if (!expect(r, type, e) || !cbor_skip(&at, NULL, e) || !cbor_head_take(&body, &h, e))
		return false;
	*inner = body;
	inner->len = (size_t)(at.p - body.p) - (h.indefinite ? 1 : 0);
	if (count && !count_items(*inner, count, e))
		return false;
	if (count && type == CBOR_MAP)
		*count /= 2;
	*r = at;
	return true;
}

bool cbor_array(struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e)
{
	return enter(r, CBOR_ARRAY, inner, count, e);
}

bool cbor_map(struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e)
{
	return enter(r, CBOR_MAP, inner, count, e);
}

bool cbor_tag(struct cbor_reader *r, uint64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct cbor_head h;

	if (!expect(r, CBOR_TAG, e) || !cbor_head_take(&at, &h, e))
		return false;
	*out = h.argument;
	*r = at;
	return true;
}
