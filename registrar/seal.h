/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's head is signed with the registrar's key: every minute when there is something new,
 * when an administrator asks, and at the end of the process. Who changes a line afterwards would
 * have to sign again. */
#ifndef REGISTRAR_SEAL_H
#define REGISTRAR_SEAL_H

#include "registrar/records.h"
#include "registrar/registrar.h"

#define SEAL_LOG "registrar" /* the log's name in what is signed */

/* head: the one that is durable now; sequence 0 when the journal is empty. NULL: e says why not. */
typedef void seal_done(void *arg, const struct hash_chain_head *head, const struct err *e);
/* Sign what the journal has come to. On the loop of the first worker, where done is called, perhaps
 * at once: nothing was new. False: done will not be called. ERR_STORE: what was signed in this
 * process is no longer there, and to sign on would hide that. */
bool seal_now(struct registrar *r, seal_done *done, void *arg, struct err *e) MUST_CHECK;

/* See whether the journal is what its last head says: what is wrong goes into the log for a person
 * to see, and the registrar serves on. Then sign every minute. */
bool seal_start(struct registrar *r, struct err *e) MUST_CHECK;
/* Is the journal what its last head says? ERR_STORE: it is not. *signed_at: when that was signed, 0
 * when none was yet, which is fine for the first minutes of a new journal. */
bool seal_holds(struct registrar *r, int64_t *signed_at, struct err *e) MUST_CHECK;
/* Sign once more, when the loops have stopped. */
void seal_end(struct registrar *r);

#endif
