/* SPDX-License-Identifier: Apache-2.0 */
/* From the factory's identity to the site's (RFC 8995 §2.1, §5): the order of the protocol. */
#ifndef PLEDGE_JOIN_H
#define PLEDGE_JOIN_H

#include "pledge/exchange.h"

#define BRSKI_REQUEST_VOUCHER "/.well-known/brski/requestvoucher"
#define BRSKI_VOUCHER_STATUS  "/.well-known/brski/voucher_status"
#define BRSKI_ENROLL_STATUS   "/.well-known/brski/enrollstatus"

extern const struct step join_steps[];
extern const size_t join_step_count;

/* The last step, of a renewal too: a new session with the new certificate, and the success reported
 * on it (R8995-PLG-051, R-23). The device has its certificate, whatever becomes of the report; it
 * stays due until it is delivered. */
bool join_reconnect_and_report(struct exchange *x, struct err *e) MUST_CHECK;
/* The success report alone, for a device that lost power after it had stored its certificate. The
 * state says afterwards whether it was delivered. False with *e set only when it was not. */
bool join_report_success(struct pledge *p, const struct enrolment *n, const char *exchange,
	struct err *e) MUST_CHECK;

#endif
