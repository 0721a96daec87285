/* SPDX-License-Identifier: Apache-2.0 */
/* One process at a time has a store: a lock on the file PATH.lock, which dies with its holder,
 * whatever end it met. */
#ifndef RUN_STORE_LOCK_H
#define RUN_STORE_LOCK_H

#include "common/base/err.h"

/* The descriptor that holds the lock until it is closed; -1 with ERR_STORE: somebody else has it,
 * who is named. */
int store_lock(const char *path, struct err *e) MUST_CHECK;

#endif
