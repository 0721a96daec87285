/* SPDX-License-Identifier: Apache-2.0 */
/* Made, listed, removed. */
#include "registrar/admin/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/access/access.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/grant.h"
#include "registrar/admin/guard.h"
#include "registrar/records/users.h"
#include "registrar/access/secret.h"

#define DAY_S	       86400
#define TOKEN_TEXT_MAX (sizeof(TOKEN_PREFIX) + SECRET_TEXT_LEN)

/* NULL: everybody's. */
static const char *owner(const struct call *c)
{
	const struct principal *p = admin_who(c);

	return p->local ? NULL : p->name;
}

/* ---- Listing ---- */

static bool add_token(void *arg, const struct token_row *t, struct err *e)
{
	const struct grant *g = &t->limit;
	const char *role =
		g->role < ROLE_ADMIN || g->role == ROLE_SUPPLIER ? role_names[g->role] : NULL;

	return admin_append(arg,
		json_pack("{sI ss ss so so so so so so}", "id", (json_int_t)t->id, "user", t->user,
			"name", t->name, "role", admin_text(role), "site", admin_text(g->site),
			"manufacturer", admin_text(g->manufacturer), "until",
			admin_moment(g->until), "created", admin_moment(t->created_at), "used",
			admin_moment(t->used_at)),
		e);
}

void tokens_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;

	if (!records_list_tokens(r->store, owner(c), add_token, items, &e) || e.kind != ERR_NONE) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = json_pack("{sO sn}", "items", items, "next");
	admin_reply(c, r, answer);
}

/* ---- A change under way ---- */

struct change {
	struct registrar *r;
	struct call *call;
	char user[USER_NAME_LEN_MAX + 1];
	char name[TOKEN_NAME_LEN_MAX + 1];
	char token[TOKEN_TEXT_MAX];
	char what[JOURNAL_REASON_MAX];
	struct grant limit; /* borrowed from the request's body */
	int64_t id;
};

static void change_free(struct change *g)
{
	if (g)
		explicit_bzero(g->token, sizeof(g->token));
	free(g);
}

static void fail(struct change *g, const struct err *e)
{
	if (e->kind == ERR_NOT_ALLOWED)
		admin_denied(g->r, g->call, err_code_of(e), NULL);
	call_reply_err(g->call, &g->r->log, "admin-failed", e);
	change_free(g);
}

static struct journal_entry line(const struct change *g, const char *outcome)
{
	return (struct journal_entry){
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = admin_by(g->call),
		.step = "token",
		.outcome = outcome,
		.reason = g->what,
	};
}

static void start(struct call *c, struct registrar *r,
	bool (*begin)(struct change *g, const json_t *body, struct err *e))
{
	struct err e = ERR_INIT;
	struct change *g = mem_new(sizeof(*g), &e);
	JSON_AUTO json_t *body = NULL;

	if (!g) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	g->r = r;
	g->call = c;
	body = admin_body(c, &e);
	if (!body || !begin(g, body, &e))
		fail(g, &e);
}

/* ---- Adding ---- */

static void on_added(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	struct err conflict = ERR_INIT;
	JSON_AUTO json_t *answer = NULL;

	if (e && e->kind == ERR_CONFLICT) {
		err_set(&conflict, ERR_CONFLICT, "no room for this token");
		err_tell(&conflict, "The user has a token of this name, too many, or is not "
				    "there.");
		e = &conflict;
	}
	if (e) {
		fail(g, e);
		return;
	}
	call_set_header(g->call, "Cache-Control", "no-store");
	answer = json_pack("{ss ss ss so}", "user", g->user, "name", g->name, "token", g->token,
		"until", admin_moment(g->limit.until));
	admin_reply(g->call, g->r, answer);
	change_free(g);
}

/* Whose it will be: one's own; at the socket one says for whom. */
static bool read_user(struct change *g, const json_t *body, struct err *e)
{
	const struct principal *p = admin_who(g->call);
	const char *user = NULL;

	if (p->limited || p->proof == PROOF_TOKEN) {
		err_set(e, ERR_NOT_ALLOWED, "a token that makes a token");
		return err_tell(e, "A token cannot make tokens.");
	}
	if (!json_get_string(body, "user", &user, e))
		return false;
	if (!p->local && user && strcmp(user, p->name) != 0) {
		err_set(e, ERR_NOT_ALLOWED, "a token for somebody else");
		return err_tell(e, "Only for oneself; for others at the socket.");
	}
	if (!p->local)
		user = p->name;
	if (!user || !user_name_is_valid(user))
		return admin_bad(e, "Say which user the token is for.");
	memcpy(g->user, user, strlen(user) + 1);
	return true;
}

static bool read_days(const json_t *body, int64_t *days, struct err *e)
{
	const json_t *value = json_object_get(body, "days");

	*days = TOKEN_DAYS_DEFAULT;
	if (!value || json_is_null(value))
		return true;
	*days = json_integer_value(value);
	return (json_is_integer(value) && *days >= 1 && *days <= TOKEN_DAYS_MAX) ||
	       admin_bad(e, "A token is for 1 to 3650 days.");
}

static bool read_token(struct change *g, const json_t *body, struct err *e)
{
	const int64_t now = registrar_now(g->r);
	const char *name = NULL;
	bool has_role;
	int64_t days;

	if (!json_get_string(body, "name", &name, e) || !read_days(body, &days, e))
		return false;
	if (!name || !user_name_is_valid(name))
		return admin_bad(e, "A token's name has 1 to 63 of a-z, 0-9, '.', '_' and '-'.");
	memcpy(g->name, name, strlen(name) + 1);
	if (!admin_grant_read(body, now, &g->limit, &has_role, e))
		return false;
	if (!has_role)
		g->limit.role = ROLE_ADMIN; /* all that the user may */
	if (g->limit.until)
		return admin_bad(e, "A token's end is given in days.");
	g->limit.until = now + days * DAY_S;
	return true;
}

static bool begin_add(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_added, g};
	const struct journal_entry j = line(g, "added");
	char limit[JOURNAL_REASON_MAX / 2 + 100];
	uint8_t digest[SHA256_LEN];

	if (!read_user(g, body, e) || !read_token(g, body, e))
		return false;
	admin_grant_format(&g->limit, limit, sizeof(limit));
	snprintf(g->what, sizeof(g->what), "%s of %s, at most %s", g->name, g->user, limit);
	if (!secret_make(TOKEN_PREFIX, g->token, e) || !secret_digest(g->token, digest, e) ||
		!records_add_token(&w, g->user, g->name, digest, &g->limit, &j, e))
		return false;
	g->limit.site = g->limit.manufacturer = NULL; /* the body goes */
	return true;
}

void tokens_add(struct call *c, void *registrar)
{
	start(c, registrar, begin_add);
}

/* ---- Removing ---- */

static void on_removed(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	struct err missing = ERR_INIT;
	JSON_AUTO json_t *answer = NULL;

	if (e && e->kind == ERR_CONFLICT) {
		err_set(&missing, ERR_NOT_FOUND, "no such token");
		err_tell(&missing, "There is no such token.");
		e = &missing;
	}
	if (e) {
		fail(g, e);
		return;
	}
	answer = json_pack("{sI}", "id", (json_int_t)g->id);
	admin_reply(g->call, g->r, answer);
	change_free(g);
}

/* One that may less than its user does not take away the user's others. */
static bool may_remove(const struct call *c, struct err *e)
{
	const struct principal *p = admin_who(c);

	if (!p->limited ||
		(p->limit.role == ROLE_ADMIN && !p->limit.site && !p->limit.manufacturer))
		return true;
	err_set(e, ERR_NOT_ALLOWED, "a narrowed token that removes tokens");
	return err_tell(e, "A token that may less than its user cannot remove tokens.");
}

static bool begin_remove(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_removed, g};
	const struct journal_entry j = line(g, "removed");
	const char *rest = call_path(g->call) + strlen(TOKENS_PATH "/");
	size_t len = strcspn(rest, "/");
	char number[24];

	if (!may_remove(g->call, e))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(len < 20 ? len : 20), rest);
	if (strcmp(rest + len, "/remove") != 0 || !admin_parse_number(number, &g->id)) {
		err_set(e, ERR_NOT_FOUND, "no such token or action");
		return err_tell(e, "There is no such token.");
	}
	snprintf(g->what, sizeof(g->what), "token %lld", (long long)g->id);
	return records_remove_token(&w, owner(g->call), g->id, &j, e);
}

void tokens_remove(struct call *c, void *registrar)
{
	start(c, registrar, begin_remove);
}
