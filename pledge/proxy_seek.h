/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars for HTTPS that a proxy finds by itself on its uplinks: those that announce themselves
 * by multicast DNS, asked for again and again, and by GRASP (RFC 8995 §4.3, Appendix B;
 * draft-ietf-anima-brski-discovery §3.3; rows R8995-JP-002, R8995-JP-004, DISC-JP-002).
 *
 * What is found are strangers' words, and a place to relay to is all they are good for: the devices
 * judge who is there. One sender has few places, and none of this machine itself. */
#ifndef PLEDGE_PROXY_SEEK_H
#define PLEDGE_PROXY_SEEK_H

#include "common/base/log.h"
#include "common/net/loop.h"
#include "pledge/proxy_found.h"
#include "pledge/proxy_uplinks.h"

struct seek_config {
	struct loop *loop;
	const struct log *log;
	struct uplinks uplinks;
	uint16_t mdns_port, grasp_port; /* 5353 and 7017 but in tests */
	int64_t look_ms;		/* from one look to the next */
	loop_fn *changed;		/* others are found than before; or NULL */
	void *arg;
};
struct seek;
/* The first look begins at once. */
struct seek *seek_new(const struct seek_config *config, struct err *e) MUST_CHECK;
/* Those that are there now: found_sum(). */
void seek_found(const struct seek *s, struct upstreams *out, struct variations *all_speak);
void seek_free(struct seek *s);

#endif
