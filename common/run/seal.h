/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a log that is a hash chain (pki/hash_chain.h) is signed with the daemon's key: every
 * minute when there is something new, when an administrator asks, and at the end of the process.
 * Who changes a line afterwards would have to sign again. All but seal_holds() on one loop. */
#ifndef RUN_SEAL_H
#define RUN_SEAL_H

#include "common/base/log.h"
#include "common/pki/hash_chain.h"
#include "common/run/store.h"
#include "common/wire/json.h"

#define SEAL_MS 60000 /* between two signatures: what the end of a log can lose */

struct seal;

/* The SQL a daemon has for it, by the numbers of its schema. A line is (id, hash), a head
 * (sequence, at, hash, signature, certificates). */
struct seal_statements {
	int line; /* $1: id */
	int last_line;
	int last_head;
	int add_head; /* $1…$5, of a line that is there with this very hash, else nothing */
};

typedef bool seal_sign_fn(void *arg, const struct identity *signer, struct err *e);

/* What it asks of the daemon it is part of. */
struct seal_daemon {
	const char *name; /* of the log, in what is signed: "registrar" */
	const struct log *log;
	struct store *store;
	struct loop *loop;
	struct seal_statements sql;
	void *app;
	int64_t (*now)(void *app);
	/* fn(arg) with the identity that signs now. */
	bool (*lend)(void *app, seal_sign_fn *fn, void *arg, struct err *e);
	/* A drain has to wait from here to there. NULL: it does not. */
	void (*work_begin)(void *app);
	void (*work_end)(void *app);
};

/* See whether the log is what its last head says: what is wrong goes into the daemon's log for a
 * person to see, and it serves on. Then sign every minute. */
struct seal *seal_new(const struct seal_daemon *d, struct err *e) MUST_CHECK;
/* Sign once more, when the loops have stopped; NULL is fine. */
void seal_free(struct seal *s);

/* head: the one that is durable now; sequence 0 when the log is empty. NULL: e says why not. */
typedef void seal_done(void *arg, const struct hash_chain_head *head, const struct err *e);
/* Sign what the log has come to. done is called on the loop, perhaps at once: nothing was new.
 * False: done will not be called. ERR_STORE: what was signed in this process is no longer there,
 * and to sign on would hide that. */
bool seal_now(struct seal *s, seal_done *done, void *arg, struct err *e) MUST_CHECK;
/* Is the log what its last head says? ERR_STORE: it is not. *signed_at: when that was signed, 0
 * when none was yet, which is fine for the first minutes of a new one. Any thread. */
bool seal_holds(struct seal *s, int64_t *signed_at, struct err *e) MUST_CHECK;

/* A signed head as it is told: {"head": NAME, "sequence", "time", "hash", "signature",
 * "certificates"}. NULL: no memory. */
json_t *seal_head_object(
	const struct hash_chain_head *h, struct bytes signature, const char *certificates);
/* A hash in hexadecimal; NULL is null. */
json_t *seal_hash_object(const uint8_t *hash);

#endif
