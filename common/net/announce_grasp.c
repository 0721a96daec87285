/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/announce_grasp.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/link_watch.h"

#define HOPS 255 /* which nothing that was forwarded has any more */

struct told { /* when an interface was last told something */
	unsigned index;
	int64_t at_ms;
	uint32_t offers; /* how often the offers had changed by then */
};

struct announce_grasp {
	struct announce_grasp_config config;
	int fd;
	struct link_watch *watch;
	struct loop_timer next;
	struct grasp_offer offers[GRASP_OFFERS_MAX];
	size_t count;
	uint32_t changes;
	struct told told[LOCAL_INTERFACES_MAX];
};

/* ---- Where an offer is on a link ------------------------------------------------------------ */

/* A link-local address works for every neighbour (RFC 8995 §4.1.1), one of IPv4 where there is no
 * other. */
static int worth(const struct address *a)
{
	if (a->sa.sa_family != AF_INET6)
		return 1;
	return address_is_link_local(a) ? 3 : 2;
}

/* The address for this offer on the interface of that number; false: it is not there. */
static bool find_place(const struct grasp_offer *offer, unsigned index,
	const struct local_address *here, size_t n, struct address *out)
{
	int best = 0;

	for (size_t i = 0; i < n; i++) {
		if (here[i].index != index || !local_address_serves(&here[i], &offer->at) ||
			worth(&here[i].at) <= best)
			continue;
		best = worth(&here[i].at);
		*out = here[i].at;
		address_set_port(out, address_port(&offer->at));
	}
	return best > 0;
}

static void set_locator(struct grasp_objective *o, const struct address *at)
{
	o->locator = at->sa.sa_family == AF_INET6 ? GRASP_IPV6_LOCATOR : GRASP_IPV4_LOCATOR;
	if (at->sa.sa_family == AF_INET6)
		memcpy(o->address, &at->v6.sin6_addr, 16);
	else
		memcpy(o->address, &at->v4.sin_addr, 4);
	o->port = address_port(at);
}

static void add_objective(
	struct grasp_flood *f, const struct grasp_offer *offer, const struct address *at)
{
	struct grasp_objective *o = &f->objectives[f->count++];

	memcpy(o->name, offer->objective, strlen(offer->objective) + 1);
	memcpy(o->value, offer->value, sizeof(o->value));
	o->flags = GRASP_FLAG_SYNCH;
	o->loops = offer->loops;
	o->has_value = true;
	o->protocol = offer->protocol;
	set_locator(o, at);
	if (f->initiator_len > 0)
		return;
	f->initiator_len = o->locator == GRASP_IPV6_LOCATOR ? 16 : 4;
	memcpy(f->initiator, o->address, f->initiator_len);
}

/* False: there is nothing to tell on this interface. */
static bool make_flood(const struct announce_grasp *g, unsigned index,
	const struct local_address *here, size_t n, struct grasp_flood *out)
{
	struct address at;

	memset(out, 0, sizeof(*out));
	out->session = rng_below(UINT32_MAX);
	out->ttl_ms = GRASP_TTL_MS;
	for (size_t i = 0; i < g->count; i++)
		if (find_place(&g->offers[i], index, here, n, &at))
			add_objective(out, &g->offers[i], &at);
	return out->count > 0;
}

/* ---- Telling -------------------------------------------------------------------------------- */

static void send_flood(const struct announce_grasp *g, unsigned index, const struct grasp_flood *f)
{
	struct sockaddr_in6 group = {.sin6_family = AF_INET6,
		.sin6_port = htons(g->config.port),
		.sin6_scope_id = index};
	BUF_AUTO struct buf octets = BUF_INIT(GRASP_MESSAGE_MAX);
	struct err e = ERR_INIT;
	const int interface = (int)index;

	inet_pton(AF_INET6, GRASP_GROUP, &group.sin6_addr);
	if (grasp_flood_format(f, &octets, &e) &&
		(setsockopt(g->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface,
			 sizeof(interface)) != 0 ||
			sendto(g->fd, octets.data, octets.len, MSG_NOSIGNAL | MSG_DONTWAIT,
				(const struct sockaddr *)&group, sizeof(group)) < 0))
		err_set_errno(&e, ERR_IO, "GRASP on interface %u", index);
	if (e.kind != ERR_NONE)
		log_err(g->config.log, "announce-failed", NULL, &e);
}

/* The record of this interface; the oldest one is forgotten for a new one. */
static struct told *record_of(struct announce_grasp *g, unsigned index)
{
	struct told *oldest = &g->told[0];

	for (size_t i = 0; i < LOCAL_INTERFACES_MAX; i++) {
		if (g->told[i].index == index)
			return &g->told[i];
		if (g->told[i].at_ms < oldest->at_ms)
			oldest = &g->told[i];
	}
	*oldest = (struct told){.index = index};
	return oldest;
}

/* How long until this interface is to be told again; 0: now. What is new is told at once. */
static int64_t wait_ms(const struct announce_grasp *g, const struct told *t, int64_t now_ms)
{
	int64_t left = t->at_ms + g->config.interval_ms - now_ms;

	return t->at_ms == 0 || t->offers != g->changes || left < 0 ? 0 : left;
}

/* Returns when this interface is due next. */
static int64_t tell(struct announce_grasp *g, unsigned index, const struct local_address *here,
	size_t n, int64_t now_ms)
{
	struct told *t = record_of(g, index);
	int64_t left = wait_ms(g, t, now_ms);
	struct grasp_flood flood;

	if (left > 0)
		return left;
	if (make_flood(g, index, here, n, &flood)) {
		send_flood(g, index, &flood);
		*t = (struct told){index, now_ms, g->changes};
	}
	return g->config.interval_ms;
}

static void tell_all(void *arg)
{
	struct announce_grasp *g = arg;
	struct local_address here[LOCAL_ADDRESSES_MAX];
	size_t n = g->count ? local_addresses(&g->config.interfaces, here) : 0;
	int64_t now_ms = clock_mono_ms(), soonest = g->config.interval_ms;

	for (size_t i = 0; i < n; i++) {
		int64_t left = tell(g, here[i].index, here, n, now_ms);

		soonest = left < soonest ? left : soonest;
	}
	loop_timer_arm(&g->next, soonest);
}

void announce_grasp_offer(struct announce_grasp *g, const struct grasp_offer *offers, size_t count)
{
	g->count = count < GRASP_OFFERS_MAX ? count : GRASP_OFFERS_MAX;
	if (g->count)
		memcpy(g->offers, offers, g->count * sizeof(*offers));
	g->changes++;
	loop_timer_arm(&g->next, 0);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool open_socket(struct announce_grasp *g, struct err *e)
{
	const int hops = HOPS;

	g->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (g->fd < 0 ||
		setsockopt(g->fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) != 0)
		return err_set_errno(e, ERR_IO, "a socket for GRASP, which needs IPv6");
	return true;
}

struct announce_grasp *announce_grasp_new(const struct announce_grasp_config *config, struct err *e)
{
	struct announce_grasp *g = mem_new(sizeof(*g), e);
	const struct link_watch_config watch = {
		.loop = config->loop, .changed = tell_all, .arg = g};

	if (!g)
		return NULL;
	g->config = *config;
	g->fd = -1;
	if (!g->config.port)
		g->config.port = GRASP_PORT;
	if (open_socket(g, e) && loop_timer_init(&g->next, config->loop, tell_all, g, e))
		g->watch = link_watch_new(&watch, e);
	if (g->watch)
		return g;
	announce_grasp_free(g);
	return NULL;
}

void announce_grasp_free(struct announce_grasp *g)
{
	if (!g)
		return;
	link_watch_free(g->watch);
	loop_timer_clear(&g->next);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

void announce_grasp_show(const struct announce_grasp *g,
	void (*show)(void *arg, const struct grasp_shown *s), void *arg)
{
	struct local_address here[LOCAL_ADDRESSES_MAX];
	size_t n = local_addresses(&g->config.interfaces, here);

	for (size_t i = 0; i < g->config.interfaces.count; i++)
		for (size_t k = 0; k < g->count; k++) {
			struct grasp_shown s = {.interface = g->config.interfaces.names[i],
				.objective = g->offers[k].objective,
				.value = g->offers[k].value};

			if (find_place(&g->offers[k], if_nametoindex(s.interface), here, n, &s.at))
				show(arg, &s);
		}
}
