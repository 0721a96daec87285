/* SPDX-License-Identifier: Apache-2.0 */
/* Offers as links: see coap_offer.h. */
#include "common/net/coap_offer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/core_link.h"

/* "scheme://[our address]:port/path". A link-local address goes without its zone, which means
 * nothing to others. */
static bool format_target(const struct address *at, const char *scheme, const struct coap_offer *o,
	struct buf *out, struct err *e)
{
	char host[INET6_ADDRSTRLEN];

	if (at->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &at->v4.sin_addr, host, sizeof(host));
		return buf_printf(
			out, e, "%s://%s:%u%s", scheme, host, o->port, o->path ? o->path : "");
	}
	inet_ntop(AF_INET6, &at->v6.sin6_addr, host, sizeof(host));
	return buf_printf(out, e, "%s://[%s]:%u%s", scheme, host, o->port, o->path ? o->path : "");
}

static bool answers(const struct core_link *l, const struct coap_message *m)
{
	const struct coap_option *o;

	for (size_t i = 0; (o = coap_message_find(m, COAP_OPT_URI_QUERY, i)) != NULL; i++)
		if (!core_link_matches(l, o->value))
			return false;
	return true;
}

static bool put_if_asked(
	const struct core_link *l, const struct coap_message *m, struct buf *payload, struct err *e)
{
	return !answers(l, m) || core_link_put(l, payload, e);
}

static bool put_offer(const struct coap_offer *o, const struct address *at,
	const struct coap_message *m, struct buf *payload, struct err *e)
{
	static const char *const schemes[] = {
		[COAP_OFFER_JOIN_PORT] = "coaps",
		[COAP_OFFER_COAPS] = "coaps",
		[COAP_OFFER_JPY] = "jpy",
	};
	static const char *const types[] = {
		[COAP_OFFER_JOIN_PORT] = "brski.jp",
		[COAP_OFFER_COAPS] = "brski",
		[COAP_OFFER_JPY] = "brski.rjp",
	};
	BUF_AUTO struct buf target = BUF_INIT(CORE_LINK_VALUE_MAX);
	struct core_link l = {.rt = bytes_of_str(o->rt ? o->rt : types[o->kind])};
	char port[6];

	if (!format_target(at, schemes[o->kind], o, &target, e))
		return false;
	l.target = buf_bytes(&target);
	if (!put_if_asked(&l, m, payload, e))
		return false;
	if (o->kind != COAP_OFFER_JOIN_PORT)
		return true;
	snprintf(port, sizeof(port), "%u", o->port);
	l = (struct core_link){.target = bytes_of("", 0), .brski_jp = bytes_of_str(port)};
	return put_if_asked(&l, m, payload, e);
}

bool coap_offers_put(const struct coap_offer *offers, size_t count, const struct address *at,
	const struct coap_message *question, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (!put_offer(&offers[i], at, question, out, e))
			return false;
	return true;
}
