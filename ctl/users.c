/* SPDX-License-Identifier: Apache-2.0 */
/* users and tokens: the service says who may; a code or token is printed once, alone on a line with
 * -o ids, so that it goes into a file without passing a command line. */
#include "ctl/users.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "ctl/internal.h"

#define USERS_PATH   "/api/v1/users"
#define TOKENS_PATH  "/api/v1/tokens"
#define PATH_LEN_MAX 1024
#define PEM_LEN_MAX  65536

const struct ctl_option users_grant_options[] = {
	{"role", "viewer|approver|operator|auditor|admin|supplier"}, {"site", "PATH"},
	{"manufacturer", "NAME"}, {"until", "TIME"}, {NULL, NULL}};
const struct ctl_option users_certificate_options[] = {{"forget", NULL}, {NULL, NULL}};
const struct ctl_option tokens_add_options[] = {{"name", "NAME"}, {"user", "USER"},
	{"days", "NUMBER"}, {"role", "ROLE"}, {"site", "PATH"}, {"manufacturer", "NAME"},
	{NULL, NULL}};

static const struct ctl_column user_columns[] = {
	{"NAME", "name"},
	{"GRANTS", "grants_text"},
	{"DISABLED", "disabled"},
	{"PASSWORD", "password"},
	{"CERTIFICATES", "certificates"},
	{"TOKENS", "tokens"},
	{"LOGIN", "login"},
	{NULL, NULL},
};

static const struct ctl_column token_columns[] = {
	{"ID", "id"},
	{"USER", "user"},
	{"NAME", "name"},
	{"ROLE", "role"},
	{"SITE", "site"},
	{"MANUFACTURER", "manufacturer"},
	{"UNTIL", "until"},
	{"USED", "used"},
	{NULL, NULL},
};

/* ---- Requests ---- */

static bool user_path(struct ctl *c, const char *user, const char *verb, struct buf *path)
{
	struct err e = ERR_INIT;

	if (buf_append_str(path, USERS_PATH, &e) && ctl_path_add(path, user, &e) &&
		(!*verb || ctl_path_add(path, verb, &e)))
		return true;
	ctl_fail(c, "%s", e.text);
	return false;
}

/* Members of these names from options of the same. */
static bool add_options(struct ctl *c, json_t *body, const char *const *names)
{
	for (; *names; names++) {
		const char *value = ctl_option(c, *names);

		if (value && json_object_set_new(body, *names, json_string(value)) != 0) {
			ctl_fail(c, "--%s: not UTF-8", *names);
			return false;
		}
	}
	return true;
}

static const char *const grant_members[] = {"role", "site", "manufacturer", "until", NULL};

static enum ctl_exit change(
	struct ctl *c, const char *user, const char *verb, const json_t *body, json_t **reply)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);

	if (!user_path(c, user, verb, &path))
		return CTL_FAILED;
	return ctl_request_json(c, user, "POST", buf_str(&path), body, reply);
}

/* A secret, with what there is to know about it; alone with -o ids. */
static enum ctl_exit print_secret(struct ctl *c, const json_t *reply, const char *member)
{
	const char *secret = json_string_value(json_object_get(reply, member));

	if (!secret)
		return ctl_fail(c, "the service's answer has no %s", member);
	if (c->output != CTL_IDS)
		return ctl_print_object(c, reply);
	puts(secret);
	return CTL_DONE;
}

/* ---- Users ---- */

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static bool describe_grant(struct buf *out, const json_t *grant, struct err *e)
{
	const char *role = text_of(grant, "role"), *site = text_of(grant, "site");
	const char *maker = text_of(grant, "manufacturer"), *until = text_of(grant, "until");

	return buf_printf(out, e, "%s%s%s%s%s%s%s%s", out->len ? ", " : "", role ? role : "?",
		site ? " at " : "", site ? site : "", maker ? " for " : "", maker ? maker : "",
		until ? " until " : "", until ? until : "");
}

/* For a column: "operator at /eu, viewer". */
static void describe_grants(json_t *user)
{
	BUF_AUTO struct buf text = BUF_INIT(PEM_LEN_MAX);
	struct err e = ERR_INIT;
	json_t *grant;
	size_t i;

	json_array_foreach(json_object_get(user, "grants"), i, grant)
	{
		if (!describe_grant(&text, grant, &e))
			return;
	}
	json_object_set_new(user, "grants_text", json_string(buf_str(&text)));
}

static bool next_page(struct buf *path, const char *next, struct err *e)
{
	buf_clear(path);
	return buf_printf(path, e, USERS_PATH "?after=%s", next); /* a name needs no encoding */
}

static enum ctl_exit fetch_users(struct ctl *c, json_t *all)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;
	bool more = buf_append_str(&path, USERS_PATH, &e);

	while (more) {
		JSON_AUTO json_t *page = NULL;
		enum ctl_exit code = ctl_request(
			c, NULL, "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &page);

		if (code != CTL_DONE)
			return code;
		if (json_array_extend(all, json_object_get(page, "items")) != 0)
			return ctl_fail(c, "the service's answer is no list");
		if (!text_of(page, "next"))
			return CTL_DONE;
		more = next_page(&path, text_of(page, "next"), &e);
	}
	return ctl_fail(c, "%s", e.text);
}

enum ctl_exit users_list(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *all = json_array();
	enum ctl_exit code = fetch_users(c, all);
	json_t *user;
	size_t i;

	if (code != CTL_DONE)
		return code;
	if (c->output != CTL_JSON)
		json_array_foreach(all, i, user) describe_grants(user);
	return ctl_print_list(c, all, user_columns);
}

enum ctl_exit users_show(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code;

	if (!user_path(c, argv[0], "", &path))
		return CTL_FAILED;
	code = ctl_request(
		c, argv[0], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &reply);
	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}

enum ctl_exit users_add(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code;

	if (json_object_set_new(body, "name", json_string(argv[0])) != 0)
		return ctl_fail(c, "%s: no name", argv[0]);
	if (!add_options(c, body, grant_members))
		return CTL_USAGE;
	code = ctl_request_json(c, argv[0], "POST", USERS_PATH, body, &reply);
	return code == CTL_DONE ? print_secret(c, reply, "code") : code;
}

enum ctl_exit users_code(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code = change(c, argv[0], "code", body, &reply);

	return code == CTL_DONE ? print_secret(c, reply, "code") : code;
}

static enum ctl_exit change_grant(struct ctl *c, const char *user, const char *verb)
{
	JSON_AUTO json_t *body = json_object();

	if (!ctl_option(c, "role")) {
		ctl_fail(c, "say which --role");
		return CTL_USAGE;
	}
	return add_options(c, body, grant_members) ? change(c, user, verb, body, NULL) : CTL_USAGE;
}

enum ctl_exit users_grant(struct ctl *c, int argc, char **argv)
{
	return change_grant(c, argv[0], "grant");
}

enum ctl_exit users_ungrant(struct ctl *c, int argc, char **argv)
{
	return change_grant(c, argv[0], "ungrant");
}

static enum ctl_exit change_all(struct ctl *c, int argc, char **argv, const char *verb)
{
	JSON_AUTO json_t *body = json_object();
	struct ctl_tally tally = {0};

	for (int i = 0; i < argc; i++)
		ctl_tally_add(&tally, change(c, argv[i], verb, body, NULL));
	return ctl_tally_exit(&tally);
}

enum ctl_exit users_disable(struct ctl *c, int argc, char **argv)
{
	return change_all(c, argc, argv, "disable");
}

enum ctl_exit users_enable(struct ctl *c, int argc, char **argv)
{
	return change_all(c, argc, argv, "enable");
}

enum ctl_exit users_remove(struct ctl *c, int argc, char **argv)
{
	return change_all(c, argc, argv, "remove");
}

enum ctl_exit users_certificate(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf pem = BUF_INIT(PEM_LEN_MAX);
	JSON_AUTO json_t *body = json_object();
	struct err e = ERR_INIT;

	if (!file_read(argv[1], &pem, &e))
		return ctl_fail(c, "%s", e.text);
	if (json_object_set_new(body, "certificate", json_string(buf_str(&pem))) != 0)
		return ctl_fail(c, "%s: not PEM", argv[1]);
	if (ctl_option(c, "forget"))
		json_object_set_new(body, "remove", json_true());
	return change(c, argv[0], "certificate", body, NULL);
}

/* ---- Tokens ---- */

enum ctl_exit tokens_list(struct ctl *c, int argc, char **argv)
{
	return ctl_list(c, TOKENS_PATH, token_columns);
}

static bool add_days(struct ctl *c, json_t *body)
{
	const char *text = ctl_option(c, "days");
	char *end;
	long long days;

	if (!text)
		return true;
	errno = 0;
	days = strtoll(text, &end, 10);
	if (errno || end == text || *end) {
		ctl_fail(c, "--days %s: no number", text);
		return false;
	}
	return json_object_set_new(body, "days", json_integer(days)) == 0;
}

enum ctl_exit tokens_add(struct ctl *c, int argc, char **argv)
{
	static const char *const members[] = {"name", "user", "role", "site", "manufacturer", NULL};
	JSON_AUTO json_t *body = json_object();
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code;

	if (!ctl_option(c, "name")) {
		ctl_fail(c, "say what the token is called with --name");
		return CTL_USAGE;
	}
	if (!add_options(c, body, members) || !add_days(c, body))
		return CTL_USAGE;
	code = ctl_request_json(c, NULL, "POST", TOKENS_PATH, body, &reply);
	return code == CTL_DONE ? print_secret(c, reply, "token") : code;
}

static enum ctl_exit remove_token(struct ctl *c, const char *id, const json_t *body)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, TOKENS_PATH, &e) || !ctl_path_add(&path, id, &e) ||
		!buf_append_str(&path, "/remove", &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_request_json(c, id, "POST", buf_str(&path), body, NULL);
}

enum ctl_exit tokens_remove(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();
	struct ctl_tally tally = {0};

	for (int i = 0; i < argc; i++)
		ctl_tally_add(&tally, remove_token(c, argv[i], body));
	return ctl_tally_exit(&tally);
}
