/* SPDX-License-Identifier: Apache-2.0 */
/* Which carrier a URI's scheme chooses. What the carriers do has tests of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/session.h"

#define LOCALHOST ((struct uri){.host = "127.0.0.1", .host_is_ip = true, .port = 1})

static void session_new__a_scheme_without_a_carrier__is_refused(void **state)
{
	struct session_config config = {.server = LOCALHOST, .now_unix_s = CHAIN_NO_TIME};
	struct err e = ERR_INIT;

	config.server.scheme = URI_HTTP;
	assert_null(session_new(&config, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void session_new__coaps__is_constrained(void **state)
{
	struct session_config config = {.server = LOCALHOST, .now_unix_s = CHAIN_NO_TIME};
	struct err e = ERR_INIT;
	struct session *s;

	config.server.scheme = URI_COAPS;
	s = session_new(&config, &e);
	assert_non_null(s);
	assert_true(session_is_constrained(s));
	assert_false(session_is_open(s));
	session_free(s);
}

static void session_new__https__is_not_constrained(void **state)
{
	struct session_config config = {.server = LOCALHOST, .now_unix_s = CHAIN_NO_TIME};
	struct err e = ERR_INIT;
	struct session *s = session_new(&config, &e);

	assert_non_null(s);
	assert_false(session_is_constrained(s));
	assert_false(session_is_open(s));
	assert_int_equal(session_server_chain(s)->count, 0);
	session_free(s);
	session_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_new__a_scheme_without_a_carrier__is_refused),
		cmocka_unit_test(session_new__coaps__is_constrained),
		cmocka_unit_test(session_new__https__is_not_constrained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
