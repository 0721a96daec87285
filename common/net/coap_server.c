/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS server as a whole: its limits, its workers, its sockets, its drain. Who becomes a peer
 * is in coap_worker.c, who has to go for it in coap_shed.c, what becomes of one in coap_peer.c,
 * what its messages mean in coap_exchange.c, which resource they are for in coap_route.c. */
#include "common/net/coap_server.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/coap_worker.h"
#include "common/net/http_listen.h"

/* Connection ids of HTTPS count from 1: no two connections of a process have the same. */
#define FIRST_CONNECTION_ID (INT64_C(1) << 62)

static const struct coap_limits defaults = {
	.handshake_ms =
		30000, /* on a link that loses every tenth datagram: 1 + 2 + 4 + 8 s and some */
	.idle_ms = 120000,
	.request_ms = 60000,
	.body_ms = 60000,
	.ack_ms = 1500, /* a peer repeats after 2 s (RFC 7252 §4.8) */
	.late_ms =
		15000, /* a peer gives up after 62 s, and its first datagrams may have got lost */
	.repeat_ms = 2000, /* RFC 7252 §4.8 */
	.drain_grace_ms = 1000,
	.sessions_max = 4096,
	.sessions_per_source_max = 1024, /* a join proxy speaks for all devices behind it */
	.sessions_per_identity_max = 32, /* a device needs one, and two when it renews */
	.handshakes_max = 512,		 /* each may make OpenSSL keep 200 kB */
	.held_max = 64u << 20,		 /* a thousand onboardings at once take 20 MB */
	.mtu = DTLS_MTU_DEFAULT,
	.retransmit_ms = DTLS_RETRANSMIT_MS,
};

/* What is not said is the default. */
static void fill_limits(struct coap_limits *l)
{
	const struct coap_limits *d = &defaults;

#define FILL(field) l->field = l->field ? l->field : d->field
	FILL(handshake_ms);
	FILL(idle_ms);
	FILL(request_ms);
	FILL(body_ms);
	FILL(ack_ms);
	FILL(late_ms);
	FILL(repeat_ms);
	FILL(drain_grace_ms);
	FILL(sessions_max);
	FILL(sessions_per_source_max);
	FILL(sessions_per_identity_max);
	FILL(handshakes_max);
	FILL(held_max);
	FILL(mtu);
	FILL(retransmit_ms);
#undef FILL
}

static bool listen_on(
	struct coap_server *s, const char *listen, enum coap_socket_kind kind, struct err *e)
{
	if (!listen)
		return true;
	if (!http_listen_check_free_udp(listen, e))
		return false;
	for (size_t i = 0; i < s->worker_count; i++) {
		struct coap_socket *socket = &s->workers[i].sockets[kind];

		socket->jpy = kind == COAP_SOCKET_JPY;
		socket->fd = http_listen_udp(listen, &s->ports[kind], e);
		if (socket->fd < 0)
			return false;
	}
	return true;
}

static bool set_up(struct coap_server *s, struct loop **loops, size_t loop_count, struct err *e)
{
	s->workers = mem_new(loop_count * sizeof(*s->workers), e);
	if (!s->workers)
		return false;
	s->worker_count = loop_count;
	for (size_t i = 0; i < loop_count; i++) {
		s->workers[i].server = s;
		s->workers[i].loop = loops[i];
		for (size_t k = 0; k < COAP_SOCKET_COUNT; k++)
			s->workers[i].sockets[k].fd = -1;
	}
	s->sources = http_sources_new(s->config.limits.sessions_per_source_max, e);
	s->identities = http_sources_new(s->config.limits.sessions_per_identity_max, e);
	if (!s->sources || !s->identities ||
		!listen_on(s, s->config.listen, COAP_SOCKET_PLAIN, e) ||
		!listen_on(s, s->config.jpy_listen, COAP_SOCKET_JPY, e))
		return false;
	for (size_t i = 0; i < loop_count; i++)
		if (!coap_worker_init(&s->workers[i], e))
			return false;
	return true;
}

struct coap_server *coap_server_new(const struct coap_server_config *config, struct loop **loops,
	size_t loop_count, struct err *e)
{
	struct coap_server *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->config = *config;
	fill_limits(&s->config.limits);
	tls_slot_init(&s->tls, config->tls);
	atomic_init(&s->sessions, 0);
	atomic_init(&s->next_connection_id, FIRST_CONNECTION_ID);
	drain_init(&s->drain, loop_count);
	if (set_up(s, loops, loop_count, e))
		return s;
	coap_server_free(s);
	return NULL;
}

uint16_t coap_server_port(const struct coap_server *s)
{
	return s->ports[COAP_SOCKET_PLAIN];
}

uint16_t coap_server_jpy_port(const struct coap_server *s)
{
	return s->ports[COAP_SOCKET_JPY];
}

size_t coap_server_sessions(const struct coap_server *s)
{
	return atomic_load(&s->sessions);
}

void coap_server_counts(const struct coap_server *s, struct server_counts *out)
{
	server_tally_read(&s->tally, out);
}

void coap_server_set_tls(struct coap_server *s, struct tls_server *tls)
{
	tls_slot_set(&s->tls, tls);
}

void coap_server_drain(struct coap_server *s, int64_t deadline_ms, loop_fn *done, void *arg)
{
	drain_set(&s->drain, deadline_ms, done, arg);
	for (size_t i = 0; i < s->worker_count; i++)
		drain_start(&s->drain, s->workers[i].loop, coap_worker_drain, &s->workers[i],
			s->config.log);
}

void coap_server_free(struct coap_server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->worker_count; i++) {
		coap_worker_clear(&s->workers[i]);
		for (size_t k = 0; k < COAP_SOCKET_COUNT; k++)
			if (s->workers[i].sockets[k].fd >= 0)
				close(s->workers[i].sockets[k].fd);
	}
	free(s->workers);
	http_sources_free(s->sources);
	http_sources_free(s->identities);
	tls_slot_clear(&s->tls);
	free(s);
}
