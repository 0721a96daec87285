/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of CBOR share: cbor_walk.c goes through encodings and knows what is well formed,
 * cbor.c takes items, cbor_write.c writes them. */
#ifndef WIRE_CBOR_PARTS_H
#define WIRE_CBOR_PARTS_H

#include "common/wire/cbor.h"

/* The upper three bits of an item's first octet (RFC 8949 §3.1), as enum cbor_type has them. */
enum {
	MAJOR_UINT,
	MAJOR_NEGATIVE,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_OTHER
};

/* The lower five: what is below is the argument itself, */
#define INFO_ONE_OCTET	24 /* here it is in the next octet; 25: in two, ... */
#define INFO_EIGHT	27
#define INFO_INDEFINITE 31

struct cbor_head {
	uint8_t major;
	uint8_t info;
	uint64_t argument;
	bool indefinite;
};
/* The first octet and the argument. A break is the caller's to look for. */
bool cbor_head_take(struct cbor_reader *r, struct cbor_head *h, struct err *e) MUST_CHECK;

/* The pieces of a string one after the other; of a definite one there is one. */
struct cbor_pieces {
	struct cbor_reader left;
	struct cbor_head head;
	bool over;
};
bool cbor_pieces_begin(struct cbor_reader at, struct cbor_pieces *out, struct err *e) MUST_CHECK;
/* The next piece; over is set, and *out empty, behind the last. */
bool cbor_pieces_next(struct cbor_pieces *s, struct bytes *out, struct err *e) MUST_CHECK;

/* Through the next item to its end, checking all of it. */
bool cbor_walk(struct cbor_reader *r, struct err *e) MUST_CHECK;

#endif
