/* SPDX-License-Identifier: Apache-2.0 */
/* What those who are looked for are called, and what they say that they speak. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/service_names.h"

static void variations_add__what_is_no_key__is_left_out(void **state)
{
	struct variations v = {.count = 0};

	variations_add(&v, bytes_of_str("EST-TLS"));
	variations_add(&v, bytes_of_str("est-tls"));
	variations_add(&v, bytes_of_str(""));
	variations_add(&v, bytes_of_str("key=value"));
	variations_add(&v, bytes_of_str("two words"));
	variations_add(&v, bytes_of_str("longer-than-any-key-of-the-registry-is"));
	assert_int_equal(v.count, 1);
	assert_string_equal(v.list[0], "est-tls");
}

static void variations_usual_if_none__something_is_said__is_all(void **state)
{
	struct variations v = {.count = 0}, said = {.count = 0};

	variations_usual_if_none(&v);
	assert_true(variations_have(&v, "est-tls"));
	variations_add(&said, bytes_of_str("cmp"));
	variations_usual_if_none(&said);
	assert_false(variations_have(&said, "est-tls"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variations_add__what_is_no_key__is_left_out),
		cmocka_unit_test(variations_usual_if_none__something_is_said__is_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
