/* SPDX-License-Identifier: Apache-2.0 */
/* Writing CBOR: the shortest head, definite lengths, and, where a map's keys go through
 * cbor_put_key(), the order of RFC 8949 §4.2.1. */
#include "common/wire/cbor_parts.h"

#include <string.h>

#define HEAD_MAX 9

static bool put_head(struct buf *out, uint8_t major, uint64_t argument, struct err *e)
{
	uint8_t head[HEAD_MAX];
	size_t octets = 0, power = 0; /* 1, 2, 4 or 8 octets of argument */

	if (argument >= INFO_ONE_OCTET) {
		octets = 1;
		while (octets < 8 && argument >> (8 * octets) != 0) {
			octets *= 2;
			power++;
		}
	}
	head[0] = (uint8_t)(major << 5 | (octets ? INFO_ONE_OCTET + power : argument));
	for (size_t i = 0; i < octets; i++)
		head[1 + i] = (uint8_t)(argument >> (8 * (octets - 1 - i)));
	return buf_append(out, head, 1 + octets, e);
}

bool cbor_put_uint(struct buf *out, uint64_t value, struct err *e)
{
	return put_head(out, MAJOR_UINT, value, e);
}

bool cbor_put_int(struct buf *out, int64_t value, struct err *e)
{
	if (value < 0)
		return put_head(out, MAJOR_NEGATIVE, (uint64_t)(-1 - value), e);
	return put_head(out, MAJOR_UINT, (uint64_t)value, e);
}

static bool put_string(struct buf *out, uint8_t major, struct bytes value, struct err *e)
{
	size_t before = out->len;

	if (put_head(out, major, value.len, e) && buf_append(out, value.data, value.len, e))
		return true;
	out->len = before;
	return false;
}

bool cbor_put_bytes(struct buf *out, struct bytes value, struct err *e)
{
	return put_string(out, MAJOR_BYTES, value, e);
}

bool cbor_put_text(struct buf *out, const char *value, struct err *e)
{
	return put_string(out, MAJOR_TEXT, bytes_of_str(value), e);
}

bool cbor_put_bool(struct buf *out, bool value, struct err *e)
{
	return put_head(out, MAJOR_OTHER, value ? CBOR_TRUE : CBOR_FALSE, e);
}

bool cbor_put_null(struct buf *out, struct err *e)
{
	return put_head(out, MAJOR_OTHER, CBOR_NULL, e);
}

bool cbor_put_tag(struct buf *out, uint64_t tag, struct err *e)
{
	return put_head(out, MAJOR_TAG, tag, e);
}

bool cbor_put_array(struct buf *out, size_t count, struct err *e)
{
	return put_head(out, MAJOR_ARRAY, count, e);
}

bool cbor_put_map(struct buf *out, size_t count, struct err *e)
{
	return put_head(out, MAJOR_MAP, count, e);
}

/* Does the encoding b come after a, octet by octet? In the shortest form neither begins the other.
 */
static bool ascends(struct bytes a, struct bytes b)
{
	int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return order < 0 || (order == 0 && a.len < b.len);
}

/* The key that now stands at `at`, compared with the one before. */
static bool keep_order(struct buf *out, struct cbor_key_order *order, size_t at, struct err *e)
{
	struct bytes before = {out->data + order->last_at, order->last_len};
	struct bytes key = {out->data + at, out->len - at};

	if (before.len > 0 && !ascends(before, key)) {
		out->len = at;
		return err_set(e, ERR_BUG, "CBOR: keys out of order");
	}
	order->last_at = at;
	order->last_len = key.len;
	return true;
}

bool cbor_put_key(struct buf *out, struct cbor_key_order *order, int64_t key, struct err *e)
{
	size_t at = out->len;

	return cbor_put_int(out, key, e) && keep_order(out, order, at, e);
}
