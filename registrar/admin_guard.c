/* SPDX-License-Identifier: Apache-2.0 */
/* Deny by default: without a principal nothing is open but what says so, and a principal may what
 * its roles permit, somewhere at all; about the very object a handler asks again. */
#include "registrar/admin_guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "registrar/admin_web.h"
#include "registrar/authenticate_admin.h"
#include "registrar/records.h"
#include "registrar/registrar.h"

#define DENIED_PER_MINUTE 20 /* lines in the journal: who knocks for days must not fill it */

static void drop_principal(void *p)
{
	principal_clear(p);
	free(p);
}

/* Hang who asks on the call. */
static bool identify(struct registrar *r, struct call *c, struct err *e)
{
	struct principal *p = mem_new(sizeof(*p), e);

	if (!p)
		return false;
	call_attach(c, p, drop_principal);
	return admin_authenticate(r, c, p, e);
}

const struct principal *admin_who(const struct call *c)
{
	const struct principal *p = call_attached(c);

	return p && p->name[0] ? p : NULL;
}

const char *admin_by(const struct call *c)
{
	const struct principal *p = admin_who(c);

	return p ? p->name : "nobody";
}

/* ---- Denials ---- */

static bool has_room(struct registrar *r, int64_t now)
{
	int64_t old = atomic_load(&r->denied), next;

	do {
		if (old >> 16 != now / 60)
			next = now / 60 << 16 | 1;
		else if ((old & 0xffff) >= DENIED_PER_MINUTE)
			return false;
		else
			next = old + 1;
	} while (!atomic_compare_exchange_weak(&r->denied, &old, next));
	return true;
}

static void on_noted(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "admin-failed", NULL, e);
}

static void audit(struct registrar *r, const struct call *c, const char *code)
{
	const struct records_writer w = {r->store, call_loop(c), on_noted, r};
	const int64_t now = registrar_now(r);
	const struct principal *p = admin_who(c);
	char what[JOURNAL_REASON_MAX + 1];
	const struct journal_entry j = {
		.at = now,
		.exchange = call_exchange(c),
		.actor = p ? p->name : NULL,
		.step = "session",
		.outcome = "denied",
		.reason = what,
	};
	struct err e = ERR_INIT;

	snprintf(what, sizeof(what), "%s from %s: %s %s", code, call_peer(c)->address,
		call_method(c), call_path(c));
	text_make_utf8(what, '?');
	log_event(&r->log, LOG_LEVEL_WARNING, "admin-denied", call_exchange(c), "by", admin_by(c),
		"reason", what, NULL);
	if (has_room(r, now) && !records_journal(&w, &j, &e))
		on_noted(r, NULL, &e);
}

static bool deny(struct call *c, struct registrar *r, const struct err *e, struct http_refusal *no)
{
	if (e->kind == ERR_LOGIN)
		call_set_header(c, "WWW-Authenticate", "Bearer realm=\"registrar\"");
	*no = http_refusal_of(e);
	if (no->status < 500)
		audit(r, c, no->code);
	else
		log_err(&r->log, "admin-failed", call_exchange(c), e);
	return false;
}

bool admin_guard(struct call *c, const struct http_route *route, void *app, struct http_refusal *no)
{
	const enum permission need = (enum permission)route->need;
	struct registrar *r = app;
	struct err e = ERR_INIT;
	bool known = identify(r, c, &e);

	admin_web_set_headers(c);
	if (need == MAY_ENTER)
		return true;
	if (!known)
		return deny(c, r, &e, no);
	if (principal_may(admin_who(c), need, NULL, NULL, registrar_now(r)))
		return true;
	err_set(&e, ERR_NOT_ALLOWED, "no role that permits it");
	return deny(c, r, &e, no);
}
