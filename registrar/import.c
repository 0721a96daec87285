/* SPDX-License-Identifier: Apache-2.0 */
/* A supplier's list, row by row: CSV through wire/csv, or JSON lines through wire/json, and one
 * judge for both. */
#include "registrar/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/text.h"
#include "common/pki/cert.h"
#include "common/wire/json.h"
#include "common/wire/media_type.h"
#include "registrar/site.h"

#define SHOWN_MAX 128 /* octets of a bad row's manufacturer and serial that are said again */

enum column { MANUFACTURER, SERIAL, NOTE, SITE, COLUMN_COUNT }; /* from NOTE on optional */
static const char *const columns[COLUMN_COUNT] = {"manufacturer", "serial", "note", "site"};

static const char *const results[IMPORT_RESULT_COUNT] = {
	"preapproved", "approved", "unchanged", "rejected", "revoked", "announced", "bad"};

const char *import_result_name(enum import_result r)
{
	return results[r];
}

void import_clear(struct import *in)
{
	for (size_t i = 0; i < in->count; i++) {
		free(in->rows[i].text);
		free(in->rows[i].why);
	}
	free(in->rows);
	for (size_t i = 0; i < in->ignored_count; i++)
		free(in->ignored[i]);
	memset(in, 0, sizeof(*in));
}

/* ---- What a row has to be ---- */

struct reader {
	struct import *in;
	import_manufacturer_fn *is_manufacturer;
	const void *arg;
};

/* UTF-8 that can be shown as it stands. */
static bool is_text(const char *s)
{
	char copy[REASON_LEN_MAX + 1];

	snprintf(copy, sizeof(copy), "%s", s);
	text_make_utf8(copy, '?');
	text_make_safe(copy, '?');
	return strcmp(copy, s) == 0;
}

static bool has_outer_blank(const char *s)
{
	return s[0] == ' ' || s[strlen(s) - 1] == ' ';
}

/* NULL: nothing is wrong with it. */
static const char *fault(const struct reader *r, const char *const fields[COLUMN_COUNT])
{
	const char *serial = fields[SERIAL], *note = fields[NOTE];
	struct err ignored = ERR_INIT;

	if (!fields[MANUFACTURER] || !*fields[MANUFACTURER])
		return "no manufacturer";
	if (!serial || !*serial)
		return "no serial";
	if (!r->is_manufacturer(r->arg, fields[MANUFACTURER]))
		return "no manufacturer of this name is configured";
	if (strlen(serial) > CERT_SERIAL_NUMBER_MAX)
		return "the serial is longer than that of any certificate";
	if (!is_text(serial))
		return "the serial is not plain text";
	if (has_outer_blank(serial))
		return "the serial begins or ends with a blank";
	if (note && strlen(note) > REASON_LEN_MAX)
		return "the note is too long";
	if (note && !is_text(note))
		return "the note is not plain text";
	if (fields[SITE] && *fields[SITE] && !site_check(fields[SITE], &ignored))
		return "the site is not written like /eu/de/berlin-3";
	return NULL;
}

/* ---- Adding ---- */

static struct import_row *new_row(struct import *in, size_t line, struct err *e)
{
	if (in->count == IMPORT_ROWS_MAX) {
		err_set(e, ERR_TOO_LARGE, "more than %d rows", IMPORT_ROWS_MAX);
		err_tell(e, "More than %d rows; send them in parts.", IMPORT_ROWS_MAX);
		return NULL;
	}
	if (in->count == in->room) {
		size_t room = in->room ? 2 * in->room : 64;
		struct import_row *rows = realloc(in->rows, room * sizeof(*rows));

		if (!rows) {
			err_set(e, ERR_NO_MEMORY, "no memory for %zu rows", room);
			return NULL;
		}
		in->rows = rows;
		in->room = room;
	}
	in->rows[in->count] = (struct import_row){.line = line};
	return &in->rows[in->count++];
}

/* The fields one behind the other, each cut to max and ended by NUL. */
static bool keep_fields(
	struct import_row *row, const char *const fields[COLUMN_COUNT], size_t max, struct err *e)
{
	const char **kept[COLUMN_COUNT] = {
		&row->manufacturer, &row->serial, &row->note, &row->site};
	struct bytes cut[COLUMN_COUNT];
	size_t sum = 0;
	char *to;

	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		cut[i] = bytes_cut_text(bytes_of_str(fields[i] ? fields[i] : ""), max);
		sum += cut[i].len + 1;
	}
	to = row->text = mem_new(sum, e);
	if (!to)
		return false;
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (cut[i].len)
			memcpy(to, cut[i].data, cut[i].len);
		*kept[i] = i >= NOTE && cut[i].len == 0 ? NULL : to;
		to += cut[i].len + 1;
	}
	return true;
}

static bool add_bad(struct import *in, size_t line, const char *const fields[COLUMN_COUNT],
	const char *why, struct err *e)
{
	static const char *const none[COLUMN_COUNT] = {NULL};
	struct import_row *row = new_row(in, line, e);

	if (!row || !keep_fields(row, fields ? fields : none, SHOWN_MAX, e))
		return false;
	text_make_utf8((char *)(uintptr_t)row->manufacturer, '?');
	text_make_utf8((char *)(uintptr_t)row->serial, '?');
	row->result = IMPORT_BAD;
	row->why = str_dup(why, e);
	if (!row->why)
		return false;
	text_make_utf8(row->why, '?');
	in->bad++;
	return true;
}

static bool add_fields(
	const struct reader *r, size_t line, const char *const fields[COLUMN_COUNT], struct err *e)
{
	const char *why = fault(r, fields);
	struct import_row *row;

	if (why)
		return add_bad(r->in, line, fields, why, e);
	row = new_row(r->in, line, e);
	return row && keep_fields(row, fields, SIZE_MAX, e);
}

/* Each unknown column is named once. */
static bool ignore(struct import *in, const char *name, struct err *e)
{
	char *copy;

	if (in->ignored_count == CSV_FIELDS_MAX)
		return true;
	for (size_t i = 0; i < in->ignored_count; i++)
		if (strcmp(in->ignored[i], name) == 0)
			return true;
	copy = str_dup_n(name, bytes_cut_text(bytes_of_str(name), SHOWN_MAX).len, e);
	if (!copy)
		return false;
	text_make_utf8(copy, '?');
	in->ignored[in->ignored_count++] = copy;
	return true;
}

static bool is_column(const char *name)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (strcasecmp(columns[i], name) == 0)
			return true;
	return false;
}

/* ---- CSV ---- */

static bool read_header(
	struct import *in, struct csv *csv, int at[COLUMN_COUNT], size_t *width, struct err *e)
{
	CSV_ROW_AUTO struct csv_row header = CSV_ROW_INIT;
	bool end;

	if (!csv_next(csv, &header, &end, e))
		return err_tell(e, "The first row cannot be read: it names the columns.");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		at[i] = csv_column(&header, columns[i]);
	if (end || at[MANUFACTURER] < 0 || at[SERIAL] < 0) {
		err_set(e, ERR_INPUT, "no columns manufacturer and serial");
		return err_tell(
			e, "The first row has to name the columns manufacturer and serial.");
	}
	*width = header.count;
	for (size_t i = 0; i < header.count; i++)
		if (!is_column(header.fields[i]) && !ignore(in, header.fields[i], e))
			return false;
	return true;
}

static bool read_csv_row(const struct reader *r, const struct csv_row *row,
	const int at[COLUMN_COUNT], size_t width, struct err *e)
{
	const char *fields[COLUMN_COUNT];

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		fields[i] = csv_field(row, at[i]);
	if (row->count > width)
		return add_bad(r->in, row->line, fields, "more fields than the first row has", e);
	return add_fields(r, row->line, fields, e);
}

static bool read_csv(const struct reader *r, struct bytes text, struct err *e)
{
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct csv csv = csv_of(text);
	int at[COLUMN_COUNT];
	size_t width = 0;

	if (!read_header(r->in, &csv, at, &width, e))
		return false;
	for (;;) {
		struct err why = ERR_INIT;
		bool end, ok;

		if (csv_next(&csv, &row, &end, &why)) {
			if (end)
				return true;
			ok = read_csv_row(r, &row, at, width, e);
		} else if (why.kind == ERR_NO_MEMORY) {
			*e = why;
			return false;
		} else {
			ok = add_bad(r->in, row.line, NULL, why.text, e);
		}
		if (!ok)
			return false;
	}
}

/* ---- JSON lines ---- */

static bool read_object(const struct reader *r, size_t line, json_t *object, struct err *e)
{
	const char *fields[COLUMN_COUNT] = {NULL};
	struct err why = ERR_INIT;
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (!is_column(name) && !ignore(r->in, name, e))
			return false;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!json_get_string(object, columns[i], &fields[i], &why))
			return add_bad(r->in, line, NULL, why.text, e);
	return add_fields(r, line, fields, e);
}

static bool read_json_line(const struct reader *r, size_t line, struct bytes text, struct err *e)
{
	JSON_AUTO json_t *object = NULL;
	struct err why = ERR_INIT;

	if (text.len > CSV_ROW_MAX)
		return add_bad(r->in, line, NULL, "the row is too long", e);
	object = json_parse_object(text, &why);
	if (object)
		return read_object(r, line, object, e);
	if (why.kind != ERR_NO_MEMORY)
		return add_bad(r->in, line, NULL, why.text, e);
	*e = why;
	return false;
}

static bool is_blank(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.data[i]))
			return false;
	return true;
}

static bool read_ndjson(const struct reader *r, struct bytes text, struct err *e)
{
	for (size_t line = 1; text.len > 0; line++) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end ? (size_t)(end - text.data) : text.len;
		struct bytes one = bytes_of(text.data, len);

		if (!is_blank(one) && !read_json_line(r, line, one, e))
			return false;
		len += end != NULL;
		text = bytes_of(text.data + len, text.len - len);
	}
	return true;
}

/* ---- The whole ---- */

static int compare(const void *a, const void *b)
{
	const struct import_row *x = *(struct import_row *const *)a;
	const struct import_row *y = *(struct import_row *const *)b;
	int order = strcmp(x->serial, y->serial);

	if (order == 0)
		order = strcmp(x->manufacturer, y->manufacturer);
	return order ? order : (x > y) - (x < y);
}

/* A device that stands in the list twice is taken once. */
static bool find_twice(struct import *in, struct err *e)
{
	struct import_row **sorted = mem_new((in->count + 1) * sizeof(*sorted), e);
	size_t count = 0;

	if (!sorted)
		return false;
	for (size_t i = 0; i < in->count; i++)
		if (in->rows[i].result != IMPORT_BAD)
			sorted[count++] = &in->rows[i];
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(sorted[i]->serial, sorted[i - 1]->serial) == 0 &&
			strcmp(sorted[i]->manufacturer, sorted[i - 1]->manufacturer) == 0)
			sorted[i]->result = IMPORT_UNCHANGED;
	free(sorted);
	return true;
}

bool import_read(struct import *in, const char *media_type, struct bytes text,
	import_manufacturer_fn *is_manufacturer, const void *arg, struct err *e)
{
	const struct reader r = {in, is_manufacturer, arg};

	memset(in, 0, sizeof(*in));
	if (media_type_is(media_type, IMPORT_CSV))
		return read_csv(&r, text, e) && find_twice(in, e);
	if (media_type_is(media_type, IMPORT_NDJSON))
		return read_ndjson(&r, text, e) && find_twice(in, e);
	return err_set(
		e, ERR_UNSUPPORTED_TYPE, "a list of type \"%.100s\"", media_type ? media_type : "");
}
