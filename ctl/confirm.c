/* SPDX-License-Identifier: Apache-2.0 */
/* Previews and questions. */
#include "ctl/confirm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/file.h"
#include "ctl/internal.h"

#define SHOWN_MAX    20		/* rows of a preview before the question: one screen */
#define IDS_FILE_MAX (64 << 20) /* a million serial-numbers */
#define ANSWER_MAX   16

static bool flag(const struct ctl *c, const char *name)
{
	return ctl_option(c, name) != NULL;
}

static bool has_terminal(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool ctl_wants_preview(const struct ctl *c, size_t count)
{
	return flag(c, "dry-run") || (count > 1 && !flag(c, "yes") && has_terminal());
}

/* Whatever -o says about results: a person reads this. */
static enum ctl_exit show_some(struct ctl *c, const json_t *items, const struct ctl_column *columns)
{
	JSON_AUTO json_t *some = json_array();
	const enum ctl_output output = c->output;
	enum ctl_exit code;

	for (size_t i = 0; i < json_array_size(items) && i < SHOWN_MAX; i++)
		json_array_append(some, json_array_get(items, i));
	c->output = CTL_TABLE;
	code = ctl_print_list(c, some, columns);
	c->output = output;
	if (json_array_size(items) > SHOWN_MAX)
		printf("… and %zu more\n", json_array_size(items) - SHOWN_MAX);
	fflush(stdout);
	return code;
}

static bool ask(const char *verb, size_t count, const char *nouns)
{
	char answer[ANSWER_MAX] = "";

	fprintf(stderr, "%s %zu %s? [y/N] ", verb, count, nouns);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

bool ctl_confirm(struct ctl *c, const char *verb, const char *nouns, size_t count,
	const json_t *items, const struct ctl_column *columns, enum ctl_exit *code)
{
	if (flag(c, "dry-run")) {
		*code = ctl_print_list(c, items, columns);
		ctl_fail(c, "%s %zu %s; nothing was changed", verb, count, nouns);
		return false;
	}
	if (count < 2 || flag(c, "yes"))
		return true;
	if (!has_terminal()) {
		ctl_fail(c, "%s %zu %s: no terminal to ask on; say --yes, or --dry-run to see them",
			verb, count, nouns);
		*code = CTL_USAGE;
		return false;
	}
	*code = show_some(c, items, columns);
	if (*code != CTL_DONE || ask(verb, count, nouns))
		return *code == CTL_DONE;
	*code = ctl_fail(c, "nothing was changed");
	return false;
}

/* ---- Names ---- */

static bool read_all(const char *path, struct buf *out, struct err *e)
{
	char part[4096];
	size_t n;

	if (strcmp(path, "-") != 0)
		return file_read(path, out, e);
	while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
		if (!buf_append(out, part, n, e))
			return false;
	return !ferror(stdin) || err_set_errno(e, ERR_IO, "standard input");
}

static bool add_lines(json_t *names, struct bytes text, struct err *e)
{
	while (text.len) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : text.len;
		size_t used = len;

		while (used && strchr(" \t\r", text.data[used - 1]))
			used--;
		if (used && json_array_append_new(
				    names, json_stringn((const char *)text.data, used)) != 0)
			return err_set(e, ERR_INPUT, "a line is not UTF-8");
		len += end != NULL;
		text = bytes_of(text.data + len, text.len - len);
	}
	return true;
}

json_t *ctl_names(struct ctl *c, int argc, char **argv, enum ctl_exit *code)
{
	BUF_AUTO struct buf text = BUF_INIT(IDS_FILE_MAX);
	const char *path = ctl_option(c, "file");
	json_t *names = json_array();
	struct err e = ERR_INIT;

	*code = CTL_DONE;
	for (int i = 0; i < argc; i++)
		if (json_array_append_new(names, json_string(argv[i])) != 0)
			err_set(&e, ERR_INPUT, "%s: not UTF-8", argv[i]);
	if (e.kind == ERR_NONE &&
		(!path || (read_all(path, &text, &e) && add_lines(names, buf_bytes(&text), &e))))
		return names;
	*code = ctl_fail(c, "%s", e.text);
	json_decref(names);
	return NULL;
}
