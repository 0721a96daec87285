/* SPDX-License-Identifier: Apache-2.0 */
/* Asked for again and again, and kept until it is no longer heard. */
#include "pledge/proxy_seek.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/grasp_listener.h"
#include "common/net/link_watch.h"
#include "common/net/mdns_browser.h"

#define LOOK_SOON_MS  3000 /* while there is none */
#define LOOK_GAP_MS   1000 /* RFC 6762 §5.2 */
#define TOGETHER_MS   700  /* several answers are one change, and devices are told what lasts */
#define SLACK_MS      8000
#define GRASP_TTL_MAX (600 * 1000) /* longer than that nobody is believed unheard */

struct seek {
	struct seek_config config;
	struct link_interfaces on; /* uplinks that are there now */
	struct mdns_browser *mdns;
	struct grasp_listener *grasp; /* NULL: no IPv6, or somebody else has the port */
	struct link_watch *watch;
	struct loop_timer look, tell;
	int64_t looked_ms;
	bool news;
	struct found found;
};

/* ---- What is found -------------------------------------------------------------------------- */

static void on_tell(void *arg)
{
	struct seek *s = arg;

	s->news = false;
	s->config.changed(s->config.arg);
}

static void note(struct seek *s, bool news)
{
	if (news && !s->news && s->config.changed)
		loop_timer_arm(&s->tell, TOGETHER_MS);
	s->news = s->news || news;
}

/* The link-local address of a neighbour is enough. */
static bool is_known_nearer(const struct seek *s, const struct place_found *p)
{
	if (p->to.at.sa.sa_family != AF_INET6 || address_is_link_local(&p->to.at))
		return false;
	for (size_t i = 0; i < s->found.count; i++) {
		const struct place_found *known = &s->found.all[i];

		if (address_is_link_local(&known->to.at) &&
			address_port(&known->to.at) == address_port(&p->to.at) &&
			memcmp(known->sender, p->sender, sizeof(p->sender)) == 0)
			return true;
	}
	return false;
}

/* Answers come from the port that was asked (RFC 6762 §6). */
static void on_mdns(void *arg, const struct mdns_found *found)
{
	struct seek *s = arg;
	struct place_found p = {.to.at = found->place.at,
		.to.priority = found->place.priority,
		.to.weight = found->place.weight,
		.variations = *found->place.speaks,
		.until_ms = clock_mono_ms() + 2 * s->config.look_ms + SLACK_MS};

	address_key(&found->from, p.sender);
	if (address_port(&found->from) != s->config.mdns_port || is_known_nearer(s, &p))
		return;
	variations_usual_if_none(&p.variations);
	note(s, found_keep(&s->found, &p));
}

/* What is flooded of one place in several objectives is all of it so. */
static void add_what_is_known(const struct seek *s, struct place_found *p)
{
	for (size_t i = 0; i < s->found.count; i++) {
		const struct place_found *known = &s->found.all[i];

		if (!address_equal(&known->to.at, &p->to.at))
			continue;
		for (size_t k = 0; k < known->variations.count; k++)
			variations_add(&p->variations, bytes_of_str(known->variations.list[k]));
		p->to = known->to;
	}
}

static void on_grasp(void *arg, const struct grasp_found *found)
{
	struct seek *s = arg;
	uint32_t ttl_ms = found->ttl_ms < GRASP_TTL_MAX ? found->ttl_ms : GRASP_TTL_MAX;
	struct place_found p = {.to.at = found->at, .until_ms = clock_mono_ms() + ttl_ms};

	if (found->service->role != SERVICE_REGISTRAR || found->service->scheme != URI_HTTPS)
		return;
	memcpy(p.sender, found->sender, sizeof(p.sender));
	variations_add(&p.variations, bytes_of_str(found->variation));
	variations_usual_if_none(&p.variations);
	add_what_is_known(s, &p);
	note(s, found_keep(&s->found, &p));
}

void seek_found(const struct seek *s, struct upstreams *out, struct variations *all_speak)
{
	found_sum(&s->found, out, all_speak);
}

/* ---- Looking -------------------------------------------------------------------------------- */

static void look_at_uplinks(struct seek *s)
{
	const struct local_interfaces *uplinks = &s->config.uplinks.interfaces;
	const char *names[LOCAL_INTERFACES_MAX];
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < uplinks->count; i++)
		names[i] = uplinks->names[i];
	if (!link_interfaces_find(&s->on, names, uplinks->count, &ignored))
		s->on.count = 0;
}

static void on_look(void *arg)
{
	struct seek *s = arg;
	int64_t wait_ms = s->config.look_ms;

	s->looked_ms = clock_mono_ms();
	note(s, found_drop_old(&s->found, s->looked_ms));
	look_at_uplinks(s);
	mdns_browser_forget(s->mdns);
	mdns_browser_ask(s->mdns);
	if (s->found.count == 0 && wait_ms > LOOK_SOON_MS)
		wait_ms = LOOK_SOON_MS;
	/* not in step with other proxies (RFC 6762 §5.2) */
	loop_timer_arm(&s->look, wait_ms + rng_below((uint32_t)wait_ms / 8 + 1));
}

/* Again when interfaces come: a membership goes with its interface. */
static void on_links(void *arg)
{
	struct seek *s = arg;
	int64_t since_ms = clock_mono_ms() - s->looked_ms;

	look_at_uplinks(s);
	if (s->grasp)
		grasp_listener_join(s->grasp);
	loop_timer_arm(
		&s->look, s->looked_ms && since_ms < LOOK_GAP_MS ? LOOK_GAP_MS - since_ms : 0);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static bool open_mdns(struct seek *s, struct err *e)
{
	struct mdns_browser_config c = {.loop = s->config.loop,
		.place_count = 2,
		.interfaces = &s->on,
		.relay = true,
		.found = on_mdns,
		.arg = s};

	if (!address_parse(MDNS_GROUP_IPV6, s->config.mdns_port, &c.places[0], e) ||
		!address_parse(MDNS_GROUP_IPV4, s->config.mdns_port, &c.places[1], e))
		return false;
	if (s->config.uplinks.at.len) {
		c.places[c.place_count] = s->config.uplinks.at;
		address_set_port(&c.places[c.place_count++], s->config.mdns_port);
	}
	s->mdns = mdns_browser_new(&c, e);
	return s->mdns != NULL;
}

static bool open_grasp(struct seek *s, struct err *e)
{
	struct grasp_listener_config c = {
		.loop = s->config.loop, .interfaces = &s->on, .found = on_grasp, .arg = s};
	struct err missing = ERR_INIT;

	if (!address_parse(GRASP_GROUP, s->config.grasp_port, &c.group, e))
		return false;
	s->grasp = grasp_listener_new(&c, &missing);
	if (!s->grasp)
		log_err(s->config.log, "discovery", NULL, &missing);
	return true;
}

struct seek *seek_new(const struct seek_config *config, struct err *e)
{
	struct seek *s = mem_new(sizeof(*s), e);
	const struct link_watch_config watch = {
		.loop = config->loop, .changed = on_links, .arg = s};

	if (!s)
		return NULL;
	s->config = *config;
	if (loop_timer_init(&s->look, config->loop, on_look, s, e) &&
		loop_timer_init(&s->tell, config->loop, on_tell, s, e) && open_mdns(s, e) &&
		open_grasp(s, e))
		s->watch = link_watch_new(&watch, e);
	if (!s->watch) {
		seek_free(s);
		return NULL;
	}
	on_links(s);
	return s;
}

void seek_free(struct seek *s)
{
	if (!s)
		return;
	mdns_browser_free(s->mdns);
	grasp_listener_free(s->grasp);
	link_watch_free(s->watch);
	loop_timer_clear(&s->look);
	loop_timer_clear(&s->tell);
	free(s);
}
