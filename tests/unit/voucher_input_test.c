/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is taken for, by its first octets. */
#include "voucher/input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DER_OCTETS "\x30\x03\x02\x01\x07"
#define DER_BASE64 "MAMCAQc="

static void assert_is_cms(struct bytes text)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(INPUT_MAX);
	const struct voucher_format *format = NULL;
	if (!input_decode(text, &out, &format, &e))
		fail_msg("%s", e.text);
	assert_string_equal(format->name, "cms");
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(DER_OCTETS, 5)));
}

static void assert_refused(struct bytes text, enum err_kind kind, const char *reason)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(INPUT_MAX);
	const struct voucher_format *format = NULL;
	assert_false(input_decode(text, &out, &format, &e));
	if (e.kind != kind || !strstr(e.text, reason))
		fail_msg("\"%s\" is not \"%s\"", e.text, reason);
}

static void input_decode__der_base64_and_pem__give_the_same_octets(void **state)
{
	assert_is_cms(bytes_of(DER_OCTETS, 5));
	assert_is_cms(bytes_of_str(DER_BASE64));
	assert_is_cms(bytes_of_str("\r\n MAMC\r\nAQc=\r\n"));
	assert_is_cms(bytes_of_str("-----BEGIN CMS-----\n" DER_BASE64 "\n-----END CMS-----\n"));
	assert_is_cms(bytes_of_str("-----BEGIN PKCS7-----\r\nMAMC\r\nAQc=\r\n-----END PKCS7-----"));
}

static void input_decode__pem_that_is_no_cms_or_damaged__is_refused(void **state)
{
	assert_refused(
		bytes_of_str("-----BEGIN CERTIFICATE-----\nMAMCAQc=\n-----END CERTIFICATE-----"),
		ERR_INPUT, "a CERTIFICATE, not a CMS");
	assert_refused(bytes_of_str("-----BEGIN CMS-----\nMAMCAQc=\n"), ERR_INPUT, "END line");
	assert_refused(bytes_of_str("-----BEGIN CMS-----"), ERR_INPUT, "END line");
	assert_refused(bytes_of_str("-----BEGIN CMS\nMAMCAQc=\n-----END CMS-----"), ERR_INPUT,
		"first line");
	assert_refused(bytes_of_str("-----BEGIN -----"), ERR_INPUT, "not a CMS");
	assert_refused(bytes_of_str("-----BEGIN ----"), ERR_INPUT, "first line");
	assert_refused(bytes_of_str("-----BEGIN CMS-----\nMA%C\n-----END CMS-----"), ERR_INPUT,
		"PEM: base64");
	assert_refused(bytes_of_str("-----BEGIN CMS-----\nMAMCAQc=\n-----END CMS-----\nx"),
		ERR_INPUT, "after the END line");
}

static void input_decode__formats_of_later_builds__are_recognised(void **state)
{
	assert_refused(bytes_of_str("{\"payload\":\"\",\"signatures\":[]}"), ERR_UNSUPPORTED_TYPE,
		"jws: format not supported by this build");
	assert_refused(
		bytes_of_str("eyJhbGciOiJFUzI1NiJ9.e30.AA"), ERR_UNSUPPORTED_TYPE, "compact");
}

static void input_decode__cose_binary_hexadecimal_and_base64__give_the_same_octets(void **state)
{
	struct bytes whole = bytes_of("\xd2\x84\x43\xa1\x01\x26", 6);
	struct bytes forms[] = {whole, bytes_of_str("0oRDoQEm"), bytes_of_str("d28443A10126\n"),
		bytes_of_str(" d2 84 43\n a1 01 26")};
	for (size_t i = 0; i < 4; i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO out = BUF_INIT(INPUT_MAX);
		const struct voucher_format *format = NULL;
		if (!input_decode(forms[i], &out, &format, &e))
			fail_msg("%s", e.text);
		assert_string_equal(format->name, "cose");
		assert_true(bytes_equal(buf_bytes(&out), whole));
	}
	assert_refused(bytes_of_str("d28"), ERR_INPUT, "neither");
	assert_refused(bytes_of_str("0102"), ERR_INPUT, "hexadecimal of something");
	assert_refused(bytes_of("\xa1\x19\x09\x93\xa0", 5), ERR_INPUT, "nobody signed");
}

static void input_decode__json_without_signature__says_so(void **state)
{
	assert_refused(bytes_of_str("{\"ietf-voucher:voucher\":{}}"), ERR_INPUT, "nobody signed");
	assert_refused(bytes_of_str("{\"a\":1}"), ERR_INPUT, "no voucher");
	assert_refused(bytes_of_str("{"), ERR_INPUT, "JSON");
}

static void input_decode__anything_else__is_refused(void **state)
{
	assert_refused(bytes_of("", 0), ERR_INPUT, "empty");
	assert_refused(bytes_of_str(" \n\t"), ERR_INPUT, "empty");
	assert_refused(bytes_of_str("A==="), ERR_INPUT, "neither DER, PEM");
	assert_refused(bytes_of_str("hello, world"), ERR_INPUT, "neither DER, PEM");
	assert_refused(bytes_of_str("AAAA"), ERR_INPUT, "no signed voucher");
	assert_refused(bytes_of_str("===="), ERR_INPUT, "neither");
}

static void input_load__no_such_file__is_an_io_error(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(INPUT_MAX);
	struct cert_list CERT_LIST_AUTO certs = CERT_LIST_INIT;
	const struct voucher_format *format = NULL;
	assert_false(input_load("/nonexistent/voucher", &out, &format, &e));
	assert_int_equal(e.kind, ERR_IO);
	assert_false(input_load_certs("/nonexistent/cert", &certs, &e));
	assert_int_equal(e.kind, ERR_IO);
}

static void input_load__endless_file__is_too_large(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(INPUT_MAX);
	const struct voucher_format *format = NULL;
	assert_false(input_load("/dev/zero", &out, &format, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_decode__der_base64_and_pem__give_the_same_octets),
		cmocka_unit_test(input_decode__pem_that_is_no_cms_or_damaged__is_refused),
		cmocka_unit_test(input_decode__formats_of_later_builds__are_recognised),
		cmocka_unit_test(
			input_decode__cose_binary_hexadecimal_and_base64__give_the_same_octets),
		cmocka_unit_test(input_decode__json_without_signature__says_so),
		cmocka_unit_test(input_decode__anything_else__is_refused),
		cmocka_unit_test(input_load__no_such_file__is_an_io_error),
		cmocka_unit_test(input_load__endless_file__is_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
