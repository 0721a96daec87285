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

/* RFC 2782: in proportion to the weights; one without a weight is chosen rarely among others. */
static int by_weight(const struct upstreams *u, const int *of, size_t count)
{
	uint32_t total = 0, draw;

	for (size_t i = 0; i < count; i++)
		total += u->list[of[i]].weight;
	if (total == 0)
		return of[rng_below((uint32_t)count)];
	draw = rng_below(total + 1);
	for (size_t i = 0; i < count; i++) {
		uint32_t weight = u->list[of[i]].weight;

		if (draw == 0 ? weight == 0 : draw <= weight)
			return of[i];
		draw -= weight;
	}
	return of[rng_below((uint32_t)count)];
}

int upstreams_pick(const struct upstreams *u, uint32_t tried, int64_t now_ms)
{
	int good[UPSTREAMS_MAX], oldest = -1;
	size_t count = 0;

	for (size_t i = 0; i < u->count; i++) {
		const struct upstream *x = &u->list[i];

		if (tried & 1u << i)
			continue;
		if (rests(x, now_ms)) {
			if (oldest < 0 || x->failed_ms < u->list[oldest].failed_ms)
				oldest = (int)i;
			continue;
		}
		if (count && x->priority < u->list[good[0]].priority)
			count = 0;
		if (!count || x->priority == u->list[good[0]].priority)
			good[count++] = (int)i;
	}
	return count ? by_weight(u, good, count) : oldest;
}

static struct upstream *find(struct upstreams *u, const struct address *at)
{
	for (size_t i = 0; i < u->count; i++)
		if (address_equal(&u->list[i].at, at))
			return &u->list[i];
	return NULL;
}

void upstreams_failed(struct upstreams *u, const struct address *at, int64_t now_ms)
{
	struct upstream *x = find(u, at);

	if (!x)
		return;
	x->failed_ms = now_ms > 0 ? now_ms : 1;
	x->works = false;
}

void upstreams_works(struct upstreams *u, const struct address *at)
{
	struct upstream *x = find(u, at);

	if (!x)
		return;
	x->failed_ms = 0;
	x->works = true;
}

void upstreams_remember(const struct upstreams *from, struct upstreams *to)
{
	for (size_t i = 0; i < from->count; i++) {
		struct upstream *x = find(to, &from->list[i].at);

		if (!x)
			continue;
		x->failed_ms = from->list[i].failed_ms;
		x->works = from->list[i].works;
	}
}

bool upstreams_any_works(const struct upstreams *u)
{
	for (size_t i = 0; i < u->count; i++)
		if (u->list[i].works)
			return true;
	return false;
}
