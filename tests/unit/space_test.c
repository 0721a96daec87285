/* SPDX-License-Identifier: Apache-2.0 */
/* Where enough room begins and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "registrar/space.h"

static void space_lacks__below_the_floor__until_there_is_a_little_more(void **state)
{
	assert_false(space_lacks(800, 800, false));
	assert_true(space_lacks(799, 800, false));
	assert_true(space_lacks(800, 800, true));
	assert_true(space_lacks(899, 800, true));
	assert_false(space_lacks(900, 800, true));
}

static void space_lacks__no_floor__never(void **state)
{
	assert_false(space_lacks(0, 0, false));
	assert_false(space_lacks(0, 0, true));
}

static void space_lacks__room_that_is_not_known__never(void **state)
{
	assert_false(space_lacks(-1, 800, false));
	assert_false(space_lacks(-1, 800, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_lacks__below_the_floor__until_there_is_a_little_more),
		cmocka_unit_test(space_lacks__no_floor__never),
		cmocka_unit_test(space_lacks__room_that_is_not_known__never),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
