/* SPDX-License-Identifier: Apache-2.0 */
/* The registrars a proxy relays to, and which of them is tried next: any of those that work, at
 * random, so that many proxies do not all choose the same one after a power cut (rows DISC-JP-003,
 * DISC-JP-005), those of the least priority first and by their weight (RFC 2782); one that failed
 * rests before it is tried again. */
#ifndef PLEDGE_PROXY_UPSTREAM_H
#define PLEDGE_PROXY_UPSTREAM_H

#include "common/net/address.h"
#include "common/wire/uri.h"

#define UPSTREAMS_MAX	 32    /* addresses: a discovery draft asks for 4 to 10 registrars */
#define UPSTREAM_REST_MS 60000 /* DISC-JP-003 */

struct upstream {
	struct address at;
	unsigned priority, weight; /* 0 and 0 of those that are configured */
	int64_t failed_ms;	   /* 0: it did not */
	bool works;		   /* it took a connection, and no failure came after that */
};
struct upstreams {
	struct upstream list[UPSTREAMS_MAX];
	size_t count;
};

/* Add every address of the URI's host; a name is looked up, which blocks. ERR_IO: it has none. */
bool upstreams_resolve(struct upstreams *u, const struct uri *uri, struct err *e) MUST_CHECK;
/* One more; false when it is there already, or when there is no room. */
bool upstreams_add(struct upstreams *u, const struct address *at);
/* The one to try at now_ms, not one of those in tried (a bit each): one that works, else the one
 * that failed longest ago. -1: all have been tried. */
int upstreams_pick(const struct upstreams *u, uint32_t tried, int64_t now_ms);
/* What is known of each address is known of the same one in `to`. */
void upstreams_remember(const struct upstreams *from, struct upstreams *to);
/* Does any of them work? */
bool upstreams_any_works(const struct upstreams *u);
void upstreams_failed(struct upstreams *u, const struct address *at, int64_t now_ms);
void upstreams_works(struct upstreams *u, const struct address *at);

#endif
