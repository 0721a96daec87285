/* SPDX-License-Identifier: Apache-2.0 */
/* What the protocol says differently over the two carriers: CMS, JSON and base64 over HTTPS
 * (RFC 8995, RFC 7030); COSE, CBOR and DER over CoAPS (RFC 9148,
 * draft-ietf-anima-constrained-voucher §6). The steps are the same. */
#ifndef PLEDGE_DIALECT_H
#define PLEDGE_DIALECT_H

#include "common/message/status_report.h"
#include "common/net/session.h"

struct dialect {
	const char *voucher; /* media type of the request and of its answer */
	const struct status_report_format *telemetry;
	/* Accept: the best first, the next one after a 406; ended by NULL. */
	const char *const *cacerts, *const *certificate;
	bool base64;	      /* how EST wraps its bodies */
	bool cacerts_first;   /* before the certificate; else after it, and only if it takes them
				 (N-02, N-03, C-36) */
	bool reports_renewal; /* telemetry after a renewal, too (C-36) */
};

const struct dialect *dialect_of(const struct session *s);

#endif
