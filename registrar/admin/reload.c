/* SPDX-License-Identifier: Apache-2.0 */
/* Reloading when asked: looked at, noted in the journal, and then in force. */
#include "registrar/admin/reload.h"

#include <stdio.h>
#include <stdlib.h>

#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/records/records.h"

#define REASON_MAX 256

struct wish {
	struct registrar *r;
	struct call *call;
	char by[PRINCIPAL_NAME_MAX];
	char reason[REASON_MAX];
};

/* The administrator is shown all of it: the file is theirs. */
static void refuse(struct wish *w, struct err *e)
{
	if (e->kind == ERR_INPUT || e->kind == ERR_IO) {
		e->kind = ERR_INPUT;
		err_tell(e, "%s", e->text);
	}
	call_reply_err(w->call, &w->r->log, "reload-refused", e);
	free(w);
}

static void on_journaled(void *arg, const int64_t *changed, const struct err *e)
{
	struct wish *w = arg;
	struct err failed = ERR_INIT;
	struct registrar_setup *s;
	JSON_AUTO json_t *answer = NULL;

	if (e)
		failed = *e;
	if (e || !registrar_reload(w->r, &failed)) {
		refuse(w, &failed);
		return;
	}
	s = registrar_setup_take(w->r);
	answer = json_pack("{sI}", "manufacturers", (json_int_t)s->manufacturer_count);
	registrar_setup_free(s);
	admin_reply(w->call, w->r, answer);
	free(w);
}

static bool read_reason(struct wish *w, struct err *e)
{
	JSON_AUTO json_t *body = admin_body(w->call, e);
	const char *reason = NULL;

	snprintf(w->reason, sizeof(w->reason), "reloaded");
	if (!body || !json_get_string(body, "reason", &reason, e))
		return false;
	if (reason)
		snprintf(w->reason, sizeof(w->reason), "%s", reason);
	return true;
}

static bool begin(struct wish *w, struct err *e)
{
	const struct records_writer writer = {w->r->store, call_loop(w->call), on_journaled, w};
	const struct journal_entry line = {
		.at = registrar_now(w->r),
		.exchange = call_exchange(w->call),
		.actor = w->by,
		.step = "config",
		.outcome = "changed",
		.reason = w->reason,
	};
	struct registrar_setup *fresh;

	if (!read_reason(w, e))
		return false;
	fresh = registrar_setup_load(w->r->config_path, line.at, e);
	registrar_setup_free(fresh);
	return fresh && records_journal(&writer, &line, e);
}

void reload_config(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct wish *w = mem_new(sizeof(*w), &e);

	if (!w) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	w->r = r;
	w->call = c;
	snprintf(w->by, sizeof(w->by), "%s", admin_by(c));
	if (!begin(w, &e))
		refuse(w, &e);
}
