/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects of EST bodies: what is read, what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "registrar/est_body.h"

/* SEQUENCE { INTEGER 1, OCTET STRING of 40 } and the same in base64 */
static const uint8_t der[47] = {0x30, 0x2d, 0x02, 0x01, 0x01, 0x04, 0x28, 'x'};
#define B64 "MC0CAQEEKHgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static const struct {
	const char *body;
	enum est_wrapping wrapping;
} good[] = {
	{B64, EST_UNWRAPPED},
	{B64 "\n", EST_UNWRAPPED},
	{B64 "\r\n\r\n", EST_UNWRAPPED},
	{"MC0CAQEEKHgAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", EST_WRAPPED},
	{"MC0CAQEEKHgAAAAAAAAAAAAAAAAAAAAA\r\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", EST_WRAPPED},
	{"-----BEGIN CERTIFICATE REQUEST-----\n" B64 "\n-----END CERTIFICATE REQUEST-----\n",
		EST_WRAPPED},
	{"\r\n" B64, EST_UNWRAPPED},
};

static void est_body_read__every_dialect__gives_the_same_der(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		BUF_AUTO struct buf out = BUF_INIT(1024);
		enum est_wrapping wrapping;
		struct err e = ERR_INIT;

		if (!est_body_read(bytes_of_str(good[i].body), &out, &wrapping, &e))
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(wrapping, good[i].wrapping);
		assert_true(bytes_equal(buf_bytes(&out), bytes_of(der, sizeof(der))));
	}
}

static void est_body_read__der_itself__is_taken_as_it_is(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(1024);
	enum est_wrapping wrapping;
	struct err e = ERR_INIT;

	assert_true(est_body_read(bytes_of(der, sizeof(der)), &out, &wrapping, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(der, sizeof(der))));
	assert_int_equal(wrapping, EST_UNWRAPPED);
}

static const char *const bad[] = {"", " \r\n", "@@@@", "A===", "MC0C*QEE", "MC0CAQE",
	"-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN CERTIFICATE REQUEST-----\nMC0C\n"};

static void est_body_read__what_is_no_dialect__is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		BUF_AUTO struct buf out = BUF_INIT(1024);
		enum est_wrapping wrapping;
		struct err e = ERR_INIT;

		if (est_body_read(bytes_of_str(bad[i]), &out, &wrapping, &e))
			fail_msg("row %zu was read", i);
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void est_body_write__wrapped_and_not__breaks_lines_for_one_only(void **state)
{
	BUF_AUTO struct buf one = BUF_INIT(1024), lines = BUF_INIT(1024);
	uint8_t many[100] = {0x30};
	struct err e = ERR_INIT;

	assert_true(est_body_write(bytes_of(many, sizeof(many)), EST_UNWRAPPED, &one, &e));
	assert_true(est_body_write(bytes_of(many, sizeof(many)), EST_WRAPPED, &lines, &e));
	assert_null(strchr(buf_str(&one), '\n'));
	assert_ptr_equal(strchr(buf_str(&lines), '\n'), buf_str(&lines) + EST_LINE_LEN);
}

static void est_body_read_der__der_and_nothing_else__is_taken(void **state)
{
	/* req: C-05 */
	BUF_AUTO struct buf out = BUF_INIT(1024);
	struct err e = ERR_INIT;

	assert_true(est_body_read_der(bytes_of(der, sizeof(der)), &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(der, sizeof(der))));
	assert_false(est_body_read_der(bytes_of_str(B64), &out, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_false(est_body_read_der(bytes_of_str(""), &out, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void est_body_write__binary__is_what_it_was(void **state)
{
	/* req: C-05 */
	BUF_AUTO struct buf out = BUF_INIT(1024);
	struct err e = ERR_INIT;

	assert_true(est_body_write(bytes_of(der, sizeof(der)), EST_BINARY, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(der, sizeof(der))));
}

static void est_wrapping_for__libest_and_others__differs(void **state)
{
	assert_int_equal(est_wrapping_for("libest 3.2.0"), EST_WRAPPED);
	assert_int_equal(est_wrapping_for("curl/7.88.1"), EST_UNWRAPPED);
	assert_int_equal(est_wrapping_for(NULL), EST_UNWRAPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(est_body_read__every_dialect__gives_the_same_der),
		cmocka_unit_test(est_body_read__der_itself__is_taken_as_it_is),
		cmocka_unit_test(est_body_read__what_is_no_dialect__is_refused),
		cmocka_unit_test(est_body_write__wrapped_and_not__breaks_lines_for_one_only),
		cmocka_unit_test(est_body_read_der__der_and_nothing_else__is_taken),
		cmocka_unit_test(est_body_write__binary__is_what_it_was),
		cmocka_unit_test(est_wrapping_for__libest_and_others__differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
