/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that computes password hashes for the loops, one after the other, with a short queue:
 * who floods the log-in waits for others of the kind, and devices notice nothing. */
#ifndef REGISTRAR_ACCESS_HASHER_H
#define REGISTRAR_ACCESS_HASHER_H

#include "common/net/loop.h"
#include "registrar/access/password.h"

#define HASHER_QUEUE_MAX 16 /* two and a half seconds of work: beyond, come again later */

struct hasher;

struct hasher *hasher_new(struct err *e) MUST_CHECK;
/* When the loops have stopped: what waits is dropped. NULL is fine. */
void hasher_free(struct hasher *h);

/* Is `password` the one behind `hash`? hash NULL: a hash of nobody is tried in its place, in the
 * same time, and the answer is no. password NULL: nothing is tried, and the answer is yes. If so,
 * `fresh` is hashed, unless it is NULL. */
struct hash_question {
	const char *hash, *password, *fresh; /* copied */
};
/* right: as above. hash: that of `fresh`, or "". e: why there is no answer, or NULL. */
typedef void hasher_done(void *arg, bool right, const char *hash, const struct err *e);
/* done is called once on l's thread, which owns arg then. False: not queued; ERR_RETRY_LATER: too
 * many wait. arg is malloc'd: freed here when it comes to no answer at the end of the process. */
bool hasher_ask(struct hasher *h, const struct hash_question *q, struct loop *l, hasher_done *done,
	void *arg, struct err *e) MUST_CHECK;

#endif
