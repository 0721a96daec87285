/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 parser: a table of requests, each fed whole, in halves and one octet at a time; the
 * verdict must be the same every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/http1.h"

#define HEAD_MAX 512
#define BODY_MAX 32
#define H	 "Host: a\r\n"

struct row {
	const char *name;
	const char *in;
	int status;	  /* 0: good */
	const char *body; /* of a good one */
};

static const struct row rows[] = {
	{"plain GET", "GET / HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0, ""},
	{"HTTP/1.2 is spoken as 1.1", "GET / HTTP/1.2\r\n" H "\r\n", 0, ""},
	{"one CRLF before", "\r\nGET / HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"two CRLF before", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"three CRLF before", "\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"length", "POST /x HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello", 0, "hello"},
	{"length with zeros", "POST /x HTTP/1.1\r\n" H "Content-Length: 005\r\n\r\nhello", 0,
		"hello"},
	{"length 0", "POST /x HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", 0, ""},
	{"POST without length", "POST /x HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"chunks",
		"POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n",
		0, "abc0123456789"},
	{"Chunked in capitals",
		"POST /x HTTP/1.1\r\n" H "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 0, ""},
	{"chunk extension",
		"POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"3;a=\"b\"\r\nabc\r\n0\r\n\r\n",
		0, "abc"},
	{"trailer",
		"POST /x HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n",
		0, "abc"},
	{"white space round the value", "GET / HTTP/1.1\r\nHost: \t a \t\r\nX:\r\n\r\n", 0, ""},
	{"Latin-1 in a value", "GET / HTTP/1.1\r\n" H "X: \xe9\r\n\r\n", 0, ""},
	{"absolute target", "GET https://a:1/x HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 0, ""},
	{"body as large as allowed",
		"POST /x HTTP/1.1\r\n" H "Content-Length: 32\r\n\r\n"
		"01234567890123456789012345678901",
		0, "01234567890123456789012345678901"},

	{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, NULL},
	{"bare LF in the middle", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, NULL},
	{"bare CR", "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400, NULL},
	{"bare LF first", "\nGET / HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"CR CR LF first", "\r\rGET / HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"folded header", "GET / HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 400, NULL},
	{"folded first header", "GET / HTTP/1.1\r\n X: a\r\n" H "\r\n", 400, NULL},
	{"space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, NULL},
	{"no colon", "GET / HTTP/1.1\r\n" H "X\r\n\r\n", 400, NULL},
	{"empty name", "GET / HTTP/1.1\r\n" H ": a\r\n\r\n", 400, NULL},
	{"control character in a value", "GET / HTTP/1.1\r\n" H "X: a\001b\r\n\r\n", 400, NULL},
	{"delete in a value", "GET / HTTP/1.1\r\n" H "X: \x7f\r\n\r\n", 400, NULL},
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, NULL},
	{"two Hosts", "GET / HTTP/1.1\r\n" H "host: b\r\n\r\n", 400, NULL},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" H H "\r\n", 400, NULL},
	{"path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, NULL},
	{"list in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, NULL},
	{"two lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		400, NULL},
	{"list of lengths", "POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\na", 400, NULL},
	{"signed length", "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\na", 400, NULL},
	{"negative length", "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\na", 400, NULL},
	{"hexadecimal length", "POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\na", 400, NULL},
	{"empty length", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\na", 400, NULL},
	{"length beyond 64 bits",
		"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551617\r\n\r\na", 413, NULL},
	{"length and coding",
		"POST / HTTP/1.1\r\n" H "Content-Length: 1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400, NULL},
	{"two codings",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		400, NULL},
	{"chunked twice", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n",
		400, NULL},
	{"chunked not last", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n",
		400, NULL},
	{"another coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501,
		NULL},
	{"not quite chunked", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 400,
		NULL},
	{"identity", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400, NULL},
	{"empty coding", "POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", 400, NULL},
	{"coding in HTTP/1.0", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400,
		NULL},
	{"chunk size missing", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n\r\n",
		400, NULL},
	{"chunk size not hexadecimal",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400, NULL},
	{"space after the chunk size",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc", 400, NULL},
	{"chunk size 0x", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc",
		400, NULL},
	{"bare LF after the chunk size",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\nabc", 400, NULL},
	{"chunk longer than its size",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"3\r\nabcd\r\n0\r\n\r\n",
		400, NULL},
	{"chunk with many digits",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"000000000000003\r\n",
		413, NULL},
	{"huge chunk", "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
		413, NULL},
	{"chunks too large in sum",
		"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
		"10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n1\r\na\r\n0\r\n\r\n",
		413, NULL},
	{"body too large", "POST / HTTP/1.1\r\n" H "Content-Length: 33\r\n\r\n", 413, NULL},
	{"no version", "GET /\r\n\r\n", 400, NULL},
	{"garbage", "\x16\x03\x01\x02", 400, NULL},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, NULL},
	{"long version", "GET / HTTP/1.10\r\n" H "\r\n", 400, NULL},
	{"lower-case version", "GET / http/1.1\r\n" H "\r\n", 400, NULL},
	{"two spaces", "GET  / HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"space in the target", "GET /a b HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"fragment in the target", "GET /a#b HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"target above ASCII", "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"target without a slash", "GET x HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"CONNECT", "CONNECT a:1 HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"malformed method", "G@T / HTTP/1.1\r\n" H "\r\n", 400, NULL},
	{"long method", "ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n" H "\r\n", 501, NULL},
	{"expectation not known",
		"POST / HTTP/1.1\r\n" H "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n", 417, NULL},
};

#define ROWS (sizeof(rows) / sizeof(*rows))

/* Feed in pieces of `step` octets; the status, 0 for a complete request, -1 when more is needed. */
static int run(struct http1 *p, const char *in, size_t len, size_t step, struct err *e)
{
	int status = 0;
	size_t at = 0;

	while (at < len) {
		size_t n = len - at < step ? len - at : step;
		size_t used = 0;

		switch (http1_feed(p, bytes_of(in + at, n), &used, &status, e)) {
		case HTTP1_BAD:
			return status;
		case HTTP1_DONE:
			return 0;
		case HTTP1_HEADERS:
			http1_set_body_max(p, BODY_MAX);
			at += used;
			switch (http1_feed(p, bytes_of("", 0), &used, &status, e)) {
			case HTTP1_BAD:
				return status;
			case HTTP1_DONE:
				return 0;
			case HTTP1_NEED_MORE:
			case HTTP1_HEADERS:
				break;
			}
			break;
		case HTTP1_NEED_MORE:
			assert_int_equal(used, n);
			at += used;
			break;
		}
	}
	return -1;
}

static void check_row(const struct row *row, size_t step)
{
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	int status;

	assert_non_null(p);
	status = run(p, row->in, strlen(row->in), step, &e);
	if (status != row->status)
		fail_msg("%s, %zu at a time: %d instead of %d (%s)", row->name, step, status,
			row->status, e.text);
	if (status == 0) {
		assert_int_equal(http1_body(p).len, strlen(row->body));
		assert_memory_equal(http1_body(p).data ? http1_body(p).data : (const uint8_t *)"",
			row->body, strlen(row->body));
	} else {
		assert_string_not_equal(e.text, "");
		assert_int_not_equal(e.kind, ERR_NONE);
	}
	http1_free(p);
}

static void http1_feed__table__same_verdict_however_it_is_cut(void **state)
{
	static const size_t steps[] = {100000, 1, 2, 7};

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++)
			check_row(&rows[i], steps[s]);
}

static void http1_feed__good_request_cut_short__needs_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		size_t len = strlen(rows[i].in);

		for (size_t cut = 0; rows[i].status == 0 && cut < len; cut++) {
			struct err e = ERR_INIT;
			struct http1 *p = http1_new(HEAD_MAX, &e);

			assert_non_null(p);
			if (run(p, rows[i].in, cut, 100000, &e) != -1)
				fail_msg("%s, cut after %zu", rows[i].name, cut);
			http1_free(p);
		}
	}
}

static int status_of_text(const char *text, size_t step)
{
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	int status;

	assert_non_null(p);
	status = run(p, text, strlen(text), step, &e);
	http1_free(p);
	return status;
}

static void http1_feed__head_at_and_over_the_limit__is_431_or_414(void **state)
{
	static const char start[] = "GET / HTTP/1.1\r\n" H "X: ";
	char head[HEAD_MAX + 16];

	(void)state;
	for (size_t step = 1; step < 4096; step *= 16) {
		/* exactly as large as allowed */
		memset(head, 'a', sizeof(head));
		memcpy(head, start, sizeof(start) - 1);
		memcpy(head + HEAD_MAX - 4, "\r\n\r\n", 5);
		assert_int_equal(status_of_text(head, step), 0);
		/* one more */
		head[HEAD_MAX - 4] = 'a';
		memcpy(head + HEAD_MAX - 3, "\r\n\r\n", 5);
		assert_int_equal(status_of_text(head, step), 431);
		/* a request line that never ends */
		memset(head, 'a', sizeof(head) - 1);
		head[sizeof(head) - 1] = '\0';
		assert_int_equal(status_of_text(head, step), 414);
	}
}

static void http1_feed__too_many_fields__is_431(void **state)
{
	struct err e = ERR_INIT;
	struct buf text BUF_AUTO = BUF_INIT(10000);
	struct http1 *p = http1_new(10000, &e);

	(void)state;
	assert_non_null(p);
	assert_true(buf_append_str(&text, "GET / HTTP/1.1\r\n" H, &e));
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		assert_true(buf_append_str(&text, "A: b\r\n", &e));
	assert_true(buf_append_str(&text, "\r\n", &e));
	assert_int_equal(run(p, buf_str(&text), text.len, 100000, &e), 431);
	http1_free(p);
}

static void http1_feed__two_requests_in_one_piece__stops_between_them(void **state)
{
	static const char in[] = "POST /1 HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nab"
				 "\r\nGET /2?q HTTP/1.1\r\n" H "\r\n";
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	size_t used, at;
	int status;

	(void)state;
	assert_non_null(p);
	assert_int_equal(http1_feed(p, bytes_of_str(in), &used, &status, &e), HTTP1_HEADERS);
	assert_string_equal(http1_request(p)->target, "/1");
	http1_set_body_max(p, BODY_MAX);
	at = used;
	assert_int_equal(http1_feed(p, bytes_of_str(in + at), &used, &status, &e), HTTP1_DONE);
	at += used;
	assert_true(http1_started(p));
	http1_reset(p);
	assert_false(http1_started(p));
	assert_int_equal(http1_feed(p, bytes_of_str(in + at), &used, &status, &e), HTTP1_HEADERS);
	assert_string_equal(http1_request(p)->target, "/2?q");
	assert_int_equal(at + used, sizeof(in) - 1);
	http1_free(p);
}

static void http1_started__after_the_stray_line_end_of_libest__is_false(void **state)
{
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	size_t used;
	int status;

	(void)state;
	assert_non_null(p);
	assert_int_equal(http1_feed(p, bytes_of_str("\r\n"), &used, &status, &e), HTTP1_NEED_MORE);
	assert_false(http1_started(p));
	assert_int_equal(http1_feed(p, bytes_of_str("G"), &used, &status, &e), HTTP1_NEED_MORE);
	assert_true(http1_started(p));
	http1_free(p);
}

static const struct http1_request *parsed(struct http1 *p, const char *text)
{
	struct err e = ERR_INIT;
	size_t used;
	int status;

	http1_reset(p);
	assert_int_equal(http1_feed(p, bytes_of_str(text), &used, &status, &e), HTTP1_HEADERS);
	return http1_request(p);
}

static void http1_request__fields__are_what_was_sent(void **state)
{
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	const struct http1_request *rq;

	(void)state;
	assert_non_null(p);
	rq = parsed(p, "POST /x?a=b HTTP/1.1\r\nhOst: a:1\r\nX-Y:  v w \r\nContent-Length: 1\r\n"
		       "Expect: 100-Continue\r\n\r\n");
	assert_string_equal(rq->method, "POST");
	assert_string_equal(rq->target, "/x?a=b");
	assert_int_equal(rq->header_count, 4);
	assert_string_equal(rq->headers[0].name, "hOst");
	assert_string_equal(rq->headers[1].value, "v w");
	assert_true(rq->keep_alive);
	assert_true(rq->expect_continue);
	assert_true(rq->has_body);
	assert_false(parsed(p, "GET / HTTP/1.1\r\n" H "Connection: x, Close\r\n\r\n")->keep_alive);
	assert_true(parsed(p, "GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n")->keep_alive);
	assert_false(parsed(p, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
	assert_string_equal(parsed(p, "GET http://h HTTP/1.1\r\n" H "\r\n")->target, "/");
	assert_string_equal(parsed(p, "GET HTTPS://h?q HTTP/1.1\r\n" H "\r\n")->target, "/?q");
	assert_string_equal(parsed(p, "GET https://h/p?q HTTP/1.1\r\n" H "\r\n")->target, "/p?q");
	assert_false(
		parsed(p, "GET / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n")->expect_continue);
	http1_free(p);
}

static void http1_feed__after_a_refusal__stays_refused(void **state)
{
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);
	size_t used;
	int status = 0;

	(void)state;
	assert_non_null(p);
	assert_int_equal(http1_feed(p, bytes_of_str("\n"), &used, &status, &e), HTTP1_BAD);
	status = 0;
	assert_int_equal(
		http1_feed(p, bytes_of_str("GET / HTTP/1.1\r\n" H "\r\n"), &used, &status, &e),
		HTTP1_BAD);
	assert_int_equal(status, 400);
	http1_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http1_feed__table__same_verdict_however_it_is_cut),
		cmocka_unit_test(http1_feed__good_request_cut_short__needs_more),
		cmocka_unit_test(http1_feed__head_at_and_over_the_limit__is_431_or_414),
		cmocka_unit_test(http1_feed__too_many_fields__is_431),
		cmocka_unit_test(http1_feed__two_requests_in_one_piece__stops_between_them),
		cmocka_unit_test(http1_started__after_the_stray_line_end_of_libest__is_false),
		cmocka_unit_test(http1_request__fields__are_what_was_sent),
		cmocka_unit_test(http1_feed__after_a_refusal__stays_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
