/* SPDX-License-Identifier: Apache-2.0 */
/* brski-certs inside: its command line and the file names it makes of serials. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "certs/devices.h"
#include "certs/options.h"

#define PARSE(o, e, ...)                                                                           \
	options_parse((int)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)) + 1,           \
		(char *[]){program_name, __VA_ARGS__, NULL}, o, e)

static char program_name[] = "brski-certs";

static void options_parse__everything_given__is_taken(void **state)
{
	char word[] = "idevid", out[] = "--out=dir", ca[] = "--ca", dir[] = "maker";
	char url[] = "--masa-url", host[] = "m.example", serial[] = "--serial", sn[] = "--x";
	char type[] = "--key-type", rsa[] = "rsa-3072";
	struct err e = ERR_INIT;
	struct options o;

	assert_true(PARSE(&o, &e, word, out, ca, dir, url, host, serial, sn, type, rsa));
	assert_int_equal(o.command, COMMAND_IDEVID);
	assert_string_equal(o.out, "dir");
	assert_string_equal(o.ca, "maker");
	assert_string_equal(o.masa_url, "m.example");
	assert_string_equal(o.serial, "--x");
	assert_int_equal(o.key_type, KEY_RSA_3072);
	assert_null(o.csv);
}

static void options_parse__defaults__are_those_of_the_command(void **state)
{
	char maker[] = "manufacturer", site[] = "domain", out[] = "--out=d", days[] = "--days=7";
	struct err e = ERR_INIT;
	struct options o;

	assert_true(PARSE(&o, &e, maker, out));
	assert_int_equal(o.days, DAYS_FOREVER);
	assert_int_equal(o.key_type, KEY_EC_P256);
	assert_string_equal(o.san, DEFAULT_SAN);
	assert_true(PARSE(&o, &e, site, out));
	assert_int_equal(o.days, 3650);
	assert_true(PARSE(&o, &e, site, out, days));
	assert_int_equal(o.days, 7);
}

static void options_parse__what_is_wrong__is_said(void **state)
{
	char maker[] = "manufacturer", out[] = "--out", empty[] = "--out=", days[] = "--days=36501";
	char both[] = "--out=d", near[] = "--outs=d", bare[] = "x";
	struct err e = ERR_INIT;
	struct options o;

	assert_false(PARSE(&o, &e, maker, out));
	assert_non_null(strstr(e.text, "wants a value"));
	assert_false(PARSE(&o, &e, maker, empty));
	assert_false(PARSE(&o, &e, maker, both, days));
	assert_non_null(strstr(e.text, "--days"));
	assert_false(PARSE(&o, &e, maker, near));
	assert_non_null(strstr(e.text, "unknown option"));
	assert_false(PARSE(&o, &e, maker, both, bare));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void devices_file_stem__hostile_serial__stays_in_its_directory(void **state)
{
	static const char *const cases[][2] = {
		{"SN-1", "SN-1"},
		{"a.b_c", "a.b_c"},
		{"../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"},
		{".hidden", "%2Ehidden"},
		{"-rf", "%2Drf"},
		{"a b:c", "a%20b%3Ac"},
		{"100%", "100%25"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		char *stem = devices_file_stem(cases[i][0], &e);

		assert_string_equal(stem, cases[i][1]);
		free(stem);
	}
}

static void devices_file_stem__very_long__is_refused(void **state)
{
	struct err e = ERR_INIT;
	char serial[400];

	memset(serial, '/', sizeof(serial) - 1);
	serial[sizeof(serial) - 1] = '\0';
	assert_null(devices_file_stem(serial, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_parse__everything_given__is_taken),
		cmocka_unit_test(options_parse__defaults__are_those_of_the_command),
		cmocka_unit_test(options_parse__what_is_wrong__is_said),
		cmocka_unit_test(devices_file_stem__hostile_serial__stays_in_its_directory),
		cmocka_unit_test(devices_file_stem__very_long__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
