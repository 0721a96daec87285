/* SPDX-License-Identifier: Apache-2.0 */
/* hooks list, add, test, remove, enable, disable, dead. */
#include "ctl/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"

#define HOOKS_PATH   "/api/v1/hooks"
#define PATH_LEN_MAX 512
#define ANCHORS_MAX  32768

const struct ctl_option hooks_add_options[] = {
	{"type", "TYPES"}, {"anchors", "FILE"}, {NULL, NULL}};
const struct ctl_option hooks_enable_options[] = {{"skip", NULL}, {NULL, NULL}};
const struct ctl_option hooks_dead_options[] = {
	{"retry", "SEQUENCE|all"}, {"drop", "SEQUENCE|all"}, {NULL, NULL}};

static const struct ctl_column columns[] = {
	{"ID", "id"},
	{"URL", "url"},
	{"TYPES", "types"},
	{"ENABLED", "enabled"},
	{"SEQUENCE", "sequence"},
	{"DELIVERED", "delivered"},
	{"FAILING-SINCE", "failing_since"},
	{"DEAD", "dead"},
	{"FAILURE", "failure"},
	{NULL, NULL},
};

static const struct ctl_column dead_columns[] = {
	{"SEQUENCE", "sequence"},
	{"TIME", "time"},
	{"TRIES", "tries"},
	{"RETRYING", "retrying"},
	{"REASON", "reason"},
	{NULL, NULL},
};

enum ctl_exit hooks_list(struct ctl *c, int argc, char **argv)
{
	return ctl_list(c, HOOKS_PATH, columns);
}

static enum ctl_exit post(struct ctl *c, const char *path, const json_t *body, bool show)
{
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code = ctl_request_json(c, NULL, "POST", path, body, &reply);

	return code == CTL_DONE && show ? ctl_print_object(c, reply) : code;
}

static bool add_anchors(json_t *body, const char *file, struct err *e)
{
	BUF_AUTO struct buf pem = BUF_INIT(ANCHORS_MAX);

	if (!file)
		return true;
	if (!file_read(file, &pem, e))
		return false;
	return json_object_set_new(body, "anchors", json_string(buf_str(&pem))) == 0 ||
	       err_set(e, ERR_INPUT, "%s: no text", file);
}

enum ctl_exit hooks_add(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body =
		json_pack("{ss ss*}", "url", argv[0], "types", ctl_option(c, "type"));
	struct err e = ERR_INIT;

	if (!body)
		return ctl_fail(c, "%s: no URL", argv[0]);
	if (!add_anchors(body, ctl_option(c, "anchors"), &e))
		return ctl_fail(c, "%s", e.text);
	return post(c, HOOKS_PATH, body, true);
}

static enum ctl_exit change(
	struct ctl *c, const char *id, const char *verb, const json_t *body, bool show)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, HOOKS_PATH, &e) || !ctl_path_add(&path, id, &e) ||
		!buf_append_str(&path, verb, &e))
		return ctl_fail(c, "%s", e.text);
	return post(c, buf_str(&path), body, show);
}

/* Ends with 1 when the receiver did not take it. */
enum ctl_exit hooks_test(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *body = json_object();
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!buf_append_str(&path, HOOKS_PATH, &e) || !ctl_path_add(&path, argv[0], &e) ||
		!buf_append_str(&path, "/test", &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request_json(c, argv[0], "POST", buf_str(&path), body, &reply);
	if (code == CTL_DONE)
		code = ctl_print_object(c, reply);
	if (code == CTL_DONE && !json_is_true(json_object_get(reply, "taken")))
		code = CTL_FAILED;
	return code;
}

enum ctl_exit hooks_remove(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	return change(c, argv[0], "/remove", body, false);
}

enum ctl_exit hooks_enable(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_pack("{sb}", "skip", ctl_option(c, "skip") != NULL);

	return change(c, argv[0], "/enable", body, false);
}

enum ctl_exit hooks_disable(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	return change(c, argv[0], "/disable", body, false);
}

static json_t *letters(const char *which)
{
	char *end;
	long long n;

	if (strcmp(which, "all") == 0)
		return json_pack("{sb}", "all", 1);
	errno = 0;
	n = strtoll(which, &end, 10);
	return errno || end == which || *end ? NULL : json_pack("{sI}", "sequence", (json_int_t)n);
}

enum ctl_exit hooks_dead(struct ctl *c, int argc, char **argv)
{
	const char *retry = ctl_option(c, "retry"), *drop = ctl_option(c, "drop");
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *body = retry || drop ? letters(retry ? retry : drop) : NULL;
	struct err e = ERR_INIT;

	if ((retry && drop) || ((retry || drop) && !body)) {
		ctl_fail(c, "--retry or --drop takes a sequence, or all");
		return CTL_USAGE;
	}
	if (body)
		return change(c, argv[0], retry ? "/dead/retry" : "/dead/drop", body, true);
	if (!buf_append_str(&path, HOOKS_PATH, &e) || !ctl_path_add(&path, argv[0], &e) ||
		!buf_append_str(&path, "/dead", &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), dead_columns);
}
