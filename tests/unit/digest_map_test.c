/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded map under the certificate and verdict caches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base/digest_map.h"

static int freed;

static void count_free(void *value)
{
	freed++;
}

/* Keys that all fall into one bucket, so that the lists are walked. */
static const uint8_t *key(uint8_t n)
{
	static uint8_t k[DIGEST_MAP_KEY_LEN];

	memset(k, 0, sizeof(k));
	k[DIGEST_MAP_KEY_LEN - 1] = n;
	return k;
}

static void digest_map__what_was_put__is_found(void **state)
{
	struct err e = ERR_INIT;
	struct digest_map *m = digest_map_new(3, count_free, &e);
	int a = 1, b = 2;

	assert_non_null(m);
	digest_map_put(m, key(1), &a);
	digest_map_put(m, key(2), &b);
	assert_ptr_equal(digest_map_get(m, key(1)), &a);
	assert_ptr_equal(digest_map_get(m, key(2)), &b);
	assert_null(digest_map_get(m, key(3)));
	freed = 0;
	digest_map_free(m);
	assert_int_equal(freed, 2);
}

static void digest_map__full__drops_the_least_recently_used(void **state)
{
	struct err e = ERR_INIT;
	struct digest_map *m = digest_map_new(3, count_free, &e);
	int v[5];

	freed = 0;
	for (uint8_t i = 0; i < 3; i++)
		digest_map_put(m, key(i), &v[i]);
	assert_non_null(digest_map_get(m, key(0))); /* 1 is the oldest now */
	digest_map_put(m, key(3), &v[3]);
	assert_int_equal(freed, 1);
	assert_null(digest_map_get(m, key(1)));
	assert_ptr_equal(digest_map_get(m, key(0)), &v[0]);
	assert_ptr_equal(digest_map_get(m, key(2)), &v[2]);
	assert_ptr_equal(digest_map_get(m, key(3)), &v[3]);
	assert_int_equal(digest_map_count(m), 3);
	digest_map_free(m);
}

static void digest_map__same_key_again__replaces_the_value(void **state)
{
	struct err e = ERR_INIT;
	struct digest_map *m = digest_map_new(2, count_free, &e);
	int a, b;

	freed = 0;
	digest_map_put(m, key(1), &a);
	digest_map_put(m, key(1), &b);
	assert_int_equal(freed, 1);
	assert_int_equal(digest_map_count(m), 1);
	assert_ptr_equal(digest_map_get(m, key(1)), &b);
	digest_map_free(m);
}

static void digest_map__one_entry__always_holds_the_last(void **state)
{
	struct err e = ERR_INIT;
	struct digest_map *m = digest_map_new(1, count_free, &e);
	int v[200];

	for (uint8_t i = 0; i < 200; i++) {
		digest_map_put(m, key(i), &v[i]);
		assert_ptr_equal(digest_map_get(m, key(i)), &v[i]);
		assert_int_equal(digest_map_count(m), 1);
	}
	digest_map_free(m);
}

static const uint8_t *scattered_key(size_t n)
{
	static uint8_t k[DIGEST_MAP_KEY_LEN];
	uint64_t h = (n + 1) * 0x9e3779b97f4a7c15;

	memcpy(k, &h, sizeof(h));
	return k;
}

static void digest_map__growing_to_its_limit__loses_nothing_before(void **state)
{
	struct err e = ERR_INIT;
	struct digest_map *m = digest_map_new(100, count_free, &e);
	int v[150];

	freed = 0;
	for (size_t i = 0; i < 100; i++)
		digest_map_put(m, scattered_key(i), &v[i]);
	assert_int_equal(freed, 0);
	for (size_t i = 0; i < 100; i++)
		assert_ptr_equal(digest_map_get(m, scattered_key(i)), &v[i]);
	for (size_t i = 100; i < 150; i++)
		digest_map_put(m, scattered_key(i), &v[i]);
	assert_int_equal(freed, 50);
	for (size_t i = 0; i < 150; i++)
		assert_ptr_equal(
			digest_map_get(m, scattered_key(i)), i < 50 ? NULL : (void *)&v[i]);
	digest_map_free(m);
	assert_int_equal(freed, 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_map__what_was_put__is_found),
		cmocka_unit_test(digest_map__full__drops_the_least_recently_used),
		cmocka_unit_test(digest_map__same_key_again__replaces_the_value),
		cmocka_unit_test(digest_map__one_entry__always_holds_the_last),
		cmocka_unit_test(digest_map__growing_to_its_limit__loses_nothing_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
