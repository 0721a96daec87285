/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Formats and codes between CoAP's numbers and HTTP's names. */
#include "common/wire/coap_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/coap_message.h"

/* req: C-06, C-07, C-08, C-29, R-01 */
static void coap_format_number__media_type_of_each__is_the_number_again(void **state)
{
	static const struct {
		uint32_t number;
		const char *type;
	} known[] = {
		{0, "text/plain; charset=utf-8"},
		{18, "application/cose; cose-type=\"cose-sign1\""},
		{40, "application/link-format"},
		{50, "application/json"},
		{60, "application/cbor"},
		{62, "application/multipart-core"},
		{280, "application/pkcs7-mime; smime-type=server-generated-key"},
		{281, "application/pkcs7-mime; smime-type=certs-only"},
		{284, "application/pkcs8"},
		{285, "application/csrattrs"},
		{286, "application/pkcs10"},
		{287, "application/pkix-cert"},
		{836, "application/voucher+cose"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		assert_string_equal(coap_format_media_type(known[i].number), known[i].type);
		assert_int_equal(coap_format_number(known[i].type), known[i].number);
	}
}

static void coap_format_number__other_spellings__are_understood(void **state)
{
	assert_int_equal(coap_format_number("application/pkcs7-mime"), 281);
	assert_int_equal(
		coap_format_number("Application/PKCS7-mime ;smime-type=\"Certs-Only\""), 281);
	assert_int_equal(
		coap_format_number("application/pkcs7-mime; a=b; smime-type=server-generated-key"),
		280);
	assert_int_equal(coap_format_number("application/cose"), 18);
	assert_int_equal(coap_format_number("application/voucher-cose+cbor"), 836);
	assert_int_equal(coap_format_number("text/plain"), 0);
}

static void coap_format_number__what_has_no_number__is_none(void **state)
{
	assert_int_equal(coap_format_number(NULL), COAP_FORMAT_NONE);
	assert_int_equal(coap_format_number(""), COAP_FORMAT_NONE);
	assert_int_equal(coap_format_number("application/voucher-cms+json"), COAP_FORMAT_NONE);
	assert_int_equal(coap_format_number("application/pkcs7-mime; smime-type=CMC-request"),
		COAP_FORMAT_NONE);
	assert_int_equal(
		coap_format_number("application/pkcs7-mime; smime-type=certs"), COAP_FORMAT_NONE);
	assert_null(coap_format_media_type(282));
	assert_null(coap_format_media_type(COAP_FORMAT_NONE));
}

/* req: C-11, R-08 */
static void coap_code_from_status__each_status__has_its_code(void **state)
{
	static const struct {
		int status;
		uint8_t get, post;
	} map[] = {
		{200, COAP_CONTENT, COAP_CHANGED},
		{204, COAP_CONTENT, COAP_CHANGED},
		{202, COAP_UNAVAILABLE, COAP_UNAVAILABLE},
		{304, COAP_VALID, COAP_VALID},
		{400, COAP_BAD_REQUEST, COAP_BAD_REQUEST},
		{401, COAP_UNAUTHORIZED, COAP_UNAUTHORIZED},
		{403, COAP_FORBIDDEN, COAP_FORBIDDEN},
		{404, COAP_NOT_FOUND, COAP_NOT_FOUND},
		{405, COAP_NOT_ALLOWED, COAP_NOT_ALLOWED},
		{406, COAP_NOT_ACCEPTABLE, COAP_NOT_ACCEPTABLE},
		{413, COAP_TOO_LARGE, COAP_TOO_LARGE},
		{415, COAP_UNSUPPORTED_FORMAT, COAP_UNSUPPORTED_FORMAT},
		{418, COAP_BAD_REQUEST, COAP_BAD_REQUEST},
		{500, COAP_INTERNAL, COAP_INTERNAL},
		{502, COAP_BAD_GATEWAY, COAP_BAD_GATEWAY},
		{503, COAP_UNAVAILABLE, COAP_UNAVAILABLE},
		{504, COAP_GATEWAY_TIMEOUT, COAP_GATEWAY_TIMEOUT},
		{999, COAP_INTERNAL, COAP_INTERNAL},
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++) {
		assert_int_equal(coap_code_from_status(map[i].status, true), map[i].get);
		assert_int_equal(coap_code_from_status(map[i].status, false), map[i].post);
	}
}

/* req: C-17, C-18 */
static void coap_code_to_status__unavailable_with_a_time__is_202(void **state)
{
	assert_int_equal(coap_code_to_status(COAP_UNAVAILABLE, true), 202);
	assert_int_equal(coap_code_to_status(COAP_UNAVAILABLE, false), 503);
	assert_int_equal(coap_code_to_status(COAP_CONTENT, true), 200);
}

static void coap_code_to_status__codes__become_what_they_came_from(void **state)
{
	static const int statuses[] = {201, 304, 400, 401, 403, 404, 405, 406, 409, 413, 415, 429,
		500, 501, 502, 503, 504};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		assert_int_equal(
			coap_code_to_status(coap_code_from_status(statuses[i], false), false),
			statuses[i]);
	assert_int_equal(coap_code_to_status(COAP_CHANGED, false), 200);
	assert_int_equal(coap_code_to_status(COAP_CODE(2, 2), false), 200);
	assert_int_equal(coap_code_to_status(COAP_BAD_OPTION, false), 400);
	assert_int_equal(coap_code_to_status(COAP_CODE(5, 8), false), 500);
	assert_int_equal(coap_code_to_status(COAP_CODE(3, 0), false), 500);
}

static void coap_code_text__codes__are_written_with_a_dot(void **state)
{
	char text[5];

	assert_string_equal(coap_code_text(COAP_NOT_FOUND, text), "4.04");
	assert_string_equal(coap_code_text(COAP_CONTINUE, text), "2.31");
	assert_string_equal(coap_code_text(0xff, text), "7.31");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coap_format_number__media_type_of_each__is_the_number_again),
		cmocka_unit_test(coap_format_number__other_spellings__are_understood),
		cmocka_unit_test(coap_format_number__what_has_no_number__is_none),
		cmocka_unit_test(coap_code_from_status__each_status__has_its_code),
		cmocka_unit_test(coap_code_to_status__unavailable_with_a_time__is_202),
		cmocka_unit_test(coap_code_to_status__codes__become_what_they_came_from),
		cmocka_unit_test(coap_code_text__codes__are_written_with_a_dot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
