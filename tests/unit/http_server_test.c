/* SPDX-License-Identifier: Apache-2.0 */
/* The server over real sockets and HTTP/1.1: answers at once, later, never; refusals; limits; TLS.
 */
#include "tests/unit/server_fixture.h"

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

static void connect_plainly(struct client *c)
{
	client_open(c, http_server_port(fx.server), NULL);
}

/* req: ENC-ALL-026, ET-09 */
static void request__answered_at_once_and_later__on_one_connection(void **state)
{
	struct client c;

	connect_plainly(&c);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&c, GET("/now")), 200);
		assert_string_equal(last_reply.body, "now");
		assert_int_equal(ask(&c, GET("/later")), 200);
		assert_string_equal(last_reply.body, "later");
	}
	client_close(&c);
}

static void reply__headers__are_what_real_clients_need(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
				 "X-Request-Id: abcdef-0123456789\r\n\r\nhi"),
		200);
	assert_string_equal(reply_header("Content-Length"), "2");
	assert_string_equal(reply_header("Content-Type"), "application/octet-stream");
	assert_string_equal(reply_header("X-Query"), "a=b"); /* Title-Case whatever was set */
	assert_string_equal(reply_header("X-Request-Id"), "abcdef-0123456789");
	assert_int_equal(strlen(reply_header("Date")), 29);
	assert_null(reply_header("Transfer-Encoding"));
	assert_null(reply_header("Connection"));
	client_close(&c);
}

static void request_id__not_valid__is_replaced(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(
		ask(&c, "GET /now HTTP/1.1\r\nHost: x\r\nX-Request-Id: a b c d e f g\r\n\r\n"),
		200);
	assert_int_equal(strlen(reply_header("X-Request-Id")), 16);
	assert_int_equal(
		ask(&c, "GET /now HTTP/1.1\r\nHost: x\r\nX-Request-Id: short\r\n\r\n"), 200);
	assert_int_equal(strlen(reply_header("X-Request-Id")), 16);
	client_close(&c);
}

static void pipeline__sync_and_async_in_one_write__answered_in_order(void **state)
{
	static const char *const bodies[] = {"later", "now", "later", "hi", "now"};
	struct client c;

	connect_plainly(&c);
	client_send(&c, GET("/later") GET("/now")
				GET("/later") "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: "
					      "2\r\n\r\nhi\r\n" GET("/now"));
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		assert_int_equal(read_reply(&c, false), 200);
		assert_string_equal(last_reply.body, bodies[i]);
	}
	client_close(&c);
}

static void request__one_octet_per_record__is_served(void **state)
{
	static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\n"
				      "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
	struct client c;

	connect_plainly(&c);
	for (size_t i = 0; i + 1 < sizeof(request); i++)
		assert_int_equal(SSL_write(c.ssl, request + i, 1), 1);
	assert_int_equal(read_reply(&c, false), 200);
	assert_string_equal(last_reply.body, "hi");
	client_close(&c);
}

/* req: R8995-MASA-005, R8995-REG-014 */
static void refusal__by_http__is_plain_text_and_keeps_the_connection(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{GET("/nothing"), 404},
		{GET("/api/"), 404},
		{GET("/now/"), 404},
		{GET("/bare-error"), 403},
		{GET("/error"), 503},
		{"DELETE /now HTTP/1.1\r\nHost: x\r\n\r\n", 405},
		{"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405},
		{"BREW /now HTTP/1.1\r\nHost: x\r\n\r\n", 501},
		{"POST /typed HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 415},
		{"POST /typed HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tes\r\n"
		 "Content-Length: 1\r\n\r\na",
			415},
	};
	struct client c;

	connect_plainly(&c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(ask(&c, rows[i].request), rows[i].status);
		assert_string_equal(reply_header("Content-Type"), "text/plain; charset=utf-8");
		assert_true(last_reply.body_len > 0);
		assert_null(strstr(last_reply.body, "secret"));
	}
	assert_int_equal(ask(&c, "POST /typed HTTP/1.1\r\nHost: x\r\nContent-Type: "
				 "Application/X-Test; a=b\r\nContent-Length: 1\r\n\r\na"),
		200);
	client_close(&c);
}

/* req: R8995-REG-014, ET-08 */
static void refusal__405__names_the_methods(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, "PUT /api/later HTTP/1.1\r\nHost: x\r\n\r\n"), 405);
	assert_string_equal(reply_header("Allow"), "GET, HEAD, DELETE");
	assert_int_equal(ask(&c, GET("/echo")), 405);
	assert_string_equal(reply_header("Allow"), "POST");
	client_close(&c);
}

static void refusal__503__says_when_to_come_back(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, GET("/error")), 503);
	assert_true(atoi(reply_header("Retry-After")) > 0);
	assert_int_equal(ask(&c, GET("/pending")), 202);
	assert_string_equal(reply_header("Retry-After"), "7");
	assert_string_equal(last_reply.body, "Wait for an administrator.");
	client_close(&c);
}

/* req: R8995-MASA-005 */
static void refusal__framing_in_doubt__closes_the_connection(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{"GET /now HTTP/1.1\r\n\r\n", 400},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
		 "\r\n\r\n0\r\n\r\n",
			400},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", 413},
		{"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 413},
		{"GET /now HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na", 413},
		{"GET /now HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Type: c/d\r\n\r\n",
			400},
		{"GET /now HTTP/3.0\r\nHost: x\r\n\r\n", 505},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: br, chunked\r\n\r\n", 501},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct client c;

		connect_plainly(&c);
		assert_int_equal(ask(&c, rows[i].request), rows[i].status);
		assert_string_equal(reply_header("Connection"), "close");
		assert_string_equal(reply_header("Content-Type"), "text/plain; charset=utf-8");
		assert_true(last_reply.body_len > 0);
		assert_true(client_is_closed(&c));
		client_close(&c);
	}
}

static void refusal__rest_of_the_body_on_the_way__answer_is_still_read(void **state)
{
	static char body[300000];
	struct client c;

	memset(body, 'a', sizeof(body) - 1);
	connect_plainly(&c);
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
	client_send(&c, body);
	assert_int_equal(read_reply(&c, false), 413);
	client_close(&c);
}

static void header_block__too_large__is_431(void **state)
{
	static char big[9000];
	struct client c;

	memset(big, 'a', sizeof(big) - 1);
	connect_plainly(&c);
	client_send(&c, "GET /now HTTP/1.1\r\nHost: x\r\nX: ");
	client_send(&c, big);
	assert_int_equal(read_reply(&c, false), 431);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void expect_100__body_wanted__gets_leave_first(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
				 "Content-Length: 2\r\n\r\n"),
		100);
	assert_int_equal(ask(&c, "hi"), 200);
	assert_string_equal(last_reply.body, "hi");
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
}

static void expect_100__body_not_wanted__gets_the_refusal_instead(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		 "100001\r\n\r\n",
			413},
		{"POST /no HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
		 "2\r\n\r\n",
			404},
		{"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: a\r\nContent-Length: 2\r\n\r\n", 417},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct client c;

		connect_plainly(&c);
		assert_int_equal(ask(&c, rows[i].request), rows[i].status);
		assert_true(client_is_closed(&c));
		client_close(&c);
	}
}

static void stray_line_end__after_a_body__is_tolerated(void **state)
{
	struct client c;

	connect_plainly(&c);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			ask(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
				"hi\r\n"),
			200);
	client_close(&c);
}

static void http_1_0__is_answered_and_closed(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi"), 200);
	assert_string_equal(reply_header("Content-Length"), "2");
	assert_string_equal(reply_header("Connection"), "close");
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void head__has_the_length_and_no_body(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, "HEAD /now HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	assert_string_equal(reply_header("Content-Length"), "3");
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
}

static void close__asked_by_either_side__ends_the_connection(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, GET("/last")), 200);
	assert_string_equal(reply_header("Connection"), "close");
	assert_true(client_is_closed(&c));
	client_close(&c);
	connect_plainly(&c);
	assert_int_equal(ask(&c, "GET /now HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void big_reply__arrives_whole(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, GET("/big")), 200);
	assert_int_equal(last_reply.body_len, BIG);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
}

static void half_closed__client_ends_writing__still_gets_its_answer(void **state)
{
	struct client c;

	connect_plainly(&c);
	client_send(&c, GET("/later"));
	SSL_shutdown(c.ssl);
	assert_int_equal(read_reply(&c, false), 200);
	assert_string_equal(last_reply.body, "later");
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void two_clients__at_the_same_time__both_served(void **state)
{
	struct client a, b;

	connect_plainly(&a);
	connect_plainly(&b);
	client_send(&a, GET("/later"));
	client_send(&b, GET("/now"));
	assert_int_equal(read_reply(&b, false), 200);
	assert_int_equal(read_reply(&a, false), 200);
	assert_string_equal(last_reply.body, "later");
	client_close(&a);
	client_close(&b);
}

static void answer_kept(void *call)
{
	reply_text(call, "too late");
}

static void peer_left__answer_comes_later__is_dropped(void **state)
{
	struct err e = ERR_INIT;
	struct client c;
	struct call *kept;

	connect_plainly(&c);
	client_send(&c, GET("/keep"));
	kept = await_kept(&fx.app);
	client_close(&c);
	/* another request proves that the loops are past the close */
	for (int i = 0; i < 4; i++) {
		connect_plainly(&c);
		assert_int_equal(ask(&c, GET("/now")), 200);
		client_close(&c);
	}
	assert_string_equal(call_path(kept), "/keep");
	assert_int_equal(call_peer(kept)->tls_version, TLS1_3_VERSION);
	assert_true(loop_post(call_loop(kept), answer_kept, kept, &e));
}

/* Small records, so that the server's TLS has some in hand when it pauses, and the socket none. */
static void pipeline__paused_in_the_middle__goes_on_with_what_was_read(void **state)
{
	enum { REQUESTS = 560 }; /* more than is kept while a handler works */
	struct err e = ERR_INIT;
	struct client c, other;
	struct call *kept;

	connect_plainly(&c);
	client_send(&c, GET("/keep"));
	kept = await_kept(&fx.app);
	for (int i = 0; i < REQUESTS; i++)
		client_send(&c, GET("/now"));
	for (int i = 0; i < 4; i++) { /* the loops have read what they want */
		connect_plainly(&other);
		assert_int_equal(ask(&other, GET("/now")), 200);
		client_close(&other);
	}
	assert_true(loop_post(call_loop(kept), answer_kept, kept, &e));
	for (int i = 0; i <= REQUESTS; i++)
		assert_int_equal(read_reply(&c, false), 200);
	client_close(&c);
}

/* The one that sent first, and much, is served one request; then it is the others' turn. */
static void pipeline__of_hundreds__gives_way_to_another_client(void **state)
{
	enum { REQUESTS = 300 };
	char all[REQUESTS * sizeof(GET("/count"))] = "";
	struct client many, one;
	struct loop *l = open_on(&fx, NULL, &many);
	struct hold h;

	open_on(&fx, l, &one);
	for (int i = 0; i < REQUESTS; i++)
		memcpy(all + i * strlen(GET("/count")), GET("/count"), sizeof(GET("/count")));
	hold_loop(&h, l);
	client_send(&many, all);
	client_send(&one, GET("/count"));
	let_loop_go(&h);
	assert_int_equal(read_reply(&one, false), 200);
	assert_in_range(atoi(last_reply.body), 1, 10);
	for (int i = 0; i < REQUESTS; i++)
		assert_int_equal(read_reply(&many, false), 200);
	assert_int_equal(atoi(last_reply.body), REQUESTS + 1);
	client_close(&many);
	client_close(&one);
}

/* Who has said all ends writing, and waits. */
static void pipeline__half_closed__all_is_answered(void **state)
{
	struct client c;

	connect_plainly(&c);
	for (int i = 0; i < 50; i++)
		client_send(&c, GET("/now"));
	SSL_shutdown(c.ssl);
	shutdown(c.fd, SHUT_WR);
	for (int i = 0; i < 50; i++)
		assert_int_equal(read_reply(&c, false), 200);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

/* One that waits for its turn may go: nothing of it is touched later. */
static void pipeline__client_leaves_while_it_waits__others_are_served(void **state)
{
	struct client many, one;
	struct loop *l = open_on(&fx, NULL, &one);

	for (int round = 0; round < 5; round++) {
		open_on(&fx, l, &many);
		for (int i = 0; i < 300; i++)
			client_send(&many, GET("/big"));
		client_close(&many);
		assert_int_equal(ask(&one, GET("/now")), 200);
	}
	client_close(&one);
}

static void call__never_answered__is_freed_with_the_server(void **state)
{
	struct client c;

	connect_plainly(&c);
	client_send(&c, GET("/keep"));
	await_kept(&fx.app);
	client_close(&c);
}

/* ---- TLS ---- */

/* req: R8995-REG-004, R8995-MASA-002, ET-02 */
static void tls__versions__1_2_and_1_3_only(void **state)
{
	struct client_options o = {.version = TLS1_1_VERSION};
	struct client c;

	assert_false(client_try(&c, http_server_port(fx.server), &o));
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	client_close(&c);
	o.version = TLS1_2_VERSION;
	client_open(&c, http_server_port(fx.server), &o);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
	o.version = TLS1_3_VERSION;
	client_open(&c, http_server_port(fx.server), &o);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
}

/* req: ENC-ALL-025, ET-04 */
static void tls__weak_suites_only__is_refused(void **state)
{
	static const char *const lists[] = {
		"AES128-SHA:AES256-SHA256", "aNULL", "eNULL", "ECDHE-ECDSA-AES128-SHA"};
	struct client c;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		c = (struct client){tcp_connect(http_server_port(fx.server)),
			SSL_CTX_new(TLS_client_method()), NULL};
		SSL_CTX_set_max_proto_version(c.ctx, TLS1_2_VERSION);
		SSL_CTX_set_security_level(c.ctx, 0);
		assert_int_equal(SSL_CTX_set_cipher_list(c.ctx, lists[i]), 1);
		c.ssl = SSL_new(c.ctx);
		SSL_set_fd(c.ssl, c.fd);
		assert_int_not_equal(SSL_connect(c.ssl), 1);
		client_close(&c);
	}
}

/* req: R8995-REG-005, ET-12 */
static void tls__any_server_name__gives_the_same_certificate(void **state)
{
	static const char *const names[] = {"nonexistent.example", "192.0.2.1", "x"};
	struct client c;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct client_options o = {.sni = names[i]};
		X509 *x;

		client_open(&c, http_server_port(fx.server), &o);
		x = SSL_get0_peer_certificate(c.ssl);
		assert_int_equal(X509_cmp(x, cert_x509(fx.id.cert)), 0);
		assert_int_equal(ask(&c, GET("/now")), 200);
		client_close(&c);
	}
}

/* req: ENC-ALL-025 */
static void tls__client_certificate__reaches_the_handler(void **state)
{
	static const enum key_type types[] = {KEY_EC_P256, KEY_EC_P384, KEY_RSA_3072, KEY_ED25519};
	struct client_options o = {.version = TLS1_3_VERSION};
	struct client c;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct identity id, ca;
		struct err e = ERR_INIT;

		make_identity(&id, types[i], "pledge");
		make_identity(&ca, KEY_EC_P256, "ca");
		assert_true(cert_list_add(&id.chain, ca.cert, &e));
		o.id = &id;
		o.version = i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
		client_open(&c, http_server_port(fx.server), &o);
		assert_int_equal(ask(&c, GET("/who")), 200);
		assert_non_null(strstr(last_reply.body, "pledge"));
		assert_non_null(strstr(last_reply.body, "chain=1"));
		client_close(&c);
		identity_clear(&id);
		identity_clear(&ca);
	}
}

/* req: ET-11 */
static void tls__no_client_certificate__is_nobody(void **state)
{
	struct client c;

	connect_plainly(&c);
	assert_int_equal(ask(&c, GET("/who")), 200);
	assert_non_null(strstr(last_reply.body, "nobody chain=0 tls=304"));
	client_close(&c);
}

static void tls__connection_id__stays_and_differs(void **state)
{
	struct client a, b;
	char first[600];

	connect_plainly(&a);
	connect_plainly(&b);
	assert_int_equal(ask(&a, GET("/who")), 200);
	snprintf(first, sizeof(first), "%.500s", last_reply.body);
	assert_int_equal(ask(&b, GET("/who")), 200);
	assert_string_not_equal(first, last_reply.body);
	assert_int_equal(ask(&a, GET("/who")), 200);
	assert_string_equal(first, last_reply.body);
	client_close(&a);
	client_close(&b);
}

static void tls__channel_binding__is_the_same_at_both_ends(void **state)
{
	struct client_options o = {.version = TLS1_2_VERSION};
	unsigned char ours[64];
	struct client c;
	size_t len;

	client_open(&c, http_server_port(fx.server), &o);
	len = SSL_get_finished(c.ssl, ours, sizeof(ours));
	assert_int_equal(len, 12);
	assert_int_equal(ask(&c, GET("/binding")), 200);
	assert_int_equal(last_reply.body_len, len);
	assert_memory_equal(last_reply.body, ours, len);
	client_close(&c);
	connect_plainly(&c);
	assert_int_equal(SSL_export_keying_material(
				 c.ssl, ours, 32, "EXPORTER-Channel-Binding", 24, NULL, 0, 0),
		1);
	assert_int_equal(ask(&c, GET("/binding")), 200);
	assert_int_equal(last_reply.body_len, 32);
	assert_memory_equal(last_reply.body, ours, 32);
	client_close(&c);
}

static void tls__1_2_without_extended_master_secret__has_no_binding(void **state)
{
	struct client c = {
		tcp_connect(http_server_port(fx.server)), SSL_CTX_new(TLS_client_method()), NULL};

	SSL_CTX_set_max_proto_version(c.ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(c.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	c.ssl = SSL_new(c.ctx);
	SSL_set_fd(c.ssl, c.fd);
	assert_int_equal(SSL_connect(c.ssl), 1);
	assert_int_equal(ask(&c, GET("/binding")), 200);
	assert_int_equal(last_reply.body_len, 0);
	client_close(&c);
}

static void tls__session_offered_again__is_not_resumed(void **state)
{
	struct client_options o = {.version = TLS1_2_VERSION};
	struct client a, b;
	SSL_SESSION *session;

	client_open(&a, http_server_port(fx.server), &o);
	assert_int_equal(ask(&a, GET("/now")), 200);
	session = SSL_get1_session(a.ssl);
	b = (struct client){tcp_connect(http_server_port(fx.server)), a.ctx, SSL_new(a.ctx)};
	SSL_CTX_up_ref(a.ctx);
	SSL_set_session(b.ssl, session);
	SSL_set_fd(b.ssl, b.fd);
	assert_int_equal(SSL_connect(b.ssl), 1);
	assert_false(SSL_session_reused(b.ssl));
	SSL_SESSION_free(session);
	client_close(&b);
	client_close(&a);
}

static void update_keys(struct client *c, int times)
{
	for (int i = 0; i < times; i++) {
		SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(c->ssl);
	}
}

static void tls__keys_updated_now_and_then__is_served(void **state)
{
	struct client c;

	client_open(&c, http_server_port(fx.server), NULL);
	update_keys(&c, 5);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
}

static void tls__keys_updated_without_end__ends_the_connection(void **state)
{
	struct client c;

	client_open(&c, http_server_port(fx.server), NULL);
	update_keys(&c, 100);
	assert_true(client_is_closed(&c));
	client_close(&c);
}

static void tls__renegotiation__is_refused(void **state)
{
	struct client_options o = {.version = TLS1_2_VERSION};
	struct client c;
	char octet;

	client_open(&c, http_server_port(fx.server), &o);
	assert_int_equal(SSL_renegotiate(c.ssl), 1);
	/* the server answers with a warning and does not begin a handshake */
	assert_true(SSL_do_handshake(c.ssl) != 1 || SSL_read(c.ssl, &octet, 1) <= 0);
	client_close(&c);
}

static void tls__context_replaced__new_connections_use_it(void **state)
{
	struct err e = ERR_INIT;
	struct identity other;
	struct tls_server *tls;
	struct client c, d;

	connect_plainly(&c);
	make_identity(&other, KEY_EC_P384, "reloaded");
	tls = tls_server_new(&other, true, &e);
	assert_non_null(tls);
	http_server_set_tls(fx.server, tls);
	tls_server_free(tls);
	connect_plainly(&d);
	assert_int_equal(X509_cmp(SSL_get0_peer_certificate(d.ssl), cert_x509(other.cert)), 0);
	assert_int_equal(ask(&c, GET("/now")), 200);
	assert_int_equal(ask(&d, GET("/now")), 200);
	client_close(&c);
	client_close(&d);
	identity_clear(&other);
}

static void tls__certificates_beyond_the_limit__end_the_handshake(void **state)
{
	struct client_options o = {.version = TLS1_2_VERSION};
	struct err e = ERR_INIT;
	struct identity id;
	struct client c;

	make_identity(&id, KEY_EC_P256, "pledge");
	for (size_t i = 0; i < 60; i++)
		assert_true(cert_list_add(&id.chain, id.cert, &e));
	o.id = &id;
	assert_false(client_try(&c, http_server_port(fx.server), &o));
	client_close(&c);
	identity_clear(&id);
}

static void plain_http__on_the_tls_port__is_never_answered(void **state)
{
	int fd = tcp_connect(http_server_port(fx.server));
	char answer[16];
	ssize_t n;

	assert_true(send(fd, GET("/now"), strlen(GET("/now")), MSG_NOSIGNAL) > 0);
	n = recv(fd, answer, sizeof(answer), MSG_WAITALL);
	assert_true(n < 5 || memcmp(answer, "HTTP/", 5) != 0);
	close(fd);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(request__answered_at_once_and_later__on_one_connection),
		test(reply__headers__are_what_real_clients_need),
		test(request_id__not_valid__is_replaced),
		test(pipeline__sync_and_async_in_one_write__answered_in_order),
		test(request__one_octet_per_record__is_served),
		test(refusal__by_http__is_plain_text_and_keeps_the_connection),
		test(refusal__405__names_the_methods),
		test(refusal__503__says_when_to_come_back),
		test(refusal__framing_in_doubt__closes_the_connection),
		test(refusal__rest_of_the_body_on_the_way__answer_is_still_read),
		test(header_block__too_large__is_431),
		test(expect_100__body_wanted__gets_leave_first),
		test(expect_100__body_not_wanted__gets_the_refusal_instead),
		test(stray_line_end__after_a_body__is_tolerated),
		test(http_1_0__is_answered_and_closed),
		test(head__has_the_length_and_no_body),
		test(close__asked_by_either_side__ends_the_connection),
		test(big_reply__arrives_whole),
		test(half_closed__client_ends_writing__still_gets_its_answer),
		test(two_clients__at_the_same_time__both_served),
		test(peer_left__answer_comes_later__is_dropped),
		test(pipeline__paused_in_the_middle__goes_on_with_what_was_read),
		test(pipeline__of_hundreds__gives_way_to_another_client),
		test(pipeline__half_closed__all_is_answered),
		test(pipeline__client_leaves_while_it_waits__others_are_served),
		test(call__never_answered__is_freed_with_the_server),
		test(tls__versions__1_2_and_1_3_only),
		test(tls__weak_suites_only__is_refused),
		test(tls__any_server_name__gives_the_same_certificate),
		test(tls__client_certificate__reaches_the_handler),
		test(tls__no_client_certificate__is_nobody),
		test(tls__connection_id__stays_and_differs),
		test(tls__channel_binding__is_the_same_at_both_ends),
		test(tls__1_2_without_extended_master_secret__has_no_binding),
		test(tls__session_offered_again__is_not_resumed),
		test(tls__keys_updated_now_and_then__is_served),
		test(tls__keys_updated_without_end__ends_the_connection),
		test(tls__renegotiation__is_refused),
		test(tls__context_replaced__new_connections_use_it),
		test(tls__certificates_beyond_the_limit__end_the_handshake),
		test(plain_http__on_the_tls_port__is_never_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
