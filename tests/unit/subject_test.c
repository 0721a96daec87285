/* SPDX-License-Identifier: Apache-2.0 */
/* Whose name goes into an LDevID. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "registrar/subject.h"

/* CN=a */
#define CN 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x01, 'a'
/* serialNumber=c, of a string type */
#define SN(tag, c) 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x05, tag, 0x01, c
#define RDN_LEN	   12

#define PRINTABLE 0x13
#define UTF8	  0x0c
#define BMP	  0x1e

static void gives(
	const uint8_t *name, size_t len, const char *serial, const uint8_t *want, size_t want_len)
{
	BUF_AUTO struct buf out = BUF_INIT(SUBJECT_DER_MAX);
	struct err e = ERR_INIT;

	if (!subject_for_device(bytes_of(name, len), serial, &out, &e))
		fail_msg("%s", e.text);
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(want, want_len)));
}

static void refuses(const uint8_t *name, size_t len, const char *serial, enum err_kind kind)
{
	BUF_AUTO struct buf out = BUF_INIT(SUBJECT_DER_MAX);
	struct err e = ERR_INIT;

	assert_false(subject_for_device(bytes_of(name, len), serial, &out, &e));
	assert_int_equal(e.kind, kind);
}

static void subject_for_device__its_own_serial__is_kept_as_it_is(void **state)
{
	const uint8_t name[] = {0x30, 2 * RDN_LEN, CN, SN(PRINTABLE, '1')};
	const uint8_t utf8[] = {0x30, RDN_LEN, SN(UTF8, '1')};

	gives(name, sizeof(name), "1", name, sizeof(name));
	gives(utf8, sizeof(utf8), "1", utf8, sizeof(utf8));
}

static void subject_for_device__no_serial__gets_the_devices(void **state)
{
	const uint8_t name[] = {0x30, RDN_LEN, CN}, empty[] = {0x30, 0};
	const uint8_t want[] = {0x30, 2 * RDN_LEN, CN, SN(PRINTABLE, '1')};
	const uint8_t alone[] = {0x30, RDN_LEN, SN(PRINTABLE, '1')};
	const uint8_t star[] = {0x30, RDN_LEN, SN(UTF8, '*')};

	gives(name, sizeof(name), "1", want, sizeof(want));
	gives(empty, sizeof(empty), "1", alone, sizeof(alone));
	gives(empty, sizeof(empty), "*", star, sizeof(star));
}

static void subject_for_device__another_devices_serial__is_refused(void **state)
{
	const uint8_t name[] = {0x30, RDN_LEN, SN(PRINTABLE, '2')};

	refuses(name, sizeof(name), "1", ERR_REFUSED);
	refuses(name, sizeof(name), "22", ERR_REFUSED);
}

static void subject_for_device__a_second_serial_of_another_device__is_refused(void **state)
{
	const uint8_t second[] = {0x30, 2 * RDN_LEN, SN(PRINTABLE, '1'), SN(PRINTABLE, '2')};
	/* both in one RDN */
	const uint8_t multi[] = {0x30, 22, 0x31, 20, 0x30, 8, 6, 3, 0x55, 4, 5, PRINTABLE, 1, '1',
		0x30, 8, 6, 3, 0x55, 4, 5, PRINTABLE, 1, '2'};

	refuses(second, sizeof(second), "1", ERR_REFUSED);
	refuses(multi, sizeof(multi), "1", ERR_REFUSED);
}

static void subject_for_device__a_serial_in_a_type_that_is_no_text__is_refused(void **state)
{
	const uint8_t name[] = {0x30, RDN_LEN, SN(BMP, '1')};

	refuses(name, sizeof(name), "1", ERR_REFUSED);
}

static void subject_for_device__what_is_no_name__is_refused(void **state)
{
	const uint8_t trailing[] = {0x30, 0, 0}, flat[] = {0x30, 3, 0x02, 1, 1};

	refuses(trailing, sizeof(trailing), "1", ERR_INPUT);
	refuses(flat, sizeof(flat), "1", ERR_INPUT);
	refuses(flat, 0, "1", ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subject_for_device__its_own_serial__is_kept_as_it_is),
		cmocka_unit_test(subject_for_device__no_serial__gets_the_devices),
		cmocka_unit_test(subject_for_device__another_devices_serial__is_refused),
		cmocka_unit_test(subject_for_device__a_second_serial_of_another_device__is_refused),
		cmocka_unit_test(
			subject_for_device__a_serial_in_a_type_that_is_no_text__is_refused),
		cmocka_unit_test(subject_for_device__what_is_no_name__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
