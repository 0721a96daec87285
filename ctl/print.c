/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and objects as a person, a spreadsheet or a script wants them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/wire/csv.h"
#include "common/wire/json.h"
#include "common/wire/percent.h"
#include "ctl/internal.h"

#define COLUMNS_MAX  16
#define CELL_MAX     8192 /* octets of one cell; nested objects are printed as JSON */
#define PATH_MAX_LEN 4096

/* A value as a cell: strings as they are, null as nothing. What would drive the terminal becomes
 * '?': what is shown came from devices. */
static bool cell_text(const json_t *value, struct buf *out, struct err *e)
{
	size_t start = out->len;

	if (json_is_string(value)) {
		if (!buf_append_str(out, json_string_value(value), e))
			return false;
	} else if (value && !json_is_null(value)) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		bool ok = text ? buf_append_str(out, text, e)
			       : err_set(e, ERR_NO_MEMORY, "no memory");

		free(text);
		if (!ok)
			return false;
	}
	if (out->len > start)
		text_make_safe((char *)out->data + start, '?');
	return true;
}

const char *ctl_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

/* Columns a UTF-8 text takes, near enough: its characters. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

struct table {
	const struct ctl_column *columns;
	size_t column_count;
	size_t widths[COLUMNS_MAX];
	bool measuring; /* first pass: widths; second: print */
	int indent;
};

static void put_cell(struct table *t, size_t column, const char *text)
{
	size_t width = width_of(text), pad;

	if (t->measuring) {
		if (width > t->widths[column])
			t->widths[column] = width;
		return;
	}
	pad = column + 1 < t->column_count ? t->widths[column] + 2 - width : 0;
	printf("%*s%s%*s", column == 0 ? t->indent : 0, "", text, (int)pad, "");
	if (column + 1 == t->column_count)
		putchar('\n');
}

static bool put_row(struct table *t, const json_t *item, struct err *e)
{
	for (size_t i = 0; i < t->column_count; i++) {
		BUF_AUTO struct buf text = BUF_INIT(CELL_MAX);

		if (!cell_text(json_object_get(item, t->columns[i].member), &text, e))
			return false;
		put_cell(t, i, text.len ? buf_str(&text) : "-");
	}
	return true;
}

static bool print_table(struct table *t, const json_t *items, struct err *e)
{
	for (int pass = 0; pass < 2; pass++) {
		t->measuring = pass == 0;
		for (size_t i = 0; i < t->column_count; i++)
			put_cell(t, i, t->columns[i].title);
		for (size_t i = 0; i < json_array_size(items); i++)
			if (!put_row(t, json_array_get(items, i), e))
				return false;
	}
	return true;
}

static bool print_ids(struct table *t, const json_t *items, struct err *e)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		BUF_AUTO struct buf text = BUF_INIT(CELL_MAX);

		if (!cell_text(json_object_get(json_array_get(items, i), t->columns[0].member),
			    &text, e))
			return false;
		puts(buf_str(&text));
	}
	return true;
}

static bool csv_line(struct table *t, const json_t *item, struct err *e)
{
	BUF_AUTO struct buf line = BUF_INIT(COLUMNS_MAX * CELL_MAX * 2);
	struct buf cells[COLUMNS_MAX];
	const char *fields[COLUMNS_MAX];
	bool ok = true;

	for (size_t i = 0; i < t->column_count; i++) {
		const json_t *value = json_object_get(item, t->columns[i].member);

		buf_init(&cells[i], CELL_MAX);
		ok = ok && (item ? cell_text(value, &cells[i], e)
				 : buf_append_str(&cells[i], t->columns[i].member, e));
		fields[i] = buf_str(&cells[i]);
	}
	ok = ok && csv_put(fields, t->column_count, &line, e);
	if (ok)
		fputs(buf_str(&line), stdout);
	for (size_t i = 0; i < t->column_count; i++)
		buf_clear(&cells[i]);
	return ok;
}

/* The header holds the members' names: what an import reads again. */
static bool print_csv(struct table *t, const json_t *items, struct err *e)
{
	if (!csv_line(t, NULL, e))
		return false;
	for (size_t i = 0; i < json_array_size(items); i++)
		if (!csv_line(t, json_array_get(items, i), e))
			return false;
	return true;
}

static bool print_json(const json_t *value, struct err *e)
{
	char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	if (!text)
		return err_set(e, ERR_NO_MEMORY, "no memory");
	puts(text);
	free(text);
	return true;
}

static bool print_items(
	struct ctl *c, const json_t *items, const struct ctl_column *columns, struct err *e)
{
	struct table t = {.columns = columns};

	while (columns[t.column_count].title && t.column_count < COLUMNS_MAX)
		t.column_count++;
	switch (c->output) {
	case CTL_TABLE:
		return print_table(&t, items, e);
	case CTL_JSON:
		return print_json(items, e);
	case CTL_CSV:
		return print_csv(&t, items, e);
	case CTL_IDS:
		return print_ids(&t, items, e);
	}
	return false;
}

/* ---- lists ---- */

/* Hand the page on; *next: where to go on, malloc'd, NULL at the end. */
static bool take_page(const json_t *page, ctl_page_fn *fn, void *arg, char **next, struct err *e)
{
	const char *text = json_string_value(json_object_get(page, "next"));

	*next = NULL;
	if (!json_is_array(json_object_get(page, "items")))
		return err_set(e, ERR_PEER, "the service's answer is no list");
	if (!fn(arg, page, e))
		return false;
	if (!text)
		return true;
	*next = str_dup(text, e);
	return *next != NULL;
}

static bool page_path(struct buf *out, const char *path, const char *after, struct err *e)
{
	if (!buf_append_str(out, path, e))
		return false;
	return !after || (buf_append_str(out, strchr(path, '?') ? "&after=" : "?after=", e) &&
				 percent_encode(bytes_of_str(after), out, e));
}

enum ctl_exit ctl_each_page(
	struct ctl *c, const char *path, ctl_page_fn *fn, void *arg, struct err *e)
{
	FREE_AUTO char *after = NULL;
	enum ctl_exit code;

	do {
		BUF_AUTO struct buf url = BUF_INIT(PATH_MAX_LEN);
		JSON_AUTO json_t *page = NULL;

		if (!page_path(&url, path, after, e))
			return ctl_fail(c, "%s", e->text);
		free(after);
		after = NULL;
		code = ctl_request(
			c, NULL, "GET", buf_str(&url), NULL, (struct bytes){NULL, 0}, &page);
		if (code != CTL_DONE)
			return code;
		if (!take_page(page, fn, arg, &after, e))
			return ctl_fail(c, "%s", e->text);
	} while (after);
	return CTL_DONE;
}

static bool keep_items(void *arg, const json_t *page, struct err *e)
{
	return json_array_extend(arg, json_object_get(page, "items")) == 0 ||
	       err_set(e, ERR_NO_MEMORY, "no memory");
}

enum ctl_exit ctl_fetch(struct ctl *c, const char *path, json_t **items)
{
	struct err e = ERR_INIT;

	*items = json_array();
	return *items ? ctl_each_page(c, path, keep_items, *items, &e) : ctl_fail(c, "no memory");
}

enum ctl_exit ctl_print_list(struct ctl *c, const json_t *items, const struct ctl_column *columns)
{
	struct err e = ERR_INIT;

	return print_items(c, items, columns, &e) ? CTL_DONE : ctl_fail(c, "%s", e.text);
}

enum ctl_exit ctl_list(struct ctl *c, const char *path, const struct ctl_column *columns)
{
	JSON_AUTO json_t *all = NULL;
	enum ctl_exit code = ctl_fetch(c, path, &all);

	return code == CTL_DONE ? ctl_print_list(c, all, columns) : code;
}

/* ---- objects ---- */

static bool is_rows(const json_t *value)
{
	return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

/* A list inside an object: its own table, with the columns its first row has. */
static bool print_rows(const char *name, const json_t *rows, struct err *e)
{
	struct ctl_column columns[COLUMNS_MAX];
	struct table t = {.columns = columns, .indent = 2};
	json_t *first = json_array_get(rows, 0);

	for (void *at = json_object_iter(first); at && t.column_count < COLUMNS_MAX;
		at = json_object_iter_next(first, at)) {
		const char *key = json_object_iter_key(at);

		columns[t.column_count++] = (struct ctl_column){key, key};
	}
	printf("%s:\n", name);
	return print_table(&t, rows, e);
}

static bool print_scalars(json_t *object, struct err *e)
{
	struct table t = {.columns = NULL, .column_count = 2};

	for (int pass = 0; pass < 2; pass++) {
		t.measuring = pass == 0;
		for (void *at = json_object_iter(object); at;
			at = json_object_iter_next(object, at)) {
			BUF_AUTO struct buf text = BUF_INIT(CELL_MAX);
			const json_t *value = json_object_iter_value(at);

			if (is_rows(value))
				continue;
			if (!cell_text(value, &text, e))
				return false;
			put_cell(&t, 0, json_object_iter_key(at));
			put_cell(&t, 1, text.len ? buf_str(&text) : "-");
		}
	}
	return true;
}

static bool print_members(const json_t *object, struct err *e)
{
	json_t *members = (json_t *)(uintptr_t)object; /* the iterators know no const */

	if (!print_scalars(members, e))
		return false;
	for (void *at = json_object_iter(members); at; at = json_object_iter_next(members, at)) {
		const json_t *value = json_object_iter_value(at);

		if (is_rows(value) && !print_rows(json_object_iter_key(at), value, e))
			return false;
	}
	return true;
}

enum ctl_exit ctl_print_object(struct ctl *c, const json_t *object)
{
	struct err e = ERR_INIT;
	bool ok = c->output == CTL_TABLE ? print_members(object, &e) : print_json(object, &e);

	return ok ? CTL_DONE : ctl_fail(c, "%s", e.text);
}
