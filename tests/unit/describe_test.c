/* SPDX-License-Identifier: Apache-2.0 */
/* What a request tells about its device: taken when it is plain, left out when it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "registrar/describe.h"

/* an attribute of one type and one octet of text */
#define RDN(type, tag, c) 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, type, tag, 0x01, c
#define RDN_LEN		  12
#define CN		  0x03
#define OU		  0x0b
#define TITLE		  0x0c
#define UTF8		  0x0c
#define BMP		  0x1e

#define MODEL_OF(...)                                                                              \
	model_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static const char *model_of(const uint8_t *rdns, size_t len)
{
	static char out[MODEL_MAX + 1];
	uint8_t name[2 + 8 * RDN_LEN] = {0x30, (uint8_t)len};

	memcpy(name + 2, rdns, len);
	describe_model(bytes_of(name, len + 2), out);
	return out;
}

static void describe_model__one_unit_or_title__is_the_model(void **state)
{
	assert_string_equal(MODEL_OF(RDN(CN, UTF8, 'c'), RDN(OU, UTF8, 'g')), "g");
	assert_string_equal(MODEL_OF(RDN(TITLE, UTF8, 't'), RDN(CN, UTF8, 'c')), "t");
	assert_string_equal(MODEL_OF(RDN(TITLE, UTF8, 't'), RDN(OU, UTF8, 'g')), "g");
}

static void describe_model__none_or_doubtful__is_left_out(void **state)
{
	char out[MODEL_MAX + 1] = "before";
	const uint8_t cut[] = {0x30, RDN_LEN, 0x31, 0x0a, 0x30};

	assert_string_equal(MODEL_OF(RDN(CN, UTF8, 'c')), "");
	assert_string_equal(MODEL_OF(RDN(OU, UTF8, 'a'), RDN(OU, UTF8, 'b')), "");
	assert_string_equal(MODEL_OF(RDN(OU, BMP, 'a')), "");
	assert_string_equal(MODEL_OF(RDN(OU, UTF8, '\n')), "");
	describe_model(bytes_of(cut, sizeof(cut)), out);
	assert_string_equal(out, "");
}

static void describe_host__each_form_of_peer__is_its_host(void **state)
{
	static const char *const table[][2] = {
		{"192.0.2.1:40000", "192.0.2.1"},
		{"[2001:db8::1]:40000", "2001:db8::1"},
		{"unix:uid=0", "unix:uid=0"},
		{"", ""},
	};
	char out[CALL_PEER_MAX];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		describe_host(table[i][0], out);
		assert_string_equal(out, table[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describe_model__one_unit_or_title__is_the_model),
		cmocka_unit_test(describe_model__none_or_doubtful__is_left_out),
		cmocka_unit_test(describe_host__each_form_of_peer__is_its_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
