/* SPDX-License-Identifier: Apache-2.0 */
/* Whole stores from one engine to the other, all or nothing: every table as it was at one moment,
 * counted and the log's hash chain checked at the target before it counts as there. Takes little
 * memory, whatever is in the store. */
#ifndef RUN_STORE_MOVE_H
#define RUN_STORE_MOVE_H

#include <stdatomic.h>

#include "common/run/store.h"
#include "common/run/store_copy.h"

/* How far it is, a line at a time. */
typedef void store_tell_fn(void *arg, const char *line);

struct store_move {
	const struct store_schema *schema;
	store_tell_fn *tell; /* or NULL */
	void *arg;
	const atomic_bool *stop; /* set by another thread to give up; or NULL */
};

/* Copy the store at `from` to `to` (store.h: `where`), each with either engine. Nobody may be using
 * either of them; one of an older release is brought to this one's form first, as a start does.
 * `to` is new or was never used: ERR_CONFLICT otherwise. When it fails, it is new, or empty, still.
 * ERR_STORE: in use, not a store of this kind, damaged. */
bool store_move(
	const struct store_move *m, const char *from, const char *to, struct err *e) MUST_CHECK;

/* ... with lines on stdout: what --store-copy is. */
bool store_move_told(const struct store_schema *schema, const char *from, const char *to,
	struct err *e) MUST_CHECK;

/* Copy what is committed in the database of s, which is in use, into the new SQLite file `to`, as
 * store_copy() does. */
bool store_save(const struct store_move *m, struct store *s, const char *to, int64_t *octets,
	struct err *e) MUST_CHECK;

/* Fill the database `to`, which is new or was never used, from the backup at `from`, which stays as
 * it is. adopt() sees a copy of it first, as in store_restore(). */
bool store_load(const struct store_move *m, const char *from, const char *to, store_adopt_fn *adopt,
	void *arg, struct err *e) MUST_CHECK;

#endif
