/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar voucher-request: what we sign to ask the MASA (RFC 8995 §5.5). No I/O. */
#ifndef REGISTRAR_ENDORSE_H
#define REGISTRAR_ENDORSE_H

#include "common/message/voucher_format.h"

struct endorsement {			      /* all borrowed */
	const struct voucher_format *format;  /* that of the pledge's request */
	const struct voucher *pledge_request; /* verified; NULL: the device has not asked yet */
	struct bytes pledge_octets;	      /* as received */
	const struct cert *idevid;	      /* authenticated; NULL without a request: then */
	struct bytes idevid_issuer;	      /* ... as configured; len 0: not known */
	const char *serial;		      /* out of idevid */
	const struct identity *registrar;
	const struct cert_list *presented; /* by the pledge, to go along; NULL: they do not */
	int64_t now;
};

/* Append the signed registrar voucher-request. */
bool endorse(const struct endorsement *w, struct buf *out, struct err *e) MUST_CHECK;

#endif
