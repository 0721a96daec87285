/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648 §4, §5), with the dialects EST peers send (RFC 8951 §3.1). */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include "common/base/buf.h"

/* Append standard, padded base64 without line breaks. */
bool base64_encode(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* As above, broken into lines of line_len characters (64 or 76), each ended by "\n" (the last too).
 */
bool base64_encode_wrapped(
	struct bytes in, size_t line_len, struct buf *out, struct err *e) MUST_CHECK;

/* Strict: standard alphabet, correct padding, zero trailing bits, nothing else (ENC-ALL-008). */
bool base64_decode(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* As strict, but CR, LF, space and tab may stand anywhere (ECA-04). */
bool base64_decode_spaced(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;
/* Either alphabet, padding optional: for comparing nonces only (T-04). */
bool base64_decode_any(struct bytes in, struct buf *out, struct err *e) MUST_CHECK;

#endif
