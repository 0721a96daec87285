/* SPDX-License-Identifier: Apache-2.0 */
/* Word of the kernel about interfaces and addresses of this machine (rtnetlink(7)). */
#ifndef NET_LINK_WATCH_H
#define NET_LINK_WATCH_H

#include "common/net/loop.h"

struct link_watch_config {
	struct loop *loop;
	/* An interface came up or an address was given: whoever could not be reached before may be
	 * reachable now (RFC 8995 §4.1: link-up resets the timers). Or NULL. */
	loop_fn *news;
	/* Anything has changed, once for many changes that come together. Or NULL. */
	loop_fn *changed;
	void *arg;
};
struct link_watch;
/* Called on the loop. ERR_IO, ERR_NO_MEMORY. */
struct link_watch *link_watch_new(const struct link_watch_config *c, struct err *e) MUST_CHECK;
void link_watch_free(struct link_watch *w);

#endif
