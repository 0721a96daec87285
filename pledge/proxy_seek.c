/* SPDX-License-Identifier: Apache-2.0 */
/* A look is a question to every uplink from a port of its own, so that answers come to us alone
 * (RFC 6762 §6.7), a second one for what the answers left open, and then the sum. */
#include "pledge/proxy_seek.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/announce_grasp.h"
#include "common/net/dns_message.h"
#include "common/net/grasp.h"
#include "common/net/link_socket.h"
#include "common/net/mdns_browser.h"

#define SERVICE		     "_brski-registrar._tcp.local"
#define FAMILIES	     2	  /* IPv6, IPv4 */
#define ASK_AGAIN_MS	     700  /* answers come within 120 ms (RFC 6762 §6) */
#define LOOK_END_MS	     1500 /* and once more */
#define LOOK_SOON_MS	     3000 /* while there is none */
#define SLACK_MS	     5000
#define HEARD_MAX	     256
#define HEARD_OF_ONE	     32 /* of a sender: nobody's words take the room of all others' */
#define QUESTIONS_MAX	     32
#define DATAGRAMS_PER_SECOND 200	  /* of one socket */
#define GRASP_TTL_MAX	     (600 * 1000) /* longer than that nobody is believed unheard */

struct heard { /* a record of an answer */
	struct dns_record r;
	uint8_t address[16];
	struct variations variations;
	unsigned index; /* of the interface it came by */
	uint8_t sender[ADDRESS_KEY_LEN];
};

struct seek {
	struct seek_config config;
	struct address groups[FAMILIES], grasp_group;
	struct link_socket *asking[FAMILIES]; /* NULL: the machine has no such family */
	struct link_socket *listening;	      /* to GRASP; NULL: it has no IPv6 */
	struct local_watch *watch;
	struct loop_timer step;
	bool asked_again;
	bool looking;
	uint16_t id;
	struct heard heard[HEARD_MAX];
	size_t heard_count;
	struct found found;
};

/* ---- What is found -------------------------------------------------------------------------- */

static bool may_be_a_registrar(const struct address *a, unsigned index)
{
	char name[IF_NAMESIZE] = "";
	bool here = if_indextoname(index, name) && strcmp(name, "lo") == 0;

	return !address_is_wildcard(a) && !address_is_multicast(a) &&
	       (here || !address_is_loopback(a)) && address_port(a) > 0;
}

static void tell_change(const struct seek *s)
{
	if (s->config.changed)
		s->config.changed(s->config.arg);
}

void seek_found(const struct seek *s, struct upstreams *out, struct variations *all_speak)
{
	found_sum(&s->found, out, all_speak);
}

/* ---- Answers of multicast DNS --------------------------------------------------------------- */

static void take_texts(struct heard *h)
{
	struct bytes left = h->r.data, text;

	while (dns_txt_next(&left, &text))
		variations_add(&h->variations, text);
}

static size_t count_heard(const struct seek *s, const uint8_t sender[ADDRESS_KEY_LEN])
{
	size_t n = 0;

	for (size_t i = 0; i < s->heard_count; i++)
		n += memcmp(s->heard[i].sender, sender, ADDRESS_KEY_LEN) == 0;
	return n;
}

/* What a host says of its services counts, not what others say of them. */
static bool is_from(const struct heard *h, const struct heard *other)
{
	return memcmp(h->sender, other->sender, ADDRESS_KEY_LEN) == 0;
}

static void hear(struct seek *s, const struct dns_record *r, unsigned index,
	const uint8_t sender[ADDRESS_KEY_LEN])
{
	struct heard *h = &s->heard[s->heard_count];

	if (s->heard_count == HEARD_MAX || count_heard(s, sender) >= HEARD_OF_ONE ||
		r->class != DNS_CLASS_IN || r->ttl_s == 0)
		return;
	memset(h, 0, sizeof(*h));
	h->r = *r;
	h->index = index;
	memcpy(h->sender, sender, ADDRESS_KEY_LEN);
	if (r->type == DNS_TXT)
		take_texts(h);
	if (r->type == DNS_A || r->type == DNS_AAAA)
		memcpy(h->address, r->data.data, r->type == DNS_A ? 4 : 16);
	h->r.data = (struct bytes){NULL, 0}; /* the message goes */
	s->heard_count++;
}

static void read_answer(
	struct seek *s, struct bytes octets, unsigned index, const uint8_t sender[ADDRESS_KEY_LEN])
{
	struct dns_reader reader;
	struct dns_record record;
	struct err ignored = ERR_INIT;
	bool end = false;

	if (!s->looking || !dns_open(octets, &reader, &ignored) ||
		!(reader.head.flags & DNS_FLAG_RESPONSE) || reader.head.id != s->id)
		return;
	while (!end && dns_next_record(&reader, &record, &end, &ignored))
		if (!end)
			hear(s, &record, index, sender);
}

/* ---- The sum of a look ---------------------------------------------------------------------- */

static bool address_of_heard(const struct heard *h, uint16_t port, struct address *out)
{
	memset(out, 0, sizeof(*out));
	if (h->r.type == DNS_A) {
		out->v4.sin_family = AF_INET;
		memcpy(&out->v4.sin_addr, h->address, 4);
		out->len = sizeof(out->v4);
	} else {
		out->v6.sin6_family = AF_INET6;
		memcpy(&out->v6.sin6_addr, h->address, 16);
		out->len = sizeof(out->v6);
		if (address_is_link_local(out))
			out->v6.sin6_scope_id = h->index;
	}
	address_set_port(out, port);
	return may_be_a_registrar(out, h->index);
}

/* Its best address of this family: link-local before others. */
static const struct heard *best_address(
	const struct seek *s, const struct heard *srv, uint16_t type, struct address *out)
{
	const struct heard *best = NULL;
	struct address a;

	for (size_t i = 0; i < s->heard_count; i++) {
		const struct heard *h = &s->heard[i];

		if (h->r.type != type || !is_from(h, srv) ||
			!dns_name_equal(&h->r.name, &srv->r.target) ||
			!address_of_heard(h, srv->r.srv.port, &a) ||
			(best && !address_is_link_local(&a)))
			continue;
		best = h;
		*out = a;
	}
	return best;
}

static bool take_place(struct seek *s, const struct heard *srv, uint16_t type)
{
	struct place_found p = {.to.priority = srv->r.srv.priority,
		.to.weight = srv->r.srv.weight,
		.until_ms = clock_mono_ms() + 2 * (s->config.look_ms + LOOK_END_MS) + SLACK_MS};

	if (!best_address(s, srv, type, &p.to.at))
		return false;
	memcpy(p.sender, srv->sender, sizeof(p.sender));
	for (size_t i = 0; i < s->heard_count; i++)
		if (s->heard[i].r.type == DNS_TXT && is_from(&s->heard[i], srv) &&
			dns_name_equal(&s->heard[i].r.name, &srv->r.name))
			for (size_t k = 0; k < s->heard[i].variations.count; k++)
				variations_add(&p.variations,
					bytes_of_str(s->heard[i].variations.list[k]));
	variations_usual_if_none(&p.variations);
	return found_keep(&s->found, &p);
}

static bool take_all(struct seek *s, const struct dns_name *service)
{
	bool news = false;

	for (size_t i = 0; i < s->heard_count; i++) {
		const struct heard *h = &s->heard[i];

		if (h->r.type != DNS_SRV || !dns_name_is_under(&h->r.name, service))
			continue;
		news = take_place(s, h, DNS_AAAA) || news;
		news = take_place(s, h, DNS_A) || news;
	}
	return news;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static struct link_interfaces on_uplinks(const struct seek *s)
{
	const struct local_interfaces *uplinks = &s->config.uplinks.interfaces;
	const char *names[LOCAL_INTERFACES_MAX];
	struct link_interfaces on;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < uplinks->count; i++)
		names[i] = uplinks->names[i];
	if (!link_interfaces_find(&on, names, uplinks->count, &ignored))
		on.count = 0;
	return on;
}

/* An interface without a family takes nothing of it, which is all right. */
static void send_all(const struct seek *s, struct bytes octets)
{
	const struct link_interfaces on = on_uplinks(s);
	struct address at = s->config.uplinks.at;

	address_set_port(&at, s->config.mdns_port);
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct address *group = &s->groups[i];

		if (!s->asking[i])
			continue;
		link_socket_send(s->asking[i], group, &on, octets);
		if (at.len && at.sa.sa_family == group->sa.sa_family)
			link_socket_send(s->asking[i], &at, NULL, octets);
	}
}

static void ask(const struct seek *s, const struct dns_question *questions, size_t count)
{
	BUF_AUTO struct buf b = BUF_INIT(DNS_MESSAGE_MAX);
	struct err e = ERR_INIT;
	bool ok = count > 0 && dns_put_query(&b, s->id, 0, count, &e);

	for (size_t i = 0; ok && i < count; i++)
		ok = dns_put_question(&b, &questions[i], &e);
	if (ok)
		send_all(s, buf_bytes(&b));
}

static bool is_heard(const struct seek *s, const struct dns_name *name, uint16_t type)
{
	for (size_t i = 0; i < s->heard_count; i++)
		if (s->heard[i].r.type == type && dns_name_equal(&s->heard[i].r.name, name))
			return true;
	return false;
}

static void want(struct dns_question *q, size_t *n, const struct dns_name *name, uint16_t type)
{
	if (*n == QUESTIONS_MAX)
		return;
	q[*n] = (struct dns_question){
		.name = *name, .type = type, .class = DNS_CLASS_IN, .unicast = true};
	(*n)++;
}

/* A responder need not say all it knows in its first answer. */
static void ask_for_the_rest(struct seek *s, const struct dns_name *service)
{
	struct dns_question q[QUESTIONS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < s->heard_count; i++) {
		const struct dns_record *r = &s->heard[i].r;

		if (r->type == DNS_PTR && dns_name_equal(&r->name, service)) {
			if (!is_heard(s, &r->target, DNS_SRV))
				want(q, &n, &r->target, DNS_SRV);
			if (!is_heard(s, &r->target, DNS_TXT))
				want(q, &n, &r->target, DNS_TXT);
		}
		if (r->type == DNS_SRV && !is_heard(s, &r->target, DNS_AAAA) &&
			!is_heard(s, &r->target, DNS_A)) {
			want(q, &n, &r->target, DNS_AAAA);
			want(q, &n, &r->target, DNS_A);
		}
	}
	ask(s, q, n);
}

/* ---- A look --------------------------------------------------------------------------------- */

static void begin_look(struct seek *s, const struct dns_name *service)
{
	const struct dns_question q = {
		.name = *service, .type = DNS_PTR, .class = DNS_CLASS_IN, .unicast = true};

	s->heard_count = 0;
	s->looking = true;
	s->asked_again = false;
	s->id = (uint16_t)rng_below(UINT16_MAX + 1);
	ask(s, &q, 1);
	loop_timer_arm(&s->step, ASK_AGAIN_MS);
}

static void end_look(struct seek *s, const struct dns_name *service)
{
	int64_t wait_ms = s->config.look_ms;
	bool news = take_all(s, service);

	s->looking = false;
	news = found_drop_old(&s->found, clock_mono_ms()) || news;
	if (s->found.count == 0 && wait_ms > LOOK_SOON_MS)
		wait_ms = LOOK_SOON_MS;
	/* not in step with other proxies (RFC 6762 §5.2) */
	loop_timer_arm(&s->step, wait_ms + rng_below((uint32_t)wait_ms / 8 + 1));
	if (news)
		tell_change(s);
}

static void on_step(void *arg)
{
	struct seek *s = arg;
	struct dns_name service;
	struct err ignored = ERR_INIT;

	if (!dns_name_parse(SERVICE, &service, &ignored))
		return;
	if (!s->looking) {
		begin_look(s, &service);
	} else if (!s->asked_again) {
		s->asked_again = true;
		ask_for_the_rest(s, &service);
		/* what came at once is used at once */
		if (take_all(s, &service))
			tell_change(s);
		loop_timer_arm(&s->step, LOOK_END_MS - ASK_AGAIN_MS);
	} else {
		end_look(s, &service);
	}
}

/* ---- GRASP ---------------------------------------------------------------------------------- */

static bool take_objective(struct seek *s, const struct grasp_flood *f,
	const struct grasp_objective *o, unsigned index, const uint8_t sender[ADDRESS_KEY_LEN])
{
	struct place_found p = {.to.priority = 0};
	struct heard h = {
		.r.type = o->locator == GRASP_IPV4_LOCATOR ? DNS_A : DNS_AAAA, .index = index};

	if (strcasecmp(o->name, GRASP_REGISTRAR) != 0 || o->protocol != IPPROTO_TCP ||
		(o->locator != GRASP_IPV4_LOCATOR && o->locator != GRASP_IPV6_LOCATOR) ||
		!(o->flags & GRASP_FLAG_SYNCH))
		return false;
	memcpy(h.address, o->address, sizeof(h.address));
	if (!address_of_heard(&h, o->port, &p.to.at))
		return false;
	memcpy(p.sender, sender, sizeof(p.sender));
	p.until_ms = clock_mono_ms() + (f->ttl_ms < GRASP_TTL_MAX ? f->ttl_ms : GRASP_TTL_MAX);
	variations_add(&p.variations, bytes_of_str(o->value));
	variations_usual_if_none(&p.variations);
	for (size_t i = 0; i < s->found.count; i++)
		if (address_equal(&s->found.all[i].to.at, &p.to.at)) { /* another flood of it */
			const struct place_found *known = &s->found.all[i];

			for (size_t k = 0; k < known->variations.count; k++)
				variations_add(
					&p.variations, bytes_of_str(known->variations.list[k]));
			p.to = known->to;
		}
	return found_keep(&s->found, &p);
}

static void read_flood(
	struct seek *s, struct bytes octets, unsigned index, const uint8_t sender[ADDRESS_KEY_LEN])
{
	struct grasp_flood f;
	struct err ignored = ERR_INIT;
	bool news = false;

	if (!grasp_flood_parse(octets, &f, &ignored))
		return;
	for (size_t i = 0; i < f.count; i++)
		news = take_objective(s, &f, &f.objectives[i], index, sender) || news;
	if (news)
		tell_change(s);
}

/* ---- Sockets -------------------------------------------------------------------------------- */

/* From a neighbour by an uplink, or from where it is asked in place of one. */
static bool came_by_uplink(const struct seek *s, const struct link_datagram *d)
{
	struct address asked = s->config.uplinks.at;
	char name[IF_NAMESIZE];

	if (asked.len) {
		address_set_port(&asked, address_port(&d->from));
		if (address_equal(&asked, &d->from))
			return true;
	}
	if (!link_datagram_is_near(d) || !if_indextoname(d->interface, name))
		return false;
	for (size_t i = 0; i < s->config.uplinks.interfaces.count; i++)
		if (strcmp(s->config.uplinks.interfaces.names[i], name) == 0)
			return true;
	return false;
}

/* Answers come from the port that was asked (RFC 6762 §6.7). */
static void on_answer(void *arg, const struct link_datagram *d)
{
	struct seek *s = arg;
	uint8_t sender[ADDRESS_KEY_LEN];

	if (!came_by_uplink(s, d) || address_port(&d->from) != s->config.mdns_port)
		return;
	address_key(&d->from, sender);
	read_answer(s, d->octets, d->interface, sender);
}

static void on_flood(void *arg, const struct link_datagram *d)
{
	struct seek *s = arg;
	uint8_t sender[ADDRESS_KEY_LEN];

	if (!came_by_uplink(s, d))
		return;
	address_key(&d->from, sender);
	read_flood(s, d->octets, d->interface, sender);
}

/* Without IPv4 or IPv6 the other one has to do. */
static bool open_asking(struct seek *s, struct err *e)
{
	static const char *const groups[FAMILIES] = {MDNS_GROUP_IPV6, MDNS_GROUP_IPV4};
	struct link_socket_config c = {.loop = s->config.loop,
		.datagrams_per_second = DATAGRAMS_PER_SECOND,
		.received = on_answer,
		.arg = s};
	struct err missing = ERR_INIT;

	for (size_t i = 0; i < FAMILIES; i++) {
		if (!address_parse(groups[i], s->config.mdns_port, &s->groups[i], e))
			return false;
		c.at = s->groups[i];
		address_set_port(&c.at, 0);
		s->asking[i] = link_socket_new(&c, &missing);
	}
	if (s->asking[0] || s->asking[1])
		return true;
	*e = missing;
	return err_prefix(e, "asking by multicast DNS");
}

/* A machine without IPv6 has no GRASP. */
static bool open_grasp(struct seek *s, struct err *e)
{
	struct link_socket_config c = {.loop = s->config.loop,
		.shared = true,
		.datagrams_per_second = DATAGRAMS_PER_SECOND,
		.received = on_flood,
		.arg = s};

	if (!s->asking[0])
		return true;
	if (!address_parse(GRASP_GROUP, s->config.grasp_port, &c.at, e))
		return false;
	s->grasp_group = c.at;
	s->listening = link_socket_new(&c, e);
	return s->listening || err_prefix(e, "listening to GRASP");
}

/* Again when interfaces come: a membership goes with its interface. */
static void join_groups(void *arg)
{
	struct seek *s = arg;
	const struct link_interfaces on = on_uplinks(s);

	if (s->listening)
		link_socket_join(s->listening, &s->grasp_group, &on);
	if (!s->looking)
		loop_timer_arm(&s->step, 0);
}

/* ---- Life ----------------------------------------------------------------------------------- */

struct seek *seek_new(const struct seek_config *config, struct err *e)
{
	struct seek *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->config = *config;
	if (loop_timer_init(&s->step, config->loop, on_step, s, e) && open_asking(s, e) &&
		open_grasp(s, e))
		s->watch = local_watch_new(config->loop, join_groups, s, e);
	if (!s->watch) {
		seek_free(s);
		return NULL;
	}
	join_groups(s);
	return s;
}

void seek_free(struct seek *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < FAMILIES; i++)
		link_socket_free(s->asking[i]);
	link_socket_free(s->listening);
	local_watch_free(s->watch);
	loop_timer_clear(&s->step);
	free(s);
}
