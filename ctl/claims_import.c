/* SPDX-License-Identifier: Apache-2.0 */
/* claims import: the file as it is; the service reads it, and takes all of it or nothing. */
#include "ctl/claims_import.h"

#include <string.h>
#include <strings.h>

#include "common/base/file.h"

#define LIST_FILE_MAX (16 << 20) /* what the service takes */
#define IMPORT_PATH   "/api/v1/claims/import"

const struct ctl_option claims_import_options[] = {{"dry-run", NULL}, {NULL, NULL}};

static const struct ctl_column columns[] = {
	{"LINE", "line"},
	{"MANUFACTURER", "manufacturer"},
	{"SERIAL", "serial"},
	{"RESULT", "result"},
	{"REASON", "reason"},
	{NULL, NULL},
};

static const char *type_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	bool lines = dot && (strcasecmp(dot, ".ndjson") == 0 || strcasecmp(dot, ".jsonl") == 0);

	return lines ? "application/x-ndjson" : "text/csv";
}

static long long count_of(const json_t *summary, const char *name)
{
	return json_integer_value(json_object_get(summary, name));
}

/* On stderr, beside the results: what it amounts to. */
static void say(struct ctl *c, const char *path, const json_t *summary)
{
	const json_t *name;
	long long bad = count_of(summary, "bad");
	size_t i;

	json_array_foreach(json_object_get(summary, "label_columns"), i, name)
	{
		ctl_fail(c, "%s: column '%s' is kept as a label", path, json_string_value(name));
	}
	if (bad) {
		ctl_fail(c, "%s: %lld of %lld rows are bad; nothing was imported", path, bad,
			count_of(summary, "rows"));
		return;
	}
	ctl_fail(c,
		"%s: %lld rows: %lld preapproved, %lld approved, %lld unchanged, %lld rejected, "
		"%lld revoked, %lld announced%s",
		path, count_of(summary, "rows"), count_of(summary, "preapproved"),
		count_of(summary, "approved"), count_of(summary, "unchanged"),
		count_of(summary, "rejected"), count_of(summary, "revoked"),
		count_of(summary, "announced"),
		ctl_option(c, "dry-run") ? "; nothing was changed" : "");
}

enum ctl_exit claims_import(struct ctl *c, int argc, char **argv)
{
	const char *path = ctl_option(c, "dry-run") ? IMPORT_PATH "?dry_run=1" : IMPORT_PATH;
	BUF_AUTO struct buf text = BUF_INIT(LIST_FILE_MAX);
	JSON_AUTO json_t *reply = NULL;
	const json_t *summary;
	struct err e = ERR_INIT;
	enum ctl_exit code, printed;

	if (!file_read(argv[0], &text, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request(c, argv[0], "POST", path, type_of(argv[0]), buf_bytes(&text), &reply);
	if (!reply)
		return code;
	printed = ctl_print_list(c, json_object_get(reply, "results"), columns);
	summary = json_object_get(reply, "summary");
	say(c, argv[0], summary);
	if (printed != CTL_DONE)
		return printed;
	if (code != CTL_DONE)
		return code;
	return count_of(summary, "rejected") || count_of(summary, "revoked") ? CTL_PARTLY
									     : CTL_DONE;
}
