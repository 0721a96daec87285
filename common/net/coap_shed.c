/* SPDX-License-Identifier: Apache-2.0 */
/* Who has to go: see coap_shed.h. */
#include "common/net/coap_shed.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/coap_worker.h"

#define SILENT_MS 1500 /* without a datagram: a peer repeats after 1000 */
#define AGED_MS	  4000 /* that a handshake takes which lost a flight twice, and some */

static const struct coap_limits *limits_of(const struct coap_worker *w)
{
	return &w->server->config.limits;
}

/* Which of them may go; all of them when nothing is set. */
struct wish {
	const uint8_t *source, *identity; /* HTTP_SOURCE_LEN octets; or NULL */
	bool holds_memory;
};

static bool fits(const struct coap_peer *p, const struct wish *wish)
{
	if (p->in_turn || coap_peer_is_serving(p))
		return false;
	if (wish->source && memcmp(wish->source, p->source, HTTP_SOURCE_LEN) != 0)
		return false;
	if (wish->identity &&
		(!p->identified || memcmp(wish->identity, p->identity, HTTP_SOURCE_LEN) != 0))
		return false;
	return !wish->holds_memory || p->held > 0;
}

static struct coap_peer *choose(struct coap_queue *q, const struct wish *wish, size_t *count)
{
	struct coap_peer *p, *found = NULL;

	*count = 0;
	TAILQ_FOREACH(p, q, queue)
	{
		/* cppcheck-suppress uninitvar ; the macro above sets it */
		if (!fits(p, wish))
			continue;
		++*count;
		found = found ? found : p;
	}
	return found;
}

static bool shed(struct coap_worker *w, struct coap_peer *p, const char *why)
{
	if (!p)
		return false;
	server_count(&w->server->tally.shed);
	shed_log_tell(&w->shed_log, w->server->config.log, p->ref->peer.address, why);
	coap_peer_free(p);
	return true;
}

/* End one that fits; the larger crowd of handshakes and sessions gives it. */
static bool shed_one(struct coap_worker *w, const struct wish *wish, const char *why)
{
	size_t young_count, open_count;
	struct coap_peer *young = choose(&w->handshaking, wish, &young_count);
	struct coap_peer *open = choose(&w->open, wish, &open_count);

	if (!young || !open)
		return shed(w, young ? young : open, why);
	return shed(w, young_count > open_count ? young : open, why);
}

/* A worker's part of what the server may have. */
static size_t share(const struct coap_worker *w, size_t max)
{
	size_t each = max / w->server->worker_count;

	return each ? each : 1;
}

static bool enter_source(struct coap_worker *w, const uint8_t *source)
{
	const struct wish same = {.source = source};
	struct http_sources *sources = w->server->sources;

	return http_sources_enter(sources, source) ||
	       (shed_one(w, &same, "sessions of one source") &&
		       http_sources_enter(sources, source));
}

static size_t count_of_source(struct coap_worker *w, const uint8_t *source)
{
	const struct wish same = {.source = source};
	size_t count;

	choose(&w->handshaking, &same, &count);
	return count;
}

/* The oldest of the source that has the most of them, when it has at least `more`. */
static struct coap_peer *of_largest_crowd(struct coap_worker *w, size_t more)
{
	struct coap_peer *p, *found = NULL;
	size_t most = more ? more - 1 : 0;

	TAILQ_FOREACH(p, &w->handshaking, queue)
	{
		/* cppcheck-suppress uninitvar ; the macro above sets it */
		size_t count = count_of_source(w, p->source);

		if (count <= most)
			continue;
		most = count;
		found = p; /* cppcheck-suppress uninitvar */
	}
	return found;
}

/* Whose handshake is given up for one more of this source? That of a source which has clearly more
 * of them, else the oldest that nothing has been heard of lately, else the oldest if it should have
 * been over by now: anybody can be heard of without going on. Nobody's, when all are busy: after a
 * power cut a whole site comes at once, and who is told nothing comes again a second later, while a
 * handshake that is cut off has cost its signature. */
static struct coap_peer *handshake_to_go(struct coap_worker *w, const uint8_t *source)
{
	struct coap_peer *p = of_largest_crowd(w, count_of_source(w, source) + 2);
	int64_t now = clock_mono_ms();

	if (p)
		return p;
	TAILQ_FOREACH(p, &w->handshaking, queue)
	{
		if (p->alive_ms < now - SILENT_MS)
			return p;
	}
	p = TAILQ_FIRST(&w->handshaking);
	return p && p->begun_ms < now - AGED_MS ? p : NULL;
}

/* Is there room for one more, now or because another one goes? Asked after the cookie was good
 * only, and at a limit it costs less than the handshake that follows. */
static bool make_room(struct coap_worker *w, const uint8_t *source)
{
	const struct wish anyone = {.source = NULL};
	size_t max = share(w, limits_of(w)->handshakes_max);

	if (w->handshake_count >= max && !shed(w, handshake_to_go(w, source), "handshakes"))
		return false;
	return w->session_count < share(w, limits_of(w)->sessions_max) ||
	       shed_one(w, &anyone, "sessions");
}

bool coap_shed_welcome(struct coap_peer *p)
{
	struct coap_worker *w = p->worker;

	http_source_of(&p->path.peer.sa, p->source);
	p->counted = make_room(w, p->source) && enter_source(w, p->source);
	if (!p->counted)
		server_count(&w->server->tally.shed);
	return p->counted;
}

bool coap_shed_identify(struct coap_peer *p, struct err *e)
{
	struct http_sources *identities = p->worker->server->identities;
	const struct wish same = {.identity = p->identity};

	memcpy(p->identity, cert_sha256(p->ref->peer.cert), sizeof(p->identity));
	p->identified = http_sources_enter(identities, p->identity) ||
			(shed_one(p->worker, &same, "sessions with one certificate") &&
				http_sources_enter(identities, p->identity));
	return p->identified ||
	       err_set(e, ERR_RETRY_LATER, "too many sessions with this certificate");
}

void coap_shed_account(struct coap_peer *p, size_t held)
{
	static const struct wish holders = {.holds_memory = true};
	struct coap_worker *w = p->worker;

	w->held +=
		held - p->held; /* unsigned: what is below zero wraps round to what it should be */
	p->held = held;
	if (held == 0 || w->drain.begun)
		return;
	while (w->held > share(w, limits_of(w)->held_max) && shed_one(w, &holders, "memory"))
		;
}
