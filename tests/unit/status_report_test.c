/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry: strict in what is sent, generous in what is understood. */
#include "common/message/status_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_parses(const char *json, struct status_report *r)
{
	struct err e = ERR_INIT;
	if (!status_report_parse(bytes_of_str(json), r, &e))
		fail_msg("%s", e.text);
}

static void assert_refused(const char *json, const char *reason)
{
	struct err e = ERR_INIT;
	struct status_report STATUS_REPORT_AUTO r;
	assert_false(status_report_parse(bytes_of_str(json), &r, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

static void status_report_parse__the_rfc_example__is_read(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	assert_parses("{\"version\": 1, \"status\":false, \"reason\":\"Informative\","
		      "\"reason-context\": { \"additional\" : \"JSON\" } }",
		&r);
	assert_int_equal(r.version, 1);
	assert_false(r.status);
	assert_string_equal(r.reason, "Informative");
	assert_string_equal(r.reason_context, "{\"additional\":\"JSON\"}");
	assert_null(r.unknown_members);
}

/* req: R8995-REG-039 */
static void status_report_parse__the_dialect_of_old_peers__is_read(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	assert_parses("{\"version\":\"1\",\"Status\":1,\"Reason\":\"ok\"}", &r);
	assert_int_equal(r.version, 1);
	assert_true(r.status);
	assert_string_equal(r.reason, "ok");
	status_report_clear(&r);
	assert_parses("{\"Version\":1,\"STATUS\":\"true\",\"reason\":null}", &r);
	assert_true(r.status);
	assert_string_equal(r.reason, "");
}

static void status_report_parse__false_in_any_form__is_not_taken_for_success(void **state)
{
	const char *const no[] = {"false", "0", "\"false\"", "\"0\"", "\"False\""};
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		char json[64];
		struct status_report STATUS_REPORT_AUTO r;
		snprintf(json, sizeof(json), "{\"version\":1,\"status\":%s}", no[i]);
		assert_parses(json, &r);
		assert_false(r.status);
	}
}

static void status_report_parse__greater_version_and_unknown__are_kept_for_the_log(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	assert_parses("{\"version\":2,\"status\":true,\"x\":1,\"reasonx\":\"y\"}", &r);
	assert_int_equal(r.version, 2);
	assert_string_equal(r.unknown_members, "x,reasonx");
}

static void status_report_parse__a_name_in_two_cases__is_refused(void **state)
{
	assert_refused("{\"version\":1,\"status\":false,\"Status\":true}", "status is there twice");
	assert_refused("{\"version\":1,\"status\":false,\"status\":true}", "duplicate");
}

static void status_report_parse__missing_or_of_another_type__is_refused(void **state)
{
	assert_refused("{\"version\":1}", "status is missing");
	assert_refused("{\"status\":true}", "version is missing");
	assert_refused("{\"version\":0,\"status\":true}", "version");
	assert_refused("{\"version\":1.5,\"status\":true}", "version");
	assert_refused("{\"version\":\"one\",\"status\":true}", "version");
	assert_refused("{\"version\":\"-1\",\"status\":true}", "version");
	assert_refused("{\"version\":4294967296,\"status\":true}", "version");
	assert_refused("{\"version\":1,\"status\":2}", "status");
	assert_refused("{\"version\":1,\"status\":\"yes\"}", "status");
	assert_refused("{\"version\":1,\"status\":null}", "status");
	assert_refused("{\"version\":1,\"status\":true,\"reason\":{}}", "reason");
	assert_refused("true", "JSON");
	assert_refused("", "empty");
}

static void status_report_parse__long_reason__is_cut_between_characters(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	char json[1024] = "{\"version\":1,\"status\":false,\"reason\":\"";
	for (int i = 0; i < 200; i++)
		strcat(json, "\xc3\xa9");
	strcat(json, "\"}");
	assert_parses(json, &r);
	assert_int_equal(strlen(r.reason), STATUS_REPORT_REASON_MAX - 1);
}

static void status_report_parse__too_large__is_refused(void **state)
{
	static char json[STATUS_REPORT_MAX + 1];
	struct err e = ERR_INIT;
	struct status_report STATUS_REPORT_AUTO r;
	memset(json, ' ', sizeof(json));
	assert_false(status_report_parse(bytes_of(json, sizeof(json)), &r, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* req: R8995-PLG-043 */
static void status_report_format__success__has_exactly_these_octets(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(STATUS_REPORT_MAX);
	struct status_report r = {.version = 1, .status = true};
	assert_true(status_report_format(&r, &out, &e));
	assert_string_equal(buf_str(&out), "{\"version\":1,\"status\":true}");
}

static void status_report_format__failure__has_reason_and_context(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(STATUS_REPORT_MAX);
	struct status_report STATUS_REPORT_AUTO r = {.version = 1, .reason = "not \"good\""};
	r.reason_context = str_dup("{\"a\":1}", &e);
	assert_true(status_report_format(&r, &out, &e));
	assert_string_equal(buf_str(&out), "{\"version\":1,\"status\":false,\"reason\":"
					   "\"not \\\"good\\\"\",\"reason-context\":{\"a\":1}}");
}

static void status_report_format__context_that_is_no_object__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(STATUS_REPORT_MAX);
	struct status_report STATUS_REPORT_AUTO r = {.version = 1};
	r.reason_context = str_dup("\"text\"", &e);
	assert_false(status_report_format(&r, &out, &e));
	assert_int_equal(out.len, 0);
}

/* ---- CBOR ---- */

#define OCTETS(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define VERSION_1   0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x01
#define STATUS	    0x66, 's', 't', 'a', 't', 'u', 's'
#define REASON	    0x66, 'r', 'e', 'a', 's', 'o', 'n'
#define CONTEXT	    0x6e, 'r', 'e', 'a', 's', 'o', 'n', '-', 'c', 'o', 'n', 't', 'e', 'x', 't'

static void assert_cbor_refused(struct bytes cbor, const char *reason)
{
	struct err e = ERR_INIT;
	struct status_report STATUS_REPORT_AUTO r;
	assert_false(status_report_parse_cbor(cbor, &r, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

/* req */
static void status_report_format_cbor__success__has_exactly_these_octets(void **state)
{
	static const uint8_t expected[] = {0xa2, VERSION_1, STATUS, 0xf5};
	struct status_report r = {.version = 1, .status = true};
	struct status_report STATUS_REPORT_AUTO again;
	struct buf BUF_AUTO out = BUF_INIT(STATUS_REPORT_MAX);
	struct err e = ERR_INIT;
	assert_true(status_report_format_cbor(&r, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(expected, sizeof(expected))));
	assert_true(status_report_parse_cbor(buf_bytes(&out), &again, &e));
	assert_true(again.status);
	assert_int_equal(again.version, 1);
}

/* req */
static void status_report_parse_cbor__reason_and_context__are_kept(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	struct status_report STATUS_REPORT_AUTO again;
	struct buf BUF_AUTO out = BUF_INIT(STATUS_REPORT_MAX);
	struct err e = ERR_INIT;
	/* a number as a key, which the JSON of the same CDDL could not have */
	assert_true(status_report_parse_cbor(OCTETS(0xa4, VERSION_1, STATUS, 0xf4, REASON, 0x62,
						     'n', 'o', CONTEXT, 0xa1, 0x00, 0x61, 'x'),
		&r, &e));
	assert_false(r.status);
	assert_string_equal(r.reason, "no");
	assert_string_equal(r.reason_context, "{\"0\":\"x\"}");
	assert_true(status_report_format_cbor(&r, &out, &e));
	assert_true(status_report_parse_cbor(buf_bytes(&out), &again, &e));
	assert_string_equal(again.reason, r.reason);
	assert_string_equal(again.reason_context, r.reason_context);
	/* a failure without a reason is read all the same */
	status_report_clear(&again);
	assert_true(status_report_parse_cbor(OCTETS(0xa2, STATUS, 0xf4, VERSION_1), &again, &e));
	assert_string_equal(again.reason, "");
}

/* req: R-13 */
static void status_report_parse_cbor__another_type_or_name__is_refused(void **state)
{
	assert_cbor_refused(OCTETS(0xa2, VERSION_1, STATUS, 0x01), "status");
	assert_cbor_refused(OCTETS(0xa2, VERSION_1, STATUS, 0xf6), "status");
	assert_cbor_refused(
		OCTETS(0xa2, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x61, '1', STATUS, 0xf5),
		"version");
	assert_cbor_refused(
		OCTETS(0xa2, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x00, STATUS, 0xf5),
		"version");
	assert_cbor_refused(OCTETS(0xa1, VERSION_1), "status is missing");
	assert_cbor_refused(OCTETS(0xa1, STATUS, 0xf5), "version is missing");
	assert_cbor_refused(OCTETS(0xa2, VERSION_1, 0x66, 'S', 't', 'a', 't', 'u', 's', 0xf5),
		"status is missing");
	assert_cbor_refused(OCTETS(0xa2, 0x00, 0x01, 0x01, 0xf5), "key");
	assert_cbor_refused(OCTETS(0xa3, VERSION_1, STATUS, 0xf4, REASON, 0xf6), "reason");
	assert_cbor_refused(OCTETS(0xa3, VERSION_1, STATUS, 0xf4, CONTEXT, 0x80), "reason-context");
	assert_cbor_refused(OCTETS(0xa2, STATUS, 0xf4, STATUS, 0xf5), "twice");
	assert_cbor_refused(OCTETS(0x80), "map");
	assert_cbor_refused(bytes_of_str("{\"version\":1,\"status\":true}"), "status report");
}

static void status_report_parse_cbor__members_nobody_knows__are_of_a_later_version(void **state)
{
	struct status_report STATUS_REPORT_AUTO r;
	struct err e = ERR_INIT;
	assert_cbor_refused(OCTETS(0xa3, VERSION_1, STATUS, 0xf4, 0x67, 'r', 'e', 'a', 's', 'o',
				    'n', 'x', 0x61, 'y'),
		"reasonx");
	assert_true(
		status_report_parse_cbor(OCTETS(0xa4, 0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x02,
						 STATUS, 0xf5, 0x61, 'a', 0x00, 0x61, 'b', 0x80),
			&r, &e));
	assert_int_equal(r.version, 2);
	assert_string_equal(r.unknown_members, "a,b");
}

static void status_report_parse_cbor__too_long__is_refused(void **state)
{
	static const uint8_t zeros[STATUS_REPORT_MAX + 1];
	struct status_report STATUS_REPORT_AUTO r;
	struct err e = ERR_INIT;
	assert_false(status_report_parse_cbor(bytes_of(zeros, sizeof(zeros)), &r, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* req */
static void status_report_format_by_media_type__finds_the_encoding(void **state)
{
	assert_ptr_equal(
		status_report_format_by_media_type("application/cbor"), &status_report_cbor);
	assert_ptr_equal(status_report_format_by_media_type("Application/JSON; charset=utf-8"),
		&status_report_json);
	assert_null(status_report_format_by_media_type("text/plain"));
	assert_null(status_report_format_by_media_type(NULL));
}

static void status_report_parse_typed__reads_what_the_type_says_and_nothing_else(void **state)
{
	const struct bytes json = bytes_of_str("{\"version\":1,\"status\":true}");
	STATUS_REPORT_AUTO struct status_report r = {.version = 0};
	struct err e = ERR_INIT;

	assert_true(status_report_parse_typed("application/json", json, &r, &e));
	assert_true(r.status);
	assert_false(status_report_parse_typed("application/cbor", json, &r, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_false(status_report_parse_typed("text/plain", json, &r, &e));
	assert_int_equal(e.kind, ERR_UNSUPPORTED_TYPE);
	assert_false(status_report_parse_typed(NULL, json, &r, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_report_parse__the_rfc_example__is_read),
		cmocka_unit_test(status_report_parse__the_dialect_of_old_peers__is_read),
		cmocka_unit_test(status_report_parse__false_in_any_form__is_not_taken_for_success),
		cmocka_unit_test(
			status_report_parse__greater_version_and_unknown__are_kept_for_the_log),
		cmocka_unit_test(status_report_parse__a_name_in_two_cases__is_refused),
		cmocka_unit_test(status_report_parse__missing_or_of_another_type__is_refused),
		cmocka_unit_test(status_report_parse__long_reason__is_cut_between_characters),
		cmocka_unit_test(status_report_parse__too_large__is_refused),
		cmocka_unit_test(status_report_format__success__has_exactly_these_octets),
		cmocka_unit_test(status_report_format__failure__has_reason_and_context),
		cmocka_unit_test(status_report_format__context_that_is_no_object__is_refused),
		cmocka_unit_test(status_report_format_cbor__success__has_exactly_these_octets),
		cmocka_unit_test(status_report_parse_cbor__reason_and_context__are_kept),
		cmocka_unit_test(status_report_parse_cbor__another_type_or_name__is_refused),
		cmocka_unit_test(
			status_report_parse_cbor__members_nobody_knows__are_of_a_later_version),
		cmocka_unit_test(status_report_parse_cbor__too_long__is_refused),
		cmocka_unit_test(status_report_format_by_media_type__finds_the_encoding),
		cmocka_unit_test(
			status_report_parse_typed__reads_what_the_type_says_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
