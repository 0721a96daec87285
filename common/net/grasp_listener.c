/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grasp_listener.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define DATAGRAMS_PER_SECOND 100 /* a neighbour floods once a minute */

struct grasp_listener {
	struct grasp_listener_config config;
	struct link_socket *socket;
};

static bool place_of(const struct grasp_objective *o, struct address *out)
{
	memset(out, 0, sizeof(*out));
	if (o->locator == GRASP_IPV6_LOCATOR) {
		out->v6.sin6_family = AF_INET6;
		memcpy(&out->v6.sin6_addr, o->address, 16);
		out->len = sizeof(out->v6);
	} else if (o->locator == GRASP_IPV4_LOCATOR) {
		out->v4.sin_family = AF_INET;
		memcpy(&out->v4.sin_addr, o->address, 4);
		out->len = sizeof(out->v4);
	} else {
		return false; /* a name would have to be asked for, and none is on a link */
	}
	address_set_port(out, o->port);
	return true;
}

/* The flag says whether the objective is flooded at all (RFC 8990 §2.10.5). */
static void take(struct grasp_listener *l, const struct link_datagram *d, uint32_t ttl_ms,
	const struct grasp_objective *o)
{
	struct grasp_found found = {
		.service = service_grasp_find(o->name, o->protocol), .ttl_ms = ttl_ms};

	if (!found.service || !(o->flags & GRASP_FLAG_SYNCH) || !place_of(o, &found.at) ||
		!link_place(d, &found.at))
		return;
	memcpy(found.variation, o->value, sizeof(found.variation));
	address_key(&d->from, found.sender);
	l->config.found(l->config.arg, &found);
}

/* Expired ones have no time to live (R8995-PLG-003). */
static void on_flood(void *arg, const struct link_datagram *d)
{
	struct grasp_listener *l = arg;
	struct grasp_flood *f;
	struct err ignored = ERR_INIT;

	if (!link_datagram_is_near(d) || !link_interfaces_have(l->config.interfaces, d->interface))
		return;
	f = mem_new(sizeof(*f), &ignored);
	if (f && grasp_flood_parse(d->octets, f, &ignored) && f->ttl_ms > 0)
		for (size_t i = 0; i < f->count; i++)
			take(l, d, f->ttl_ms, &f->objectives[i]);
	free(f);
}

struct grasp_listener *grasp_listener_new(const struct grasp_listener_config *c, struct err *e)
{
	struct grasp_listener *l = mem_new(sizeof(*l), e);
	struct link_socket_config s = {.loop = c->loop,
		.at = c->group,
		.shared = true,
		.datagrams_per_second = DATAGRAMS_PER_SECOND,
		.received = on_flood,
		.arg = l};

	if (!l)
		return NULL;
	l->config = *c;
	l->socket = link_socket_new(&s, e);
	if (!l->socket) {
		err_prefix(e, "discovery by GRASP");
		free(l);
		return NULL;
	}
	grasp_listener_join(l);
	return l;
}

void grasp_listener_free(struct grasp_listener *l)
{
	if (!l)
		return;
	link_socket_free(l->socket);
	free(l);
}

void grasp_listener_join(struct grasp_listener *l)
{
	link_socket_join(l->socket, &l->config.group, l->config.interfaces);
}
