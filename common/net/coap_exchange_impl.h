/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the message layer share: coap_exchange.c has the messages, coap_work.c the
 * handlers, coap_answer.c what goes out. */
#ifndef NET_COAP_EXCHANGE_IMPL_H
#define NET_COAP_EXCHANGE_IMPL_H

#include "common/net/call_impl.h"
#include "common/net/coap_exchange.h"
#include "common/net/coap_peer.h"
#include "common/net/coap_route.h"

#define COAP_REQUEST_ETAGS_MAX 4
#define COAP_DIAGNOSTIC_MAX    100 /* octets for the peer; the reason is in our log */

struct coap_etag {
	uint8_t octets[COAP_ETAG_MAX];
	size_t len;
};

/* What a work ends in. */
struct coap_reply {
	uint8_t code;
	uint32_t format; /* COAP_FORMAT_NONE: no option */
	uint32_t max_age_s, size1;
	bool has_max_age, has_size1, close;
	struct buf body; /* wiped when freed */
};

struct coap_exchange {
	TAILQ_ENTRY(coap_exchange) link;
	struct coap_peer *peer;
	struct coap_work *work; /* waited for; NULL: answered */
	enum coap_type type;
	uint8_t code;
	uint16_t id;
	uint8_t token[COAP_TOKEN_MAX];
	size_t token_len;
	uint8_t key[SHA256_LEN]; /* of coap_route_find() */
	struct coap_block block1, block2;
	bool has_block1, has_block2, wants_size2;
	struct coap_etag etags[COAP_REQUEST_ETAGS_MAX];
	size_t etag_count;
	int64_t begun_ms;
	int64_t ack_due_ms, late_due_ms; /* INT64_MAX: never */
	bool acked;			 /* with an empty ACK: the answer is separate */
	struct buf answer;		 /* the message that went out last; wiped when freed */
	/* a separate response that is not acknowledged yet */
	uint16_t own_id;
	unsigned repeats_left;
	int64_t repeat_ms, repeat_due_ms; /* INT64_MAX: acknowledged, or none */
};

struct coap_work {
	TAILQ_ENTRY(coap_work) link;
	struct coap_peer *peer;
	struct call *call;	      /* NULL: finished */
	struct coap_exchange *waiter; /* NULL: told to come later */
	uint8_t digest[SHA256_LEN];
	uint8_t code; /* of the request */
	struct coap_reply reply;
	int64_t until_ms; /* of a finished one */
};

/* ---- coap_exchange.c ---- */
void coap_exchange_free(struct coap_exchange *ex);

/* ---- coap_work.c ---- */
/* The request is whole: its answer is under way, or there already, or a handler's business. May
 * free ex; the body may be taken. */
void coap_work_execute(struct coap_exchange *ex, const struct coap_verdict *v, struct buf *body);
void coap_work_free(struct coap_work *w);

/* ---- coap_answer.c: each sends the answer of ex, and keeps or frees it ---- */
/* Whatever a handler has answered, in blocks where it has to be. The body may be taken. */
void coap_answer(struct coap_exchange *ex, struct coap_reply *r);
/* A code with a sentence or NULL; 5.03 with Max-Age. */
void coap_answer_code(struct coap_exchange *ex, uint8_t code, const char *sentence);
void coap_answer_too_large(struct coap_exchange *ex, size_t max);
/* The block that is asked for of an answer that is kept. */
void coap_answer_block(struct coap_exchange *ex, struct coap_held *h, const struct coap_reply *r);

#endif
