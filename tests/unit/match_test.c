/* SPDX-License-Identifier: Apache-2.0 */
/* What a match means and what is no match. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "registrar/fraud.h"
#include "registrar/admin/match.h"

#define NOW 1000000

static const struct claim_row row = {
	.id = 7,
	.manufacturer = "Acme",
	.serial = "A-1234",
	.model = "gw-200",
	.address = "10.8.3.4:40000",
	.site = "/eu/de",
	.labels = "{\"rack\":\"4\",\"row\":\"north\"}",
	.first_seen = NOW - 7200,
	.marks = FRAUD_BIT(FRAUD_SECOND_KEY),
};

static bool has(const char *text, const struct claim_row *r, const char *state)
{
	MATCH_AUTO struct match m;
	struct err e = ERR_INIT;

	if (!match_parse(text, MATCH_CLAIMS, &m, &e))
		fail_msg("\"%s\": %s", text, e.text);
	return match_has(&m, r, state, NOW);
}

static void match_has__a_row__is_meant_or_not(void **state)
{
	static const struct {
		const char *text;
		bool meant;
	} rows[] = {
		{"manufacturer=Acme", true},
		{"manufacturer=acme", false},
		{"manufacturer=Ac*", true},
		{"manufacturer=Acm", false},
		{"serial=A-1*", true},
		{"serial=A-1", false},
		{"serial=A-1234*", true},
		{"serial=*", true},
		{"model=gw-*", true},
		{"model=gx-*", false},
		{"from=10.8.0.0/16", true},
		{"from=10.9.0.0/16", false},
		{"from=::/0", true},
		{"site=/eu", true},
		{"site=/eu/de", true},
		{"site=/eu/*", true},
		{"site=/", true},
		{"site=/*", true},
		{"site=/e", false},
		{"site=/eu/de/x", false},
		{"state=pending", true},
		{"state=approved", false},
		{"signal=second-key", true},
		{"signal=any", true},
		{"signal=looping", false},
		{"older-than=2h", true},
		{"older-than=7201s", false},
		{"older-than=119m", true},
		{"older-than=1d", false},
		{"label.rack=4", true},
		{"label.rack=40", false},
		{"label.row=nor*", true},
		{"label.none=*", false},
		{"manufacturer=Acme,model=gw-*, "
		 "serial=A-1*,from=10.8.0.0/16,site=/eu,state=pending,"
		 "older-than=1h,label.rack=4,label.row=north",
			true},
		{"manufacturer=Acme,label.rack=5", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (has(rows[i].text, &row, "pending") != rows[i].meant)
			fail_msg("row %zu: %s", i, rows[i].text);
}

static void match_has__what_a_row_does_not_know__matches_nothing_said_about_it(void **state)
{
	static const struct claim_row bare = {
		.manufacturer = "Acme", .serial = "A-1", .decided_at = NOW - 3600};

	assert_false(has("model=*", &bare, "preapproved"));
	assert_false(has("from=0.0.0.0/0", &bare, "preapproved"));
	assert_false(has("label.rack=*", &bare, "preapproved"));
	assert_false(has("site=/eu", &bare, "preapproved"));
	assert_true(has("site=/", &bare, "preapproved"));
	assert_true(has("older-than=1h", &bare, "preapproved"));
	assert_false(has("signal=any", &bare, "preapproved"));
	assert_false(has("older-than=2h", &bare, "preapproved"));
}

static void match_parse__no_match__is_refused_with_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *sentence;
	} rows[] = {
		{"", "a condition is KEY=VALUE"},
		{"acme", "a condition is KEY=VALUE: \"acme\""},
		{"=acme", "a condition is KEY=VALUE"},
		{"serial=A,", "a condition is KEY=VALUE"},
		{",serial=A", "a condition is KEY=VALUE"},
		{"serial=", "this key has no value: \"serial\""},
		{"colour=red", "a key is manufacturer, model,"},
		{"Serial=A", "a key is manufacturer, model,"},
		{"serial=A*B", "a '*' stands at the end of a value only: \"A*B\""},
		{"serial=**", "a '*' stands at the end of a value only"},
		{"serial=A,serial=B", "this key is there twice: \"serial\""},
		{"site=/,site=/eu", "this key is there twice: \"site\""},
		{"state=pending,state=pending", "this key is there twice: \"state\""},
		{"from=::/0,from=::/0", "this key is there twice: \"from\""},
		{"older-than=1h,older-than=1h", "this key is there twice: \"older-than\""},
		{"from=10.8.0.0", "from is a network like"},
		{"from=10.8.0.1/16", "from is a network like"},
		{"site=eu", "site is a path like /eu/de: \"eu\""},
		{"site=/eu/", "site is a path"},
		{"site=/eu//de", "site is a path"},
		{"site=/e*", "site is a path"},
		{"state=active", "a claim's state is pending,"},
		{"signal=none", "a signal is clone-suspected, second-key"},
		{"signal=any,signal=any", "this key is there twice: \"signal\""},
		{"older-than=1", "older-than is a number with s, m, h, d or w"},
		{"older-than=h", "older-than is a number"},
		{"older-than=0h", "older-than is a number"},
		{"older-than=1hh", "older-than is a number"},
		{"older-than=9999999999w", "older-than is a number"},
		{"older-than=99999999999s", "older-than is a number"},
		{"label.=4", "a label has a name"},
		{"label.a=4,label.a=4", "this label is there twice: \"a\""},
		{"\033[2Jx", "\"?[2Jx\""},
	};
	struct match m;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;

		if (match_parse(rows[i].text, MATCH_CLAIMS, &m, &e) || e.kind != ERR_INPUT ||
			m.written || !strstr(err_sentence(&e), rows[i].sentence))
			fail_msg("row %zu: %s", i, err_sentence(&e));
	}
}

static void match_parse__states__are_those_of_its_kind(void **state)
{
	struct err e = ERR_INIT;
	struct match m;

	assert_true(match_parse("state=quarantined", MATCH_DEVICES, &m, &e));
	assert_string_equal(m.state, "quarantined");
	match_clear(&m);
	assert_false(match_parse("state=pending", MATCH_DEVICES, &m, &e));
}

static void match_parse__more_than_the_limits__is_refused(void **state)
{
	char text[MATCH_LEN_MAX + 2];
	BUF_AUTO struct buf labels = BUF_INIT(MATCH_LEN_MAX);
	struct err e = ERR_INIT;
	struct match m;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "serial=", 7);
	text[sizeof(text) - 1] = '\0';
	assert_false(match_parse(text, MATCH_CLAIMS, &m, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	text[sizeof(text) - 2] = '\0';
	assert_true(match_parse(text, MATCH_CLAIMS, &m, &e));
	match_clear(&m);
	for (int i = 0; i <= MATCH_LABELS_MAX; i++)
		assert_true(buf_printf(&labels, &e, "%slabel.l%d=x", i ? "," : "", i));
	assert_false(match_parse(buf_str(&labels), MATCH_CLAIMS, &m, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(match_has__a_row__is_meant_or_not),
		cmocka_unit_test(
			match_has__what_a_row_does_not_know__matches_nothing_said_about_it),
		cmocka_unit_test(match_parse__no_match__is_refused_with_what_is_wrong),
		cmocka_unit_test(match_parse__states__are_those_of_its_kind),
		cmocka_unit_test(match_parse__more_than_the_limits__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
