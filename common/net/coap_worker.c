/* SPDX-License-Identifier: Apache-2.0 */
/* Whose datagram is it, and who may become a peer. There is always room for a device that joins: at
 * a limit the peer goes that has been silent for longest (a handshake that is stuck, when there are
 * too many of them), and a crowd from one source makes room among itself first. */
#include "common/net/coap_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

#define DATAGRAM_MAX	   65536
#define RECEIVES_PER_TURN  64 /* so that a flood leaves time for timers and answers */
#define SHED_TOLD_EVERY_MS 1000
#define SILENT_MS	   1500 /* without a datagram: a peer repeats after 1000 */
#define AGED_MS		   4000 /* that a handshake takes which lost a flight twice, and some */

static const struct coap_limits *limits_of(const struct coap_worker *w)
{
	return &w->server->config.limits;
}

/* ---- Datagrams out -------------------------------------------------------------------------- */

bool coap_worker_send(struct coap_peer *p, struct bytes datagram)
{
	struct buf *out = &p->worker->wrapped;
	struct jpy m = {.header = bytes_of(p->header, p->header_len), .content = datagram};
	struct err e = ERR_INIT;

	if (!p->socket->jpy)
		return coap_udp_send(p->socket->fd, &p->path, datagram);
	out->len = 0;
	return jpy_format(&m, out, &e) && coap_udp_send(p->socket->fd, &p->path, buf_bytes(out));
}

/* ---- Limits --------------------------------------------------------------------------------- */

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

/* One line a second at most: who floods us must not fill the disk too. */
static void tell_shed(struct coap_worker *w, const struct coap_peer *p, const char *why)
{
	int64_t now = clock_mono_ms();
	char count[24];

	w->shed_count++;
	if (w->shed_told_ms && now - w->shed_told_ms < SHED_TOLD_EVERY_MS)
		return;
	snprintf(count, sizeof(count), "%zu", w->shed_count);
	log_event(w->server->config.log, LOG_LEVEL_WARNING, "connections-shed", NULL, "reason", why,
		"count", count, "peer", p->ref->peer.address, NULL);
	w->shed_count = 0;
	w->shed_told_ms = now;
}

static bool shed(struct coap_worker *w, struct coap_peer *p, const char *why)
{
	if (!p)
		return false;
	tell_shed(w, p, why);
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

bool coap_worker_welcome(struct coap_peer *p)
{
	struct coap_worker *w = p->worker;

	http_source_of(&p->path.peer.sa, p->source);
	p->counted = make_room(w, p->source) && enter_source(w, p->source);
	return p->counted;
}

bool coap_worker_identify(struct coap_peer *p, struct err *e)
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

void coap_worker_account(struct coap_peer *p, size_t held)
{
	static const struct wish holders = {.holds_memory = true};
	struct coap_worker *w = p->worker;

	w->held +=
		held - p->held; /* unsigned: what is below zero wraps round to what it should be */
	p->held = held;
	if (held == 0 || w->draining)
		return;
	while (w->held > share(w, limits_of(w)->held_max) && shed_one(w, &holders, "memory"))
		;
}

/* ---- Peers ---------------------------------------------------------------------------------- */

static size_t bucket_of(const struct coap_worker *w, const struct coap_peer *p)
{
	return siphash(w->hash_key, bytes_of(p->key, p->key_len)) % COAP_BUCKETS;
}

static struct coap_peer *find(struct coap_worker *w, const struct coap_peer *like)
{
	struct coap_peer *p;

	LIST_FOREACH(p, &w->buckets[bucket_of(w, like)], bucket)
	if (p->key_len == like->key_len && memcmp(p->key, like->key, p->key_len) == 0)
		return p;
	return NULL;
}

static struct coap_queue *queue_of(struct coap_peer *p)
{
	return p->established ? &p->worker->open : &p->worker->handshaking;
}

static void enter(struct coap_worker *w, struct coap_peer *p)
{
	p->entered = true;
	w->session_count++;
	w->handshake_count++;
	atomic_fetch_add(&w->server->sessions, 1);
	LIST_INSERT_HEAD(&w->buckets[bucket_of(w, p)], p, bucket);
	TAILQ_INSERT_TAIL(&w->handshaking, p, queue);
}

static void report_drained(struct coap_server *s)
{
	if (!atomic_exchange(&s->drain_reported, true))
		s->drain_done(s->drain_arg);
}

static void check_drained(struct coap_worker *w)
{
	if (!w->draining || w->drained || !TAILQ_EMPTY(&w->open) || !TAILQ_EMPTY(&w->handshaking))
		return;
	w->drained = true;
	if (atomic_fetch_sub(&w->server->undrained, 1) == 1)
		report_drained(w->server);
}

void coap_worker_leave(struct coap_peer *p)
{
	struct coap_worker *w = p->worker;
	struct coap_server *s = w->server;

	if (p->counted)
		http_sources_leave(s->sources, p->source);
	if (!p->entered)
		return;
	LIST_REMOVE(p, bucket);
	TAILQ_REMOVE(queue_of(p), p, queue);
	if (!p->established)
		w->handshake_count--;
	if (p->identified)
		http_sources_leave(s->identities, p->identity);
	w->held -= p->held;
	w->session_count--;
	atomic_fetch_sub(&s->sessions, 1);
	check_drained(w);
}

void coap_worker_alive(struct coap_peer *p)
{
	if (!dtls_is_established(p->dtls))
		return; /* a handshake's place is its age */
	TAILQ_REMOVE(queue_of(p), p, queue);
	if (!p->established)
		p->worker->handshake_count--;
	p->established = true;
	TAILQ_INSERT_TAIL(queue_of(p), p, queue);
}

int64_t coap_worker_next_id(struct coap_worker *w)
{
	return atomic_fetch_add(&w->server->next_connection_id, 1);
}

/* ---- Datagrams in --------------------------------------------------------------------------- */

/* Fill in who it is that a datagram came from; its content is what DTLS gets. */
static bool identify(struct coap_socket *socket, struct coap_peer *p, struct bytes *content)
{
	struct jpy m = {.content = *content};
	struct err e = ERR_INIT;

	if (socket->jpy && !jpy_parse(*content, &m, &e))
		return false; /* without a word (row J-08) */
	p->socket = socket;
	p->header_len = m.header.len;
	memcpy(p->header, m.header.data ? m.header.data : p->header, m.header.len);
	p->key[0] = socket->jpy;
	coap_udp_key(&p->path, p->key + 1);
	memcpy(p->key + 1 + COAP_UDP_KEY_LEN, p->header, p->header_len);
	p->key_len = 1 + COAP_UDP_KEY_LEN + p->header_len;
	*content = m.content;
	return true;
}

/* After a reload the listener takes the new context. */
static void refresh_tls(struct coap_worker *w)
{
	struct coap_server *s = w->server;
	struct tls_server *tls;

	pthread_mutex_lock(&s->tls_lock);
	tls = s->tls == w->tls ? NULL : tls_server_ref(s->tls);
	pthread_mutex_unlock(&s->tls_lock);
	if (!tls)
		return;
	dtls_listener_set_tls(w->listener, tls);
	tls_server_free(w->tls);
	w->tls = tls;
}

/* The prospect is a peer now, and who had its place before is not. */
static void admit(struct coap_worker *w)
{
	struct coap_peer *p = w->prospect, *before = find(w, p);

	if (before)
		coap_peer_supersede(before);
	w->prospect = NULL;
	coap_peer_begin(p);
	enter(w, p);
	coap_peer_settle(p);
}

/* A handshake begins, or goes wrong at once, or there is no more than a cookie to give. */
static void greet(struct coap_worker *w, struct bytes content)
{
	struct coap_peer *p = w->prospect;
	struct err e = ERR_INIT;

	if (w->draining)
		return;
	refresh_tls(w);
	p->dtls = dtls_listener_receive(
		w->listener, bytes_of(p->key, p->key_len), content, &coap_peer_events, p, &e);
	if (p->dtls) {
		admit(w);
		return;
	}
	if (p->counted)
		http_sources_leave(w->server->sources, p->source);
	p->counted = false;
	if (e.kind != ERR_NONE)
		log_err(w->server->config.log, "handshake-failed", NULL, &e);
}

static void take(struct coap_socket *socket, struct bytes content)
{
	struct coap_worker *w = socket->worker;
	struct coap_peer *known;

	if (!identify(socket, w->prospect, &content))
		return;
	known = find(w, w->prospect);
	if (!known || dtls_is_other_hello(known->dtls, content))
		greet(w, content);
	else
		coap_peer_feed(known, content);
}

static bool have_prospect(struct coap_worker *w)
{
	struct err e = ERR_INIT;

	if (!w->prospect)
		w->prospect = coap_peer_new(w, &e);
	if (!w->prospect)
		log_err(w->server->config.log, "datagram-dropped", NULL, &e);
	return w->prospect != NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct coap_socket *socket = arg;
	struct coap_worker *w = socket->worker;
	struct coap_udp_path path;
	size_t len;

	for (int i = 0; i < RECEIVES_PER_TURN; i++) {
		if (!coap_udp_receive(fd, w->datagram, DATAGRAM_MAX, &len, &path))
			return;
		if (len == 0 || !have_prospect(w))
			continue;
		w->prospect->path = path;
		take(socket, bytes_of(w->datagram, len));
	}
}

/* ---- Beginning, drain, end ------------------------------------------------------------------ */

static void on_drain_deadline(void *arg)
{
	struct coap_worker *w = arg;

	report_drained(w->server);
}

static bool init_socket(struct coap_worker *w, struct coap_socket *socket, struct err *e)
{
	socket->worker = w;
	if (socket->fd < 0)
		return true;
	if (!coap_udp_prepare(socket->fd, e))
		return false;
	socket->readable = event_new(
		loop_base(w->loop), socket->fd, EV_READ | EV_PERSIST, on_readable, socket);
	return (socket->readable && event_add(socket->readable, NULL) == 0) ||
	       err_set(e, ERR_NO_MEMORY, "no memory to receive datagrams");
}

bool coap_worker_init(struct coap_worker *w, struct err *e)
{
	const struct dtls_listener_config listening = {.tls = w->server->tls,
		.mtu = limits_of(w)->mtu,
		.retransmit_ms = limits_of(w)->retransmit_ms};

	TAILQ_INIT(&w->handshaking);
	TAILQ_INIT(&w->open);
	buf_init(&w->wrapped, DATAGRAM_MAX);
	w->datagram = mem_new(DATAGRAM_MAX, e);
	w->listener = dtls_listener_new(&listening, e);
	if (!w->datagram || !w->listener || !rng_bytes(w->hash_key, sizeof(w->hash_key), e) ||
		!loop_timer_init(&w->drain_deadline, w->loop, on_drain_deadline, w, e))
		return false;
	w->tls = tls_server_ref(w->server->tls);
	return init_socket(w, &w->sockets[COAP_SOCKET_PLAIN], e) &&
	       init_socket(w, &w->sockets[COAP_SOCKET_JPY], e);
}

void coap_worker_drain(void *arg)
{
	struct coap_worker *w = arg;
	struct coap_peer *p, *next;

	if (w->draining)
		return;
	w->draining = true;
	if (w == w->server->workers)
		loop_timer_arm(&w->drain_deadline, w->server->drain_ms);
	for (p = TAILQ_FIRST(&w->handshaking); p; p = next) {
		next = TAILQ_NEXT(p, queue);
		coap_peer_drain(p); /* frees this one at most */
	}
	for (p = TAILQ_FIRST(&w->open); p; p = next) {
		next = TAILQ_NEXT(p, queue);
		coap_peer_drain(p);
	}
	check_drained(w);
}

void coap_worker_clear(struct coap_worker *w)
{
	w->drained = true; /* nobody is to be told any more */
	if (!w->wrapped.max)
		return; /* it has never begun */
	while (!TAILQ_EMPTY(&w->handshaking))
		coap_peer_free(TAILQ_FIRST(&w->handshaking));
	while (!TAILQ_EMPTY(&w->open))
		coap_peer_free(TAILQ_FIRST(&w->open));
	coap_peer_free(w->prospect);
	call_list_free(
		&w->calls); /* with handlers that will not come back: the loops have stopped */
	for (size_t i = 0; i < COAP_SOCKET_COUNT; i++)
		if (w->sockets[i].readable)
			event_free(w->sockets[i].readable);
	dtls_listener_free(w->listener);
	tls_server_free(w->tls);
	loop_timer_clear(&w->drain_deadline);
	buf_clear(&w->wrapped);
	free(w->datagram);
}
