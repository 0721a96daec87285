/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/discover.h"

#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/rng.h"
#include "common/net/coap_discovery.h"
#include "common/net/dns_browser.h"
#include "common/net/grasp_listener.h"
#include "common/net/link_watch.h"
#include "common/net/mdns_browser.h"
#include "pledge/limits.h"

/* Words of [registrars] discover, taken apart. */
struct whom {
	char *text; /* the words point into it */
	const char *interfaces[DISCOVER_WORDS_MAX];
	size_t interface_count;
	bool all;
	struct address addresses[DISCOVER_WORDS_MAX]; /* asked by CoAP alone */
	size_t address_count;
};

struct discover {
	const struct pledge_config *config;
	struct candidates *set;
	const struct log *log;
	struct whom whom;
	struct link_interfaces interfaces; /* as they are now */
	struct loop *loop;
	struct loop_timer ask, again, wake, links;
	struct link_watch *watch;
	struct mdns_browser *mdns;
	struct grasp_listener *grasp;
	struct dns_browser *dns;
	struct coap_query *coap[1 + DISCOVER_WORDS_MAX]; /* on their way */
	int64_t interval_ms;				 /* until the question after the next */
	int64_t ask_due_ms;				 /* the next one, by itself */
	int64_t asked_ms, coap_asked_ms;		 /* 0: not yet */
	int64_t links_due_ms; /* not before is a change of the links news */
	bool postponed;	      /* the next question, because somebody was heard */
	bool is_new;
};

/* ---- What was found ------------------------------------------------------------------------- */

/* "[fe80::1%eth0]:5684" as a URI has it. */
static bool to_uri(const struct address *a, enum uri_scheme scheme, struct uri *out, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(2 * ADDRESS_TEXT_MAX);
	char where[ADDRESS_TEXT_MAX];
	size_t zone;

	address_format(a, where);
	zone = strcspn(where, "%");
	return buf_printf(&text, e, "%s://%.*s%s%s", uri_scheme_name(scheme), (int)zone, where,
		       where[zone] ? "%25" : "", where + zone + (where[zone] ? 1 : 0)) &&
	       uri_parse_server(buf_str(&text), out, e);
}

/* A device that cannot make keys has use for CoAPS alone; others have more of HTTPS. */
static unsigned preference(const struct discover *d, enum uri_scheme scheme)
{
	bool best = (scheme == URI_COAPS) == (d->config->key_source == KEY_OF_REGISTRAR);

	return best ? 0 : 1;
}

/* c: all but uri and preference. An address of a kind that no URI has is passed over. */
static void add(
	struct discover *d, struct candidate *c, const struct address *at, enum uri_scheme scheme)
{
	struct err ignored = ERR_INIT;
	char where[ADDRESS_TEXT_MAX];
	uint8_t key[ADDRESS_KEY_LEN];

	if (!to_uri(at, scheme, &c->uri, &ignored))
		return;
	c->preference = preference(d, scheme);
	address_key(at, key);
	c->own = memcmp(key, c->sender, sizeof(key)) == 0;
	if (!candidates_add(d->set, c))
		return;
	log_event(d->log, LOG_LEVEL_INFO, "candidate", NULL, "place", address_format(at, where),
		"scheme", uri_scheme_name(scheme), "source", candidate_source_name(c->source),
		"proxy", c->proxy ? "yes" : "no", NULL);
	d->is_new = true;
	loop_stop(d->loop);
}

static void add_dns_sd(struct discover *d, const struct dns_sd_place *place,
	enum candidate_source source, const uint8_t sender[ADDRESS_KEY_LEN])
{
	struct candidate c = {.source = source,
		.proxy = place->service->role == SERVICE_PROXY,
		.priority = place->priority,
		.weight = place->weight};

	memcpy(c.sender, sender, sizeof(c.sender));
	snprintf(c.variation, sizeof(c.variation), "%s", place->variation);
	add(d, &c, &place->at, place->service->scheme);
}

static void on_mdns(void *arg, const struct mdns_found *found)
{
	uint8_t sender[ADDRESS_KEY_LEN];

	address_key(&found->from, sender);
	add_dns_sd(arg, &found->place, CANDIDATE_MDNS, sender);
}

/* One resolver tells of everybody: the place stands for the sender. */
static void on_dns(void *arg, const struct dns_sd_place *place, const struct address *resolver)
{
	uint8_t sender[ADDRESS_KEY_LEN];

	address_key(&place->at, sender);
	add_dns_sd(arg, place, CANDIDATE_DNS_SD, sender);
}

static void on_grasp(void *arg, const struct grasp_found *found)
{
	struct candidate c = {
		.source = CANDIDATE_GRASP, .proxy = found->service->role == SERVICE_PROXY};

	if (found->service->scheme == URI_JPY ||
		!service_speaks(found->service->scheme, bytes_of_str(found->variation)))
		return;
	memcpy(c.sender, found->sender, sizeof(c.sender));
	snprintf(c.variation, sizeof(c.variation), "%.*s", CANDIDATE_VARIATION_MAX,
		found->variation);
	add(arg, &c, &found->at, found->service->scheme);
}

/* The nearest answer came first. */
static void on_coap(void *arg, const struct coap_candidate *found, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct candidate c = {
			.source = CANDIDATE_CORE, .proxy = true, .priority = (unsigned)i};
		struct address at =
			address_of((const struct sockaddr *)&found[i].at, found[i].at_len);
		struct address from =
			address_of((const struct sockaddr *)&found[i].from, found[i].at_len);

		address_key(&from, c.sender);
		add(arg, &c, &at, URI_COAPS);
	}
}

/* ---- Asking --------------------------------------------------------------------------------- */

static void ask_dns(struct discover *d)
{
	BUF_AUTO struct buf text = BUF_INIT(RESOLV_CONF_MAX);
	struct dns_settings settings;
	struct err ignored = ERR_INIT;

	if (!d->dns || !file_read(d->config->resolver, &text, &ignored))
		return;
	dns_settings_parse(buf_str(&text), &settings);
	dns_browser_ask(d->dns, &settings);
}

static void ask_one_by_coap(struct discover *d, size_t n, const struct coap_query_config *q)
{
	struct err why = ERR_INIT;

	coap_query_free(d->coap[n]);
	d->coap[n] = coap_query_new(q, on_coap, d, &why);
	if (!d->coap[n])
		log_err(d->log, "discovery", NULL, &why);
}

/* Once in a while: it is repeated by itself, and those who answer take their time. */
static void ask_coap(struct discover *d)
{
	struct coap_query_config q = {.loop = d->loop,
		.find = COAP_FIND_JOIN_PORT,
		.port = (uint16_t)d->config->discovery_port};

	if (d->coap_asked_ms && clock_mono_ms() - d->coap_asked_ms < GATHER_MS)
		return;
	d->coap_asked_ms = clock_mono_ms();
	if (d->interfaces.count) {
		q.interfaces = d->whom.all ? NULL : d->whom.interfaces;
		q.interface_count = d->whom.all ? 0 : d->whom.interface_count;
		ask_one_by_coap(d, 0, &q);
	}
	q.stop_at_first = true;
	for (size_t i = 0; i < d->whom.address_count; i++) {
		q.to = &d->whom.addresses[i].sa;
		q.to_len = d->whom.addresses[i].len;
		ask_one_by_coap(d, 1 + i, &q);
	}
}

static void ask_all(struct discover *d)
{
	d->asked_ms = clock_mono_ms();
	if (d->mdns)
		mdns_browser_ask(d->mdns);
	ask_dns(d);
	ask_coap(d);
}

static bool asked_lately(const struct discover *d)
{
	return clock_mono_ms() - d->asked_ms < ASK_FIRST_MS;
}

static void ask_in(struct discover *d, int64_t delay_ms)
{
	d->ask_due_ms = clock_mono_ms() + delay_ms;
	loop_timer_arm(&d->ask, delay_ms);
}

/* RFC 6762 §5.2: at least a second, then at least twice as long each time, an hour at most. */
static void on_ask(void *arg)
{
	struct discover *d = arg;

	d->postponed = false;
	ask_all(d);
	ask_in(d, d->interval_ms);
	d->interval_ms = d->interval_ms > ASK_LONGEST_MS / 2 ? ASK_LONGEST_MS : 2 * d->interval_ms;
}

/* Beside the others: after a few for the sake of a flood the next one would be minutes away, and
 * one answer that is lost costs these. */
static void on_ask_again(void *arg)
{
	struct discover *d = arg;

	if (asked_lately(d)) /* it was time for both */
		return;
	ask_all(d);
	if (d->ask_due_ms - d->asked_ms < ASK_FIRST_MS)
		ask_in(d, ASK_FIRST_MS);
}

/* After some listening, and not at the same moment as everybody whose power came back (RFC 6762
 * §5.2); never sooner than a second after the last question. */
static void ask_from_the_start(struct discover *d)
{
	int64_t delay_ms = LISTEN_FIRST_MS + ASK_JITTER_MIN_MS +
			   rng_below(ASK_JITTER_MAX_MS - ASK_JITTER_MIN_MS + 1);
	int64_t since_ms = clock_mono_ms() - d->asked_ms;

	if (d->asked_ms && since_ms + delay_ms < ASK_FIRST_MS)
		delay_ms = ASK_FIRST_MS - since_ms;
	d->interval_ms = ASK_FIRST_MS;
	ask_in(d, delay_ms);
}

/* ---- Links ---------------------------------------------------------------------------------- */

static bool look_at_links(struct discover *d, struct err *e)
{
	const char *const *names = d->whom.all ? NULL : d->whom.interfaces;

	return link_interfaces_find(&d->interfaces, names, d->whom.interface_count, e);
}

/* A few changes follow one another when a cable is plugged in. A link that comes and goes, or a
 * neighbour who has addresses given without end, would have us forgive for ever: they are news now
 * and then. */
static bool is_time_for_links(struct discover *d)
{
	int64_t now_ms = clock_mono_ms(),
		earliest_ms = now_ms - (LINK_NEWS_BURST - 1) * LINK_NEWS_GAP_MS;

	if (d->links_due_ms < earliest_ms)
		d->links_due_ms = earliest_ms;
	if (now_ms < d->links_due_ms) {
		loop_timer_arm(&d->links, d->links_due_ms - now_ms);
		return false;
	}
	d->links_due_ms += LINK_NEWS_GAP_MS;
	return true;
}

static void on_links(void *arg)
{
	struct discover *d = arg;
	struct err ignored = ERR_INIT;

	if (!is_time_for_links(d) || !look_at_links(d, &ignored))
		return;
	if (d->mdns)
		mdns_browser_join(d->mdns);
	if (d->grasp)
		grasp_listener_join(d->grasp);
	log_event(d->log, LOG_LEVEL_INFO, "link-up", NULL, NULL);
	candidates_forgive(d->set);
	ask_from_the_start(d);
	d->is_new = d->set->count > 0;
	if (d->is_new)
		loop_stop(d->loop);
}

/* ---- Configuration -------------------------------------------------------------------------- */

static bool add_word(struct whom *w, const char *word, uint16_t port, struct err *e)
{
	struct err no_address = ERR_INIT;

	if (w->interface_count + w->address_count == DISCOVER_WORDS_MAX)
		return err_set(e, ERR_INPUT, "more than %d words", DISCOVER_WORDS_MAX);
	if (strcmp(word, DISCOVER_ALL) == 0 || strcmp(word, DISCOVER_AUTO) == 0)
		w->all = true;
	else if (address_parse(word, port, &w->addresses[w->address_count], &no_address))
		w->address_count++;
	else
		w->interfaces[w->interface_count++] = word;
	return true;
}

static bool parse_whom(struct discover *d, struct err *e)
{
	struct whom *w = &d->whom;
	char *rest = NULL;

	w->text = str_dup(d->config->discover ? d->config->discover : DISCOVER_AUTO, e);
	if (!w->text)
		return false;
	for (char *p = strtok_r(w->text, " \t\r\n,", &rest); p;
		p = strtok_r(NULL, " \t\r\n,", &rest))
		if (!add_word(w, p, (uint16_t)d->config->discovery_port, e))
			return false;
	return true;
}

/* "[ff02::fb]:5353 224.0.0.251:5353" */
static bool parse_places(
	const char *words, struct address *out, size_t max, size_t *count, struct err *e)
{
	FREE_AUTO char *text = str_dup(words ? words : "", e);
	char *rest = NULL;

	*count = 0;
	if (!text)
		return false;
	for (char *p = strtok_r(text, " \t\r\n,", &rest); p;
		p = strtok_r(NULL, " \t\r\n,", &rest)) {
		struct uri u;

		if (*count == max)
			return err_set(e, ERR_INPUT, "more than %zu places", max);
		if (!uri_parse_authority(p, &u, e) ||
			!address_parse(u.host, u.port, &out[(*count)++], e))
			return false;
	}
	return true;
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* Where addresses alone are named, nobody else is asked. */
static bool looks_on_links(const struct discover *d)
{
	return d->whom.all || d->whom.interface_count;
}

static bool open_mdns(struct discover *d, struct err *e)
{
	struct mdns_browser_config c = {
		.loop = d->loop, .interfaces = &d->interfaces, .found = on_mdns, .arg = d};

	if (!parse_places(d->config->mdns, c.places, MDNS_PLACES_MAX, &c.place_count, e))
		return err_prefix(e, "[registrars] mdns");
	if (!c.place_count || !looks_on_links(d))
		return true;
	d->mdns = mdns_browser_new(&c, e);
	return d->mdns != NULL;
}

static bool open_grasp(struct discover *d, struct err *e)
{
	struct grasp_listener_config c = {
		.loop = d->loop, .interfaces = &d->interfaces, .found = on_grasp, .arg = d};
	struct err taken = ERR_INIT;
	size_t count;

	if (!parse_places(d->config->grasp, &c.group, 1, &count, e))
		return err_prefix(e, "[registrars] grasp");
	if (!count || !looks_on_links(d))
		return true;
	d->grasp = grasp_listener_new(&c, &taken);
	if (!d->grasp) /* somebody else has the port: there are other ways */
		log_err(d->log, "discovery", NULL, &taken);
	return true;
}

static bool open_dns(struct discover *d, struct err *e)
{
	if (!d->config->resolver || !looks_on_links(d))
		return true;
	d->dns = dns_browser_new(d->loop, on_dns, d, e);
	return d->dns != NULL;
}

static void on_wake(void *arg)
{
	struct discover *d = arg;

	loop_stop(d->loop);
}

static bool begin(struct discover *d, struct err *e)
{
	struct link_watch_config watch = {.news = on_links, .arg = d};

	if (!parse_whom(d, e))
		return err_prefix(e, "[registrars] discover");
	d->loop = loop_new(e);
	if (!d->loop || !look_at_links(d, e) || !open_mdns(d, e) || !open_grasp(d, e) ||
		!open_dns(d, e) || !loop_timer_init(&d->ask, d->loop, on_ask, d, e) ||
		!loop_timer_init(&d->again, d->loop, on_ask_again, d, e) ||
		!loop_timer_init(&d->wake, d->loop, on_wake, d, e) ||
		!loop_timer_init(&d->links, d->loop, on_links, d, e))
		return false;
	watch.loop = d->loop;
	d->watch = link_watch_new(&watch, e);
	if (!d->watch)
		return false;
	ask_from_the_start(d);
	return true;
}

struct discover *discover_new(const struct pledge_config *config, struct candidates *set,
	const struct log *log, struct err *e)
{
	struct discover *d = mem_new(sizeof(*d), e);

	if (!d)
		return NULL;
	d->config = config;
	d->set = set;
	d->log = log;
	d->links_due_ms = INT64_MIN;
	if (begin(d, e))
		return d;
	discover_free(d);
	return NULL;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < sizeof(d->coap) / sizeof(*d->coap); i++)
		coap_query_free(d->coap[i]);
	link_watch_free(d->watch);
	dns_browser_free(d->dns);
	grasp_listener_free(d->grasp);
	mdns_browser_free(d->mdns);
	loop_timer_clear(&d->ask);
	loop_timer_clear(&d->again);
	loop_timer_clear(&d->wake);
	loop_timer_clear(&d->links);
	loop_free(d->loop);
	free_ptr(&d->whom.text);
	free(d);
}

/* ---- Telling people ------------------------------------------------------------------------- */

/* A word more, as far as there is room. */
static void tell_word(char out[DISCOVER_PLACES_MAX], const char *word, const char *remark)
{
	size_t len = strlen(out);

	snprintf(out + len, DISCOVER_PLACES_MAX - len, "%s%s%s", len ? " " : "", word, remark);
}

const char *discover_where(const struct discover *d, char out[DISCOVER_PLACES_MAX])
{
	const struct whom *w = &d->whom;
	char word[ADDRESS_TEXT_MAX > IF_NAMESIZE ? ADDRESS_TEXT_MAX : IF_NAMESIZE];

	out[0] = '\0';
	for (size_t i = 0; w->all && i < d->interfaces.count; i++)
		if (if_indextoname(d->interfaces.index[i], word))
			tell_word(out, word, "");
	for (size_t i = 0; !w->all && i < w->interface_count; i++)
		tell_word(out, w->interfaces[i],
			if_nametoindex(w->interfaces[i]) ? "" : " (no such interface)");
	for (size_t i = 0; i < w->address_count; i++)
		tell_word(out, address_format(&w->addresses[i], word), "");
	return out;
}

/* ---- Waiting -------------------------------------------------------------------------------- */

/* Until then, or (early) until somebody new was found. */
static void run_until(struct discover *d, int64_t until_ms, bool early)
{
	int64_t left_ms;

	while (!(early && d->is_new) && (left_ms = until_ms - clock_mono_ms()) > 0) {
		loop_timer_arm(&d->wake, left_ms > ASK_LONGEST_MS ? ASK_LONGEST_MS : left_ms);
		loop_run(d->loop);
	}
	loop_timer_disarm(&d->wake);
}

/* Who found no room does not say it again by himself. */
static void ask_those_turned_away(struct discover *d)
{
	if (!d->set->turned_away || !d->asked_ms || asked_lately(d))
		return;
	d->set->turned_away = false;
	loop_timer_arm(&d->again, 0); /* after answers that have come */
}

bool discover_wait(struct discover *d, int64_t until_ms)
{
	int64_t now_ms = clock_mono_ms();

	d->is_new = false;
	ask_those_turned_away(d);
	run_until(d, until_ms > now_ms ? until_ms : now_ms + 1, true);
	if (!d->is_new)
		return false;
	/* nobody has to be asked as long as there is somebody to try; but who announces without end
	 * does not keep the others from being asked */
	if (!d->postponed)
		ask_in(d, d->interval_ms);
	d->postponed = true;
	run_until(d, clock_mono_ms() + SETTLE_MS, false);
	return true;
}
