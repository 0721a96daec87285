/* SPDX-License-Identifier: Apache-2.0 */
/* From the proofs a request carries to a principal. Whoever is disabled, a session that is over, a
 * token that ended are nobody: the store or the moment says so, and the peer hears no more than
 * that it has to log in. */
#include "registrar/access/authenticate.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "registrar/access/access.h"
#include "registrar/records/users.h"
#include "registrar/access/secret.h"

#define UNIX_PREFIX "unix:"
#define BEARER	    "Bearer "
#define HTTPS	    "https://"

static bool stranger(struct err *e, const char *why)
{
	return err_set(e, ERR_LOGIN, "%s", why);
}

/* ---- The user behind a proof ---- */

static bool add_grant(void *arg, const struct grant *g, struct err *e)
{
	return principal_add(arg, g, e);
}

bool admin_principal_of(struct registrar *r, const char *user, enum proof proof,
	struct principal *out, struct err *e)
{
	const int64_t asked_at = out->asked_at ? out->asked_at : registrar_now(r);

	out->proof = proof;
	out->asked_at = asked_at;
	if (!records_list_grants(r->store, user, add_grant, out, e))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", user); /* nobody until all of it is known */
	return true;
}

/* That a proof was used is worth a note and no more: one that is not written harms nobody. */
static void on_touched(void *arg, const int64_t *changed, const struct err *e)
{
	struct registrar *r = arg;

	if (e)
		log_err(&r->log, "admin-failed", NULL, e);
}

/* ---- The socket ---- */

/* The kernel said who it is; who may open the socket may do everything. */
static bool by_socket(const struct call *c, struct principal *out)
{
	const struct peer *p = call_peer(c);

	if (p->tls || strncmp(p->address, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		return false;
	principal_local(out, p->address);
	return true;
}

/* ---- A token ---- */

static bool use_token(struct registrar *r, const struct call *c, const struct token_record *t,
	struct principal *out, struct err *e)
{
	const struct records_writer w = {r->store, call_loop(c), on_touched, r};
	struct err why = ERR_INIT;

	if (!t->found)
		return stranger(e, "no such token");
	if (t->limit.until && out->asked_at >= t->limit.until)
		return stranger(e, "the token has ended");
	if (!admin_principal_of(r, t->user, PROOF_TOKEN, out, e) ||
		!principal_limit(out, &t->limit, e))
		return false;
	if (out->asked_at - t->used_at >= PROOF_TOUCH_S &&
		!records_touch_token(&w, t->id, out->asked_at, &why))
		on_touched(r, NULL, &why);
	return true;
}

static bool by_token(struct registrar *r, const struct call *c, const char *field,
	struct principal *out, struct err *e)
{
	struct token_record t = {.found = false};
	uint8_t digest[SHA256_LEN];
	bool ok;

	if (strncasecmp(field, BEARER, strlen(BEARER)) != 0)
		return stranger(e, "Authorization of another kind");
	ok = secret_digest(field + strlen(BEARER), digest, e) &&
	     records_token(r->store, digest, &t, e) && use_token(r, c, &t, out, e);
	grant_clear(&t.limit);
	return ok;
}

/* ---- A session ---- */

bool admin_session_of(const struct call *c, char out[SECRET_TEXT_LEN + 1])
{
	const char *at = call_header(c, "Cookie");
	const size_t name_len = strlen(SESSION_COOKIE "=");

	for (; at && *at; at += strcspn(at, ";"), at += strspn(at, "; ")) {
		if (strncmp(at, SESSION_COOKIE "=", name_len) != 0)
			continue;
		at += name_len;
		if (strcspn(at, "; ") != SECRET_TEXT_LEN)
			return false;
		memcpy(out, at, SECRET_TEXT_LEN);
		out[SECRET_TEXT_LEN] = '\0';
		return true;
	}
	return false;
}

/* A browser says where a page came from that made it send something. */
bool admin_is_same_origin(const struct call *c, bool has_to_say)
{
	const char *site = call_header(c, "Sec-Fetch-Site");
	const char *origin = call_header(c, "Origin");
	const char *host = call_header(c, "Host");

	if (site && strcmp(site, "same-origin") != 0)
		return false;
	if (origin)
		return host && strncmp(origin, HTTPS, strlen(HTTPS)) == 0 &&
		       strcasecmp(origin + strlen(HTTPS), host) == 0;
	return site || !has_to_say;
}

static bool changes(const struct call *c)
{
	return strcmp(call_method(c), "GET") != 0 && !call_is_head(c);
}

static bool is_misused(struct err *e, const char *why)
{
	err_set(e, ERR_NOT_ALLOWED, "%s", why);
	err_code(e, CODE_CSRF);
	return err_tell(e, CSRF_SENTENCE);
}

static bool csrf_check(const struct call *c, const char *session, struct err *e)
{
	const char *given = call_header(c, "X-CSRF-Token");
	char expected[2 * SHA256_LEN + 1];

	if (!changes(c))
		return true;
	if (!csrf_of(session, expected, e))
		return false;
	if (!given || !bytes_equal_ct(bytes_of_str(given), bytes_of_str(expected)))
		return is_misused(e, "CSRF token missing or wrong");
	return admin_is_same_origin(c, true) || is_misused(e, "sent from another origin");
}

static void touch_session(struct registrar *r, const struct call *c, const uint8_t *id, int64_t now)
{
	const struct records_writer w = {r->store, call_loop(c), on_touched, r};
	struct err why = ERR_INIT;

	if (!records_touch_session(&w, id, now, &why))
		on_touched(r, NULL, &why);
}

static bool by_session(struct registrar *r, const struct call *c, const char *session,
	struct principal *out, struct err *e)
{
	struct session_record s;
	uint8_t id[SHA256_LEN];
	const int64_t now = out->asked_at;

	if (!secret_digest(session, id, e) || !records_session(r->store, id, &s, e))
		return false;
	if (!s.found)
		return stranger(e, "no such session");
	if (now - s.used_at >= SESSION_IDLE_S || now - s.created_at >= SESSION_LIFE_S)
		return stranger(e, "the session is over");
	if (!csrf_check(c, session, e) || !admin_principal_of(r, s.user, PROOF_SESSION, out, e))
		return false;
	if (now - s.used_at >= PROOF_TOUCH_S)
		touch_session(r, c, id, now);
	return true;
}

/* ---- A certificate ---- */

/* Both: it leads to a CA of the configuration now, and an admin has named this very one. */
static bool is_trusted(struct registrar *r, const struct peer *p, int64_t now, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(r);
	bool ok = s->admin.client_anchors
			  ? chain_verify(s->admin.client_anchors, p->cert, &p->chain, now, NULL, e)
			  : stranger(e, "no client certificates are taken");

	registrar_setup_free(s);
	return ok || e->kind != ERR_UNAUTHENTICATED || stranger(e, "certificate of no CA of ours");
}

bool admin_user_of_certificate(struct registrar *r, const struct call *c, int64_t now,
	char user[USER_NAME_LEN_MAX + 1], struct err *e)
{
	const struct cert *cert = call_peer(c)->cert;
	bool found;

	user[0] = '\0';
	if (!cert)
		return stranger(e, "no proof of who asks");
	if (!is_trusted(r, call_peer(c), now, e))
		return false;
	if (!records_user_of_certificate(r->store, cert_sha256(cert), user, &found, e))
		return false;
	return found || stranger(e, "nobody has this certificate");
}

/* A browser sends its certificate for other people's pages, too. */
static bool by_certificate(
	struct registrar *r, const struct call *c, struct principal *out, struct err *e)
{
	char user[USER_NAME_LEN_MAX + 1];

	if (!admin_user_of_certificate(r, c, out->asked_at, user, e))
		return false;
	if (changes(c) && !admin_is_same_origin(c, false))
		return is_misused(e, "sent from another origin");
	return admin_principal_of(r, user, PROOF_CERTIFICATE, out, e);
}

/* ---- All of them ---- */

static bool by_proof(struct registrar *r, struct call *c, struct principal *out, struct err *e)
{
	const char *authorization = call_header(c, "Authorization");
	char session[SECRET_TEXT_LEN + 1];

	if (by_socket(c, out))
		return true;
	if (authorization)
		return by_token(r, c, authorization, out, e);
	if (admin_session_of(c, session))
		return by_session(r, c, session, out, e);
	return by_certificate(r, c, out, e);
}

bool admin_authenticate(struct registrar *r, struct call *c, struct principal *out, struct err *e)
{
	const int64_t now = registrar_now(r);
	bool known;

	memset(out, 0, sizeof(*out));
	out->asked_at = now;
	known = by_proof(r, c, out, e);
	if (!known)
		principal_clear(out);
	out->asked_at = now;
	return known;
}
