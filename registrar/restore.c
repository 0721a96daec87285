/* SPDX-License-Identifier: Apache-2.0 */
/* Restoring: see restore.h. The copy is opened, brought to this release's form and given a line in
 * its journal before it takes the place. */
#include "registrar/restore.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/run/store_copy.h"
#include "common/run/store_move.h"
#include "registrar/config.h"
#include "registrar/records/records.h"

#define ACTOR_MAX 32

static bool adopt(void *from, const char *path, struct err *e)
{
	char actor[ACTOR_MAX];
	const struct clock clock = {0};
	const struct journal_entry line = {
		.at = clock_unix_s(&clock),
		.actor = actor,
		.step = "restore",
		.outcome = "restored",
		.reason = from,
	};
	struct store *s = store_open(path, &records_schema, e);
	bool ok;

	if (!s)
		return err_prefix(e, "%s", (const char *)from);
	snprintf(actor, sizeof(actor), "uid=%u", (unsigned)getuid());
	ok = records_journal_wait(s, &line, e);
	store_close(s);
	return ok;
}

static bool replace(const struct registrar_config *c, const char *from, struct err *e)
{
	const struct store_move m = {.schema = &records_schema};
	FREE_AUTO char *kept = NULL;

	if (store_is_remote(c->store)) {
		if (!store_load(&m, from, c->store, adopt, (void *)(uintptr_t)from, e))
			return false;
		printf("restored the database from %s\n", from);
		return true;
	}
	if (!store_restore(from, c->store, adopt, (void *)(uintptr_t)from, &kept, e))
		return false;
	printf("restored %s from %s\n", c->store, from);
	if (kept)
		printf("what was there is %s\n", kept);
	return true;
}

bool restore(const char *config_path, const char *from, struct err *e)
{
	struct registrar_config config;
	bool ok = registrar_config_load(&config, config_path, e) && replace(&config, from, e);

	registrar_config_clear(&config);
	return ok;
}
