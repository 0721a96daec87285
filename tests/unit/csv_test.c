/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/wire/csv.h"

static void csv_next__quotes_and_line_ends__are_taken_for_what_they_are(void **state)
{
	struct csv c = csv_of(bytes_of_str("\xef\xbb\xbfSerial,note\r\n"
					   "A,\"x, \"\"y\"\"\nz\"\r\n"
					   "\r\n\n"
					   "B,\n"
					   "C"));
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_int_equal(row.count, 2);
	assert_int_equal(csv_column(&row, "serial"), 0);
	assert_int_equal(csv_column(&row, "owner"), -1);
	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_int_equal(row.line, 2);
	assert_string_equal(row.fields[0], "A");
	assert_string_equal(row.fields[1], "x, \"y\"\nz");
	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_int_equal(row.line, 6);
	assert_string_equal(csv_field(&row, 0), "B");
	assert_string_equal(csv_field(&row, 1), "");
	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_int_equal(row.count, 1);
	assert_string_equal(csv_field(&row, 0), "C");
	assert_string_equal(csv_field(&row, 1), "");
	assert_string_equal(csv_field(&row, -1), "");
	assert_true(csv_next(&c, &row, &end, &e) && end);
}

static void csv_next__semicolons_or_tabs_for_commas__divide_fields(void **state)
{
	static const char *const texts[] = {"\xef\xbb\xbf\"se;r\";note\r\nA;x, y\r\n;\r\n\r\n",
		"\"se;r\"\tnote\nA\tx, y\n\t\n"};
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct csv c = csv_of(bytes_of_str(texts[i]));

		assert_true(csv_next(&c, &row, &end, &e) && !end);
		assert_int_equal(row.count, 2);
		assert_string_equal(row.fields[0], "se;r");
		assert_true(csv_next(&c, &row, &end, &e) && !end);
		assert_string_equal(row.fields[0], "A");
		assert_string_equal(row.fields[1], "x, y");
		assert_true(csv_next(&c, &row, &end, &e) && end);
	}
}

/* A list with commas stays one, whatever its fields hold. */
static void csv_next__semicolon_beside_commas__is_text(void **state)
{
	struct csv c = csv_of(bytes_of_str("serial,labels;all\nA,rack=4;row=2\n,,\n\"\",\n"));
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_string_equal(row.fields[1], "labels;all");
	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_int_equal(row.count, 2);
	assert_string_equal(row.fields[1], "rack=4;row=2");
	assert_true(csv_next(&c, &row, &end, &e) && end);
}

/* The row after the bad one is still read. */
static void refuse_then_go_on(const char *text, size_t len, const char *why)
{
	struct csv c = csv_of(bytes_of(text, len));
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	assert_false(csv_next(&c, &row, &end, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, why));
	assert_non_null(strstr(e.text, "line 1"));
	assert_true(csv_next(&c, &row, &end, &e) && !end);
	assert_string_equal(row.fields[0], "next");
}

static void csv_next__bad_row__is_named_and_passed_over(void **state)
{
	refuse_then_go_on("\"a\"b,c\nnext\n", 12, "closing quote");
	refuse_then_go_on("a\"b\",c\nnext\n", 12, "inside of a field");
	refuse_then_go_on("a\0b,c\nnext\n", 11, "NUL");
}

static void csv_next__quote_without_end_or_too_much__is_refused(void **state)
{
	static char big[CSV_ROW_MAX + 10], many[CSV_FIELDS_MAX + 10];
	struct csv c = csv_of(bytes_of_str("a,\"b\nc\n"));
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	bool end;

	assert_false(csv_next(&c, &row, &end, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	memset(big, 'x', sizeof(big));
	c = csv_of(bytes_of(big, sizeof(big)));
	assert_false(csv_next(&c, &row, &end, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	memset(many, ',', sizeof(many));
	c = csv_of(bytes_of(many, sizeof(many)));
	assert_false(csv_next(&c, &row, &end, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_true(csv_next(&c, &row, &end, &e) && end);
}

static void csv_put__then_read__gives_the_same_fields(void **state)
{
	const char *const fields[] = {"plain", "a,b", "say \"x\"", "two\nlines", ""};
	BUF_AUTO struct buf out = BUF_INIT(1024);
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	struct csv c;
	bool end;

	assert_true(csv_put(fields, 5, &out, &e));
	c = csv_of(buf_bytes(&out));
	assert_true(csv_next(&c, &row, &end, &e));
	assert_int_equal(row.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(row.fields[i], fields[i]);
}

static void csv_put__field_begins_with_a_byte_order_mark__keeps_it(void **state)
{
	const char *const fields[] = {"\xef\xbb\xbf!"};
	BUF_AUTO struct buf out = BUF_INIT(64);
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	struct csv c;
	bool end;

	assert_true(csv_put(fields, 1, &out, &e));
	c = csv_of(buf_bytes(&out));
	assert_true(csv_next(&c, &row, &end, &e));
	assert_string_equal(row.fields[0], fields[0]);
}

static void csv_put__what_a_spreadsheet_computes__is_marked_and_read_back(void **state)
{
	const char *const fields[] = {
		"=1+1", "+1", "-1", "@A1", "\t=1", "'=1", "''=1", "'a'", "a=b"};
	const char *const want = "'=1+1,'+1,'-1,'@A1,\"'\t=1\",''=1,'''=1,'a',a=b\n";
	BUF_AUTO struct buf out = BUF_INIT(256);
	CSV_ROW_AUTO struct csv_row row = CSV_ROW_INIT;
	struct err e = ERR_INIT;
	struct csv c;
	bool end;

	assert_true(csv_put(fields, 9, &out, &e));
	assert_string_equal(buf_str(&out), want);
	c = csv_of(buf_bytes(&out));
	assert_true(csv_next(&c, &row, &end, &e));
	assert_int_equal(row.count, 9);
	for (size_t i = 0; i < 9; i++)
		assert_string_equal(row.fields[i], fields[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_next__quotes_and_line_ends__are_taken_for_what_they_are),
		cmocka_unit_test(csv_next__semicolons_or_tabs_for_commas__divide_fields),
		cmocka_unit_test(csv_next__semicolon_beside_commas__is_text),
		cmocka_unit_test(csv_next__bad_row__is_named_and_passed_over),
		cmocka_unit_test(csv_next__quote_without_end_or_too_much__is_refused),
		cmocka_unit_test(csv_put__then_read__gives_the_same_fields),
		cmocka_unit_test(csv_put__field_begins_with_a_byte_order_mark__keeps_it),
		cmocka_unit_test(csv_put__what_a_spreadsheet_computes__is_marked_and_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
