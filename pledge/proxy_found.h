/* SPDX-License-Identifier: Apache-2.0 */
/* The registrars that a proxy was told of and still believes in, and what they speak. Strangers'
 * words: one sender has few places, gives way to others, and speaks of others' places only until
 * they do so themselves. Pure: whoever hears and asks gives it the time. */
#ifndef PLEDGE_PROXY_FOUND_H
#define PLEDGE_PROXY_FOUND_H

#include "common/net/service_names.h"
#include "pledge/proxy_upstream.h"

#define FOUND_MAX UPSTREAMS_MAX
struct place_found {
	struct upstream to;
	struct variations variations;
	uint8_t sender[ADDRESS_KEY_LEN];
	int64_t until_ms;
};
struct found {
	struct place_found all[FOUND_MAX];
	size_t count;
};
/* In place of what its sender said of that address before, or anybody if it is the sender's own,
 * though not for a shorter time; another's word only makes it last. True when that is news; what
 * there is no room for, or too much of from its sender, is none. */
bool found_keep(struct found *f, const struct place_found *p);
/* True when some were. */
bool found_drop_old(struct found *f, int64_t now_ms);
/* As upstreams; and what all of them speak. When one of them speaks est-tls, those that do not are
 * left out: a device cannot tell them apart behind a proxy. */
void found_sum(const struct found *f, struct upstreams *out, struct variations *all_speak);

#endif
