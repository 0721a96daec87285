/* SPDX-License-Identifier: Apache-2.0 */
/* audit list, export, verify. */
#include "ctl/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "common/wire/hex.h"
#include "ctl/audit_check.h"
#include "ctl/internal.h"

#define PATH_LEN     64
#define PAGE	     1000
#define SHOWN	     50 /* lines of audit list, when nothing else is said */
#define LINE_MAX_LEN (1 << 20)

const struct ctl_option audit_list_options[] = {
	{"after", "SEQUENCE"}, {"last", "NUMBER"}, {NULL, NULL}};
const struct ctl_option audit_verify_options[] = {
	{"anchors", "FILE"}, {"expect", "SEQUENCE:HASH"}, {NULL, NULL}};

struct audit_log {
	const struct audit_form *form;
	const char *path; /* of its lines; below it heads, seal and anchors */
	const struct ctl_column *columns;
};

static const struct ctl_column registrar_columns[] = {
	{"SEQUENCE", "sequence"},
	{"TIME", "time"},
	{"MANUFACTURER", "manufacturer"},
	{"SERIAL", "serial"},
	{"BY", "by"},
	{"STEP", "step"},
	{"OUTCOME", "outcome"},
	{"REASON", "reason"},
	{NULL, NULL},
};
const struct audit_log audit_log_of_registrar = {
	&audit_form_registrar, "/api/v1/audit", registrar_columns};

static const struct ctl_column masa_columns[] = {
	{"SEQUENCE", "sequence"},
	{"TIME", "time"},
	{"SERIAL", "serial"},
	{"ASSERTION", "assertion"},
	{"NONCE", "nonce"},
	{"DOMAIN ID", "domainID"},
	{"REGISTRAR", "registrar"},
	{"EXPIRES", "expires_on"},
	{NULL, NULL},
};
const struct audit_log audit_log_of_masa = {&audit_form_masa, "/api/v1/audit-log", masa_columns};

/* Of the program's log: the lines with "", else "/heads" … */
static const char *path_of(const struct ctl *c, const char *below, char out[PATH_LEN])
{
	snprintf(out, PATH_LEN, "%s%s", c->program->audit->path, below);
	return out;
}

/* ---- From the service ---- */

typedef enum ctl_exit item_fn(struct ctl *c, const json_t *item, void *arg);

/* Each item of a list, page by page, so that a long log needs little memory. */
static enum ctl_exit each_item(struct ctl *c, const char *below, item_fn *fn, void *arg)
{
	char after[32] = "0", url[160], path[PATH_LEN];
	enum ctl_exit code = CTL_DONE;
	bool more = true;

	while (code == CTL_DONE && more) {
		JSON_AUTO json_t *page = NULL;
		const json_t *item;
		const char *next;
		size_t i;

		snprintf(url, sizeof(url), "%s?after=%s&limit=%d", path_of(c, below, path), after,
			PAGE);
		code = ctl_request(c, NULL, "GET", url, NULL, (struct bytes){0}, &page);
		if (code != CTL_DONE)
			return code;
		json_array_foreach(json_object_get(page, "items"), i, item)
		{
			code = fn(c, item, arg);
			if (code != CTL_DONE)
				return code;
		}
		next = json_string_value(json_object_get(page, "next"));
		more = next != NULL;
		if (more)
			snprintf(after, sizeof(after), "%s", next);
	}
	return code;
}

/* What came last is signed, too. */
static enum ctl_exit seal(struct ctl *c, int64_t *sequence)
{
	JSON_AUTO json_t *reply = NULL;
	char path[PATH_LEN];
	enum ctl_exit code = ctl_request(
		c, NULL, "POST", path_of(c, "/seal", path), NULL, (struct bytes){0}, &reply);

	if (code == CTL_DONE)
		*sequence = json_integer_value(json_object_get(reply, "sequence"));
	return code;
}

/* ---- list ---- */

static bool parse_number(const char *text, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *out >= 0;
}

enum ctl_exit audit_list(struct ctl *c, int argc, char **argv)
{
	const char *after = ctl_option(c, "after"), *last = ctl_option(c, "last");
	int64_t from = 0, count = SHOWN, end;
	enum ctl_exit code;
	char path[PATH_LEN + 32];

	if ((after && !parse_number(after, &from)) || (last && !parse_number(last, &count))) {
		ctl_fail(c, "--after and --last take a number");
		return CTL_USAGE;
	}
	if (!after) {
		code = seal(c, &end);
		if (code != CTL_DONE)
			return code;
		from = end > count ? end - count : 0;
	}
	snprintf(path, sizeof(path), "%s?after=%lld", c->program->audit->path, (long long)from);
	return ctl_list(c, path, c->program->audit->columns);
}

/* ---- export ---- */

static enum ctl_exit print_item(struct ctl *c, const json_t *item, void *arg)
{
	BUF_AUTO struct buf text = BUF_INIT(LINE_MAX_LEN);
	struct err e = ERR_INIT;

	if (!json_format(item, &text, &e))
		return ctl_fail(c, "%s", e.text);
	return puts(buf_str(&text)) >= 0 ? CTL_DONE : ctl_fail(c, "writing: %s", strerror(errno));
}

enum ctl_exit audit_export(struct ctl *c, int argc, char **argv)
{
	int64_t sequence;
	enum ctl_exit code = seal(c, &sequence);

	if (code == CTL_DONE)
		code = each_item(c, "/heads", print_item, NULL);
	if (code == CTL_DONE)
		code = each_item(c, "", print_item, NULL);
	if (code == CTL_DONE && fflush(stdout) != 0)
		code = ctl_fail(c, "writing: %s", strerror(errno));
	return code;
}

/* ---- verify ---- */

static enum ctl_exit refuse(struct ctl *c, const struct err *e)
{
	return ctl_fail(c, "the audit log is NOT whole: %s", e->text);
}

static enum ctl_exit check_head(struct ctl *c, const json_t *item, void *arg)
{
	struct err e = ERR_INIT;

	return audit_check_head(arg, item, &e) ? CTL_DONE : refuse(c, &e);
}

static enum ctl_exit check_line(struct ctl *c, const json_t *item, void *arg)
{
	struct err e = ERR_INIT;

	return audit_check_line(arg, item, &e) ? CTL_DONE : refuse(c, &e);
}

static enum ctl_exit verify_service(struct ctl *c, struct audit_check *check)
{
	int64_t sequence;
	enum ctl_exit code = seal(c, &sequence);

	if (code == CTL_DONE)
		code = each_item(c, "/heads", check_head, check);
	return code == CTL_DONE ? each_item(c, "", check_line, check) : code;
}

static enum ctl_exit verify_line(
	struct ctl *c, const char *text, size_t len, long number, struct audit_check *check)
{
	struct err e = ERR_INIT;
	JSON_AUTO json_t *item = json_parse_object(bytes_of(text, len), &e);

	if (!item) {
		err_prefix(&e, "line %ld of the file", number);
		return refuse(c, &e);
	}
	return json_object_get(item, "head") ? check_head(c, item, check)
					     : check_line(c, item, check);
}

static enum ctl_exit verify_file(struct ctl *c, const char *path, struct audit_check *check)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	enum ctl_exit code = CTL_DONE;
	size_t room = 0;
	FREE_AUTO char *text = NULL;
	ssize_t len;

	if (!in)
		return ctl_fail(c, "%s: %s", path, strerror(errno));
	for (long number = 1; code == CTL_DONE && (len = getline(&text, &room, in)) > 0; number++)
		code = verify_line(c, text, (size_t)len, number, check);
	if (code == CTL_DONE && ferror(in))
		code = ctl_fail(c, "%s: %s", path, strerror(errno));
	if (in != stdin)
		fclose(in);
	return code;
}

/* "1234:ab…": noted from the service's log, or printed by an earlier verify. */
static bool parse_expected(const char *text, struct audit_head *out)
{
	const char *colon = strchr(text, ':');
	char number[24];

	if (!colon || (size_t)(colon - text) >= sizeof(number) ||
		strlen(colon + 1) != 2 * SHA256_LEN)
		return false;
	memcpy(number, text, (size_t)(colon - text));
	number[colon - text] = '\0';
	for (size_t i = 0; i < SHA256_LEN; i++) {
		int high = hex_digit(colon[1 + 2 * i]), low = hex_digit(colon[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		out->hash[i] = (uint8_t)(high << 4 | low);
	}
	return parse_number(number, &out->sequence);
}

static struct anchors *anchors_of_pem(const char *pem, struct err *e)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;

	return cert_list_parse_pem(bytes_of_str(pem), &certs, e) ? anchors_new(&certs, e) : NULL;
}

/* From a file; or as the service has them, which come from its configuration and not from the
 * database where the log is. */
static enum ctl_exit get_anchors(struct ctl *c, struct anchors **out)
{
	const char *path = ctl_option(c, "anchors");
	JSON_AUTO json_t *reply = NULL;
	struct err e = ERR_INIT;
	char of_service[PATH_LEN];
	enum ctl_exit code;

	if (path) {
		*out = anchors_load(path, &e);
	} else {
		code = ctl_request(c, NULL, "GET", path_of(c, "/anchors", of_service), NULL,
			(struct bytes){0}, &reply);
		if (code != CTL_DONE)
			return code;
		*out = anchors_of_pem(json_string_value(json_object_get(reply, "pem")), &e);
	}
	return *out ? CTL_DONE : ctl_fail(c, "%s", e.text);
}

static void print_verdict(const struct audit_check *check)
{
	const struct audit_head *last =
		check->head_count ? &check->heads[check->head_count - 1] : NULL;
	char hash[2 * SHA256_LEN + 1], since[DATETIME_LEN + 1];
	struct err ignored = ERR_INIT;

	if (!check->last || !datetime_format(check->since, since, &ignored)) {
		printf("the audit log is empty\n");
		return;
	}
	printf("the audit log is whole: lines %lld to %lld, since %s, %zu signed heads",
		(long long)check->first, (long long)check->last, since, check->head_count);
	if (check->unchained)
		printf("; %lld lines are older than the chain", (long long)check->unchained);
	if (last && check->last > last->sequence)
		printf("; the last %lld are not signed yet",
			(long long)(check->last - last->sequence));
	if (!last)
		return;
	hex_encode(bytes_of(last->hash, SHA256_LEN), hash);
	printf("\nlast head %lld:%s\n", (long long)last->sequence, hash);
}

enum ctl_exit audit_verify(struct ctl *c, int argc, char **argv)
{
	ANCHORS_AUTO struct anchors *anchors = NULL;
	const char *expect = ctl_option(c, "expect");
	AUDIT_CHECK_AUTO struct audit_check check;
	struct audit_head expected;
	struct err e = ERR_INIT;
	enum ctl_exit code;

	audit_check_init(&check, c->program->audit->form, NULL);
	if (expect && !parse_expected(expect, &expected)) {
		ctl_fail(c, "--expect takes SEQUENCE:HASH, as an earlier verify printed it");
		return CTL_USAGE;
	}
	if (argc > 0 && !ctl_option(c, "anchors")) {
		ctl_fail(c, "a file is verified with --anchors, the certificate of the CA");
		return CTL_USAGE;
	}
	code = get_anchors(c, &anchors);
	if (code != CTL_DONE)
		return code;
	check.anchors = anchors;
	code = argc > 0 ? verify_file(c, argv[0], &check) : verify_service(c, &check);
	if (code == CTL_DONE && !audit_check_end(&check, expect ? &expected : NULL, &e))
		code = refuse(c, &e);
	if (code == CTL_DONE)
		print_verdict(&check);
	return code;
}
