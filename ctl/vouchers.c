/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers without a nonce are fetched while the MASA can be reached, for devices that will ask
 * when it cannot. */
#include "ctl/vouchers.h"

#include <string.h>

#include "ctl/claims_impl.h"
#include "ctl/confirm.h"

#define VOUCHERS_PATH "/api/v1/vouchers"
#define AHEAD_PATH    VOUCHERS_PATH "/ahead"

const struct ctl_option vouchers_list_options[] = {{"ahead", NULL}, {NULL, NULL}};
const struct ctl_option vouchers_fetch_options[] = {{"file", "FILE"}, {"match", "KEY=VALUE,…"},
	{"manufacturer", "NAME"}, {"masa-url", "URL"}, {"constrained", NULL}, {"again", NULL},
	{NULL, NULL}};
const struct ctl_option vouchers_drop_options[] = {{"file", "FILE"}, {NULL, NULL}};

enum ctl_exit vouchers_list(struct ctl *c, int argc, char **argv)
{
	static const struct ctl_column delivered[] = {
		{"DEVICE", "device_serial"},
		{"MANUFACTURER", "manufacturer"},
		{"SITE", "site"},
		{"ISSUED", "issued"},
		{"TYPE", "type"},
		{NULL, NULL},
	};
	static const struct ctl_column ahead[] = {
		{"ID", "id"},
		{"DEVICE", "device_serial"},
		{"MANUFACTURER", "manufacturer"},
		{"FETCHED", "fetched"},
		{"ENDS", "until"},
		{"USED", "used"},
		{"CHECKED", "history_checked"},
		{"BY", "by"},
		{NULL, NULL},
	};

	return ctl_option(c, "ahead") ? ctl_list(c, AHEAD_PATH, ahead)
				      : ctl_list(c, VOUCHERS_PATH, delivered);
}

static bool put_text(json_t *body, const char *member, const char *value)
{
	return !value || json_object_set_new(body, member, json_string(value)) == 0;
}

static bool put_flag(json_t *body, const char *member, const char *given)
{
	return !given || json_object_set_new(body, member, json_true()) == 0;
}

enum ctl_exit vouchers_fetch(struct ctl *c, int argc, char **argv)
{
	const char *match = ctl_option(c, "match");
	JSON_AUTO json_t *body = json_object(), *names = NULL, *reply = NULL;
	enum ctl_exit code = CTL_DONE;

	if ((argc > 0 || ctl_option(c, "file")) + (match != NULL) != 1) {
		ctl_fail(c, "name the devices by serial, or say which with --file or --match");
		return CTL_USAGE;
	}
	if (!match) {
		names = ctl_names(c, argc, argv, &code);
		if (!names)
			return code;
		json_object_set(body, "serials", names);
	}
	if (!put_text(body, "match", match) ||
		!put_text(body, "manufacturer", ctl_option(c, "manufacturer")) ||
		!put_text(body, "masa_url", ctl_option(c, "masa-url")) ||
		!put_flag(body, "constrained", ctl_option(c, "constrained")) ||
		!put_flag(body, "again", ctl_option(c, "again")))
		return ctl_fail(c, "an option is not UTF-8");
	code = ctl_request_json(c, NULL, "POST", AHEAD_PATH "/fetch", body, &reply);
	return code == CTL_DONE ? claims_follow_job(c, reply) : code;
}

static enum ctl_exit drop(struct ctl *c, const char *name)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL, *body = json_object();
	struct err e = ERR_INIT;

	if (!buf_append_str(&path, AHEAD_PATH, &e) || !ctl_path_add(&path, name, &e) ||
		!ctl_path_add(&path, "drop", &e))
		return ctl_fail(c, "%s: %s", name, e.text);
	return ctl_request_json(c, name, "POST", buf_str(&path), body, &reply);
}

enum ctl_exit vouchers_drop(struct ctl *c, int argc, char **argv)
{
	enum ctl_exit code, worst = CTL_DONE;
	JSON_AUTO json_t *names = ctl_names(c, argc, argv, &code);
	const json_t *name;
	size_t i, failed = 0;

	if (!names)
		return code;
	if (json_array_size(names) == 0) {
		ctl_fail(c, "name the vouchers by number or serial, or say which with --file");
		return CTL_USAGE;
	}
	json_array_foreach(names, i, name)
	{
		code = drop(c, json_string_value(name));
		failed += code != CTL_DONE;
		worst = code == CTL_DONE ? worst : code;
	}
	return failed && failed < json_array_size(names) ? CTL_PARTLY : worst;
}
