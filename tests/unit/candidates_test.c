/* SPDX-License-Identifier: Apache-2.0 */
/* Which place is tried first, what becomes of one that failed, and what a flood of liars changes.
 * Time and chance are given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pledge/candidates.h"

static uint32_t draw_least(uint32_t below)
{
	return 0;
}

static uint32_t draw_most(uint32_t below)
{
	return below - 1;
}

/* A generator with a known course: the same numbers in each run. */
static uint64_t course;
static uint32_t draw_some(uint32_t below)
{
	course = course * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((course >> 33) % below);
}

static struct candidate made(enum candidate_source source, unsigned host, unsigned sender)
{
	struct candidate c = {.source = source};

	snprintf(c.uri.host, sizeof(c.uri.host), "192.0.%u.%u", host / 256, host % 256);
	c.uri.host_is_ip = true;
	c.uri.port = 443;
	memcpy(c.sender, &sender, sizeof(sender));
	return c;
}

static void add(struct candidates *s, struct candidate c)
{
	assert_true(candidates_add(s, &c));
}

static struct candidate *only(struct candidates *s, enum candidate_source source, unsigned host)
{
	struct candidate wanted = made(source, host, 0);

	for (size_t i = 0; i < s->count; i++)
		if (s->all[i].source == source && uri_same_origin(&s->all[i].uri, &wanted.uri))
			return &s->all[i];
	return NULL;
}

static void order_is(struct candidates *s, int64_t now_ms, const char *wanted)
{
	struct candidate *ranked[CANDIDATES_MAX];
	size_t n = candidates_rank(s, now_ms, ranked);
	char got[512] = "";

	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(got);

		snprintf(got + at, sizeof(got) - at, "%s%s", at ? " " : "",
			strrchr(ranked[i]->uri.host, '.') + 1);
	}
	assert_string_equal(got, wanted);
}

static void candidates_rank__three_tiers__configured_found_cloud(void **state)
{
	struct candidates s;
	struct uri two[2] = {made(CANDIDATE_CONFIG, 1, 0).uri, made(CANDIDATE_CONFIG, 2, 0).uri};

	candidates_init(&s, draw_least);
	add(&s, made(CANDIDATE_CLOUD, 9, 0));
	add(&s, made(CANDIDATE_GRASP, 5, 1));
	candidates_set_configured(&s, two, 2);
	order_is(&s, 0, "1 2 5 9");
}

/* req: DISC-PLG-001 */
static void candidates_rank__found__by_failures_preference_priority_latency(void **state)
{
	struct candidates s;
	struct candidate far = made(CANDIDATE_MDNS, 1, 1), other = made(CANDIDATE_MDNS, 2, 2),
			 low = made(CANDIDATE_MDNS, 3, 3), good = made(CANDIDATE_MDNS, 4, 4),
			 failed = made(CANDIDATE_MDNS, 5, 5);

	candidates_init(&s, draw_most);
	far.latency_ms = LATENCY_EQUAL_MS + 1;
	other.preference = 1;
	low.priority = 10;
	failed.failures = 1;
	add(&s, failed);
	add(&s, other);
	add(&s, low);
	add(&s, far);
	add(&s, good);
	order_is(&s, 0, "4 1 3 2 5");
}

/* req: DISC-PLG-004 */
static void candidates_rank__equals__are_drawn_as_their_weights_say(void **state)
{
	struct candidates s;
	struct candidate *ranked[CANDIDATES_MAX], heavy = made(CANDIDATE_MDNS, 1, 1);
	unsigned first[4] = {0};

	course = 1;
	heavy.weight = 7; /* 8 parts of 10 */
	candidates_init(&s, draw_some);
	add(&s, made(CANDIDATE_MDNS, 2, 2));
	add(&s, heavy);
	add(&s, made(CANDIDATE_MDNS, 3, 3));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(candidates_rank(&s, 0, ranked), 3);
		first[ranked[0]->uri.host[8] - '0']++;
	}
	assert_in_range(first[1], 760, 840);
	assert_in_range(first[2], 70, 130);
	assert_in_range(first[3], 70, 130);
}

/* req: R8995-PLG-008, R8995-PLG-042 */
static void candidate_failed__others_are_tried__and_it_comes_back_in_its_time(void **state)
{
	struct candidates s;

	candidates_init(&s, draw_least);
	add(&s, made(CANDIDATE_MDNS, 1, 1));
	add(&s, made(CANDIDATE_GRASP, 2, 2));
	candidate_failed(only(&s, CANDIDATE_MDNS, 1), 5000);
	order_is(&s, 1000, "2");
	assert_int_equal(candidates_next_ms(&s, 1000), 5000);
	candidates_begin_round(&s);
	order_is(&s, 4999, "2");
	order_is(&s, 5000, "2 1"); /* its failure is not forgotten */
	assert_true(candidates_next_ms(&s, 5000) == INT64_MAX);
	candidate_worked(only(&s, CANDIDATE_MDNS, 1));
	assert_int_equal(only(&s, CANDIDATE_MDNS, 1)->failures, 0);
}

static void candidate_failed__without_a_penalty__is_over_for_the_round_only(void **state)
{
	struct candidates s;

	candidates_init(&s, draw_least);
	add(&s, made(CANDIDATE_CONFIG, 1, 0));
	candidate_failed(&s.all[0], 0);
	order_is(&s, 0, "");
	candidates_begin_round(&s);
	order_is(&s, 0, "1");
}

static void candidates_forgive__link_came_up__all_are_as_new(void **state)
{
	struct candidates s;

	candidates_init(&s, draw_least);
	add(&s, made(CANDIDATE_MDNS, 1, 1));
	candidate_failed(&s.all[0], 3600000);
	candidates_forgive(&s);
	order_is(&s, 0, "1");
	s.all[0].held = true; /* the one that is being tried is nobody else */
	order_is(&s, 0, "");
}

static void candidates_add__same_place_again__is_renewed_and_keeps_its_history(void **state)
{
	struct candidates s;
	struct candidate again = made(CANDIDATE_MDNS, 1, 7), liar = made(CANDIDATE_MDNS, 1, 8);

	candidates_init(&s, draw_least);
	add(&s, again);
	candidate_failed(&s.all[0], 9000);
	again.priority = 3;
	assert_false(candidates_add(&s, &again));
	liar.priority = 65535;
	assert_false(candidates_add(&s, &liar)); /* nobody speaks for another */
	assert_int_equal(s.count, 1);
	assert_int_equal(s.all[0].priority, 3);
	assert_int_equal(s.all[0].failures, 1);
	assert_int_equal(s.all[0].penalised_until_ms, 9000);
}

static void candidates_add__said_by_itself__counts_more_than_anothers_word(void **state)
{
	struct candidates s;
	struct candidate liar = made(CANDIDATE_MDNS, 1, 8), own = made(CANDIDATE_GRASP, 1, 7);

	candidates_init(&s, draw_least);
	add(&s, made(CANDIDATE_MDNS, 9, 8));
	candidate_failed(&s.all[0], 9000);
	liar.priority = 65535;
	add(&s, liar);
	assert_int_equal(s.all[1].failures, 1); /* the liar's */
	own.own = true;
	assert_false(candidates_add(&s, &own));
	assert_int_equal(s.count, 2);
	assert_int_equal(s.all[1].source, CANDIDATE_GRASP);
	assert_int_equal(s.all[1].priority, 0);
	assert_int_equal(s.all[1].failures, 0);
	assert_false(candidates_add(&s, &liar));
	assert_int_equal(s.all[1].priority, 0);
	candidate_failed(&s.all[1], 9000); /* what happened stays known */
	assert_false(candidates_add(&s, &own));
	assert_int_equal(s.all[1].failures, 1);
}

static void candidates_add__one_sender__has_a_few_places(void **state)
{
	struct candidates s;
	struct candidate more = made(CANDIDATE_MDNS, 200, 1);

	candidates_init(&s, draw_least);
	for (unsigned i = 0; i < CANDIDATES_PER_SENDER; i++)
		add(&s, made(CANDIDATE_MDNS, i, 1));
	assert_false(candidates_add(&s, &more));
	assert_null(only(&s, CANDIDATE_MDNS, 200));
	add(&s, made(CANDIDATE_MDNS, 201, 2));
	candidate_failed(only(&s, CANDIDATE_MDNS, 2), 100);
	candidate_failed(only(&s, CANDIDATE_MDNS, 201), 100);
	candidate_failed(only(&s, CANDIDATE_MDNS, 201), 100);
	only(&s, CANDIDATE_MDNS, 2)->held = true;
	assert_false(candidates_add(&s, &more)); /* not while it is being tried */
	only(&s, CANDIDATE_MDNS, 2)->held = false;
	assert_true(candidates_add(&s, &more)); /* in place of one of its own */
	assert_null(only(&s, CANDIDATE_MDNS, 2));
	assert_non_null(only(&s, CANDIDATE_MDNS, 201));
}

static void candidates_add__flood_of_liars__leaves_the_good_ones(void **state)
{
	struct candidates s;
	struct candidate late = made(CANDIDATE_MDNS, 9999, 9999);

	course = 5;
	candidates_init(&s, draw_some);
	add(&s, made(CANDIDATE_MDNS, 60000, 1));
	add(&s, made(CANDIDATE_GRASP, 60001, 2));
	candidate_failed(only(&s, CANDIDATE_GRASP, 60001), 1); /* even one that failed */
	for (unsigned i = 0; i < 5000; i++) {
		struct candidate liar = made(CANDIDATE_MDNS, i, 100 + i);

		candidates_add(&s, &liar);
	}
	assert_int_equal(s.count, 1 + CANDIDATES_PER_SOURCE);
	assert_non_null(only(&s, CANDIDATE_MDNS, 60000));
	assert_non_null(only(&s, CANDIDATE_GRASP, 60001));
	/* and whoever comes late has room as soon as liars have been seen through */
	assert_false(candidates_add(&s, &late));
	for (size_t i = 0; i < s.count; i++)
		if (s.all[i].source == CANDIDATE_MDNS && s.all[i].sender[0] != 1)
			candidate_failed(&s.all[i], 1);
	assert_true(candidates_add(&s, &late));
	assert_non_null(only(&s, CANDIDATE_MDNS, 60000));
	assert_non_null(only(&s, CANDIDATE_GRASP, 60001));
}

/* As many as there are places fail, and others of them come in their stead, until all have failed:
 * from then on there is room for who has not. */
static void candidates_add__liars_take_turns__none_comes_back_as_if_new(void **state)
{
	struct candidates s;
	struct candidate good = made(CANDIDATE_MDNS, 60000, 60000);
	struct candidate *ranked[CANDIDATES_MAX];
	unsigned taken = 0;

	course = 5;
	candidates_init(&s, draw_some);
	for (unsigned i = 0; i < 50 * CANDIDATES_GONE_MAX; i++) {
		struct candidate liar = made(CANDIDATE_MDNS, i, 1 + i % CANDIDATES_GONE_MAX);

		taken += candidates_add(&s, &liar);
		for (size_t k = 0; k < s.count; k++)
			if (!s.all[k].failures)
				candidate_failed(&s.all[k], 1000);
	}
	assert_int_equal(s.count, CANDIDATES_PER_SOURCE);
	assert_in_range(taken, CANDIDATES_GONE_MAX, 2 * CANDIDATES_GONE_MAX);
	assert_true(candidates_add(&s, &good));
	assert_int_equal(candidates_rank(&s, 0, ranked), 1);
	assert_ptr_equal(ranked[0], only(&s, CANDIDATE_MDNS, 60000));
	candidates_forgive(&s); /* the link came up: nothing is held against anybody */
	candidate_failed(&s.all[0], 1000);
	good = made(CANDIDATE_MDNS, 60001, 7);
	assert_true(candidates_add(&s, &good));
}

static void candidates_add__all_full__the_widest_source_gives_way(void **state)
{
	struct candidates s;
	struct candidate late = made(CANDIDATE_CORE, 9000, 9000);

	candidates_init(&s, draw_least);
	for (unsigned i = 0; i < CANDIDATES_PER_SOURCE; i++)
		add(&s, made(CANDIDATE_MDNS, i, i));
	for (unsigned i = 0; i < CANDIDATES_FOUND_MAX - CANDIDATES_PER_SOURCE; i++)
		add(&s, made(i % 2 ? CANDIDATE_GRASP : CANDIDATE_DNS_SD, 1000 + i, 1000 + i));
	assert_false(candidates_add(&s, &late));
	for (size_t i = 0; i < s.count; i++)
		candidate_failed(&s.all[i], 1);
	assert_true(candidates_add(&s, &late));
	assert_int_equal(s.count, CANDIDATES_FOUND_MAX);
	assert_non_null(only(&s, CANDIDATE_CORE, 9000));
	for (unsigned i = 0; i < CANDIDATES_FOUND_MAX - CANDIDATES_PER_SOURCE; i++)
		assert_non_null(only(&s, i % 2 ? CANDIDATE_GRASP : CANDIDATE_DNS_SD, 1000 + i));
}

static void candidates_add__found_ones_full__configured_and_cloud_have_room(void **state)
{
	struct candidates s;
	struct uri all[REGISTRARS_MAX];

	candidates_init(&s, draw_least);
	for (unsigned i = 0; i < CANDIDATES_FOUND_MAX; i++)
		add(&s, made(i % 2 ? CANDIDATE_MDNS : CANDIDATE_GRASP, i, i));
	for (unsigned i = 0; i < REGISTRARS_MAX; i++)
		all[i] = made(CANDIDATE_CONFIG, 500 + i, 0).uri;
	candidates_set_configured(&s, all, REGISTRARS_MAX);
	candidates_set_configured(&s, all, REGISTRARS_MAX);
	add(&s, made(CANDIDATE_CLOUD, 1000, 0));
	assert_int_equal(s.count, CANDIDATES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(candidates_rank__three_tiers__configured_found_cloud),
		cmocka_unit_test(candidates_rank__found__by_failures_preference_priority_latency),
		cmocka_unit_test(candidates_rank__equals__are_drawn_as_their_weights_say),
		cmocka_unit_test(candidate_failed__others_are_tried__and_it_comes_back_in_its_time),
		cmocka_unit_test(candidate_failed__without_a_penalty__is_over_for_the_round_only),
		cmocka_unit_test(candidates_forgive__link_came_up__all_are_as_new),
		cmocka_unit_test(
			candidates_add__same_place_again__is_renewed_and_keeps_its_history),
		cmocka_unit_test(candidates_add__said_by_itself__counts_more_than_anothers_word),
		cmocka_unit_test(candidates_add__one_sender__has_a_few_places),
		cmocka_unit_test(candidates_add__flood_of_liars__leaves_the_good_ones),
		cmocka_unit_test(candidates_add__liars_take_turns__none_comes_back_as_if_new),
		cmocka_unit_test(candidates_add__all_full__the_widest_source_gives_way),
		cmocka_unit_test(candidates_add__found_ones_full__configured_and_cloud_have_room),
	};

	return cmocka_run_group_tests_name("candidates", tests, NULL, NULL);
}
