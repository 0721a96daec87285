/* SPDX-License-Identifier: Apache-2.0 */
/* The relay of CoAPS to one registrar: a join port (UDP) at every place, where neighbours send
 * their DTLS, and one of two ways to carry it on (draft-ietf-anima-constrained-join-proxy §4.3,
 * §4.4). The content is never looked at. */
#ifndef PLEDGE_PROXY_RELAY_H
#define PLEDGE_PROXY_RELAY_H

#include <sys/queue.h>

#include "common/base/fair_rate.h"
#include "common/base/log.h"
#include "common/net/address.h"
#include "common/net/loop.h"
#include "pledge/proxy_header.h"
#include "pledge/proxy_icmp.h"
#include "pledge/proxy_places.h"

/* Longer ones do not come through a link that is served like this; they are dropped. */
#define RELAY_DATAGRAM_MAX 2048
#define RELAY_BATCH	   16 /* datagrams from one socket before the loop goes on */

/* What the relays of a place have in common. */
struct place_share {
	struct fair_rate rate;			   /* datagrams from neighbours (row J-19) */
	LIST_HEAD(mapping_list, mapping) mappings; /* of all stateful relays (row J-05) */
	size_t mapping_count;
	int64_t relayed_ms; /* when the last went either way */
	uint64_t dropped;   /* since it was told */
	int64_t told_ms;
};

struct relay_config {
	struct loop *loop;
	const struct log *log;
	const struct place *places; /* borrowed, as all that follows */
	size_t place_count;
	struct place_share *shares; /* one for each place */
	struct address registrar;
	uint8_t index;		  /* of the registrar, as it stands in headers */
	uint16_t port;		  /* of the join port; 0: any */
	struct header_keys *keys; /* stateless */
	struct proxy_icmp *icmp;  /* stateful; NULL: errors are not told */
	size_t mappings_max, per_neighbour_max;
	int64_t expiry_ms;
};

struct relay;
struct join_port {
	struct relay *relay;
	size_t place;
	int fd;
	struct address at;
	struct event *readable;
};

struct relay_kind {
	const char *name;
	bool (*open)(struct relay *r, struct err *e);
	void (*receive)(struct join_port *p, const struct address *from, struct bytes datagram);
	void (*close)(struct relay *r);
};
extern const struct relay_kind relay_stateful, relay_stateless;

struct relay {
	struct relay_config config;
	const struct relay_kind *kind;
	struct join_port ports[PLACES_MAX];
	void *state; /* the kind's own */
};

struct relay *relay_new(
	const struct relay_kind *kind, const struct relay_config *config, struct err *e) MUST_CHECK;
void relay_free(struct relay *r);

/* ---- for the kinds ---- */

/* A UDP socket whose only peer is the registrar; *out is an event on it, not added. -1 with *e. */
int relay_open_upstream(const struct relay *r, event_callback_fn fn, void *arg, struct event **out,
	struct err *e) MUST_CHECK;
/* To a neighbour, from its join port. */
void relay_send(const struct join_port *p, const struct address *to, struct bytes datagram);
/* It does not go on. Told now and then, with the number of those that went before. */
void relay_drop(const struct join_port *p, const struct address *from, const char *reason);

#endif
