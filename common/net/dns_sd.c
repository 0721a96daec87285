/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/dns_sd.h"

#include <stdio.h>
#include <string.h>

#define FAIR_SHARE 8 /* of the room: who has as much gives way to himself */

void dns_sd_init(struct dns_sd *d, const char *domain, bool relay)
{
	memset(d, 0, sizeof(*d));
	d->domain = domain;
	d->relay = relay;
}

/* ---- Names ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct dns_sd *d, const struct service_name *s)
{
	return d->relay ? s->scheme == URI_HTTPS && s->role == SERVICE_REGISTRAR
			: s->scheme != URI_JPY;
}

static bool name_of(
	const struct dns_sd *d, const struct service_name *s, struct dns_name *out, struct err *e)
{
	char text[DNS_NAME_MAX + 1];

	return snprintf(text, sizeof(text), "%s.%s", s->name, d->domain) < (int)sizeof(text)
		       ? dns_name_parse(text, out, e)
		       : err_set(e, ERR_INPUT, "a domain of too many characters");
}

bool dns_sd_question(
	const struct dns_sd *d, size_t service, struct dns_question *out, struct err *e)
{
	*out = (struct dns_question){.type = DNS_PTR, .class = DNS_CLASS_IN};
	return name_of(d, &service_dns_names[service], &out->name, e);
}

bool dns_sd_browse(uint16_t id, uint16_t flags, bool unicast, const struct dns_sd *d,
	struct buf *out, struct err *e)
{
	struct dns_question q;
	size_t count = 0;

	for (size_t i = 0; i < service_dns_name_count; i++)
		count += is_wanted(d, &service_dns_names[i]);
	if (!dns_put_query(out, id, flags, count, e))
		return false;
	for (size_t i = 0; i < service_dns_name_count; i++) {
		if (!is_wanted(d, &service_dns_names[i]))
			continue;
		if (!dns_sd_question(d, i, &q, e))
			return false;
		q.unicast = unicast;
		if (!dns_put_question(out, &q, e))
			return false;
	}
	return true;
}

/* Which service it is the name of, or (instance) has an instance with that name. */
static const struct service_name *service_of(
	const struct dns_sd *d, const struct dns_name *n, bool instance)
{
	struct err ignored = ERR_INIT;
	struct dns_name name;

	for (size_t i = 0; i < service_dns_name_count; i++) {
		const struct service_name *s = &service_dns_names[i];

		if (is_wanted(d, s) && name_of(d, s, &name, &ignored) &&
			(instance ? dns_name_is_under(n, &name) : dns_name_equal(n, &name)))
			return s;
	}
	return NULL;
}

/* ---- Instances ------------------------------------------------------------------------------ */

static bool is_from(const struct dns_sd_instance *i, const struct dns_sd_origin *from)
{
	return i->from.interface == from->interface &&
	       memcmp(i->from.sender, from->sender, sizeof(from->sender)) == 0;
}

static struct dns_sd_instance *find(
	struct dns_sd *d, const struct dns_name *name, const struct dns_sd_origin *from)
{
	for (size_t i = 0; i < d->count; i++)
		if (is_from(&d->all[i], from) && dns_name_equal(&d->all[i].name, name))
			return &d->all[i];
	return NULL;
}

static size_t count_of(const struct dns_sd *d, const struct dns_sd_origin *from)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		n += is_from(&d->all[i], from);
	return n;
}

static struct dns_sd_instance *find_room(struct dns_sd *d, const struct dns_sd_origin *from)
{
	bool own = count_of(d, from) >= FAIR_SHARE;
	struct dns_sd_instance *of = NULL;
	size_t most = 0;

	if (d->count < DNS_SD_INSTANCES_MAX)
		return &d->all[d->count++];
	for (size_t n = 0; n < d->count; n++) {
		struct dns_sd_instance *i = &d->all[n];
		size_t count = own ? is_from(i, from) : count_of(d, &i->from);

		if (count > most || (count == most && of && i->since < of->since)) {
			of = i;
			most = count;
		}
	}
	return of;
}

static struct dns_sd_instance *find_or_add(
	struct dns_sd *d, const struct dns_name *name, const struct dns_sd_origin *from)
{
	const struct service_name *service = service_of(d, name, true);
	struct dns_sd_instance *i = service ? find(d, name, from) : NULL;

	if (i || !service)
		return i;
	i = find_room(d, from);
	memset(i, 0, sizeof(*i));
	i->name = *name;
	i->service = service;
	i->from = *from;
	i->since = d->ever++;
	return i;
}

/* What is new leads to other questions. */
static void note_news(struct dns_sd_instance *i, bool *has)
{
	if (!*has)
		i->asks = 0;
	*has = true;
}

static void take_srv(struct dns_sd_instance *i, const struct dns_record *r)
{
	i->has_address = i->has_srv && i->has_address && dns_name_equal(&i->host, &r->target);
	note_news(i, &i->has_srv);
	i->host = r->target;
	i->priority = r->srv.priority;
	i->weight = r->srv.weight;
	i->port = r->srv.port;
}

/* Keys without a value are variations (draft-ietf-anima-brski-discovery §3.5.1); others are
 * nobody's business. Without any it is the usual one. */
static void take_txt(struct dns_sd_instance *i, const struct dns_record *r, bool whatever)
{
	struct bytes left = r->data, key;
	bool any = false, ours = false;

	note_news(i, &i->has_txt);
	i->says.count = 0;
	i->variation[0] = '\0';
	while (dns_txt_next(&left, &key)) {
		if (memchr(key.data, '=', key.len))
			continue;
		any = true;
		variations_add(&i->says, key);
		if (ours || key.len >= VARIATION_MAX || !service_speaks(i->service->scheme, key))
			continue;
		ours = true;
		snprintf(i->variation, sizeof(i->variation), "%.*s", (int)key.len,
			(const char *)key.data);
	}
	i->speaks = ours || !any || whatever;
}

/* ---- Messages ------------------------------------------------------------------------------- */

struct taking {
	struct dns_sd *d;
	const struct dns_sd_origin *from;
	dns_sd_found_fn *found;
	void *arg;
};

static void take_pointer(const struct taking *t, const struct dns_record *r)
{
	if (r->type == DNS_PTR && r->ttl_s && service_of(t->d, &r->name, false))
		(void)find_or_add(t->d, &r->target, t->from);
}

static void take_description(const struct taking *t, const struct dns_record *r)
{
	struct dns_sd_instance *i;

	if ((r->type != DNS_SRV && r->type != DNS_TXT) || !r->ttl_s)
		return;
	i = find_or_add(t->d, &r->name, t->from);
	if (i && r->type == DNS_SRV)
		take_srv(i, r);
	else if (i)
		take_txt(i, r, t->d->relay);
}

static struct address address_in(const struct dns_record *r, uint16_t port)
{
	struct address a = {.len = sizeof(a.v6)};

	if (r->type == DNS_A) {
		a.v4.sin_family = AF_INET;
		a.len = sizeof(a.v4);
		memcpy(&a.v4.sin_addr, r->data.data, 4);
	} else {
		a.v6.sin6_family = AF_INET6;
		memcpy(&a.v6.sin6_addr, r->data.data, 16);
	}
	address_set_port(&a, port);
	return a;
}

/* Without a TXT record yet it is not said what it speaks. */
static void take_address(const struct taking *t, const struct dns_record *r)
{
	if ((r->type != DNS_A && r->type != DNS_AAAA) || !r->ttl_s)
		return;
	for (size_t n = 0; n < t->d->count; n++) {
		struct dns_sd_instance *i = &t->d->all[n];
		struct dns_sd_place place = {.service = i->service,
			.at = address_in(r, i->port),
			.priority = i->priority,
			.weight = i->weight,
			.speaks = &i->says};

		if (i->from.interface != t->from->interface || !i->has_srv || !i->has_txt ||
			!dns_name_equal(&i->host, &r->name))
			continue;
		i->has_address = i->has_address || is_from(i, t->from);
		memcpy(place.variation, i->variation, sizeof(place.variation));
		if (i->speaks)
			t->found(t->arg, &place);
	}
}

typedef void take_fn(const struct taking *t, const struct dns_record *r);

bool dns_sd_take(struct dns_sd *d, struct bytes message, const struct dns_sd_origin *from,
	dns_sd_found_fn *found, void *arg, struct err *e)
{
	static take_fn *const each[] = {take_pointer, take_description, take_address};
	const struct taking t = {.d = d, .from = from, .found = found, .arg = arg};
	struct dns_record record;

	/* whatever order the records stand in: whose they are, what they say, where that is */
	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
		struct dns_reader r;
		bool end = false;

		if (!dns_open(message, &r, e))
			return false;
		if (!(r.head.flags & DNS_FLAG_RESPONSE) ||
			(r.head.flags & (DNS_OPCODE_MASK | DNS_RCODE_MASK)))
			return true;
		while (dns_next_record(&r, &record, &end, e) && !end)
			if (record.class == DNS_CLASS_IN)
				each[i](&t, &record);
		if (!end)
			return false;
	}
	return true;
}

/* ---- What is missing ------------------------------------------------------------------------ */

static bool is_incomplete(const struct dns_sd_instance *i)
{
	return !i->has_srv || !i->has_txt || (i->speaks && !i->has_address);
}

static size_t ask(const struct dns_name *name, uint16_t type, struct dns_question *out, size_t max)
{
	if (max)
		*out = (struct dns_question){.name = *name, .type = type, .class = DNS_CLASS_IN};
	return max ? 1 : 0;
}

size_t dns_sd_missing(struct dns_sd *d, struct dns_question *out, size_t max)
{
	size_t count = 0;

	for (size_t n = 0; n < d->count && count < max; n++) {
		struct dns_sd_instance *i = &d->all[n];

		if (!is_incomplete(i) || i->asks == DNS_SD_ASKS_MAX)
			continue;
		i->asks++;
		if (!i->has_srv)
			count += ask(&i->name, DNS_SRV, out + count, max - count);
		if (!i->has_txt)
			count += ask(&i->name, DNS_TXT, out + count, max - count);
		if (i->has_srv && !i->has_address) {
			count += ask(&i->host, DNS_AAAA, out + count, max - count);
			count += ask(&i->host, DNS_A, out + count, max - count);
		}
	}
	return count;
}
