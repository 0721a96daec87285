/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/proxy_upstream.h"

#include <netdb.h>

#include "common/base/rng.h"

bool upstreams_add(struct upstreams *u, const struct address *at)
{
	for (size_t i = 0; i < u->count; i++)
		if (address_equal(&u->list[i].at, at))
			return false;
	if (u->count == UPSTREAMS_MAX)
		return false;
	u->list[u->count++] = (struct upstream){.at = *at};
	return true;
}

bool upstreams_resolve(struct upstreams *u, const struct uri *uri, struct err *e)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found;
	int rc;

	if (uri->host_is_ip)
		hints.ai_flags = AI_NUMERICHOST;
	rc = getaddrinfo(uri->host, NULL, &hints, &found);
	if (rc != 0)
		return err_set(e, ERR_IO, "registrar %s: %s", uri->host, gai_strerror(rc));
	for (struct addrinfo *i = found; i; i = i->ai_next) {
		struct address a = address_of(i->ai_addr, i->ai_addrlen);

		address_set_port(&a, uri->port);
		upstreams_add(u, &a);
	}
	freeaddrinfo(found);
	return true;
}

static bool rests(const struct upstream *x, int64_t now_ms)
{
	return x->failed_ms && now_ms - x->failed_ms < UPSTREAM_REST_MS;
}

int upstreams_pick(const struct upstreams *u, uint32_t tried, int64_t now_ms)
{
	int good[UPSTREAMS_MAX], oldest = -1;
	size_t count = 0;

	for (size_t i = 0; i < u->count; i++) {
		if (tried & 1u << i)
			continue;
		if (!rests(&u->list[i], now_ms))
			good[count++] = (int)i;
		else if (oldest < 0 || u->list[i].failed_ms < u->list[oldest].failed_ms)
			oldest = (int)i;
	}
	return count ? good[rng_below((uint32_t)count)] : oldest;
}

static void mark(struct upstreams *u, const struct address *at, int64_t failed_ms)
{
	for (size_t i = 0; i < u->count; i++)
		if (address_equal(&u->list[i].at, at))
			u->list[i].failed_ms = failed_ms;
}

void upstreams_failed(struct upstreams *u, const struct address *at, int64_t now_ms)
{
	mark(u, at, now_ms > 0 ? now_ms : 1);
}

void upstreams_works(struct upstreams *u, const struct address *at)
{
	mark(u, at, 0);
}
