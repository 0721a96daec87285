/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the journal as CloudEvents: the table, patterns of types, the envelope. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "registrar/notify/event.h"

static const char *type_of(const char *step, const char *outcome)
{
	static char type[EVENT_TYPE_MAX + 1];

	event_type(step, outcome, type);
	return type;
}

static void event_type__a_line__has_the_type_of_its_row(void **state)
{
	assert_string_equal(type_of("claim", "approved"), "brski.claim.approved");
	assert_string_equal(type_of("claim", "approved-once"), "brski.claim.approved_once");
	assert_string_equal(type_of("claim", "unwanted"), "brski.voucher.refused");
	assert_string_equal(type_of("renew", "certificate"), "brski.device.renewed");
	assert_string_equal(type_of("history", "refused"), "brski.auditlog.suspicious");
	assert_string_equal(type_of("history", "peer"), "brski.voucher.failed");
}

static void event_type__a_line_without_a_row__is_named_by_itself(void **state)
{
	assert_null(event_row_of("kettle", "boiled-dry"));
	assert_string_equal(type_of("kettle", "boiled-dry"), "brski.kettle.boiled_dry");
	assert_string_equal(type_of(NULL, NULL), "brski.journal.noted");
}

static void event_rows__each__is_there_once_and_well_named(void **state)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < event_row_count; i++) {
		const struct event_row *r = &event_rows[i];

		if (strncmp(r->type, EVENT_PREFIX, strlen(EVENT_PREFIX)) != 0 ||
			strlen(r->type) > EVENT_TYPE_MAX || !event_types_check(r->type, &e))
			fail_msg("%s", r->type);
		if (event_row_of(r->step, r->outcome ? r->outcome : "no such outcome") != r)
			fail_msg("%s %s twice", r->step, r->outcome ? r->outcome : "any");
	}
}

static void event_types_have__patterns__match_what_they_say(void **state)
{
	static const struct {
		const char *types, *type;
		bool have;
	} rows[] = {
		{NULL, "brski.claim.pending", true},
		{"", "brski.claim.pending", true},
		{"*", "brski.claim.pending", true},
		{"claim.*", "brski.claim.pending", true},
		{"brski.claim.*", "brski.claim.pending", true},
		{"claim.pending", "brski.claim.pending", true},
		{"device.*,claim.pending", "brski.claim.pending", true},
		{"claim", "brski.claim.pending", false},
		{"claim.pend", "brski.claim.pending", false},
		{"claim.pendings", "brski.claim.pending", false},
		{"pending", "brski.claim.pending", false},
		{"device.*", "brski.claim.pending", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (event_types_have(rows[i].types, rows[i].type) != rows[i].have)
			fail_msg("row %zu", i);
}

static void event_types_check__no_list_of_types__is_refused(void **state)
{
	static const char *const refused[] = {"", ",", "claim.*,", ",claim.*", "cl*im", "**",
		"claim.* ", "Claim.pending", "claim.%", "nonsense.*", "claim.*,device.enroled"};
	char too_long[EVENT_TYPES_MAX + 2];

	memset(too_long, 'a', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct err e = ERR_INIT;

		if (event_types_check(refused[i], &e) || e.kind != ERR_INPUT)
			fail_msg("row %zu", i);
	}
	struct err e = ERR_INIT;
	assert_false(event_types_check(too_long, &e));
}

static const char *text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static void event_json__a_line__is_a_cloudevent(void **state)
{
	const struct journal_line line = {
		.sequence = 4711,
		.entry = {.at = 1800000000,
			.exchange = "0123456789abcdef",
			.device = {"Acme", "A-1"},
			.actor = "unix:root",
			.step = "claim",
			.outcome = "rejected",
			.reason = "not ours"},
	};
	JSON_AUTO json_t *event = event_json(&line, "//host/brski-registrar");
	const json_t *data = json_object_get(event, "data");

	assert_string_equal(text(event, "specversion"), "1.0");
	assert_string_equal(text(event, "id"), "4711");
	assert_string_equal(text(event, "sequence"), "00000000000000004711");
	assert_string_equal(text(event, "type"), "brski.claim.rejected");
	assert_string_equal(text(event, "source"), "//host/brski-registrar");
	assert_string_equal(text(event, "subject"), "Acme/A-1");
	assert_string_equal(text(event, "time"), "2027-01-15T08:00:00Z");
	assert_string_equal(text(event, "datacontenttype"), "application/json");
	assert_string_equal(text(data, "by"), "unix:root");
	assert_string_equal(text(data, "reason"), "not ours");
	assert_string_equal(text(data, "serial"), "A-1");
}

static void event_json__a_line_about_no_device__has_no_subject(void **state)
{
	const struct journal_line line = {
		.sequence = 1, .entry = {.at = 1, .step = "backup", .outcome = "begun"}};
	JSON_AUTO json_t *event = event_json(&line, "//host/brski-registrar");

	assert_non_null(event);
	assert_null(json_object_get(event, "subject"));
	assert_true(json_is_null(json_object_get(json_object_get(event, "data"), "serial")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(event_type__a_line__has_the_type_of_its_row),
		cmocka_unit_test(event_type__a_line_without_a_row__is_named_by_itself),
		cmocka_unit_test(event_rows__each__is_there_once_and_well_named),
		cmocka_unit_test(event_types_have__patterns__match_what_they_say),
		cmocka_unit_test(event_types_check__no_list_of_types__is_refused),
		cmocka_unit_test(event_json__a_line__is_a_cloudevent),
		cmocka_unit_test(event_json__a_line_about_no_device__has_no_subject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
