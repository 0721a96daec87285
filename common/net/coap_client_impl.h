/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the CoAP client share: coap_client.c has its states, coap_client_request.c the
 * messages it sends. */
#ifndef NET_COAP_CLIENT_IMPL_H
#define NET_COAP_CLIENT_IMPL_H

#include "common/net/coap_client.h"
#include "common/wire/coap_block.h"

#define COAP_CLIENT_TOKEN_LEN 2
#define COAP_CLIENT_TAG_LEN   2
#define COAP_CLIENT_SEEN_MAX  8 /* answers acknowledged and perhaps repeated by the peer */

enum coap_client_state {
	COAP_CLIENT_IDLE,
	COAP_CLIENT_UPLOADING,
	COAP_CLIENT_DOWNLOADING,
	COAP_CLIENT_DONE
};

struct coap_client {
	size_t plaintext_max;
	coap_transmit *transmit;
	void *arg;

	enum coap_client_state state;
	struct coap_request rq;
	struct err failure; /* COAP_CLIENT_DONE without an answer */
	unsigned restarts;

	/* the body on its way out */
	bool in_blocks;
	uint8_t szx; /* of both directions, never growing */
	size_t offset;
	uint8_t tag[COAP_CLIENT_TAG_LEN];

	/* the answer on its way in */
	struct coap_body body;
	uint8_t code;
	uint8_t etag[COAP_ETAG_MAX];
	size_t etag_len;
	bool has_max_age;
	uint32_t max_age_s;

	/* the message on its way */
	uint16_t id, token;
	struct buf message;
	bool acknowledged;
	unsigned sent; /* times */
	int64_t sent_ms, due_ms, pause_ms;
	int64_t srtt_ms, rttvar_ms; /* 0: not measured yet */

	uint16_t seen[COAP_CLIENT_SEEN_MAX];
	size_t seen_count;
};

/* Octets of the body in the message at hand. */
size_t coap_client_part_len(const struct coap_client *c);
/* Is there more of the body behind them? */
bool coap_client_has_more(const struct coap_client *c);
/* Write c->message, the next one of the request. */
bool coap_client_format(struct coap_client *c, struct err *e) MUST_CHECK;
/* Octets before a block, all options as long as they can become; for that, in_blocks is set and
 * c->message written over. */
bool coap_client_head_len(struct coap_client *c, size_t *len, struct err *e) MUST_CHECK;

#endif
