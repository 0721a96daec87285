/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values (RFC 4180), as spreadsheets and inventories write them: quoted fields, LF
 * or CRLF, a byte order mark in front, semicolons or tabs where the country or the program has them
 * for commas, and rows of nothing but these at the end. */
#ifndef WIRE_CSV_H
#define WIRE_CSV_H

#include "common/base/buf.h"

#define CSV_FIELDS_MAX 64
#define CSV_ROW_MAX    16384 /* octets of one row */

struct csv {
	struct bytes rest; /* what is not read yet; borrowed */
	size_t line;	   /* the line `rest` begins on, from 1 */
	char comma;	   /* what the first line has between its fields */
};

struct csv_row {
	const char *fields[CSV_FIELDS_MAX]; /* NUL-terminated, into text */
	size_t count;
	size_t line; /* where it began */
	struct buf text;
};
#define CSV_ROW_INIT                                                                               \
	{                                                                                          \
		.count = 0, .text = BUF_INIT(CSV_ROW_MAX)                                          \
	}
#define CSV_ROW_AUTO __attribute__((cleanup(csv_row_clear)))

struct csv csv_of(struct bytes text);
/* The next row with anything in it; *end when there is none. A row that cannot be read (ERR_INPUT,
 * ERR_TOO_LARGE, the line in the text) is passed over: the caller may go on with the next. */
bool csv_next(struct csv *c, struct csv_row *row, bool *end, struct err *e) MUST_CHECK;
void csv_row_clear(struct csv_row *row);

/* Position of the column in a header row, case-insensitive; -1 when it is not there. */
int csv_column(const struct csv_row *header, const char *name);
/* The field, "" when the row is too short or at is -1. */
const char *csv_field(const struct csv_row *row, int at);

/* Append one row, fields quoted where they need it, ended by a newline. What a spreadsheet would
 * take for a formula (= + - @ first) gets an apostrophe in front, which csv_next() takes away. */
bool csv_put(const char *const *fields, size_t count, struct buf *out, struct err *e) MUST_CHECK;

#endif
