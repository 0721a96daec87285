/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "pledge/proxy_places.h"
#include "pledge/proxy_resolver.h"
#include "pledge/proxy_upstream.h"

static struct upstreams four(void)
{
	struct upstreams u = {.count = 0};
	struct err e = ERR_INIT;
	struct uri uri;

	assert_true(uri_parse_upstream("https://192.0.2.1:8443", &uri, &e));
	for (int i = 1; i <= 4; i++) {
		uri.host[8] = (char)('0' + i);
		assert_true(upstreams_resolve(&u, &uri, &e));
	}
	assert_true(upstreams_resolve(&u, &uri, &e)); /* there already */
	assert_int_equal(u.count, 4);
	return u;
}

/* req: DISC-JP-003 DISC-JP-005 */
static void upstreams_pick__all_work__each_is_chosen_about_as_often(void **state)
{
	struct upstreams u = four();
	int chosen[4] = {0};

	for (int i = 0; i < 4000; i++)
		chosen[upstreams_pick(&u, 0, 1000)]++;
	for (int i = 0; i < 4; i++)
		assert_in_range(chosen[i], 800, 1200);
}

/* req: DISC-JP-003 */
static void upstreams_pick__some_have_less_priority__only_when_the_others_rest(void **state)
{
	struct upstreams u = four();

	u.list[0].priority = u.list[1].priority = 10;
	for (int i = 0; i < 200; i++)
		assert_in_range(upstreams_pick(&u, 0, 1000), 2, 3);
	upstreams_failed(&u, &u.list[2].at, 1000);
	for (int i = 0; i < 50; i++)
		assert_int_equal(upstreams_pick(&u, 0, 1000), 3);
	assert_in_range(upstreams_pick(&u, 1u << 3, 1000), 0, 1);
}

/* req: DISC-JP-003 */
static void upstreams_pick__weights_differ__are_followed(void **state)
{
	struct upstreams u = four();
	int chosen[4] = {0};

	u.list[1].weight = 100;
	u.list[2].weight = 300;
	for (int i = 0; i < 4000; i++)
		chosen[upstreams_pick(&u, 0, 1000)]++;
	assert_in_range(chosen[1], 800, 1200);
	assert_in_range(chosen[2], 2700, 3300);
	assert_in_range(chosen[0] + chosen[3], 0, 60);
}

static void upstreams_any_works__until_the_last_fails(void **state)
{
	struct upstreams u = four(), fresh = four();

	assert_false(upstreams_any_works(&u)); /* nobody has tried */
	upstreams_works(&u, &u.list[1].at);
	assert_true(upstreams_any_works(&u));
	upstreams_remember(&u, &fresh);
	assert_true(upstreams_any_works(&fresh));
	upstreams_failed(&u, &u.list[1].at, 1000);
	assert_false(upstreams_any_works(&u));
}

/* req: DISC-JP-003 */
static void upstreams_pick__two_have_failed__rest_for_a_minute(void **state)
{
	struct upstreams u = four();
	bool seen = false;

	upstreams_failed(&u, &u.list[1].at, 5000);
	upstreams_failed(&u, &u.list[2].at, 6000);
	for (int i = 0; i < 200; i++) {
		int pick = upstreams_pick(&u, 0, 5000 + UPSTREAM_REST_MS - 1);

		assert_true(pick == 0 || pick == 3);
	}
	for (int i = 0; i < 200; i++)
		seen = seen || upstreams_pick(&u, 0, 5000 + UPSTREAM_REST_MS) == 1;
	assert_true(seen);
	upstreams_works(&u, &u.list[2].at);
	assert_int_equal(upstreams_pick(&u, 1u << 0 | 1u << 1 | 1u << 3, 6001), 2);
}

static void upstreams_pick__none_works__takes_the_one_that_failed_longest_ago(void **state)
{
	struct upstreams u = four();

	for (size_t i = 0; i < 4; i++)
		upstreams_failed(&u, &u.list[i].at, 1000 - (int64_t)i * 10);
	assert_int_equal(upstreams_pick(&u, 0, 1001), 3);
	assert_int_equal(upstreams_pick(&u, 1u << 3, 1001), 2);
	assert_int_equal(upstreams_pick(&u, 0xf, 1001), -1);
}

static void upstreams_add__more_than_there_is_room_for__are_left_out(void **state)
{
	struct upstreams u = {.count = 0};
	struct address a;
	struct err e = ERR_INIT;

	for (uint16_t i = 1; i <= UPSTREAMS_MAX + 5; i++) {
		assert_true(address_parse("::1", i, &a, &e));
		assert_int_equal(upstreams_add(&u, &a), i <= UPSTREAMS_MAX);
	}
	assert_int_equal(u.count, UPSTREAMS_MAX);
}

/* req: J-11 */
static void uri_parse_upstream__each_scheme__has_its_port(void **state)
{
	struct err e = ERR_INIT;
	struct uri u;

	assert_true(uri_parse_upstream("jpy://[fe80::1%25eth0]:7634", &u, &e));
	assert_int_equal(u.scheme, URI_JPY);
	assert_int_equal(u.port, 7634);
	assert_string_equal(u.host, "fe80::1%eth0");
	assert_true(uri_parse_upstream("coaps://registrar.example", &u, &e));
	assert_int_equal(u.port, 5684);
	assert_true(uri_parse_upstream("https://registrar.example", &u, &e));
	assert_int_equal(u.port, 443);
	assert_false(uri_parse_upstream("jpy://registrar.example", &u, &e));
	assert_false(uri_parse_upstream("jpy://registrar.example:0", &u, &e));
	assert_false(uri_parse_upstream("coap://registrar.example", &u, &e));
	assert_false(uri_parse_server("jpy://registrar.example:1", &u, &e));
}

static void places_parse__addresses__are_taken_one_by_one(void **state)
{
	struct place places[PLACES_MAX];
	struct err e = ERR_INIT;
	size_t n;

	assert_true(places_parse("127.0.0.1, ::1\t192.0.2.1", places, &n, &e));
	assert_int_equal(n, 3);
	assert_string_equal(places[1].word, "::1");
	assert_string_equal(places[1].interface, "");
	assert_int_equal(places[1].at.sa.sa_family, AF_INET6);
	assert_int_equal(address_port(&places[1].at), 0);
}

static void places_parse__what_is_no_place__is_refused(void **state)
{
	static const struct {
		const char *words;
		enum err_kind kind;
	} bad[] = {{"", ERR_INPUT}, {"0.0.0.0", ERR_INPUT}, {"::", ERR_INPUT},
		{"fe80::1", ERR_INPUT}, {"127.0.0.1:80", ERR_INPUT}, {"a/b", ERR_INPUT},
		{"an-interface-too-long", ERR_INPUT}, {"brski-none", ERR_IO},
		{"127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.6 127.0.0.7 "
		 "127.0.0.8 127.0.0.9",
			ERR_INPUT}};
	struct place places[PLACES_MAX];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = ERR_INIT;

		if (places_parse(bad[i].words, places, &n, &e) || e.kind != bad[i].kind)
			fail_msg("%s: %s", bad[i].words, e.text);
	}
}

static void on_timer(void *arg)
{
	loop_stop(arg);
}

/* Run the loop until the list has changed, which it has to. */
static void wait_for_change(struct loop *l, const struct upstreams *u)
{
	struct loop_timer t;
	struct err e = ERR_INIT;
	int64_t until = clock_mono_ms() + 20000;
	size_t before = u->count;

	assert_true(loop_timer_init(&t, l, on_timer, l, &e));
	while (u->count == before && clock_mono_ms() < until) {
		loop_timer_arm(&t, 10);
		loop_run(l);
	}
	loop_timer_clear(&t);
}

/* req: DISC-JP-003 */
static void resolver__name_looked_up_again__keeps_what_is_known_of_failures(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	struct upstreams u = {.count = 0};
	struct uri uris[3];
	struct resolver *r;

	assert_true(uri_parse_upstream("https://localhost:8443", &uris[0], &e));
	assert_true(uri_parse_upstream("jpy://192.0.2.9:1", &uris[1], &e));
	assert_true(uri_parse_upstream("https://192.0.2.1:8443", &uris[2], &e));
	assert_true(upstreams_resolve(&u, &uris[2], &e));
	upstreams_failed(&u, &u.list[0].at, 77);
	r = resolver_new(l, uris, 3, &u, &e);
	assert_true(resolver_is_needed(r));
	resolver_start(r);
	resolver_start(r); /* is at work already */
	wait_for_change(l, &u);
	assert_in_range(u.count, 2, 3); /* localhost has one address or two */
	assert_int_equal(u.list[0].failed_ms, 0);
	assert_int_equal(u.list[u.count - 1].failed_ms, 77);
	resolver_start(r);
	resolver_free(r);
	loop_free(l);
}

static void resolver__addresses_alone__is_not_needed(void **state)
{
	struct err e = ERR_INIT;
	struct upstreams u = {.count = 0};
	struct uri uris[2];
	struct resolver *r;

	assert_true(uri_parse_upstream("https://192.0.2.1:8443", &uris[0], &e));
	assert_true(uri_parse_upstream("coaps://registrar.example", &uris[1], &e));
	r = resolver_new(NULL, uris, 2, &u, &e);
	assert_false(resolver_is_needed(r));
	resolver_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upstreams_pick__all_work__each_is_chosen_about_as_often),
		cmocka_unit_test(
			upstreams_pick__some_have_less_priority__only_when_the_others_rest),
		cmocka_unit_test(upstreams_pick__weights_differ__are_followed),
		cmocka_unit_test(upstreams_any_works__until_the_last_fails),
		cmocka_unit_test(upstreams_pick__two_have_failed__rest_for_a_minute),
		cmocka_unit_test(upstreams_pick__none_works__takes_the_one_that_failed_longest_ago),
		cmocka_unit_test(upstreams_add__more_than_there_is_room_for__are_left_out),
		cmocka_unit_test(uri_parse_upstream__each_scheme__has_its_port),
		cmocka_unit_test(resolver__name_looked_up_again__keeps_what_is_known_of_failures),
		cmocka_unit_test(resolver__addresses_alone__is_not_needed),
		cmocka_unit_test(places_parse__addresses__are_taken_one_by_one),
		cmocka_unit_test(places_parse__what_is_no_place__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
