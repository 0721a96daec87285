/* SPDX-License-Identifier: Apache-2.0 */
/* The circuit proxy for HTTPS (RFC 8995 §4): each TCP connection of a neighbour becomes one to a
 * registrar, and octets pass both ways unread (R8995-JP-001, R8995-JP-009). Half-close, reset and
 * silence pass through (R8995-JP-008). What one neighbour can take is bounded: its connections, how
 * fast it opens them, and its share of the octets (proxy_share.h). */
#ifndef PLEDGE_PROXY_CIRCUIT_H
#define PLEDGE_PROXY_CIRCUIT_H

#include "common/base/log.h"
#include "common/net/address.h"
#include "common/net/loop.h"
#include "pledge/proxy_upstream.h"

struct circuit_limits {
	size_t connections_max, per_neighbour_max;
	int64_t opens_per_second; /* of all; see fair_rate.h for one neighbour's part */
	int64_t connect_ms;	  /* for one address of a registrar */
	int64_t idle_ms, lifetime_ms;
	int64_t octets_per_second; /* of all neighbours; 0: no limit */
};

struct circuits_config {
	struct loop *loop;
	const struct log *log;
	const struct address *listen; /* with the port to listen on, 0: any */
	size_t listen_count;
	struct upstreams *upstreams; /* borrowed; may change between events */
	struct circuit_limits limits;
};

#define CIRCUIT_LISTENERS_MAX 16

struct circuits;
struct circuits *circuits_new(const struct circuits_config *config, struct err *e) MUST_CHECK;
/* Where listener i is reached. */
const struct address *circuits_address(const struct circuits *c, size_t i);
/* No new connections; done(arg) when the last has ended. On the loop's thread. */
void circuits_drain(struct circuits *c, loop_fn *done, void *arg);
/* What still stands is reset. */
void circuits_free(struct circuits *c);

#endif
