/* SPDX-License-Identifier: Apache-2.0 */
/* A change is a row of a table of verbs: who may, what is read from the body, which transaction. */
#include "registrar/admin/users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/hex.h"
#include "common/wire/percent.h"
#include "registrar/access/access.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/grant.h"
#include "registrar/admin/guard.h"
#include "registrar/admin/scope.h"
#include "registrar/access/authenticate.h"
#include "registrar/records/users.h"

#define USERS_PAGE     200
#define NAME_QUERY_MAX 255
#define WHAT_MAX       500 /* of a line in the journal */

/* ---- Showing ---- */

static bool add_grant(void *arg, const struct grant *g, struct err *e)
{
	return admin_append(arg, admin_grant_object(g), e);
}

static bool add_user(void *arg, const struct user_row *u, struct err *e)
{
	return admin_append(arg,
		json_pack("{ss sb sb so so so sI sI}", "name", u->name, "disabled", u->disabled,
			"password", u->has_password, "created", admin_moment(u->created_at),
			"login", admin_moment(u->login_at), "code_until",
			admin_moment(u->code_until), "tokens", (json_int_t)u->tokens,
			"certificates", (json_int_t)u->certificates),
		e);
}

static bool complete(struct registrar *r, json_t *user, struct err *e)
{
	const char *name = json_string_value(json_object_get(user, "name"));
	json_t *grants = json_array();

	return (grants && json_object_set_new(user, "grants", grants) == 0 &&
		       records_list_grants(r->store, name, add_grant, grants, e)) ||
	       e->kind != ERR_NONE || err_set(e, ERR_NO_MEMORY, "no memory for a user");
}

static bool complete_all(struct registrar *r, json_t *users, struct err *e)
{
	json_t *user;
	size_t i;

	json_array_foreach(users, i, user)
	{
		if (!complete(r, user, e) || e->kind != ERR_NONE)
			return false;
	}
	return true;
}

static json_t *next_of(const json_t *items)
{
	size_t n = json_array_size(items);

	return n < USERS_PAGE ? json_null()
			      : json_incref(json_object_get(json_array_get(items, n - 1), "name"));
}

void users_list(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	BUF_AUTO struct buf after = BUF_INIT(NAME_QUERY_MAX);
	JSON_AUTO json_t *items = json_array();
	JSON_AUTO json_t *answer = NULL;
	struct err e = ERR_INIT;
	bool found;

	if (!percent_query(call_query(c), "after", &after, &found, &e) ||
		!records_list_users(r->store, buf_str(&after), USERS_PAGE, add_user, items, &e) ||
		!complete_all(r, items, &e)) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	answer = json_pack("{sO so}", "items", items, "next", next_of(items));
	admin_reply(c, r, answer);
}

static bool add_certificate(void *arg, struct bytes sha256, const char *subject, int64_t not_after,
	int64_t added_at, struct err *e)
{
	char id[2 * SHA256_LEN + 1] = "";

	if (sha256.len == SHA256_LEN)
		hex_encode(sha256, id);
	return admin_append(arg,
		json_pack("{ss so so so}", "sha256", id, "subject", admin_text(subject),
			"not_after", admin_moment(not_after), "added", admin_moment(added_at)),
		e);
}

static bool add_certificates(struct registrar *r, json_t *user, const char *name, struct err *e)
{
	json_t *list = json_array();

	if (!list || json_object_set_new(user, "certificate_list", list) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory for a user");
	return records_list_user_certificates(r->store, name, add_certificate, list, e);
}

/* The name in …/users/NAME[/VERB]; *verb is "" without one. */
static bool read_path(
	const struct call *c, char name[USER_NAME_LEN_MAX + 1], const char **verb, struct err *e)
{
	const char *rest = call_path(c) + strlen(USERS_PATH "/");
	size_t len = strcspn(rest, "/");

	snprintf(name, USER_NAME_LEN_MAX + 1, "%.*s", (int)(len <= USER_NAME_LEN_MAX ? len : 0),
		rest);
	*verb = rest[len] ? rest + len + 1 : "";
	if (user_name_is_valid(name))
		return true;
	err_set(e, ERR_NOT_FOUND, "no name of a user");
	return err_tell(e, "There is no user of this name.");
}

void users_show(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	JSON_AUTO json_t *items = json_array();
	char name[USER_NAME_LEN_MAX + 1];
	struct err e = ERR_INIT;
	const char *verb;

	if (read_path(c, name, &verb, &e) &&
		(!*verb || err_set(&e, ERR_NOT_FOUND, "nothing below a user")) &&
		records_find_user(r->store, name, add_user, items, &e) &&
		complete_all(r, items, &e) &&
		add_certificates(r, json_array_get(items, 0), name, &e))
		admin_reply(c, r, json_array_get(items, 0));
	else
		call_reply_err(c, &r->log, "admin-failed", &e);
}

/* ---- A change under way ---- */

struct change {
	struct registrar *r;
	struct call *call;
	char user[USER_NAME_LEN_MAX + 1];
	char what[WHAT_MAX + 1]; /* for the journal */
	const char *conflict;	 /* what a conflict means here */
	char code[CODE_TEXT_LEN + 1];
	int64_t code_until;
	bool forgive; /* failed log-ins */
	/* a new password */
	char old_hash[PASSWORD_HASH_MAX];
};

static void change_free(struct change *g)
{
	if (g)
		explicit_bzero(g->code, sizeof(g->code));
	free(g);
}

static void fail(struct change *g, const struct err *e)
{
	if (e->kind == ERR_NOT_ALLOWED || e->kind == ERR_LOGIN)
		admin_denied(g->r, g->call, err_code_of(e), NULL);
	call_reply_err(g->call, &g->r->log, "admin-failed", e);
	change_free(g);
}

static void on_changed(void *arg, const int64_t *changed, const struct err *e)
{
	struct change *g = arg;
	struct err conflict = ERR_INIT;
	JSON_AUTO json_t *answer = NULL;

	if (e && e->kind == ERR_CONFLICT) {
		err_set(&conflict, ERR_CONFLICT, "%s", g->conflict);
		err_tell(&conflict, "%s", g->conflict);
		e = &conflict;
	}
	if (e) {
		fail(g, e);
		return;
	}
	if (g->forgive)
		attempts_forgive(g->r->access->attempts, g->user);
	call_set_header(g->call, "Cache-Control", "no-store");
	answer = g->code[0] ? json_pack("{ss ss so}", "user", g->user, "code", g->code,
				      "code_until", admin_moment(g->code_until))
			    : json_pack("{ss}", "user", g->user);
	admin_reply(g->call, g->r, answer);
	change_free(g);
}

static struct records_writer writer(struct change *g)
{
	return (struct records_writer){g->r->store, call_loop(g->call), on_changed, g};
}

/* Its reason is what stands in g->what. */
static struct journal_entry line(const struct change *g, const char *outcome)
{
	return (struct journal_entry){
		.at = registrar_now(g->r),
		.exchange = call_exchange(g->call),
		.actor = admin_by(g->call),
		.step = "user",
		.outcome = outcome,
		.reason = g->what,
	};
}

static bool is_local(const struct change *g)
{
	return admin_who(g->call)->local;
}

static bool covers(const struct change *g, const struct grant *grant, struct err *e)
{
	const struct principal *p = admin_who(g->call);

	if (principal_covers(p, grant, p->asked_at))
		return true;
	err_set(e, ERR_NOT_ALLOWED, "gives more than is held");
	return err_tell(e, "Nobody can give more than they hold.");
}

/* Who sets another's proofs could become them: they hold at least as much. */
static bool outranks(struct change *g, struct err *e)
{
	PRINCIPAL_AUTO struct principal target = {.name = ""};

	if (!admin_principal_of(g->r, g->user, PROOF_NONE, &target, e))
		return false;
	for (size_t i = 0; i < target.grant_count; i++)
		if (!covers(g, &target.grants[i], e))
			return err_tell(e, "This user holds more than you do.");
	return true;
}

static bool read_grant(
	struct change *g, const json_t *body, struct grant *out, bool *has_role, struct err *e)
{
	return admin_grant_read(body, registrar_now(g->r), out, has_role, e);
}

static bool make_code(struct change *g, uint8_t digest[SHA256_LEN], struct err *e)
{
	g->code_until = registrar_now(g->r) + CODE_LIFE_S;
	return code_make(g->code, e) && code_digest(g->code, digest, e);
}

/* ---- Verbs ---- */

static bool change_code(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "code-made");
	uint8_t digest[SHA256_LEN];

	g->forgive = true;
	snprintf(g->what, sizeof(g->what), "a log-in code for %s", g->user);
	return make_code(g, digest, e) &&
	       records_set_code(&w, g->user, digest, g->code_until, &j, e);
}

static bool change_grant(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "granted");
	char text[WHAT_MAX - USER_NAME_LEN_MAX - 8];
	struct grant grant;
	bool has_role;

	if (!read_grant(g, body, &grant, &has_role, e))
		return false;
	if (!has_role)
		return admin_bad(e, "A grant needs a role.");
	if (!admin_grant_check(g->r, &grant, e) || !covers(g, &grant, e))
		return false;
	admin_grant_format(&grant, text, sizeof(text));
	snprintf(g->what, sizeof(g->what), "%s: %s", g->user, text);
	return records_grant(&w, g->user, &grant, is_local(g), &j, e);
}

static bool change_ungrant(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "ungranted");
	char text[WHAT_MAX - USER_NAME_LEN_MAX - 8];
	struct grant grant;
	bool has_role;

	if (!read_grant(g, body, &grant, &has_role, e))
		return false;
	if (!has_role)
		return admin_bad(e, "Say which role is taken away.");
	admin_grant_format(&grant, text, sizeof(text));
	snprintf(g->what, sizeof(g->what), "%s: %s", g->user, text);
	return records_ungrant(&w, g->user, &grant, is_local(g), &j, e);
}

static bool change_disable(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "disabled");

	return records_disable_user(&w, g->user, is_local(g), &j, e);
}

static bool change_enable(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "enabled");

	return records_enable_user(&w, g->user, &j, e);
}

static bool change_remove(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "removed");

	return records_remove_user(&w, g->user, is_local(g), &j, e);
}

static bool only_certificate(const char *pem, struct cert_list *out, struct err *e)
{
	if (cert_list_parse_pem(bytes_of_str(pem), out, e))
		return true;
	return e->kind == ERR_INPUT ? admin_bad(e, "This is no certificate in PEM.") : false;
}

/* {"certificate": PEM [, "remove": true]} */
static bool change_certificate(struct change *g, const json_t *body, struct err *e)
{
	const struct records_writer w = writer(g);
	const bool remove = json_is_true(json_object_get(body, "remove"));
	const struct journal_entry j =
		line(g, remove ? "certificate-removed" : "certificate-added");
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;
	char id[2 * SHA256_LEN + 1], subject[CERT_SUBJECT_MAX + 1];
	const char *pem = NULL;
	const struct cert *cert;

	if (!json_get_string(body, "certificate", &pem, e))
		return false;
	if (!pem)
		return admin_bad(e, "A certificate in PEM is missing.");
	if (!only_certificate(pem, &list, e))
		return false;
	cert = list.items[0];
	hex_encode(bytes_of(cert_sha256(cert), SHA256_LEN), id);
	snprintf(subject, sizeof(subject), "%s", cert_subject(cert));
	snprintf(g->what, sizeof(g->what), "%s: %s, %.200s", g->user, id, subject);
	text_make_utf8(g->what, '?');
	if (remove)
		return records_remove_user_certificate(&w, g->user, cert_sha256(cert), &j, e);
	if (cert_not_after(cert) <= j.at)
		return admin_bad(e, "The certificate has ended.");
	return records_add_user_certificate(
		&w, g->user, cert_sha256(cert), subject, cert_not_after(cert), &j, e);
}

/* ---- One's own password ---- */

static void on_hashed(void *arg, bool right, const char *hash, const struct err *e)
{
	struct change *g = arg;
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "password-changed");
	char session[SECRET_TEXT_LEN + 1];
	uint8_t id[SHA256_LEN];
	struct err why = ERR_INIT;
	bool keep = admin_session_of(g->call, session) && secret_digest(session, id, &why);

	if (e) {
		fail(g, e);
	} else if (!right) {
		err_set(&why, ERR_NOT_ALLOWED, "the old password is wrong");
		err_code(&why, "wrong-login");
		err_tell(&why, "The old password is wrong.");
		fail(g, &why);
	} else if (!records_set_password(
			   &w, g->user, g->old_hash, hash, keep ? id : NULL, &j, &why)) {
		fail(g, &why);
	}
}

/* {"password", "new_password"}: as many tries as at the log-in. */
static bool change_password(struct change *g, const json_t *body, struct err *e)
{
	const char *password = NULL, *fresh = NULL;
	struct login_record known;
	struct hash_question q;
	int64_t wait_s;

	if (!json_get_string(body, "password", &password, e) ||
		!json_get_string(body, "new_password", &fresh, e))
		return false;
	if (!password || !fresh || strlen(password) > PASSWORD_OCTETS_MAX)
		return admin_bad(e, "Send the old and the new password.");
	if (!password_check(fresh, e) ||
		!attempts_begin(g->r->access->attempts, g->user, clock_mono_ms(), &wait_s, e) ||
		!records_login(g->r->store, g->user, &known, e))
		return false;
	g->forgive = true;
	memcpy(g->old_hash, known.password, sizeof(known.password));
	snprintf(g->what, sizeof(g->what), "%s", g->user);
	q = (struct hash_question){known.password[0] ? known.password : NULL, password, fresh};
	return hasher_ask(g->r->access->hasher, &q, call_loop(g->call), on_hashed, g, e);
}

static const struct verb {
	const char *name;
	bool own; /* for oneself only; else for admins */
	bool (*begin)(struct change *g, const json_t *body, struct err *e);
	const char *conflict;
} verbs[] = {
	{"code", false, change_code, "The user was removed meanwhile."},
	{"grant", false, change_grant,
		"There are too many grants, or the last admin would stop being one."},
	{"ungrant", false, change_ungrant, "There is no such grant, or it is the last admin's."},
	{"disable", false, change_disable, "The user is disabled already, or is the last admin."},
	{"enable", false, change_enable, "The user is not disabled."},
	{"remove", false, change_remove, "The last admin stays; the socket may remove it."},
	{"certificate", false, change_certificate,
		"Somebody has this certificate, or there are too many; or it is not there."},
	{"password", true, change_password, "The password was changed meanwhile."},
};

static const struct verb *find_verb(const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	err_set(e, ERR_NOT_FOUND, "no such action");
	return NULL;
}

static bool skip_user(void *arg, const struct user_row *u, struct err *e)
{
	return true;
}

static bool may_change(struct change *g, const struct verb *v, struct err *e)
{
	if (!v->own)
		return admin_may_everywhere(g->call, MAY_ADMIN, e) &&
		       records_find_user(g->r->store, g->user, skip_user, NULL, e) &&
		       outranks(g, e);
	if (strcmp(admin_by(g->call), g->user) == 0)
		return true;
	err_set(e, ERR_NOT_ALLOWED, "another user's");
	return err_tell(e, "Only for oneself; an admin makes a one-time code.");
}

static bool begin_change(struct change *g, struct err *e)
{
	JSON_AUTO json_t *body = NULL;
	const struct verb *v;
	const char *verb;

	if (!read_path(g->call, g->user, &verb, e) || !(v = find_verb(verb, e)) ||
		!may_change(g, v, e))
		return false;
	body = admin_body(g->call, e);
	if (!body)
		return false;
	g->conflict = v->conflict;
	snprintf(g->what, sizeof(g->what), "%s", g->user);
	return v->begin(g, body, e);
}

static void start(
	struct call *c, struct registrar *r, bool (*begin)(struct change *g, struct err *e))
{
	struct err e = ERR_INIT;
	struct change *g = mem_new(sizeof(*g), &e);

	if (!g) {
		call_reply_err(c, &r->log, "admin-failed", &e);
		return;
	}
	g->r = r;
	g->call = c;
	if (!begin(g, &e))
		fail(g, &e);
}

void users_change(struct call *c, void *registrar)
{
	start(c, registrar, begin_change);
}

/* ---- Adding ---- */

static bool read_name(struct change *g, const json_t *body, struct err *e)
{
	const char *name = NULL;

	if (!json_get_string(body, "name", &name, e))
		return false;
	if (!name || !user_name_is_valid(name))
		return admin_bad(e,
			"A name has 1 to 63 of a-z, 0-9, '.', '_' and '-', a letter or digit "
			"first.");
	memcpy(g->user, name, strlen(name) + 1);
	return true;
}

static bool begin_add(struct change *g, struct err *e)
{
	const struct records_writer w = writer(g);
	const struct journal_entry j = line(g, "added");
	JSON_AUTO json_t *body = NULL;
	uint8_t digest[SHA256_LEN];
	char text[WHAT_MAX - USER_NAME_LEN_MAX - 8] = "no role";
	struct grant grant;
	bool has_role;

	if (!(body = json_parse_object(call_body(g->call), e)) || !read_name(g, body, e) ||
		!read_grant(g, body, &grant, &has_role, e))
		return false;
	if (!has_role && (grant.site || grant.manufacturer || grant.until))
		return admin_bad(e, "A site, manufacturer or end is one of a role: name it.");
	if (has_role && (!admin_grant_check(g->r, &grant, e) || !covers(g, &grant, e)))
		return false;
	if (has_role)
		admin_grant_format(&grant, text, sizeof(text));
	snprintf(g->what, sizeof(g->what), "%s: %s", g->user, text);
	g->conflict = "There is a user of this name, or there are too many.";
	return make_code(g, digest, e) && records_add_user(&w, g->user, digest, g->code_until,
						  has_role ? &grant : NULL, &j, e);
}

void users_add(struct call *c, void *registrar)
{
	start(c, registrar, begin_add);
}
