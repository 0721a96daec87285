/* SPDX-License-Identifier: Apache-2.0 */
/* application/multipart-core (RFC 8710): a CBOR array of content-format and octets in turn, in
 * which EST over CoAP sends several certificates, or a key and its certificate (RFC 9148 §4.8). */
#ifndef WIRE_MULTIPART_CORE_H
#define WIRE_MULTIPART_CORE_H

#include "common/wire/cbor.h"

struct multipart_part {
	uint16_t format;      /* CoAP content-format */
	struct bytes content; /* a view */
};

/* At most max parts into out[]; *count says how many there are. Two array elements are one part: an
 * odd number of them is ERR_INPUT. A part that is null (RFC 8710 §2) has no octets. More than max:
 * ERR_TOO_LARGE. */
bool multipart_core_read(struct bytes octets, struct multipart_part *out, size_t max, size_t *count,
	struct err *e) MUST_CHECK;
/* Appends. */
bool multipart_core_put(struct buf *out, const struct multipart_part *parts, size_t count,
	struct err *e) MUST_CHECK;

#endif
