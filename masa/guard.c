/* SPDX-License-Identifier: Apache-2.0 */
/* Deny by default: see guard.h. */
#include "masa/guard.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "masa/masa.h"

#define BEARER	   "Bearer "
#define READS_ONLY "This token may only read."

/* Hang who asks on the call: the setup with the token may be replaced meanwhile. */
static bool attach(struct call *c, const struct masa_token *t, struct err *e)
{
	char *by = str_printf(e, "token:%s", t->name);

	if (by)
		call_attach(c, by, free);
	return by != NULL;
}

static bool identify(
	struct masa *m, const struct masa_setup *s, struct call *c, bool *changes, struct err *e)
{
	const char *field = call_header(c, "Authorization");
	const struct masa_token *t;

	if (!field || strncasecmp(field, BEARER, strlen(BEARER)) != 0)
		return err_set(e, ERR_LOGIN, "no token");
	t = masa_tokens_find(s->tokens, field + strlen(BEARER), masa_now(m), e);
	if (!t || !attach(c, t, e))
		return false;
	if (t->lookup)
		return err_set(e, ERR_NOT_ALLOWED, "a token for lookups only");
	*changes = t->changes;
	return true;
}

/* The log bounds warnings with a peer by itself. */
static bool deny(struct call *c, const struct masa *m, const struct err *e, struct http_refusal *no)
{
	*no = http_refusal_of(e);
	if (e->kind == ERR_LOGIN)
		call_set_header(c, "WWW-Authenticate", "Bearer realm=\"masa\"");
	if (e->kind == ERR_NOT_ALLOWED)
		no->sentence = READS_ONLY;
	if (no->status >= 500)
		log_err(m->log, "admin-failed", call_exchange(c), e);
	else
		log_event(m->log, LOG_LEVEL_WARNING, "admin-denied", call_exchange(c), "peer",
			call_peer(c)->address, "by", call_attached(c) ? masa_asked_by(c) : "nobody",
			"method", call_method(c), "path", call_path(c), "reason", e->text, NULL);
	return false;
}

bool masa_guard(struct call *c, const struct http_route *route, void *app, struct http_refusal *no)
{
	struct masa *m = app;
	struct masa_setup *s = masa_setup_take(m);
	struct err e = ERR_INIT;
	bool changes = false, known = identify(m, s, c, &changes, &e);

	masa_setup_free(s);
	if (known)
		call_sender_is_known(c);
	if (known && (changes || strcmp(route->method, "GET") == 0))
		return true;
	if (known)
		err_set(&e, ERR_NOT_ALLOWED, "a token that may only read");
	return deny(c, m, &e, no);
}

const char *masa_asked_by(const struct call *c)
{
	const char *by = call_attached(c);

	return by ? by : call_peer(c)->address;
}
