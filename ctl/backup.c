/* SPDX-License-Identifier: Apache-2.0 */
/* backup: the daemon writes the file, because it may be larger than what fits into an answer, and
 * takes as long as it takes. */
#include "ctl/backup.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BACKUPS_PATH "/api/v1/backups"
#define POLL_MS	     200

/* What the daemon is told does not depend on where we are. */
static bool absolute(const char *file, struct buf *out, struct err *e)
{
	char here[PATH_MAX];

	if (file[0] == '/')
		return buf_append_str(out, file, e);
	if (!getcwd(here, sizeof(here)))
		return err_set_errno(e, ERR_IO, "the current directory");
	return buf_printf(out, e, "%s/%s", here, file);
}

static const char *member(const json_t *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply, name));

	return text ? text : "";
}

static bool is_running(const json_t *reply, json_int_t id)
{
	return json_integer_value(json_object_get(reply, "id")) == id &&
	       strcmp(member(reply, "state"), "running") == 0;
}

static enum ctl_exit report(struct ctl *c, const char *path, const json_t *reply, json_int_t id)
{
	if (json_integer_value(json_object_get(reply, "id")) != id)
		return ctl_fail(c, "%s: the service was started anew meanwhile", path);
	if (strcmp(member(reply, "state"), "done") != 0)
		return ctl_fail(c, "%s", member(reply, "reason"));
	printf("%s: %lld octets\n", path,
		(long long)json_integer_value(json_object_get(reply, "octets")));
	return CTL_DONE;
}

static enum ctl_exit follow(struct ctl *c, const char *path, json_int_t id)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	enum ctl_exit code;

	for (;;) {
		JSON_AUTO json_t *reply = NULL;

		code = ctl_request(c, path, "GET", BACKUPS_PATH, NULL, (struct bytes){0}, &reply);
		if (code != CTL_DONE)
			return code;
		if (!is_running(reply, id))
			return report(c, path, reply, id);
		nanosleep(&pause, NULL);
	}
}

enum ctl_exit backup(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_MAX);
	JSON_AUTO json_t *body = NULL;
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!absolute(argv[0], &path, &e))
		return ctl_fail(c, "%s", e.text);
	body = json_pack("{ss}", "path", buf_str(&path));
	if (!body)
		return ctl_fail(c, "%s: the name is not UTF-8", argv[0]);
	code = ctl_request_json(c, argv[0], "POST", BACKUPS_PATH, body, &reply);
	if (code != CTL_DONE)
		return code;
	return follow(c, buf_str(&path), json_integer_value(json_object_get(reply, "id")));
}
