/* SPDX-License-Identifier: Apache-2.0 */
/* Where a test's store is: a file in its folder, or, with BRSKI_TEST_POSTGRES (a URI of a server
 * where schemas may be made), a new schema of that server. scripts/run-tests runs the programs that
 * have this in them a second time with it. */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <stdbool.h>

#include "tests/unit/store_server.h"

static inline const char *store_server(void)
{
	return getenv("BRSKI_TEST_POSTGRES");
}

static inline bool store_is_on_a_server(void)
{
	return store_server() != NULL;
}

/* The place of a new store: dir/name.db, or a schema that is named so. */
static inline void store_place(const char *dir, const char *name, char where[STORE_PLACE_MAX])
{
	char file[STORE_PLACE_MAX];

	snprintf(file, sizeof(file), "%s/%s.db", dir, name);
	if (store_is_on_a_server())
		store_place_on(store_server(), file, where);
	else
		snprintf(where, STORE_PLACE_MAX, "%s", file);
}

#endif
