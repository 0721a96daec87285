/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of the service, as they are stored. */
#include "ctl/jobs.h"

#define JOBS_PATH    "/api/v1/jobs"
#define PATH_LEN_MAX 4096

static const struct ctl_column columns[] = {
	{"ID", "id"},
	{"KIND", "kind"},
	{"STATE", "state"},
	{"TOTAL", "total"},
	{"DONE", "done"},
	{"FAILED", "failed"},
	{"BY", "by"},
	{"BEGUN", "begun"},
	{"ENDED", "ended"},
	{"WHAT", "what"},
	{NULL, NULL},
};

enum ctl_exit jobs_list(struct ctl *c, int argc, char **argv)
{
	return ctl_list(c, JOBS_PATH, columns);
}

enum ctl_exit jobs_show(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *job = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!buf_append_str(&path, JOBS_PATH, &e) || !ctl_path_add(&path, argv[0], &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(c, argv[0], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &job);
	return code == CTL_DONE ? ctl_print_object(c, job) : code;
}
