/* SPDX-License-Identifier: Apache-2.0 */
/* URIs decide where we connect: whatever two parsers could read differently must be refused. */
#include "common/wire/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void assert_reads(const char *text, const char *host, uint16_t port, const char *path)
{
	struct err e = ERR_INIT;
	struct uri u;
	assert_true(uri_parse(text, &u, &e));
	assert_string_equal(u.host, host);
	assert_int_equal(u.port, port);
	assert_string_equal(u.path, path);
}

static void uri_parse__the_forms_of_brski__are_read(void **state)
{
	assert_reads("https://masa.example.com", "masa.example.com", 443, "");
	assert_reads("HTTPS://masa.example.com:8443/.well-known/brski", "masa.example.com", 8443,
		"/.well-known/brski");
	assert_reads("https://192.0.2.1:9443/", "192.0.2.1", 9443, "/");
	assert_reads("https://[2001:db8::1]/x?y=1&z=%20", "2001:db8::1", 443, "/x?y=1&z=%20");
	assert_reads("https://h?q", "h", 443, "/?q");
}

static void uri_parse__addresses__are_recognised(void **state)
{
	struct err e = ERR_INIT;
	struct uri u;
	assert_true(uri_parse("https://[::1]:1", &u, &e));
	assert_true(u.host_is_ip && u.host_is_ipv6);
	assert_true(uri_parse("https://127.0.0.1", &u, &e));
	assert_true(u.host_is_ip && !u.host_is_ipv6);
	assert_true(uri_parse("https://localhost", &u, &e));
	assert_false(u.host_is_ip);
}

static void uri_parse_web__http__is_read_and_written_with_its_own_port(void **state)
{
	static const char *const same[] = {"http://crl.example/x.crl", "http://crl.example:443/x",
		"http://[2001:db8::1]:8080/", "https://crl.example:80/x", "https://crl.example/x"};
	struct err e = ERR_INIT;
	struct uri u, secure;
	for (size_t i = 0; i < COUNT(same); i++) {
		BUF_AUTO struct buf text = BUF_INIT(200);
		assert_true(uri_parse_web(same[i], &u, &e));
		assert_true(uri_format(&u, &text, &e));
		assert_string_equal(buf_str(&text), same[i]);
	}
	assert_true(uri_parse_web("HTTP://h:443/", &u, &e));
	assert_int_equal(u.scheme, URI_HTTP);
	assert_true(uri_parse_web("https://h/", &secure, &e));
	assert_int_equal(secure.scheme, URI_HTTPS);
	assert_false(uri_same_origin(&u, &secure));
	assert_true(uri_parse_web("http://h", &u, &e));
	assert_int_equal(u.port, 80);
	assert_false(uri_parse_web("ftp://h/", &u, &e));
	assert_false(uri_parse_web("http://u@h/", &u, &e));
	assert_false(uri_parse_web("h:8080/", &u, &e));
	assert_non_null(strstr(e.text, "neither with http:// nor with https://"));
}

static void uri_parse_server__coaps__is_read_and_written_with_its_own_port(void **state)
{
	static const char *const same[] = {"coaps://h", "coaps://h:443/x", "https://h:5684",
		"https://h", "coaps://[2001:db8::1]", "coaps://[fe80::1%25eth0]:5000",
		"https://[fe80::1%25a-b.c]/x"};
	struct err e = ERR_INIT;
	struct uri u, other;
	for (size_t i = 0; i < COUNT(same); i++) {
		BUF_AUTO struct buf text = BUF_INIT(200);
		assert_true(uri_parse_server(same[i], &u, &e));
		assert_true(uri_format(&u, &text, &e));
		assert_string_equal(buf_str(&text), same[i]);
	}
	assert_true(uri_parse_server("CoAPs://h", &u, &e));
	assert_int_equal(u.scheme, URI_COAPS);
	assert_int_equal(u.port, 5684);
	assert_true(uri_parse_server("https://h:5684", &other, &e));
	assert_false(uri_same_origin(&u, &other));
	assert_true(uri_parse_server("coaps://[FE80::1%25eth0]", &u, &e));
	assert_string_equal(u.host, "FE80::1%eth0");
	assert_true(u.host_is_ipv6);
}

static void uri_parse_server__other_schemes_and_bad_zones__are_refused(void **state)
{
	static const char *const bad[] = {"coap://h", "http://h", "coaps:/h", "coaps", "",
		"coaps+tcp://h", "coaps://u@h", "coaps://h:0", "coaps://[fe80::1%eth0]",
		"coaps://[fe80::1%25]", "coaps://[fe80::1%25sixteen-letters-]",
		"coaps://[fe80::1%25e h]", "coaps://[fe80::1%25e%25]",
		"coaps://[2001:db8::1%25eth0]", "coaps://[fe80::1]:5684", "https://[fe80::1]",
		"coaps://[%25eth0]", "coaps://192.0.2.1%25eth0"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err e = ERR_INIT;
		struct uri u;
		assert_false(uri_parse_server(bad[i], &u, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
	struct err e = ERR_INIT;
	struct uri u;
	assert_false(uri_parse("coaps://h", &u, &e));
	assert_false(uri_parse_web("coaps://h", &u, &e));
}

static void uri_parse__what_must_not_be_connected_to__is_refused(void **state)
{
	const char *const bad[] = {"", "http://h/", "ftp://h/", "h", "//h/", "https:/h", "https://",
		"https:///x", "https://:443/", "https://u@h/", "https://u:p@h/", "https://h:0/",
		"https://h:65536/", "https://h:/", "https://h:1x/", "https://h:000443/",
		"https://h/#f", "https://h#f", "https://h/a b", "https://h/a\tb",
		"https://h/a\r\nX: y", "https://h\\@x/", "https://h/\\x", "https://h%2eexample/",
		"https://h\xc3\xa9/", "https://h/\xc3\xa9", "https://[::1", "https://[::1]x/",
		"https://[fe80::1%25eth0]/", "https://[h]/", "https://::1/", "https://127.1/",
		"https://2130706433/", "https://0x7f000001/", "https://a.0x1/", "https://.h/",
		"https://a..b/", "https://-h/", "https://h /"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err e = ERR_INIT;
		struct uri u;
		assert_false(uri_parse(bad[i], &u, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_int_equal(strncmp(e.text, "URI: ", 5), 0);
	}
}

static void uri_parse__host_and_path_at_their_limits__are_read_and_beyond_refused(void **state)
{
	struct err e = ERR_INIT;
	struct uri u;
	char text[1024];
	char run[601];
	memset(run, 'a', sizeof(run) - 1);
	run[600] = '\0';
	snprintf(text, sizeof(text), "https://%.*s/", URI_HOST_MAX, run);
	assert_true(uri_parse(text, &u, &e));
	snprintf(text, sizeof(text), "https://%.*s/", URI_HOST_MAX + 1, run);
	assert_false(uri_parse(text, &u, &e));
	snprintf(text, sizeof(text), "https://h/%.*s", URI_PATH_MAX - 1, run);
	assert_true(uri_parse(text, &u, &e));
	snprintf(text, sizeof(text), "https://h/%.*s", URI_PATH_MAX, run);
	assert_false(uri_parse(text, &u, &e));
	snprintf(text, sizeof(text), "https://h?%.*s", URI_PATH_MAX - 1, run);
	assert_false(uri_parse(text, &u, &e));
}

static void uri_parse_authority__host_and_port__are_read_and_a_path_is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct uri u;
	assert_true(uri_parse_authority("highway-test.example.com:9443", &u, &e));
	assert_string_equal(u.host, "highway-test.example.com");
	assert_int_equal(u.port, 9443);
	assert_string_equal(u.path, "");
	assert_true(uri_parse_authority("[::1]:8443", &u, &e));
	assert_true(u.host_is_ipv6);
	assert_false(uri_parse_authority("h/x", &u, &e));
	assert_false(uri_parse_authority("u@h", &u, &e));
	assert_false(uri_parse_authority("", &u, &e));
	assert_false(uri_parse_authority("2001:db8::1", &u, &e));
}

static void uri_resolve__absolute_path__keeps_the_origin(void **state)
{
	struct err e = ERR_INIT;
	struct uri base, u;
	assert_true(uri_parse("https://h:8443/a/b", &base, &e));
	assert_true(uri_resolve(&base, "/c?d", &u, &e));
	assert_true(uri_same_origin(&base, &u));
	assert_string_equal(u.path, "/c?d");
	assert_true(uri_resolve(&base, "https://other/", &u, &e));
	assert_false(uri_same_origin(&base, &u));
}

static void uri_resolve__relative_or_insecure_location__is_refused(void **state)
{
	const char *const bad[] = {"", "c", "//other/c", "http://h:8443/", "/c d", "javascript:x"};
	struct err e = ERR_INIT;
	struct uri base, u;
	assert_true(uri_parse("https://h:8443/a/b", &base, &e));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(uri_resolve(&base, bad[i], &u, &e));
}

static void uri_same_origin__case_of_the_host__does_not_matter(void **state)
{
	struct err e = ERR_INIT;
	struct uri a, b, c;
	assert_true(uri_parse("https://Example.com/x", &a, &e));
	assert_true(uri_parse("https://example.COM:443/y", &b, &e));
	assert_true(uri_parse("https://example.com:444/x", &c, &e));
	assert_true(uri_same_origin(&a, &b));
	assert_false(uri_same_origin(&a, &c));
}

static void uri_format__what_was_parsed__comes_back(void **state)
{
	const char *const same[] = {"https://h", "https://h/", "https://h:8443/x?y",
		"https://[::1]:1/", "https://192.0.2.1"};
	for (size_t i = 0; i < COUNT(same); i++) {
		struct err e = ERR_INIT;
		struct uri u;
		struct buf BUF_AUTO out = BUF_INIT(1024);
		assert_true(uri_parse(same[i], &u, &e));
		assert_true(uri_format(&u, &out, &e));
		assert_string_equal(buf_str(&out), same[i]);
	}
}

static void uri_blame__an_ipv6_address__stands_in_brackets(void **state)
{
	struct err e = ERR_INIT;
	struct uri u;

	assert_true(uri_parse_server("coaps://[fe80::1%25eth0]", &u, &e));
	err_set(&e, ERR_PEER, "silent");
	assert_false(uri_blame(&u, &e));
	assert_string_equal(e.text, "coaps://[fe80::1%eth0]:5684: silent");
	assert_true(uri_parse("https://r.example", &u, &e));
	err_set(&e, ERR_PEER, "silent");
	assert_false(uri_blame(&u, &e));
	assert_string_equal(e.text, "https://r.example:443: silent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uri_parse__the_forms_of_brski__are_read),
		cmocka_unit_test(uri_parse__addresses__are_recognised),
		cmocka_unit_test(uri_parse_web__http__is_read_and_written_with_its_own_port),
		cmocka_unit_test(uri_parse__what_must_not_be_connected_to__is_refused),
		cmocka_unit_test(uri_parse_server__coaps__is_read_and_written_with_its_own_port),
		cmocka_unit_test(uri_parse_server__other_schemes_and_bad_zones__are_refused),
		cmocka_unit_test(
			uri_parse__host_and_path_at_their_limits__are_read_and_beyond_refused),
		cmocka_unit_test(
			uri_parse_authority__host_and_port__are_read_and_a_path_is_refused),
		cmocka_unit_test(uri_resolve__absolute_path__keeps_the_origin),
		cmocka_unit_test(uri_resolve__relative_or_insecure_location__is_refused),
		cmocka_unit_test(uri_same_origin__case_of_the_host__does_not_matter),
		cmocka_unit_test(uri_format__what_was_parsed__comes_back),
		cmocka_unit_test(uri_blame__an_ipv6_address__stands_in_brackets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
