/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's life: handshake, requests, silence, end. */
#include "common/net/coap_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/siphash.h"
#include "common/net/coap_shed.h"
#include "common/net/coap_worker.h"
#include "common/net/http_listen.h"

#define LINGER_MS	 500 /* between a last answer and the end: datagrams may overtake each other */
#define DRAIN_SILENCE_MS 6000 /* of a peer in the middle of a body: it repeats after 2 to 3 s */
#define HEADER_BLOCK_MAX 1024 /* two media types */
#define DTLS_1_2	 0xfefd
#define TIMER_MAX_MS	 (24 * 3600 * 1000)

const struct coap_server_config *coap_peer_config(const struct coap_peer *p)
{
	return &p->worker->server->config;
}

static const struct coap_limits *limits_of(const struct coap_peer *p)
{
	return &coap_peer_config(p)->limits;
}

static void log_lost(const struct coap_peer *p, const char *event, const struct err *e)
{
	log_event(coap_peer_config(p)->log, LOG_LEVEL_INFO, event, NULL, "peer",
		p->ref->peer.address, "reason", e->text, NULL);
}

/* ---- Datagrams out -------------------------------------------------------------------------- */

static bool transmit(void *arg, struct bytes datagram)
{
	struct coap_peer *p = arg;

	return coap_worker_send(p, datagram);
}

/* ---- The handshake is over ------------------------------------------------------------------ */

static bool know_certificates(struct coap_peer *p, struct err *e)
{
	struct cert_list all CERT_LIST_AUTO = CERT_LIST_INIT;
	struct peer *out = &p->ref->peer;

	if (!dtls_peer_certs(p->dtls, coap_peer_config(p)->cache, &all, e))
		return false;
	if (all.count == 0)
		return err_set(e, ERR_UNAUTHENTICATED, "no client certificate");
	out->cert = cert_ref(all.items[0]);
	for (size_t i = 1; i < all.count; i++)
		if (!cert_list_add(&out->chain, all.items[i], e))
			return false;
	return true;
}

static void know_binding(struct coap_peer *p)
{
	struct buf octets BUF_AUTO = BUF_INIT(CHANNEL_BINDING_MAX);
	struct peer *out = &p->ref->peer;
	struct err e = ERR_INIT;

	if (!dtls_channel_binding(p->dtls, &octets, &e))
		return; /* none to be had: RFC 7627 is not everybody's */
	memcpy(out->channel_binding, octets.data, octets.len);
	out->channel_binding_len = octets.len;
}

static void on_established(void *arg)
{
	struct coap_peer *p = arg;
	struct err e = ERR_INIT;

	p->ref->peer.constrained = true;
	p->ref->peer.tls_version = DTLS_1_2;
	know_binding(p);
	if (know_certificates(p, &e) && coap_shed_identify(p, &e))
		return;
	p->dead = true;
	log_lost(p, "connection-refused", &e);
}

static void on_message(void *arg, struct bytes octets)
{
	struct coap_peer *p = arg;

	if (!p->dead)
		coap_exchanges_receive(p, octets);
}

static bool welcome(void *arg)
{
	return coap_shed_welcome(arg);
}

const struct dtls_events coap_peer_events = {.welcome = welcome,
	.transmit = transmit,
	.established = on_established,
	.receive = on_message};

/* ---- Turns ---------------------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void arm(struct coap_peer *p, int64_t due_ms, int64_t now_ms)
{
	int64_t delay = due_ms > now_ms ? due_ms - now_ms : 0;

	loop_timer_arm(&p->timer, earlier(delay, TIMER_MAX_MS));
}

static void expire(struct coap_peer *p, const char *event, const char *why)
{
	p->dead = true;
	if (event)
		log_event(coap_peer_config(p)->log, LOG_LEVEL_INFO, event, NULL, "peer",
			p->ref->peer.address, "reason", why, NULL);
}

static int64_t handshake_due(struct coap_peer *p, int64_t now_ms)
{
	int64_t end = p->begun_ms + limits_of(p)->handshake_ms;
	int64_t wait = dtls_timeout_ms(p->dtls);
	struct err e = ERR_INIT;

	if (now_ms >= end) {
		expire(p, "handshake-failed", "time-out");
		return 0;
	}
	if (wait == 0 && !dtls_on_timeout(p->dtls, &e)) {
		log_lost(p, "handshake-failed", &e);
		p->dead = true;
	}
	wait = dtls_timeout_ms(p->dtls);
	return wait < 0 ? end : earlier(end, now_ms + wait);
}

static int64_t session_due(struct coap_peer *p, int64_t now_ms)
{
	int64_t due = coap_exchanges_on_time(p, now_ms);
	int64_t idle_ms = p->alive_ms + limits_of(p)->idle_ms;
	int64_t silence_ms = coap_exchanges_busy(&p->exchanges) ? DRAIN_SILENCE_MS
								: limits_of(p)->drain_grace_ms;

	if (p->close_ms && now_ms >= p->close_ms)
		expire(p, NULL, NULL);
	if (p->close_ms)
		due = earlier(due, p->close_ms);
	if (coap_exchanges_serving(&p->exchanges))
		return due;
	if (now_ms >= idle_ms)
		expire(p, NULL, NULL);
	if (!p->worker->drain.begun)
		return earlier(due, idle_ms);
	if (now_ms >= p->alive_ms + silence_ms)
		expire(p, NULL, NULL);
	return earlier(due, p->alive_ms + silence_ms);
}

/* The end of a turn, and the only place that frees a peer, but for those that make room. */
void coap_peer_settle(struct coap_peer *p)
{
	int64_t now_ms, due_ms;

	if (p->in_turn)
		return;
	p->in_turn = true;
	now_ms = clock_mono_ms();
	due_ms = p->dead			? 0
		 : dtls_is_established(p->dtls) ? session_due(p, now_ms)
						: handshake_due(p, now_ms);
	p->in_turn = false;
	if (p->dead) {
		coap_peer_free(p);
		return;
	}
	arm(p, due_ms, now_ms);
	coap_shed_account(p, coap_exchanges_size(&p->exchanges)); /* may end others, or this one */
}

static void on_timer(void *arg)
{
	coap_peer_settle(arg);
}

void coap_peer_feed(struct coap_peer *p, struct bytes datagram)
{
	bool established = dtls_is_established(p->dtls);
	struct err e = ERR_INIT;

	p->in_turn = true;
	if (!dtls_feed(p->dtls, datagram, &e)) {
		p->dead = true;
		if (!established)
			log_lost(p, "handshake-failed", &e);
	}
	p->in_turn = false;
	p->alive_ms = clock_mono_ms();
	coap_worker_alive(p);
	coap_peer_settle(p);
}

void coap_peer_drain(struct coap_peer *p)
{
	if (!dtls_is_established(p->dtls))
		p->dead = true;
	coap_peer_settle(p);
}

/* ---- For the message layer ------------------------------------------------------------------ */

void coap_peer_send(struct coap_peer *p, struct bytes message)
{
	struct err e = ERR_INIT;

	if (p->dead || dtls_send(p->dtls, message, &e))
		return;
	p->dead = true;
	log_lost(p, "connection-lost", &e);
}

void coap_peer_close_soon(struct coap_peer *p)
{
	p->close_ms = clock_mono_ms() + LINGER_MS;
}

struct call *coap_peer_new_call(
	struct coap_peer *p, const struct call_carrier *carrier, void *arg, struct err *e)
{
	const struct call_setup setup = {
		.loop = p->worker->loop,
		.log = coap_peer_config(p)->log,
		.list = &p->worker->calls,
		.peer = p->ref,
		.carrier = carrier,
		.carrier_arg = arg,
		.answer_ms = limits_of(p)->request_ms,
		.header_block_max = HEADER_BLOCK_MAX,
	};

	return call_new(&setup, e);
}

bool coap_peer_is_serving(const struct coap_peer *p)
{
	return coap_exchanges_serving(&p->exchanges);
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

struct coap_peer *coap_peer_new(struct coap_worker *w, struct err *e)
{
	struct coap_peer *p = mem_new(sizeof(*p), e);

	if (!p)
		return NULL;
	p->worker = w;
	coap_exchanges_init(&p->exchanges);
	p->ref = peer_ref_new(e);
	if (p->ref && loop_timer_init(&p->timer, w->loop, on_timer, p, e))
		return p;
	coap_peer_free(p);
	return NULL;
}

/* Pledges behind one join proxy have one address: what tells them apart in the log is the proxy's
 * header, of which the log needs no more than a digest. */
static void describe(struct coap_peer *p)
{
	static const uint8_t key[SIPHASH_KEY_LEN];
	struct peer *out = &p->ref->peer;
	size_t used;

	http_listen_describe(-1, &p->path.peer.sa, out);
	used = strlen(out->address);
	if (p->header_len)
		snprintf(out->address + used, sizeof(out->address) - used, "+%08x",
			(unsigned)siphash(key, bytes_of(p->header, p->header_len)));
}

void coap_peer_begin(struct coap_peer *p)
{
	p->begun_ms = p->alive_ms = clock_mono_ms();
	describe(p);
	p->ref->peer.tls = tls_server_ref(dtls_tls(p->dtls));
	p->ref->peer.connection_id = coap_worker_next_id(p->worker);
}

void coap_peer_free(struct coap_peer *p)
{
	if (!p)
		return;
	coap_exchanges_clear(&p->exchanges);
	if (p->dtls)
		dtls_close(p->dtls);
	loop_timer_clear(&p->timer);
	dtls_free(p->dtls);
	coap_worker_leave(p);
	peer_ref_drop(p->ref);
	free(p);
}

void coap_peer_supersede(struct coap_peer *p)
{
	dtls_free(p->dtls);
	p->dtls = NULL;
	coap_peer_free(p);
}
