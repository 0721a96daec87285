/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that open SQLite databases share. */
#ifndef RUN_STORE_SQLITE_H
#define RUN_STORE_SQLITE_H

#include "common/base/err.h"

struct sqlite3;

/* Let SQL on this connection call chain_hash() (store.h). */
bool store_sqlite_functions(struct sqlite3 *db, struct err *e) MUST_CHECK;

#endif
