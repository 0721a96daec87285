/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR (RFC 8949), read within bounds and written in one way: under COSE, constrained vouchers,
 * telemetry, multipart-core and the join proxy's header.
 *
 * Reading copies nothing and allocates nothing: a reader is a view of what is left, a copy of it is
 * a bookmark. cbor_open() looks at the whole encoding first, so that what is read afterwards is
 * well formed. Every valid encoding is taken (lengths longer than needed, indefinite ones), with
 * these limits, each of them ERR_INPUT or ERR_TOO_LARGE: CBOR_DEPTH_MAX, CBOR_MAP_MAX, no array or
 * map as a key of a map, no NUL in text.
 *
 *	struct cbor_reader r, pairs;
 *	if (!cbor_open(octets, &r, e) || !cbor_map(&r, &pairs, NULL, e))
 *		return false;
 *	while (!cbor_at_end(&pairs)) {
 *		int64_t label;
 *		if (!cbor_int(&pairs, &label, e) || !cbor_skip(&pairs, NULL, e))
 *			return false;
 *	}
 */
#ifndef WIRE_CBOR_H
#define WIRE_CBOR_H

#include "common/base/buf.h"

#define CBOR_DEPTH_MAX 16  /* tag, array, bstr, map: a voucher nests 4 deep */
#define CBOR_MAP_MAX   128 /* entries of one map; duplicates are looked for pair by pair */

enum cbor_type {
	CBOR_UINT,
	CBOR_NEGATIVE,
	CBOR_BYTES,
	CBOR_TEXT,
	CBOR_ARRAY,
	CBOR_MAP,
	CBOR_TAG,
	CBOR_SIMPLE, /* false, true, null, undefined and the unassigned */
	CBOR_FLOAT,
	CBOR_END, /* nothing is left */
};

#define CBOR_FALSE     20
#define CBOR_TRUE      21
#define CBOR_NULL      22
#define CBOR_UNDEFINED 23

/* What is left to read. */
struct cbor_reader {
	const uint8_t *p;
	size_t len;
};

/* ---- reading; every function takes the next item or leaves the reader where it was ---- */

/* Exactly one item, looked through as a whole: well formed, text in UTF-8, no key twice in any map
 * (whatever its encoding), nothing after it. ERR_INPUT, ERR_TOO_LARGE. */
bool cbor_open(struct bytes octets, struct cbor_reader *out, struct err *e) MUST_CHECK;
bool cbor_at_end(const struct cbor_reader *r);
/* The type of the next item, CBOR_END when there is none. */
enum cbor_type cbor_peek(const struct cbor_reader *r);

bool cbor_uint(struct cbor_reader *r, uint64_t *out, struct err *e) MUST_CHECK;
/* Either sign, what fits. */
bool cbor_int(struct cbor_reader *r, int64_t *out, struct err *e) MUST_CHECK;
bool cbor_bool(struct cbor_reader *r, bool *out, struct err *e) MUST_CHECK;
/* The number of the simple value: CBOR_NULL, ... */
bool cbor_simple(struct cbor_reader *r, uint8_t *out, struct err *e) MUST_CHECK;
/* A view of the octets. A string of indefinite length in several pieces has no view and is refused:
 * for formats whose strings are short or one's own. */
bool cbor_bytes(struct cbor_reader *r, struct bytes *out, struct err *e) MUST_CHECK;
/* Append the string, whatever pieces it is in. Within out's maximum. */
bool cbor_bytes_copy(struct cbor_reader *r, struct buf *out, struct err *e) MUST_CHECK;
bool cbor_text_copy(struct cbor_reader *r, struct buf *out, struct err *e) MUST_CHECK;
/* Take the whole container; its elements, keys and values in turn, are read from *inner until
 * cbor_at_end(). count: elements or pairs, may be NULL. */
bool cbor_array(
	struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e) MUST_CHECK;
bool cbor_map(
	struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e) MUST_CHECK;
/* Take the tag; the item it marks comes next. */
bool cbor_tag(struct cbor_reader *r, uint64_t *out, struct err *e) MUST_CHECK;
/* Take one item of any type; whole: its octets as they stood, may be NULL. */
bool cbor_skip(struct cbor_reader *r, struct bytes *whole, struct err *e) MUST_CHECK;

/* ---- writing: appends; shortest form, definite lengths (RFC 8949 §4.2.1) ---- */

bool cbor_put_uint(struct buf *out, uint64_t value, struct err *e) MUST_CHECK;
bool cbor_put_int(struct buf *out, int64_t value, struct err *e) MUST_CHECK;
bool cbor_put_bytes(struct buf *out, struct bytes value, struct err *e) MUST_CHECK;
bool cbor_put_text(struct buf *out, const char *value, struct err *e) MUST_CHECK;
bool cbor_put_bool(struct buf *out, bool value, struct err *e) MUST_CHECK;
bool cbor_put_null(struct buf *out, struct err *e) MUST_CHECK;
bool cbor_put_tag(struct buf *out, uint64_t tag, struct err *e) MUST_CHECK;
/* The head only: count elements or pairs follow. */
bool cbor_put_array(struct buf *out, size_t count, struct err *e) MUST_CHECK;
bool cbor_put_map(struct buf *out, size_t count, struct err *e) MUST_CHECK;

/* The keys of one map in the order of a deterministic encoding. One per map, {0} at its start; a
 * key that does not ascend is ERR_BUG. */
struct cbor_key_order {
	size_t last_at, last_len; /* where the key before stands in out */
};
bool cbor_put_key(
	struct buf *out, struct cbor_key_order *order, int64_t key, struct err *e) MUST_CHECK;

#endif
