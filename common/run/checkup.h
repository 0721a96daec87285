/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's look at itself as a list of {"check", "verdict", "found", "next"}, and the checks that
 * any daemon has. Nothing is changed and nothing signed. */
#ifndef RUN_CHECKUP_H
#define RUN_CHECKUP_H

#include "common/wire/json.h"

enum checkup_verdict { CHECKUP_OK, CHECKUP_WARN, CHECKUP_FAIL };

struct checkup {
	json_t *items; /* an array; the caller's */
	int64_t now;
	struct err e; /* the first thing that kept it from being told */
};

#define CHECKUP_STORE_AWAY "see whether the database's server runs and is reached from here"

/* next: what to do about it, left out when all is well. */
void checkup_note(struct checkup *c, const char *check, enum checkup_verdict v, const char *next,
	const char *fmt, ...) PRINTF(5, 6);

void checkup_time(struct checkup *c);
/* A number of octets for people and programs; negative: null, it is not known. */
json_t *checkup_octets(int64_t octets);
/* Room on the disk of the store at path, and for a copy of it. */
void checkup_space(struct checkup *c, const char *path);
/* A certificate that ends then. */
void checkup_end(struct checkup *c, const char *check, int64_t end, const char *next);
/* An address that is listened on; NULL: none, and nothing is noted. */
void checkup_port(struct checkup *c, const char *check, const char *listen);

#define CHECKUP_SPACE_MIN    ((int64_t)64 << 20) /* below it a store is about to stop */
#define CHECKUP_DAY_S	     86400
#define CHECKUP_RENEW_DAYS   30
#define CHECKUP_BACKUP_AGE_S (26 * 3600)	 /* one a day, and two hours for it */
#define CHECKUP_BACKUP_NEW_S (2 * CHECKUP_DAY_S) /* so young a process may have had one before */

#endif
