/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR shown as JSON, and JSON written as CBOR. */
#include "common/wire/cbor_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OCTETS(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void assert_shows(struct bytes cbor, const char *json)
{
	struct buf BUF_AUTO text = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct cbor_reader r;
	assert_true(cbor_open(cbor, &r, &e));
	json_t *JSON_AUTO array = json_array();
	assert_int_equal(json_array_append_new(array, cbor_to_json(&r, &e)), 0);
	assert_true(cbor_at_end(&r));
	assert_true(json_format(array, &text, &e));
	assert_int_equal(text.len, strlen(json) + 2);
	assert_memory_equal(text.data + 1, json, strlen(json));
}

static void cbor_to_json__each_type__has_its_form(void **state)
{
	assert_shows(OCTETS(0x19, 0x09, 0x93), "2451");
	assert_shows(OCTETS(0x26), "-7");
	assert_shows(OCTETS(0x1b, 255, 255, 255, 255, 255, 255, 255, 255), "null");
	assert_shows(OCTETS(0x43, 1, 2, 3), "\"AQID\"");
	assert_shows(OCTETS(0x7f, 0x61, 'a', 0x61, 'b', 0xff), "\"ab\"");
	assert_shows(OCTETS(0x83, 0xf4, 0xf5, 0xf6), "[false,true,null]");
	assert_shows(OCTETS(0xd8, 0x2f, 0x00), "0");
	assert_shows(OCTETS(0xf7), "null");
	assert_shows(OCTETS(0xf9, 0x3c, 0x00), "null");
	assert_shows(OCTETS(0xa4, 0x61, 'a', 0x00, 0x07, 0x80, 0x20, 0xa0, 0x41, 1, 0x01),
		"{\"a\":0,\"7\":[],\"-1\":{},\"AQ==\":1}");
}

static void cbor_to_json__keys_that_read_the_same__are_refused(void **state)
{
	struct err e = ERR_INIT;
	struct cbor_reader r;
	assert_true(cbor_open(OCTETS(0xa2, 0x61, '0', 0x00, 0x00, 0x00), &r, &e));
	assert_null(cbor_to_json(&r, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, "read \"0\""));
	r.len = 0;
	assert_null(cbor_to_json(&r, &e));
}

static void json_to_cbor__each_type__comes_back(void **state)
{
	static const char json[] = "{\"a\":[1,-1,true,false,null,\"x\",{}],\"b\":9007199254740993}";
	struct buf BUF_AUTO cbor = BUF_INIT(1024);
	struct buf BUF_AUTO text = BUF_INIT(1024);
	struct err e = ERR_INIT;
	struct cbor_reader r;
	json_t *JSON_AUTO value = json_parse_object(bytes_of_str(json), &e);
	assert_true(json_to_cbor(value, &cbor, &e));
	assert_true(cbor_open(buf_bytes(&cbor), &r, &e));
	json_t *JSON_AUTO again = cbor_to_json(&r, &e);
	assert_true(json_format(again, &text, &e));
	assert_string_equal(buf_str(&text), json);
}

static void json_to_cbor__a_fraction__is_refused(void **state)
{
	struct buf BUF_AUTO cbor = BUF_INIT(1024);
	struct err e = ERR_INIT;
	json_t *JSON_AUTO value = json_parse_object(bytes_of_str("{\"a\":[1.5]}"), &e);
	assert_false(json_to_cbor(value, &cbor, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cbor_to_json__each_type__has_its_form),
		cmocka_unit_test(cbor_to_json__keys_that_read_the_same__are_refused),
		cmocka_unit_test(json_to_cbor__each_type__comes_back),
		cmocka_unit_test(json_to_cbor__a_fraction__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
