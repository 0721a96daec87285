/* SPDX-License-Identifier: Apache-2.0 */
/* The message between a stateless join proxy and a registrar's join port
 * (draft-ietf-anima-constrained-join-proxy §4.4, §4.5): a CBOR array [header, content] of byte
 * strings. The header is the proxy's own: whoever answers gives it back octet for octet and does
 * not look into it (row J-09). The content is one datagram of the pledge's DTLS. */
#ifndef WIRE_JPY_H
#define WIRE_JPY_H

#include "common/base/buf.h"

/* What is written (row J-12: SHOULD), and what is read of somebody else's: twice as much. */
#define JPY_HEADER_WRITE_MAX 32
#define JPY_HEADER_MAX	     64
/* The array's head, the header's (up to 2 octets) and the content's (up to 3). With a header of 32
 * octets a datagram grows by at most 38 (rows J-12, J-17). */
#define JPY_FRAMING_MAX	 6
#define JPY_OVERHEAD_MAX (JPY_FRAMING_MAX + JPY_HEADER_WRITE_MAX)
#define JPY_CONTENT_MAX	 65535 /* no datagram holds more */

struct jpy {
	struct bytes header, content; /* borrowed */
};

/* An array of at least two elements, the first two byte strings in one piece each; what follows is
 * passed over (row J-08). Anything else is ERR_INPUT or ERR_TOO_LARGE: drop it without an answer.
 * An empty content is refused, there is nothing to relay in it. Allocates nothing. */
bool jpy_parse(struct bytes datagram, struct jpy *out, struct err *e) MUST_CHECK;
/* Appends, in the shortest form (row J-07). */
bool jpy_format(const struct jpy *m, struct buf *out, struct err *e) MUST_CHECK;

#endif
