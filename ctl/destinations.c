/* SPDX-License-Identifier: Apache-2.0 */
/* destinations list, registrar, est, configuration, remove. */
#include "ctl/destinations.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/wire/percent.h"

#define DIR_PATH     "/api/v1/destinations"
#define PATH_MAX_LEN 4096
#define PIN_FILE_MAX 65536

const struct ctl_option destinations_registrar_options[] = {
	{"weight", "N"}, {"region", "WORD"}, {NULL, NULL}};

static bool path_of(struct buf *path, const char *owner)
{
	struct err e = ERR_INIT;

	return buf_append_str(path, DIR_PATH, &e) && ctl_path_add(path, owner, &e);
}

enum ctl_exit destinations_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column columns[] = {{"URL", "url"}, {"KIND", "kind"},
		{"WEIGHT", "weight"}, {"REGION", "region"}, {"PIN", "pin"}, {NULL, NULL}};
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_LEN);

	return path_of(&path, argv[0]) ? ctl_list(c, buf_str(&path), columns)
				       : ctl_fail(c, "%s: too long", argv[0]);
}

/* Takes the body; NULL: some word is not text. */
static enum ctl_exit set(struct ctl *c, const char *owner, json_t *body)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_LEN);
	enum ctl_exit code = CTL_FAILED;

	if (!body || !path_of(&path, owner))
		ctl_fail(c, "%s: name or address is not text", owner);
	else
		code = ctl_request_json(c, owner, "POST", buf_str(&path), body, NULL);
	json_decref(body);
	return code;
}

enum ctl_exit destinations_registrar(struct ctl *c, int argc, char **argv)
{
	const char *weight = ctl_option(c, "weight"), *region = ctl_option(c, "region");
	json_t *body = json_pack("{ss ss}", "kind", "registrar", "url", argv[1]);
	char *end = NULL;
	long n = weight ? strtol(weight, &end, 10) : 1;

	if (weight && (!*weight || *end)) {
		json_decref(body);
		return ctl_fail(c, "--weight %s is not a number", weight);
	}
	if (body && ((weight && json_object_set_new(body, "weight", json_integer(n)) != 0) ||
			    (region && json_object_set_new(body, "region", json_string(region)) !=
					       0))) {
		json_decref(body);
		body = NULL;
	}
	return set(c, argv[0], body);
}

enum ctl_exit destinations_est(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf pem = BUF_INIT(PIN_FILE_MAX);
	struct err e = ERR_INIT;

	if (!file_read(argv[2], &pem, &e))
		return ctl_fail(c, "%s", e.text);
	return set(c, argv[0],
		json_pack("{ss ss ss}", "kind", "est", "url", argv[1], "pin", buf_str(&pem)));
}

enum ctl_exit destinations_configuration(struct ctl *c, int argc, char **argv)
{
	return set(c, argv[0], json_pack("{ss ss}", "kind", "configuration", "url", argv[1]));
}

enum ctl_exit destinations_remove(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX_LEN);
	BUF_AUTO struct buf url = BUF_INIT(PATH_MAX_LEN);
	struct err e = ERR_INIT;

	if (!path_of(&path, argv[0]) || !ctl_path_add(&url, argv[1], &e) ||
		!buf_printf(&path, &e, "?url=%s", buf_str(&url) + 1))
		return ctl_fail(c, "%s: too long", argv[1]);
	return ctl_request(
		c, argv[0], "DELETE", buf_str(&path), NULL, (struct bytes){NULL, 0}, NULL);
}
