/* SPDX-License-Identifier: Apache-2.0 */
/* UDP on the links of this machine: which interfaces there are, groups joined on them, datagrams
 * with the interface they came by. Under mDNS and GRASP. Everything happens on the loop's thread.
 */
#ifndef NET_LINK_SOCKET_H
#define NET_LINK_SOCKET_H

#include "common/base/fair_rate.h"
#include "common/net/address.h"
#include "common/net/loop.h"

#define LINK_INTERFACES_MAX 16
#define LINK_DATAGRAM_MAX   9000
#define LINK_HOPS_ON_LINK   255 /* nothing that a router passed on still has it */

struct link_interfaces {
	unsigned index[LINK_INTERFACES_MAX];
	size_t count;
};
/* names: those of them that are there; NULL: all that are up and can multicast, but loopback. */
bool link_interfaces_find(struct link_interfaces *out, const char *const *names, size_t count,
	struct err *e) MUST_CHECK;
bool link_interfaces_have(const struct link_interfaces *on, unsigned index);

struct link_datagram {
	struct address from, to;
	unsigned interface;
	int hops; /* left; -1: not known */
	struct bytes octets;
};
/* Is it from a neighbour: by its address, the group it was sent to, or the hops it has left
 * (RFC 6762 §11; RFC 8990 §2.5.4.1)? */
bool link_datagram_is_near(const struct link_datagram *d);
/* A place that a neighbour names: a link-local one is on the interface the word came by. False for
 * one that leads to this machine's own services or to many at once; who is on this machine may. */
bool link_place(const struct link_datagram *d, struct address *at);

typedef void link_received_fn(void *arg, const struct link_datagram *d);
struct link_socket_config {
	struct loop *loop;
	struct address at; /* its family and port; the address itself is of no importance */
	bool shared;	   /* others may have the port, too */
	int64_t datagrams_per_second; /* more are dropped, fairly among senders */
	link_received_fn *received;
	void *arg;
};
struct link_socket;
struct link_socket *link_socket_new(const struct link_socket_config *c, struct err *e) MUST_CHECK;
void link_socket_free(struct link_socket *s);
/* Again is fine. Best effort: an interface without an address of this family has no groups. */
void link_socket_join(
	struct link_socket *s, const struct address *group, const struct link_interfaces *on);
/* To a group on each of these, or (on NULL) to an address. Best effort. */
void link_socket_send(struct link_socket *s, const struct address *to,
	const struct link_interfaces *on, struct bytes octets);

#endif
