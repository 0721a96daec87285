/* SPDX-License-Identifier: Apache-2.0 */
/* Whole stores as files: a copy of one that is in use, and a copy put in the place of one that is
 * not. */
#ifndef RUN_STORE_COPY_H
#define RUN_STORE_COPY_H

#include <stdatomic.h>

#include "common/run/store.h"

/* Copy what is committed in the store at `from` at one moment into the new file `to`, mode 0600: it
 * is there in full and durable, or not at all. Who writes to the store is not held up. Takes as
 * long as reading and writing all of it.
 * stop    set by another thread to give up; may be NULL
 * octets  out: the copy's size
 * ERR_CONFLICT: `to` exists. ERR_STORE: no store, a damaged one, no room. ERR_RETRY_LATER: stopped.
 */
bool store_copy(const char *from, const char *to, const atomic_bool *stop, int64_t *octets,
	struct err *e) MUST_CHECK;

/* Is the SQLite file at path undamaged? ERR_STORE says what is not. */
bool store_check_whole(const char *path, struct err *e) MUST_CHECK;

/* Look at a copy that is about to take a place, e.g. open it as a store; false: it must not. */
typedef bool store_adopt_fn(void *arg, const char *path, struct err *e);

/* Put a copy of the store at `from` in the place of the one at `path`, which nobody may be using:
 * its instance lock is taken. What was there is kept beside it; *kept: its name, the caller's, NULL
 * when nothing was there. When it fails, what was there is still in its place.
 * ERR_STORE: the lock is taken, `from` is no store or damaged, or adopt() said no. */
bool store_restore(const char *from, const char *path, store_adopt_fn *adopt, void *arg,
	char **kept, struct err *e) MUST_CHECK;

#endif
