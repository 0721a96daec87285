/* SPDX-License-Identifier: Apache-2.0 */
/* Registrar after registrar, round after round, with longer and longer pauses (RFC 8995 §4.1). */
#ifndef PLEDGE_ROUNDS_H
#define PLEDGE_ROUNDS_H

#include "pledge/exchange.h"

struct rounds {
	struct pledge *pledge;
	const struct step *steps;
	size_t step_count;
	/* Fill in what a run begins with; may be NULL. */
	bool (*prepare)(struct exchange *x, void *arg, struct err *e);
	void *arg;
	int64_t attempts; /* 0: for ever */
};

/* Until one registrar is done with, `attempts` rounds have failed, or the fault is our own. *e says
 * why, for the outcome returned. */
enum outcome rounds_run(const struct rounds *r, struct err *e);

#endif
