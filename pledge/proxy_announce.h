/* SPDX-License-Identifier: Apache-2.0 */
/* A proxy tells devices that it is there, by multicast DNS (_brski-proxy._tcp) and by GRASP
 * (AN_Proxy, RFC 8995 §4.1.1; draft-ietf-anima-brski-discovery §3.3; rows R8995-JP-003,
 * R8995-JP-004, DISC-JP-001), as long as there is a registrar behind it that takes connections:
 * each is tried now and then, so that the last one's end is noticed when nobody joins
 * (DISC-JP-004). */
#ifndef PLEDGE_PROXY_ANNOUNCE_H
#define PLEDGE_PROXY_ANNOUNCE_H

#include "pledge/config.h"
#include "pledge/proxy_circuit.h"
#include "pledge/proxy_places.h"
#include "pledge/proxy_seek.h"

struct proxy_announce_config {
	struct loop *loop;
	const struct log *log;
	const struct proxy_options *options; /* borrowed, as all that follows */
	const struct place *places;
	size_t place_count;
	const struct circuits *circuits;
	struct upstreams *upstreams;	     /* of the circuits */
	const struct variations *variations; /* that they speak */
};
struct proxy_announce;
struct proxy_announce *proxy_announce_new(
	const struct proxy_announce_config *config, struct err *e) MUST_CHECK;
/* Upstreams or variations are others than before: they are tried, and told of. */
void proxy_announce_changed(struct proxy_announce *a);
/* Take it back for good. */
void proxy_announce_drain(struct proxy_announce *a);
void proxy_announce_free(struct proxy_announce *a);

#endif
