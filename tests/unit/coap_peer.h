/* SPDX-License-Identifier: Apache-2.0 */
/* A small CoAPS server on loopback for the tests of the pledge's session: one thread, one
 * association at a time, one answer, and a few bad manners. Its DTLS and its messages are ours;
 * what foreign servers do is shown with libcoap's. */
#ifndef TESTS_COAP_PEER_H
#define TESTS_COAP_PEER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net/dtls.h"
#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"

#define PEER_BODY_MAX	  16384
#define PEER_DATAGRAM_MAX 4096
#define PEER_TICK_MS	  5 /* to look whether it shall stop */

struct coap_peer {
	/* how it behaves; set before coap_peer_start() */
	const struct identity *identity;
	bool ipv6;	    /* [::1] instead of 127.0.0.1 */
	bool deaf;	    /* answers no datagram at all */
	bool babbles;	    /* sends what is no record, every tick */
	bool silent;	    /* handshakes and never answers a request */
	bool separate;	    /* empty acknowledgement first */
	bool loses_answers; /* the first to every request after the first */
	bool closes;	    /* ends the association right behind an answer */
	bool etag_changes;  /* with every block */
	uint8_t szx;	    /* of blocks both ways; 0: 512 octets */
	size_t mtu;
	uint8_t code; /* 0: 2.04 or 2.05 */
	uint32_t format;
	const char *body; /* or NULL */
	size_t filler;	  /* so many octets instead of body */
	bool has_max_age;
	uint32_t max_age_s;
	/* what it saw */
	atomic_int associations, requests, repeated, longest;
	struct coap_body request; /* the last one; read after its answer has come */
	char path[256];
	uint32_t accept;
	bool client_cert;
	struct buf binding;
	uint16_t port;
	/* inner life */
	struct tls_server *tls;
	struct dtls_listener *listener;
	struct dtls *dtls;
	struct sockaddr_storage client;
	socklen_t client_len;
	int fd, blocks_sent;
	uint16_t last_id, next_id;
	bool seen_any;
	struct buf last_answer;
	uint8_t octets[PEER_BODY_MAX];
	atomic_bool stop;
	pthread_t thread;
};

static inline bool peer_transmit(void *arg, struct bytes datagram)
{
	struct coap_peer *p = arg;

	if ((int)datagram.len > p->longest)
		p->longest = (int)datagram.len;
	return sendto(p->fd, datagram.data, datagram.len, 0, (struct sockaddr *)&p->client,
		       p->client_len) == (ssize_t)datagram.len;
}

static inline void peer_send(struct coap_peer *p, struct bytes message)
{
	struct err e = ERR_INIT;

	if (!dtls_send(p->dtls, message, &e))
		abort();
}

static inline void peer_add(struct coap_message *m, uint16_t number, struct bytes value)
{
	struct err e = ERR_INIT;

	if (!coap_message_add(m, number, value, &e))
		abort();
}

static inline void peer_say(struct coap_peer *p, const struct coap_message *m)
{
	struct err e = ERR_INIT;

	buf_clear(&p->last_answer);
	if (!coap_message_format(m, &p->last_answer, &e))
		abort();
	if (!p->loses_answers || p->requests <= 1)
		peer_send(p, buf_bytes(&p->last_answer));
}

static inline struct coap_block peer_block(
	const struct coap_peer *p, const struct coap_message *rq, uint16_t number, bool *present)
{
	uint8_t szx = p->szx ? p->szx : 5;
	struct err e = ERR_INIT;
	struct coap_block b;

	if (!coap_block_read(rq, number, present, &b, &e))
		abort();
	if (!*present || b.szx > szx)
		b.szx = szx;
	return b;
}

static inline void peer_add_body(struct coap_peer *p, const struct coap_message *rq,
	struct coap_message *m, uint8_t block2[4], uint8_t *etag)
{
	struct bytes body = p->body ? bytes_of_str(p->body) : bytes_of(p->octets, p->filler);
	bool present, more;
	struct coap_block b = peer_block(p, rq, COAP_OPT_BLOCK2, &present);

	if (!coap_block_slice(body, b.num, b.szx, &m->payload, &more))
		abort();
	b.more = more;
	*etag = p->etag_changes ? (uint8_t)++p->blocks_sent : 7;
	peer_add(m, COAP_OPT_ETAG, bytes_of(etag, 1));
	if (b.num > 0 || more)
		peer_add(m, COAP_OPT_BLOCK2, coap_block_value(&b, block2));
}

static inline void peer_answer(struct coap_peer *p, const struct coap_message *rq, uint8_t code,
	const struct coap_block *block1)
{
	bool is_last = code != COAP_CONTINUE, separate = p->separate && is_last;
	struct coap_message m = {.type = separate ? COAP_CON : COAP_ACK,
		.code = code,
		.id = separate ? ++p->next_id : rq->id,
		.token_len = rq->token_len};
	struct coap_message empty = {.type = COAP_ACK, .id = rq->id};
	uint8_t scratch[4][4], etag;

	memcpy(m.token, rq->token, sizeof(m.token));
	if (block1)
		peer_add(&m, COAP_OPT_BLOCK1, coap_block_value(block1, scratch[0]));
	if (is_last && p->format != COAP_FORMAT_NONE)
		peer_add(&m, COAP_OPT_CONTENT_FORMAT, coap_uint(p->format, scratch[1]));
	if (is_last && p->has_max_age)
		peer_add(&m, COAP_OPT_MAX_AGE, coap_uint(p->max_age_s, scratch[2]));
	if (is_last)
		peer_add_body(p, rq, &m, scratch[3], &etag);
	if (separate)
		peer_say(p, &empty);
	peer_say(p, &m);
	if (p->closes && is_last)
		dtls_close(p->dtls);
}

static inline void peer_take(struct coap_peer *p, const struct coap_message *rq)
{
	bool has1, has2;
	struct coap_block b1 = peer_block(p, rq, COAP_OPT_BLOCK1, &has1), sent = {0},
			  b2 = peer_block(p, rq, COAP_OPT_BLOCK2, &has2);
	uint8_t code = rq->code == COAP_GET ? COAP_CONTENT : COAP_CHANGED;
	BUF_AUTO struct buf path = BUF_INIT(sizeof(p->path) - 1);
	struct err e = ERR_INIT;

	p->requests++;
	if (!coap_message_path(rq, &path, &e) ||
		!coap_block_read(rq, COAP_OPT_BLOCK1, &has1, &sent, &e))
		abort();
	memcpy(p->path, buf_str(&path), path.len + 1);
	if (!coap_message_uint(rq, COAP_OPT_ACCEPT, &p->accept))
		p->accept = COAP_FORMAT_NONE;
	if (p->silent)
		return;
	if (has2 && b2.num > 0) {
		peer_answer(p, rq, p->code ? p->code : code, NULL);
		return;
	}
	if (coap_body_add(&p->request, has1 ? &sent : NULL, rq) == COAP_BODY_MORE)
		code = COAP_CONTINUE;
	else if (p->code)
		code = p->code;
	peer_answer(p, rq, code, has1 ? &b1 : NULL);
}

static inline void peer_receive(void *arg, struct bytes plaintext)
{
	struct coap_peer *p = arg;
	struct coap_message m;
	struct err e = ERR_INIT;

	if (!coap_message_parse(plaintext, &m, &e))
		abort();
	if (m.code == COAP_EMPTY)
		return;
	if (p->seen_any && m.id == p->last_id) {
		p->repeated++;
		peer_send(p, buf_bytes(&p->last_answer));
		return;
	}
	p->seen_any = true;
	p->last_id = m.id;
	peer_take(p, &m);
}

static inline void peer_established(void *arg)
{
	struct coap_peer *p = arg;
	struct cert_list seen CERT_LIST_AUTO = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	p->associations++;
	p->client_cert = dtls_peer_certs(p->dtls, NULL, &seen, &e) && seen.count > 0;
	buf_clear(&p->binding);
	if (!dtls_channel_binding(p->dtls, &p->binding, &e))
		abort();
}

static const struct dtls_events peer_events = {
	.transmit = peer_transmit, .established = peer_established, .receive = peer_receive};

static inline void peer_datagram(struct coap_peer *p)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t octets[PEER_DATAGRAM_MAX];
	struct err e = ERR_INIT;
	ssize_t n = recvfrom(p->fd, octets, sizeof(octets), 0, (struct sockaddr *)&from, &len);

	if (n < 0 || p->deaf)
		return;
	if (p->dtls && (len != p->client_len || memcmp(&from, &p->client, len) != 0)) {
		dtls_free(p->dtls); /* the next test's client, or one that tries again */
		p->dtls = NULL;
	}
	p->client = from;
	p->client_len = len;
	if (p->dtls && !dtls_feed(p->dtls, bytes_of(octets, (size_t)n), &e)) {
		dtls_free(p->dtls);
		p->dtls = NULL;
	} else if (!p->dtls) {
		p->dtls = dtls_listener_receive(p->listener, bytes_of(&from, len),
			bytes_of(octets, (size_t)n), &peer_events, p, &e);
	}
}

static inline void *peer_run(void *arg)
{
	struct coap_peer *p = arg;
	struct pollfd fd = {.fd = p->fd, .events = POLLIN};
	struct err e = ERR_INIT;

	while (!p->stop) {
		if (poll(&fd, 1, PEER_TICK_MS) > 0)
			peer_datagram(p);
		if (p->babbles && p->client_len > 0)
			peer_transmit(p, bytes_of_str("what a nice day, is it not?"));
		if (p->dtls && dtls_timeout_ms(p->dtls) == 0 && !dtls_on_timeout(p->dtls, &e)) {
			dtls_free(p->dtls);
			p->dtls = NULL;
		}
	}
	return NULL;
}

static inline void peer_bind(struct coap_peer *p)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
		.sin_port = htons(p->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(p->port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *sa = p->ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = p->ipv6 ? sizeof(v6) : sizeof(v4);

	p->fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, sa, len) != 0 || getsockname(p->fd, sa, &len) != 0)
		abort();
	p->port = ntohs(p->ipv6 ? v6.sin6_port : v4.sin_port);
}

static inline void coap_peer_start(struct coap_peer *p)
{
	struct dtls_listener_config config = {.mtu = p->mtu};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(p->octets); i++)
		p->octets[i] = (uint8_t)('a' + i % 23);
	buf_init(&p->last_answer, PEER_DATAGRAM_MAX);
	buf_init(&p->binding, 64);
	coap_body_init(&p->request, PEER_BODY_MAX);
	p->tls = dtls_server_new(p->identity, &e);
	config.tls = p->tls;
	p->listener = p->tls ? dtls_listener_new(&config, &e) : NULL;
	if (!p->listener)
		abort();
	peer_bind(p);
	p->stop = false;
	if (pthread_create(&p->thread, NULL, peer_run, p) != 0)
		abort();
}

static inline void coap_peer_stop(struct coap_peer *p)
{
	if (!p->listener)
		return;
	p->stop = true;
	pthread_join(p->thread, NULL);
	if (p->dtls)
		dtls_close(p->dtls);
	dtls_free(p->dtls);
	dtls_listener_free(p->listener);
	tls_server_free(p->tls);
	close(p->fd);
	buf_clear(&p->last_answer);
	buf_clear(&p->binding);
	coap_body_clear(&p->request);
	p->dtls = NULL;
	p->listener = NULL;
}

#endif
