/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/wire/core_link.h"

static bool first_link(const char *text, struct core_link *out)
{
	struct core_links r = core_links_of(bytes_of_str(text));
	struct err e = ERR_INIT;
	bool end;

	return core_link_next(&r, out, &end, &e) && !end;
}

/* The number of links, or -1 when the document is refused. */
static int count_links(const char *text)
{
	struct core_links r = core_links_of(bytes_of_str(text));
	struct core_link l;
	struct err e = ERR_INIT;
	bool end = false;
	int n = 0;

	while (core_link_next(&r, &l, &end, &e)) {
		if (end)
			return n;
		n++;
	}
	assert_true(e.kind == ERR_INPUT || e.kind == ERR_TOO_LARGE);
	return -1;
}

/* req: X-02 */
static void core_link_next__join_port_bare_or_quoted__is_read(void **state)
{
	static const char *const forms[] = {"<>;brski-jp=57101", "<>;brski-jp=\"57101\"",
		"<>;if=\"x,y;z\";brski-jp=57101", "<>; brski-jp=57101", "</x>;obs;brski-jp=57101"};
	struct core_link l;
	uint16_t port;

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		assert_true(first_link(forms[i], &l));
		assert_true(core_link_join_port(&l, &port));
		assert_int_equal(port, 57101);
	}
}

/* req: X-04 X-13 */
static void core_link_next__several_links_and_unknown_attributes__are_read(void **state)
{
	struct core_links r = core_links_of(bytes_of_str(
		"<>;brski-jp=57101,<>;p=v;brski-jp=57102;var=\"rrm-cose\";pw=\"1 2\""));
	struct core_link l;
	struct err e = ERR_INIT;
	uint16_t port;
	bool end;

	assert_true(core_link_next(&r, &l, &end, &e) && !end);
	assert_true(core_link_join_port(&l, &port));
	assert_int_equal(port, 57101);
	assert_true(core_link_next(&r, &l, &end, &e) && !end);
	assert_true(core_link_join_port(&l, &port));
	assert_int_equal(port, 57102);
	assert_true(core_link_next(&r, &l, &end, &e) && end);
}

static void core_link_join_port__no_port__is_refused(void **state)
{
	static const char *const bad[] = {"<>", "<>;brski-jp", "<>;brski-jp=0", "<>;brski-jp=65536",
		"<>;brski-jp=-1", "<>;brski-jp=1x", "<>;brski-jp=\"\"", "<>;brski-jp=000001",
		"<>;brski-jpx=5"};
	struct core_link l;
	uint16_t port;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(first_link(bad[i], &l));
		if (core_link_join_port(&l, &port))
			fail_msg("taken: %s", bad[i]);
	}
}

static void core_link_next__what_is_no_link__is_refused(void **state)
{
	static const char *const bad[] = {"x", "<", "<a", "<a b>", "<a>x", "<a>;", "<a>;=x",
		"<a>;b=", "<a>;b=\"c", "<a>;b=\"c\\", "<a>,", "<a>,,<b>", ",<a>", "<a>;b=c d",
		"<a\"b>", "<a>;b=\"\x01\"", "<\x80>", "<a>;;b"};
	char many[CORE_LINKS_MAX * 4 + 8] = "<>";
	char large[CORE_LINK_DOC_MAX + 2];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (count_links(bad[i]) != -1)
			fail_msg("taken: %s", bad[i]);
	for (size_t i = 1; i < CORE_LINKS_MAX; i++)
		strcat(many, ",<>");
	assert_int_equal(count_links(many), CORE_LINKS_MAX);
	strcat(many, ",<>");
	assert_int_equal(count_links(many), -1);
	memset(large, 'x', sizeof(large) - 1);
	large[0] = '<', large[sizeof(large) - 2] = '>', large[sizeof(large) - 1] = '\0';
	assert_int_equal(count_links(large), -1);
	large[CORE_LINK_VALUE_MAX + 2] = '>', large[CORE_LINK_VALUE_MAX + 3] = '\0';
	assert_int_equal(count_links(large), -1);
	large[CORE_LINK_VALUE_MAX + 1] = '>', large[CORE_LINK_VALUE_MAX + 2] = '\0';
	assert_int_equal(count_links(large), 1);
	assert_int_equal(count_links(""), 0);
}

static void core_link_next__attribute_twice__the_first_counts(void **state)
{
	struct core_link l;

	assert_true(first_link("<a>;rt=one;rt=two", &l));
	assert_true(bytes_equal(l.rt, bytes_of_str("one")));
}

/* req: X-10 */
static void core_link_matches__words_and_patterns__match_as_the_text_says(void **state)
{
	struct core_link l;
#define MATCHES(name, pattern) core_link_matches(&l, bytes_of_str(name "=" pattern))

	assert_true(first_link("</b>;rt=\"brski brski.rv\";ct=\"62 281 287\"", &l));
	assert_true(MATCHES("rt", "brski"));
	assert_true(MATCHES("rt", "brski.rv"));
	assert_true(MATCHES("rt", "brski*"));
	assert_true(MATCHES("rt", "*"));
	assert_false(MATCHES("rt", "brski.r"));
	assert_false(MATCHES("rt", "brski brski.rv"));
	assert_false(MATCHES("rt", ""));
	assert_true(MATCHES("ct", "281"));
	assert_false(MATCHES("ct", "28"));
	assert_true(MATCHES("href", "/b"));
	assert_false(MATCHES("brski-jp", "*"));
	assert_false(MATCHES("title", "*"));
	assert_false(core_link_matches(&l, bytes_of_str("rt")));
	assert_false(core_link_matches(&l, bytes_of(NULL, 0)));
	assert_true(first_link("<>;brski-jp=1", &l));
	assert_true(MATCHES("brski-jp", "*"));
	assert_false(MATCHES("rt", "*"));
}

/* req: X-06 X-07 J-11 */
static void core_link_authority__registrars__are_told_apart(void **state)
{
	char host[CORE_LINK_HOST_MAX];
	struct core_link l;
	uint16_t port;

	assert_true(first_link("<jpy://[2001:db8::1]:7634>;rt=brski.rjp", &l));
	assert_true(core_link_authority(&l, "jpy", host, &port));
	assert_string_equal(host, "2001:db8::1");
	assert_int_equal(port, 7634);
	assert_false(core_link_authority(&l, "coaps", host, &port));
	assert_true(first_link("<coaps://[fe80::1]/b>;rt=brski", &l));
	assert_true(core_link_authority(&l, "coaps", host, &port));
	assert_string_equal(host, "fe80::1");
	assert_int_equal(port, 0);
	assert_true(first_link("<COAPS://192.0.2.1:5694>;rt=brski", &l));
	assert_true(core_link_authority(&l, "coaps", host, &port));
	assert_string_equal(host, "192.0.2.1");
	assert_int_equal(port, 5694);
}

static void core_link_authority__no_good_one__is_refused(void **state)
{
	static const char *const bad[] = {"<>", "</b>", "<jpy:x>", "<jpy://>", "<jpy://:5>",
		"<jpy://[]:5>", "<jpy://[::1>", "<jpy://[::1]5>", "<jpy://a:>", "<jpy://a:0>",
		"<jpy://a:65536>", "<jpy://u@a:5>", "<jpy://[::1]:5x>", "<jpys://a:5>",
		"<jpy://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:5>"};
	char host[CORE_LINK_HOST_MAX];
	struct core_link l;
	uint16_t port;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(first_link(bad[i], &l));
		if (core_link_authority(&l, "jpy", host, &port))
			fail_msg("taken: %s", bad[i]);
	}
}

/* req: X-02 X-10 */
static void core_link_put__then_read__is_the_same(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(1000);
	struct core_link port = {.target = bytes_of("", 0), .brski_jp = bytes_of_str("57101")};
	struct core_link base = {.target = bytes_of_str("/b"),
		.rt = bytes_of_str("brski"),
		.ct = bytes_of_str("62 281")};
	struct err e = ERR_INIT;

	assert_true(core_link_put(&port, &out, &e));
	assert_string_equal(buf_str(&out), "<>;brski-jp=57101");
	assert_true(core_link_put(&base, &out, &e));
	assert_string_equal(buf_str(&out), "<>;brski-jp=57101,</b>;rt=brski;ct=\"62 281\"");
	assert_int_equal(count_links(buf_str(&out)), 2);
	base.rt = bytes_of_str("a\"b");
	assert_false(core_link_put(&base, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
	base.target = bytes_of_str("a>b");
	assert_false(core_link_put(&base, &out, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(core_link_next__join_port_bare_or_quoted__is_read),
		cmocka_unit_test(core_link_next__several_links_and_unknown_attributes__are_read),
		cmocka_unit_test(core_link_join_port__no_port__is_refused),
		cmocka_unit_test(core_link_next__what_is_no_link__is_refused),
		cmocka_unit_test(core_link_next__attribute_twice__the_first_counts),
		cmocka_unit_test(core_link_matches__words_and_patterns__match_as_the_text_says),
		cmocka_unit_test(core_link_authority__registrars__are_told_apart),
		cmocka_unit_test(core_link_authority__no_good_one__is_refused),
		cmocka_unit_test(core_link_put__then_read__is_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
