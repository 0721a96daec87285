/* SPDX-License-Identifier: Apache-2.0 */
/* An error as programs read it: application/problem+json (RFC 9457). */
#ifndef WIRE_PROBLEM_H
#define WIRE_PROBLEM_H

#include "common/base/buf.h"

#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_MAX  2048 /* a sentence of 600 octets, each escaped, and the names around it */

struct problem {
	const char *title; /* of the status */
	int status;
	const char *detail;   /* a sentence for people */
	const char *code;     /* a constant for programs */
	const char *exchange; /* where the log tells more; "" or NULL: nowhere */
};

/* Append it; its type is "about:blank", as `code` says more than a URI that leads nowhere. */
bool problem_format(const struct problem *p, struct buf *out, struct err *e) MUST_CHECK;

#endif
