/* SPDX-License-Identifier: Apache-2.0 */
/* The server over HTTP/2, asked by nghttp2's client side. */
#include "tests/unit/server_fixture.h"

#include <nghttp2/nghttp2.h>

#define STREAMS_MAX 40

struct h2_reply {
	int32_t id;
	int status;
	bool closed;
	uint32_t error_code;
	char headers[1000]; /* "name: value\n" ... */
	char body[2000];
	size_t body_len; /* of all, the first octets are in body */
};

struct h2_client {
	struct client c;
	nghttp2_session *session;
	struct h2_reply replies[STREAMS_MAX];
	size_t asked, closed;
	bool goaway;
	const char *upload; /* what is left to send */
	bool hold;	    /* do not end the request */
};

static struct fixture fx;

static int set_up(void **state)
{
	start_server(&fx, "127.0.0.1:0", NULL);
	return 0;
}

static int tear_down(void **state)
{
	stop_server(&fx);
	return 0;
}

static struct h2_reply *reply_of(struct h2_client *h, int32_t id)
{
	for (size_t i = 0; i < h->asked; i++)
		if (h->replies[i].id == id)
			return &h->replies[i];
	return NULL;
}

static int on_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct h2_reply *r = reply_of(arg, f->hd.stream_id);
	size_t used;

	if (!r)
		return 0;
	used = strlen(r->headers);
	snprintf(r->headers + used, sizeof(r->headers) - used, "%.*s: %.*s\n", (int)name_len, name,
		(int)value_len, value);
	if (name_len == 7 && memcmp(name, ":status", 7) == 0)
		r->status = atoi((const char *)value);
	return 0;
}

static int on_data(
	nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	struct h2_reply *r = reply_of(arg, id);

	for (size_t i = 0; r && i < len; i++, r->body_len++)
		if (r->body_len < sizeof(r->body) - 1)
			r->body[r->body_len] = (char)data[i];
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t error_code, void *arg)
{
	struct h2_client *h = arg;
	struct h2_reply *r = reply_of(h, id);

	r->closed = true;
	r->error_code = error_code;
	h->closed++;
	return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct h2_client *h = arg;

	h->goaway |= f->hd.type == NGHTTP2_GOAWAY;
	return 0;
}

static void h2_open(struct h2_client *h, bool lenient)
{
	struct client_options o = {.alpn = "\x02h2"};
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	const unsigned char *proto;
	unsigned len;

	memset(h, 0, sizeof(*h));
	client_open(&h->c, http_server_port(fx.server), &o);
	SSL_get0_alpn_selected(h->c.ssl, &proto, &len);
	assert_int_equal(len, 2);
	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_http_messaging(option, lenient);
	assert_int_equal(nghttp2_session_client_new2(&h->session, cb, h, option), 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void h2_close(struct h2_client *h)
{
	nghttp2_session_del(h->session);
	client_close(&h->c);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_upload(nghttp2_session *s, int32_t id, uint8_t *to, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_client *h = arg;
	size_t n = strlen(h->upload);

	if (n > room)
		n = room;
	memcpy(to, h->upload, n);
	h->upload += n;
	if (!*h->upload && h->hold)
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	if (!*h->upload)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static struct h2_reply *h2_submit(struct h2_client *h, const char *method, const char *path,
	const char *extra_name, const char *extra_value, const char *body)
{
	nghttp2_nv fields[] = {nv(":method", method), nv(":scheme", "https"),
		nv(":authority", "localhost"), nv(":path", path),
		nv(extra_name ? extra_name : "x", extra_name ? extra_value : "y")};
	nghttp2_data_provider upload = {.read_callback = read_upload};
	struct h2_reply *r = &h->replies[h->asked++];

	h->upload = body;
	r->id = nghttp2_submit_request(h->session, NULL, fields, 5, body ? &upload : NULL, NULL);
	assert_true(r->id > 0);
	return r;
}

static void h2_send(struct h2_client *h)
{
	const uint8_t *octets;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(h->session, &octets)) > 0)
		if (SSL_write(h->c.ssl, octets, (int)n) != n)
			return;
}

/* False when the server has closed. */
static bool h2_receive(struct h2_client *h)
{
	uint8_t octets[16384];
	int n = client_read(&h->c, octets, sizeof(octets));

	return n > 0 && nghttp2_session_mem_recv(h->session, octets, (size_t)n) == n;
}

static bool h2_turn(struct h2_client *h)
{
	h2_send(h);
	return h2_receive(h);
}

static void h2_run(struct h2_client *h)
{
	while (h->closed < h->asked)
		if (!h2_turn(h))
			fail_msg("connection ended, %zu of %zu answered", h->closed, h->asked);
}

static struct h2_reply *h2_ask(
	struct h2_client *h, const char *method, const char *path, const char *body)
{
	struct h2_reply *r = h2_submit(h, method, path, NULL, NULL, body);

	h2_run(h);
	return r;
}

static void h2_until_closed(struct h2_client *h)
{
	while (h2_turn(h))
		;
}

/* req: ENC-ALL-026, ET-11 */
static void request__at_once_later_and_with_body__on_one_connection(void **state)
{
	struct h2_client h;
	struct h2_reply *r;

	h2_open(&h, false);
	r = h2_ask(&h, "GET", "/now", NULL);
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "now");
	r = h2_ask(&h, "GET", "/later", NULL);
	assert_string_equal(r->body, "later");
	r = h2_ask(&h, "POST", "/echo?a=b", "hello");
	assert_string_equal(r->body, "hello");
	assert_non_null(strstr(r->headers, "x-query: a=b\n"));
	assert_non_null(strstr(r->headers, "content-length: 5\n"));
	assert_non_null(strstr(r->headers, "\ndate: "));
	assert_non_null(strstr(r->headers, "\nx-request-id: "));
	r = h2_ask(&h, "HEAD", "/now", NULL);
	assert_int_equal(r->status, 200);
	assert_int_equal(r->body_len, 0);
	assert_non_null(strstr(r->headers, "content-length: 3\n"));
	h2_close(&h);
}

static void streams__many_at_once__all_answered(void **state)
{
	struct h2_client h;

	h2_open(&h, false);
	for (int i = 0; i < STREAMS_MAX; i++)
		h2_submit(&h, "GET", i % 2 ? "/later" : "/now", NULL, NULL, NULL);
	h2_run(&h);
	for (int i = 0; i < STREAMS_MAX; i++)
		assert_string_equal(h.replies[i].body, i % 2 ? "later" : "now");
	h2_close(&h);
}

/* As one record. */
static void h2_send_together(struct h2_client *h)
{
	uint8_t all[16384];
	const uint8_t *octets;
	ssize_t n;
	int len = 0;

	while ((n = nghttp2_session_mem_send(h->session, &octets)) > 0) {
		assert_true((size_t)(len + n) <= sizeof(all));
		memcpy(all + len, octets, (size_t)n);
		len += (int)n;
	}
	assert_int_equal(SSL_write(h->c.ssl, all, len), len);
}

static void streams__many_at_once__give_way_to_another_client(void **state)
{
	struct h2_client h;
	struct client one;
	struct err e = ERR_INIT;
	struct call *kept;
	struct loop *l;
	struct hold held;

	h2_open(&h, false);
	h2_submit(&h, "GET", "/keep", NULL, NULL, NULL);
	h2_send(&h);
	kept = await_kept(&fx.app);
	l = call_loop(kept);
	open_on(&fx, l, &one);
	hold_loop(&held, l);
	while (h.asked < STREAMS_MAX)
		h2_submit(&h, "GET", "/count", NULL, NULL, NULL);
	h2_send_together(&h);
	client_send(&one, "GET /count HTTP/1.1\r\nHost: x\r\n\r\n");
	let_loop_go(&held);
	assert_int_equal(read_reply(&one, false), 200);
	assert_in_range(atoi(last_reply.body), 1, STREAMS_MAX / 2);
	assert_true(loop_post(l, answer_later, kept, &e));
	h2_run(&h);
	for (size_t i = 0; i < STREAMS_MAX; i++)
		assert_int_equal(h.replies[i].status, 200);
	client_close(&one);
	h2_close(&h);
}

static void big_reply__larger_than_the_windows__arrives_whole(void **state)
{
	struct h2_client h;
	struct h2_reply *a, *b;

	h2_open(&h, false);
	a = h2_submit(&h, "GET", "/big", NULL, NULL, NULL);
	b = h2_submit(&h, "GET", "/big", NULL, NULL, NULL);
	h2_run(&h);
	assert_int_equal(a->body_len, BIG);
	assert_int_equal(b->body_len, BIG);
	h2_close(&h);
}

/* req: R8995-MASA-005, R8995-REG-014, ET-08 */
static void refusal__by_http__is_plain_text(void **state)
{
	static const struct {
		const char *method, *path, *name, *value;
		const char *body;
		int status;
	} rows[] = {
		{"GET", "/nothing", NULL, NULL, NULL, 404},
		{"DELETE", "/now", NULL, NULL, NULL, 405},
		{"POST", "/now", NULL, NULL, "abc", 405},
		{"BREW", "/now", NULL, NULL, NULL, 501},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "/now", NULL, NULL, NULL, 501},
		{"POST", "/typed", "content-type", "a/b", "a", 415},
		{"GET", "/now#x", NULL, NULL, NULL, 400},
		{"GET", "/now", "host", "other", NULL, 400},
		{"GET", "/error", NULL, NULL, NULL, 503},
		{"GET", "/bare-error", NULL, NULL, NULL, 403},
	};
	struct h2_client h;

	h2_open(&h, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct h2_reply *r = h2_submit(&h, rows[i].method, rows[i].path, rows[i].name,
			rows[i].value, rows[i].body);

		h2_run(&h);
		if (r->status != rows[i].status)
			fail_msg("row %zu: %d", i, r->status);
		assert_non_null(strstr(r->headers, "content-type: text/plain; charset=utf-8\n"));
		assert_true(r->body_len > 0);
	}
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
}

static void host__same_as_authority__is_fine(void **state)
{
	struct h2_client h;

	h2_open(&h, true);
	assert_int_equal(h2_submit(&h, "GET", "/now", "host", "localhost", NULL)->status, 0);
	h2_run(&h);
	assert_int_equal(h.replies[0].status, 200);
	h2_close(&h);
}

static void body__too_large__is_413_and_the_connection_lives(void **state)
{
	static char body[150000];
	struct h2_client h;

	memset(body, 'a', sizeof(body) - 1);
	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "POST", "/echo", body)->status, 413);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
}

static void body__of_a_refused_request_goes_on__stream_is_reset_not_the_connection(void **state)
{
	static char body[400000];
	struct h2_client h;

	memset(body, 'a', sizeof(body) - 1);
	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "POST", "/nothing", body)->status, 404);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
}

static void bodies__together_more_than_a_connection_may__some_are_503(void **state)
{
	static char body[90000];
	struct h2_client h;
	int refused = 0;

	memset(body, 'a', sizeof(body) - 1);
	h2_open(&h, false);
	h.hold = true;
	for (int i = 0; i < 15; i++) {
		h2_submit(&h, "POST", "/echo", NULL, NULL, body);
		h2_send(&h);
		while (*h.upload) { /* the window is used up: there will be something to read */
			assert_true(h2_receive(&h));
			h2_send(&h);
		}
	}
	for (size_t i = 0; i < h.asked; i++)
		refused += h.replies[i].status == 503;
	assert_true(refused > 0);
	h2_close(&h);
}

static void body__on_a_route_without_one__is_413(void **state)
{
	struct h2_client h;

	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "GET", "/now", "a")->status, 413);
	h2_close(&h);
}

static void headers__too_large__is_431(void **state)
{
	static char big[8190];
	struct h2_client h;

	memset(big, 'a', sizeof(big) - 1);
	h2_open(&h, true);
	h2_submit(&h, "GET", "/now", "x-big", big, NULL);
	h2_run(&h);
	assert_int_equal(h.replies[0].status, 431);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
}

static void headers__decode_to_far_more_than_they_are__end_the_connection(void **state)
{
	enum { FIELDS = 2500 };
	static nghttp2_nv fields[FIELDS];
	struct h2_client h;

	fields[0] = nv(":method", "GET");
	fields[1] = nv(":scheme", "https");
	fields[2] = nv(":authority", "localhost");
	fields[3] = nv(":path", "/now");
	for (size_t i = 4; i < FIELDS; i++) /* all but the first are one octet: an index */
		fields[i] = nv("x", "y");
	h2_open(&h, false);
	h.replies[0].id = nghttp2_submit_request(h.session, NULL, fields, FIELDS, NULL, NULL);
	h.asked = 1;
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
}

static void headers__malformed__reset_the_stream(void **state)
{
	static const char *const bad[][2] = {
		{"connection", "close"},
		{"transfer-encoding", "chunked"},
		{"x", "a\nb"},
		{":unknown", "a"},
		{"content-length", "x"},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct h2_client h;

		h2_open(&h, true);
		h2_submit(&h, "GET", "/now", bad[i][0], bad[i][1], NULL);
		h2_run(&h);
		if (h.replies[0].status != 0)
			fail_msg("row %zu: %d", i, h.replies[0].status);
		assert_int_not_equal(h.replies[0].error_code, NGHTTP2_NO_ERROR);
		h2_close(&h);
	}
}

static void expect_100__gets_leave_before_the_body(void **state)
{
	struct h2_client h;
	struct h2_reply *r;

	h2_open(&h, false);
	h.hold = true;
	r = h2_submit(&h, "POST", "/echo", "expect", "100-continue", "hi");
	while (r->status == 0)
		assert_true(h2_turn(&h));
	assert_int_equal(r->status, 100);
	h.hold = false;
	nghttp2_session_resume_data(h.session, r->id);
	h2_run(&h);
	assert_int_equal(r->status, 200);
	assert_string_equal(r->body, "hi");
	h2_close(&h);
}

static void close_after__ends_with_goaway(void **state)
{
	struct h2_client h;

	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "GET", "/last", NULL)->status, 200);
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
}

static void stream__reset_while_the_handler_works__answer_is_dropped(void **state)
{
	struct err e = ERR_INIT;
	struct h2_client h;
	struct h2_reply *r;
	struct call *kept;

	h2_open(&h, false);
	r = h2_submit(&h, "GET", "/keep", NULL, NULL, NULL);
	h2_send(&h);
	kept = await_kept(&fx.app);
	nghttp2_submit_rst_stream(h.session, NGHTTP2_FLAG_NONE, r->id, NGHTTP2_CANCEL);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
	assert_int_equal(h2_ask(&h, "GET", "/later", NULL)->status, 200);
	assert_int_equal(r->status, 0);
	h2_close(&h);
}

static void connection__closed_while_handlers_work__answers_are_dropped(void **state)
{
	struct err e = ERR_INIT;
	struct h2_client h;
	struct call *kept;

	h2_open(&h, false);
	h2_submit(&h, "GET", "/keep", NULL, NULL, NULL);
	h2_send(&h);
	kept = await_kept(&fx.app);
	h2_close(&h);
	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
}

static void resets__in_a_rapid_series__end_the_connection(void **state)
{
	struct h2_client h;
	uint32_t id = 1;

	h2_open(&h, false);
	for (int i = 0; i < 400; i++) {
		nghttp2_nv fields[] = {nv(":method", "GET"), nv(":scheme", "https"),
			nv(":authority", "localhost"), nv(":path", "/now")};

		id = (uint32_t)nghttp2_submit_request(h.session, NULL, fields, 4, NULL, NULL);
		h.replies[0].id = (int32_t)id;
		h.asked = 1;
		h2_send(&h);
		nghttp2_submit_rst_stream(
			h.session, NGHTTP2_FLAG_NONE, (int32_t)id, NGHTTP2_CANCEL);
		h2_send(&h);
	}
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
}

static void pings__in_a_flood__end_the_connection(void **state)
{
	struct h2_client h;

	h2_open(&h, false);
	for (int i = 0; i < 50; i++) /* what a careful client sends is fine */
		nghttp2_submit_ping(h.session, NGHTTP2_FLAG_NONE, NULL);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	for (int i = 0; i < 2000; i++)
		nghttp2_submit_ping(h.session, NGHTTP2_FLAG_NONE, NULL);
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
}

static void windows__opened_octet_by_octet_without_end__end_the_connection(void **state)
{
	struct h2_client h;

	h2_open(&h, false);
	for (int i = 0; i < 2000; i++)
		nghttp2_submit_window_update(h.session, NGHTTP2_FLAG_NONE, 0, 1);
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
}

static void preface__wrong__ends_the_connection(void **state)
{
	struct client_options o = {.alpn = "\x02h2"};
	struct client c;
	char octets[200];
	int n, total = 0;

	client_open(&c, http_server_port(fx.server), &o);
	client_send(&c, GET("/now"));
	while ((n = client_read(&c, octets, sizeof(octets))) > 0)
		total += n;
	assert_true(total < 200);
	client_close(&c);
}

static void client_certificate__tls_1_2__works_over_h2(void **state)
{
	struct client_options o = {.alpn = "\x02h2\x08http/1.1", .version = TLS1_2_VERSION};
	struct client c;

	client_open(&c, http_server_port(fx.server), &o);
	assert_memory_equal(SSL_CIPHER_get_name(SSL_get_current_cipher(c.ssl)), "ECDHE", 5);
	client_close(&c);
}

#define SHORT_MS 150

static void body__never_ends__is_408_at_the_deadline(void **state)
{
	const struct http_limits l = {.body_ms = SHORT_MS};
	struct h2_client h;
	struct h2_reply *r;

	start_server(&fx, "127.0.0.1:0", &l);
	h2_open(&h, false);
	h.hold = true;
	r = h2_submit(&h, "POST", "/echo", NULL, NULL, "half");
	while (!r->status)
		assert_true(h2_turn(&h));
	assert_int_equal(r->status, 408);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_close(&h);
	stop_server(&fx);
}

static void reply__peer_opens_no_window__stream_is_reset(void **state)
{
	const struct http_limits l = {.write_ms = SHORT_MS};
	const nghttp2_settings_entry no_window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
	struct h2_client h;
	struct h2_reply *r;

	start_server(&fx, "127.0.0.1:0", &l);
	h2_open(&h, false);
	nghttp2_submit_settings(h.session, NGHTTP2_FLAG_NONE, &no_window, 1);
	r = h2_submit(&h, "GET", "/now", NULL, NULL, NULL);
	h2_run(&h);
	assert_int_equal(r->status, 200);
	assert_int_equal(r->body_len, 0);
	assert_int_equal(r->error_code, NGHTTP2_CANCEL);
	h2_close(&h);
	stop_server(&fx);
}

static void connection__idle__ends_with_goaway(void **state)
{
	const struct http_limits l = {.idle_ms = SHORT_MS};
	struct h2_client h;

	start_server(&fx, "127.0.0.1:0", &l);
	h2_open(&h, false);
	assert_int_equal(h2_ask(&h, "GET", "/now", NULL)->status, 200);
	h2_until_closed(&h);
	assert_true(h.goaway);
	h2_close(&h);
	stop_server(&fx);
}

static void handler__silent__stream_gets_503(void **state)
{
	const struct http_limits l = {.request_ms = SHORT_MS};
	struct err e = ERR_INIT;
	struct call *kept;
	struct h2_client h;
	struct h2_reply *r;

	start_server(&fx, "127.0.0.1:0", &l);
	h2_open(&h, false);
	r = h2_ask(&h, "GET", "/keep", NULL);
	assert_int_equal(r->status, 503);
	assert_non_null(strstr(r->headers, "retry-after: "));
	h2_close(&h);
	kept = await_kept(&fx.app);
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
	stop_server(&fx);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(request__at_once_later_and_with_body__on_one_connection),
		test(streams__many_at_once__all_answered),
		test(streams__many_at_once__give_way_to_another_client),
		test(big_reply__larger_than_the_windows__arrives_whole),
		test(refusal__by_http__is_plain_text),
		test(host__same_as_authority__is_fine),
		test(body__too_large__is_413_and_the_connection_lives),
		test(body__of_a_refused_request_goes_on__stream_is_reset_not_the_connection),
		test(bodies__together_more_than_a_connection_may__some_are_503),
		test(body__on_a_route_without_one__is_413),
		test(headers__too_large__is_431),
		test(headers__decode_to_far_more_than_they_are__end_the_connection),
		test(headers__malformed__reset_the_stream),
		test(expect_100__gets_leave_before_the_body),
		test(close_after__ends_with_goaway),
		test(stream__reset_while_the_handler_works__answer_is_dropped),
		test(connection__closed_while_handlers_work__answers_are_dropped),
		test(resets__in_a_rapid_series__end_the_connection),
		test(pings__in_a_flood__end_the_connection),
		test(windows__opened_octet_by_octet_without_end__end_the_connection),
		test(preface__wrong__ends_the_connection),
		test(client_certificate__tls_1_2__works_over_h2),
		cmocka_unit_test(body__never_ends__is_408_at_the_deadline),
		cmocka_unit_test(reply__peer_opens_no_window__stream_is_reset),
		cmocka_unit_test(connection__idle__ends_with_goaway),
		cmocka_unit_test(handler__silent__stream_gets_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
