/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar does before its store is copied: who asked for it is noted in the journal, and
 * the journal signed. */
#include "registrar/backup.h"

#include "registrar/admin/guard.h"
#include "registrar/records/records.h"
#include "registrar/seal.h"

static void on_sealed(void *arg, const struct hash_chain_head *head, const struct err *e)
{
	struct registrar *r = arg;

	backup_prepared(r->backup, e);
}

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;
	struct err failed = ERR_INIT;

	if (e)
		backup_prepared(r->backup, e);
	else if (!seal_now(r->seal, on_sealed, r, &failed))
		backup_prepared(r->backup, &failed);
}

static bool prepare(void *app, struct backup *b, const char *exchange, const char *by,
	const char *path, struct err *e)
{
	struct registrar *r = app;
	const struct records_writer w = {r->store, r->workers[0].loop, on_journaled, r};
	const struct journal_entry line = {
		.at = registrar_now(r),
		.exchange = exchange,
		.actor = by,
		.step = "backup",
		.outcome = "begun",
		.reason = path,
	};

	return records_journal(&w, &line, e);
}

void backup_show(struct call *c, void *registrar)
{
	const struct registrar *r = registrar;

	backup_tell(r->backup, c);
}

void backup_begin(struct call *c, void *registrar)
{
	const struct registrar *r = registrar;

	backup_want(r->backup, c, admin_by(c));
}

static int64_t now(void *app)
{
	return registrar_now(app);
}

static void work_begin(void *app)
{
	registrar_work_begin(app);
}

static void work_end(void *app)
{
	registrar_work_end(app);
}

bool backup_start(struct registrar *r, struct err *e)
{
	const struct backup_daemon d = {
		.log = &r->log,
		.loop = r->workers[0].loop,
		.store_path = r->setup->config.store,
		.store = r->store,
		.schema = &records_schema,
		.app = r,
		.now = now,
		.work_begin = work_begin,
		.work_end = work_end,
		.prepare = prepare,
	};

	r->backup = backup_new(&d, e);
	return r->backup != NULL;
}
