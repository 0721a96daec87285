/* SPDX-License-Identifier: Apache-2.0 */
/* Block-wise transfer (RFC 7959) without a transport: what a block option says, putting a body
 * together out of blocks, and cutting one into them. Both sides use it. No memory is set aside for
 * what was only announced (row B-07). */
#ifndef WIRE_COAP_BLOCK_H
#define WIRE_COAP_BLOCK_H

#include "common/wire/coap_message.h"

#define COAP_SZX_MAX	       6 /* 1024 octets; 7 is reserved over datagrams */
#define COAP_BLOCK_OCTETS(szx) ((size_t)16 << (szx))

struct coap_block {
	uint32_t num;
	bool more;
	uint8_t szx;
};
/* *present says whether there is such an option. ERR_INPUT: szx 7, longer than 3 octets. */
bool coap_block_read(const struct coap_message *m, uint16_t number, bool *present,
	struct coap_block *out, struct err *e) MUST_CHECK;
/* The option's value; the bytes returned borrow from scratch. */
struct bytes coap_block_value(const struct coap_block *b, uint8_t scratch[4]);
/* The greatest szx whose block and a message's head fit into so many octets of plaintext. */
uint8_t coap_block_szx_for(size_t plaintext_max, size_t head_len);

/* A body on its way in. One transfer at a time for each (peer, token-independent key) is the
 * caller's business; this holds one. */
struct coap_body {
	struct buf octets;	 /* limit set by coap_body_init() */
	uint32_t size_announced; /* Size1/Size2; 0: none */
	uint32_t format;	 /* Content-Format of its first block */
	bool begun;
};
enum coap_body_state {
	COAP_BODY_MORE,	    /* answer 2.31 / ask for the next block */
	COAP_BODY_COMPLETE, /* octets holds it */
	COAP_BODY_GAP, /* an earlier block is missing or differs, another format, a block that is
			  not as long as it must be: 4.08; the peer begins again */
	COAP_BODY_TOO_LARGE, /* 4.13 with the limit in Size1 */
	COAP_BODY_NO_MEMORY, /* 5.03: the same octets are welcome later */
};
void coap_body_init(struct coap_body *b, size_t max);
void coap_body_clear(struct coap_body *b);
/* Add the block (or the whole body, when block is NULL) that m carries. Block 0 begins anew; a
 * block that was seen before is ignored when it lies within what is held, byte for byte the same.
 * The offset counts in octets, so the peer may lower its block size on the way. */
enum coap_body_state coap_body_add(
	struct coap_body *b, const struct coap_block *block, const struct coap_message *m);

/* The slice of body that block num of szx is; false: beyond its end. */
bool coap_block_slice(struct bytes body, uint32_t num, uint8_t szx, struct bytes *out, bool *more);

#endif
