/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log response: what other MASAs send is read, what we send is to the letter. */
#include "common/message/audit_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EVENT "{\"date\":\"2021-04-13T21:43:23Z\",\"domainID\":\"AQI=\"}"

static void assert_parses(const char *json, struct audit_log *l)
{
	struct err e = ERR_INIT;
	if (!audit_log_parse(bytes_of_str(json), l, &e))
		fail_msg("%s", e.text);
}

static void assert_refused(const char *json, const char *reason)
{
	struct err e = ERR_INIT;
	struct audit_log AUDIT_LOG_AUTO l;
	assert_false(audit_log_parse(bytes_of_str(json), &l, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

/* req: R8995-REG-044 */
static void audit_log_parse__quoted_numbers_as_in_the_rfc__are_read(void **state)
{
	struct audit_log AUDIT_LOG_AUTO l;
	assert_parses(
		"{\"version\":\"1\",\"events\":[{\"date\":\"2019-05-15T17:25:55.644-04:00\","
		"\"domainID\":\"BduJhdHPpfhQLyponf48JzXSGZ8=\",\"nonce\":\"VOUFT-"
		"WwrEv0NuAQEHoV7Q\","
		"\"assertion\":\"proximity\",\"truncated\":\"3\"}],\"truncation\":{"
		"\"nonced duplicates\":\"0\",\"nonceless duplicates\":\"1\",\"arbitrary\":\"2\"}}",
		&l);
	assert_int_equal(l.version, 1);
	assert_int_equal(l.event_count, 1);
	assert_int_equal(l.events[0].date, 1557955555);
	assert_string_equal(l.events[0].domain_id, "BduJhdHPpfhQLyponf48JzXSGZ8=");
	assert_string_equal(l.events[0].nonce, "VOUFT-WwrEv0NuAQEHoV7Q");
	assert_int_equal(l.events[0].assertion, ASSERTION_PROXIMITY);
	assert_int_equal(l.events[0].truncated, 3);
	assert_int_equal(l.nonced_duplicates, 0);
	assert_int_equal(l.nonceless_duplicates, 1);
	assert_int_equal(l.arbitrary, 2);
}

static void audit_log_parse__the_oldest_masa__is_understood(void **state)
{
	struct audit_log AUDIT_LOG_AUTO l;
	assert_parses("{\"version\":\"1\",\"events\":[{\"date\":\"2021-04-13T21:43:23Z\","
		      "\"registrarID\":\"AQI=\",\"nonce\":null}]}",
		&l);
	assert_string_equal(l.events[0].domain_id, "AQI=");
	assert_null(l.events[0].nonce);
	assert_int_equal(l.events[0].assertion, ASSERTION_LOGGED);
	assert_int_equal(l.arbitrary, 0);
}

/* req: R8995-REG-044 */
static void audit_log_parse__later_version_and_unknown_members__are_accepted(void **state)
{
	struct audit_log AUDIT_LOG_AUTO l;
	assert_parses("{\"version\":7,\"x\":{},\"events\":[" EVENT
		      ",{\"date\":\"2021-04-13T21:43:23Z\","
		      "\"domainID\":\"AQI=\",\"y\":1,\"assertion\":\"sworn\"}]}",
		&l);
	assert_int_equal(l.version, 7);
	assert_int_equal(l.event_count, 2);
	assert_int_equal(l.events[1].assertion, ASSERTION_OTHER);
}

static void audit_log_parse__what_cannot_be_judged__is_refused(void **state)
{
	assert_refused("{\"version\":1}", "events is not an array");
	assert_refused("{\"version\":1,\"events\":{}}", "events is not an array");
	assert_refused("{\"version\":1,\"events\":[1]}", "event 1: not an object");
	assert_refused("{\"version\":1,\"events\":[" EVENT ",{\"domainID\":\"AQI=\"}]}",
		"event 2: date is missing");
	assert_refused("{\"version\":1,\"events\":[{\"date\":\"2021-04-13T21:43:23Z\"}]}",
		"domainID is missing");
	assert_refused("{\"version\":1,\"events\":[{\"date\":\"then\",\"domainID\":\"AQI=\"}]}",
		"RFC 3339");
	assert_refused(
		"{\"version\":1,\"events\":[{\"date\":\"2021-04-13T21:43:23Z\",\"domainID\":7}]}",
		"domainID is not a string");
	assert_refused("{\"version\":-1,\"events\":[]}", "version is not a number");
	assert_refused(
		"{\"version\":1,\"events\":[],\"truncation\":[]}", "truncation is not an object");
	assert_refused("{\"version\":1,\"events\":[],\"truncation\":{\"arbitrary\":\"many\"}}",
		"arbitrary is not a number");
	assert_refused("<html>", "JSON");
}

static void audit_log_parse__too_many_events_or_octets__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct audit_log AUDIT_LOG_AUTO l;
	struct buf BUF_AUTO json = BUF_INIT(2 * AUDIT_LOG_MAX);
	assert_true(buf_append_str(&json, "{\"version\":1,\"events\":[1", &e));
	for (int i = 0; i < AUDIT_LOG_EVENTS_MAX; i++)
		assert_true(buf_append_str(&json, ",1", &e));
	assert_true(buf_append_str(&json, "]}", &e));
	assert_false(audit_log_parse(buf_bytes(&json), &l, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	while (json.len <= AUDIT_LOG_MAX)
		assert_true(buf_append_str(&json, "          ", &e));
	assert_false(audit_log_parse(buf_bytes(&json), &l, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* req: R8995-MASA-031, R8995-MASA-032 */
static void audit_log_format__nonced_and_nonceless__have_exactly_these_octets(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(AUDIT_LOG_MAX);
	struct audit_log AUDIT_LOG_AUTO l = {.version = 1};
	char domain[] = "AQI=", nonce[] = "-_XE9zK9q8Ll1qylMtLKeg";
	struct audit_event event = {.date = 1618350203,
		.domain_id = domain,
		.nonce = nonce,
		.assertion = ASSERTION_VERIFIED,
		.truncated = 4};
	assert_true(audit_log_add(&l, &event, &e));
	event.nonce = NULL;
	event.assertion = ASSERTION_LOGGED;
	event.truncated = 0;
	assert_true(audit_log_add(&l, &event, &e));
	assert_true(audit_log_format(&l, &out, &e));
	assert_string_equal(buf_str(&out),
		"{\"version\":1,\"events\":["
		"{\"date\":\"2021-04-13T21:43:23Z\",\"domainID\":\"AQI=\","
		"\"nonce\":\"-_XE9zK9q8Ll1qylMtLKeg\",\"assertion\":\"verified\",\"truncated\":4},"
		"{\"date\":\"2021-04-13T21:43:23Z\",\"domainID\":\"AQI=\",\"nonce\":null,"
		"\"assertion\":\"logged\"}]}");
}

static void audit_log_format__truncation__is_numbers_and_only_when_there_is_some(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(AUDIT_LOG_MAX);
	struct audit_log AUDIT_LOG_AUTO l = {.version = 1, .nonced_duplicates = 5};
	assert_true(audit_log_format(&l, &out, &e));
	assert_string_equal(buf_str(&out),
		"{\"version\":1,\"events\":[],\"truncation\":{\"nonced duplicates\":5,"
		"\"nonceless duplicates\":0,\"arbitrary\":0}}");
}

static void audit_log_format__event_without_assertion__is_a_bug(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(AUDIT_LOG_MAX);
	struct audit_log AUDIT_LOG_AUTO l = {.version = 1};
	char domain[] = "AQI=";
	struct audit_event event = {.domain_id = domain};
	assert_true(audit_log_add(&l, &event, &e));
	assert_false(audit_log_format(&l, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
}

static void audit_log_add__beyond_the_limit__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct audit_log AUDIT_LOG_AUTO l = {.version = 1};
	char domain[] = "AQI=";
	struct audit_event event = {.domain_id = domain, .assertion = ASSERTION_LOGGED};
	for (int i = 0; i < AUDIT_LOG_EVENTS_MAX; i++)
		assert_true(audit_log_add(&l, &event, &e));
	assert_false(audit_log_add(&l, &event, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(l.event_count, AUDIT_LOG_EVENTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(audit_log_parse__quoted_numbers_as_in_the_rfc__are_read),
		cmocka_unit_test(audit_log_parse__the_oldest_masa__is_understood),
		cmocka_unit_test(audit_log_parse__later_version_and_unknown_members__are_accepted),
		cmocka_unit_test(audit_log_parse__what_cannot_be_judged__is_refused),
		cmocka_unit_test(audit_log_parse__too_many_events_or_octets__is_refused),
		cmocka_unit_test(audit_log_format__nonced_and_nonceless__have_exactly_these_octets),
		cmocka_unit_test(
			audit_log_format__truncation__is_numbers_and_only_when_there_is_some),
		cmocka_unit_test(audit_log_format__event_without_assertion__is_a_bug),
		cmocka_unit_test(audit_log_add__beyond_the_limit__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
