/* SPDX-License-Identifier: Apache-2.0 */
/* A call on its own, carried by the test: header fields, exchange id, replies, deadlines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/call_impl.h"
#include "common/net/http_date.h"

struct carried {
	struct loop *loop;
	struct peer_ref *peer;
	struct call_list list;
	struct log log;
	int answers, status;
	bool close;
	char body[200], retry_after[20], content_type[60], location[60];
};

static void keep(char *to, size_t room, const struct call *c, const char *name)
{
	const char *value = http_fields_get(&c->reply.headers, name);

	strncpy(to, value ? value : "", room - 1);
}

static void on_answer(void *arg, struct call *c)
{
	struct carried *t = arg;

	t->answers++;
	t->status = c->reply.status;
	t->close = c->reply.close;
	strncpy(t->body, buf_str(&c->reply.body), sizeof(t->body) - 1);
	keep(t->retry_after, sizeof(t->retry_after), c, "Retry-After");
	keep(t->content_type, sizeof(t->content_type), c, "Content-Type");
	keep(t->location, sizeof(t->location), c, "Location");
}

static const struct call_carrier carrier = {on_answer};

static int set_up(void **state)
{
	struct err e = ERR_INIT;
	struct carried *t = calloc(1, sizeof(*t));

	t->log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = -1};
	t->loop = loop_new(&e);
	t->peer = peer_ref_new(&e);
	*state = t;
	return !t->loop || !t->peer;
}

static int tear_down(void **state)
{
	struct carried *t = *state;

	call_list_free(&t->list);
	peer_ref_drop(t->peer);
	loop_free(t->loop);
	free(t);
	return 0;
}

static struct call *new_call(struct carried *t)
{
	const struct call_setup setup = {t->loop, &t->log, &t->list, t->peer, &carrier, t, 1, 4096};
	struct err e = ERR_INIT;
	struct call *c = call_new(&setup, &e);

	assert_non_null(c);
	return c;
}

static void add(struct call *c, const char *name, const char *value)
{
	struct err e = ERR_INIT;

	assert_true(http_fields_add(&c->headers, bytes_of_str(name), bytes_of_str(value), &e));
}

static struct call *begun(struct carried *t, const char *name, const char *value)
{
	struct err e = ERR_INIT;
	struct call *c = new_call(t);

	if (name)
		add(c, name, value);
	assert_true(call_begin(c, "GET", "/path?a=1?b", &e));
	return c;
}

static void request__parts__are_what_came(void **state)
{
	struct call *c = begun(*state, "X-Thing", "value");

	assert_string_equal(call_method(c), "GET");
	assert_string_equal(call_path(c), "/path");
	assert_string_equal(call_query(c), "a=1?b");
	assert_string_equal(call_header(c, "x-THING"), "value");
	assert_null(call_header(c, "X-Thin"));
	assert_int_equal(call_body(c).len, 0);
	call_free(c);
}

static void exchange__valid_is_adopted__others_are_replaced(void **state)
{
	static const char *const bad[] = {"", "1234567", "123456789012345678901234567890123",
		"12345678 ", "1234\"5678", "12345678=x"};
	struct call *c = begun(*state, "x-request-id", "abc-DEF-123");

	assert_string_equal(call_exchange(c), "abc-DEF-123");
	call_free(c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		c = begun(*state, "X-Request-Id", bad[i]);
		assert_string_not_equal(call_exchange(c), bad[i]);
		assert_int_equal(strlen(call_exchange(c)), 16);
		call_free(c);
	}
}

static void accept__in_several_fields__is_one_list(void **state)
{
	struct err e = ERR_INIT;
	struct call *c = new_call(*state);

	add(c, "Accept", "a/b");
	add(c, "X", "y");
	add(c, "accept", "c/d;q=0.1");
	add(c, "ACCEPT", "*/*");
	assert_true(call_begin(c, "GET", "/", &e));
	assert_string_equal(call_header(c, "Accept"), "a/b, c/d;q=0.1, */*");
	call_free(c);
}

static void cookies__in_several_fields__are_one_field(void **state)
{
	struct err e = ERR_INIT;
	struct call *c = new_call(*state);

	add(c, "cookie", "a=1");
	add(c, "cookie", "b=2; c=3");
	assert_true(call_begin(c, "GET", "/", &e));
	assert_string_equal(call_header(c, "Cookie"), "a=1; b=2; c=3");
	call_free(c);
}

static void field__that_must_be_single_twice__is_refused(void **state)
{
	static const char *const names[] = {
		"Host", "Content-Type", "Authorization", "X-Request-Id"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct err e = ERR_INIT;
		struct call *c = new_call(*state);

		add(c, names[i], "same");
		add(c, names[i], "same");
		assert_false(call_begin(c, "GET", "/", &e));
		assert_int_equal(e.kind, ERR_INPUT);
		call_free(c);
	}
}

static void fields__beyond_the_limit__are_refused(void **state)
{
	struct err e = ERR_INIT;
	struct call *c = new_call(*state);
	char big[9000];

	memset(big, 'a', sizeof(big));
	assert_false(
		http_fields_add(&c->headers, bytes_of_str("X"), bytes_of(big, sizeof(big)), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		add(c, "X", "y");
	assert_false(http_fields_add(&c->headers, bytes_of_str("X"), bytes_of_str("y"), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	call_free(c);
}

static void reply_header__with_a_line_break__is_dropped(void **state)
{
	struct carried *t = *state;
	struct call *c = begun(t, NULL, NULL);

	call_set_header(c, "Location", "/a\r\nSet-Cookie: b");
	call_reply(c, 200, "text/plain", bytes_of_str("x"));
	assert_string_equal(t->location, "");
	c = begun(t, NULL, NULL);
	call_set_header(c, "Location", "/first");
	call_set_header(c, "location", "/second");
	call_reply(c, 200, "text/plain", bytes_of_str("x"));
	assert_string_equal(t->location, "/second");
}

/* req: R8995-MASA-005 */
static void reply_err__every_kind__is_plain_text_with_a_reason(void **state)
{
	struct carried *t = *state;

	for (int k = ERR_INPUT; k < ERR_KIND_COUNT; k++) {
		struct err e = ERR_INIT;

		err_set(&e, (enum err_kind)k, "/etc/secret");
		call_reply_err(begun(t, NULL, NULL), &t->log, "test", &e);
		assert_in_range(t->status, 400, 599);
		assert_string_equal(t->content_type, "text/plain; charset=utf-8");
		assert_string_not_equal(t->body, "");
		assert_null(strstr(t->body, "secret"));
		assert_int_equal(t->close, k == ERR_PROXIMITY);
		assert_int_equal(t->status == 503, t->retry_after[0] != '\0');
	}
}

static void reply_err__sentence_chosen__is_what_the_peer_reads(void **state)
{
	struct carried *t = *state;
	struct err e = ERR_INIT;

	err_set(&e, ERR_REFUSED, "reason for the log");
	err_tell(&e, "Sentence for the peer.");
	call_reply_err(begun(t, NULL, NULL), &t->log, "test", &e);
	assert_int_equal(t->status, 403);
	assert_string_equal(t->body, "Sentence for the peer.");
}

static void stop(void *loop)
{
	loop_stop(loop);
}

struct told {
	int times, status;
	char body[200];
};

static void on_told(void *arg, int status, const char *content_type, struct bytes body)
{
	struct told *told = arg;

	told->times++;
	told->status = status;
	snprintf(told->body, sizeof(told->body), "%.*s", (int)body.len, (const char *)body.data);
}

static void on_answer__handlers_end__is_told_once(void **state)
{
	struct carried *t = *state;
	struct told told = {0};
	struct err e = ERR_INIT;
	struct call *c = begun(t, NULL, NULL);

	call_on_answer(c, on_told, &told);
	err_set(&e, ERR_CONFLICT, "x");
	err_tell(&e, "No.");
	call_reply_err(c, &t->log, "test", &e);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.status, 409);
	assert_string_equal(told.body, "No.");
	c = begun(t, NULL, NULL);
	call_on_answer(c, on_told, &told);
	call_free(c);
	assert_int_equal(told.times, 2);
	assert_int_equal(told.status, 0);
}

static void reply_err__where_problems_are_wanted__has_code_and_exchange(void **state)
{
	struct carried *t = *state;
	struct err e = ERR_INIT;
	struct call *c = begun(t, "X-Request-Id", "abc-DEF-123");

	c->problems = true;
	err_set(&e, ERR_CONFLICT, "for the log");
	err_tell(&e, "It is \"gone\".");
	err_code(&e, "count-changed");
	call_reply_err(c, &t->log, "test", &e);
	assert_string_equal(t->content_type, "application/problem+json");
	assert_string_equal(t->body,
		"{\"type\":\"about:blank\",\"title\":\"Conflict\",\"status\":409,"
		"\"detail\":\"It is \\\"gone\\\".\",\"code\":\"count-changed\","
		"\"exchange\":\"abc-DEF-123\"}");
	c = begun(t, NULL, NULL);
	c->problems = true;
	call_reply(c, 404, NULL, bytes_of(NULL, 0));
	assert_non_null(strstr(t->body, "\"code\":\"not-found\""));
}

static void deadline__passes__answers_503_once_and_drops_the_late_answer(void **state)
{
	struct carried *t = *state;
	struct err e = ERR_INIT;
	struct loop_timer end;
	struct call *c = begun(t, NULL, NULL);
	struct told told = {0};

	call_on_answer(c, on_told, &told);
	call_start_clock(c);
	assert_true(loop_timer_init(&end, t->loop, stop, t->loop, &e));
	loop_timer_arm(&end, 50);
	loop_run(t->loop);
	loop_timer_clear(&end);
	assert_int_equal(t->answers, 1);
	assert_int_equal(t->status, 503);
	assert_int_equal(told.times, 0);
	call_reply(c, 200, "text/plain", bytes_of_str("late"));
	assert_int_equal(t->answers, 1);
	assert_null(t->list.first);
	assert_int_equal(told.times, 1);
	assert_int_equal(told.status, 200);
	assert_string_equal(told.body, "late");
}

/* How many requests got a line in the log, of so many in a moment. */
static size_t logged_of(struct carried *t, int count, bool known)
{
	char path[] = "/tmp/call_test.XXXXXX", text[65536];
	struct err e = ERR_INIT;
	size_t lines = 0;
	ssize_t n;

	t->log.level = LOG_LEVEL_INFO;
	t->log.fd = mkstemp(path);
	t->log.limits = log_limits_new(&e);
	snprintf(t->peer->peer.address, CALL_PEER_MAX, "192.0.2.1:9");
	for (int i = 0; i < count; i++) {
		struct call *c = new_call(t);

		assert_true(call_begin(c, "GET", "/", &e));
		if (known)
			call_sender_is_known(c);
		call_reply(c, 200, "text/plain", bytes_of_str("x"));
	}
	n = pread(t->log.fd, text, sizeof(text), 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	log_end(&t->log);
	close(t->log.fd);
	unlink(path);
	return lines;
}

static void log__requests_of_strangers__are_bounded_those_of_others_are_not(void **state)
{
	assert_in_range(logged_of(*state, 300, false), LOG_LIMIT_PER_SOURCE, 299);
	assert_int_equal(logged_of(*state, 300, true), 300);
}

static void detached__answer__reaches_nobody(void **state)
{
	struct carried *t = *state;
	struct call *c = begun(t, NULL, NULL);

	call_detach(c);
	call_reply(c, 200, "text/plain", bytes_of_str("x"));
	assert_int_equal(t->answers, 0);
	assert_null(t->list.first);
}

static void date__is_imf_fixdate(void **state)
{
	char date[HTTP_DATE_LEN + 1];

	http_date_format(784111777, date);
	assert_string_equal(date, "Sun, 06 Nov 1994 08:49:37 GMT");
	http_date_format(0, date);
	assert_string_equal(date, "Thu, 01 Jan 1970 00:00:00 GMT");
	http_date_format(INT64_MAX, date);
	assert_string_equal(date, "");
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(request__parts__are_what_came),
		test(exchange__valid_is_adopted__others_are_replaced),
		test(accept__in_several_fields__is_one_list),
		test(cookies__in_several_fields__are_one_field),
		test(field__that_must_be_single_twice__is_refused),
		test(fields__beyond_the_limit__are_refused),
		test(reply_header__with_a_line_break__is_dropped),
		test(reply_err__every_kind__is_plain_text_with_a_reason),
		test(reply_err__sentence_chosen__is_what_the_peer_reads),
		test(on_answer__handlers_end__is_told_once),
		test(reply_err__where_problems_are_wanted__has_code_and_exchange),
		test(deadline__passes__answers_503_once_and_drops_the_late_answer),
		test(detached__answer__reaches_nobody),
		test(log__requests_of_strangers__are_bounded_those_of_others_are_not),
		cmocka_unit_test(date__is_imf_fixdate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
