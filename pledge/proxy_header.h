/* SPDX-License-Identifier: Apache-2.0 */
/* The header a stateless proxy sends along with a device's datagram and gets back with the answer:
 * all it would otherwise have to remember, sealed with a key of its own
 * (draft-ietf-anima-constrained-join-proxy §4.5.5; rows J-12, J-13).
 *
 * A registrar takes the header for a part of the peer's name (row J-10), so that it must be the
 *same for every datagram of one device, and there is nowhere to keep a nonce: hence AES-SIV, which
 *is deterministic, authenticates, and needs no nonce, and not GCM, which is broken when one
 *repeats. The price is that a header can be used again as long as its key lives; whoever can do
 *that is on the registrar's side, and all it gains is a datagram to a device that had asked for
 *one.
 *
 *	16 octets  SIV: tag and IV in one, not shortened
 *	12 octets  encrypted: place, registrar, port (2), address (8)
 *
 * 28 octets of the 32 that are allowed; with the framing 33 more than the datagram, or 34 when it
 * is long. The address is an IPv4 address, or the lower half of an IPv6 address whose upper half is
 * the place's own: that of every neighbour on the link. */
#ifndef PLEDGE_PROXY_HEADER_H
#define PLEDGE_PROXY_HEADER_H

#include "common/net/address.h"

#define HEADER_LEN	28
#define HEADER_KEY_MS	(24 * 3600 * 1000LL) /* a new key every day (row J-13), */
#define HEADER_QUIET_MS 60000LL		     /* in a quiet moment: a new header is a new peer, */
#define HEADER_LATE_MS	(36 * 3600 * 1000LL) /* and at this age in any case */
#define HEADER_GRACE_MS (3600 * 1000LL)	     /* answers to the key before are taken for so long */

struct header_keys;
struct header_keys *header_keys_new(int64_t now_ms, struct err *e) MUST_CHECK;
void header_keys_free(struct header_keys *k);

struct header {
	uint8_t place, registrar;
	struct address device; /* a neighbour at that place */
};
/* here: the place's own address. ERR_REFUSED: the device is not on the same link. now_ms is of a
 * clock that never jumps. */
bool header_seal(struct header_keys *k, const struct header *h, const struct address *here,
	int64_t now_ms, uint8_t out[HEADER_LEN], struct err *e) MUST_CHECK;
/* places: the proxy's own addresses. ERR_UNAUTHENTICATED: not ours, or too old. */
bool header_open(struct header_keys *k, struct bytes sealed, const struct address *places,
	size_t place_count, int64_t now_ms, struct header *out, struct err *e) MUST_CHECK;

#endif
