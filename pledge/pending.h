/* SPDX-License-Identifier: Apache-2.0 */
/* The voucher-request a registrar has answered with "not yet" (202), as the device keeps it. */
#ifndef PLEDGE_PENDING_H
#define PLEDGE_PENDING_H

#include "common/message/voucher.h"
#include "pledge/limits.h"

struct pending {
	char registrar[STATE_URL_MAX]; /* as configured */
	char server[STATE_URL_MAX];    /* as asked, after a redirect, with the path */
	char nonce[VOUCHER_NONCE_MAX * 2];
	struct buf request;	/* octets to send again */
	struct buf server_cert; /* DER; whoever shows another one does not get them */
	int64_t waited_s;	/* how long it has been answered so, pauses added up */
};
void pending_init(struct pending *p);
void pending_clear(struct pending *p);
#define PENDING_AUTO __attribute__((cleanup(pending_clear)))

/* As a text with the digest of all of it as its last line: what is not whole is none. False without
 * an error: so it is. */
bool pending_parse(const struct buf *text, struct pending *out, struct err *e) MUST_CHECK;
bool pending_format(const struct pending *p, struct buf *text, struct err *e) MUST_CHECK;

#endif
