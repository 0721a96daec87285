/* SPDX-License-Identifier: Apache-2.0 */
/* Which registrar a device is sent to: shares, stability, regions, and what a former decision is
 * worth under each policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "registrar/cloud/allocate.h"
#include "registrar/cloud/regions.h"

#define DEVICES 20000

static struct places of(const char *const *urls, const int *weights, size_t count)
{
	struct places p = {.owner = "depot", .count = count};

	for (size_t i = 0; i < count; i++) {
		snprintf(p.items[i].url, sizeof(p.items[i].url), "%s", urls[i]);
		p.items[i].weight = weights[i];
	}
	return p;
}

static const char *const urls[] = {
	"https://a.example/x", "https://b.example/x", "https://c.example/x", "https://d.example/x"};

static size_t chosen(enum allocation policy, const struct places *p, int device, const char *region)
{
	struct err e = ERR_INIT;
	const struct place *at;
	char name[32];

	snprintf(name, sizeof(name), "maker/SN-%d", device);
	at = allocate(policy, p, name, region, &e);
	assert_non_null(at);
	return (size_t)(at - p->items);
}

static void count(const struct places *p, size_t *got)
{
	memset(got, 0, p->count * sizeof(*got));
	for (int i = 0; i < DEVICES; i++)
		got[chosen(ALLOCATE_HASHED, p, i, "")]++;
}

static void allocate__hashed__gives_each_its_share(void **state)
{
	const struct places p = of(urls, (const int[]){1, 2, 5, 0}, 4);
	size_t got[4];

	count(&p, got);
	/* of 20,000 with probability 1/8: a deviation of 47; five of them */
	assert_in_range(got[0], DEVICES / 8 - 240, DEVICES / 8 + 240);
	assert_in_range(got[1], DEVICES / 4 - 310, DEVICES / 4 + 310);
	assert_in_range(got[2], DEVICES * 5 / 8 - 350, DEVICES * 5 / 8 + 350);
	assert_int_equal(got[3], 0);
}

static void allocate__hashed__all_of_weight_0__still_chooses(void **state)
{
	const struct places p = of(urls, (const int[]){0, 0}, 2);

	assert_in_range(chosen(ALLOCATE_HASHED, &p, 1, ""), 0, 1);
}

static void allocate__hashed__one_is_added__moves_its_share_to_it_and_nobody_else(void **state)
{
	const struct places before = of(urls, (const int[]){1, 1, 1}, 3);
	const struct places after = of(urls, (const int[]){1, 1, 1, 1}, 4);
	size_t moved = 0;

	for (int i = 0; i < DEVICES; i++) {
		size_t was = chosen(ALLOCATE_HASHED, &before, i, "");
		size_t is = chosen(ALLOCATE_HASHED, &after, i, "");

		if (is != was) {
			assert_int_equal(is, 3);
			moved++;
		}
	}
	assert_in_range(moved, DEVICES / 4 - 310, DEVICES / 4 + 310);
}

/* Several cloud registrars have to agree, whatever machine they are: known answers. */
static void allocate__hashed__is_the_same_for_ever(void **state)
{
	const struct places p = of(urls, (const int[]){1, 2, 3, 4}, 4);
	char got[17] = "";

	for (int i = 0; i < 16; i++)
		got[i] = (char)('a' + chosen(ALLOCATE_HASHED, &p, i, ""));
	assert_string_equal(got, "acdddcddbbcdcdbc");
}

static void allocate__static__takes_the_heaviest(void **state)
{
	struct places p = of(urls, (const int[]){3, 7, 7}, 3);

	assert_int_equal(chosen(ALLOCATE_STATIC, &p, 1, ""), 1);
	p.items[0].weight = 8;
	assert_int_equal(chosen(ALLOCATE_STATIC, &p, 1, ""), 0);
}

static void allocate__latency__keeps_to_the_region_or_takes_all(void **state)
{
	struct places p = of(urls, (const int[]){1, 1, 1, 1}, 4);
	bool other = false;

	strcpy(p.items[1].region, "eu");
	strcpy(p.items[2].region, "eu");
	for (int i = 0; i < 200; i++) {
		assert_in_range(chosen(ALLOCATE_LATENCY, &p, i, "eu"), 1, 2);
		other = other || chosen(ALLOCATE_LATENCY, &p, i, "mars") == 3;
		assert_int_equal(
			chosen(ALLOCATE_LATENCY, &p, i, ""), chosen(ALLOCATE_HASHED, &p, i, ""));
	}
	assert_true(other);
}

static void allocate_again__only_never_holds_and_only_for_the_same_owner(void **state)
{
	const struct places p = of(urls, (const int[]){1, 1}, 2);
	struct allocated before = {.found = true, .owner = "depot", .url = "https://b.example/x"};

	assert_ptr_equal(allocate_again(REPROVISION_NEVER, &before, &p), &p.items[1]);
	assert_null(allocate_again(REPROVISION_MOVE_KEEP, &before, &p));
	assert_null(allocate_again(REPROVISION_MOVE_RESET, &before, &p));
	strcpy(before.url, "https://gone.example/x");
	assert_null(allocate_again(REPROVISION_NEVER, &before, &p));
	strcpy(before.url, "https://b.example/x");
	strcpy(before.owner, "another");
	assert_null(allocate_again(REPROVISION_NEVER, &before, &p));
	before.found = false;
	assert_null(allocate_again(REPROVISION_NEVER, &before, &p));
}

/* ---- what the MASA says ---- */

static bool parse(const char *json, struct places *out)
{
	struct err e = ERR_INIT;
	bool ok = cloud_places_parse(bytes_of_str(json), out, &e);

	if (!ok)
		assert_int_equal(e.kind, ERR_PEER);
	return ok;
}

static void cloud_places_parse__an_answer__is_read(void **state)
{
	struct places p;

	assert_true(parse("{\"serial\":\"S\",\"owner\":\"depot\",\"registrars\":["
			  "{\"url\":\"https://a.example/x\",\"weight\":7,\"region\":\"eu\"},"
			  "{\"url\":\"https://b.example/x\"}],\"est_domain\":null,\"more\":1}",
		&p));
	assert_string_equal(p.owner, "depot");
	assert_int_equal(p.count, 2);
	assert_int_equal(p.items[0].weight, 7);
	assert_string_equal(p.items[0].region, "eu");
	assert_int_equal(p.items[1].weight, 1);
	assert_false(p.has_est);
	assert_true(parse("{\"owner\":null,\"est_domain\":\"https://est.example/\"}", &p));
	assert_string_equal(p.owner, "");
	assert_true(p.has_est);
}

static void cloud_places_parse__what_is_none__is_the_masas_fault(void **state)
{
	static const char *const bad[] = {"", "[]", "{\"owner\":1}", "{\"registrars\":{}}",
		"{\"registrars\":[1]}", "{\"registrars\":[{}]}",
		"{\"registrars\":[{\"url\":\"http://a.example/x\"}]}",
		"{\"registrars\":[{\"url\":\"https://a.example/\\r\\nX: y\"}]}",
		"{\"registrars\":[{\"url\":\"https://a.example/\",\"weight\":-1}]}",
		"{\"registrars\":[{\"url\":\"https://a.example/\",\"weight\":1001}]}",
		"{\"registrars\":[{\"url\":\"https://a.example/\",\"region\":7}]}",
		"{\"est_domain\":\"est.example\"}", "{\"owner\":\"a\",\"owner\":\"b\"}"};
	struct places p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(parse(bad[i], &p));
}

/* ---- regions ---- */

static void regions_find__longest_prefix__wins(void **state)
{
	char text[] = "10.0.0.0/8 private # a comment\n\n10.1.0.0/16\tdepot\n2001:db8::/32 v6\n"
		      "192.0.2.7 one\n";
	struct err e = ERR_INIT;
	struct regions *r = regions_parse(text, &e);

	assert_non_null(r);
	assert_string_equal(regions_find(r, "10.9.1.1"), "private");
	assert_string_equal(regions_find(r, "10.1.255.1"), "depot");
	assert_string_equal(regions_find(r, "::ffff:10.1.0.1"), "depot");
	assert_string_equal(regions_find(r, "2001:db8:ffff::1"), "v6");
	assert_string_equal(regions_find(r, "192.0.2.7"), "one");
	assert_string_equal(regions_find(r, "192.0.2.8"), "");
	assert_string_equal(regions_find(r, "no address"), "");
	assert_string_equal(regions_find(NULL, "10.1.0.1"), "");
	regions_free(r);
}

static void regions_parse__what_is_no_line__is_refused_by_its_number(void **state)
{
	static const char *const bad[] = {"10.0.0.0/8", "10.0.0.0/33 a", "10.0.0.0/ a", "x/8 a",
		"10.0.0.0/8 a b", "2001:db8::/129 a", "10.0.0.0/-1 a"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct err e = ERR_INIT;
		char text[64];

		snprintf(text, sizeof(text), "10.0.0.0/8 a\n%s\n", bad[i]);
		assert_null(regions_parse(text, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_memory_equal(e.text, "line 2", 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocate__hashed__gives_each_its_share),
		cmocka_unit_test(allocate__hashed__all_of_weight_0__still_chooses),
		cmocka_unit_test(
			allocate__hashed__one_is_added__moves_its_share_to_it_and_nobody_else),
		cmocka_unit_test(allocate__hashed__is_the_same_for_ever),
		cmocka_unit_test(allocate__static__takes_the_heaviest),
		cmocka_unit_test(allocate__latency__keeps_to_the_region_or_takes_all),
		cmocka_unit_test(allocate_again__only_never_holds_and_only_for_the_same_owner),
		cmocka_unit_test(cloud_places_parse__an_answer__is_read),
		cmocka_unit_test(cloud_places_parse__what_is_none__is_the_masas_fault),
		cmocka_unit_test(regions_find__longest_prefix__wins),
		cmocka_unit_test(regions_parse__what_is_no_line__is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
