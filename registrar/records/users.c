/* SPDX-License-Identifier: Apache-2.0 */
/* Users and their proofs as rows; the SQL is in records/sql.c. What may only hold for all users
 * together (the last admin, how many there are) is said in the statements, so that two who change
 * something at once cannot break it. */
#include "registrar/records/users.h"

#include <stdio.h>
#include <string.h>

#include "registrar/records/sql.h"

static struct store_value sha256_value(const uint8_t *sha256)
{
	return store_blob(bytes_of(sha256, sha256 ? SHA256_LEN : 0));
}

static bool copy_sha256(struct bytes from, uint8_t to[SHA256_LEN])
{
	memset(to, 0, SHA256_LEN);
	if (from.len != SHA256_LEN)
		return false;
	memcpy(to, from.data, SHA256_LEN);
	return true;
}

static void copy_text(char *to, size_t room, const char *from)
{
	snprintf(to, room, "%s", from ? from : "");
}

/* ---- Reading ---- */

struct user_reader {
	records_user_fn *fn;
	void *arg;
	bool found;
};

static bool user_row(void *arg, const struct store_row *r, struct err *e)
{
	struct user_reader *reader = arg;
	const struct user_row row = {
		.name = store_row_text(r, 0),
		.has_password = store_row_int(r, 1) != 0,
		.disabled = store_row_int(r, 2) != 0,
		.created_at = store_row_int(r, 3),
		.login_at = store_row_int(r, 4),
		.code_until = store_row_int(r, 5),
		.tokens = store_row_int(r, 6),
		.certificates = store_row_int(r, 7),
	};

	reader->found = true;
	return reader->fn(reader->arg, &row, e);
}

bool records_list_users(struct store *s, const char *after, int64_t limit, records_user_fn *fn,
	void *arg, struct err *e)
{
	struct user_reader reader = {fn, arg, false};

	return READ(s, LIST_USERS, user_row, &reader, e, store_text(after), STORE_I(limit));
}

bool records_find_user(
	struct store *s, const char *name, records_user_fn *fn, void *arg, struct err *e)
{
	struct user_reader reader = {fn, arg, false};

	if (!READ(s, READ_USER, user_row, &reader, e, store_text(name)))
		return false;
	if (reader.found)
		return true;
	err_set(e, ERR_NOT_FOUND, "no user \"%s\"", name);
	return err_tell(e, "There is no user of this name.");
}

struct grant_reader {
	records_grant_fn *fn;
	void *arg;
};

/* Borrowed from the row. A role that a newer registrar wrote is none: nothing is permitted. */
static struct grant grant_of(const struct store_row *r, int column)
{
	const char *role = store_row_text(r, column);
	struct grant g = {
		.role = ROLE_COUNT,
		.site = (char *)(uintptr_t)store_row_text(r, column + 1),
		.manufacturer = (char *)(uintptr_t)store_row_text(r, column + 2),
		.until = store_row_int(r, column + 3),
	};

	if (!role || !role_parse(role, &g.role))
		g.role = ROLE_COUNT;
	return g;
}

static bool grant_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct grant_reader *reader = arg;
	const struct grant g = grant_of(r, 0);

	return g.role == ROLE_COUNT || reader->fn(reader->arg, &g, e);
}

bool records_list_grants(
	struct store *s, const char *user, records_grant_fn *fn, void *arg, struct err *e)
{
	struct grant_reader reader = {fn, arg};

	return READ(s, LIST_GRANTS, grant_row, &reader, e, store_text(user));
}

static bool login_row(void *arg, const struct store_row *r, struct err *e)
{
	struct login_record *out = arg;

	out->found = true;
	copy_text(out->password, sizeof(out->password), store_row_text(r, 0));
	(void)copy_sha256(store_row_blob(r, 1), out->code);
	out->code_until = store_row_int(r, 2);
	return true;
}

bool records_login(struct store *s, const char *user, struct login_record *out, struct err *e)
{
	*out = (struct login_record){.found = false};
	return READ(s, READ_LOGIN, login_row, out, e, store_text(user));
}

static bool session_row(void *arg, const struct store_row *r, struct err *e)
{
	struct session_record *out = arg;

	out->found = true;
	copy_text(out->user, sizeof(out->user), store_row_text(r, 0));
	out->created_at = store_row_int(r, 1);
	out->used_at = store_row_int(r, 2);
	return true;
}

bool records_session(struct store *s, const uint8_t id_sha256[SHA256_LEN],
	struct session_record *out, struct err *e)
{
	*out = (struct session_record){.found = false};
	return READ(s, READ_SESSION, session_row, out, e, sha256_value(id_sha256));
}

static bool token_row(void *arg, const struct store_row *r, struct err *e)
{
	struct token_record *out = arg;
	const struct grant limit = grant_of(r, 3);

	out->found = true;
	out->id = store_row_int(r, 0);
	copy_text(out->user, sizeof(out->user), store_row_text(r, 1));
	out->used_at = store_row_int(r, 2);
	return grant_copy(&out->limit, &limit, e);
}

bool records_token(
	struct store *s, const uint8_t sha256[SHA256_LEN], struct token_record *out, struct err *e)
{
	*out = (struct token_record){.found = false};
	return READ(s, READ_TOKEN, token_row, out, e, sha256_value(sha256));
}

static bool certificate_user_row(void *arg, const struct store_row *r, struct err *e)
{
	copy_text(arg, USER_NAME_LEN_MAX + 1, store_row_text(r, 0));
	return true;
}

bool records_user_of_certificate(struct store *s, const uint8_t sha256[SHA256_LEN],
	char user[USER_NAME_LEN_MAX + 1], bool *found, struct err *e)
{
	user[0] = '\0';
	if (!READ(s, READ_USER_OF_CERTIFICATE, certificate_user_row, user, e, sha256_value(sha256)))
		return false;
	*found = user[0] != '\0';
	return true;
}

struct token_reader {
	records_token_fn *fn;
	void *arg;
};

static bool listed_token_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct token_reader *reader = arg;
	const struct token_row row = {
		.id = store_row_int(r, 0),
		.user = store_row_text(r, 1),
		.used_at = store_row_int(r, 2),
		.limit = grant_of(r, 3),
		.name = store_row_text(r, 7),
		.created_at = store_row_int(r, 8),
	};

	return reader->fn(reader->arg, &row, e);
}

bool records_list_tokens(
	struct store *s, const char *user, records_token_fn *fn, void *arg, struct err *e)
{
	struct token_reader reader = {fn, arg};

	return READ(s, LIST_TOKENS, listed_token_row, &reader, e, store_text(user),
		STORE_I(USERS_MAX * TOKENS_MAX));
}

struct cert_reader {
	records_user_cert_fn *fn;
	void *arg;
};

static bool cert_row(void *arg, const struct store_row *r, struct err *e)
{
	const struct cert_reader *reader = arg;

	return reader->fn(reader->arg, store_row_blob(r, 0), store_row_text(r, 1),
		store_row_int(r, 2), store_row_int(r, 3), e);
}

bool records_list_user_certificates(
	struct store *s, const char *user, records_user_cert_fn *fn, void *arg, struct err *e)
{
	struct cert_reader reader = {fn, arg};

	return READ(s, LIST_USER_CERTIFICATES, cert_row, &reader, e, store_text(user));
}

/* ---- Writing ---- */

struct users_transaction {
	struct store_op ops[STORE_OPS_MAX];
	size_t count;
};

static void add(struct users_transaction *t, int statement, bool must_change,
	const struct store_value *values, size_t count)
{
	struct store_op *op = &t->ops[t->count++];

	*op = (struct store_op){
		.statement = statement, .must_change = must_change, .param_count = count};
	memcpy(op->params, values, count * sizeof(*values));
}

#define ADD(t, statement, must_change, ...)                                                        \
	add(t, statement, must_change, (const struct store_value[]){__VA_ARGS__},                  \
		sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value))

static bool commit(const struct records_writer *w, struct users_transaction *t,
	const struct journal_entry *j, struct err *e)
{
	if (j)
		ADD(t, ADD_JOURNAL, true, STORE_I(j->at), store_text(j->exchange),
			store_text(j->device.manufacturer), store_text(j->device.serial),
			store_text(j->actor), store_text(j->step), store_text(j->outcome),
			store_text(j->reason));
	return records_write(w, t->ops, t->count, e);
}

static void add_grant(struct users_transaction *t, const char *user, const struct grant *g)
{
	ADD(t, ADD_GRANT, true, store_text(user), store_text(role_names[g->role]),
		store_text(g->site), store_text(g->manufacturer), STORE_I(g->until),
		STORE_I(GRANTS_MAX));
}

bool records_add_user(const struct records_writer *w, const char *name,
	const uint8_t code[SHA256_LEN], int64_t code_until, const struct grant *g,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, ADD_USER, true, store_text(name), STORE_I(j->at), sha256_value(code),
		STORE_I(code_until), STORE_I(USERS_MAX));
	if (g)
		add_grant(&t, name, g);
	return commit(w, &t, j, e);
}

bool records_set_code(const struct records_writer *w, const char *user,
	const uint8_t code[SHA256_LEN], int64_t code_until, const struct journal_entry *j,
	struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, SET_CODE, true, store_text(user), sha256_value(code), STORE_I(code_until));
	return commit(w, &t, j, e);
}

/* Does an admin of everything go with it? */
static bool is_admin(const struct grant *g)
{
	return g->role == ROLE_ADMIN && !g->site && !g->manufacturer;
}

static void remove_grant(struct users_transaction *t, const char *user, const struct grant *g,
	bool free_to, bool must_change, int64_t now)
{
	ADD(t, REMOVE_GRANT, must_change, store_text(user), STORE_I(now), STORE_I(free_to),
		store_text(role_names[g->role]), store_text(g->site), store_text(g->manufacturer));
}

bool records_grant(const struct records_writer *w, const char *user, const struct grant *g,
	bool force, const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	remove_grant(&t, user, g, force || !is_admin(g) || !g->until, false, j->at);
	add_grant(&t, user, g);
	return commit(w, &t, j, e);
}

bool records_ungrant(const struct records_writer *w, const char *user, const struct grant *g,
	bool force, const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	remove_grant(&t, user, g, force || !is_admin(g), true, j->at);
	return commit(w, &t, j, e);
}

bool records_disable_user(const struct records_writer *w, const char *user, bool force,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, DISABLE_USER, true, store_text(user), STORE_I(j->at), STORE_I(force));
	ADD(&t, END_SESSIONS, false, store_text(user), sha256_value(NULL));
	return commit(w, &t, j, e);
}

bool records_enable_user(const struct records_writer *w, const char *user,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, ENABLE_USER, true, store_text(user));
	return commit(w, &t, j, e);
}

bool records_remove_user(const struct records_writer *w, const char *user, bool force,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, REMOVE_USER, true, store_text(user), STORE_I(j->at), STORE_I(force));
	ADD(&t, REMOVE_GRANTS, false, store_text(user));
	ADD(&t, END_SESSIONS, false, store_text(user), sha256_value(NULL));
	ADD(&t, REMOVE_TOKENS, false, store_text(user));
	ADD(&t, REMOVE_USER_CERTIFICATES, false, store_text(user));
	return commit(w, &t, j, e);
}

bool records_add_user_certificate(const struct records_writer *w, const char *user,
	const uint8_t sha256[SHA256_LEN], const char *subject, int64_t not_after,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, ADD_USER_CERTIFICATE, true, sha256_value(sha256), store_text(user),
		store_text(subject), STORE_I(not_after), STORE_I(j->at), STORE_I(USER_CERTS_MAX));
	return commit(w, &t, j, e);
}

bool records_remove_user_certificate(const struct records_writer *w, const char *user,
	const uint8_t sha256[SHA256_LEN], const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, REMOVE_USER_CERTIFICATE, true, sha256_value(sha256), store_text(user));
	return commit(w, &t, j, e);
}

bool records_start_session(const struct records_writer *w, const struct session_start *n,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, NOTE_LOGIN, true, store_text(n->user), STORE_I(n->at), store_text(n->verified));
	if (n->code)
		ADD(&t, USE_CODE, true, store_text(n->user), sha256_value(n->code), STORE_I(n->at));
	if (n->password) {
		ADD(&t, SET_PASSWORD, true, store_text(n->user), store_text(n->password));
		ADD(&t, END_SESSIONS, false, store_text(n->user), sha256_value(NULL));
	}
	ADD(&t, SWEEP_SESSIONS, false, STORE_I(n->idle_before), STORE_I(n->created_before),
		sha256_value(n->old_sha256), store_text(n->user), STORE_I(USER_SESSIONS_MAX - 1));
	ADD(&t, ADD_SESSION, true, sha256_value(n->id_sha256), store_text(n->user), STORE_I(n->at));
	return commit(w, &t, j, e);
}

bool records_touch_session(const struct records_writer *w, const uint8_t id_sha256[SHA256_LEN],
	int64_t at, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, TOUCH_SESSION, false, sha256_value(id_sha256), STORE_I(at));
	return commit(w, &t, NULL, e);
}

bool records_end_session(const struct records_writer *w, const uint8_t id_sha256[SHA256_LEN],
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, END_SESSION, false, sha256_value(id_sha256));
	return commit(w, &t, j, e);
}

bool records_set_password(const struct records_writer *w, const char *user, const char *old_hash,
	const char *new_hash, const uint8_t *keep_sha256, const struct journal_entry *j,
	struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, CHANGE_PASSWORD, true, store_text(user), store_text(new_hash),
		store_text(old_hash));
	ADD(&t, END_SESSIONS, false, store_text(user), sha256_value(keep_sha256));
	return commit(w, &t, j, e);
}

bool records_add_token(const struct records_writer *w, const char *user, const char *name,
	const uint8_t sha256[SHA256_LEN], const struct grant *limit, const struct journal_entry *j,
	struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, ADD_TOKEN, true, store_text(user), store_text(name), sha256_value(sha256),
		store_text(role_names[limit->role]), store_text(limit->site),
		store_text(limit->manufacturer), STORE_I(limit->until), STORE_I(j->at),
		STORE_I(TOKENS_MAX));
	return commit(w, &t, j, e);
}

bool records_touch_token(const struct records_writer *w, int64_t id, int64_t at, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, TOUCH_TOKEN, false, STORE_I(id), STORE_I(at));
	return commit(w, &t, NULL, e);
}

bool records_remove_token(const struct records_writer *w, const char *user, int64_t id,
	const struct journal_entry *j, struct err *e)
{
	struct users_transaction t = {.count = 0};

	ADD(&t, REMOVE_TOKEN, true, STORE_I(id), store_text(user));
	return commit(w, &t, j, e);
}
