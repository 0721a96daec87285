/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: looked at, watched, taken out as a list. */
#include "ctl/claims_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/wire/csv.h"
#include "common/wire/percent.h"

#define WATCH_US   1000000
#define EXPORT_MAX (4 << 20) /* one page as CSV */

const struct ctl_option claims_list_options[] = {
	{"state", "pending|approved|preapproved|announced|expired|rejected"},
	{"match", "KEY=VALUE,…"}, {"site", "PATH"}, {"manufacturer", "NAME"}, {"model", "NAME"},
	{"serial", "SERIAL"}, {"from", "ADDRESS/BITS"}, {"older-than", "TIME"}, {NULL, NULL}};
const struct ctl_option claims_watch_options[] = {{"seconds", "NUMBER"}, {NULL, NULL}};

const struct ctl_column claims_columns[] = {
	{"ID", "id"},
	{"SERIAL", "serial"},
	{"MANUFACTURER", "manufacturer"},
	{"MODEL", "model"},
	{"CLAIM", "claim"},
	{"STATE", "state"},
	{"SITE", "site"},
	{"FROM", "address"},
	{"LAST-SEEN", "last_seen"},
	{"UNTIL", "until"},
	{"REASON", "reason"},
	{NULL, NULL},
};

/* ---- Looking ---- */

/* --match and the options that are keys of it, as one. */
static bool match_of(const struct ctl *c, struct buf *out, struct err *e)
{
	static const char *const keys[] = {
		"state", "site", "manufacturer", "model", "serial", "from", "older-than"};
	const char *match = ctl_option(c, "match");

	if (match && !buf_append_str(out, match, e))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *value = ctl_option(c, keys[i]);

		if (value && !buf_printf(out, e, "%s%s=%s", out->len ? "," : "", keys[i], value))
			return false;
	}
	return true;
}

bool claims_list_path(
	struct buf *out, const char *path, bool given, const char *match, struct err *e)
{
	return buf_printf(out, e, "%s?" PAGE, path) &&
	       (!given || (buf_append_str(out, "&match=", e) &&
				  percent_encode(bytes_of_str(match), out, e)));
}

enum ctl_exit claims_list(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf match = BUF_INIT(MATCH_LEN_MAX), path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	if (!match_of(c, &match, &e) ||
		!claims_list_path(&path, CLAIMS_PATH, match.len || ctl_option(c, "match"),
			buf_str(&match), &e))
		return ctl_fail(c, "%s", e.text);
	return ctl_list(c, buf_str(&path), claims_columns);
}

bool claims_path(struct buf *out, const char *name, const char *verb, struct err *e)
{
	return buf_append_str(out, CLAIMS_PATH, e) && ctl_path_add(out, name, e) &&
	       (!verb || ctl_path_add(out, verb, e));
}

enum ctl_exit claims_get(struct ctl *c, const char *name, json_t **claim)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct err e = ERR_INIT;

	*claim = NULL;
	if (!claims_path(&path, name, NULL, &e))
		return ctl_fail(c, "%s: %s", name, e.text);
	return ctl_request(c, name, "GET", buf_str(&path), NULL, bytes_of("", 0), claim);
}

enum ctl_exit claims_show(struct ctl *c, int argc, char **argv)
{
	JSON_AUTO json_t *claim = NULL;
	enum ctl_exit code = claims_get(c, argv[0], &claim);

	return code == CTL_DONE ? ctl_print_object(c, claim) : code;
}

/* ---- Watching ---- */

static bool is_over(const json_t *claim)
{
	static const char *const ends[] = {"active", "refused", "revoked", "expiring"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (strcmp(ctl_text(claim, "state"), ends[i]) == 0)
			return true;
	return strcmp(ctl_text(claim, "claim"), "rejected") == 0;
}

static void print_change(const json_t *claim)
{
	printf("%s  claim %s  device %s  ", ctl_text(claim, "last_seen"), ctl_text(claim, "claim"),
		ctl_text(claim, "state"));
	ctl_put(stdout, ctl_text(claim, "reason"));
	putchar('\n');
	fflush(stdout);
}

/* A line for each change, until the device has joined or will not. */
enum ctl_exit claims_watch(struct ctl *c, int argc, char **argv)
{
	const char *seconds = ctl_option(c, "seconds");
	const int64_t end = seconds ? clock_mono_ms() + 1000 * strtoll(seconds, NULL, 10) : 0;
	json_int_t seen = -1;

	for (;;) {
		JSON_AUTO json_t *claim = NULL;
		enum ctl_exit code = claims_get(c, argv[0], &claim);
		json_int_t revision = json_integer_value(json_object_get(claim, "revision"));

		if (code != CTL_DONE)
			return code;
		if (revision != seen)
			print_change(claim);
		seen = revision;
		if (is_over(claim))
			return CTL_DONE;
		if (end && clock_mono_ms() >= end)
			return ctl_fail(c, "%s: not decided after %s seconds", argv[0], seconds);
		usleep(WATCH_US);
	}
}

/* ---- Export ---- */

static const char *const exported[] = {"manufacturer", "serial", "model", "site", "labels", "claim",
	"state", "reason", "by", "decided", "until", "address", "first_seen", "last_seen"};
#define EXPORTED_COUNT (sizeof(exported) / sizeof(*exported))

static bool put_claim(const json_t *claim, struct buf *out, struct err *e)
{
	const char *fields[EXPORTED_COUNT];
	char *labels = NULL;
	bool ok;

	for (size_t i = 0; i < EXPORTED_COUNT; i++) {
		const json_t *value = json_object_get(claim, exported[i]);

		if (json_is_object(value) && json_object_size(value))
			fields[i] = labels = json_dumps(value, JSON_COMPACT);
		else
			fields[i] = json_is_string(value) ? json_string_value(value) : "";
	}
	ok = csv_put(fields, EXPORTED_COUNT, out, e);
	free(labels);
	return ok;
}

static bool put_page(void *arg, const json_t *page, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(EXPORT_MAX);
	const json_t *claim;
	size_t i;

	json_array_foreach(json_object_get(page, "items"), i, claim)
	{
		if (!put_claim(claim, &text, e))
			return false;
	}
	return fputs(buf_str(&text), stdout) >= 0 || err_set_errno(e, ERR_IO, "the output");
}

enum ctl_exit claims_export(struct ctl *c, int argc, char **argv)
{
	BUF_AUTO struct buf match = BUF_INIT(MATCH_LEN_MAX), path = BUF_INIT(PATH_LEN_MAX),
			    header = BUF_INIT(1024);
	struct err e = ERR_INIT;

	if (!match_of(c, &match, &e) ||
		!claims_list_path(&path, CLAIMS_PATH, match.len, buf_str(&match), &e) ||
		!csv_put(exported, EXPORTED_COUNT, &header, &e))
		return ctl_fail(c, "%s", e.text);
	fputs(buf_str(&header), stdout);
	return ctl_each_page(c, buf_str(&path), put_page, NULL, &e);
}
