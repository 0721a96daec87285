/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS server (RFC 7252 over DTLS, RFC 7959): carries calls like http_server.h, on the same
 * loops, into the same handlers. N sockets on one port (SO_REUSEPORT), associations by peer; a join
 * proxy's JPY port beside it, where the peer is (proxy address, header) and answers go back in the
 * same wrapping (draft-ietf-anima-constrained-join-proxy). A request that was seen before is
 * answered with the stored answer and never executed again (RFC 7252 §4.5): a lost ACK must not
 * issue two certificates. Block-wise bodies are put together here; handlers see whole ones. */
#ifndef NET_COAP_SERVER_H
#define NET_COAP_SERVER_H

#include "common/net/call.h"
#include "common/net/http_server.h"
#include "common/net/tls.h"

/* One resource. call_method() is "GET" or "POST", call_path() is `path` whichever way it was named;
 * headers "Content-Type" and "Accept" hold the media types of the numbers, and are absent where the
 * options are (which format an answer then has is the handler's choice, row C-09); a number we do
 * not know never reaches a handler (4.15, 4.06). The answer's status and Content-Type become code
 * and Content-Format; Retry-After becomes Max-Age; text/plain becomes a diagnostic payload, cut
 * short. A body goes out block by block where it does not fit. Every 2.05 gets an ETag of its
 * content, and who shows it again gets 2.03. A request that comes again while its handler works, or
 * after the peer was told to come later, does not enter a handler a second time: it gets the answer
 * of the first. */
struct coap_route {
	const char *method;
	const char *path; /* "/.well-known/brski/rv" */
	http_handler *handler;
	size_t body_max;
	uint32_t content_format;  /* what a POST must bring; COAP_FORMAT_NONE: any, judged by the
				     handler from Content-Type */
	const uint32_t *produces; /* formats for Accept, ended by COAP_FORMAT_NONE: else 4.06; NULL:
				     the handler judges. Also what /.well-known/core says */
	uint16_t abbrev;	  /* Uri-Path-Abbrev value; 0: none */
	const char *rt;		  /* resource type for /.well-known/core; NULL: not listed */
};
/* Where else the routes are found: {"/.well-known/est", "/e"} (row R-20), and which resource type
 * the base itself has. */
struct coap_root {
	const char *path, *short_path;
	const char *rt; /* "ace.est", "brski" */
};

/* A field left 0 is the default. */
struct coap_limits {
	int64_t handshake_ms;	/* 30 s */
	int64_t idle_ms;	/* 120 s without a datagram */
	int64_t request_ms;	/* 60 s for the handler, else 5.03 */
	int64_t body_ms;	/* 60 s for all blocks of a body */
	int64_t ack_ms;		/* 1.5 s, then an empty ACK and a separate answer, when the request
				   was block-wise; see coap_exchange.c for who cannot read one, and */
	int64_t late_ms;	/* 15 s, then 5.03 with Max-Age for the others */
	int64_t repeat_ms;	/* 2 s, a separate answer for the first time: ACK_TIMEOUT */
	int64_t drain_grace_ms; /* 1 s for a peer to repeat or to go on when the server drains */
	size_t sessions_max;	/* per process; the longest idle goes first */
	size_t sessions_per_source_max;
	size_t sessions_per_identity_max;
	size_t handshakes_max;	/* begun and not finished */
	size_t held_max;	/* octets of bodies and stored answers, of all sessions */
	size_t mtu;		/* 0: DTLS_MTU_DEFAULT */
	unsigned retransmit_ms; /* 0: DTLS_RETRANSMIT_MS, of handshakes */
};

struct coap_server_config {
	const char *listen;	/* "127.0.0.1:5684", "[::]:5684" */
	const char *jpy_listen; /* NULL: none */
	struct tls_server *tls; /* of dtls_server_new() */
	const struct coap_route *routes;
	size_t route_count;
	const struct coap_root *roots;
	size_t root_count;
	void *app;
	struct coap_limits limits;
	struct cert_cache *cache;
	const struct log *log;
};

struct coap_server;
/* As http_server_new(): loops must not run yet; pointers are borrowed until coap_server_free(). */
struct coap_server *coap_server_new(const struct coap_server_config *config, struct loop **loops,
	size_t loop_count, struct err *e) MUST_CHECK;
uint16_t coap_server_port(const struct coap_server *s);
uint16_t coap_server_jpy_port(const struct coap_server *s); /* 0: none */
void coap_server_set_tls(struct coap_server *s, struct tls_server *tls);
/* No new associations; answer what is on its way, then close them. As http_server_drain(). */
void coap_server_drain(struct coap_server *s, int64_t deadline_ms, loop_fn *done, void *arg);
void coap_server_free(struct coap_server *s);
size_t coap_server_sessions(const struct coap_server *s);
/* Any thread. */
void coap_server_counts(const struct coap_server *s, struct server_counts *out);

#endif
