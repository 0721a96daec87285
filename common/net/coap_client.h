/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of CoAP without a transport: one request at a time and its answer, as messages
 * that are repeated until something comes back (RFC 7252 §4, §5), block by block where a body does
 * not fit (RFC 7959, RFC 9175 §3). No socket and no clock: octets and moments in, octets out, so
 * that a test can lose, double and reorder them as it likes. */
#ifndef NET_COAP_CLIENT_H
#define NET_COAP_CLIENT_H

#include "common/wire/coap_message.h"

struct coap_request {
	uint8_t code;			 /* COAP_GET, COAP_POST */
	const char *path;		 /* "/.well-known/est/simpleenroll?a=b", short or long */
	uint32_t content_format, accept; /* COAP_FORMAT_NONE: not said */
	struct bytes body;
	struct bytes etag; /* of what we have: 2.03 instead of the same again; empty: none */
	size_t reply_max;
};

struct coap_answer { /* owned by the caller: buf_clear(&body) */
	uint8_t code;
	uint32_t format; /* COAP_FORMAT_NONE: not said */
	bool has_max_age;
	uint32_t max_age_s;
	uint8_t etag[COAP_ETAG_MAX];
	size_t etag_len; /* 0: none */
	struct buf body;
};

struct coap_client;
/* One message for the peer. false: it could not be sent; it counts as lost. */
typedef bool coap_transmit(void *arg, struct bytes message);

/* plaintext_max: octets of one message (dtls_plaintext_max()). */
struct coap_client *coap_client_new(
	size_t plaintext_max, coap_transmit *transmit, void *arg, struct err *e) MUST_CHECK;
void coap_client_free(struct coap_client *c);

/* Send a request; path, body and etag are borrowed until the answer is there or another one is
 * begun. now_ms: of a clock that never jumps. ERR_INPUT: a path that none is; ERR_BUG: one is on
 * its way.
 */
bool coap_client_begin(struct coap_client *c, const struct coap_request *rq, int64_t now_ms,
	struct err *e) MUST_CHECK;
/* A message has come. Whatever it is: it is answered as RFC 7252 §4 asks. */
void coap_client_receive(struct coap_client *c, struct bytes message, int64_t now_ms);
/* Milliseconds until coap_client_on_timeout() wants to be called; -1: not at all. */
int64_t coap_client_timeout_ms(const struct coap_client *c, int64_t now_ms);
/* Repeat what is due. It goes on for as long as the caller does: his is the deadline. */
void coap_client_on_timeout(struct coap_client *c, int64_t now_ms);
/* Is the answer there, or known never to come? */
bool coap_client_is_done(const struct coap_client *c);
/* The answer of a request that is done, once. ERR_PEER: reset, contradicting itself, larger than
 * reply_max; ERR_NO_MEMORY. */
bool coap_client_take(struct coap_client *c, struct coap_answer *out, struct err *e) MUST_CHECK;

#endif
