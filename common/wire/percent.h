/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding (RFC 3986 §2.1) and query strings as our admin routes use them. */
#ifndef WIRE_PERCENT_H
#define WIRE_PERCENT_H

#include "common/base/buf.h"

/* Append in with everything but unreserved characters encoded: fit for one path segment or value.
 */
bool percent_encode(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* Append what in stands for. ERR_INPUT: not well-formed, or it contains a NUL. */
bool percent_decode(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* The decoded value of name in "a=1&b=2" appended to out; *found says whether it is there. */
bool percent_query(const char *query, const char *name, struct buf *out, bool *found,
	struct err *e) MUST_CHECK;

#endif
