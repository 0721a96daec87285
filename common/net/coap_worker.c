/* SPDX-License-Identifier: Apache-2.0 */
/* Whose datagram is it, and who is a peer. Whether there is room for one more is coap_shed.c's
 * business. */
#include "common/net/coap_worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"

#define DATAGRAM_MAX	  65536
#define RECEIVES_PER_TURN 64 /* so that a flood leaves time for timers and answers */

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
	if (!p->established) {
		w->handshake_count--;
		server_count(&s->tally.handshakes_failed);
	}
	if (p->identified)
		http_sources_leave(s->identities, p->identity);
	w->held -= p->held;
	w->session_count--;
	atomic_fetch_sub(&s->sessions, 1);
	drain_share_check(&w->drain, w->session_count == 0);
}

void coap_worker_alive(struct coap_peer *p)
{
	if (!dtls_is_established(p->dtls))
		return; /* a handshake's place is its age */
	TAILQ_REMOVE(queue_of(p), p, queue);
	if (!p->established) {
		p->worker->handshake_count--;
		server_count(&p->worker->server->tally.handshakes);
	}
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
	struct tls_server *tls = tls_slot_take(&w->server->tls, w->tls);

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

	if (w->drain.begun)
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
	if (e.kind == ERR_NONE)
		return;
	server_count(&w->server->tally.handshakes_failed);
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
	struct dtls_listener_config listening = {
		.mtu = limits_of(w)->mtu, .retransmit_ms = limits_of(w)->retransmit_ms};

	listening.tls = w->tls = tls_slot_take(&w->server->tls, NULL);
	TAILQ_INIT(&w->handshaking);
	TAILQ_INIT(&w->open);
	buf_init(&w->wrapped, DATAGRAM_MAX);
	w->datagram = mem_new(DATAGRAM_MAX, e);
	w->listener = dtls_listener_new(&listening, e);
	if (!w->datagram || !w->listener || !rng_bytes(w->hash_key, sizeof(w->hash_key), e) ||
		!drain_share_init(&w->drain, &w->server->drain, w->loop, e))
		return false;
	return init_socket(w, &w->sockets[COAP_SOCKET_PLAIN], e) &&
	       init_socket(w, &w->sockets[COAP_SOCKET_JPY], e);
}

void coap_worker_drain(void *arg)
{
	struct coap_worker *w = arg;
	struct coap_peer *p, *next;

	if (!drain_share_begin(&w->drain))
		return;
	for (p = TAILQ_FIRST(&w->handshaking); p; p = next) {
		next = TAILQ_NEXT(p, queue);
		coap_peer_drain(p); /* frees this one at most */
	}
	for (p = TAILQ_FIRST(&w->open); p; p = next) {
		next = TAILQ_NEXT(p, queue);
		coap_peer_drain(p);
	}
	drain_share_check(&w->drain, w->session_count == 0);
}

void coap_worker_clear(struct coap_worker *w)
{
	drain_share_clear(&w->drain);
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
	buf_clear(&w->wrapped);
	free(w->datagram);
}
