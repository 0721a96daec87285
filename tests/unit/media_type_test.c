/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Type and Accept. */
#include "common/wire/media_type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CMS "application/voucher-cms+json"
#define JWS "application/voucher-jws+json"

static const char *const offered[] = {CMS, JWS};

static int negotiate(const char *accept)
{
	return media_type_negotiate(accept, offered, 2);
}

/* req: ENC-ALL-022 */
static void media_type_is__case_and_parameters__do_not_matter(void **state)
{
	assert_true(media_type_is(CMS, CMS));
	assert_true(media_type_is(" Application/Voucher-CMS+JSON ; charset=x", CMS));
	assert_false(media_type_is("application/voucher-cms+jsonx", CMS));
	assert_false(media_type_is("application/json", CMS));
	assert_false(media_type_is(CMS " x", CMS));
	assert_false(media_type_is(NULL, CMS));
	assert_false(media_type_is("", CMS));
}

static void media_type_name__malformed_or_overlong__is_refused(void **state)
{
	char name[MEDIA_TYPE_MAX + 1];
	char text[MEDIA_TYPE_MAX + 2]; /* one character too many */
	memset(text, 'a', sizeof(text));
	text[1] = '/';
	text[MEDIA_TYPE_MAX + 1] = '\0';
	assert_false(media_type_name(text, name));
	text[MEDIA_TYPE_MAX] = '\0';
	assert_true(media_type_name(text, name));
	assert_false(media_type_name("text", name));
	assert_false(media_type_name("/plain", name));
	assert_false(media_type_name("text/", name));
	assert_false(media_type_name("te xt/plain", name));
	assert_true(media_type_name("Text/PLAIN;x=y", name));
	assert_string_equal(name, "text/plain");
}

static void media_type_negotiate__missing_empty_or_wildcard__takes_the_first(void **state)
{
	assert_int_equal(negotiate(NULL), 0);
	assert_int_equal(negotiate(""), 0);
	assert_int_equal(negotiate("*/*"), 0);
	assert_int_equal(negotiate("application/*"), 0);
	assert_int_equal(media_type_negotiate(NULL, offered, 0), -1);
}

static void media_type_negotiate__quality__decides(void **state)
{
	assert_int_equal(negotiate(JWS), 1);
	assert_int_equal(negotiate(CMS ";q=0.5, " JWS), 1);
	assert_int_equal(negotiate(CMS ";q=0.5," JWS ";q=0.499"), 0);
	assert_int_equal(negotiate("*/*, " CMS ";q=0"), 1);
	assert_int_equal(negotiate("*/*;q=0.9," JWS ";q=0.1"), 0);
	assert_int_equal(negotiate("text/html,application/*;q=0.2;x=y"), 0);
	assert_int_equal(negotiate(CMS ";x=\"a,;q=1\";Q=0.1,\t" JWS " ; q=0.2"), 1);
}

static void media_type_negotiate__nothing_fits__is_minus_one(void **state)
{
	assert_int_equal(negotiate("text/html"), -1);
	assert_int_equal(negotiate("*/*;q=0"), -1);
	assert_int_equal(negotiate("text/*"), -1);
	assert_int_equal(negotiate("application/voucher-cms+jso"), -1);
	assert_int_equal(negotiate("*"), -1);
}

static void media_type_negotiate__malformed_elements__are_skipped(void **state)
{
	assert_int_equal(negotiate(",,;;, " JWS), 1);
	assert_int_equal(negotiate(CMS ";q=2, " JWS), 1);
	assert_int_equal(negotiate(CMS ";q=0.5x, " JWS ";q=0.1"), 1);
	assert_int_equal(negotiate(CMS ";q=0.0001, " JWS ";q=0.001"), 1);
	assert_int_equal(negotiate("\"unended"), -1);
	assert_int_equal(negotiate(CMS ";x=\"unended\\"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(media_type_is__case_and_parameters__do_not_matter),
		cmocka_unit_test(media_type_name__malformed_or_overlong__is_refused),
		cmocka_unit_test(media_type_negotiate__missing_empty_or_wildcard__takes_the_first),
		cmocka_unit_test(media_type_negotiate__quality__decides),
		cmocka_unit_test(media_type_negotiate__nothing_fits__is_minus_one),
		cmocka_unit_test(media_type_negotiate__malformed_elements__are_skipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
