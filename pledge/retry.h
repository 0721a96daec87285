/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a failure, and how long to wait: one table, and pure arithmetic. */
#ifndef PLEDGE_RETRY_H
#define PLEDGE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "pledge/outcome.h"

/* What ended an exchange with a registrar, or holds it up. */
enum setback {
	SETBACK_NONE,
	SETBACK_NO_ADDRESS,   /* its name has none, or nobody could be asked */
	SETBACK_UNREACHABLE,  /* connection refused, no route */
	SETBACK_SILENT,	      /* no connection in time */
	SETBACK_TLS,	      /* the handshake fails */
	SETBACK_DENIED,	      /* it does not take our certificate, or not how it signs */
	SETBACK_OTHER_SERVER, /* another certificate than before a wait */
	SETBACK_STRANGER,     /* what answers is no registrar: no TLS, a page for browsers */
	SETBACK_LOST,	      /* the connection ends, or is silent, before the answer */
	SETBACK_NOT_YET,      /* 202 */
	SETBACK_SET_ASIDE,    /* 202 of a stranger, and there are others to ask */
	SETBACK_OVERDUE,      /* 202 for longer than we wait */
	SETBACK_OVER_BUDGET,  /* 202 when the time of the whole command is over */
	SETBACK_REDIRECT,     /* a 3xx that must not, or cannot, be followed */
	SETBACK_ON_PATH,      /* 401: somebody is between us */
	SETBACK_NO_OWNER_YET, /* 401 with Retry-After of a cloud registrar */
	SETBACK_NO_OWNER,     /* 401 without */
	SETBACK_REFUSED,      /* 403 */
	SETBACK_UNWANTED,     /* 404, 406, 410: finally */
	SETBACK_FORM,	      /* another 4xx: it does not understand what we say */
	SETBACK_TOO_MANY,     /* 429 */
	SETBACK_BUSY,	      /* 5xx, 408 */
	SETBACK_VOUCHER,      /* not valid */
	SETBACK_ENROLMENT,    /* no usable certificate */
	SETBACK_LOCAL,	      /* our own disk, memory or code */
	SETBACK_COUNT
};

enum retry_next {
	RETRY_SAME,	  /* the same octets to the same server, on the same session if it lives */
	RETRY_CANDIDATE,  /* the next candidate; this one later, by its own back-off, with a new
			     request (R8995-PLG-008, -009, -031) */
	RETRY_START_OVER, /* all from the start: this one is not asked again in this attempt */
	RETRY_GIVE_UP,	  /* another registrar would not help */
};

/* How far its Retry-After is obeyed. */
enum retry_asking {
	ASKING_IGNORED,
	ASKING_CAPPED, /* up to retry_after_max: the device is to join in this hour */
	ASKING_LONG,   /* up to six hours: somebody has to claim the device before */
};

struct retry_rule {
	const char *what; /* as in the manual page */
	enum retry_next next;
	enum retry_asking asking;
	int64_t longest_s; /* its back-off grows no longer than that */
	enum outcome outcome;
	const char *clause;
};

/* The row of the table. */
const struct retry_rule *retry_rule(enum setback s);
/* The longest Retry-After that counts for it, in seconds; 0: none does. */
int64_t retry_asked_max_s(const struct retry_rule *rule, int64_t retry_after_max_s);
/* What a status means that is not the wanted one; of_cloud: from a cloud registrar. */
enum setback retry_setback_of_status(int status, bool of_cloud, bool retry_after);

/* Pause before this candidate is asked again after its `failures`-th failure in a row (1 for the
 * first): full jitter, drawn evenly from nothing to min_s doubled per failure and capped at max_s
 * and at what the rule says, but no less than BACKOFF_FLOOR_MS. What it asked for, asked_s, comes
 * before the jitter and is the least of its range: those who were sent away together do not come
 * back together. `draw` gives a number below its argument (rng_below). RFC 8995 §4.1;
 * R8995-PLG-008. */
int64_t retry_pause_ms(const struct retry_rule *rule, unsigned failures, int64_t asked_s,
	int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below));

/* The range alone: pause after round `round` (0 for the first). */
int64_t retry_backoff_ms(
	unsigned round, int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below));

/* Pause after a 202 that asks for asked_s: no less, and up to a tenth more, so that a fleet that
 * waits for one decision does not ask in step. */
int64_t retry_wait_ms(int64_t asked_s, uint32_t (*draw)(uint32_t below));

/* Seconds a Retry-After asks for: either form, absent or garbage counts as 60, capped at max_s, at
 * least 1 (RFC 8995 §5.6; R8995-PLG-028). value and date are "" when the header is absent. A date
 * counts from the server's own Date where it sends one: our clock may never have been set. */
int64_t retry_after_s(const char *value, const char *date, int64_t now_unix_s, int64_t max_s);

#endif
