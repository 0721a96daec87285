/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted (each service and each of its addresses, on each interface) is compared with what
 * Avahi has whenever something changes; each is an entry group of its own there, so that one that
 * goes takes nothing else with it. */
#include "common/net/announce_mdns.h"

#include <avahi-common/alternative.h>
#include <avahi-common/domain.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-core/core.h>
#include <avahi-core/log.h>
#include <avahi-core/publish.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "common/net/avahi_poll.h"
#include "common/net/link_watch.h"

#define HOST_TTL_S    120	/* RFC 6762 §10: records with a host name in them, */
#define OTHER_TTL_S   (75 * 60) /* and others */
#define ENTRIES_MAX   256	/* 16 services at 16 addresses is more than any machine has */
#define CACHE_MAX     64	/* answers of others: we ask nothing and need none */
#define NAME_MAX_LEN  AVAHI_DOMAIN_NAME_MAX
#define HOST_SUFFIX   "-brski" /* so that the machine's own responder has its name for itself */
#define SERVICE_KINDS "_services._dns-sd._udp.local"

/* One group of records: a service on an interface, or an address of a host name. */
struct entry {
	bool is_address;
	size_t of; /* index of the service, or of the host name */
	unsigned index;
	char interface[IF_NAMESIZE];
	struct address at;
	AvahiSEntryGroup *group; /* NULL: not published */
	/* What leads to a service, which is shared and so needs no asking: Avahi would answer with
	 * it while the service's own name is still asked for, to somebody who then finds nothing.
	 */
	AvahiSEntryGroup *pointers;
	bool established, wanted;
};

struct offered {
	struct mdns_service service;
	size_t host;
};

struct announce_mdns {
	struct announce_mdns_config config;
	AvahiPoll poll;
	AvahiServer *server;
	struct link_watch *watch;
	struct loop_timer anew; /* after a collision: not inside of Avahi's call */
	char hosts[MDNS_SERVICES_MAX][MDNS_LABEL_MAX];
	size_t host_count;
	struct offered offered[MDNS_SERVICES_MAX];
	size_t count;
	struct entry entries[ENTRIES_MAX];
	size_t entry_count;
	bool collided;
};

/* ---- Avahi's log ---------------------------------------------------------------------------- */

/* The library has one for the whole process, without an argument. */
static _Atomic(const struct log *) avahis_log;

static void log_of_avahi(AvahiLogLevel level, const char *text)
{
	const struct log *l = atomic_load(&avahis_log);

	/* what it warns of, above all another responder on the machine, is no fault */
	if (l)
		log_event(l,
			level == AVAHI_LOG_ERROR  ? LOG_LEVEL_WARNING
			: level == AVAHI_LOG_WARN ? LOG_LEVEL_INFO
						  : LOG_LEVEL_DEBUG,
			"mdns", NULL, "detail", text, NULL);
}

static void log_failure(const struct announce_mdns *m, const char *what)
{
	log_event(m->config.log, LOG_LEVEL_WARNING, "announce-failed", NULL, "by", "mdns", "what",
		what, "reason", avahi_strerror(avahi_server_errno(m->server)), NULL);
}

/* ---- Names ---------------------------------------------------------------------------------- */

static bool is_host_octet(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-';
}

/* The machine's own name as far as it is one, else one that is made up (DISC-REG-003). */
static void make_host(char out[MDNS_LABEL_MAX])
{
	char own[256] = "";
	uint32_t made;
	size_t n = 0;

	if (gethostname(own, sizeof(own) - 1) == 0)
		while (n < MDNS_LABEL_MAX - sizeof(HOST_SUFFIX) - 4 && is_host_octet(own[n]))
			n++;
	own[n] = '\0';
	if (n > 0 && own[0] != '-' && strcmp(own, "localhost") != 0) {
		snprintf(out, MDNS_LABEL_MAX, "%.48s" HOST_SUFFIX, own);
		return;
	}
	made = rng_below(UINT32_MAX);
	snprintf(out, MDNS_LABEL_MAX, "brski-%08x", made);
}

/* Services at one address share a host name, others have their own: it stands for addresses. */
static size_t host_of(struct announce_mdns *m, size_t service)
{
	const struct mdns_service *s = &m->offered[service].service;

	for (size_t i = 0; i < service; i++) {
		struct address other = m->offered[i].service.at;

		address_set_port(&other, address_port(&s->at));
		if (address_equal(&other, &s->at))
			return m->offered[i].host;
	}
	if (m->host_count > 0)
		snprintf(m->hosts[m->host_count], MDNS_LABEL_MAX, "%.58s-%zu", m->hosts[0],
			m->host_count + 1);
	else if (m->config.host)
		snprintf(m->hosts[0], MDNS_LABEL_MAX, "%s", m->config.host);
	else if (!m->hosts[0][0])
		make_host(m->hosts[0]);
	return m->host_count++;
}

static void take_name(
	const struct announce_mdns *m, char label[MDNS_LABEL_MAX], char *(*next)(const char *))
{
	char *other = next(label);

	log_event(m->config.log, LOG_LEVEL_WARNING, "announce-renamed", NULL, "by", "mdns", "name",
		label, "to", other, NULL);
	if (other)
		snprintf(label, MDNS_LABEL_MAX, "%s", other);
	avahi_free(other);
}

static char *next_host_name(const char *label)
{
	return avahi_alternative_host_name(label);
}

static char *next_service_name(const char *label)
{
	return avahi_alternative_service_name(label);
}

/* ---- Publishing ----------------------------------------------------------------------------- */

static bool add_record(
	struct announce_mdns *m, const struct entry *x, AvahiPublishFlags flags, AvahiRecord *r)
{
	AvahiSEntryGroup *to = flags & AVAHI_PUBLISH_UNIQUE ? x->group : x->pointers;
	int rc = avahi_server_add(
		m->server, to, (AvahiIfIndex)x->index, AVAHI_PROTO_UNSPEC, flags, r);

	avahi_record_unref(r);
	return rc == 0;
}

static bool add_pointer(
	struct announce_mdns *m, const struct entry *x, const char *from, const char *to)
{
	AvahiRecord *r =
		avahi_record_new_full(from, AVAHI_DNS_CLASS_IN, AVAHI_DNS_TYPE_PTR, OTHER_TTL_S);

	if (!r)
		return false;
	r->data.ptr.name = avahi_strdup(to);
	return add_record(m, x, 0, r);
}

static bool add_place(struct announce_mdns *m, const struct entry *x, const char *name)
{
	const struct offered *o = &m->offered[x->of];
	AvahiRecord *r =
		avahi_record_new_full(name, AVAHI_DNS_CLASS_IN, AVAHI_DNS_TYPE_SRV, HOST_TTL_S);

	if (!r)
		return false;
	r->data.srv.priority = o->service.priority;
	r->data.srv.weight = o->service.weight;
	r->data.srv.port = address_port(&o->service.at);
	r->data.srv.name = avahi_strdup_printf("%s.local", m->hosts[o->host]);
	return add_record(m, x, AVAHI_PUBLISH_UNIQUE, r);
}

static bool add_variations(struct announce_mdns *m, const struct entry *x, const char *name)
{
	const struct mdns_service *s = &m->offered[x->of].service;
	AvahiRecord *r =
		avahi_record_new_full(name, AVAHI_DNS_CLASS_IN, AVAHI_DNS_TYPE_TXT, OTHER_TTL_S);

	if (!r)
		return false;
	for (size_t i = s->variation_count; i > 0; i--) /* the list grows at its front */
		r->data.txt.string_list =
			avahi_string_list_add(r->data.txt.string_list, s->variations[i - 1]);
	return add_record(m, x, AVAHI_PUBLISH_UNIQUE, r);
}

/* RFC 6763 §4, §9. avahi_server_add_service() would make the same records, with no priority. */
static bool add_service(struct announce_mdns *m, const struct entry *x)
{
	const struct mdns_service *s = &m->offered[x->of].service;
	char name[NAME_MAX_LEN];

	return avahi_service_name_join(name, sizeof(name), s->instance, s->type, "local") == 0 &&
	       add_place(m, x, name) && add_variations(m, x, name);
}

static bool add_pointers(struct announce_mdns *m, struct entry *x)
{
	const struct mdns_service *s = &m->offered[x->of].service;
	char type[NAME_MAX_LEN], name[NAME_MAX_LEN];

	snprintf(type, sizeof(type), "%s.local", s->type);
	x->pointers = avahi_s_entry_group_new(m->server, NULL, NULL);
	return x->pointers &&
	       avahi_service_name_join(name, sizeof(name), s->instance, s->type, "local") == 0 &&
	       add_pointer(m, x, SERVICE_KINDS, type) && add_pointer(m, x, type, name) &&
	       avahi_s_entry_group_commit(x->pointers) == 0;
}

static bool add_address(struct announce_mdns *m, const struct entry *x)
{
	AvahiAddress a;
	char name[NAME_MAX_LEN];

	if (x->at.sa.sa_family == AF_INET) {
		a.proto = AVAHI_PROTO_INET;
		memcpy(&a.data.ipv4, &x->at.v4.sin_addr, sizeof(a.data.ipv4));
	} else {
		a.proto = AVAHI_PROTO_INET6;
		memcpy(&a.data.ipv6, &x->at.v6.sin6_addr, sizeof(a.data.ipv6));
	}
	snprintf(name, sizeof(name), "%s.local", m->hosts[x->of]);
	/* what an address is called is the machine's own responder's to say */
	return avahi_server_add_address(m->server, x->group, (AvahiIfIndex)x->index,
		       AVAHI_PROTO_UNSPEC, AVAHI_PUBLISH_NO_REVERSE, name, &a) == 0;
}

static void withdraw(struct entry *x)
{
	if (x->pointers)
		avahi_s_entry_group_free(x->pointers);
	if (x->group)
		avahi_s_entry_group_free(x->group);
	x->group = x->pointers = NULL;
	x->established = false;
}

static void withdraw_all(struct announce_mdns *m)
{
	for (size_t i = 0; i < m->entry_count; i++)
		withdraw(&m->entries[i]);
	m->entry_count = 0;
}

static void on_group(
	AvahiServer *server, AvahiSEntryGroup *g, AvahiEntryGroupState state, void *arg)
{
	struct announce_mdns *m = arg;

	for (size_t i = 0; i < m->entry_count; i++) {
		struct entry *x = &m->entries[i];

		if (x->group != g)
			continue;
		x->established = state == AVAHI_ENTRY_GROUP_ESTABLISHED;
		if (x->established && !x->is_address && !x->pointers && !add_pointers(m, x))
			log_failure(m, m->offered[x->of].service.instance);
		if (state != AVAHI_ENTRY_GROUP_COLLISION || m->collided)
			return;
		m->collided = true;
		if (x->is_address)
			take_name(m, m->hosts[x->of], next_host_name);
		else
			take_name(m, m->offered[x->of].service.instance, next_service_name);
		loop_timer_arm(&m->anew, 0);
	}
}

static void publish(struct announce_mdns *m, struct entry *x)
{
	x->group = avahi_s_entry_group_new(m->server, on_group, m);
	if (x->group && (x->is_address ? add_address(m, x) : add_service(m, x)) &&
		avahi_s_entry_group_commit(x->group) == 0)
		return;
	log_failure(m, x->is_address ? m->hosts[x->of] : m->offered[x->of].service.instance);
	withdraw(x);
}

/* ---- What is wanted ------------------------------------------------------------------------- */

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->is_address == b->is_address && a->of == b->of && a->index == b->index &&
	       (!a->is_address || address_equal(&a->at, &b->at));
}

static void want(struct announce_mdns *m, const struct entry *x)
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (is_same(&m->entries[i], x)) {
			m->entries[i].wanted = true;
			return;
		}
	if (m->entry_count < ENTRIES_MAX)
		m->entries[m->entry_count++] = *x;
}

static void want_at(struct announce_mdns *m, size_t service, const struct local_address *a)
{
	struct entry x = {.of = service, .index = a->index, .wanted = true};

	if (!local_address_serves(a, &m->offered[service].service.at))
		return;
	memcpy(x.interface, a->interface, sizeof(x.interface));
	want(m, &x);
	x.is_address = true;
	x.of = m->offered[service].host;
	x.at = a->at;
	want(m, &x);
}

static void drop_unwanted(struct announce_mdns *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->entry_count; i++) {
		if (!m->entries[i].wanted)
			withdraw(&m->entries[i]);
		else
			m->entries[kept++] = m->entries[i];
	}
	m->entry_count = kept;
}

static void follow(void *arg)
{
	struct announce_mdns *m = arg;
	struct local_address here[LOCAL_ADDRESSES_MAX];
	size_t n = local_addresses(&m->config.interfaces, here);

	for (size_t i = 0; i < m->entry_count; i++)
		m->entries[i].wanted = false;
	for (size_t s = 0; s < m->count; s++)
		for (size_t i = 0; i < n; i++)
			want_at(m, s, &here[i]);
	drop_unwanted(m);
	if (!m->server || avahi_server_get_state(m->server) != AVAHI_SERVER_RUNNING)
		return;
	for (size_t i = 0; i < m->entry_count; i++)
		if (!m->entries[i].group)
			publish(m, &m->entries[i]);
}

static void start_anew(void *arg)
{
	struct announce_mdns *m = arg;

	if (m->collided)
		withdraw_all(m);
	m->collided = false;
	follow(m);
}

void announce_mdns_offer(struct announce_mdns *m, const struct mdns_service *services, size_t count)
{
	withdraw_all(m);
	m->host_count = 0;
	m->count = count < MDNS_SERVICES_MAX ? count : MDNS_SERVICES_MAX;
	for (size_t i = 0; i < m->count; i++) {
		m->offered[i].service = services[i];
		m->offered[i].host = host_of(m, i);
	}
	follow(m);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void on_server(AvahiServer *server, AvahiServerState state, void *arg)
{
	struct announce_mdns *m = arg;

	m->server = server; /* it may be called before avahi_server_new() returns */
	switch (state) {
	case AVAHI_SERVER_RUNNING:
		loop_timer_arm(&m->anew, 0);
		break;
	case AVAHI_SERVER_FAILURE:
		log_failure(m, "multicast DNS");
		break;
	case AVAHI_SERVER_COLLISION: /* it publishes no records of its own that could collide */
	case AVAHI_SERVER_REGISTERING:
	case AVAHI_SERVER_INVALID:
		break;
	}
}

/* Nothing but what is added here is told to anybody, and only where it was allowed. */
static bool configure(const struct announce_mdns *m, AvahiServerConfig *c, struct err *e)
{
	avahi_server_config_init(c);
	for (size_t i = 0; i < m->config.interfaces.count; i++) {
		AvahiStringList *more =
			avahi_string_list_add(c->allow_interfaces, m->config.interfaces.names[i]);

		if (!more)
			return err_set(e, ERR_NO_MEMORY, "no memory for a name");
		c->allow_interfaces = more;
	}
	c->publish_hinfo = c->publish_addresses = c->publish_workstation = c->publish_domain = 0;
	c->enable_wide_area = c->disallow_other_stacks = c->enable_reflector = 0;
	c->add_service_cookie = 0;
	c->use_ipv4 = c->use_ipv6 = 1;
	c->n_cache_entries_max = CACHE_MAX;
	return true;
}

static bool start_server(struct announce_mdns *m, struct err *e)
{
	AvahiServerConfig c;
	bool configured = configure(m, &c, e);
	int error = 0;

	atomic_store(&avahis_log, m->config.log);
	avahi_set_log_function(log_of_avahi);
	m->poll = avahi_poll_of(m->config.loop);
	if (configured)
		m->server = avahi_server_new(&m->poll, &c, on_server, m, &error);
	avahi_server_config_free(&c);
	return m->server ||
	       (configured && err_set(e, ERR_IO, "multicast DNS: %s", avahi_strerror(error)));
}

struct announce_mdns *announce_mdns_new(const struct announce_mdns_config *config, struct err *e)
{
	struct link_watch_config watch = {.loop = config->loop, .changed = follow};
	struct announce_mdns *m;

	if (config->interfaces.count == 0) {
		err_set(e, ERR_BUG, "multicast DNS on no interface");
		return NULL; /* Avahi would take all of them */
	}
	m = mem_new(sizeof(*m), e);
	if (!m)
		return NULL;
	m->config = *config;
	watch.arg = m;
	if (loop_timer_init(&m->anew, config->loop, start_anew, m, e) && start_server(m, e))
		m->watch = link_watch_new(&watch, e);
	if (m->watch)
		return m;
	announce_mdns_free(m);
	return NULL;
}

void announce_mdns_free(struct announce_mdns *m)
{
	if (!m)
		return;
	link_watch_free(m->watch);
	loop_timer_clear(&m->anew);
	withdraw_all(m);
	if (m->server)
		avahi_server_free(m->server); /* sends what is still to be sent */
	atomic_store(&avahis_log, NULL);
	free(m);
}

void announce_mdns_show(const struct announce_mdns *m,
	void (*show)(void *arg, const struct mdns_shown *s), void *arg)
{
	for (size_t i = 0; i < m->entry_count; i++) {
		const struct entry *x = &m->entries[i];
		const struct offered *o = &m->offered[x->of];
		struct mdns_shown s = {.type = o->service.type,
			.instance = o->service.instance,
			.host = m->hosts[o->host],
			.port = address_port(&o->service.at),
			.priority = o->service.priority,
			.weight = o->service.weight,
			.established = x->established};

		if (x->is_address)
			continue;
		memcpy(s.interface, x->interface, sizeof(s.interface));
		show(arg, &s);
	}
}
