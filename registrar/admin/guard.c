/* SPDX-License-Identifier: Apache-2.0 */
/* Deny by default: without a principal nothing is open but what says so, and a principal may what
 * its roles permit, somewhere at all; about the very object a handler asks again. */
#include "registrar/admin/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/admin/web.h"
#include "registrar/admin/scope.h"
#include "registrar/access/authenticate.h"
#include "registrar/access/denials.h"

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

bool admin_ask_again(struct registrar *r, struct call *c, struct err *e)
{
	if (!identify(r, c, e)) {
		if (e->kind == ERR_LOGIN)
			admin_denied(r, c, err_code_of(e), NULL);
		return false;
	}
	if (principal_may(admin_who(c), MAY_VIEW, NULL, NULL, registrar_now(r)))
		return true;
	err_set(e, ERR_NOT_ALLOWED, "no role that permits it any more");
	admin_denied(r, c, err_code_of(e), NULL);
	return false;
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

/* ---- Refusals ---- */

static bool deny(struct call *c, struct registrar *r, const struct err *e, struct http_refusal *no)
{
	if (e->kind == ERR_LOGIN)
		call_set_header(c, "WWW-Authenticate", "Bearer realm=\"registrar\"");
	*no = http_refusal_of(e);
	if (strcmp(no->code, CODE_CSRF) == 0)
		no->sentence = CSRF_SENTENCE;
	if (no->status < 500)
		admin_denied(r, c, no->code, NULL);
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
	if (known)
		call_sender_is_known(c);
	if (need == MAY_ENTER)
		return true;
	if (!known)
		return deny(c, r, &e, no);
	if (!principal_may(admin_who(c), need, NULL, NULL, registrar_now(r))) {
		err_set(&e, ERR_NOT_ALLOWED, "no role that permits it");
		return deny(c, r, &e, no);
	}
	if (!route->everywhere || admin_may_everywhere(c, need, &e))
		return true;
	deny(c, r, &e, no);
	no->sentence = EVERYWHERE_SENTENCE;
	return false;
}
