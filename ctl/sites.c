/* SPDX-License-Identifier: Apache-2.0 */
/* sites list, add, set, remove. */
#include "ctl/sites.h"

#include <stdlib.h>
#include <string.h>

#define SITES_PATH "/api/v1/sites"

const struct ctl_option sites_change_options[] = {{"name", "TEXT"}, {"note", "TEXT"},
	{"approvers", "1|2"}, {"unknown", "hold|reject"}, {NULL, NULL}};

static const struct ctl_column columns[] = {
	{"PATH", "path"},
	{"NAME", "name"},
	{"DEVICES", "devices"},
	{"BELOW", "below"},
	{"APPROVERS", "approvers"},
	{"UNKNOWN", "unknown"},
	{"NOTE", "note"},
	{NULL, NULL},
};

enum ctl_exit sites_list(struct ctl *c, int argc, char **argv)
{
	return ctl_list(c, SITES_PATH, columns);
}

static json_t *body_of(const struct ctl *c, const char *path)
{
	static const char *const texts[] = {"name", "note", "unknown"};
	json_t *body = json_pack("{ss}", "path", path);
	const char *approvers = ctl_option(c, "approvers");

	for (size_t i = 0; body && i < sizeof(texts) / sizeof(*texts); i++)
		if (ctl_option(c, texts[i]))
			json_object_set_new(body, texts[i], json_string(ctl_option(c, texts[i])));
	if (body && approvers)
		json_object_set_new(body, "approvers",
			strlen(approvers) == 1 ? json_integer(approvers[0] - '0') : json_null());
	return body;
}

static enum ctl_exit change(struct ctl *c, const char *path, const char *route)
{
	JSON_AUTO json_t *body = body_of(c, path), *reply = NULL;
	enum ctl_exit code;

	if (!body)
		return ctl_fail(c, "%s: no site", path);
	code = ctl_request_json(c, path, "POST", route, body, &reply);
	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}

enum ctl_exit sites_add(struct ctl *c, int argc, char **argv)
{
	return change(c, argv[0], SITES_PATH "/add");
}

enum ctl_exit sites_set(struct ctl *c, int argc, char **argv)
{
	return change(c, argv[0], SITES_PATH "/set");
}

enum ctl_exit sites_remove(struct ctl *c, int argc, char **argv)
{
	struct ctl_tally tally = {0};

	for (int i = 0; i < argc; i++) {
		JSON_AUTO json_t *body = json_pack("{ss}", "path", argv[i]);

		ctl_tally_add(&tally, body ? ctl_request_json(c, argv[i], "POST",
						     SITES_PATH "/remove", body, NULL)
					   : ctl_fail(c, "%s: no site", argv[i]));
	}
	return ctl_tally_exit(&tally);
}
