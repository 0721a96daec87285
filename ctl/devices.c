/* SPDX-License-Identifier: Apache-2.0 */
/* devices list, find, show, history, export, and a request for each device something is done to. */
#include "ctl/devices.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "ctl/internal.h"

#define DEVICES_PATH "/api/v1/devices"
#define PATH_LEN_MAX 4096

const struct ctl_option devices_list_options[] = {
	{"state", "joining|active|expiring|expired|quarantined|revoked|"
		  "decommissioned|replaced|refused"},
	{"site", "PATH"}, {"match", "TEXT"}, {NULL, NULL}};
const struct ctl_option devices_find_options[] = {{"anywhere", NULL}, {NULL, NULL}};
const struct ctl_option devices_history_options[] = {{"after", "SEQUENCE"}, {NULL, NULL}};
const struct ctl_option devices_verb_options[] = {{"reason", "TEXT"}, {"note", "TEXT"},
	{"manufacturer", "NAME"}, {"dry-run", NULL}, {NULL, NULL}};
const struct ctl_option devices_move_options[] = {{"site", "PATH"}, {"reason", "TEXT"},
	{"note", "TEXT"}, {"manufacturer", "NAME"}, {"dry-run", NULL}, {NULL, NULL}};
const struct ctl_option devices_label_options[] = {{"set", "NAME=VALUE,…"}, {"remove", "NAME,…"},
	{"reason", "TEXT"}, {"note", "TEXT"}, {"manufacturer", "NAME"}, {"dry-run", NULL},
	{NULL, NULL}};
const struct ctl_option devices_replace_options[] = {{"with-manufacturer", "NAME"}, {"force", NULL},
	{"reason", "TEXT"}, {"note", "TEXT"}, {"manufacturer", "NAME"}, {"dry-run", NULL},
	{NULL, NULL}};

static const struct ctl_column columns[] = {
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
	return list(c, columns);
}

enum ctl_exit devices_find(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, DEVICES_PATH "/find", &e) ||
		!add_query(&path, "text", argv[0], &e) ||
		!add_query(&path, "anywhere", ctl_option(c, "anywhere") ? "true" : NULL, &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), columns);
}

enum ctl_exit devices_export(struct ctl *c, int argc, char **argv)
{
	if (c->output == CTL_TABLE)
		c->output = CTL_CSV;
	return list(c, export_columns);
}

static bool device_path(struct buf *path, const char *name, const char *what, struct err *e)
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

	if (!device_path(&path, argv[0], NULL, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(
		c, argv[0], "GET", buf_str(&path), NULL, (struct bytes){NULL, 0}, &reply);
	return code == CTL_DONE ? ctl_print_object(c, reply) : code;
}

enum ctl_exit devices_history(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!device_path(&path, argv[0], "history", &e) ||
		!add_query(&path, "after", ctl_option(c, "after"), &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), history_columns);
}

/* ---- Doing ---- */

static bool put_text(json_t *body, const char *member, const char *value)
{
	return !value || json_object_set_new(body, member, json_string(value)) == 0;
}

/* What every verb may say. */
static json_t *body_of(const struct ctl *c)
{
	json_t *body = json_object();
	const char *reason = ctl_option(c, "reason");

	if (body && put_text(body, "reason", reason ? reason : ctl_option(c, "note")) &&
		put_text(body, "manufacturer", ctl_option(c, "manufacturer")) &&
		(!ctl_option(c, "dry-run") ||
			json_object_set_new(body, "dry_run", json_true()) == 0))
		return body;
	json_decref(body);
	return NULL;
}

static enum ctl_exit act_on(
	struct ctl *c, const char *name, const char *verb, const json_t *body, json_t *done)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!device_path(&path, name, verb, &e))
		return ctl_fail(c, "%s: %s", name, e.text);
	code = ctl_request_json(c, name, "POST", buf_str(&path), body, &reply);
	if (code == CTL_DONE)
		json_array_append(done, reply);
	return code;
}

/* Each device by itself: what fails is said, the others are done. A dry run shows what is meant. */
static enum ctl_exit act(struct ctl *c, int argc, char **argv, const char *verb, json_t *body)
{
	JSON_AUTO json_t *done = json_array();
	struct ctl_tally tally = {0};
	enum ctl_exit shown = CTL_DONE;

	if (!body || !done)
		return ctl_fail(c, "no memory");
	for (int i = 0; i < argc; i++)
		ctl_tally_add(&tally, act_on(c, argv[i], verb, body, done));
	if (ctl_option(c, "dry-run") && json_array_size(done) > 0)
		shown = ctl_print_list(c, done, columns);
	return shown == CTL_DONE ? ctl_tally_exit(&tally) : shown;
}

static enum ctl_exit act_plainly(struct ctl *c, int argc, char **argv, const char *verb)
{
	JSON_AUTO json_t *body = body_of(c);

	return act(c, argc, argv, verb, body);
}

enum ctl_exit devices_quarantine(struct ctl *c, int argc, char **argv)
{
	return act_plainly(c, argc, argv, "quarantine");
}

enum ctl_exit devices_release(struct ctl *c, int argc, char **argv)
{
	return act_plainly(c, argc, argv, "release");
}

enum ctl_exit devices_clear_marks(struct ctl *c, int argc, char **argv)
{
	return act_plainly(c, argc, argv, "clear");
}

enum ctl_exit devices_revoke(struct ctl *c, int argc, char **argv)
{
	return act_plainly(c, argc, argv, "revoke");
}

enum ctl_exit devices_decommission(struct ctl *c, int argc, char **argv)
{
	return act_plainly(c, argc, argv, "decommission");
}

enum ctl_exit devices_replace(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = body_of(c);

	if (!body || !put_text(body, "with", argv[1]) ||
		!put_text(body, "with_manufacturer", ctl_option(c, "with-manufacturer")) ||
		(ctl_option(c, "force") && json_object_set_new(body, "force", json_true()) != 0))
		return ctl_fail(c, "%s: no serial-number", argv[1]);
	return act(c, 1, argv, "replace", body);
}

enum ctl_exit devices_move(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *body = body_of(c);

	if (!ctl_option(c, "site")) {
		ctl_fail(c, "say where to with --site");
		return CTL_USAGE;
	}
	if (!body || !put_text(body, "site", ctl_option(c, "site")))
		return ctl_fail(c, "%s: no site", ctl_option(c, "site"));
	return act(c, argc, argv, "move", body);
}

/* "a=1,b=2" as an object. */
static json_t *labels_of(const char *text)
{
	json_t *labels = json_object();

	while (labels && *text) {
		size_t len = strcspn(text, ","), name = strcspn(text, "=,");
		char key[256];

		if (name >= len || name == 0 || name >= sizeof(key)) {
			json_decref(labels);
			return NULL;
		}
		memcpy(key, text, name);
		key[name] = '\0';
		json_object_set_new(labels, key, json_stringn(text + name + 1, len - name - 1));
		text += len + (text[len] == ',');
	}
	return labels;
}

static json_t *names_of(const char *text)
{
	json_t *names = json_array();

	while (names && *text) {
		size_t len = strcspn(text, ",");

		json_array_append_new(names, json_stringn(text, len));
		text += len + (text[len] == ',');
	}
	return names;
}

enum ctl_exit devices_label(struct ctl *c, int argc, char **argv)
{
	const char *set = ctl_option(c, "set"), *gone = ctl_option(c, "remove");
	JSON_AUTO json_t *body = body_of(c);

	if (!set && !gone) {
		ctl_fail(c, "say --set NAME=VALUE or --remove NAME");
		return CTL_USAGE;
	}
	if (body && set && json_object_set_new(body, "set", labels_of(set)) != 0) {
		ctl_fail(c, "%s: labels are like rack=4,row=B", set);
		return CTL_USAGE;
	}
	if (body && gone && json_object_set_new(body, "remove", names_of(gone)) != 0)
		return ctl_fail(c, "no memory");
	return act(c, argc, argv, "label", body);
}
