/* SPDX-License-Identifier: Apache-2.0 */
/* DER, read strictly and written minimally (X.690): the TLV reader under cms, csr, csrattrs,
 * idevid and pkcs7_certs. Definite, minimal lengths only; nothing is copied; nothing is allocated.
 */
#ifndef WIRE_DER_H
#define WIRE_DER_H

#include "common/base/buf.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_PRINTABLE_STRING = 0x13,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
#define DER_CONTEXT(n)		   (0x80 | (n)) /* [n] IMPLICIT, primitive */
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n)) /* [n], constructed */

/* What is left to read; a copy of the struct is a bookmark. */
struct der {
	const uint8_t *p;
	size_t len;
};

struct der_tlv {
	uint8_t tag;	    /* one-octet tags only: BRSKI needs no others */
	struct der content; /* the value */
	struct bytes whole; /* tag, length and value as they stood */
};

struct der der_of(struct bytes b);
bool der_at_end(const struct der *d);
/* Take the next element. ERR_INPUT: truncated, indefinite or non-minimal length, multi-octet tag.
 */
bool der_next(struct der *d, struct der_tlv *out, struct err *e) MUST_CHECK;
/* Take the next element, which must have this tag; `what` names it in the error. */
bool der_expect(struct der *d, uint8_t tag, struct der_tlv *out, const char *what,
	struct err *e) MUST_CHECK;
/* Take the next element if it has this tag; *present says whether. */
bool der_optional(
	struct der *d, uint8_t tag, struct der_tlv *out, bool *present, struct err *e) MUST_CHECK;
/* Nothing may be left. */
bool der_expect_end(const struct der *d, const char *what, struct err *e) MUST_CHECK;
/* The content equals these OID octets (without tag and length). */
bool der_oid_is(const struct der_tlv *t, struct bytes oid);
/* A small non-negative INTEGER. */
bool der_uint(const struct der_tlv *t, uint32_t *out, struct err *e) MUST_CHECK;

/* Walk the whole encoding: every length definite, minimal and within its parent, depth bounded,
 * no octets after the first element. Constructed universal/context tags are descended into. */
bool der_scan(struct bytes b, unsigned depth_max, struct err *e) MUST_CHECK;

/* Append one element around content. */
bool der_put(struct buf *out, uint8_t tag, struct bytes content, struct err *e) MUST_CHECK;

/* Append a SET OF (or its implicitly tagged form) of ready-made elements in DER order, ascending as
 * octet strings (X.690 §11.6); items is sorted in place. */
bool der_put_set_of(
	struct buf *out, uint8_t tag, struct bytes *items, size_t count, struct err *e) MUST_CHECK;

#endif
