/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_announce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/announce_grasp.h"
#include "common/net/announce_mdns.h"

#define PROBE_S	  5 /* a registrar that takes longer is none for a device */
#define SERVICE	  "_brski-proxy._tcp"
#define NAME_FORM "BRSKI proxy on %.30s%s%.16s"
#define NOWHERE	  "none"
#define USUAL_DNS "est-tls" /* which GRASP's AN_Proxy calls "" (row DISC-REG-004) */

struct probe {
	struct proxy_announce *all;
	struct address to;
	int fd;
	struct event *connected; /* NULL: this one is not in use */
};

struct proxy_announce {
	struct proxy_announce_config config;
	struct local_interfaces interfaces;
	struct announce_mdns *mdns;
	struct announce_grasp *grasp;
	struct loop_timer next;
	struct probe probes[UPSTREAMS_MAX];
	struct variations told;
	bool announced, draining, looked;
	bool complained; /* that nobody is reached, since the last time somebody was */
};

/* ---- Telling -------------------------------------------------------------------------------- */

static void name_it(const struct place *p, char out[MDNS_LABEL_MAX])
{
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
		snprintf(host, sizeof(host), "a neighbour");
	host[strcspn(host, ".")] = '\0';
	snprintf(out, MDNS_LABEL_MAX, NAME_FORM, host, p->interface[0] ? " " : "", p->interface);
}

static void tell_mdns(struct proxy_announce *a)
{
	struct mdns_service services[PLACES_MAX];

	memset(services, 0, sizeof(services));
	for (size_t i = 0; i < a->config.place_count; i++) {
		struct mdns_service *s = &services[i];

		s->type = SERVICE;
		name_it(&a->config.places[i], s->instance);
		s->at = *circuits_address(a->config.circuits, i);
		memcpy(s->variations, a->told.list, sizeof(s->variations));
		s->variation_count = a->told.count;
	}
	announce_mdns_offer(a->mdns, services, a->announced ? a->config.place_count : 0);
}

static void tell_grasp(struct proxy_announce *a)
{
	struct grasp_offer offers[GRASP_OFFERS_MAX];
	size_t n = 0;

	memset(offers, 0, sizeof(offers));
	for (size_t i = 0; a->announced && i < a->config.place_count; i++)
		for (size_t v = 0; v < a->told.count && n < GRASP_OFFERS_MAX; v++) {
			const char *said = a->told.list[v];
			struct grasp_offer *o = &offers[n++];

			o->objective = GRASP_PROXY;
			o->loops = GRASP_LOOPS_LINK;
			o->protocol = IPPROTO_TCP;
			o->at = *circuits_address(a->config.circuits, i);
			snprintf(o->value, sizeof(o->value), "%s",
				strcmp(said, USUAL_DNS) == 0 ? "" : said);
		}
	announce_grasp_offer(a->grasp, offers, n);
}

static bool same_told(const struct proxy_announce *a)
{
	const struct variations *now = a->config.variations;

	for (size_t i = 0; i < now->count; i++)
		if (!variations_have(&a->told, now->list[i]))
			return false;
	return now->count == a->told.count;
}

/* What is told is what is so. */
static void tell(struct proxy_announce *a)
{
	bool wanted = !a->draining && upstreams_any_works(a->config.upstreams);

	a->complained = a->complained && !wanted;
	if (wanted == a->announced && (!wanted || same_told(a)))
		return;
	if (wanted != a->announced)
		log_event(a->config.log, LOG_LEVEL_INFO,
			wanted ? "proxy-announced" : "proxy-withdrawn", NULL, "reason",
			wanted	      ? NULL
			: a->draining ? "it stops"
				      : "no registrar is reached",
			NULL);
	a->announced = wanted;
	a->told = *a->config.variations;
	if (a->mdns)
		tell_mdns(a);
	if (a->grasp)
		tell_grasp(a);
}

/* ---- Trying registrars ---------------------------------------------------------------------- */

static void end_probe(struct probe *p)
{
	if (p->connected)
		event_free(p->connected);
	p->connected = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static bool is_probing(const struct proxy_announce *a)
{
	for (size_t i = 0; i < UPSTREAMS_MAX; i++)
		if (a->probes[i].connected)
			return true;
	return false;
}

/* One that never was announced has nothing to withdraw: silence would look like success. */
static void complain_once(struct proxy_announce *a)
{
	if (a->announced || a->complained || a->draining || is_probing(a))
		return;
	a->complained = true;
	log_event(a->config.log, LOG_LEVEL_WARNING, "no-registrar-reached", NULL, "hint",
		"devices are told of the proxy once a registrar takes connections: see [proxy] "
		"registrars and whether it runs",
		NULL);
}

static void judge(struct probe *p, bool works)
{
	struct proxy_announce *a = p->all;

	if (works)
		upstreams_works(a->config.upstreams, &p->to);
	else
		upstreams_failed(a->config.upstreams, &p->to, clock_mono_ms());
	end_probe(p);
	tell(a);
	complain_once(a);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
	int why = 0;
	socklen_t len = sizeof(why);

	judge(arg, (what & EV_WRITE) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 &&
			   why == 0);
}

static void begin_probe(struct probe *p, const struct address *to)
{
	const struct timeval limit = {.tv_sec = PROBE_S};

	end_probe(p);
	p->to = *to;
	p->fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd >= 0 && (connect(p->fd, &to->sa, to->len) == 0 || errno == EINPROGRESS))
		p->connected =
			event_new(loop_base(p->all->config.loop), p->fd, EV_WRITE, on_connected, p);
	if (!p->connected || event_add(p->connected, &limit) != 0)
		judge(p, false);
}

static void on_next(void *arg)
{
	struct proxy_announce *a = arg;

	for (size_t i = 0; i < a->config.upstreams->count; i++) {
		const struct address to = a->config.upstreams->list[i].at;

		begin_probe(&a->probes[i], &to);
	}
	tell(a);
	if (a->looked && a->config.upstreams->count == 0)
		complain_once(a);
	a->looked = true;
	loop_timer_arm(&a->next, a->config.options->probe_s * 1000);
}

void proxy_announce_changed(struct proxy_announce *a)
{
	if (a->draining || a->interfaces.count == 0)
		return;
	tell(a);
	loop_timer_arm(&a->next, 0);
}

/* ---- Where ---------------------------------------------------------------------------------- */

static bool add_interface(struct local_interfaces *to, const char *name)
{
	if (to->count == LOCAL_INTERFACES_MAX)
		return false;
	memcpy(to->names[to->count++], name, strlen(name) + 1);
	return true;
}

/* On the places that are interfaces, unless others are named. */
static bool find_interfaces(struct proxy_announce *a, struct err *e)
{
	const char *words = a->config.options->announce;

	if (words && strcmp(words, NOWHERE) == 0)
		return true;
	if (words)
		return local_interfaces_parse(words, &a->interfaces, e) ||
		       err_prefix(e, "[proxy] announce");
	for (size_t i = 0; i < a->config.place_count; i++)
		if (a->config.places[i].interface[0] &&
			!add_interface(&a->interfaces, a->config.places[i].interface))
			break;
	return true;
}

/* What cannot be announced in one way is in the other: it relays in any case. */
static void start_ways(struct proxy_announce *a)
{
	const struct proxy_options *o = a->config.options;
	const struct announce_mdns_config mdns = {
		.loop = a->config.loop, .log = a->config.log, .interfaces = a->interfaces};
	const struct announce_grasp_config grasp = {.loop = a->config.loop,
		.log = a->config.log,
		.interfaces = a->interfaces,
		.port = (uint16_t)o->grasp_port,
		.interval_ms = GRASP_INTERVAL_MS};
	struct err e = ERR_INIT;

	if (o->announce_mdns && !(a->mdns = announce_mdns_new(&mdns, &e)))
		log_err(a->config.log, "announce-failed", NULL, &e);
	e = (struct err)ERR_INIT;
	if (o->announce_grasp && !(a->grasp = announce_grasp_new(&grasp, &e)))
		log_err(a->config.log, "announce-failed", NULL, &e);
}

struct proxy_announce *proxy_announce_new(const struct proxy_announce_config *config, struct err *e)
{
	struct proxy_announce *a = mem_new(sizeof(*a), e);

	if (!a)
		return NULL;
	a->config = *config;
	for (size_t i = 0; i < UPSTREAMS_MAX; i++)
		a->probes[i] = (struct probe){.all = a, .fd = -1};
	if (!find_interfaces(a, e) || !loop_timer_init(&a->next, config->loop, on_next, a, e)) {
		proxy_announce_free(a);
		return NULL;
	}
	if (a->interfaces.count == 0)
		return a;
	start_ways(a);
	loop_timer_arm(&a->next, 0);
	return a;
}

void proxy_announce_drain(struct proxy_announce *a)
{
	a->draining = true;
	loop_timer_disarm(&a->next);
	for (size_t i = 0; i < UPSTREAMS_MAX; i++)
		end_probe(&a->probes[i]);
	tell(a);
}

void proxy_announce_free(struct proxy_announce *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < UPSTREAMS_MAX; i++)
		end_probe(&a->probes[i]);
	announce_mdns_free(a->mdns);
	announce_grasp_free(a->grasp);
	loop_timer_clear(&a->next);
	free(a);
}
