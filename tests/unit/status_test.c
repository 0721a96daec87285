/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds to status codes and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/net/status.h"

static void status_of__every_kind__has_a_status_with_a_reason(void **state)
{
	(void)state;
	for (int k = ERR_NONE; k < ERR_KIND_COUNT; k++) {
		assert_in_range(status_of((enum err_kind)k), 200, 504);
		assert_string_not_equal(status_reason(status_of((enum err_kind)k)), "Status");
	}
}

static void status_of__kinds_of_the_matrix__give_its_codes(void **state)
{
	static const struct {
		enum err_kind kind;
		int status;
	} rows[] = {
		{ERR_INPUT, 400},
		{ERR_PROXIMITY, 401},
		{ERR_LOGIN, 401},
		{ERR_NOT_ALLOWED, 403},
		{ERR_TOO_MANY, 429},
		{ERR_UNAUTHENTICATED, 403},
		{ERR_REFUSED, 403},
		{ERR_UNWANTED, 404},
		{ERR_UNKNOWN_DEVICE, 404},
		{ERR_HISTORY, 406},
		{ERR_NOT_ACCEPTABLE, 406},
		{ERR_UNSUPPORTED_TYPE, 415},
		{ERR_TOO_LARGE, 413},
		{ERR_PEER, 502},
		{ERR_PEER_LOGIN, 401},
		{ERR_RETRY_LATER, 503},
		{ERR_PEER_TIMEOUT, 504},
		{ERR_STORE, 503},
		{ERR_NO_MEMORY, 503},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(status_of(rows[i].kind), rows[i].status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_of__every_kind__has_a_status_with_a_reason),
		cmocka_unit_test(status_of__kinds_of_the_matrix__give_its_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
