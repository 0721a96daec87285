/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its reply, whatever carried it (HTTP/1.1, HTTP/2, CoAP). A handler gets a
 * call on the loop thread of its connection and answers it exactly once, there, now or later. The
 * call outlives its connection: when the peer leaves, the answer is dropped, the call is not. */
#ifndef NET_CALL_H
#define NET_CALL_H

#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/net/loop.h"
#include "common/pki/cert.h"

#define CHANNEL_BINDING_MAX 64
#define CALL_PEER_MAX	    64

struct tls_server;

/* Who is at the other end of the connection; lives as long as the call. */
struct peer {
	struct tls_server *tls; /* what the connection was made with, also after a newer one came;
				   NULL without TLS */
	struct cert *cert;	/* client certificate, possession proven; NULL when none */
	struct cert_list chain; /* further certificates it sent */
	char address[CALL_PEER_MAX]; /* "192.0.2.1:40000", "[2001:db8::1]:40000", "unix:uid=0" */
	bool constrained;	     /* CoAP over DTLS: bodies are binary, never base64 */
	unsigned tls_version;	     /* 0x0303, 0x0304; 0 without TLS; 0xfefd is DTLS 1.2 */
	uint8_t channel_binding[CHANNEL_BINDING_MAX]; /* tls-unique on 1.2 (EMS only), tls-exporter
							 on 1.3 */
	size_t channel_binding_len;		      /* 0: none to be had */
	int64_t connection_id; /* unique in the process: same value = same TLS connection */
	uint32_t unix_uid;     /* on a Unix socket: who is it */
};

struct call; /* opaque; accessors borrow until the call is answered */

const char *call_method(const struct call *c);
const char *call_path(const struct call *c);			 /* without query */
const char *call_query(const struct call *c);			 /* "" when none */
const char *call_header(const struct call *c, const char *name); /* any case; NULL when absent */
struct bytes call_body(const struct call *c);
const struct peer *call_peer(const struct call *c);
struct loop *call_loop(const struct call *c);
/* The exchange id: the peer's X-Request-Id when it is 8 to 32 of [0-9A-Za-z-], else a new one. */
const char *call_exchange(const struct call *c);
bool call_is_head(const struct call *c);
/* Hang something on the call: drop(what) is called when it ends. What hung there before is dropped.
 */
void call_attach(struct call *c, void *what, void (*drop)(void *what));
void *call_attached(const struct call *c);
/* Its sender has shown who it is, and is one of those that are served here: the line about this
 * request is never left out of the log, however many strangers ask. */
void call_sender_is_known(struct call *c);
/* Be told the handler's answer, also when it comes too late for the peer: fn(arg) is called once,
 * as the call ends; with status 0 when nobody answered. */
typedef void call_answer_fn(void *arg, int status, const char *content_type, struct bytes body);
void call_on_answer(struct call *c, call_answer_fn *fn, void *arg);

/* Answering, on the thread of call_loop() only: who has the answer on another thread hands it over
 * with loop_post(). All take effect with call_reply*(), which ends the call: it and what was
 * borrowed from it must not be touched afterwards. Headers set before go out with it. Values with
 * CR or LF are a bug and dropped. */
void call_set_header(struct call *c, const char *name, const char *value);
void call_close_after(struct call *c); /* end the connection (h1) or GOAWAY (h2) after the answer */
/* body is copied. content_type may be NULL with an empty body. */
void call_reply(struct call *c, int status, const char *content_type, struct bytes body);
/* text/plain; charset=utf-8 with the error's sentence, or where the server is set to it a problem
 * (wire/problem.h); status from net/status.h, Retry-After on 503, close on ERR_PROXIMITY. The full
 * text goes to the log under `event`. */
void call_reply_err(struct call *c, const struct log *l, const char *event, const struct err *e);
/* 202 with Retry-After. */
void call_reply_pending(struct call *c, int64_t retry_after_s, const char *sentence);

/* For tests and carriers: see net/call_impl.h. */
#endif
