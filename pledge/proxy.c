/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence of a proxy: may it, where, to whom, then the relays. Everything runs on one loop:
 * what is relayed is little, and what must be fair is easier so. */
#include "pledge/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/run/daemon.h"
#include "pledge/proxy_announce.h"
#include "pledge/proxy_circuit.h"
#include "pledge/proxy_coap.h"
#include "pledge/proxy_places.h"
#include "pledge/proxy_resolver.h"
#include "pledge/proxy_seek.h"
#include "pledge/state.h"

#define DRAIN_MS	     10000 /* a join takes seconds; a device that waits for an approval starts anew */
#define QUIET_MS	     3000 /* DTLS repeats itself after a second or two */
#define CONNECT_MS	     5000
#define OPENS_PER_SECOND     32 /* of all; one neighbour gets a quarter (fair_rate.h) */
#define PROXY_REGISTRARS_MAX 16
#define AUTO		     "auto" /* registrars are found */
#define ENROLLED_MS                                                                                \
	60000 /* how often it looks whether the device still belongs to the site, and names up */

struct proxy {
	const struct pledge_config *config;
	struct log *log;
	enum proxy_end end;
	char enrolled_at[STATE_URL_MAX]; /* the registrar of the device itself */
	struct place places[PLACES_MAX];
	size_t place_count;
	struct uri registrars[PROXY_REGISTRARS_MAX];
	size_t registrar_count;
	struct daemon *daemon;
	struct loop *loop;
	struct upstreams https;
	struct variations variations; /* that they speak */
	struct resolver *resolver;
	struct seek *seek; /* NULL: they are configured */
	struct circuits *circuits;
	struct proxy_announce *announce;
	struct uri own; /* the device's own registrar */
	struct proxy_coap *coap;
	struct loop_timer enrolled, quiet;
};

/* ---- May it? -------------------------------------------------------------------------------- */

/* Only a device of the site relays for others (RFC 8995 §4). */
static bool check_enrolled(struct proxy *p, struct err *e)
{
	bool enrolled;

	if (!state_peek(p->config->state_dir, &enrolled, p->enrolled_at, e))
		return false;
	if (enrolled)
		return true;
	p->end = PROXY_NOT_ENROLLED;
	return err_set(e, ERR_CONFLICT, "not enrolled");
}

/* A device that was reset stops relaying, as if somebody had stopped it. */
static void on_enrolled(void *arg)
{
	struct proxy *p = arg;
	struct err e = ERR_INIT;

	if (!check_enrolled(p, &e)) {
		log_err(p->log, "no-longer-enrolled", NULL, &e);
		kill(getpid(), SIGTERM);
		return;
	}
	if (p->resolver && resolver_is_needed(p->resolver))
		resolver_start(p->resolver);
	loop_timer_arm(&p->enrolled, ENROLLED_MS);
}

/* ---- Where, and to whom? -------------------------------------------------------------------- */

static bool find_places(struct proxy *p, struct err *e)
{
	const char *words = p->config->proxy.listen;

	p->end = PROXY_CONFIG;
	if (!words)
		return err_set(e, ERR_INPUT, "[proxy] listen is not set");
	if (!places_parse(words, p->places, &p->place_count, e)) {
		if (e->kind == ERR_IO)
			p->end = PROXY_FAILED;
		return err_prefix(e, "[proxy] listen");
	}
	return true;
}

static bool add_registrar(struct proxy *p, const char *text, struct err *e)
{
	struct uri *u = &p->registrars[p->registrar_count];

	if (p->registrar_count == PROXY_REGISTRARS_MAX)
		return err_set(e, ERR_INPUT, "more than %d registrars", PROXY_REGISTRARS_MAX);
	if (!uri_parse_upstream(text, u, e))
		return err_prefix(e, "'%s'", text);
	p->registrar_count++;
	return true;
}

static bool seeks(const struct proxy *p)
{
	const char *words = p->config->proxy.registrars;

	return words && strcmp(words, AUTO) == 0;
}

static bool find_registrars(struct proxy *p, struct err *e)
{
	FREE_AUTO char *words = NULL;
	char *rest = NULL;

	if (seeks(p))
		return true;
	if (!p->config->proxy.registrars)
		return add_registrar(p, p->enrolled_at, e);
	words = str_dup(p->config->proxy.registrars, e);
	if (!words)
		return false;
	for (char *w = strtok_r(words, " \t\r\n,", &rest); w; w = strtok_r(NULL, " \t\r\n,", &rest))
		if (!add_registrar(p, w, e))
			return err_prefix(e, "[proxy] registrars");
	return true;
}

/* ---- The relays ----------------------------------------------------------------------------- */

static void on_quiet(void *arg);

static bool make_loop(struct proxy *p, struct err *e)
{
	size_t n;

	p->end = PROXY_FAILED;
	p->log->limits = log_limits_new(e);
	p->daemon = p->log->limits ? daemon_new(1, p->log, e) : NULL;
	if (!p->daemon)
		return false;
	p->loop = daemon_loops(p->daemon, &n)[0];
	if (!loop_timer_init(&p->enrolled, p->loop, on_enrolled, p, e) ||
		!loop_timer_init(&p->quiet, p->loop, on_quiet, p, e))
		return false;
	loop_timer_arm(&p->enrolled, ENROLLED_MS);
	return true;
}

static void log_listening(
	const struct proxy *p, const char *what, const struct address *at, size_t registrars)
{
	char text[ADDRESS_TEXT_MAX], count[8];

	snprintf(count, sizeof(count), "%zu", registrars);
	log_event(p->log, LOG_LEVEL_INFO, "listening", NULL, "relay", what, "address",
		address_format(at, text), "registrars", count, NULL);
}

static bool resolve_https(struct proxy *p, struct err *e)
{
	for (size_t i = 0; i < p->registrar_count; i++)
		if (p->registrars[i].scheme == URI_HTTPS &&
			!upstreams_resolve(&p->https, &p->registrars[i], e))
			return false;
	return true;
}

/* Others are there than before. */
static void on_found(void *arg)
{
	struct proxy *p = arg;
	struct upstreams found;
	char count[8];

	seek_found(p->seek, &found, &p->variations);
	upstreams_remember(&p->https, &found);
	p->https = found;
	snprintf(count, sizeof(count), "%zu", found.count);
	log_event(p->log, LOG_LEVEL_INFO, "registrars-found", NULL, "places", count, NULL);
	proxy_announce_changed(p->announce);
}

static bool start_seeking(struct proxy *p, struct err *e)
{
	const struct proxy_options *o = &p->config->proxy;
	struct seek_config c = {.loop = p->loop,
		.log = p->log,
		.mdns_port = (uint16_t)o->mdns_port,
		.grasp_port = (uint16_t)o->grasp_port,
		.look_ms = o->probe_s * 1000,
		.changed = on_found,
		.arg = p};

	if (!seeks(p)) {
		variations_usual_if_none(&p->variations);
		return true;
	}
	if (!uplinks_find(o, p->places, p->place_count, &c.uplinks, e))
		return false;
	p->seek = seek_new(&c, e);
	return p->seek != NULL;
}

static bool start_announcing(struct proxy *p, struct err *e)
{
	const struct proxy_announce_config c = {.loop = p->loop,
		.log = p->log,
		.options = &p->config->proxy,
		.places = p->places,
		.place_count = p->place_count,
		.circuits = p->circuits,
		.upstreams = &p->https,
		.variations = &p->variations};

	if (!p->circuits)
		return true;
	p->announce = proxy_announce_new(&c, e);
	return p->announce && start_seeking(p, e);
}

static bool start_circuits(struct proxy *p, struct err *e)
{
	const struct proxy_options *o = &p->config->proxy;
	struct address at[PLACES_MAX];
	struct circuits_config c = {.loop = p->loop,
		.log = p->log,
		.listen = at,
		.listen_count = p->place_count,
		.upstreams = &p->https,
		.limits = {.connections_max = (size_t)o->connections,
			.per_neighbour_max = (size_t)o->connections_per_neighbour,
			.opens_per_second = OPENS_PER_SECOND,
			.connect_ms = CONNECT_MS,
			.idle_ms = o->idle_s * 1000,
			.lifetime_ms = o->lifetime_s * 1000,
			.octets_per_second = o->octets}};

	if (!o->circuit || !resolve_https(p, e))
		return !o->circuit;
	if (p->https.count == 0 && !seeks(p)) {
		log_event(p->log, LOG_LEVEL_INFO, "circuit-off", NULL, "reason",
			"no registrar is named https://, in [proxy] or by what this device joined",
			NULL);
		return true;
	}
	for (size_t i = 0; i < p->place_count; i++) {
		at[i] = p->places[i].at;
		address_set_port(&at[i], (uint16_t)o->https_port);
	}
	p->resolver = resolver_new(p->loop, p->registrars, p->registrar_count, &p->https, e);
	p->circuits = p->resolver ? circuits_new(&c, e) : NULL;
	for (size_t i = 0; p->circuits && i < p->place_count; i++)
		log_listening(p, "circuit", circuits_address(p->circuits, i), p->https.count);
	return p->circuits != NULL;
}

static bool start_coap(struct proxy *p, struct err *e)
{
	const struct uri *own = &p->own;
	struct proxy_coap_config c = {.loop = p->loop,
		.log = p->log,
		.options = &p->config->proxy,
		.places = p->places,
		.place_count = p->place_count,
		.registrars = p->registrars,
		.registrar_count = p->config->proxy.registrars ? p->registrar_count : 0,
		.find = !p->config->proxy.registrars || seeks(p),
		.ask_port = (uint16_t)p->config->discovery_port};

	if (!uri_parse_server(p->enrolled_at, &p->own, e))
		return false;
	c.own = own->scheme == URI_COAPS ? own : NULL;
	p->coap = proxy_coap_new(&c, e);
	return p->coap != NULL;
}

static bool check_something_to_do(struct proxy *p, struct err *e)
{
	if (p->circuits || !proxy_coap_is_idle(p->coap))
		return true;
	p->end = PROXY_CONFIG;
	if (!p->config->proxy.circuit && p->config->proxy.coap == PROXY_OFF)
		return err_set(e, ERR_INPUT, "[proxy] neither HTTPS nor CoAPS is to be relayed");
	return err_set(e, ERR_INPUT,
		"[proxy] no registrar to relay to: HTTPS needs one named https://, stateful CoAPS "
		"coaps://, stateless CoAPS jpy://");
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* All connections have ended, and no datagram went either way for a while. */
static void on_quiet(void *arg)
{
	struct proxy *p = arg;
	int64_t quiet_ms = proxy_coap_quiet_ms(p->coap);

	if (quiet_ms >= QUIET_MS)
		daemon_drained(p->daemon);
	else
		loop_timer_arm(&p->quiet, QUIET_MS - quiet_ms);
}

static void drain_on_loop(void *arg)
{
	struct proxy *p = arg;

	proxy_coap_drain(p->coap);
	if (p->announce)
		proxy_announce_drain(p->announce);
	if (p->circuits)
		circuits_drain(p->circuits, on_quiet, p);
	else
		on_quiet(p);
}

static void drain(void *arg)
{
	struct proxy *p = arg;
	struct err e = ERR_INIT;

	if (!loop_post(p->loop, drain_on_loop, p, &e))
		daemon_drained(p->daemon);
}

static void clear(struct proxy *p)
{
	seek_free(p->seek);
	proxy_announce_free(p->announce);
	circuits_free(p->circuits);
	resolver_free(p->resolver);
	proxy_coap_free(p->coap);
	loop_timer_clear(&p->enrolled);
	loop_timer_clear(&p->quiet);
	daemon_free(p->daemon);
	log_end(p->log);
}

static bool tell_ready(struct proxy *p, struct err *e)
{
	log_event(p->log, LOG_LEVEL_INFO, "proxy-ready", NULL, NULL);
	return true;
}

typedef bool proxy_step(struct proxy *p, struct err *e);
static proxy_step *const steps[] = {check_enrolled, find_places, find_registrars, make_loop,
	start_circuits, start_announcing, start_coap, check_something_to_do, tell_ready};

enum proxy_end proxy_run(const struct pledge_config *config, struct log *log, struct err *e)
{
	struct proxy p = {.config = config, .log = log, .end = PROXY_FAILED};
	bool ok = true;

	if (log->level < LOG_LEVEL_INFO)
		log_set_level(log, LOG_LEVEL_INFO);
	for (size_t i = 0; ok && i < sizeof(steps) / sizeof(*steps); i++)
		ok = steps[i](&p, e);
	if (ok && daemon_run(p.daemon, drain, NULL, &p, DRAIN_MS) == 0)
		p.end = PROXY_DONE;
	else if (ok)
		err_set(e, ERR_IO, "the worker thread cannot be started");
	clear(&p);
	return p.end;
}
