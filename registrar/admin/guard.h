/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the administrator's side: who asks, and may they? Asked before a body is read. A
 * route says in `need` which enum permission it takes, and in `everywhere` whether without bounds;
 * one that says nothing is refused to everybody. Refusals are audited: step session, outcome
 * denied. */
#ifndef REGISTRAR_ADMIN_GUARD_H
#define REGISTRAR_ADMIN_GUARD_H

#include "common/net/http_server.h"
#include "registrar/access/principal.h"

struct registrar;

/* An http_guard; app is the struct registrar. */
bool admin_guard(
	struct call *c, const struct http_route *route, void *app, struct http_refusal *no);

/* Who waited may be somebody else by now, or nobody: found out anew. On the call's loop. */
bool admin_ask_again(struct registrar *r, struct call *c, struct err *e) MUST_CHECK;

/* Who asks; NULL only on a route that is open to all. Lives as long as the call. */
const struct principal *admin_who(const struct call *c);
/* Their name, as journal and log have it. */
const char *admin_by(const struct call *c);

#endif
