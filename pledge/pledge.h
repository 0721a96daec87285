/* SPDX-License-Identifier: Apache-2.0 */
/* The device: what it was built with, what it keeps, and the world it lives in. Made in main.c and
 * passed down; nothing else in this program has state. */
#ifndef PLEDGE_PLEDGE_H
#define PLEDGE_PLEDGE_H

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pki/chain.h"
#include "common/pki/identity.h"
#include "pledge/candidates.h"
#include "pledge/config.h"
#include "pledge/limits.h"
#include "pledge/state.h"

struct pledge {
	struct pledge_config config;
	struct uri registrars[REGISTRARS_MAX]; /* from config.urls */
	size_t registrar_count;
	bool discovers; /* others are looked for on the link */
	struct candidates candidates;
	struct discover *discover; /* listens; NULL: not yet, or never */
	bool has_cloud;
	struct candidate
		cloud; /* the manufacturer's, with its path; asked when all others failed */
	struct identity idevid;
	char *serial_number; /* of the IDevID */
	struct anchors *masa_anchors;
	struct state *state;
	struct clock clock;
	struct log log;
	FILE *out; /* one line per step, for a technician */
	/* Let time pass; tests put a clock here that jumps. */
	void (*pause)(void *arg, int64_t ms);
	void *pause_arg;
	int64_t ahead_ms;   /* of pauses that were shorter than said */
	int64_t give_up_ms; /* when [retry] budget is spent, of the clock that never jumps; 0: never
			     */
};

/* Load what the configuration names and open the state. *p is zeroed but for log, clock, out and
 * pause. Whatever the result, pledge_clear() frees it. ERR_INPUT, ERR_IO, ERR_CONFLICT. */
bool pledge_init(struct pledge *p, const char *config_path, struct err *e) MUST_CHECK;
/* This registrar only, whatever the configuration names. ERR_INPUT. */
bool pledge_set_registrar(struct pledge *p, const char *url, struct err *e) MUST_CHECK;
void pledge_clear(struct pledge *p);
/* The configuration alone: no key is read and no lock taken. */
bool pledge_init_config(struct pledge *p, const char *config_path, struct err *e) MUST_CHECK;

/* The moment to judge certificates and vouchers at: CHAIN_NO_TIME without a trusted clock. */
int64_t pledge_judging_time(const struct pledge *p);

/* Let so much time pass. */
void pledge_pause(struct pledge *p, int64_t ms);
/* Of a clock that nobody sets: milliseconds. A pause that a test cut short has passed in full. */
int64_t pledge_now_ms(const struct pledge *p);

/* From now on [retry] budget counts. */
void pledge_begin_budget(struct pledge *p);
/* What is left of it; INT64_MAX where there is none. */
int64_t pledge_time_left_ms(const struct pledge *p);

/* One line on p->out, flushed, without control characters: some of the words are a stranger's. What
 * it says has happened is durable when it appears. */
void pledge_say(const struct pledge *p, const char *fmt, ...) PRINTF(2, 3);

#endif
