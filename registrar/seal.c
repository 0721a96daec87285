/* SPDX-License-Identifier: Apache-2.0 */
/* What the seal of the journal asks of a registrar. */
#include "registrar/seal.h"

#include "registrar/records/sql.h"

static int64_t now(void *app)
{
	return registrar_now(app);
}

static bool lend(void *app, seal_sign_fn *fn, void *arg, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(app);
	bool ok = fn(arg, &s->face->identity, e);

	registrar_setup_free(s);
	return ok;
}

static void work_begin(void *app)
{
	registrar_work_begin(app);
}

static void work_end(void *app)
{
	registrar_work_end(app);
}

bool seal_start(struct registrar *r, struct err *e)
{
	const struct seal_daemon d = {
		.name = SEAL_LOG,
		.log = &r->log,
		.store = r->store,
		.loop = r->workers[0].loop,
		.sql = {JOURNAL_LINE, JOURNAL_LAST, LAST_HEAD, ADD_HEAD},
		.app = r,
		.now = now,
		.lend = lend,
		.work_begin = work_begin,
		.work_end = work_end,
	};

	r->seal = seal_new(&d, e);
	return r->seal != NULL;
}
