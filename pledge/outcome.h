/* SPDX-License-Identifier: Apache-2.0 */
/* How an exchange with one registrar ended, and what that means for the round, for the exit code
 * and for the technician who stands in front of the device. */
#ifndef PLEDGE_OUTCOME_H
#define PLEDGE_OUTCOME_H

#include "common/base/err.h"

enum outcome {
	OUTCOME_NONE, /* nothing decided yet */
	OUTCOME_DONE,
	OUTCOME_UNREACHABLE, /* no TLS connection */
	OUTCOME_STRANGER,    /* what answers there is no registrar */
	OUTCOME_BUSY,	     /* 5xx, 429, connection lost: the same request may succeed later */
	OUTCOME_REFUSED,     /* 4xx: this registrar does not want us */
	OUTCOME_PENDING,     /* said "not yet" for longer than we wait */
	OUTCOME_VOUCHER,     /* voucher not valid, or the registrar is not the one it names */
	OUTCOME_FAILED,	     /* no usable certificate */
	OUTCOME_LOCAL,	     /* our own disk, memory or code: another registrar would not help */
	OUTCOME_COUNT
};

int outcome_exit_code(enum outcome o);
/* What to do next; one sentence. */
const char *outcome_advice(enum outcome o);
/* Of two registrars' outcomes, the one that tells more about why the round failed. */
enum outcome outcome_worse(enum outcome a, enum outcome b);
/* OUTCOME_LOCAL for errors of our own, else `otherwise`. */
enum outcome outcome_of(const struct err *e, enum outcome otherwise);

#endif
