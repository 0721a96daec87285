/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_coap.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/coap_discovery.h"
#include "pledge/proxy_uplinks.h"
#include "pledge/proxy_upstream.h"

/* Between looks, each of which takes 4 s more: a registrar that is gone is missed by the second one
 * and not offered any more after less than 120 s (row DISC-JP-004). */
#define LOOK_MS	     30000
#define FORGET_MS    65000
#define LOOK_SOON_MS 5000 /* while there is none: doubles up to LOOK_MS */

struct served {
	struct address registrar;
	struct relay *relay;
	int64_t seen_ms; /* 0: configured, for good */
};

struct proxy_coap {
	struct proxy_coap_config config;
	struct header_keys *keys;
	struct proxy_icmp *icmp;
	struct place_share shares[PLACES_MAX];
	struct coap_responder *responders[PLACES_MAX];
	struct served served[COAP_REGISTRARS_MAX];
	const struct relay_kind *kind; /* of what is served; NULL: nothing */
	struct uplinks uplinks;
	struct coap_query *query;
	enum coap_find asking;
	struct loop_timer look;
	int64_t look_ms;
	bool in_vain; /* and it was told */
};

/* ---- What is served ------------------------------------------------------------------------- */

/* The join ports of a place, told to devices there that ask (rows X-02, J-20). */
static void offer(struct proxy_coap *p)
{
	struct coap_offer offers[COAP_REGISTRARS_MAX];

	for (size_t place = 0; place < p->config.place_count; place++) {
		size_t n = 0;

		for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
			if (p->served[i].relay)
				offers[n++] = (struct coap_offer){COAP_OFFER_JOIN_PORT,
					address_port(&p->served[i].relay->ports[place].at), NULL,
					NULL};
		if (p->responders[place])
			coap_responder_offer(p->responders[place], offers, n);
	}
}

static void log_served(const struct proxy_coap *p, const struct served *s, const char *event)
{
	char here[ADDRESS_TEXT_MAX], there[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < p->config.place_count; i++)
		log_event(p->config.log, LOG_LEVEL_INFO, event, NULL, "relay", p->kind->name,
			"address", address_format(&s->relay->ports[i].at, here), "registrars", "1",
			"registrar", address_format(&s->registrar, there), NULL);
}

static void stop_serving(struct proxy_coap *p, struct served *s)
{
	if (!s->relay)
		return;
	log_served(p, s, "registrar-dropped");
	relay_free(s->relay);
	memset(s, 0, sizeof(*s));
}

static struct served *find_served(struct proxy_coap *p, const struct address *registrar)
{
	for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
		if (p->served[i].relay && address_equal(&p->served[i].registrar, registrar))
			return &p->served[i];
	return NULL;
}

static bool serve(
	struct proxy_coap *p, const struct address *registrar, int64_t seen_ms, struct err *e)
{
	const struct proxy_options *o = p->config.options;
	struct served *s = p->served;
	struct relay_config c = {.loop = p->config.loop,
		.log = p->config.log,
		.places = p->config.places,
		.place_count = p->config.place_count,
		.shares = p->shares,
		.registrar = *registrar,
		.keys = p->keys,
		.icmp = p->icmp,
		.mappings_max = (size_t)o->mappings,
		.per_neighbour_max = (size_t)o->mappings_per_neighbour,
		.expiry_ms = o->mapping_expiry_s * 1000};

	while (s < p->served + COAP_REGISTRARS_MAX && s->relay)
		s++;
	if (s == p->served + COAP_REGISTRARS_MAX)
		return true; /* row J-21: there are enough */
	c.index = (uint8_t)(s - p->served);
	c.port = o->coaps_port ? (uint16_t)(o->coaps_port + c.index) : 0;
	s->relay = relay_new(p->kind, &c, e);
	if (!s->relay)
		return false;
	s->registrar = *registrar;
	s->seen_ms = seen_ms;
	log_served(p, s, "listening");
	offer(p);
	return true;
}

/* Another way to carry it on: all that is served in the earlier one ends. */
static void use(struct proxy_coap *p, const struct relay_kind *kind)
{
	if (p->kind == kind)
		return;
	for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
		stop_serving(p, &p->served[i]);
	p->kind = kind;
	offer(p);
}

/* ---- Configured registrars ------------------------------------------------------------------ */

static const struct relay_kind *kind_of(const struct uri *u)
{
	return u->scheme == URI_JPY	? &relay_stateless
	       : u->scheme == URI_COAPS ? &relay_stateful
					: NULL;
}

static bool may_use(const struct proxy_coap *p, const struct relay_kind *kind)
{
	switch ((enum proxy_mode)p->config.options->coap) {
	case PROXY_AUTO:
		return true;
	case PROXY_STATELESS:
		return kind == &relay_stateless;
	case PROXY_STATEFUL:
		return kind == &relay_stateful;
	case PROXY_OFF:
		return false;
	}
	return false;
}

static bool has(const struct proxy_coap *p, const struct relay_kind *kind)
{
	bool found = false;

	for (size_t i = 0; i < p->config.registrar_count; i++)
		found = found || kind_of(&p->config.registrars[i]) == kind;
	return found && may_use(p, kind);
}

static bool serve_uri(struct proxy_coap *p, const struct uri *u, struct err *e)
{
	struct upstreams found = {.count = 0};

	return upstreams_resolve(&found, u, e) && serve(p, &found.list[0].at, 0, e);
}

/* Stateless wins (row J-01). */
static bool serve_configured(struct proxy_coap *p, struct err *e)
{
	const struct relay_kind *kind = has(p, &relay_stateless)  ? &relay_stateless
					: has(p, &relay_stateful) ? &relay_stateful
								  : NULL;

	use(p, kind);
	for (size_t i = 0; kind && i < p->config.registrar_count; i++)
		if (kind_of(&p->config.registrars[i]) == kind &&
			!serve_uri(p, &p->config.registrars[i], e))
			return false;
	return true;
}

/* ---- Looking for registrars ----------------------------------------------------------------- */

static void forget_the_silent(struct proxy_coap *p)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
		if (p->served[i].seen_ms && now - p->served[i].seen_ms >= FORGET_MS)
			stop_serving(p, &p->served[i]);
	offer(p);
}

static size_t served_count(const struct proxy_coap *p)
{
	size_t n = 0;

	for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
		n += p->served[i].relay != NULL;
	return n;
}

static void look_again(struct proxy_coap *p)
{
	if (served_count(p))
		p->look_ms = LOOK_MS;
	loop_timer_arm(&p->look, p->look_ms + rng_below((uint32_t)p->look_ms / 8));
	p->look_ms = p->look_ms * 2 < LOOK_MS ? p->look_ms * 2 : LOOK_MS;
}

/* In any order, so that proxies that find many do not all take the same (row DISC-JP-005). */
static void take_found(struct proxy_coap *p, const struct coap_candidate *found, size_t count)
{
	size_t first = count ? rng_below((uint32_t)count) : 0;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < count; i++) {
		const struct coap_candidate *c = &found[(first + i) % count];
		struct address at = address_of((const struct sockaddr *)&c->at, c->at_len);
		struct served *s = find_served(p, &at);

		if (s && s->seen_ms)
			s->seen_ms = clock_mono_ms();
		else if (!s && !serve(p, &at, clock_mono_ms(), &e))
			log_err(p->config.log, "registrar-not-served", NULL, &e);
	}
}

static bool ask(struct proxy_coap *p, enum coap_find find);

/* Once until something is found: it goes on looking. */
static void tell_if_in_vain(struct proxy_coap *p)
{
	bool in_vain = served_count(p) == 0;

	if (in_vain && !p->in_vain)
		log_event(p->config.log, LOG_LEVEL_WARNING, "no-registrar-found", NULL, "reason",
			"nobody answered on the uplinks; for CoAPS the registrar needs [coaps] "
			"discovery, or [proxy] registrars its name",
			NULL);
	p->in_vain = in_vain;
}

static void on_found(void *arg, const struct coap_candidate *found, size_t count)
{
	struct proxy_coap *p = arg;
	struct err e = ERR_INIT;
	bool stateless = p->asking == COAP_FIND_JPY;

	if (count) {
		use(p, stateless ? &relay_stateless : &relay_stateful);
		take_found(p, found, count);
	}
	forget_the_silent(p);
	if (!count && stateless && may_use(p, &relay_stateful) &&
		(p->kind != &relay_stateless || !served_count(p)) && ask(p, COAP_FIND_COAPS))
		return;
	if (!served_count(p) && p->config.own && may_use(p, &relay_stateful)) {
		use(p, &relay_stateful);
		if (!serve_uri(p, p->config.own, &e))
			log_err(p->config.log, "registrar-not-served", NULL, &e);
	}
	tell_if_in_vain(p);
	look_again(p);
}

/* Stateless first (row J-01); never with a wildcard (row X-08). */
static bool ask(struct proxy_coap *p, enum coap_find find)
{
	const struct local_interfaces *uplinks = &p->uplinks.interfaces;
	const char *names[LOCAL_INTERFACES_MAX];
	struct coap_query_config c = {.loop = p->config.loop,
		.find = find,
		.interfaces = names,
		.interface_count = uplinks->count,
		.port = p->config.ask_port};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < uplinks->count; i++)
		names[i] = uplinks->names[i];
	if (p->uplinks.at.len) { /* one answer is all that can come */
		c.to = &p->uplinks.at.sa;
		c.to_len = p->uplinks.at.len;
		c.stop_at_first = true;
	}
	coap_query_free(p->query);
	p->asking = find;
	p->query = coap_query_new(&c, on_found, p, &e);
	if (!p->query)
		log_err(p->config.log, "no-discovery", NULL, &e);
	return p->query != NULL;
}

static void on_look(void *arg)
{
	struct proxy_coap *p = arg;

	if (!ask(p, may_use(p, &relay_stateless) ? COAP_FIND_JPY : COAP_FIND_COAPS))
		look_again(p);
}

/* ---- Where to look -------------------------------------------------------------------------- */

static void tell_missing(const struct proxy_coap *p)
{
	for (size_t i = 0; i < p->uplinks.interfaces.count; i++)
		if (if_nametoindex(p->uplinks.interfaces.names[i]) == 0)
			log_event(p->config.log, LOG_LEVEL_WARNING, "uplink-missing", NULL,
				"interface", p->uplinks.interfaces.names[i], NULL);
}

static bool start_looking(struct proxy_coap *p, struct err *e)
{
	if (!p->config.find || p->config.options->coap == PROXY_OFF)
		return true;
	if (!uplinks_find(
		    p->config.options, p->config.places, p->config.place_count, &p->uplinks, e))
		return false;
	tell_missing(p);
	if (p->uplinks.at.len)
		address_set_port(&p->uplinks.at, COAP_PORT);
	p->look_ms = LOOK_SOON_MS;
	if (p->uplinks.interfaces.count || p->uplinks.at.len)
		loop_timer_arm(&p->look, 0);
	else if (p->config.own && may_use(p, &relay_stateful)) {
		use(p, &relay_stateful);
		return serve_uri(p, p->config.own, e);
	}
	return true;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool open_responders(struct proxy_coap *p, struct err *e)
{
	const struct proxy_options *o = p->config.options;

	for (size_t i = 0; o->discovery_port && i < p->config.place_count; i++) {
		const struct place *place = &p->config.places[i];
		struct coap_responder_config c = {.loop = p->config.loop,
			.log = p->config.log,
			.interface = place->interface[0] ? place->interface : NULL,
			.address = place->interface[0] ? NULL : place->word,
			.port = (uint16_t)o->discovery_port};

		p->responders[i] = coap_responder_new(&c, e);
		if (!p->responders[i])
			return false;
	}
	return true;
}

static bool set_up(struct proxy_coap *p, struct err *e)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < p->config.place_count; i++)
		if (!fair_rate_init(&p->shares[i].rate, p->config.options->datagrams, now, e))
			return false;
	p->keys = header_keys_new(now, e);
	p->icmp = proxy_icmp_new();
	return p->keys && loop_timer_init(&p->look, p->config.loop, on_look, p, e) &&
	       (proxy_coap_is_idle(p) || open_responders(p, e)) && serve_configured(p, e) &&
	       start_looking(p, e);
}

struct proxy_coap *proxy_coap_new(const struct proxy_coap_config *config, struct err *e)
{
	struct proxy_coap *p = mem_new(sizeof(*p), e);

	if (!p)
		return NULL;
	p->config = *config;
	if (set_up(p, e))
		return p;
	proxy_coap_free(p);
	return NULL;
}

bool proxy_coap_is_idle(const struct proxy_coap *p)
{
	return p->config.options->coap == PROXY_OFF ||
	       (!p->config.find && !has(p, &relay_stateless) && !has(p, &relay_stateful));
}

void proxy_coap_drain(struct proxy_coap *p)
{
	loop_timer_disarm(&p->look);
	coap_query_free(p->query);
	p->query = NULL;
	for (size_t i = 0; i < p->config.place_count; i++)
		if (p->responders[i])
			coap_responder_offer(p->responders[i], NULL, 0);
}

int64_t proxy_coap_quiet_ms(const struct proxy_coap *p)
{
	int64_t last_ms = 0;

	for (size_t i = 0; i < p->config.place_count; i++)
		if (p->shares[i].relayed_ms > last_ms)
			last_ms = p->shares[i].relayed_ms;
	return clock_mono_ms() - last_ms;
}

void proxy_coap_free(struct proxy_coap *p)
{
	if (!p)
		return;
	coap_query_free(p->query);
	loop_timer_clear(&p->look);
	for (size_t i = 0; i < COAP_REGISTRARS_MAX; i++)
		relay_free(p->served[i].relay);
	for (size_t i = 0; i < p->config.place_count; i++)
		coap_responder_free(p->responders[i]);
	header_keys_free(p->keys);
	proxy_icmp_free(p->icmp);
	free(p);
}
