/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to devices: a request for each. Several are shown first, as the service would have
 * them, and only those that were shown are changed. */
#include "ctl/devices.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/percent.h"
#include "ctl/confirm.h"

#define PATH_LEN_MAX 4096

#define VERB_OPTIONS                                                                               \
	{"reason", "TEXT"}, {"note", "TEXT"}, {"manufacturer", "NAME"},                            \
	{                                                                                          \
		"dry-run", NULL                                                                    \
	}
#define WHICH_OPTIONS                                                                              \
	{"match", "KEY=VALUE,…"}, {"file", "FILE"},                                                \
	{                                                                                          \
		"yes", NULL                                                                        \
	}

const struct ctl_option devices_verb_options[] = {VERB_OPTIONS, WHICH_OPTIONS, {NULL, NULL}};
const struct ctl_option devices_move_options[] = {
	{"site", "PATH"}, VERB_OPTIONS, WHICH_OPTIONS, {NULL, NULL}};
const struct ctl_option devices_label_options[] = {
	{"set", "NAME=VALUE,…"}, {"remove", "NAME,…"}, VERB_OPTIONS, WHICH_OPTIONS, {NULL, NULL}};
const struct ctl_option devices_replace_options[] = {
	{"with-manufacturer", "NAME"}, {"force", NULL}, VERB_OPTIONS, {NULL, NULL}};

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
		put_text(body, "manufacturer", ctl_option(c, "manufacturer")))
		return body;
	json_decref(body);
	return NULL;
}

/* ---- Which devices ---- */

/* Something that is done to devices, and what of it is done already. */
struct act {
	struct ctl *c;
	const char *verb;
	json_t *body;
	struct ctl_tally tally;
	json_t *done; /* the devices as they are now */
};

/* A target is a device as the service showed it, or a name as somebody typed it. */
static const char *name_of(const json_t *target)
{
	const char *serial = json_string_value(
		json_is_string(target) ? target : json_object_get(target, "serial"));

	return serial ? serial : "-";
}

static bool target_path(const struct act *a, const json_t *target, struct buf *path, struct err *e)
{
	char id[24];

	snprintf(id, sizeof(id), "%lld",
		(long long)json_integer_value(json_object_get(target, "id")));
	return devices_path(path, json_is_string(target) ? name_of(target) : id, a->verb, e);
}

/* What was shown has to be what is changed: the service compares the revision. */
static enum ctl_exit act_on(struct act *a, const json_t *target)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!target_path(a, target, &path, &e))
		return ctl_fail(a->c, "%s: %s", name_of(target), e.text);
	code = ctl_change_json(a->c, name_of(target), buf_str(&path),
		json_integer_value(json_object_get(target, "revision")), a->body, &reply);
	if (code == CTL_DONE)
		json_array_append(a->done, reply);
	return code;
}

static void act_on_each(struct act *a, const json_t *targets)
{
	const json_t *target;
	size_t i;

	json_array_foreach(targets, i, target)
	{
		ctl_tally_add(&a->tally, act_on(a, target));
	}
}

/* The service is asked what it would do; what it refuses is said, and is left out. */
static bool rehearse(struct act *a, const json_t *targets)
{
	return json_object_set_new(a->body, "dry_run", json_true()) == 0 &&
	       (act_on_each(a, targets), json_object_del(a->body, "dry_run")) == 0;
}

static enum ctl_exit act_on_all(struct act *a, const json_t *targets)
{
	const bool looks = ctl_wants_preview(a->c, json_array_size(targets));
	JSON_AUTO json_t *agreed = NULL;
	enum ctl_exit code = CTL_DONE;
	size_t count = json_array_size(targets);

	if (looks) {
		if (!rehearse(a, targets))
			return ctl_fail(a->c, "no memory");
		agreed = a->done;
		a->done = json_array();
		a->tally.done = 0;
		targets = agreed;
		count = json_array_size(agreed);
		if (count == 0)
			return ctl_tally_exit(&a->tally);
	}
	if (!ctl_confirm(a->c, a->verb, "devices", count, targets, devices_columns, &code)) {
		a->tally.done = count;
		return code == CTL_DONE ? ctl_tally_exit(&a->tally) : code;
	}
	act_on_each(a, targets);
	return ctl_tally_exit(&a->tally);
}

static enum ctl_exit fetch_matching(struct ctl *c, const char *match, json_t **targets)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!buf_append_str(&path, DEVICES_PATH "?limit=1000&match=", &e) ||
		!percent_encode(bytes_of_str(match), &path, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_fetch(c, buf_str(&path), targets);
	if (code != CTL_DONE || json_array_size(*targets))
		return code;
	ctl_fail(c, "no devices match");
	return CTL_NOT_FOUND;
}

static enum ctl_exit find_targets(struct ctl *c, int argc, char **argv, json_t **targets)
{
	const char *match = ctl_option(c, "match");
	enum ctl_exit code;

	*targets = NULL;
	if ((argc > 0 || ctl_option(c, "file")) + (match != NULL) != 1) {
		ctl_fail(c, "name the devices by number or serial, or say which with --file or "
			    "--match");
		return CTL_USAGE;
	}
	if (match)
		return fetch_matching(c, match, targets);
	*targets = ctl_names(c, argc, argv, &code);
	if (*targets && json_array_size(*targets) == 0) {
		ctl_fail(c, "no devices are named");
		return CTL_NOT_FOUND;
	}
	return code;
}

/* Each device by itself: what fails is said, the others are done. */
static enum ctl_exit act(struct ctl *c, int argc, char **argv, const char *verb, json_t *body)
{
	struct act a = {.c = c, .verb = verb, .body = body, .done = json_array()};
	JSON_AUTO json_t *targets = NULL;
	enum ctl_exit code = CTL_DONE;

	if (!body || !a.done)
		code = ctl_fail(c, "no memory");
	if (code == CTL_DONE)
		code = find_targets(c, argc, argv, &targets);
	if (code == CTL_DONE)
		code = act_on_all(&a, targets);
	json_decref(a.done);
	return code;
}

/* ---- The verbs ---- */

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
