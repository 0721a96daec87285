/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/wire/jpy.h"
#include "pledge/proxy_header.h"

static struct address address(const char *text, uint16_t port, uint32_t zone)
{
	struct address a;
	struct err e = ERR_INIT;

	if (!address_parse(text, port, &a, &e))
		fail_msg("%s", e.text);
	if (a.sa.sa_family == AF_INET6)
		a.v6.sin6_scope_id = zone;
	return a;
}

/* req: J-12 J-13 J-14 */
static void header_open__what_was_sealed__names_the_device_again(void **state)
{
	struct err e = ERR_INIT;
	struct header_keys *k = header_keys_new(0, &e);
	struct address places[] = {
		address("fe80::1", 0, 7), address("192.0.2.1", 0, 0), address("2001:db8::1", 0, 0)};
	struct header in[] = {{0, 3, address("fe80::abcd:ef01:2345:6789", 5684, 7)},
		{1, 0, address("192.0.2.200", 65535, 0)}, {2, 1, address("2001:db8::2", 1, 0)}};
	uint8_t sealed[HEADER_LEN], again[HEADER_LEN];
	struct header out;

	assert_true(HEADER_LEN <= JPY_HEADER_WRITE_MAX);
	for (size_t i = 0; i < 3; i++) {
		assert_true(header_seal(k, &in[i], &places[i], 5, sealed, &e));
		/* the registrar must see one peer, whenever it comes */
		assert_true(header_seal(k, &in[i], &places[i], 50000, again, &e));
		assert_memory_equal(sealed, again, sizeof(sealed));
		assert_true(
			header_open(k, bytes_of(sealed, sizeof(sealed)), places, 3, 9, &out, &e));
		assert_int_equal(out.place, in[i].place);
		assert_int_equal(out.registrar, in[i].registrar);
		assert_true(address_equal(&out.device, &in[i].device));
		/* nothing of the device is to be read in it */
		assert_null(memmem(sealed, sizeof(sealed), "\xab\xcd\xef\x01", 4));
	}
	header_keys_free(k);
}

/* req: J-13 */
static void header_open__changed_or_of_another__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct header_keys *k = header_keys_new(0, &e), *other = header_keys_new(0, &e);
	struct address place = address("fe80::1", 0, 7);
	struct header h = {0, 0, address("fe80::2", 5684, 7)}, out;
	uint8_t sealed[HEADER_LEN + 1] = {0};

	assert_true(header_seal(k, &h, &place, 0, sealed, &e));
	for (size_t bit = 0; bit < HEADER_LEN * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(header_open(k, bytes_of(sealed, HEADER_LEN), &place, 1, 0, &out, &e));
		sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(header_open(k, bytes_of(sealed, HEADER_LEN + 1), &place, 1, 0, &out, &e));
	assert_false(header_open(k, bytes_of(sealed, HEADER_LEN - 1), &place, 1, 0, &out, &e));
	assert_false(header_open(k, bytes_of(sealed, 0), &place, 1, 0, &out, &e));
	assert_false(header_open(other, bytes_of(sealed, HEADER_LEN), &place, 1, 0, &out, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	h.place = 1; /* of a proxy that had more places */
	assert_true(header_seal(k, &h, &place, 0, sealed, &e));
	assert_false(header_open(k, bytes_of(sealed, HEADER_LEN), &place, 1, 0, &out, &e));
	header_keys_free(k);
	header_keys_free(other);
}

/* req: J-13 */
static void header_open__key_of_yesterday__is_taken_for_an_hour(void **state)
{
	struct err e = ERR_INIT;
	struct header_keys *k = header_keys_new(0, &e);
	struct address place = address("fe80::1", 0, 7);
	struct header h = {0, 0, address("fe80::2", 5684, 7)}, out;
	uint8_t before[HEADER_LEN], after[HEADER_LEN];
	int64_t day = HEADER_KEY_MS;

	assert_true(header_seal(k, &h, &place, 0, before, &e));
	assert_true(header_seal(k, &h, &place, day, after, &e));
	assert_memory_not_equal(before, after, HEADER_LEN);
	assert_true(header_open(
		k, bytes_of(before, HEADER_LEN), &place, 1, day + HEADER_GRACE_MS - 1, &out, &e));
	assert_false(header_open(
		k, bytes_of(before, HEADER_LEN), &place, 1, day + HEADER_GRACE_MS, &out, &e));
	assert_true(header_open(
		k, bytes_of(after, HEADER_LEN), &place, 1, day + HEADER_GRACE_MS, &out, &e));
	/* days of silence: nothing is left to open it with */
	assert_false(header_open(k, bytes_of(after, HEADER_LEN), &place, 1, 4 * day, &out, &e));
	header_keys_free(k);
}

/* req: J-13 */
static void header_seal__devices_join_without_a_pause__key_changes_at_the_latest(void **state)
{
	struct err e = ERR_INIT;
	struct header_keys *k = header_keys_new(0, &e);
	struct address place = address("fe80::1", 0, 7);
	struct header h = {0, 0, address("fe80::2", 5684, 7)};
	uint8_t first[HEADER_LEN], sealed[HEADER_LEN];
	int64_t ms;

	assert_true(header_seal(k, &h, &place, 0, first, &e));
	memcpy(sealed, first, HEADER_LEN);
	for (ms = 0; ms < 2 * HEADER_LATE_MS && memcmp(sealed, first, HEADER_LEN) == 0;
		ms += HEADER_QUIET_MS / 2)
		assert_true(header_seal(k, &h, &place, ms, sealed, &e));
	assert_in_range(ms, HEADER_LATE_MS, HEADER_LATE_MS + HEADER_QUIET_MS);
	header_keys_free(k);
}

static void header_seal__device_from_beyond_the_link__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct header_keys *k = header_keys_new(0, &e);
	struct address place = address("fe80::1", 0, 7);
	struct header far[] = {{0, 0, address("2001:db8::2", 5684, 0)},
		{0, 0, address("fe80::2", 5684, 8)}, {0, 0, address("192.0.2.1", 5684, 0)}};
	uint8_t sealed[HEADER_LEN];

	for (size_t i = 0; i < 3; i++) {
		assert_false(header_seal(k, &far[i], &place, 0, sealed, &e));
		assert_int_equal(e.kind, ERR_REFUSED);
	}
	header_keys_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_open__what_was_sealed__names_the_device_again),
		cmocka_unit_test(header_open__changed_or_of_another__is_refused),
		cmocka_unit_test(header_open__key_of_yesterday__is_taken_for_an_hour),
		cmocka_unit_test(
			header_seal__devices_join_without_a_pause__key_changes_at_the_latest),
		cmocka_unit_test(header_seal__device_from_beyond_the_link__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
