/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/announce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/announce_grasp.h"
#include "common/net/announce_mdns.h"
#include "common/net/http_listen.h"

#define NAME_FORM "BRSKI registrar on %.40s"

/* ---- What we speak -------------------------------------------------------------------------- */

static const char *https_listen(const struct registrar_config *c)
{
	return c->listen;
}

static const char *coaps_listen(const struct registrar_config *c)
{
	return c->coaps_listen;
}

static uint16_t https_port(const struct registrar *r)
{
	return http_server_port(r->server);
}

static uint16_t coaps_port(const struct registrar *r)
{
	return coap_server_port(r->coap);
}

/* In the words of the registry (draft-ietf-anima-brski-discovery §4.2; rows DISC-REG-001,
 * DISC-REG-002, DISC-REG-004): nothing that no route answers. */
static const struct way {
	const char *dns_type, *dns_variation;
	const char *grasp_value; /* NULL: not by GRASP, which constrained networks do not have */
	const char *(*listen)(const struct registrar_config *c); /* NULL: not served */
	uint16_t (*port)(const struct registrar *r);		 /* that was bound */
} ways[] = {
	{"_brski-registrar._tcp", "est-tls", "EST-TLS", https_listen, https_port},
	{"_brski-registrar._udp", "rrm-cose", NULL, coaps_listen, coaps_port},
};
#define WAY_COUNT (sizeof(ways) / sizeof(*ways))

struct announce {
	struct registrar *r;
	struct registrar_setup *setup;	  /* that it goes by; NULL: nothing is announced */
	struct address places[WAY_COUNT]; /* len 0: not served */
	struct local_interfaces interfaces;
	struct announce_mdns *mdns; /* NULL: not by this */
	struct announce_grasp *grasp;
	struct err mdns_fails, grasp_fails; /* it is to be, but cannot */
};

/* Once: sockets stay what they are at the start, whatever the configuration says later. */
static void find_places(struct announce *a, const struct registrar_config *c)
{
	for (size_t i = 0; i < WAY_COUNT; i++) {
		const char *listen = ways[i].listen(c);
		struct sockaddr_storage at;
		struct err ignored = ERR_INIT;
		socklen_t len = listen ? http_listen_place(listen, &at, &ignored) : 0;

		if (len == 0)
			continue;
		a->places[i] = address_of((const struct sockaddr *)&at, len);
		address_set_port(&a->places[i], ways[i].port(a->r));
	}
}

/* ---- Checking the configuration ------------------------------------------------------------- */

static bool is_label(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	return n > 0 && !s[n] && n < MDNS_LABEL_MAX && s[0] != '-' && s[n - 1] != '-';
}

bool announce_check_config(const struct registrar_config *c, struct err *e)
{
	struct local_interfaces ignored;

	if (c->announce_host && !is_label(c->announce_host))
		return err_set(e, ERR_INPUT,
			"host = %s: one label of a name, letters, digits and dashes",
			c->announce_host);
	if (c->announce_name && strlen(c->announce_name) >= MDNS_LABEL_MAX)
		return err_set(e, ERR_INPUT, "name: more than %d octets", MDNS_LABEL_MAX - 1);
	return local_interfaces_parse(c->announce, &ignored, e);
}

/* ---- Announcing ----------------------------------------------------------------------------- */

static void name_it(const struct registrar_config *c, char out[MDNS_LABEL_MAX])
{
	char host[256] = "";

	if (c->announce_name) {
		snprintf(out, MDNS_LABEL_MAX, "%s", c->announce_name);
		return;
	}
	if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
		snprintf(host, sizeof(host), "this site");
	host[strcspn(host, ".")] = '\0';
	snprintf(out, MDNS_LABEL_MAX, NAME_FORM, host);
}

static void offer_mdns(struct announce *a)
{
	const struct registrar_config *c = &a->setup->config;
	struct mdns_service services[WAY_COUNT];
	size_t n = 0;

	memset(services, 0, sizeof(services));
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct mdns_service *s = &services[n];

		if (a->places[i].len == 0)
			continue;
		s->at = a->places[i];
		s->type = ways[i].dns_type;
		s->priority = (uint16_t)c->announce_priority;
		s->weight = (uint16_t)c->announce_weight;
		name_it(c, s->instance);
		snprintf(s->variations[0], VARIATION_MAX, "%s", ways[i].dns_variation);
		s->variation_count = 1;
		n++;
	}
	announce_mdns_offer(a->mdns, services, n);
}

static void begin_mdns(struct announce *a)
{
	const struct registrar_config *c = &a->setup->config;
	const struct announce_mdns_config config = {.loop = a->r->workers[0].loop,
		.log = &a->r->log,
		.interfaces = a->interfaces,
		.host = c->announce_host};

	if (!c->announce_mdns)
		return;
	a->mdns = announce_mdns_new(&config, &a->mdns_fails);
	if (a->mdns)
		offer_mdns(a);
	else
		log_err(&a->r->log, "announce-failed", NULL, &a->mdns_fails);
}

static void offer_grasp(struct announce *a)
{
	struct grasp_offer offers[WAY_COUNT];
	size_t n = 0;

	memset(offers, 0, sizeof(offers));
	for (size_t i = 0; i < WAY_COUNT; i++) {
		struct grasp_offer *o = &offers[n];

		if (a->places[i].len == 0 || !ways[i].grasp_value)
			continue;
		o->objective = GRASP_REGISTRAR;
		o->loops = GRASP_LOOPS_ALL;
		o->protocol = IPPROTO_TCP;
		o->at = a->places[i];
		snprintf(o->value, sizeof(o->value), "%s", ways[i].grasp_value);
		n++;
	}
	announce_grasp_offer(a->grasp, offers, n);
}

static void begin_grasp(struct announce *a)
{
	const struct registrar_config *c = &a->setup->config;
	const struct announce_grasp_config config = {.loop = a->r->workers[0].loop,
		.log = &a->r->log,
		.interfaces = a->interfaces,
		.port = (uint16_t)c->grasp_port,
		.interval_ms = c->flood_interval * 1000};

	if (!c->announce_grasp)
		return;
	if (config.interval_ms < GRASP_INTERVAL_MS)
		log_event(&a->r->log, LOG_LEVEL_WARNING, "flood-interval-short", NULL, "hint",
			"below 60 s GRASP burdens the link: for tests only", NULL);
	a->grasp = announce_grasp_new(&config, &a->grasp_fails);
	if (a->grasp)
		offer_grasp(a);
	else
		log_err(&a->r->log, "announce-failed", NULL, &a->grasp_fails);
}

static void end(struct announce *a)
{
	announce_grasp_free(a->grasp);
	a->grasp = NULL;
	a->grasp_fails = (struct err)ERR_INIT;
	announce_mdns_free(a->mdns);
	a->mdns = NULL;
	registrar_setup_free(a->setup);
	a->setup = NULL;
	a->mdns_fails = (struct err)ERR_INIT;
}

/* One that comes later is taken then. */
static void warn_of_missing(const struct announce *a)
{
	for (size_t i = 0; i < a->interfaces.count; i++)
		if (!if_nametoindex(a->interfaces.names[i]))
			log_event(&a->r->log, LOG_LEVEL_WARNING, "announce-interface-missing", NULL,
				"interface", a->interfaces.names[i], "hint",
				"see ip link for its name and correct [announce] interfaces; "
				"if it appears later it is used then",
				NULL);
}

static void begin(struct announce *a)
{
	struct err e = ERR_INIT;

	a->setup = registrar_setup_take(a->r);
	if (!local_interfaces_parse(a->setup->config.announce, &a->interfaces, &e))
		log_err(&a->r->log, "announce-failed", NULL, &e); /* it was checked before */
	if (a->interfaces.count == 0)
		return;
	warn_of_missing(a);
	begin_mdns(a);
	begin_grasp(a);
	log_event(&a->r->log, LOG_LEVEL_INFO, "announcing", NULL, "interfaces",
		a->setup->config.announce, "mdns", a->mdns ? "yes" : "no", "grasp",
		a->grasp ? "yes" : "no", NULL);
}

/* ---- Changes -------------------------------------------------------------------------------- */

static bool same_text(const char *x, const char *y)
{
	return (!x && !y) || (x && y && strcmp(x, y) == 0);
}

static bool is_same(const struct registrar_config *x, const struct registrar_config *y)
{
	return same_text(x->announce, y->announce) &&
	       same_text(x->announce_name, y->announce_name) &&
	       same_text(x->announce_host, y->announce_host) &&
	       x->announce_mdns == y->announce_mdns && x->announce_grasp == y->announce_grasp &&
	       x->announce_priority == y->announce_priority &&
	       x->announce_weight == y->announce_weight && x->flood_interval == y->flood_interval &&
	       x->grasp_port == y->grasp_port;
}

/* A draining registrar has taken everything back and stays silent. */
static void on_reload(void *arg)
{
	struct announce *a = arg;
	struct registrar_setup *fresh = registrar_setup_take(a->r);
	bool same = a->setup && is_same(&a->setup->config, &fresh->config);

	registrar_setup_free(fresh);
	if (same || atomic_load(&a->r->draining))
		return;
	end(a);
	begin(a);
}

static void on_drain(void *arg)
{
	end(arg);
}

static void post(struct registrar *r, loop_fn *fn)
{
	struct err e = ERR_INIT;

	if (r->announce && !loop_post(r->workers[0].loop, fn, r->announce, &e))
		log_err(&r->log, "announce-failed", NULL, &e);
}

void announce_reload(struct registrar *r)
{
	post(r, on_reload);
}

void announce_drain(struct registrar *r)
{
	post(r, on_drain);
}

bool announce_start(struct registrar *r, struct err *e)
{
	r->announce = mem_new(sizeof(*r->announce), e);
	if (!r->announce)
		return false;
	r->announce->r = r;
	find_places(r->announce, &r->setup->config);
	begin(r->announce);
	return true;
}

void announce_stop(struct registrar *r)
{
	if (!r->announce)
		return;
	end(r->announce);
	free(r->announce);
	r->announce = NULL;
}

/* ---- Telling administrators ----------------------------------------------------------------- */

static void show(json_t *all, const char *by, const char *interface, const char *service,
	const char *place, const char *name, bool established)
{
	json_t *one = json_pack("{ss ss ss ss ss* ss}", "by", by, "interface", interface, "service",
		service, "place", place, "name", name, "state",
		established ? "announced" : "asking");

	/* one that lacks for want of memory is asked for again */
	json_array_append_new(all, one);
}

static void show_service(void *all, const struct mdns_shown *s)
{
	char place[MDNS_LABEL_MAX + 16];

	snprintf(place, sizeof(place), "%s.local:%u", s->host, (unsigned)s->port);
	show(all, "mdns", s->interface, s->type, place, s->instance, s->established);
}

static void show_objective(void *all, const struct grasp_shown *s)
{
	char place[ADDRESS_TEXT_MAX];

	show(all, "grasp", s->interface, s->objective, address_format(&s->at, place), NULL, true);
}

json_t *announce_show(const struct registrar *r)
{
	json_t *all = json_array();

	if (all && r->announce && r->announce->mdns)
		announce_mdns_show(r->announce->mdns, show_service, all);
	if (all && r->announce && r->announce->grasp)
		announce_grasp_show(r->announce->grasp, show_objective, all);
	return all;
}

static bool is_on(const char *interface, const json_t *all)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)all, i, one)
	{
		const char *at = json_string_value(json_object_get(one, "interface"));

		if (at && strcmp(at, interface) == 0)
			return true;
	}
	return false;
}

static void examine_interface(struct checkup *c, const char *interface, const json_t *all)
{
	char check[64];

	snprintf(check, sizeof(check), "announced on %.20s", interface);
	if (!if_nametoindex(interface))
		checkup_note(c, check, CHECKUP_FAIL,
			"see `ip link` for its name, and correct [announce] interfaces",
			"there is no such interface");
	else if (!is_on(interface, all))
		checkup_note(c, check, CHECKUP_FAIL,
			"give it an address that [server] listen covers, and see whether it is up",
			"no address there leads to the registrar");
	else
		checkup_note(c, check, CHECKUP_OK, NULL,
			"yes; a firewall has to let UDP 5353 and 7017 and the registrar's port in");
}

void announce_examine(const struct registrar *r, struct checkup *c)
{
	const struct announce *a = r->announce;
	JSON_AUTO json_t *all = announce_show(r);

	if (!a || !a->setup || a->interfaces.count == 0)
		return;
	if (a->mdns_fails.kind != ERR_NONE)
		checkup_note(c, "multicast DNS", CHECKUP_FAIL,
			"let the service use UDP port 5353 and AF_NETLINK, then restart it", "%s",
			a->mdns_fails.text);
	if (a->grasp_fails.kind != ERR_NONE)
		checkup_note(c, "GRASP", CHECKUP_FAIL,
			"turn IPv6 on, or set grasp = no in [announce]", "%s", a->grasp_fails.text);
	for (size_t i = 0; i < a->interfaces.count; i++)
		examine_interface(c, a->interfaces.names[i], all);
}
