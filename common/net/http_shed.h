/* SPDX-License-Identifier: Apache-2.0 */
/* Who has to go when there is no room for who comes. A registrar must let a device in however many
 * connections others keep open, and even from the same address, because a warehouse sits behind
 * one; so the server does not refuse the new connection but ends the one that has done nothing for
 * longest.
 *
 * Two queues, the connections no request of which has been answered yet and the others, each in the
 * order of their last progress. The oldest of the longer queue goes: a flood of connections pushes
 * out its own kind first, and neither kind can take the other's half. A connection whose request is
 * with a handler never goes. One set of queues per loop, touched by its thread only. */
#ifndef NET_HTTP_SHED_H
#define NET_HTTP_SHED_H

#include <sys/queue.h>

#include "common/net/http_sources.h"

struct conn;
TAILQ_HEAD(shed_queue, conn);

struct shed {
	struct shed_queue fresh;  /* nothing answered yet: handshakes, first requests */
	struct shed_queue served; /* last answer longest ago first */
};

/* Which of them may go; all of them when nothing is set. */
struct shed_wish {
	const uint8_t *source;	 /* HTTP_SOURCE_LEN octets; or NULL */
	const uint8_t *identity; /* HTTP_SOURCE_LEN octets; or NULL */
	bool holds_memory;
};

void shed_init(struct shed *s);
void shed_enter(struct shed *s, struct conn *c);
void shed_leave(struct shed *s, struct conn *c);
/* A request of it has been answered just now. */
void shed_served(struct shed *s, struct conn *c);
/* The one to go, still in its queue; NULL when nobody can. */
struct conn *shed_choose(struct shed *s, const struct shed_wish *wish);

#endif
