/* SPDX-License-Identifier: Apache-2.0 */
/* Who may what where: every role, every bound, and the end of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "registrar/access/principal.h"

#define NOW  1800000000
#define T(s) ((char *)(uintptr_t)(s)) /* grants own their texts, those here are constant */

static struct principal with(struct grant g)
{
	struct principal p = {.name = "ada"};
	struct err e = ERR_INIT;

	assert_true(principal_add(&p, &g, &e));
	return p;
}

static void role_may__every_role_and_permission__is_the_table(void **state)
{
	/* in order of enum permission, from MAY_NOTHING to MAY_ENTER */
	static const char *const rows[ROLE_COUNT] = {
		[ROLE_VIEWER] = "-v-------",
		[ROLE_APPROVER] = "-v-d-----",
		[ROLE_OPERATOR] = "-vado----",
		[ROLE_AUDITOR] = "-v---u---",
		[ROLE_ADMIN] = "-vadoux--",
		[ROLE_SUPPLIER] = "-va------",
	};

	for (int r = 0; r < ROLE_COUNT; r++)
		for (int p = 0; p < PERMISSION_COUNT; p++)
			if (role_may((enum role)r, (enum permission)p) != (rows[r][p] != '-'))
				fail_msg("%s, permission %d", role_names[r], p);
	assert_false(role_may(ROLE_COUNT, MAY_VIEW));
}

static void role_parse__another_word__is_refused(void **state)
{
	static const char *const words[] = {"", "Admin", "admin ", "root", "supplie", "suppliers"};
	enum role r;

	assert_true(role_parse("supplier", &r));
	assert_int_equal(r, ROLE_SUPPLIER);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_false(role_parse(words[i], &r));
}

static void site_within__another_with_the_same_beginning__is_outside(void **state)
{
	assert_true(site_within("/eu/de", "/eu/de"));
	assert_true(site_within("/eu/de/berlin-3", "/eu/de"));
	assert_true(site_within("/eu", "/"));
	assert_true(site_within("/", NULL));
	assert_false(site_within("/eu/denmark", "/eu/de"));
	assert_false(site_within("/eu", "/eu/de"));
	assert_false(site_within("/", "/eu"));
	assert_false(site_within("", "/eu"));
}

static void principal_may__a_site_and_a_manufacturer__are_bounds_of_what_it_may(void **state)
{
	struct principal p = with(
		(struct grant){.role = ROLE_APPROVER, .site = T("/eu"), .manufacturer = T("acme")});

	assert_true(principal_may(&p, MAY_DECIDE, "acme", "/eu/de", NOW));
	assert_true(principal_may(&p, MAY_DECIDE, NULL, NULL, NOW));
	assert_true(principal_may(&p, MAY_DECIDE, "acme", NULL, NOW));
	assert_false(principal_may(&p, MAY_DECIDE, "acme", "/us", NOW));
	assert_false(principal_may(&p, MAY_DECIDE, "acme", "/", NOW));
	assert_false(principal_may(&p, MAY_DECIDE, "other", "/eu", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "acme", "/eu", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, NULL, NULL, NOW));
	assert_false(principal_may_everywhere(&p, MAY_DECIDE, NOW));
	principal_clear(&p);
}

/* Two grants do not add up: the role of one is not had at the site of the other. */
static void principal_may__two_grants__each_with_its_own_bounds(void **state)
{
	struct principal p = with((struct grant){.role = ROLE_VIEWER});
	struct err e = ERR_INIT;

	assert_true(
		principal_add(&p, &(struct grant){.role = ROLE_OPERATOR, .site = T("/eu")}, &e));
	assert_true(principal_may(&p, MAY_VIEW, "acme", "/us", NOW));
	assert_true(principal_may(&p, MAY_OPERATE, "acme", "/eu/de", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "acme", "/us", NOW));
	assert_true(principal_may_everywhere(&p, MAY_VIEW, NOW));
	assert_false(principal_may_everywhere(&p, MAY_OPERATE, NOW));
	principal_clear(&p);
}

static void principal_may__at_the_end_of_a_grant__no_more(void **state)
{
	struct principal p = with((struct grant){.role = ROLE_ADMIN, .until = NOW});

	assert_true(principal_may(&p, MAY_ADMIN, NULL, NULL, NOW - 1));
	assert_true(principal_may_everywhere(&p, MAY_ADMIN, NOW - 1));
	assert_false(principal_may(&p, MAY_ADMIN, NULL, NULL, NOW));
	assert_false(principal_may_everywhere(&p, MAY_ADMIN, NOW));
	principal_clear(&p);
}

static void principal_may__nobody__may_enter_only(void **state)
{
	struct principal nobody = {.name = ""}, known = {.name = "ada"};

	for (int p = 0; p < PERMISSION_COUNT; p++) {
		assert_int_equal(
			principal_may(NULL, (enum permission)p, NULL, NULL, NOW), p == MAY_ENTER);
		assert_int_equal(principal_may(&nobody, (enum permission)p, NULL, NULL, NOW),
			p == MAY_ENTER);
		assert_int_equal(principal_may(&known, (enum permission)p, NULL, NULL, NOW),
			p == MAY_ENTER || p == MAY_SELF);
		assert_false(principal_may_everywhere(NULL, (enum permission)p, NOW));
	}
}

static void principal_may__the_socket__everything_but_what_nobody_may(void **state)
{
	struct principal p;

	principal_local(&p, "unix:uid=0");
	assert_string_equal(p.name, "unix:uid=0");
	for (int need = 0; need < PERMISSION_COUNT; need++)
		assert_int_equal(principal_may(&p, (enum permission)need, "acme", "/eu", NOW),
			need != MAY_NOTHING);
	assert_true(principal_may_everywhere(&p, MAY_ADMIN, NOW));
	principal_clear(&p);
}

static void principal_limit__of_a_token__takes_away_and_never_adds(void **state)
{
	struct principal p = with((struct grant){.role = ROLE_OPERATOR, .site = T("/eu")});
	struct err e = ERR_INIT;

	assert_true(principal_limit(
		&p, &(struct grant){.role = ROLE_ADMIN, .manufacturer = T("acme")}, &e));
	assert_true(principal_may(&p, MAY_OPERATE, "acme", "/eu/de", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "other", "/eu/de", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "acme", "/us", NOW));
	assert_false(principal_may(&p, MAY_ADMIN, "acme", "/eu", NOW));
	assert_true(
		principal_limit(&p, &(struct grant){.role = ROLE_VIEWER, .until = NOW + 60}, &e));
	assert_true(principal_may(&p, MAY_VIEW, "other", "/eu", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "acme", "/eu", NOW));
	assert_false(principal_may(&p, MAY_VIEW, "other", "/eu", NOW + 60));
	assert_false(principal_may_everywhere(&p, MAY_VIEW, NOW));
	principal_clear(&p);
}

static void principal_add__more_than_there_is_room_for__is_refused(void **state)
{
	struct principal p = {.name = "ada"};
	const struct grant g = {.role = ROLE_VIEWER, .site = T("/eu")};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < GRANTS_MAX; i++)
		assert_true(principal_add(&p, &g, &e));
	assert_false(principal_add(&p, &g, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	principal_clear(&p);
}

static void principal_covers__more_than_one_has__cannot_be_given(void **state)
{
	static const struct {
		struct grant g;
		bool covered;
	} rows[] = {
		{{ROLE_OPERATOR, T("/eu"), NULL, NOW + 60}, true},
		{{ROLE_SUPPLIER, T("/eu/de"), T("acme"), NOW + 1}, true},
		{{ROLE_OPERATOR, T("/eu"), NULL, NOW + 61}, false},
		{{ROLE_OPERATOR, T("/eu"), NULL, 0}, false},
		{{ROLE_VIEWER, NULL, NULL, NOW + 60}, false},
		{{ROLE_VIEWER, T("/"), NULL, NOW + 60}, false},
		{{ROLE_VIEWER, T("/europe"), NULL, NOW + 60}, false},
		{{ROLE_AUDITOR, T("/eu"), NULL, NOW + 60}, false},
		{{ROLE_ADMIN, T("/eu"), NULL, NOW + 60}, false},
	};
	struct principal p = with((struct grant){ROLE_OPERATOR, T("/eu"), NULL, NOW + 60});

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (principal_covers(&p, &rows[i].g, NOW) != rows[i].covered)
			fail_msg("row %zu", i);
	assert_false(principal_covers(&p, &rows[0].g, NOW + 60));
	principal_clear(&p);
}

static void grant_copy__the_root_of_all_sites__is_no_bound(void **state)
{
	struct principal p = with((struct grant){.role = ROLE_ADMIN, .site = T("/")});

	assert_null(p.grants[0].site);
	assert_true(principal_may_everywhere(&p, MAY_ADMIN, NOW));
	principal_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(role_may__every_role_and_permission__is_the_table),
		cmocka_unit_test(role_parse__another_word__is_refused),
		cmocka_unit_test(site_within__another_with_the_same_beginning__is_outside),
		cmocka_unit_test(
			principal_may__a_site_and_a_manufacturer__are_bounds_of_what_it_may),
		cmocka_unit_test(principal_may__two_grants__each_with_its_own_bounds),
		cmocka_unit_test(principal_may__at_the_end_of_a_grant__no_more),
		cmocka_unit_test(principal_may__nobody__may_enter_only),
		cmocka_unit_test(principal_may__the_socket__everything_but_what_nobody_may),
		cmocka_unit_test(principal_limit__of_a_token__takes_away_and_never_adds),
		cmocka_unit_test(principal_add__more_than_there_is_room_for__is_refused),
		cmocka_unit_test(principal_covers__more_than_one_has__cannot_be_given),
		cmocka_unit_test(grant_copy__the_root_of_all_sites__is_no_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
