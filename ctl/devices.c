/* SPDX-License-Identifier: Apache-2.0 */
/* devices list, find, show, history, export. */
#include "ctl/devices.h"

#include <string.h>

#include "common/wire/percent.h"
#include "ctl/internal.h"

#define PATH_LEN_MAX 4096

const struct ctl_option devices_list_options[] = {
	{"state", "joining|active|expiring|expired|quarantined|revoked|"
		  "decommissioned|replaced|refused"},
	{"site", "PATH"}, {"match", "TEXT"}, {NULL, NULL}};
const struct ctl_option devices_find_options[] = {{"anywhere", NULL}, {NULL, NULL}};
const struct ctl_option devices_history_options[] = {{"after", "SEQUENCE"}, {NULL, NULL}};

const struct ctl_column devices_columns[] = {
	{"SERIAL", "serial"},
	{"ID", "id"},
	{"MANUFACTURER", "manufacturer"},
	{"STATE", "state"},
	{"SITE", "site"},
	{"MODEL", "model"},
	{"ENDS", "not_after"},
	{"ENROLLED", "enrolled"},
	{"LAST-SEEN", "last_seen"},
	{NULL, NULL},
};

/* All that a spreadsheet may want. */
static const struct ctl_column export_columns[] = {
	{"SERIAL", "serial"},
	{"MANUFACTURER", "manufacturer"},
	{"MODEL", "model"},
	{"STATE", "state"},
	{"SITE", "site"},
	{"LABELS", "labels"},
	{"ADDRESS", "address"},
	{"FIRST-SEEN", "first_seen"},
	{"LAST-SEEN", "last_seen"},
	{"ENROLLED", "enrolled"},
	{"ENDS", "not_after"},
	{"RETIRED", "retired"},
	{"HISTORY", "history"},
	{"REPLACES", "replaces"},
	{"REPLACED-BY", "replaced_by"},
	{NULL, NULL},
};

static const struct ctl_column history_columns[] = {
	{"SEQUENCE", "sequence"},
	{"TIME", "time"},
	{"BY", "by"},
	{"STEP", "step"},
	{"OUTCOME", "outcome"},
	{"REASON", "reason"},
	{NULL, NULL},
};

/* ---- Looking ---- */

static bool add_query(struct buf *path, const char *name, const char *value, struct err *e)
{
	return !value ||
	       (buf_printf(path, e, "%s%s=", strchr(buf_str(path), '?') ? "&" : "?", name) &&
		       percent_encode(bytes_of_str(value), path, e));
}

/* --match, --site and --state are one match. */
static bool put_match(struct ctl *c, struct buf *match, struct err *e)
{
	static const char *const keys[] = {"site", "state"};
	const char *text = ctl_option(c, "match");

	if (text && !buf_append_str(match, text, e))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (ctl_option(c, keys[i]) &&
			!buf_printf(match, e, "%s%s=%s", match->len ? "," : "", keys[i],
				ctl_option(c, keys[i])))
			return false;
	return true;
}

static enum ctl_exit list(struct ctl *c, const struct ctl_column *as)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX), match = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!put_match(c, &match, &e) || !buf_append_str(&path, DEVICES_PATH, &e) ||
		!add_query(&path, "match", match.len ? buf_str(&match) : NULL, &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), as);
}

enum ctl_exit devices_list(struct ctl *c, int argc, char **argv)
{
	return list(c, devices_columns);
}

enum ctl_exit devices_find(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, DEVICES_PATH "/find", &e) ||
		!add_query(&path, "text", argv[0], &e) ||
		!add_query(&path, "anywhere", ctl_option(c, "anywhere") ? "true" : NULL, &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), devices_columns);
}

enum ctl_exit devices_export(struct ctl *c, int argc, char **argv)
{
	if (c->output == CTL_TABLE)
		c->output = CTL_CSV;
	return list(c, export_columns);
}

bool devices_path(struct buf *path, const char *name, const char *what, struct err *e)
{
	return buf_append_str(path, DEVICES_PATH, e) && ctl_path_add(path, name, e) &&
	       (!what || ctl_path_add(path, what, e));
}

enum ctl_exit devices_show(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!devices_path(&path, argv[0], NULL, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(
		c, argv[0], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &reply);
	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}

enum ctl_exit devices_history(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!devices_path(&path, argv[0], "history", &e) ||
		!add_query(&path, "after", ctl_option(c, "after"), &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), history_columns);
}
