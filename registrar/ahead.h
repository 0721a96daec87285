/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers without a nonce, fetched before their devices ask (RFC 8995 §5.5.1, §7.2): stored,
 * renewed before they end, and given to their devices while the MASA cannot be reached, where
 * [masa] stored_vouchers lets that be. */
#ifndef REGISTRAR_AHEAD_H
#define REGISTRAR_AHEAD_H

#include "registrar/onboard.h"
#include "registrar/registrar.h"

#define AHEAD_MAX     50000 /* about 6 kB each */
#define AHEAD_AT_ONCE 8	    /* requests to MASAs at one time, for one job or for renewals */

struct ahead_wish { /* borrowed for the call */
	struct registrar_setup *setup;
	const struct manufacturer *manufacturer; /* of setup */
	const char *serial, *by, *exchange;
	const char *masa; /* its URL; NULL: what is configured */
	bool constrained; /* a voucher in COSE, for a device on CoAP */
	bool again;	  /* it is a renewal */
};
typedef void ahead_done(void *arg, const struct err *e);
/* Ask the MASA, vet the voucher, store it: done is called on l's thread when it is durable, or with
 * why not. ERR_RETRY_LATER: the MASA cannot be reached now. */
bool ahead_fetch(struct registrar *r, struct loop *l, const struct ahead_wish *w, ahead_done *done,
	void *arg, struct err *e) MUST_CHECK;
/* The media type of such a voucher. */
const char *ahead_type(bool constrained);

/* The MASA cannot be reached: take the voucher that was fetched for this device, if policy lets it,
 * and it is good now: for this device, not over, and pinning our domain as it is. */
bool ahead_use(struct onboard *o);

/* Renewals, and histories of devices that used one: on the first worker's loop, by the registrar
 * that leads. */
struct ahead;
bool ahead_start(struct registrar *r, struct err *e) MUST_CHECK;
void ahead_end(struct registrar *r);

#endif
