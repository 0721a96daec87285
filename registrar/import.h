/* SPDX-License-Identifier: Apache-2.0 */
/* A list of devices that are approved before they ask, as a supplier sends it: CSV with a header
 * row, or a JSON object a line. Columns: manufacturer and serial, which every row has; note, model,
 * site, labels ("rack=4;row=2", or a JSON object), idevid_sha256, not_before, not_after, supplier
 * and order. What nobody knows becomes a label, as supplier and order do. Every row is read and
 * judged here; nothing is stored. */
#ifndef REGISTRAR_IMPORT_H
#define REGISTRAR_IMPORT_H

#include "common/wire/csv.h"
#include "registrar/limits.h"

#define IMPORT_CSV    "text/csv"
#define IMPORT_NDJSON "application/x-ndjson"

enum import_result {
	IMPORT_PREAPPROVED, /* it may join when it comes */
	IMPORT_APPROVED,    /* it was here already, and may join now */
	IMPORT_UNCHANGED,   /* approved before, by this file or another */
	IMPORT_REJECTED,    /* an administrator has rejected it: a list does not undo that */
	IMPORT_REVOKED,	    /* its certificates are: it comes back by name */
	IMPORT_ANNOUNCED,   /* somebody else has to decide about it */
	IMPORT_BAD,	    /* no row, or about no device that could come */
	IMPORT_RESULT_COUNT
};
const char *import_result_name(enum import_result r);

struct import_row {
	size_t line; /* where it begins, from 1 */
	char *text;  /* owned: what the next seven are in */
	const char *manufacturer, *serial;
	const char *note, *model, *site, *idevid; /* NULL: none; idevid is lower-case hex */
	char *labels;				  /* owned: a JSON object; NULL: none */
	int64_t until; /* the approval ends before, if not used; 0: as usual */
	enum import_result result;
	char *why; /* owned; of a bad row, or what is worth knowing of a good one */
};

struct import {
	struct import_row *rows;
	size_t count, room;
	size_t bad;
	char *unknown[CSV_FIELDS_MAX]; /* columns nobody knows: they became labels */
	size_t unknown_count;
};
#define IMPORT_AUTO __attribute__((cleanup(import_clear)))
void import_clear(struct import *in);

/* Is this the name of a manufacturer here? */
typedef bool import_manufacturer_fn(const void *arg, const char *name);

/* Read all rows of a list. Those that are no good are IMPORT_BAD and say why, one that is there
 * twice is IMPORT_UNCHANGED the second time, all others IMPORT_PREAPPROVED.
 * False: it is no list at all (ERR_INPUT, ERR_UNSUPPORTED_TYPE), longer than IMPORT_ROWS_MAX
 * (ERR_TOO_LARGE), or ERR_NO_MEMORY. */
bool import_read(struct import *in, const char *media_type, struct bytes text, int64_t now,
	import_manufacturer_fn *is_manufacturer, const void *arg, struct err *e) MUST_CHECK;
/* A row that is found to be no good later. */
bool import_spoil(
	struct import *in, struct import_row *row, const char *why, struct err *e) MUST_CHECK;

#endif
