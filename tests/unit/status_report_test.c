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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
