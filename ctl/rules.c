/* SPDX-License-Identifier: Apache-2.0 */
/* rules list, add, remove, move, test: the service judges, this asks. */
#include "ctl/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "ctl/internal.h"

#define RULES_PATH   "/api/v1/rules"
#define PATH_LEN_MAX 4096

const struct ctl_option rules_add_options[] = {{"manufacturer", "NAME"}, {"serial", "LIST"},
	{"model", "LIST"}, {"site", "SITE"}, {"label", "NAME=VALUE"}, {"network", "ADDRESS/BITS"},
	{"not-before", "TIME"}, {"not-after", "TIME"}, {"remaining", "NUMBER"}, {"reason", "TEXT"},
	{"position", "NUMBER"}, {NULL, NULL}};
const struct ctl_option rules_test_options[] = {
	{"manufacturer", "NAME"}, {"model", "MODEL"}, {"from", "ADDRESS"}, {NULL, NULL}};

static const struct ctl_column columns[] = {
	{"POSITION", "position"},
	{"ID", "id"},
	{"ACTION", "action"},
	{"ENABLED", "enabled"},
	{"MANUFACTURER", "manufacturer"},
	{"MODEL", "model"},
	{"SERIAL", "serial"},
	{"NETWORK", "network"},
	{"NOT-BEFORE", "not_before"},
	{"NOT-AFTER", "not_after"},
	{"REMAINING", "remaining"},
	{"SITE", "site"},
	{"LABELS", "labels"},
	{"REASON", "reason"},
	{NULL, NULL},
};

/* Options and the members they become. */
static const struct {
	const char *option, *member;
	bool number;
} members[] = {
	{"manufacturer", "manufacturer", false},
	{"serial", "serial", false},
	{"model", "model", false},
	{"site", "site", false},
	{"network", "network", false},
	{"not-before", "not_before", false},
	{"not-after", "not_after", false},
	{"remaining", "remaining", true},
	{"reason", "reason", false},
	{"position", "position", true},
};

/* In a table what no rule matches stands at the end; for programs the list is of rules only. */
enum ctl_exit rules_list(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *reply = NULL;
	json_t *items;
	enum ctl_exit code;

	code = ctl_request(c, NULL, "GET", RULES_PATH, NULL, (struct bytes){NULL, 0}, &reply);
	if (code != CTL_DONE)
		return code;
	items = json_object_get(reply, "items");
	if (c->output == CTL_TABLE &&
		json_array_extend(items, json_object_get(reply, "default")) != 0)
		return ctl_fail(c, "no memory");
	return ctl_print_list(c, items, columns);
}

static bool add_labels(struct ctl *c, json_t *body)
{
	JSON_AUTO json_t *labels = json_object();
	const char *label;
	size_t at = 0;

	while ((label = ctl_option_next(c, "label", &at))) {
		const char *equals = strchr(label, '=');

		if (!equals || json_object_setn_new(labels, label, (size_t)(equals - label),
				       json_string(equals + 1)) != 0) {
			ctl_fail(c, "a label is NAME=VALUE: %s", label);
			return false;
		}
	}
	return json_object_size(labels) == 0 || json_object_set(body, "labels", labels) == 0;
}

static json_t *number_of(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return errno || end == text || *end ? NULL : json_integer(n);
}

static bool add_member(struct ctl *c, json_t *body, const char *name, const char *text, bool number)
{
	json_t *value = number ? number_of(text) : json_string(text);

	if (value && json_object_set_new(body, name, value) == 0)
		return true;
	ctl_fail(c, "%s: no %s: %s", name, number ? "number" : "text", text);
	return false;
}

static enum ctl_exit post(struct ctl *c, const char *path, const json_t *body)
{
	JSON_AUTO json_t *reply = NULL;
	enum ctl_exit code = ctl_request_json(c, NULL, "POST", path, body, &reply);

	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}

enum ctl_exit rules_add(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_pack("{ss}", "action", argv[0]);

	if (!body)
		return ctl_fail(c, "%s: no such action", argv[0]);
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		const char *value = ctl_option(c, members[i].option);

		if (value && !add_member(c, body, members[i].member, value, members[i].number))
			return CTL_USAGE;
	}
	if (!add_labels(c, body))
		return CTL_USAGE;
	return post(c, RULES_PATH, body);
}

static enum ctl_exit change(struct ctl *c, const char *id, const char *verb, const json_t *body)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, RULES_PATH, &e) || !ctl_path_add(&path, id, &e) ||
		!ctl_path_add(&path, verb, &e))
		return ctl_fail(c, "%s", e.text);
	return post(c, buf_str(&path), body);
}

enum ctl_exit rules_remove(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	return change(c, argv[0], "remove", body);
}

enum ctl_exit rules_enable(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	return change(c, argv[0], "enable", body);
}

enum ctl_exit rules_disable(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	return change(c, argv[0], "disable", body);
}

enum ctl_exit rules_move(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = json_object();

	if (!add_member(c, body, "position", argv[1], true))
		return CTL_USAGE;
	return change(c, argv[0], "move", body);
}

static bool add_query(struct buf *path, const char *name, const char *value, struct err *e)
{
	return !value ||
	       (buf_printf(path, e, "&%s=", name) && percent_encode(bytes_of_str(value), path, e));
}

enum ctl_exit rules_test(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!buf_append_str(&path, RULES_PATH "/test?serial=", &e) ||
		!percent_encode(bytes_of_str(argv[0]), &path, &e) ||
		!add_query(&path, "manufacturer", ctl_option(c, "manufacturer"), &e) ||
		!add_query(&path, "model", ctl_option(c, "model"), &e) ||
		!add_query(&path, "address", ctl_option(c, "from"), &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(
		c, argv[0], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &reply);
	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}
