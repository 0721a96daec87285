/* SPDX-License-Identifier: Apache-2.0 */
/* What one peer has under way block by block (RFC 7959): bodies that come in, answers that go out.
 * Few of each, each with an end in time; requests that belong together are known by a key (method,
 * target, Accept, and Request-Tag of an upload; row B-10). */
#ifndef NET_COAP_TRANSFER_H
#define NET_COAP_TRANSFER_H

#include <sys/queue.h>

#include "common/pki/digest.h"
#include "common/wire/coap_block.h"

#define COAP_UPLOADS_MAX 2	       /* of one peer at a time; the oldest goes */
#define COAP_HELD_MAX	 4	       /* answers; a client may fetch two in turns (row B-06) */
#define COAP_ETAG_LEN	 COAP_ETAG_MAX /* of our own */

/* An answer larger than a block, kept until the peer has had the time to fetch it all, so that all
 * its blocks are of one body. */
struct coap_held {
	TAILQ_ENTRY(coap_held) link;
	uint8_t key[SHA256_LEN];
	uint8_t code;
	uint32_t format;
	uint8_t etag[COAP_ETAG_LEN];
	struct buf body; /* wiped when freed */
	bool fetched;	 /* its last block has been sent */
	int64_t until_ms;
};

struct coap_upload {
	TAILQ_ENTRY(coap_upload) link;
	uint8_t key[SHA256_LEN];
	struct coap_body body;
	int64_t until_ms;
};

struct coap_transfers {
	TAILQ_HEAD(coap_uploads, coap_upload) uploads;
	TAILQ_HEAD(coap_helds, coap_held) held;
};

void coap_transfers_init(struct coap_transfers *t);
void coap_transfers_clear(struct coap_transfers *t);
/* Octets in memory. */
size_t coap_transfers_size(const struct coap_transfers *t);
/* Something is on its way in or out. */
bool coap_transfers_busy(const struct coap_transfers *t);
/* Forget what is over; when the next is, INT64_MAX: nothing is there. */
int64_t coap_transfers_expire(struct coap_transfers *t, int64_t now_ms);

/* One block of a body of at most max octets. COAP_BODY_COMPLETE: `whole` has it, the upload is
 * over. deadline_ms is that of an upload that begins. */
enum coap_body_state coap_transfers_add(struct coap_transfers *t, const uint8_t key[SHA256_LEN],
	size_t max, int64_t deadline_ms, const struct coap_block *block,
	const struct coap_message *m, struct buf *whole);

/* Keep an answer; takes body over, also on failure. What has the same key goes. */
struct coap_held *coap_transfers_hold(struct coap_transfers *t, const uint8_t key[SHA256_LEN],
	struct buf *body, struct err *e) MUST_CHECK;
struct coap_held *coap_transfers_held(struct coap_transfers *t, const uint8_t key[SHA256_LEN]);

#endif
