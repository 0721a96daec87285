/* SPDX-License-Identifier: Apache-2.0 */
/* Claims decided about. One is decided about at once; several are shown first, and the service is
 * told how many that were, so that it decides about those or none. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/claims_impl.h"
#include "ctl/confirm.h"

#define JOBS_PATH "/api/v1/jobs"
#define POLL_US	  200000 /* between two looks at a job */

#define WHICH_OPTIONS                                                                              \
	{"match", "KEY=VALUE,…"}, {"file", "FILE"}, {"dry-run", NULL}, {"yes", NULL},              \
		{"change", NULL}, {"note", "TEXT"},                                                \
	{                                                                                          \
		"reason", "TEXT"                                                                   \
	}

const struct ctl_option claims_approve_options[] = {
	{"all", NULL}, WHICH_OPTIONS, {"site", "PATH"}, {"label", "NAME=VALUE"}, {NULL, NULL}};
const struct ctl_option claims_reject_options[] = {WHICH_OPTIONS, {NULL, NULL}};

static const struct ctl_column result_columns[] = {
	{"ID", "id"},
	{"SERIAL", "serial"},
	{"RESULT", "result"},
	{"DETAIL", "detail"},
	{NULL, NULL},
};

/* ---- What is decided ---- */

static bool add_label(json_t *labels, const char *label)
{
	const char *equals = strchr(label, '=');
	struct err e = ERR_INIT;
	FREE_AUTO char *name = equals ? str_dup_n(label, (size_t)(equals - label), &e) : NULL;

	return name && json_object_set_new(labels, name, json_string(equals + 1)) == 0;
}

static bool add_labels(struct ctl *c, json_t *body)
{
	JSON_AUTO json_t *labels = json_object();
	const char *label;
	size_t at = 0;

	while ((label = ctl_option_next(c, "label", &at)))
		if (!add_label(labels, label)) {
			ctl_fail(c, "a label is NAME=VALUE: %s", label);
			return false;
		}
	return json_object_size(labels) == 0 || json_object_set(body, "labels", labels) == 0;
}

/* NULL after saying what is wrong. */
static json_t *decision_body(struct ctl *c)
{
	const char *note = ctl_option(c, "note"), *site = ctl_option(c, "site");
	json_t *body = json_object();

	if (!note)
		note = ctl_option(c, "reason");
	if (note)
		json_object_set_new(body, "reason", json_string(note));
	if (site)
		json_object_set_new(body, "site", json_string(site));
	if (ctl_option(c, "change"))
		json_object_set_new(body, "change", json_true());
	if (add_labels(c, body))
		return body;
	json_decref(body);
	return NULL;
}

static enum ctl_exit decide_one(
	struct ctl *c, const char *name, const char *verb, const json_t *body)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!claims_path(&path, name, verb, &e))
		return ctl_fail(c, "%s: %s", name, e.text);
	code = ctl_request_json(c, name, "POST", buf_str(&path), body, &reply);
	if (code == CTL_DONE && json_object_get(reply, "detail"))
		ctl_fail(c, "%s: %s", name, ctl_text(reply, "detail"));
	return code;
}

/* ---- Many: what came of it ---- */

static enum ctl_exit exit_of(json_int_t done, json_int_t failed, const json_t *first)
{
	if (failed == 0)
		return CTL_DONE;
	if (done)
		return CTL_PARTLY;
	return strcmp(ctl_text(first, "result"), "not-found") == 0 ? CTL_NOT_FOUND : CTL_FAILED;
}

static bool item_failed(const json_t *item)
{
	static const char *const fine[] = {
		"approved", "preapproved", "approved-once", "rejected", "unchanged"};

	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		if (strcmp(ctl_text(item, "result"), fine[i]) == 0)
			return false;
	return true;
}

static enum ctl_exit say_results(struct ctl *c, const char *verb, const json_t *reply)
{
	const json_t *items = json_object_get(reply, "items"), *first = NULL, *item;
	const json_int_t failed = json_integer_value(json_object_get(reply, "failed"));
	const json_int_t total = (json_int_t)json_array_size(items);
	enum ctl_exit printed = ctl_print_list(c, items, result_columns);
	size_t i;

	json_array_foreach(items, i, item)
	{
		if (!first && item_failed(item))
			first = item;
	}
	ctl_fail(c, "%s: %lld of %lld changed, %lld failed", verb,
		(long long)json_integer_value(json_object_get(reply, "changed")), (long long)total,
		(long long)failed);
	return printed == CTL_DONE ? exit_of(total - failed, failed, first) : printed;
}

static bool has_ended(const json_t *job)
{
	const char *state = ctl_text(job, "state");

	return strcmp(state, "running") != 0 && strcmp(state, "waiting") != 0;
}

static enum ctl_exit say_job(struct ctl *c, const json_t *job)
{
	const json_t *failures = json_object_get(job, "failures");
	const json_int_t failed = json_integer_value(json_object_get(job, "failed"));
	const json_int_t done = json_integer_value(json_object_get(job, "done"));
	enum ctl_exit printed = CTL_DONE;

	if (json_array_size(failures))
		printed = ctl_print_list(c, failures, result_columns);
	ctl_fail(c, "job %lld %s: %lld of %lld done, %lld failed%s%s",
		(long long)json_integer_value(json_object_get(job, "id")), ctl_text(job, "state"),
		(long long)done, (long long)json_integer_value(json_object_get(job, "total")),
		(long long)failed, json_is_string(json_object_get(job, "reason")) ? ": " : "",
		json_is_string(json_object_get(job, "reason")) ? ctl_text(job, "reason") : "");
	if (printed != CTL_DONE)
		return printed;
	if (strcmp(ctl_text(job, "state"), "finished") != 0)
		return done ? CTL_PARTLY : CTL_FAILED;
	return exit_of(done, failed, json_array_get(failures, 0));
}

static void show_progress(const json_t *job)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%lld of %lld ",
			(long long)json_integer_value(json_object_get(job, "done")),
			(long long)json_integer_value(json_object_get(job, "total")));
}

enum ctl_exit claims_follow_job(struct ctl *c, const json_t *accepted)
{
	char path[sizeof(JOBS_PATH) + 24];

	snprintf(path, sizeof(path), JOBS_PATH "/%lld",
		(long long)json_integer_value(json_object_get(accepted, "id")));
	for (;;) {
		JSON_AUTO json_t *job = NULL;
		enum ctl_exit code = ctl_request(c, NULL, "GET", path, NULL, bytes_of("", 0), &job);

		if (code != CTL_DONE)
			return code;
		show_progress(job);
		if (has_ended(job)) {
			if (isatty(STDERR_FILENO))
				fputs("\r", stderr);
			return say_job(c, job);
		}
		usleep(POLL_US);
	}
}

static enum ctl_exit send_many(struct ctl *c, const char *verb, const json_t *body)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!claims_path(&path, verb, NULL, &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_request_json(c, NULL, "POST", buf_str(&path), body, &reply);
	if (code != CTL_DONE)
		return code;
	return json_object_get(reply, "job") ? claims_follow_job(c, reply)
					     : say_results(c, verb, reply);
}

/* ---- Many: which ---- */

static bool names_state(const char *match)
{
	return strncmp(match, "state=", strlen("state=")) == 0 || strstr(match, ",state=") ||
	       strstr(match, ", state=");
}

struct counter {
	json_int_t count;
};

static bool add_count(void *arg, const json_t *page, struct err *e)
{
	struct counter *n = arg;

	n->count += json_integer_value(json_object_get(page, "count"));
	return true;
}

/* How many a match means; and which, where a preview is wanted. */
static enum ctl_exit look_at_match(struct ctl *c, const char *match, json_t **items, size_t *count)
{
	BUF_AUTO struct buf path = BUF_INIT(PATH_LEN_MAX);
	struct counter n = {0};
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!claims_list_path(&path, CLAIMS_PATH, true, match, &e))
		return ctl_fail(c, "%s", e.text);
	if (ctl_wants_preview(c, 2)) {
		code = ctl_fetch(c, buf_str(&path), items);
		*count = json_array_size(*items);
		return code;
	}
	if (!buf_append_str(&path, "&count=true", &e))
		return ctl_fail(c, "%s", e.text);
	code = ctl_each_page(c, buf_str(&path), add_count, &n, &e);
	*count = (size_t)n.count;
	return code;
}

static enum ctl_exit decide_matching(
	struct ctl *c, const char *verb, const char *given, json_t *body)
{
	BUF_AUTO struct buf match = BUF_INIT(MATCH_LEN_MAX);
	JSON_AUTO json_t *items = NULL;
	size_t count = 0;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	if (!buf_append_str(&match, given, &e) ||
		(!names_state(given) && !buf_append_str(&match, ",state=pending", &e)))
		return ctl_fail(c, "%s", e.text);
	code = look_at_match(c, buf_str(&match), &items, &count);
	if (code != CTL_DONE)
		return code;
	if (count == 0) {
		ctl_fail(c, "no claims match");
		return CTL_NOT_FOUND;
	}
	if (!ctl_confirm(c, verb, "claims", count, items, claims_columns, &code))
		return code;
	json_object_set_new(body, "match", json_string(buf_str(&match)));
	json_object_set_new(body, "expected", json_integer((json_int_t)count));
	return send_many(c, verb, body);
}

/* All that wait, but those whose certificates were revoked: they come back by name only. */
static enum ctl_exit decide_all(struct ctl *c, const char *verb, json_t *body)
{
	JSON_AUTO json_t *waiting = NULL, *items = json_array();
	const json_t *item;
	enum ctl_exit code = ctl_fetch(c, CLAIMS_PATH "?state=pending&" PAGE, &waiting);
	size_t i;

	if (code != CTL_DONE)
		return code;
	json_array_foreach(waiting, i, item)
	{
		if (json_is_null(json_object_get(item, "retired")))
			json_array_append(items, (json_t *)(uintptr_t)item);
	}
	if (!ctl_confirm(c, verb, "claims", json_array_size(items), items, claims_columns, &code))
		return code;
	json_object_set_new(body, "all", json_true());
	return send_many(c, verb, body);
}

/* Those that are there; the service says of the others that they are not. */
static enum ctl_exit fetch_named(struct ctl *c, const json_t *names, json_t *items)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
	{
		json_t *claim = NULL;
		enum ctl_exit code = claims_get(c, json_string_value(name), &claim);

		if (code == CTL_DONE)
			json_array_append(items, claim);
		json_decref(claim);
		if (code != CTL_DONE && code != CTL_NOT_FOUND)
			return code;
	}
	return CTL_DONE;
}

static enum ctl_exit decide_named(struct ctl *c, const char *verb, json_t *names, json_t *body)
{
	const size_t count = json_array_size(names);
	JSON_AUTO json_t *items = json_array();
	enum ctl_exit code = CTL_DONE;

	if (ctl_wants_preview(c, count))
		code = fetch_named(c, names, items);
	if (code != CTL_DONE ||
		!ctl_confirm(c, verb, "claims", count, items, claims_columns, &code))
		return code;
	if (count == 1)
		return decide_one(c, json_string_value(json_array_get(names, 0)), verb, body);
	json_object_set(body, "ids", names);
	return send_many(c, verb, body);
}

static enum ctl_exit decide(struct ctl *c, int argc, char **argv, const char *verb)
{
	const char *match = ctl_option(c, "match");
	const bool all = ctl_option(c, "all") != NULL;
	JSON_AUTO json_t *names = NULL, *body = NULL;
	enum ctl_exit code;

	if ((argc > 0 || ctl_option(c, "file")) + all + (match != NULL) != 1) {
		ctl_fail(c,
			"name the claims by number or serial, or say which with --file, --match%s",
			strcmp(verb, "approve") == 0 ? " or --all" : "");
		return CTL_USAGE;
	}
	body = decision_body(c);
	if (!body)
		return CTL_USAGE;
	if (all)
		return decide_all(c, verb, body);
	if (match)
		return decide_matching(c, verb, match, body);
	names = ctl_names(c, argc, argv, &code);
	if (!names)
		return code;
	if (json_array_size(names))
		return decide_named(c, verb, names, body);
	ctl_fail(c, "no claims are named");
	return CTL_NOT_FOUND;
}

enum ctl_exit claims_approve(struct ctl *c, int argc, char **argv)
{
	return decide(c, argc, argv, "approve");
}

enum ctl_exit claims_reject(struct ctl *c, int argc, char **argv)
{
	return decide(c, argc, argv, "reject");
}
