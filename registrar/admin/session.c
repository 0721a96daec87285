/* SPDX-License-Identifier: Apache-2.0 */
/* A log-in: how often was it tried, who is it, is the password right (on the hasher's thread), then
 * a session that is durable before its cookie is given out. Whatever is wrong with user, password
 * or code, the answer is the same and takes the same time. */
#include "registrar/admin/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/access/access.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/grant.h"
#include "registrar/access/authenticate.h"
#include "registrar/records/users.h"

#define COOKIE_ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Strict"
#define COOKIE_LEN_MAX	  (sizeof(SESSION_COOKIE) + SECRET_TEXT_LEN + sizeof(COOKIE_ATTRIBUTES) + 20)

/* ---- Who am I ---- */

static const char *const permission_names[PERMISSION_COUNT] = {
	[MAY_VIEW] = "view",
	[MAY_ANNOUNCE] = "announce",
	[MAY_DECIDE] = "decide",
	[MAY_OPERATE] = "operate",
	[MAY_AUDIT] = "audit",
	[MAY_ADMIN] = "admin",
};

/* What the pages offer; what is done is asked about again. */
static json_t *permissions_of(const struct principal *p)
{
	json_t *list = json_array();

	for (int i = MAY_VIEW; list && i <= MAY_ADMIN; i++)
		if (principal_may(p, (enum permission)i, NULL, NULL, p->asked_at))
			json_array_append_new(list, json_string(permission_names[i]));
	return list;
}

static json_t *grants_of(const struct principal *p)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < p->grant_count; i++)
		json_array_append_new(list, admin_grant_object(&p->grants[i]));
	return list;
}

static json_t *session_object(const struct principal *p, const char *csrf)
{
	static const char *const proofs[] = {"none", "socket", "session", "token", "certificate"};

	return json_pack("{ss ss sb so so so so}", "user", p->name, "by", proofs[p->proof],
		"everywhere", principal_may_everywhere(p, MAY_VIEW, p->asked_at), "may",
		permissions_of(p), "grants", grants_of(p), "limit",
		p->limited ? admin_grant_object(&p->limit) : json_null(), "csrf", admin_text(csrf));
}

static void answer_who(
	struct call *c, const struct registrar *r, const struct principal *p, const char *session)
{
	char csrf[2 * SHA256_LEN + 1];
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;

	call_set_header(c, "Cache-Control", "no-store");
	if (session && !csrf_of(session, csrf, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = session_object(p, session ? csrf : NULL);
	admin_reply(c, r, answer);
}

void session_show(struct call *c, void *registrar)
{
	const struct principal *p = admin_who(c);
	char session[SECRET_TEXT_LEN + 1];
	bool has = p->proof == PROOF_SESSION && admin_session_of(c, session);

	answer_who(c, registrar, p, has ? session : NULL);
}

/* ---- Logging in ---- */

enum way { BY_PASSWORD, BY_CODE, BY_CERTIFICATE };
static const char *const way_names[] = {"password", "code", "certificate"};

struct login {
	struct registrar *r;
	struct call *call;
	enum way way;
	char user[USER_NAME_LEN_MAX + 1];
	struct login_record known;
	uint8_t code[SHA256_LEN];
	bool new_password;
	char hash[PASSWORD_HASH_MAX]; /* of the new one */
	char session[SECRET_TEXT_LEN + 1];
};

static void login_free(struct login *g)
{
	if (g)
		explicit_bzero(g->session, sizeof(g->session));
	free(g);
}

static void fail(struct login *g, const struct err *e)
{
	call_reply_err(g->call, &g->r->log, "admin-failed", e);
	login_free(g);
}

/* One answer to everything that is wrong with who it is. */
static void deny(struct login *g)
{
	struct err e = ERR_INIT;
	char about[USER_NAME_LEN_MAX + 40];

	snprintf(about, sizeof(about), "log-in as \"%s\" by %s", g->user, way_names[g->way]);
	admin_denied(g->r, g->call, "wrong-login", about);
	err_set(&e, ERR_LOGIN, "wrong user, password or code");
	err_code(&e, "wrong-login");
	err_tell(&e, "User, password or code are wrong.");
	fail(g, &e);
}

static void on_started(void *arg, const int64_t *changed, const struct err *e)
{
	struct login *g = arg;
	PRINCIPAL_AUTO struct principal p = {.name = ""};
	char cookie[COOKIE_LEN_MAX];
	struct err why = ERR_INIT;

	if (e && e->kind == ERR_CONFLICT) { /* the code was used, the user disabled meanwhile */
		deny(g);
		return;
	}
	if (e || !admin_principal_of(g->r, g->user, PROOF_SESSION, &p, &why)) {
		fail(g, e ? e : &why);
		return;
	}
	attempts_forgive(g->r->access->attempts, g->user);
	log_event(&g->r->log, LOG_LEVEL_INFO, "admin-login", call_exchange(g->call), "user",
		g->user, "by", way_names[g->way], "peer", call_peer(g->call)->address, NULL);
	snprintf(cookie, sizeof(cookie), SESSION_COOKIE "=%s" COOKIE_ATTRIBUTES, g->session);
	call_set_header(g->call, "Set-Cookie", cookie);
	explicit_bzero(cookie, sizeof(cookie));
	answer_who(g->call, g->r, &p, g->session);
	login_free(g);
}

static bool old_session(const struct call *c, uint8_t digest[SHA256_LEN], struct err *e)
{
	char old[SECRET_TEXT_LEN + 1];

	return admin_session_of(c, old) && secret_digest(old, digest, e);
}

static bool start(struct login *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_started, g};
	const int64_t now = registrar_now(g->r);
	uint8_t id[SHA256_LEN], old[SHA256_LEN];
	char what[128];
	const struct journal_entry j = {
		.at = now,
		.exchange = call_exchange(g->call),
		.actor = g->user,
		.step = "session",
		.outcome = "begun",
		.reason = what,
	};
	struct err ignored = ERR_INIT;

	snprintf(what, sizeof(what), "by %s%s from %s", way_names[g->way],
		g->new_password ? ", with a new password," : "", call_peer(g->call)->address);
	return secret_make("", g->session, e) && secret_digest(g->session, id, e) &&
	       records_start_session(&w,
		       &(struct session_start){
			       .user = g->user,
			       .id_sha256 = id,
			       .old_sha256 = old_session(g->call, old, &ignored) ? old : NULL,
			       .code = g->way == BY_CODE ? g->code : NULL,
			       .verified = g->way == BY_PASSWORD ? g->known.password : NULL,
			       .password = g->new_password ? g->hash : NULL,
			       .at = now,
			       .idle_before = now - SESSION_IDLE_S,
			       .created_before = now - SESSION_LIFE_S,
		       },
		       &j, e);
}

static void on_hashed(void *arg, bool right, const char *hash, const struct err *e)
{
	struct login *g = arg;
	struct err why = ERR_INIT;

	if (e) {
		fail(g, e);
	} else if (!right) {
		deny(g);
	} else {
		memcpy(g->hash, hash, strlen(hash) + 1);
		if (!start(g, &why))
			fail(g, &why);
	}
}

/* A code is compared here; a wrong one costs as much time as a right one. */
static bool code_is_right(const struct login *g, int64_t now)
{
	static const uint8_t none[SHA256_LEN];

	return g->known.found && now < g->known.code_until &&
	       !bytes_equal_ct(bytes_of(g->known.code, SHA256_LEN), bytes_of(none, SHA256_LEN)) &&
	       bytes_equal_ct(bytes_of(g->known.code, SHA256_LEN), bytes_of(g->code, SHA256_LEN));
}

static bool ask(struct login *g, const char *password, const char *fresh, struct err *e)
{
	struct hash_question q = {.password = password, .fresh = fresh};

	if (g->way == BY_CODE)
		q.password = code_is_right(g, registrar_now(g->r)) ? NULL : fresh;
	else if (g->known.found && g->known.password[0])
		q.hash = g->known.password;
	return hasher_ask(g->r->access->hasher, &q, call_loop(g->call), on_hashed, g, e);
}

/* Names that nobody can have are counted and answered like others. */
static bool begin_try(struct login *g, const char *user, struct err *e)
{
	char seconds[24];
	int64_t wait_s;

	if (user_name_is_valid(user))
		memcpy(g->user, user, strlen(user) + 1);
	if (attempts_begin(g->r->access->attempts, user, clock_mono_ms(), &wait_s, e))
		return true;
	snprintf(seconds, sizeof(seconds), "%lld", (long long)wait_s);
	call_set_header(g->call, "Retry-After", seconds);
	err_code(e, "locked");
	admin_denied(g->r, g->call, "locked", g->user);
	return false;
}

static bool by_word(struct login *g, const json_t *body, struct err *e)
{
	const char *user = NULL, *password = NULL, *code = NULL, *fresh = NULL;
	struct err ignored = ERR_INIT;

	if (!json_get_string(body, "user", &user, e) ||
		!json_get_string(body, "password", &password, e) ||
		!json_get_string(body, "code", &code, e) ||
		!json_get_string(body, "new_password", &fresh, e))
		return false;
	if (!user || !(password || code) || (password && code))
		return admin_bad(e, "Send a user and a password or a code.");
	if (code && !fresh)
		return admin_bad(e, "A one-time code needs a new password with it.");
	if (fresh && !password_check(fresh, e))
		return false;
	if (password && strlen(password) > PASSWORD_OCTETS_MAX)
		return admin_bad(e, "The password is too long.");
	g->way = code ? BY_CODE : BY_PASSWORD;
	g->new_password = fresh != NULL;
	if (!begin_try(g, user, e) || !records_login(g->r->store, g->user, &g->known, e))
		return false;
	if (code && !code_digest(code, g->code, &ignored))
		memset(g->code, 0, SHA256_LEN);
	return ask(g, password, fresh, e);
}

static bool by_certificate(struct login *g, struct err *e)
{
	g->way = BY_CERTIFICATE;
	if (admin_user_of_certificate(g->r, g->call, registrar_now(g->r), g->user, e))
		return start(g, e);
	if (e->kind == ERR_LOGIN)
		admin_denied(g->r, g->call, "wrong-login", e->text);
	return false;
}

static bool login(struct login *g, struct err *e)
{
	JSON_AUTO json_t *body = NULL;

	if (!admin_is_same_origin(g->call, false)) {
		admin_denied(g->r, g->call, CODE_CSRF, NULL);
		err_set(e, ERR_NOT_ALLOWED, "log-in sent from another origin");
		err_code(e, CODE_CSRF);
		return err_tell(e, CSRF_SENTENCE);
	}
	if (!attempts_from(
		    g->r->access->attempts, call_peer(g->call)->address, clock_mono_ms(), e)) {
		call_set_header(g->call, "Retry-After", "1");
		admin_denied(g->r, g->call, "too-many", NULL);
		return false;
	}
	body = json_parse_object(call_body(g->call), e);
	if (!body)
		return false;
	return json_object_size(body) == 0 ? by_certificate(g, e) : by_word(g, body, e);
}

void session_begin(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct login *g = mem_new(sizeof(*g), &e);

	call_set_header(c, "Cache-Control", "no-store");
	if (!g) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	g->r = r;
	g->call = c;
	if (!login(g, &e))
		fail(g, &e);
}

/* ---- Logging out ---- */

struct logout {
	struct registrar *r;
	struct call *call;
};

static void on_ended(void *arg, const int64_t *changed, const struct err *e)
{
	struct logout *g = arg;

	if (e) {
		call_reply_err(g->call, &g->r->log, "admin-failed", e);
	} else {
		call_set_header(
			g->call, "Set-Cookie", SESSION_COOKIE "=; Max-Age=0" COOKIE_ATTRIBUTES);
		call_reply(g->call, 204, NULL, bytes_of("", 0));
	}
	free(g);
}

static bool logout(struct logout *g, struct err *e)
{
	const struct records_writer w = {g->r->store, call_loop(g->call), on_ended, g};
	const struct journal_entry j = {
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = admin_by(g->call),
		.step = "session",
		.outcome = "ended",
	};
	char session[SECRET_TEXT_LEN + 1];
	uint8_t id[SHA256_LEN];

	if (admin_who(g->call)->proof != PROOF_SESSION || !admin_session_of(g->call, session))
		return admin_bad(e, "There is no session to end.");
	return secret_digest(session, id, e) && records_end_session(&w, id, &j, e);
}

void session_end(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct err e = ERR_INIT;
	struct logout *g = mem_new(sizeof(*g), &e);

	if (g) {
		*g = (struct logout){r, c};
		if (logout(g, &e))
			return;
	}
	call_reply_err(c, &r->log, "admin-failed", &e);
	free(g);
}
