/* SPDX-License-Identifier: Apache-2.0 */
/* What counts as an answer to a question about a device. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "registrar/notify/ask_answer.h"
#include "registrar/notify/hook_send.h"

#define NOW 1700000000

static void ask_answer_parse__an_answer__is_read(void **state)
{
	ASK_ANSWER_AUTO struct ask_answer a;
	struct err e = ERR_INIT;

	assert_true(ask_answer_parse(
		bytes_of_str("{\"id\":\"q1\",\"decision\":\"approve\",\"reason\":\"order 7\","
			     "\"site\":\"/eu/dock\",\"labels\":{\"rack\":\"4\"},\"more\":[1]}"),
		"q1", &a, &e));
	assert_int_equal(a.decision, ASK_APPROVE);
	assert_string_equal(a.reason, "order 7");
	assert_string_equal(a.site, "/eu/dock");
	assert_string_equal(buf_str(&a.labels), "{\"rack\":\"4\"}");
}

static void ask_answer_parse__whatever_else__is_refused_and_holds(void **state)
{
	static const char *const refused[] = {
		"",
		"approve",
		"[]",
		"{}",
		"{\"id\":\"q1\"}",
		"{\"decision\":\"approve\"}",
		"{\"id\":\"q2\",\"decision\":\"approve\"}",
		"{\"id\":1,\"decision\":\"approve\"}",
		"{\"id\":\"q1\",\"decision\":\"Approve\"}",
		"{\"id\":\"q1\",\"decision\":true}",
		"{\"id\":\"q1\",\"decision\":\"approve\",\"reason\":7}",
		"{\"id\":\"q1\",\"decision\":\"approve\",\"site\":\"dock\"}",
		"{\"id\":\"q1\",\"decision\":\"approve\",\"labels\":[]}",
		"{\"id\":\"q1\",\"decision\":\"approve\",\"labels\":{\"a\":1}}",
		"{\"id\":\"q1\",\"decision\":\"hold\",\"decision\":\"approve\"}",
		"{\"id\":\"q1\",\"decision\":\"approve\"} x",
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		ASK_ANSWER_AUTO struct ask_answer a;
		struct err e = ERR_INIT;

		if (ask_answer_parse(bytes_of_str(refused[i]), "q1", &a, &e) ||
			a.decision != ASK_HOLD || e.kind != ERR_PEER)
			fail_msg("row %zu", i);
	}
}

static void ask_answer_verify__only_the_signature_of_now__is_good(void **state)
{
	const struct bytes body = bytes_of_str("{}"), other = bytes_of_str("{ }");
	char signature[HOOK_SIGNATURE_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(hook_sign("secret", NOW, body, signature, &e));
	assert_true(ask_answer_verify(body, "1700000000", signature, "secret", NOW, &e));
	assert_true(
		ask_answer_verify(body, "1700000000", signature, "secret", NOW + ASK_CLOCKS_S, &e));
	assert_false(ask_answer_verify(
		body, "1700000000", signature, "secret", NOW + ASK_CLOCKS_S + 1, &e));
	assert_false(ask_answer_verify(
		body, "1700000000", signature, "secret", NOW - ASK_CLOCKS_S - 1, &e));
	assert_false(ask_answer_verify(other, "1700000000", signature, "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "1700000001", signature, "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "1700000000", signature, "Secret", NOW, &e));
	assert_false(ask_answer_verify(body, NULL, signature, "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "1700000000", NULL, "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "1700000000", "", "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "-1", signature, "secret", NOW, &e));
	assert_false(ask_answer_verify(body, "99999999999999999999", signature, "secret", NOW, &e));
	signature[HOOK_SIGNATURE_LEN - 1] = '\0';
	assert_false(ask_answer_verify(body, "1700000000", signature, "secret", NOW, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ask_answer_parse__an_answer__is_read),
		cmocka_unit_test(ask_answer_parse__whatever_else__is_refused_and_holds),
		cmocka_unit_test(ask_answer_verify__only_the_signature_of_now__is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
