/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: see doctor.h. */
#include "ctl/doctor.h"

#include <string.h>

#define DOCTOR_PATH  "/api/v1/doctor"
#define PATH_LEN_MAX 2048

static const struct ctl_column columns[] = {
	{"CHECK", "check"},
	{"VERDICT", "verdict"},
	{"FOUND", "found"},
	{"NEXT", "next"},
	{NULL, NULL},
};

static bool has_failed(const json_t *items)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
	{
		const char *verdict = json_string_value(json_object_get(item, "verdict"));

		if (!verdict || strcmp(verdict, "fail") == 0)
			return true;
	}
	return json_array_size(items) == 0;
}

enum ctl_exit doctor(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	const json_t *items;
	enum ctl_exit code;

	if (!buf_append_str(&path, DOCTOR_PATH, &e) ||
		(argc > 0 && !ctl_path_add(&path, argv[0], &e)))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(c, argc > 0 ? argv[0] : NULL, "GET", buf_str(&path), NULL,
		(struct bytes){0}, &reply);
	if (code != CTL_DONE)
		return code;
	items = json_object_get(reply, "items");
	code = ctl_print_list(c, items, columns);
	return code == CTL_DONE && has_failed(items) ? CTL_FAILED : code;
}
