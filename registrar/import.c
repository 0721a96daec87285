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
#include "common/pki/digest.h"
#include "common/wire/datetime.h"
#include "common/wire/json.h"
#include "common/wire/media_type.h"
#include "registrar/describe.h"
#include "registrar/site.h"

#define SHOWN_MAX 128 /* octets of a bad row's manufacturer and serial that are said again */

/* SUPPLIER and ORDER are labels with a name of their own. */
enum column {
	MANUFACTURER,
	SERIAL,
	NOTE,
	MODEL,
	SITE,
	LABELS,
	IDEVID,
	NOT_BEFORE,
	NOT_AFTER,
	SUPPLIER,
	ORDER,
	COLUMN_COUNT
};
static const char *const columns[COLUMN_COUNT] = {"manufacturer", "serial", "note", "model", "site",
	"labels", "idevid_sha256", "not_before", "not_after", "supplier", "order"};

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
		free(in->rows[i].labels);
		free(in->rows[i].why);
	}
	free(in->rows);
	for (size_t i = 0; i < in->unknown_count; i++)
		free(in->unknown[i]);
	memset(in, 0, sizeof(*in));
}

/* ---- What a row has to be ---- */

struct reader {
	struct import *in;
	import_manufacturer_fn *is_manufacturer;
	const void *arg;
	int64_t now;
};

/* A row as it is read; labels is an object. */
struct raw {
	size_t line;
	const char *fields[COLUMN_COUNT]; /* NULL or "": none */
	json_t *labels;
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

/* 1.23457E+12: what spreadsheets make of long numbers, and nobody can undo. */
static bool is_rounded_number(const char *s)
{
	size_t n = strspn(s, "0123456789.,");

	return n && s[n] == 'E' && s[n + 1] == '+' && s[n + 2] &&
	       s[n + 2 + strspn(s + n + 2, "0123456789")] == '\0';
}

static bool is_there(const struct raw *raw, enum column c)
{
	return raw->fields[c] && raw->fields[c][0];
}

/* NULL: nothing is wrong with it. */
static const char *device_fault(const struct reader *r, const struct raw *raw)
{
	const char *serial = raw->fields[SERIAL];

	if (!is_there(raw, MANUFACTURER))
		return "no manufacturer";
	if (!is_there(raw, SERIAL))
		return "no serial";
	if (!r->is_manufacturer(r->arg, raw->fields[MANUFACTURER]))
		return "no manufacturer of this name is configured";
	if (strlen(serial) > CERT_SERIAL_NUMBER_MAX)
		return "the serial is longer than that of any certificate";
	if (!is_text(serial))
		return "the serial is not plain text in UTF-8";
	if (has_outer_blank(serial))
		return "the serial begins or ends with a blank";
	if (is_rounded_number(serial))
		return "a spreadsheet has rounded the serial: make its column text there";
	return NULL;
}

static const char *place_fault(const struct raw *raw)
{
	const char *idevid = raw->fields[IDEVID];
	struct err ignored = ERR_INIT;

	if (is_there(raw, NOTE) && strlen(raw->fields[NOTE]) > REASON_LEN_MAX)
		return "the note is too long";
	if (is_there(raw, NOTE) && !is_text(raw->fields[NOTE]))
		return "the note is not plain text in UTF-8: save the list as CSV UTF-8";
	if (is_there(raw, MODEL) &&
		(strlen(raw->fields[MODEL]) > MODEL_MAX || !is_text(raw->fields[MODEL])))
		return "the model is too long, or not plain text in UTF-8";
	if (is_there(raw, SITE) && !site_check(raw->fields[SITE], &ignored))
		return "the site is no path like /eu/de";
	if (is_there(raw, IDEVID) &&
		(strlen(idevid) != (size_t)2 * SHA256_LEN ||
			strspn(idevid, "0123456789abcdefABCDEF") != (size_t)2 * SHA256_LEN))
		return "idevid_sha256 is not 64 hexadecimal digits";
	if (!labels_check(raw->labels, &ignored))
		return "a label is too long, has no proper name, or is one too many";
	return NULL;
}

static const char *time_fault(const struct reader *r, const struct raw *raw, int64_t *until)
{
	struct err ignored = ERR_INIT;
	int64_t from;

	*until = 0;
	if (is_there(raw, NOT_BEFORE) && !datetime_parse_or_day(raw->fields[NOT_BEFORE],
						 DATETIME_DAY_BEGINS, &from, &ignored))
		return "not_before is no time like 2026-12-01 or 2026-12-01T08:00:00Z";
	if (is_there(raw, NOT_BEFORE) && from > r->now)
		return "not_before is still to come: send the list then, or make a rule";
	if (is_there(raw, NOT_AFTER) &&
		!datetime_parse_or_day(raw->fields[NOT_AFTER], DATETIME_DAY_ENDS, until, &ignored))
		return "not_after is no time like 2026-12-01 or 2026-12-01T08:00:00Z";
	if (is_there(raw, NOT_AFTER) && *until <= r->now)
		return "not_after has passed";
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
static bool keep_fields(struct import_row *row, const struct raw *raw, size_t max, struct err *e)
{
	static const enum column kept[] = {MANUFACTURER, SERIAL, NOTE, MODEL, SITE, IDEVID};
	const char **to[] = {&row->manufacturer, &row->serial, &row->note, &row->model, &row->site,
		&row->idevid};
	struct bytes cut[sizeof(kept) / sizeof(*kept)];
	size_t sum = 0;
	char *at;

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		const char *field = raw->fields[kept[i]];

		cut[i] = bytes_cut_text(bytes_of_str(field ? field : ""), max);
		sum += cut[i].len + 1;
	}
	at = row->text = mem_new(sum, e);
	if (!at)
		return false;
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		if (cut[i].len)
			memcpy(at, cut[i].data, cut[i].len);
		*to[i] = kept[i] > SERIAL && cut[i].len == 0 ? NULL : at;
		at += cut[i].len + 1;
	}
	return true;
}

bool import_spoil(struct import *in, struct import_row *row, const char *why, struct err *e)
{
	row->result = IMPORT_BAD;
	row->why = str_dup(why, e);
	if (!row->why)
		return false;
	text_make_utf8(row->why, '?');
	in->bad++;
	return true;
}

static bool add_bad(struct import *in, const struct raw *raw, const char *why, struct err *e)
{
	struct import_row *row = new_row(in, raw->line, e);

	if (!row || !keep_fields(row, raw, SHOWN_MAX, e))
		return false;
	text_make_utf8((char *)(uintptr_t)row->manufacturer, '?');
	text_make_utf8((char *)(uintptr_t)row->serial, '?');
	row->note = row->model = row->site = row->idevid = NULL;
	return import_spoil(in, row, why, e);
}

static bool add_bad_line(struct import *in, size_t line, const char *why, struct err *e)
{
	const struct raw none = {.line = line};

	return add_bad(in, &none, why, e);
}

static bool keep_labels(struct import_row *row, const json_t *labels, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(LABELS_TEXT_MAX);

	if (json_object_size(labels) == 0)
		return true;
	if (!json_format(labels, &text, e))
		return false;
	row->labels = str_dup(buf_str(&text), e);
	return row->labels != NULL;
}

static void lower(char *hex)
{
	for (; hex && *hex; hex++)
		if (*hex >= 'A' && *hex <= 'F')
			*hex += 'a' - 'A';
}

static bool add_row(const struct reader *r, const struct raw *raw, struct err *e)
{
	int64_t until = 0;
	const char *why = device_fault(r, raw);
	struct import_row *row;

	if (!why)
		why = place_fault(raw);
	if (!why)
		why = time_fault(r, raw, &until);
	if (why)
		return add_bad(r->in, raw, why, e);
	row = new_row(r->in, raw->line, e);
	if (!row || !keep_fields(row, raw, SIZE_MAX, e))
		return false;
	lower((char *)(uintptr_t)row->idevid);
	row->until = until;
	return keep_labels(row, raw->labels, e);
}

/* ---- Labels ---- */

/* Each unknown column is named once. */
static bool note_unknown(struct import *in, const char *name, struct err *e)
{
	char *copy;

	if (in->unknown_count == CSV_FIELDS_MAX)
		return true;
	for (size_t i = 0; i < in->unknown_count; i++)
		if (strcmp(in->unknown[i], name) == 0)
			return true;
	copy = str_dup_n(name, bytes_cut_text(bytes_of_str(name), SHOWN_MAX).len, e);
	if (!copy)
		return false;
	text_make_utf8(copy, '?');
	in->unknown[in->unknown_count++] = copy;
	return true;
}

/* "Rack No" is the label rack-no. */
static void label_name(const char *column, char out[LABEL_NAME_MAX + 1])
{
	size_t n = 0;

	for (; *column && n < LABEL_NAME_MAX; column++) {
		char c = *column;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + 'a' - 'A');
		out[n++] = (char)(strchr("abcdefghijklmnopqrstuvwxyz0123456789._/-", c) ? c : '-');
	}
	out[n] = '\0';
}

/* What Jansson does not take (no UTF-8) becomes null, which labels_check() refuses. */
static bool add_label(struct raw *raw, const char *column, const char *value, struct err *e)
{
	char name[LABEL_NAME_MAX + 1];
	json_t *text;

	if (!value || !*value)
		return true;
	label_name(column, name);
	text = json_string(value);
	if (!text)
		text = json_null();
	return json_object_set_new(raw->labels, name, text) == 0 ||
	       err_set(e, ERR_NO_MEMORY, "no memory for a label");
}

/* "rack=4;row=2", or the JSON object an export writes. *ok: it is one of them. */
static bool add_labels(struct raw *raw, const char *text, bool *ok, struct err *e)
{
	struct err ignored = ERR_INIT;
	JSON_AUTO json_t *object =
		*text == '{' ? json_parse_object(bytes_of_str(text), &ignored) : NULL;
	FREE_AUTO char *copy = str_dup(text, e);
	char *rest = copy, *item;

	*ok = true;
	if (!copy)
		return false;
	if (*text == '{') {
		*ok = object != NULL;
		return !object || json_object_update(raw->labels, object) == 0 ||
		       err_set(e, ERR_NO_MEMORY, "no memory for labels");
	}
	while ((item = strsep(&rest, ";"))) {
		char *equals = strchr(item, '=');

		if (!*item)
			continue;
		if (!equals || equals == item) {
			*ok = false;
			return true;
		}
		*equals = '\0';
		if (!add_label(raw, item, equals + 1, e))
			return false;
	}
	return true;
}

/* The row with its labels from the columns that are some. */
static bool finish_row(const struct reader *r, struct raw *raw, struct err *e)
{
	bool ok = true;

	if (is_there(raw, LABELS) && !add_labels(raw, raw->fields[LABELS], &ok, e))
		return false;
	if (!ok)
		return add_bad(r->in, raw, "labels are NAME=VALUE with semicolons between", e);
	return add_label(raw, columns[SUPPLIER], raw->fields[SUPPLIER], e) &&
	       add_label(raw, columns[ORDER], raw->fields[ORDER], e) && add_row(r, raw, e);
}

static bool is_column(const char *name)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (strcasecmp(columns[i], name) == 0)
			return true;
	return false;
}

/* ---- CSV ---- */

static bool read_header(const struct reader *r, struct csv *csv, struct csv_row *header,
	int at[COLUMN_COUNT], struct err *e)
{
	bool end;

	if (!csv_next(csv, header, &end, e))
		return err_tell(e, "The first row cannot be read; it names the columns. Is the "
				   "list CSV in UTF-8?");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		at[i] = csv_column(header, columns[i]);
	if (end || at[MANUFACTURER] < 0 || at[SERIAL] < 0) {
		err_set(e, ERR_INPUT, "no columns manufacturer and serial");
		return err_tell(
			e, "The first row has to name the columns manufacturer and serial.");
	}
	for (size_t i = 0; i < header->count; i++)
		if (!is_column(header->fields[i]) && !note_unknown(r->in, header->fields[i], e))
			return false;
	return true;
}

static bool read_csv_row(const struct reader *r, const struct csv_row *header,
	const struct csv_row *row, const int at[COLUMN_COUNT], struct err *e)
{
	JSON_AUTO json_t *labels = json_object();
	struct raw raw = {.line = row->line, .labels = labels};

	if (!labels)
		return err_set(e, ERR_NO_MEMORY, "no memory for a row");
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		raw.fields[i] = csv_field(row, at[i]);
	if (row->count > header->count)
		return add_bad(r->in, &raw, "more fields than the first row has", e);
	for (size_t i = 0; i < row->count; i++)
		if (!is_column(header->fields[i]) &&
			!add_label(&raw, header->fields[i], row->fields[i], e))
			return false;
	return finish_row(r, &raw, e);
}

static bool read_csv(const struct reader *r, struct bytes text, struct err *e)
{
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	CSV_ROW_AUTO struct csv_row header = CSV_ROW_INIT;
	struct csv csv = csv_of(text);
	int at[COLUMN_COUNT] = {0};

	if (!read_header(r, &csv, &header, at, e))
		return false;
	for (;;) {
		struct err why = ERR_INIT;
		bool end, ok;

		if (csv_next(&csv, &row, &end, &why)) {
			if (end)
				return true;
			ok = read_csv_row(r, &header, &row, at, e);
		} else if (why.kind == ERR_NO_MEMORY) {
			*e = why;
			return false;
		} else {
			ok = add_bad_line(r->in, row.line, why.text, e);
		}
		if (!ok)
			return false;
	}
}

/* ---- JSON lines ---- */

/* A member nobody knows, when it is a text or a number; others say nothing a label could. */
static bool add_member(const struct reader *r, struct raw *raw, const char *name,
	const json_t *value, struct err *e)
{
	char number[32];

	if (!note_unknown(r->in, name, e))
		return false;
	if (json_is_string(value))
		return add_label(raw, name, json_string_value(value), e);
	if (!json_is_integer(value))
		return true;
	snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
	return add_label(raw, name, number, e);
}

static bool read_object(const struct reader *r, size_t line, json_t *object, struct err *e)
{
	JSON_AUTO json_t *labels = json_object();
	struct raw raw = {.line = line, .labels = labels};
	const json_t *given = json_object_get(object, columns[LABELS]);
	struct err why = ERR_INIT;
	const char *name;
	json_t *value;

	if (!labels || (json_is_object(given) &&
			       json_object_update(labels, (json_t *)(uintptr_t)given) != 0))
		return err_set(e, ERR_NO_MEMORY, "no memory for a row");
	json_object_foreach(object, name, value)
	{
		if (!is_column(name) && !add_member(r, &raw, name, value, e))
			return false;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!(i == LABELS && json_is_object(given)) &&
			!json_get_string(object, columns[i], &raw.fields[i], &why))
			return add_bad_line(r->in, line, why.text, e);
	return finish_row(r, &raw, e);
}

static bool read_json_line(const struct reader *r, size_t line, struct bytes text, struct err *e)
{
	JSON_AUTO json_t *object = NULL;
	struct err why = ERR_INIT;

	if (text.len > CSV_ROW_MAX)
		return add_bad_line(r->in, line, "the row is too long", e);
	object = json_parse_object(text, &why);
	if (object)
		return read_object(r, line, object, e);
	if (why.kind != ERR_NO_MEMORY)
		return add_bad_line(r->in, line, why.text, e);
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

bool import_read(struct import *in, const char *media_type, struct bytes text, int64_t now,
	import_manufacturer_fn *is_manufacturer, const void *arg, struct err *e)
{
	const struct reader r = {in, is_manufacturer, arg, now};

	memset(in, 0, sizeof(*in));
	if (media_type_is(media_type, IMPORT_CSV))
		return read_csv(&r, text, e) && find_twice(in, e);
	if (media_type_is(media_type, IMPORT_NDJSON))
		return read_ndjson(&r, text, e) && find_twice(in, e);
	return err_set(
		e, ERR_UNSUPPORTED_TYPE, "a list of type \"%.100s\"", media_type ? media_type : "");
}
