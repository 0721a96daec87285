/* SPDX-License-Identifier: Apache-2.0 */
/* The strict JSON reader: what Jansson would let through by default must not pass. */
#include "common/wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/json_plain.h"

static void assert_refused(struct bytes text, const char *reason)
{
	struct err e = ERR_INIT;
	assert_null(json_parse_object(text, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, reason));
}

static void json_parse_object__escaped_slash_and_space_around__are_accepted(void **state)
{
	struct err e = ERR_INIT;
	const char *value = NULL;
	json_t *JSON_AUTO o = json_parse_object(bytes_of_str(" {\"a\":\"x\\/y\"}\r\n"), &e);
	assert_non_null(o);
	assert_true(json_get_string(o, "a", &value, &e));
	assert_string_equal(value, "x/y");
}

static void json_parse_object__not_one_object__is_refused(void **state)
{
	assert_refused(bytes_of("", 0), "empty");
	assert_refused(bytes_of_str("[]"), "not an object");
	assert_refused(bytes_of_str("1"), "JSON");
	assert_refused(bytes_of_str("{\"a\":1}x"), "end of file expected");
	assert_refused(bytes_of_str("{\"a\":1}{}"), "end of file expected");
	assert_refused(bytes_of_str("{\"a\":"), "JSON");
	assert_refused(bytes_of_str("A==="), "JSON");
	assert_refused(bytes_of("{}\0", 3), "JSON");
}

static void json_parse_object__same_member_twice__is_refused(void **state)
{
	assert_refused(bytes_of_str("{\"a\":1,\"a\":2}"), "duplicate");
	assert_refused(bytes_of_str("{\"o\":{\"a\":1,\"\\u0061\":2}}"), "duplicate");
}

static void json_parse_object__nul_control_or_bad_utf8_in_a_string__is_refused(void **state)
{
	assert_refused(bytes_of_str("{\"a\":\"x\\u0000y\"}"), "NUL");
	assert_refused(bytes_of_str("{\"a\":\"x\ny\"}"), "JSON");
	assert_refused(bytes_of_str("{\"a\":\"\xff\xfe\"}"), "unable to decode");
}

/* {"a":[[[…]]]} with `levels` brackets in all. */
static bool parses_with_depth(unsigned levels)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO b = BUF_INIT(1000000);
	assert_true(buf_append_str(&b, "{\"a\":", &e));
	for (unsigned i = 1; i < levels; i++)
		assert_true(buf_append_str(&b, "[", &e));
	for (unsigned i = 1; i < levels; i++)
		assert_true(buf_append_str(&b, "]", &e));
	assert_true(buf_append_str(&b, "}", &e));
	json_t *JSON_AUTO o = json_parse_object(buf_bytes(&b), &e);
	return o != NULL;
}

static void json_parse_object__one_level_too_deep__is_refused(void **state)
{
	assert_true(parses_with_depth(JSON_DEPTH_MAX));
	assert_false(parses_with_depth(JSON_DEPTH_MAX + 1));
	assert_false(parses_with_depth(100000));
}

static void json_parse_object__brackets_inside_strings__do_not_count(void **state)
{
	struct err e = ERR_INIT;
	json_t *JSON_AUTO o = json_parse_object(
		bytes_of_str("{\"a\":\"[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[\\\\\",\"b\":{}}"), &e);
	assert_non_null(o);
	assert_int_equal(json_object_size(o), 2);
}

static void json_parse_plain__what_it_takes_is_what_jansson_reads(void **state)
{
	static const char *const texts[] = {"{}", " { } ", "{\"a\":{}}", "\"text\"", "null",
		"{\"ietf-voucher:voucher\":{\"nonce\":\"YWJj\",\"serial-number\":\"JADA 1~\"}}",
		"\r\n{\t\"a\" : true ,\"b\":false,\"\" :null, \"c\":\"\"}\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *JSON_AUTO plain = json_parse_plain(bytes_of_str(texts[i]));
		json_t *JSON_AUTO reference =
			json_loads(texts[i], JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

		assert_non_null(plain);
		assert_true(json_equal(plain, reference));
	}
}

/* Wherever it stands, and whatever stands around it, for octets are looked at in groups. */
static void json_parse_plain__each_octet_anywhere_in_a_string__is_judged_alike(void **state)
{
	for (unsigned octet = 0; octet < 256; octet++)
		for (size_t at = 1; at < 20; at++) {
			bool plain = octet >= ' ' && octet <= '~' && octet != '"' && octet != '\\';
			char text[] = "\"~ ![]#~ ![]#~ ![]#~ !\"", back[32];
			BUF_AUTO struct buf out = BUF_INIT(100);

			text[at] = (char)octet;
			memcpy(back, text, sizeof(text));
			json_t *JSON_AUTO value = json_parse_plain(bytes_of_str(text));
			json_t *JSON_AUTO whole = json_stringn_nocheck(back + 1, sizeof(text) - 3);
			assert_int_equal(octet && value, plain);
			assert_int_equal(json_format_plain(whole, &out), plain);
			assert_true(!plain || strcmp(buf_str(&out), text) == 0);
		}
}

static void json_parse_plain__anything_else__is_left_to_jansson(void **state)
{
	static const char *const texts[] = {"", " ", "{", "{\"a\":\"b\"", "{\"a\":\"b}", "{\"a\"}",
		"{\"a\":}", "{\"a\":true,}", "{,}", "{}}", "{}x", "{a:true}", "{\"a\":1}",
		"{\"a\":[]}", "{\"a\":\"\\u0061\"}", "{\"a\":\"\\/\"}", "{\"a\":\"\n\"}",
		"{\"a\":\"\x7f\"}", "{\"a\":\"\xc3\xa4\"}", "{\"a\":true,\"a\":true}",
		"{\"a\":tru}", "{\"a\":truefalse}",
		"\"\x7f"
		"false",
		"{\"a\":\"\x7f"
		"true}",
		"{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(json_parse_plain(bytes_of_str(texts[i])));
	assert_null(json_parse_plain(bytes_of("{\"a\":\"b\0\"}", 10)));
	assert_null(json_parse_plain(bytes_of("{}", 1)));
}

static void json_format_plain__is_what_jansson_writes_or_nothing(void **state)
{
	static const char *const texts[] = {"{\"a\":{\"b\":\"c d~\",\"e\":false}}", "{\"\":true}",
		"{\"a\":\"\"}", "{\"z\":\"1\",\"a\":\"/\"}", "{}", "{\"a\":{}}", "{\"a\":[]}",
		"{\"a\":1}", "{\"a\":null}", "{\"a\":\"\\n\"}", "{\"a\":\"\\\"\"}",
		"{\"\\\\\":\"a\"}", "{\"a\":\"\xc3\xa4\"}", "{\"a\":\"\x7f\"}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		BUF_AUTO struct buf out = BUF_INIT(100), none = BUF_INIT(3);
		json_t *JSON_AUTO value = json_loads(texts[i], 0, NULL);
		char *reference = json_dumps(value, JSON_COMPACT);

		assert_int_equal(json_format_plain(value, &out), i < 4);
		assert_string_equal(buf_str(&out), i < 4 ? reference : "");
		assert_false(json_format_plain(value, &none));
		assert_int_equal(none.len, 0);
		free(reference);
	}
}

static void json_get_string__absent_is_null_and_another_type_is_refused(void **state)
{
	struct err e = ERR_INIT;
	const char *value = "x";
	json_t *JSON_AUTO o = json_parse_object(bytes_of_str("{\"n\":1}"), &e);
	assert_true(json_get_string(o, "absent", &value, &e));
	assert_null(value);
	assert_false(json_get_string(o, "n", &value, &e));
	assert_non_null(strstr(e.text, "n is not a string"));
}

static void json_format__members__keep_their_order_without_blanks(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(64);
	json_t *JSON_AUTO o =
		json_parse_object(bytes_of_str("{ \"z\" : 1 , \"a\" : [ true ] }"), &e);
	assert_true(json_format(o, &out, &e));
	assert_string_equal(buf_str(&out), "{\"z\":1,\"a\":[true]}");
}

static void json_format__beyond_the_maximum__leaves_the_buffer_as_it_was(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(5);
	json_t *JSON_AUTO o = json_parse_object(bytes_of_str("{\"z\":1,\"a\":2}"), &e);
	assert_false(json_format(o, &out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_parse_object__escaped_slash_and_space_around__are_accepted),
		cmocka_unit_test(json_parse_object__not_one_object__is_refused),
		cmocka_unit_test(json_parse_object__same_member_twice__is_refused),
		cmocka_unit_test(
			json_parse_object__nul_control_or_bad_utf8_in_a_string__is_refused),
		cmocka_unit_test(json_parse_object__one_level_too_deep__is_refused),
		cmocka_unit_test(json_parse_object__brackets_inside_strings__do_not_count),
		cmocka_unit_test(json_parse_plain__what_it_takes_is_what_jansson_reads),
		cmocka_unit_test(
			json_parse_plain__each_octet_anywhere_in_a_string__is_judged_alike),
		cmocka_unit_test(json_parse_plain__anything_else__is_left_to_jansson),
		cmocka_unit_test(json_format_plain__is_what_jansson_writes_or_nothing),
		cmocka_unit_test(json_get_string__absent_is_null_and_another_type_is_refused),
		cmocka_unit_test(json_format__members__keep_their_order_without_blanks),
		cmocka_unit_test(json_format__beyond_the_maximum__leaves_the_buffer_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
