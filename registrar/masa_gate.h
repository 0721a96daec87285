/* SPDX-License-Identifier: Apache-2.0 */
/* A circuit breaker for each MASA, by host and port. After some failures in a row nothing is asked
 * of it for a pause, and who would ask is told at once how long that is; then one request goes as a
 * probe, and what becomes of it opens the way or begins another pause, twice as long. So a MASA
 * that hangs costs the devices that wait for it neither a thread, a connection nor memory of ours.
 * A failure is no answer that could be trusted, or an answer of 500 and above. Any thread. */
#ifndef REGISTRAR_MASA_GATE_H
#define REGISTRAR_MASA_GATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define MASA_GATES_MAX 128 /* addresses of MASAs at once: two for each manufacturer of a site */

struct masa_gates;

struct masa_gates *masa_gates_new(struct err *e) MUST_CHECK;
void masa_gates_free(struct masa_gates *g);

enum masa_gate_state {
	MASA_GATE_CLOSED, /* all is well: as of electric circuits */
	MASA_GATE_OPEN,	  /* nothing is asked */
	MASA_GATE_PROBING,
};
const char *masa_gate_state_name(enum masa_gate_state s);

struct masa_pass { /* a request that is under way */
	char name[300];
	uint64_t turn;
	bool probe;
};
/* May it be asked now? False: not before *wait_ms. */
bool masa_gate_enter(struct masa_gates *g, const char *name, int64_t now_ms, struct masa_pass *pass,
	int64_t *wait_ms);

struct masa_gate_limits {
	int64_t failures; /* in a row, that begin a pause */
	int64_t pause_ms; /* the longest; the first is MASA_PAUSE_MS, if that is not longer */
};
enum masa_outcome { MASA_ANSWERED, MASA_FAILED, MASA_NOT_TRIED /* for a reason of ours */ };
/* What became of it. True when the state changed: *now_is says to what. */
bool masa_gate_leave(struct masa_gates *g, const struct masa_pass *pass, enum masa_outcome outcome,
	const struct masa_gate_limits *limits, int64_t now_ms, enum masa_gate_state *now_is);

/* Would a request be let through? */
bool masa_gate_passes(struct masa_gates *g, const char *name, int64_t now_ms);

struct masa_gate_sight {
	const char *name;
	enum masa_gate_state state;
	unsigned failures; /* in a row */
	int64_t wait_ms;   /* MASA_GATE_OPEN: what is left of the pause */
};
/* Each that was asked, under the lock: fn is quick. */
void masa_gates_each(struct masa_gates *g, int64_t now_ms,
	void (*fn)(void *arg, const struct masa_gate_sight *s), void *arg);
size_t masa_gates_open(struct masa_gates *g); /* how many are not closed */

#endif
