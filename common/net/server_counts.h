/* SPDX-License-Identifier: Apache-2.0 */
/* What a server has counted since it began, HTTP or CoAP: whoever watches the daemon asks for it.
 */
#ifndef NET_SERVER_COUNTS_H
#define NET_SERVER_COUNTS_H

#include <stdatomic.h>
#include <stdint.h>

struct server_counts {
	uint64_t handshakes;	    /* of TLS or DTLS that came to their end */
	uint64_t handshakes_failed; /* refused, given up, or cut off */
	uint64_t shed;		    /* connections ended or refused because there was no room */
};

/* The same as it is counted: each loop adds, nobody waits for another. */
struct server_tally {
	atomic_uint_least64_t handshakes, handshakes_failed, shed;
};

static inline void server_count(atomic_uint_least64_t *which)
{
	atomic_fetch_add_explicit(which, 1, memory_order_relaxed);
}

static inline void server_tally_read(const struct server_tally *t, struct server_counts *out)
{
	out->handshakes = atomic_load_explicit(&t->handshakes, memory_order_relaxed);
	out->handshakes_failed = atomic_load_explicit(&t->handshakes_failed, memory_order_relaxed);
	out->shed = atomic_load_explicit(&t->shed, memory_order_relaxed);
}

#endif
