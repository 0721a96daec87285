/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/mdns_browser.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

#define DATAGRAMS_PER_SECOND 200 /* of one socket; a network full of printers sends fewer */
#define FOLLOW_UPS_MAX	     16	 /* questions in one message about what was left out */
#define FOLLOW_UP_MS	     200 /* all have answered by then (RFC 6762 §6) */
#define FOLLOW_UP_GAP_MS     1000
#define QUERY_MAX	     1400 /* fits any link */

struct place {
	struct mdns_browser *owner;
	struct address at;
	struct link_socket *listening; /* NULL: it is no group, or the port is taken */
	struct link_socket *asking;    /* NULL: the machine has no such family */
};

struct mdns_browser {
	struct mdns_browser_config config;
	struct place places[MDNS_PLACES_MAX];
	struct dns_sd known;
	uint16_t id;
	struct loop_timer follow_up;
	bool follows_up;
	int64_t followed_up_ms;
};

struct taken {
	struct mdns_browser *b;
	const struct link_datagram *d;
};

static void on_place(void *arg, const struct dns_sd_place *place)
{
	struct taken *t = arg;
	struct mdns_found found = {.place = *place, .from = t->d->from};

	if (link_place(t->d, &found.place.at))
		t->b->config.found(t->b->config.arg, &found);
}

static void send_query(struct mdns_browser *b, struct bytes query)
{
	for (size_t i = 0; i < b->config.place_count; i++) {
		struct place *p = &b->places[i];

		if (p->asking)
			link_socket_send(p->asking, &p->at,
				address_is_multicast(&p->at) ? b->config.interfaces : NULL, query);
	}
}

/* Responders add what belongs to an answer as a rule, but need not (RFC 6763 §12). */
static void on_follow_up(void *arg)
{
	struct mdns_browser *b = arg;
	struct dns_question q[FOLLOW_UPS_MAX];
	BUF_AUTO struct buf out = BUF_INIT(DNS_MESSAGE_MAX);
	struct err ignored = ERR_INIT;
	size_t count = dns_sd_missing(&b->known, q, FOLLOW_UPS_MAX);

	b->follows_up = false;
	if (!count || !dns_put_query(&out, b->id, 0, count, &ignored))
		return;
	b->followed_up_ms = clock_mono_ms();
	for (size_t i = 0; i < count; i++) {
		q[i].unicast = true;
		if (!dns_put_question(&out, &q[i], &ignored))
			return;
	}
	send_query(b, buf_bytes(&out));
}

static void follow_up(struct mdns_browser *b)
{
	int64_t wait_ms = FOLLOW_UP_MS, since_ms = clock_mono_ms() - b->followed_up_ms;

	if (b->follows_up)
		return;
	if (b->followed_up_ms && since_ms + wait_ms < FOLLOW_UP_GAP_MS)
		wait_ms = FOLLOW_UP_GAP_MS - since_ms;
	b->follows_up = true;
	loop_timer_arm(&b->follow_up, wait_ms);
}

/* From a neighbour where it was asked, or from the one address that was. */
static bool is_believed(const struct place *p, const struct link_datagram *d)
{
	return address_is_multicast(&p->at)
		       ? link_datagram_is_near(d) &&
				 link_interfaces_have(p->owner->config.interfaces, d->interface)
		       : address_equal(&p->at, &d->from);
}

static void take(const struct place *p, const struct link_datagram *d)
{
	struct mdns_browser *b = p->owner;
	struct taken t = {.b = b, .d = d};
	struct dns_sd_origin from = {.interface = d->interface};
	struct err ignored = ERR_INIT;

	if (!is_believed(p, d))
		return;
	address_key(&d->from, from.sender);
	if (dns_sd_take(&b->known, d->octets, &from, on_place, &t, &ignored))
		follow_up(b);
}

static void on_announced(void *arg, const struct link_datagram *d)
{
	const struct place *p = arg;

	/* a group of another name may have been joined by somebody else */
	if (address_is_multicast(&d->to))
		take(p, d);
}

/* What comes to the port that was asked from has the question's number (RFC 6762 §6.7). */
static void on_answer(void *arg, const struct link_datagram *d)
{
	const struct place *p = arg;

	if (d->octets.len > 2 && d->octets.data[0] == p->owner->id >> 8 &&
		d->octets.data[1] == (p->owner->id & 0xff))
		take(p, d);
}

static bool open_place(struct place *p, struct err *e)
{
	struct err taken = ERR_INIT;
	struct link_socket_config c = {.loop = p->owner->config.loop,
		.at = p->at,
		.shared = true,
		.datagrams_per_second = DATAGRAMS_PER_SECOND,
		.received = on_announced,
		.arg = p};

	if (address_is_multicast(&p->at) && !p->owner->config.relay)
		p->listening = link_socket_new(&c, &taken);
	address_set_port(&c.at, 0);
	c.shared = false;
	c.received = on_answer;
	p->asking = link_socket_new(&c, e);
	return p->asking != NULL;
}

/* Without IPv4 or IPv6 the other one has to do. */
static bool begin(struct mdns_browser *b, struct err *e)
{
	struct err missing = ERR_INIT;
	size_t open = 0;

	if (!loop_timer_init(&b->follow_up, b->config.loop, on_follow_up, b, e))
		return false;
	for (size_t i = 0; i < b->config.place_count; i++) {
		b->places[i] = (struct place){.owner = b, .at = b->config.places[i]};
		open += open_place(&b->places[i], &missing);
	}
	if (open > 0)
		return true;
	*e = missing;
	return err_prefix(e, "discovery by mDNS");
}

struct mdns_browser *mdns_browser_new(const struct mdns_browser_config *c, struct err *e)
{
	struct mdns_browser *b = mem_new(sizeof(*b), e);

	if (!b)
		return NULL;
	b->config = *c;
	dns_sd_init(&b->known, "local", c->relay);
	if (!begin(b, e)) {
		mdns_browser_free(b);
		return NULL;
	}
	mdns_browser_join(b);
	return b;
}

void mdns_browser_free(struct mdns_browser *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < MDNS_PLACES_MAX; i++) {
		link_socket_free(b->places[i].listening);
		link_socket_free(b->places[i].asking);
	}
	loop_timer_clear(&b->follow_up);
	free(b);
}

void mdns_browser_join(struct mdns_browser *b)
{
	for (size_t i = 0; i < b->config.place_count; i++)
		if (b->places[i].listening)
			link_socket_join(
				b->places[i].listening, &b->places[i].at, b->config.interfaces);
}

void mdns_browser_ask(struct mdns_browser *b)
{
	BUF_AUTO struct buf out = BUF_INIT(QUERY_MAX);
	struct err ignored = ERR_INIT;

	b->id = (uint16_t)(1 + rng_below(UINT16_MAX));
	if (dns_sd_browse(b->id, 0, true, &b->known, &out, &ignored))
		send_query(b, buf_bytes(&out));
}

void mdns_browser_forget(struct mdns_browser *b)
{
	b->known.count = 0;
}
