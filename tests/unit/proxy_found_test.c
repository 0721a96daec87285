/* SPDX-License-Identifier: Apache-2.0 */
/* What a proxy keeps of strangers' words about registrars. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pledge/proxy_found.h"

static struct place_found place(int host, uint8_t sender, const char *variation, int64_t until_ms)
{
	struct place_found p = {.sender = {sender}, .until_ms = until_ms};
	struct err e = ERR_INIT;
	char literal[32];

	snprintf(literal, sizeof(literal), "192.0.2.%d", host);
	assert_true(address_parse(literal, 8443, &p.to.at, &e));
	variations_add(&p.variations, bytes_of_str(variation));
	return p;
}

static bool keep(struct found *f, struct place_found p)
{
	return found_keep(f, &p);
}

static void found_keep__the_same_again__is_no_news_and_lasts_no_shorter(void **state)
{
	struct found f = {.count = 0};

	assert_true(keep(&f, place(1, 1, "est-tls", 100)));
	assert_false(keep(&f, place(1, 1, "est-tls", 50)));
	assert_int_equal(f.count, 1);
	assert_false(found_drop_old(&f, 99));
	assert_true(keep(&f, place(1, 1, "cmp", 100)));
	assert_true(found_drop_old(&f, 100));
	assert_int_equal(f.count, 0);
}

/* req: R8995-JP-002 */
static void found_keep__places_without_end_of_one_sender__leave_room_for_others(void **state)
{
	struct found f = {.count = 0};

	for (int i = 1; i < 100; i++)
		(void)keep(&f, place(i, 1, "est-tls", 100));
	assert_true(f.count < FOUND_MAX);
	assert_true(keep(&f, place(200, 2, "est-tls", 100)));
}

/* req: R8995-JP-002 */
static void found_keep__another_speaks_of_the_place__only_its_own_word_changes_it(void **state)
{
	struct found f = {.count = 0};
	struct place_found own = place(1, 0, "est-tls", 100);

	assert_true(keep(&f, place(1, 1, "est-tls", 100)));
	assert_false(keep(&f, place(1, 2, "cmp", 200)));
	assert_true(variations_have(&f.all[0].variations, "est-tls"));
	assert_int_equal(f.all[0].until_ms, 200);

	address_key(&own.to.at, own.sender);
	own.to.priority = 7;
	assert_true(keep(&f, own));
	assert_int_equal(f.all[0].to.priority, 7);
}

/* req: R8995-JP-002 */
static void found_keep__all_taken_by_liars__who_has_most_gives_way(void **state)
{
	struct found f = {.count = 0};

	for (int i = 0; i < FOUND_MAX; i++)
		assert_true(keep(&f, place(i + 1, (uint8_t)(i / 4), "est-tls", 100)));
	assert_true(keep(&f, place(200, 99, "est-tls", 100)));
	assert_int_equal(f.count, FOUND_MAX);
}

static void found_sum__some_speak_est_tls__the_others_are_left_out(void **state)
{
	struct found f = {.count = 0};
	struct place_found both = place(2, 2, "cmp", 100);
	struct variations all = {.count = 0};
	struct upstreams u;

	assert_true(keep(&f, place(1, 1, "cmp", 100)));
	found_sum(&f, &u, &all);
	assert_int_equal(u.count, 1);
	assert_true(variations_have(&all, "cmp"));

	variations_add(&both.variations, bytes_of_str("est-tls"));
	assert_true(keep(&f, both));
	assert_true(keep(&f, place(3, 3, "est-tls", 100)));
	found_sum(&f, &u, &all);
	assert_int_equal(u.count, 2);
	assert_int_equal(all.count, 1);
	assert_true(variations_have(&all, "est-tls"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_keep__the_same_again__is_no_news_and_lasts_no_shorter),
		cmocka_unit_test(
			found_keep__places_without_end_of_one_sender__leave_room_for_others),
		cmocka_unit_test(
			found_keep__another_speaks_of_the_place__only_its_own_word_changes_it),
		cmocka_unit_test(found_keep__all_taken_by_liars__who_has_most_gives_way),
		cmocka_unit_test(found_sum__some_speak_est_tls__the_others_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
