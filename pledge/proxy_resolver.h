/* SPDX-License-Identifier: Apache-2.0 */
/* Looks registrars' names up again, in a thread of its own: the loop that relays must not wait for
 * a name server. */
#ifndef PLEDGE_PROXY_RESOLVER_H
#define PLEDGE_PROXY_RESOLVER_H

#include "common/net/loop.h"
#include "pledge/proxy_upstream.h"

struct resolver;
/* registrars and out are borrowed; others than https are passed over. */
struct resolver *resolver_new(struct loop *l, const struct uri *registrars, size_t count,
	struct upstreams *out, struct err *e) MUST_CHECK;
/* Is there a name among them? */
bool resolver_is_needed(const struct resolver *r);
/* On the loop's thread: begin, unless it is at work. Later, on the loop, out is replaced when there
 * was an answer for each name; what is known of an address's failures stays. */
void resolver_start(struct resolver *r);
/* Waits for a lookup that is under way. The loop must have stopped. */
void resolver_free(struct resolver *r);

#endif
