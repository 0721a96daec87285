/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of HTTPS under their short names. */
#include "common/net/coap_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect_path(const char *given, const char *expected)
{
	BUF_AUTO struct buf path = BUF_INIT(600);
	struct coap_message m = {0};
	struct err e = ERR_INIT;

	assert_true(coap_path_add(given, &m, &e));
	assert_true(coap_message_path(&m, &path, &e));
	assert_string_equal(buf_str(&path), expected);
}

/* req: C-03, C-04 */
static void coap_path_add__names_of_est_and_brski__become_short(void **state)
{
	expect_path("/.well-known/est/cacerts", "/.well-known/est/crts");
	expect_path("/.well-known/est/simpleenroll", "/.well-known/est/sen");
	expect_path("/.well-known/est/simplereenroll", "/.well-known/est/sren");
	expect_path("/.well-known/est/serverkeygen", "/.well-known/est/skg");
	expect_path("/.well-known/est/csrattrs", "/.well-known/est/att");
	expect_path("/.well-known/est/site 7/simpleenroll", "/.well-known/est/site 7/sen");
	expect_path("/.well-known/brski/requestvoucher", "/.well-known/brski/rv");
	expect_path("/.well-known/brski/voucher_status", "/.well-known/brski/vs");
	expect_path("/.well-known/brski/enrollstatus", "/.well-known/brski/es");
}

static void coap_path_add__other_names__stay(void **state)
{
	expect_path("/", "/");
	expect_path("/b/rv", "/b/rv");
	expect_path("/.well-known/core", "/.well-known/core");
	expect_path("/.well-known/est/skc", "/.well-known/est/skc");
	expect_path("/.well-known/est/simpleenroll/x", "/.well-known/est/simpleenroll/x");
	expect_path("/other/simpleenroll", "/other/simpleenroll");
	expect_path("/.well-known/brski/simpleenroll", "/.well-known/brski/simpleenroll");
}

static void coap_path_add__query__becomes_options(void **state)
{
	struct coap_message m = {0};
	struct err e = ERR_INIT;

	assert_true(coap_path_add("/.well-known/core?rt=brski*&a", &m, &e));
	assert_int_equal(m.option_count, 4);
	assert_true(bytes_equal(
		coap_message_find(&m, COAP_OPT_URI_QUERY, 0)->value, bytes_of_str("rt=brski*")));
	assert_true(bytes_equal(
		coap_message_find(&m, COAP_OPT_URI_QUERY, 1)->value, bytes_of_str("a")));
	m.option_count = 0;
	assert_true(coap_path_add("/?x", &m, &e));
	assert_int_equal(m.option_count, 1);
}

static void coap_path_add__what_cannot_be_sent__is_refused(void **state)
{
	static const char *const bad[] = {
		"", "b/rv", "?a", "//rv", "/b/", "/b%20c", "/b?", "/b?a&", "/b?a&&b"};
	char segment[300] = "/";
	struct coap_message m = {0};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		m.option_count = 0;
		assert_false(coap_path_add(bad[i], &m, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
	memset(segment + 1, 'a', 256);
	m.option_count = 0;
	assert_false(coap_path_add(segment, &m, &e));
	segment[256] = '\0';
	assert_true(coap_path_add(segment, &m, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coap_path_add__names_of_est_and_brski__become_short),
		cmocka_unit_test(coap_path_add__other_names__stay),
		cmocka_unit_test(coap_path_add__query__becomes_options),
		cmocka_unit_test(coap_path_add__what_cannot_be_sent__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
