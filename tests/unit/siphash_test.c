/* SPDX-License-Identifier: Apache-2.0 */
/* Against the vectors of its authors: key 00..0f, input 00, 01, ... */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/siphash.h"

static void siphash__vectors_of_its_authors__agree(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {8, 0x93f5f5799a932462},
		{15, 0xa129ca6149be45e5}};
	uint8_t key[SIPHASH_KEY_LEN], in[16];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = in[i] = i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(siphash(key, bytes_of(in, rows[i].len)) == rows[i].hash);
	key[0] ^= 1;
	assert_false(siphash(key, bytes_of(in, 15)) == rows[3].hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash__vectors_of_its_authors__agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
