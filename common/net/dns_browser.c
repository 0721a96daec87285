/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/dns_browser.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/wire/uri.h"

#define ASKED_MAX	     64 /* questions on their way, so that an answer is one of ours */
#define DATAGRAMS_PER_SECOND 200
#define QUERY_MAX	     512 /* RFC 1035 §4.2.1 */
#define FOLLOW_UPS_MAX	     8

/* ---- resolv.conf ---------------------------------------------------------------------------- */

/* An address alone, or with a port as in a URI. */
static bool parse_resolver(const char *word, struct address *out)
{
	struct err ignored = ERR_INIT;
	struct uri u;

	return address_parse(word, DNS_PORT, out, &ignored) ||
	       (uri_parse_authority(word, &u, &ignored) &&
		       address_parse(u.host, u.port, out, &ignored));
}

static void take_word(const char *key, const char *word, struct dns_settings *out)
{
	struct err ignored = ERR_INIT;
	struct dns_name name;

	if (strcmp(key, "nameserver") == 0) {
		if (out->resolver_count < DNS_RESOLVERS_MAX &&
			parse_resolver(word, &out->resolvers[out->resolver_count]))
			out->resolver_count++;
	} else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
		if (out->domain_count < DNS_DOMAINS_MAX && dns_name_parse(word, &name, &ignored) &&
			name.len > 1)
			snprintf(out->domains[out->domain_count++], DNS_NAME_MAX + 1, "%s", word);
	}
}

static void take_line(const char *line, size_t len, struct dns_settings *out)
{
	char words[512], *rest = NULL, *key;

	if (len >= sizeof(words) || line[0] == '#' || line[0] == ';')
		return;
	memcpy(words, line, len);
	words[len] = '\0';
	key = strtok_r(words, " \t\r", &rest);
	for (char *w; key && (w = strtok_r(NULL, " \t\r", &rest));)
		take_word(key, w, out);
}

void dns_settings_parse(const char *text, struct dns_settings *out)
{
	memset(out, 0, sizeof(*out));
	while (*text) {
		size_t len = strcspn(text, "\n");

		take_line(text, len, out);
		text += len + (text[len] == '\n');
	}
}

/* ---- Asking --------------------------------------------------------------------------------- */

struct dns_browser {
	struct loop *loop;
	dns_found_fn *found;
	void *arg;
	struct link_socket *socket; /* of the questions on their way */
	struct address resolver;
	unsigned round; /* each asks the next resolver */
	char domains[DNS_DOMAINS_MAX][DNS_NAME_MAX + 1];
	struct dns_sd known[DNS_DOMAINS_MAX];
	size_t domain_count;
	struct {
		uint16_t id;
		uint8_t domain;
	} asked[ASKED_MAX];
	size_t asked_count;
};

static void ask_one(struct dns_browser *b, size_t domain, const struct dns_question *q)
{
	BUF_AUTO struct buf out = BUF_INIT(QUERY_MAX);
	struct err ignored = ERR_INIT;
	uint16_t id;

	if (b->asked_count == ASKED_MAX || !rng_bytes(&id, sizeof(id), &ignored) ||
		!dns_put_query(&out, id, DNS_FLAG_RECURSE, 1, &ignored) ||
		!dns_put_question(&out, q, &ignored))
		return;
	b->asked[b->asked_count].id = id;
	b->asked[b->asked_count++].domain = (uint8_t)domain;
	link_socket_send(b->socket, &b->resolver, NULL, buf_bytes(&out));
}

struct taken {
	struct dns_browser *b;
	const struct link_datagram *d;
};

/* Nothing link-local is known to a resolver. */
static void on_place(void *arg, const struct dns_sd_place *place)
{
	struct taken *t = arg;
	struct address at = place->at;

	if (!address_is_link_local(&at) && link_place(t->d, &at))
		t->b->found(t->b->arg, place, &t->b->resolver);
}

static void on_answer(void *arg, const struct link_datagram *d)
{
	struct dns_browser *b = arg;
	struct taken t = {.b = b, .d = d};
	const struct dns_sd_origin one = {.interface = 0}; /* tells of everybody */
	struct dns_question q[FOLLOW_UPS_MAX];
	struct err ignored = ERR_INIT;
	size_t n, count;

	if (d->octets.len < 2 || !address_equal(&d->from, &b->resolver))
		return;
	for (n = 0; n < b->asked_count; n++)
		if (b->asked[n].id == (d->octets.data[0] << 8 | d->octets.data[1]))
			break;
	if (n == b->asked_count || !dns_sd_take(&b->known[b->asked[n].domain], d->octets, &one,
					   on_place, &t, &ignored))
		return;
	count = dns_sd_missing(&b->known[b->asked[n].domain], q, FOLLOW_UPS_MAX);
	for (size_t i = 0; i < count; i++)
		ask_one(b, b->asked[n].domain, &q[i]);
}

static bool open_socket(struct dns_browser *b, const struct dns_settings *s)
{
	struct err ignored = ERR_INIT;
	struct link_socket_config c = {.loop = b->loop,
		.datagrams_per_second = DATAGRAMS_PER_SECOND,
		.received = on_answer,
		.arg = b};

	b->resolver = s->resolvers[b->round++ % s->resolver_count];
	c.at = b->resolver;
	address_set_port(&c.at, 0); /* another one for each round */
	link_socket_free(b->socket);
	b->socket = link_socket_new(&c, &ignored);
	return b->socket != NULL;
}

void dns_browser_ask(struct dns_browser *b, const struct dns_settings *s)
{
	struct err ignored = ERR_INIT;
	struct dns_question q;

	b->asked_count = 0;
	b->domain_count = 0;
	if (!s->resolver_count || !open_socket(b, s))
		return;
	for (; b->domain_count < s->domain_count; b->domain_count++) {
		size_t n = b->domain_count;

		memcpy(b->domains[n], s->domains[n], sizeof(b->domains[n]));
		dns_sd_init(&b->known[n], b->domains[n], false);
		for (size_t i = 0; i < service_dns_name_count; i++)
			if (service_dns_names[i].scheme != URI_JPY &&
				dns_sd_question(&b->known[n], i, &q, &ignored))
				ask_one(b, n, &q);
	}
}

struct dns_browser *dns_browser_new(
	struct loop *loop, dns_found_fn *found, void *arg, struct err *e)
{
	struct dns_browser *b = mem_new(sizeof(*b), e);

	if (!b)
		return NULL;
	b->loop = loop;
	b->found = found;
	b->arg = arg;
	return b;
}

void dns_browser_free(struct dns_browser *b)
{
	if (!b)
		return;
	link_socket_free(b->socket);
	free(b);
}
