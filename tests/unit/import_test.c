/* SPDX-License-Identifier: Apache-2.0 */
/* Suppliers' lists: each row is judged, and what is no list is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "registrar/import.h"

#define NOW 1790000000

static bool is_acme(const void *arg, const char *name)
{
	return strcmp(name, "acme") == 0;
}

static bool take(struct import *in, const char *type, const char *text, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return import_read(in, type, bytes_of_str(text), NOW, is_acme, NULL, e);
}

static void import_read__csv__has_its_rows(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(take(&in, "text/csv; charset=utf-8",
		"Note,SERIAL,Manufacturer,Rack No\nn,S-1,acme,x\n\n,S-2,acme\n", &e));
	assert_int_equal(in.count, 2);
	assert_int_equal(in.bad, 0);
	assert_string_equal(in.rows[0].manufacturer, "acme");
	assert_string_equal(in.rows[0].serial, "S-1");
	assert_string_equal(in.rows[0].note, "n");
	assert_null(in.rows[1].note);
	assert_int_equal(in.rows[1].line, 4);
	assert_int_equal(in.rows[1].result, IMPORT_PREAPPROVED);
	assert_int_equal(in.unknown_count, 1);
	assert_string_equal(in.unknown[0], "Rack No");
	assert_string_equal(in.rows[0].labels, "{\"rack-no\":\"x\"}");
	assert_null(in.rows[1].labels);
}

#define SHA_HEX "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static void import_read__all_columns__are_kept(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(take(&in, IMPORT_CSV,
		"manufacturer,serial,model,site,labels,idevid_sha256,not_before,not_after,supplier,"
		"order\n"
		"acme,S-1,gw-2,/eu/de,rack=4;row=n," SHA_HEX
		",2026-01-01,2026-12-01,Parts Ltd,4711\n"
		"acme,S-2,,,\"{\"\"rack\"\":\"\"5\"\"}\",,,2026-12-01T08:00:00Z,,\n",
		&e));
	assert_int_equal(in.bad, 0);
	assert_int_equal(in.unknown_count, 0);
	assert_string_equal(in.rows[0].model, "gw-2");
	assert_string_equal(in.rows[0].site, "/eu/de");
	assert_string_equal(in.rows[0].idevid,
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
	assert_string_equal(in.rows[0].labels,
		"{\"rack\":\"4\",\"row\":\"n\",\"supplier\":\"Parts Ltd\",\"order\":\"4711\"}");
	assert_int_equal(in.rows[0].until, 1796169599); /* all of that day */
	assert_null(in.rows[1].model);
	assert_null(in.rows[1].site);
	assert_null(in.rows[1].idevid);
	assert_string_equal(in.rows[1].labels, "{\"rack\":\"5\"}");
	assert_int_equal(in.rows[1].until, 1796112000);
}

static void import_read__what_a_column_cannot_be__is_bad_and_says_why(void **state)
{
	static const struct {
		const char *column, *value, *why;
	} rows[] = {
		{"note", "M\xfcnchen", "UTF-8"},
		{"site", "eu", "the site is no path"},
		{"site", "/EU", "the site is no path"},
		{"model", "gw\x01", "the model"},
		{"idevid_sha256", "00", "64 hexadecimal digits"},
		{"labels", "rack", "NAME=VALUE"},
		{"labels", "=4", "NAME=VALUE"},
		{"labels", "{x}", "NAME=VALUE"},
		{"labels", "a=1;b=2;c=3;d=4;e=5;f=6;g=7;h=8;i=9;j=1;k=2;l=3;m=4;n=5;o=6;p=7;q=8",
			"one too many"},
		{"not_before", "soon", "not_before is no time"},
		{"not_before", "2099-01-01", "still to come"},
		{"not_after", "2026-13-01", "not_after is no time"},
		{"not_after", "2020-01-01", "not_after has passed"},
		{"colour", "a\x01", "a label"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		IMPORT_AUTO struct import in;
		struct err e = ERR_INIT;
		FREE_AUTO char *text = str_printf(
			&e, "manufacturer,serial,%s\nacme,S-1,%s\n", rows[i].column, rows[i].value);

		assert_non_null(text);
		assert_true(take(&in, IMPORT_CSV, text, &e));
		if (in.bad != 1 || !strstr(in.rows[0].why, rows[i].why))
			fail_msg("row %zu: %s", i, in.bad ? in.rows[0].why : "taken");
	}
}

/* Saved by a spreadsheet: a byte order mark, semicolons, CRLF, rows of nothing. */
static void import_read__list_of_a_spreadsheet__has_its_rows(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(take(&in, IMPORT_CSV,
		"\xef\xbb\xbfManufacturer;Serial;Note;Labels\r\n"
		"acme;S-1;Pallet 3, left;\"rack=4;row=2\"\r\n"
		";;;\r\n\r\n",
		&e));
	assert_int_equal(in.count, 1);
	assert_int_equal(in.bad, 0);
	assert_string_equal(in.rows[0].note, "Pallet 3, left");
	assert_string_equal(in.rows[0].labels, "{\"rack\":\"4\",\"row\":\"2\"}");
}

static void import_read__serial_that_a_spreadsheet_rounded__is_bad(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(take(&in, IMPORT_CSV,
		"manufacturer,serial\nacme,1.23457E+12\nacme,\"1,2E+12\"\n"
		"acme,1E+5A\nacme,E+12\nacme,12E12\n",
		&e));
	assert_int_equal(in.bad, 2);
	assert_non_null(strstr(in.rows[0].why, "rounded"));
	assert_non_null(strstr(in.rows[1].why, "rounded"));
}

static void import_read__json_lines__have_their_rows(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(take(&in, IMPORT_NDJSON,
		"{\"manufacturer\":\"acme\",\"serial\":\"S-1\",\"a\":1}\r\n \n"
		"{\"serial\":\"S-2\",\"manufacturer\":\"acme\",\"note\":\"n\",\"a\":2}",
		&e));
	assert_int_equal(in.count, 2);
	assert_int_equal(in.bad, 0);
	assert_string_equal(in.rows[1].note, "n");
	assert_int_equal(in.rows[1].line, 3);
	assert_int_equal(in.unknown_count, 1);
}

static void import_read__a_device_twice__is_taken_once(void **state)
{
	IMPORT_AUTO struct import in;
	struct err e;

	assert_true(
		take(&in, IMPORT_CSV, "manufacturer,serial\nacme,B\nacme,A\nacme,B\nacme,B\n", &e));
	assert_int_equal(in.rows[0].result, IMPORT_PREAPPROVED);
	assert_int_equal(in.rows[1].result, IMPORT_PREAPPROVED);
	assert_int_equal(in.rows[2].result, IMPORT_UNCHANGED);
	assert_int_equal(in.rows[3].result, IMPORT_UNCHANGED);
}

static const char *const bad_rows[] = {
	"acme,",
	",S",
	"Acme,S",
	"acme, S",
	"acme,S ",
	"acme,S,n,/eu,more",
	"acme,\"S\"x",
	"acme,S\x1b[m",
	"acme,S\xff",
	"acme,S,n\x07",
	"acme,S,n,eu",
	"acme,S,n,/eu/",
	"acme,S,n,/EU",
};

static void import_read__a_bad_row__says_why_and_the_others_are_read(void **state)
{
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(*bad_rows); i++) {
		IMPORT_AUTO struct import in;
		char text[200];
		struct err e;

		snprintf(text, sizeof(text),
			"manufacturer,serial,note,site\nacme,A,\n%s\nacme,B,\n", bad_rows[i]);
		assert_true(take(&in, IMPORT_CSV, text, &e));
		if (in.count != 3 || in.bad != 1 || in.rows[1].result != IMPORT_BAD)
			fail_msg("row %zu", i);
		assert_int_equal(in.rows[1].line, 3);
		assert_true(strlen(in.rows[1].why) > 0);
		assert_int_equal(in.rows[2].result, IMPORT_PREAPPROVED);
	}
}

static void import_read__lengths__are_bounded(void **state)
{
	char serial[140], text[400], note[210];
	struct err e;

	memset(serial, 's', sizeof(serial));
	memset(note, 'n', sizeof(note));
	for (int over = 0; over < 2; over++) {
		IMPORT_AUTO struct import in;

		snprintf(text, sizeof(text), "manufacturer,serial,note\nacme,%.*s,\nacme,S,%.*s\n",
			128 + over, serial, 200 + over, note);
		assert_true(take(&in, IMPORT_CSV, text, &e));
		assert_int_equal(in.bad, 2 * over);
	}
}

static void import_read__no_list__is_refused(void **state)
{
	static const struct {
		const char *type, *text;
		enum err_kind kind;
	} refused[] = {
		{IMPORT_CSV, "", ERR_INPUT},
		{IMPORT_CSV, "serial\nS\n", ERR_INPUT},
		{IMPORT_CSV, "acme,S\n", ERR_INPUT},
		{"application/json", "{}", ERR_UNSUPPORTED_TYPE},
		{NULL, "manufacturer,serial\n", ERR_UNSUPPORTED_TYPE},
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		IMPORT_AUTO struct import in;
		struct err e;

		assert_false(take(&in, refused[i].type, refused[i].text, &e));
		assert_int_equal(e.kind, refused[i].kind);
	}
}

static void import_read__more_rows_than_it_takes__is_too_large(void **state)
{
	static const char head[] = "manufacturer,serial\n", row[] = "acme,S\n";
	IMPORT_AUTO struct import in;
	BUF_AUTO struct buf text = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	assert_true(buf_append_str(&text, head, &e));
	for (int i = 0; i <= IMPORT_ROWS_MAX; i++)
		assert_true(buf_append_str(&text, row, &e));
	assert_false(import_read(&in, IMPORT_CSV, buf_bytes(&text), NOW, is_acme, NULL, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(import_read__csv__has_its_rows),
		cmocka_unit_test(import_read__all_columns__are_kept),
		cmocka_unit_test(import_read__what_a_column_cannot_be__is_bad_and_says_why),
		cmocka_unit_test(import_read__list_of_a_spreadsheet__has_its_rows),
		cmocka_unit_test(import_read__serial_that_a_spreadsheet_rounded__is_bad),
		cmocka_unit_test(import_read__json_lines__have_their_rows),
		cmocka_unit_test(import_read__a_device_twice__is_taken_once),
		cmocka_unit_test(import_read__a_bad_row__says_why_and_the_others_are_read),
		cmocka_unit_test(import_read__lengths__are_bounded),
		cmocka_unit_test(import_read__no_list__is_refused),
		cmocka_unit_test(import_read__more_rows_than_it_takes__is_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
