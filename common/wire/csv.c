/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values, read by characters so that quoted commas, quotes and line ends are taken
 * for what they are (RFC 4180 §2). */
#include "common/wire/csv.h"

#include <string.h>
#include <strings.h>

#define BOM	     "\xef\xbb\xbf" /* byte order mark in UTF-8 */
#define FORMULA_MARK "'"	    /* as spreadsheets know it: what follows is text */

/* What stands between the fields of the first line: a comma, unless it has none and has another. */
static char find_comma(struct bytes text)
{
	bool quoted = false;
	char found = ',';

	for (size_t i = 0; i < text.len && (quoted || text.data[i] != '\n'); i++) {
		if (text.data[i] == '"')
			quoted = !quoted;
		else if (!quoted && text.data[i] == ',')
			return ',';
		else if (!quoted && found == ',' && (text.data[i] == ';' || text.data[i] == '\t'))
			found = (char)text.data[i];
	}
	return found;
}

struct csv csv_of(struct bytes text)
{
	const size_t bom_len = strlen(BOM);

	if (text.len >= bom_len && memcmp(text.data, BOM, bom_len) == 0)
		text = bytes_of(text.data + bom_len, text.len - bom_len);
	return (struct csv){.rest = text, .line = 1, .comma = find_comma(text)};
}

void csv_row_clear(struct csv_row *row)
{
	buf_clear(&row->text);
	row->count = 0;
}

static int peek(const struct csv *c)
{
	return c->rest.len ? c->rest.data[0] : -1;
}

static void skip(struct csv *c)
{
	if (c->rest.data[0] == '\n')
		c->line++;
	c->rest.data++;
	c->rest.len--;
}

static bool at_line_end(const struct csv *c)
{
	return peek(c) < 0 || peek(c) == '\n' ||
	       (peek(c) == '\r' && (c->rest.len == 1 || c->rest.data[1] == '\n'));
}

static void skip_line(struct csv *c)
{
	while (peek(c) >= 0 && peek(c) != '\n')
		skip(c);
	if (peek(c) == '\n')
		skip(c);
}

static bool take(struct csv *c, struct buf *text, struct err *e)
{
	uint8_t octet = c->rest.data[0];

	if (octet == '\0')
		return err_set(e, ERR_INPUT, "a NUL octet");
	skip(c);
	return buf_append(text, &octet, 1, e);
}

static bool read_quoted(struct csv *c, struct buf *text, struct err *e)
{
	skip(c);
	for (;;) {
		if (peek(c) < 0)
			return err_set(e, ERR_INPUT, "a quote without its end");
		if (peek(c) == '"') {
			skip(c);
			if (peek(c) != '"')
				break;
		}
		if (!take(c, text, e))
			return false;
	}
	return at_line_end(c) || peek(c) == c->comma ||
	       err_set(e, ERR_INPUT, "something behind a closing quote");
}

static bool read_plain(struct csv *c, struct buf *text, struct err *e)
{
	while (!at_line_end(c) && peek(c) != c->comma) {
		if (peek(c) == '"')
			return err_set(e, ERR_INPUT, "a quote inside of a field");
		if (!take(c, text, e))
			return false;
	}
	return true;
}

/* A spreadsheet computes what begins so. What already has our mark before it gets another, so that
 * reading gives back what was written. */
static bool is_formula(const char *field)
{
	field += strspn(field, FORMULA_MARK);
	return *field && strchr("=+-@\t\r", *field);
}

static const char *unmark(const char *field)
{
	return is_formula(field) && strncmp(field, FORMULA_MARK, 1) == 0 ? field + 1 : field;
}

/* Fields end in NUL inside text; where they begin is known only when text moves no more. */
static bool read_row(struct csv *c, struct csv_row *row, struct err *e)
{
	size_t begins[CSV_FIELDS_MAX] = {0};

	for (;;) {
		if (row->count == CSV_FIELDS_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d fields", CSV_FIELDS_MAX);
		begins[row->count++] = row->text.len;
		if (!(peek(c) == '"' ? read_quoted : read_plain)(c, &row->text, e) ||
			!buf_append(&row->text, "", 1, e))
			return false;
		if (at_line_end(c))
			break;
		skip(c); /* the comma */
	}
	for (size_t i = 0; i < row->count; i++)
		row->fields[i] = unmark((const char *)row->text.data + begins[i]);
	return true;
}

static bool is_blank(const struct csv_row *row)
{
	for (size_t i = 0; i < row->count; i++)
		if (*row->fields[i])
			return false;
	return true;
}

static bool next_row(struct csv *c, struct csv_row *row, bool *end, struct err *e)
{
	bool ok;

	csv_row_clear(row);
	while (peek(c) >= 0 && at_line_end(c))
		skip_line(c);
	row->line = c->line;
	*end = peek(c) < 0;
	if (*end)
		return true;
	ok = read_row(c, row, e);
	if (!ok) {
		csv_row_clear(row);
		err_prefix(e, "line %zu", row->line);
	}
	skip_line(c);
	return ok;
}

bool csv_next(struct csv *c, struct csv_row *row, bool *end, struct err *e)
{
	do {
		if (!next_row(c, row, end, e))
			return false;
	} while (!*end && is_blank(row));
	return true;
}

int csv_column(const struct csv_row *header, const char *name)
{
	for (size_t i = 0; i < header->count; i++)
		if (strcasecmp(header->fields[i], name) == 0)
			return (int)i;
	return -1;
}

const char *csv_field(const struct csv_row *row, int at)
{
	return at >= 0 && (size_t)at < row->count ? row->fields[at] : "";
}

/* A byte order mark would be lost where the row comes to stand first, and anything that may stand
 * for a comma would be taken for one. */
static bool needs_quotes(const char *field)
{
	return strpbrk(field, ",;\t\"\r\n") || strncmp(field, BOM, strlen(BOM)) == 0;
}

static bool put_field(const char *field, struct buf *out, struct err *e)
{
	const char *mark = is_formula(field) ? FORMULA_MARK : "";

	if (!needs_quotes(field))
		return buf_append_str(out, mark, e) && buf_append_str(out, field, e);
	if (!buf_append(out, "\"", 1, e) || !buf_append_str(out, mark, e))
		return false;
	for (; *field; field++)
		if ((*field == '"' && !buf_append(out, "\"", 1, e)) ||
			!buf_append(out, field, 1, e))
			return false;
	return buf_append(out, "\"", 1, e);
}

bool csv_put(const char *const *fields, size_t count, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (!put_field(fields[i], out, e) ||
			!buf_append_str(out, i + 1 < count ? "," : "\n", e))
			return false;
	return true;
}
