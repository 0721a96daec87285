/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 answers: each framing, and each way to write one that is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/http1_reply.h"

#define BODY_MAX 16

/* Feed all at once, then octet by octet: both must agree. Returns the octets taken, -1 on error. */
static int read_all(struct http1_reply *r, const char *text, size_t len, bool end, struct err *e)
{
	size_t used = 0, total = 0;
	struct http1_reply again;
	bool ok, ok_again = true;

	http1_reply_init(r, BODY_MAX);
	ok = http1_reply_feed(r, bytes_of(text, len), &used, e) && (!end || http1_reply_end(r, e));
	http1_reply_init(&again, BODY_MAX);
	for (size_t i = 0; i < len && ok_again; i++) {
		size_t one;

		ok_again = http1_reply_feed(&again, bytes_of(text + i, 1), &one, e);
		total += one;
	}
	if (ok_again && end)
		ok_again = http1_reply_end(&again, e);
	assert_int_equal(ok, ok_again);
	if (ok) {
		assert_int_equal(again.state, r->state);
		assert_int_equal(total, used);
	}
	http1_reply_clear(&again);
	return ok ? (int)used : -1;
}

static void expect(const char *text, bool end, int status, const char *body, bool keep_alive)
{
	struct err e = ERR_INIT;
	struct http1_reply r;

	assert_int_equal(read_all(&r, text, strlen(text), end, &e), strlen(text));
	assert_int_equal(r.state, HTTP1_REPLY_DONE);
	assert_int_equal(r.status, status);
	assert_string_equal(buf_str(&r.body), body);
	assert_int_equal(r.keep_alive, keep_alive);
	http1_reply_clear(&r);
}

static void expect_bad(const char *text, bool end)
{
	struct err e = ERR_INIT;
	struct http1_reply r;

	assert_int_equal(read_all(&r, text, strlen(text), end, &e), -1);
	assert_int_equal(e.kind, ERR_PEER);
	http1_reply_clear(&r);
}

static void http1_reply__sized_body__is_read(void **state)
{
	expect("HTTP/1.1 200 OK\r\ncontent-LENGTH: 5\r\n\r\nhello", false, 200, "hello", true);
}

static void http1_reply__empty_reason_and_no_body__is_read(void **state)
{
	expect("HTTP/1.1 404 \r\nContent-Length:0\r\n\r\n", false, 404, "", true);
	expect("HTTP/1.1 204\r\n\r\n", false, 204, "", true);
}

static void http1_reply__chunked_body__is_read(void **state)
{
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
	       "3\r\nhel\r\nC;x=y\r\nlo, world, a\r\n0\r\nTrailer: x\r\n\r\n",
		false, 200, "hello, world, a", true);
	expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, 200, "",
		true);
}

static void http1_reply__body_until_the_end__is_read(void **state)
{
	expect("HTTP/1.1 200 OK\r\n\r\nhello", true, 200, "hello", false);
	expect("HTTP/1.0 200 OK\r\n\r\n", true, 200, "", false);
}

static void http1_reply__connection_close__is_noticed(void **state)
{
	expect("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", false, 200,
		"x", false);
}

static void http1_reply__interim_answers__are_skipped(void **state)
{
	expect("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
	       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
		false, 200, "x", true);
}

static void http1_reply__headers_we_use__are_kept(void **state)
{
	static const char text[] = "HTTP/1.1 202 Accepted\r\nRETRY-after: \t10 \r\nLocation: /a\r\n"
				   "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\n"
				   "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
	struct err e = ERR_INIT;
	struct http1_reply r;

	assert_int_equal(read_all(&r, text, strlen(text), false, &e), strlen(text));
	assert_string_equal(r.retry_after, "10");
	assert_string_equal(r.location, "/a");
	assert_string_equal(r.date, "Sat, 21 Nov 2026 10:00:00 GMT");
	assert_string_equal(r.content_type, "text/plain");
	http1_reply_clear(&r);
}

static void http1_reply__octets_after_the_answer__are_left(void **state)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n";
	struct err e = ERR_INIT;
	struct http1_reply r;

	assert_int_equal(read_all(&r, text, strlen(text), false, &e), strlen(text) - 17);
	http1_reply_clear(&r);
}

static void http1_reply__malformed_head__is_refused(void **state)
{
	static const char *const bad[] = {
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.2 200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\nx",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_bad(bad[i], false);
}

static void http1_reply__doubtful_framing__is_refused(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nx",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_bad(bad[i], false);
}

static void http1_reply__malformed_chunk__is_refused(void **state)
{
	static const char *const bad[] = {
		"\r\nx",
		"g\r\nx",
		"123456789\r\nx",
		"1\r\nxy",
		"1\r\nx\ry",
		"-1\r\n",
		"1\rX\r\n",
		"1\nx",
	};
	char text[128];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(text, sizeof(text),
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s%s", bad[i],
			"\r\n\r\n");
		expect_bad(text, false);
	}
}

static void http1_reply__body_over_the_limit__is_refused_in_each_framing(void **state)
{
	expect_bad("HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n", false);
	expect_bad("HTTP/1.1 200 OK\r\n\r\n01234567890123456", false);
	expect_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		   "10\r\n0123456789012345\r\n1\r\n6\r\n0\r\n\r\n",
		false);
}

static void http1_reply__connection_ends_early__is_refused(void **state)
{
	expect_bad("", true);
	expect_bad("HTTP/1.1 200 OK\r\n", true);
	expect_bad("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx", true);
	expect_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", true);
}

static void http1_reply__endless_parts__are_refused(void **state)
{
	static char text[HTTP1_REPLY_HEAD_MAX + 200];
	struct err e = ERR_INIT;
	struct http1_reply r;
	size_t len;

	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX: ");
	memset(text + len, 'x', sizeof(text) - len - 1);
	expect_bad(text, false);
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	memset(text + len, 'x', HTTP1_REPLY_LINE_MAX);
	text[len + HTTP1_REPLY_LINE_MAX] = '\0';
	expect_bad(text, false);
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	while (len < sizeof(text) - 7)
		len += (size_t)sprintf(text + len, "T: x\r\n");
	expect_bad(text, false);
	len = 0;
	for (unsigned i = 0; i <= HTTP1_INTERIM_MAX; i++)
		len += (size_t)sprintf(text + len, "HTTP/1.1 100 C\r\n\r\n");
	expect_bad(text, false);
	assert_int_equal(read_all(&r, "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n", 25, false, &e), -1);
	http1_reply_clear(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http1_reply__sized_body__is_read),
		cmocka_unit_test(http1_reply__empty_reason_and_no_body__is_read),
		cmocka_unit_test(http1_reply__chunked_body__is_read),
		cmocka_unit_test(http1_reply__body_until_the_end__is_read),
		cmocka_unit_test(http1_reply__connection_close__is_noticed),
		cmocka_unit_test(http1_reply__interim_answers__are_skipped),
		cmocka_unit_test(http1_reply__headers_we_use__are_kept),
		cmocka_unit_test(http1_reply__octets_after_the_answer__are_left),
		cmocka_unit_test(http1_reply__malformed_head__is_refused),
		cmocka_unit_test(http1_reply__doubtful_framing__is_refused),
		cmocka_unit_test(http1_reply__malformed_chunk__is_refused),
		cmocka_unit_test(http1_reply__body_over_the_limit__is_refused_in_each_framing),
		cmocka_unit_test(http1_reply__connection_ends_early__is_refused),
		cmocka_unit_test(http1_reply__endless_parts__are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
