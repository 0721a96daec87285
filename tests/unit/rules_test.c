/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule matches, and which of several decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registrar/rules.h"

static void serials_have__lists_patterns_and_ranges__match_what_they_say(void **state)
{
	static const struct {
		const char *serials, *serial;
		bool has;
	} rows[] = {
		{"A-1", "A-1", true},
		{"A-1", "A-10", false},
		{"A-1,B-2", "B-2", true},
		{"A-1,B-2", "A-1,B-2", false},
		{"A-*", "A-", true},
		{"A-*", "B-A-", false},
		{"*7", "A-1777", true},
		{"*7", "A-178", false},
		{"A-?", "A-1", true},
		{"A-?", "A-", false},
		{"A-?", "A-12", false},
		{"*a*b*", "xaxxbx", true},
		{"*a*b*", "xbxxax", false},
		{"*", "anything", true},
		{"A-100..A-199", "A-100", true},
		{"A-100..A-199", "A-199", true},
		{"A-100..A-199", "A-200", false},
		{"A-100..A-199", "A-099", false},
		{"A-100..A-199", "A-1500", false},
		{"A-100..A-199", "A-15", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (serials_have(rows[i].serials, rows[i].serial) != rows[i].has)
			fail_msg("row %zu", i);
}

static void serials_check__no_list__is_refused(void **state)
{
	static const char *const refused[] = {
		"", ",", "A,", ",A", "A,,B", "A-1..A-10", "A-2..A-1", "..", "A..", "..A"};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (serials_check(refused[i], &e))
			fail_msg("row %zu", i);
	assert_true(serials_check("A-1,B-*,C-1..C-9", &e));
}

static struct rule *match(const struct rule_set *s, const char *serial, int64_t now)
{
	const struct rule_question q = {"acme", serial, "192.0.2.1:1", "", now};

	return rule_set_match(s, &q);
}

static void rule_set_match__several__the_first_decides(void **state)
{
	const struct rule_text rules[] = {
		{.manufacturer = "other", .action = RULE_REJECT},
		{.network = "198.51.100.0/24", .action = RULE_REJECT},
		{.not_before = 100, .not_after = 200, .serials = "T*", .action = RULE_REJECT},
		{.serials = "S-1,S-2", .action = RULE_APPROVE, .limited = true, .remaining = 1},
		{.manufacturer = "acme", .serials = "S*", .network = "192.0.2.0/24"},
	};
	struct err e = ERR_INIT;
	struct rule_set *s = rule_set_new(&e);

	assert_null(match(s, "S-1", 1));
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		assert_true(rule_set_add(s, (int64_t)i + 1, &rules[i], &e));
	assert_int_equal(match(s, "S-1", 1)->id, 4);
	assert_int_equal(match(s, "S-3", 1)->id, 5);
	assert_null(match(s, "X", 1));
	assert_null(match(s, "T", 99));
	assert_int_equal(match(s, "T", 100)->id, 3);
	assert_int_equal(match(s, "T", 199)->id, 3);
	assert_null(match(s, "T", 200));
	atomic_fetch_sub(&match(s, "S-1", 1)->remaining, 1);
	assert_int_equal(match(s, "S-1", 1)->id, 5);
	rule_set_free(s);
	assert_null(match(NULL, "S-1", 1));
}

static void rule_set_add__what_cannot_match__is_refused(void **state)
{
	const struct rule_text bad[] = {{.network = "x"}, {.serials = "A,"}};
	struct err e = ERR_INIT;
	struct rule_set *s = rule_set_new(&e);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(rule_set_add(s, 1, &bad[i], &e));
	assert_int_equal(s->count, 0);
	rule_set_free(s);
}

static const char *differs(const struct rule_text *text)
{
	const struct rule_question q = {"acme", "A-1", "192.0.2.1:1", "gw-4", 1000};
	struct rule_set *s;
	struct err e = ERR_INIT;
	const char *what;

	s = rule_set_new(&e);
	assert_non_null(s);
	assert_true(rule_set_add(s, 1, text, &e));
	what = rule_differs(&s->rules[0], &q);
	assert_true((what == NULL) == (rule_set_match(s, &q) == &s->rules[0]));
	rule_set_free(s);
	return what;
}

static void rule_differs__each_field__is_named(void **state)
{
	assert_null(differs(&(struct rule_text){.manufacturer = "acme", .model = "x,gw-*"}));
	assert_string_equal(differs(&(struct rule_text){.model = "gw-5"}), "model");
	assert_string_equal(differs(&(struct rule_text){.manufacturer = "b"}), "manufacturer");
	assert_string_equal(differs(&(struct rule_text){.serials = "A-2"}), "serial");
	assert_string_equal(differs(&(struct rule_text){.network = "10.0.0.0/8"}), "network");
	assert_string_equal(differs(&(struct rule_text){.not_before = 1001}), "not_before");
	assert_string_equal(differs(&(struct rule_text){.not_after = 1000}), "not_after");
	assert_string_equal(differs(&(struct rule_text){.limited = true}), "remaining");
	assert_string_equal(differs(&(struct rule_text){.disabled = true}), "disabled");
}

static void rule_differs__a_model_nobody_knows__matches_only_a_rule_of_any(void **state)
{
	const struct rule_question q = {"acme", "A-1", "192.0.2.1:1", "", 1000};
	const struct rule_text named = {.model = "gw-*"}, any = {.model = "*"};
	struct err e = ERR_INIT;
	struct rule_set *s = rule_set_new(&e);

	assert_non_null(s);
	assert_true(rule_set_add(s, 1, &named, &e) && rule_set_add(s, 2, &any, &e));
	assert_ptr_equal(rule_set_match(s, &q), &s->rules[1]);
	rule_set_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serials_have__lists_patterns_and_ranges__match_what_they_say),
		cmocka_unit_test(serials_check__no_list__is_refused),
		cmocka_unit_test(rule_set_match__several__the_first_decides),
		cmocka_unit_test(rule_set_add__what_cannot_match__is_refused),
		cmocka_unit_test(rule_differs__each_field__is_named),
		cmocka_unit_test(rule_differs__a_model_nobody_knows__matches_only_a_rule_of_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
