/* SPDX-License-Identifier: Apache-2.0 */
/* Users, what they may, and what they prove themselves with: rows and back. Secrets are kept as
 * hashes only: passwords by argon2id (password.h), codes, sessions and tokens by SHA-256, as each
 * of them is random. Each change comes with its line in the journal. */
#ifndef REGISTRAR_RECORDS_USERS_H
#define REGISTRAR_RECORDS_USERS_H

#include "registrar/access/password.h"
#include "registrar/access/principal.h"
#include "registrar/records/records.h"

#define USERS_MAX	   1000 /* people of a site and its suppliers */
#define TOKENS_MAX	   50	/* of one user: one a machine that acts for them */
#define USER_SESSIONS_MAX  20	/* of one user: browsers left open; the longest unused one ends */
#define USER_CERTS_MAX	   10
#define TOKEN_NAME_LEN_MAX 63
#define CERT_SUBJECT_MAX   255 /* octets of it that are kept for people */

/* ---- Reading. ---- */
struct user_row { /* borrowed */
	const char *name;
	bool has_password, disabled;
	int64_t created_at, login_at, code_until; /* 0: never, none */
	int64_t tokens, certificates;
};
typedef bool records_user_fn(void *arg, const struct user_row *row, struct err *e);
/* Names behind `after`, in their order. */
bool records_list_users(struct store *s, const char *after, int64_t limit, records_user_fn *fn,
	void *arg, struct err *e) MUST_CHECK;
/* ERR_NOT_FOUND. */
bool records_find_user(struct store *s, const char *name, records_user_fn *fn, void *arg,
	struct err *e) MUST_CHECK;
typedef bool records_grant_fn(void *arg, const struct grant *g, struct err *e);
bool records_list_grants(struct store *s, const char *user, records_grant_fn *fn, void *arg,
	struct err *e) MUST_CHECK;

/* What a log-in is compared with. found is false for nobody, and for who is disabled. */
struct login_record {
	bool found;
	char password[PASSWORD_HASH_MAX]; /* "": none was set */
	uint8_t code[SHA256_LEN];	  /* zeros: none */
	int64_t code_until;
};
bool records_login(
	struct store *s, const char *user, struct login_record *out, struct err *e) MUST_CHECK;

/* Proofs: found is false when there is none, or its user is disabled. */
struct session_record {
	bool found;
	char user[USER_NAME_LEN_MAX + 1];
	int64_t created_at, used_at;
};
bool records_session(struct store *s, const uint8_t id_sha256[SHA256_LEN],
	struct session_record *out, struct err *e) MUST_CHECK;
struct token_record {
	bool found;
	int64_t id;
	char user[USER_NAME_LEN_MAX + 1];
	struct grant limit; /* the caller's: grant_clear() */
	int64_t used_at;
};
bool records_token(struct store *s, const uint8_t sha256[SHA256_LEN], struct token_record *out,
	struct err *e) MUST_CHECK;
bool records_user_of_certificate(struct store *s, const uint8_t sha256[SHA256_LEN],
	char user[USER_NAME_LEN_MAX + 1], bool *found, struct err *e) MUST_CHECK;

struct token_row { /* borrowed */
	int64_t id, created_at, used_at;
	const char *user, *name;
	struct grant limit;
};
typedef bool records_token_fn(void *arg, const struct token_row *row, struct err *e);
/* user NULL: everybody's. */
bool records_list_tokens(struct store *s, const char *user, records_token_fn *fn, void *arg,
	struct err *e) MUST_CHECK;
typedef bool records_user_cert_fn(void *arg, struct bytes sha256, const char *subject,
	int64_t not_after, int64_t added_at, struct err *e);
bool records_list_user_certificates(struct store *s, const char *user, records_user_cert_fn *fn,
	void *arg, struct err *e) MUST_CHECK;

/* ---- Writing; ERR_CONFLICT where said. ---- */
/* CONFLICT: there is one of this name, or USERS_MAX. grant NULL: none yet. */
bool records_add_user(const struct records_writer *w, const char *name,
	const uint8_t code[SHA256_LEN], int64_t code_until, const struct grant *g,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* A code in place of the one before. CONFLICT: no such user. */
bool records_set_code(const struct records_writer *w, const char *user,
	const uint8_t code[SHA256_LEN], int64_t code_until, const struct journal_entry *j,
	struct err *e) MUST_CHECK;
/* In place of one with the same role, site and manufacturer. CONFLICT: no such user, GRANTS_MAX, or
 * the last admin would stop being one (unless `force`). */
bool records_grant(const struct records_writer *w, const char *user, const struct grant *g,
	bool force, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* CONFLICT: there is no such grant, or it is the last admin's. */
bool records_ungrant(const struct records_writer *w, const char *user, const struct grant *g,
	bool force, const struct journal_entry *j, struct err *e) MUST_CHECK;
/* Sessions end with it. CONFLICT: no such user, it is so already, or it is the last admin. */
bool records_disable_user(const struct records_writer *w, const char *user, bool force,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_enable_user(const struct records_writer *w, const char *user,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* With all that was theirs. CONFLICT: no such user, or the last admin. */
bool records_remove_user(const struct records_writer *w, const char *user, bool force,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* CONFLICT: somebody has it, no such user, or USER_CERTS_MAX. */
bool records_add_user_certificate(const struct records_writer *w, const char *user,
	const uint8_t sha256[SHA256_LEN], const char *subject, int64_t not_after,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
bool records_remove_user_certificate(const struct records_writer *w, const char *user,
	const uint8_t sha256[SHA256_LEN], const struct journal_entry *j, struct err *e) MUST_CHECK;

/* A log-in: the session, what is too old or too many of them goes. With a code, it is used up, or
 * CONFLICT; so it is when the password was changed since it was found right. With a new password
 * all other sessions of the user end. */
struct session_start {
	const char *user;
	const uint8_t *id_sha256;
	const uint8_t *old_sha256; /* the session it replaces; or NULL */
	const uint8_t *code;	   /* that was used; or NULL */
	const char *verified;	   /* the password's hash that was right; or NULL */
	const char *password;	   /* the new one's hash; or NULL */
	int64_t at, idle_before, created_before;
};
bool records_start_session(const struct records_writer *w, const struct session_start *n,
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* It was used; without a line in the journal. */
bool records_touch_session(const struct records_writer *w, const uint8_t id_sha256[SHA256_LEN],
	int64_t at, struct err *e) MUST_CHECK;
bool records_end_session(const struct records_writer *w, const uint8_t id_sha256[SHA256_LEN],
	const struct journal_entry *j, struct err *e) MUST_CHECK;
/* All other sessions end. keep NULL: all of them. CONFLICT: the password was changed meanwhile. */
bool records_set_password(const struct records_writer *w, const char *user, const char *old_hash,
	const char *new_hash, const uint8_t *keep_sha256, const struct journal_entry *j,
	struct err *e) MUST_CHECK;

/* CONFLICT: the user has one of this name, TOKENS_MAX, or does not exist. */
bool records_add_token(const struct records_writer *w, const char *user, const char *name,
	const uint8_t sha256[SHA256_LEN], const struct grant *limit, const struct journal_entry *j,
	struct err *e) MUST_CHECK;
bool records_touch_token(
	const struct records_writer *w, int64_t id, int64_t at, struct err *e) MUST_CHECK;
/* user NULL: anybody's. CONFLICT: no such token. */
bool records_remove_token(const struct records_writer *w, const char *user, int64_t id,
	const struct journal_entry *j, struct err *e) MUST_CHECK;

#endif
