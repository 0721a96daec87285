/* SPDX-License-Identifier: Apache-2.0 */
/* How often it was tried to log in as somebody, and from where. After ATTEMPTS_FREE failures a name
 * is locked, for longer with each further one; names that nobody has are treated alike. A fixed
 * amount of memory; safe between threads.
 *
 * A try counts as failed when it begins and is forgiven when it succeeds, so that many at once are
 * no way around. When the table is full, who failed least and longest ago makes room: to have a
 * name forgotten one would have to fail as often with each of ATTEMPTS_NAMES_MAX others. */
#ifndef REGISTRAR_ACCESS_ATTEMPTS_H
#define REGISTRAR_ACCESS_ATTEMPTS_H

#include <stdint.h>

#include "common/base/err.h"

#define ATTEMPTS_FREE	     5	      /* slips of the finger */
#define ATTEMPTS_LOCK_MS     30000    /* after the fifth; doubled with each one more, */
#define ATTEMPTS_LOCK_MAX_MS 900000   /* up to a quarter of an hour: 100 guesses a day */
#define ATTEMPTS_FORGET_MS   86400000 /* without a failure */
#define ATTEMPTS_NAMES_MAX   4096     /* 32 octets each */
#define ATTEMPTS_PER_SECOND  20	      /* of all sources, a quarter of it for one */

struct attempts;

struct attempts *attempts_new(int64_t now_ms, struct err *e) MUST_CHECK;
void attempts_free(struct attempts *a);

/* May one from this address ("192.0.2.1:40000") try now? False: ERR_TOO_MANY. */
bool attempts_from(
	struct attempts *a, const char *address, int64_t now_ms, struct err *e) MUST_CHECK;
/* Begin a try with this name. False: it is locked, ERR_TOO_MANY, and *wait_s says how long. */
bool attempts_begin(struct attempts *a, const char *name, int64_t now_ms, int64_t *wait_s,
	struct err *e) MUST_CHECK;
/* It succeeded, or an administrator says so: forget what was. */
void attempts_forgive(struct attempts *a, const char *name);

#endif
