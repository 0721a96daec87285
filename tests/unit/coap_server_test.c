/* SPDX-License-Identifier: Apache-2.0 */
/* The CoAPS server over real sockets: messages, repeats, late answers, refusals, peers, limits.
 * Bodies in blocks are coap_server_blocks_test.c's. */
#include "tests/unit/coap_server_fixture.h"

static struct fixture fx;

static int set_up(void **state)
{
	start_server(&fx, NULL);
	return 0;
}

static int tear_down(void **state)
{
	stop_server(&fx);
	return 0;
}

#define GET(p)	   (&(struct ask){.code = COAP_GET, .path = (p)})
#define POST(p, b) (&(struct ask){.code = COAP_POST, .path = (p), .payload = bytes_of_str(b)})

/* req: C-05, C-11, C-25 */
static void request__small__is_answered_with_its_ack(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
		assert_true(said(&m, "now"));
		assert_int_equal(option_of(&m, COAP_OPT_CONTENT_FORMAT), COAP_FORMAT_CBOR);
		assert_int_equal(mote_ask(&m, POST("/echo", "hi")), COAP_CHANGED);
		assert_true(said(&m, "hi"));
	}
	mote_close(&m);
}

static void must_refuse(struct mote *m, const struct ask *q, uint8_t code)
{
	uint8_t got = mote_ask(m, q);
	char have[5], want[5];

	if (got != code)
		fail_msg("%s instead of %s for %s", coap_code_text(got, have),
			coap_code_text(code, want), q->path ? q->path : "no path");
	assert_int_equal(option_of(m, COAP_OPT_CONTENT_FORMAT), -1); /* a diagnostic payload */
	for (size_t i = 0; i < m->reply.payload.len; i++)
		assert_in_range(m->reply.payload.data[i], ' ', '~');
}

/* req: C-03, C-06, C-10, C-21, C-22, R-03 */
static void request__refused_by_coap_itself__gets_its_code(void **state)
{
	static const struct {
		struct ask ask;
		uint8_t code;
	} rows[] = {
		{{.code = COAP_GET, .path = "/nothing"}, COAP_NOT_FOUND},
		{{.code = COAP_GET, .path = "/"}, COAP_NOT_FOUND},
		{{.code = COAP_GET, .path = "/.well-known/est/cacerts"}, COAP_NOT_FOUND},
		{{.code = COAP_POST, .path = "/now"}, COAP_NOT_ALLOWED},
		{{.code = COAP_DELETE, .path = "/now"}, COAP_NOT_ALLOWED},
		{{.code = COAP_PUT, .path = "/.well-known/core"}, COAP_NOT_ALLOWED},
		{{.code = 5, .path = "/now"}, COAP_NOT_ALLOWED},
		{{.code = COAP_POST, .path = "/typed"}, COAP_UNSUPPORTED_FORMAT},
		{{.code = COAP_POST, .path = "/typed", .has_format = true, .format = 60},
			COAP_UNSUPPORTED_FORMAT},
		{{.code = COAP_POST, .path = "/echo", .has_format = true, .format = 65000},
			COAP_UNSUPPORTED_FORMAT},
		{{.code = COAP_GET, .path = "/big", .has_accept = true, .accept = 281},
			COAP_NOT_ACCEPTABLE},
		{{.code = COAP_GET, .path = "/now", .has_accept = true, .accept = 65000},
			COAP_NOT_ACCEPTABLE},
		{{.code = COAP_GET, .path = "/.well-known/core", .has_accept = true, .accept = 60},
			COAP_NOT_ACCEPTABLE},
		{{.code = COAP_GET, .path = "/now", .option = 2053}, COAP_BAD_OPTION},
		{{.code = COAP_GET, .path = "/now", .option = 19}, COAP_BAD_OPTION}, /* Q-Block1 */
		{{.code = COAP_GET, .path = "/now", .option = COAP_OPT_PROXY_URI}, COAP_NO_PROXY},
		{{.code = COAP_GET, .path = "/now", .query = "a#b"}, COAP_BAD_REQUEST},
	};
	struct mote m;

	mote_open(&m, &fx);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		must_refuse(&m, &rows[i].ask, rows[i].code);
	mote_ask(&m, &(struct ask){.code = COAP_POST,
			     .path = "/typed",
			     .has_format = true,
			     .format = COAP_FORMAT_PKCS10,
			     .payload = bytes_of_str("csr")});
	assert_int_equal(m.reply.code, COAP_CHANGED);
	/* elective and unknown: nobody minds */
	mote_ask(&m, &(struct ask){.code = COAP_GET, .path = "/now", .option = 2054});
	assert_int_equal(m.reply.code, COAP_CONTENT);
	mote_close(&m);
}

/* req */
static void path__abbreviated_or_short__is_the_same_resource(void **state)
{
	static const struct {
		struct ask ask;
		uint8_t code;
	} rows[] = {
		{{.code = COAP_GET, .option = 13, .option_value = {(const uint8_t *)"\x01\x2d", 2}},
			COAP_CONTENT},
		{{.code = COAP_GET, .path = "/e/crts"}, COAP_CONTENT},
		{{.code = COAP_GET, .path = "/.well-known/est/crts"}, COAP_CONTENT},
		{{.code = COAP_POST, .path = "/b/es", .has_format = true, .format = 60},
			COAP_CHANGED},
		{{.code = COAP_POST,
			 .option = 13,
			 .option_value = {(const uint8_t *)"\x01\x91", 2},
			 .has_format = true,
			 .format = 60},
			COAP_CHANGED},
		{{.code = COAP_GET, .option = 13}, COAP_CONTENT}, /* /.well-known/core */
		{{.code = COAP_GET, .option = 13, .option_value = {(const uint8_t *)"\x03\xe7", 2}},
			COAP_BAD_OPTION},
		{{.code = COAP_GET,
			 .path = "/.well-known/est/crts",
			 .option = 13,
			 .option_value = {(const uint8_t *)"\x01\x2d", 2}},
			COAP_BAD_OPTION},
		{{.code = COAP_GET,
			 .option = 13,
			 .option_value = {(const uint8_t *)"\0\0\0\x01\x2d", 5}},
			COAP_BAD_OPTION},
		{{.code = COAP_GET, .path = "/x/crts"}, COAP_NOT_FOUND},
		{{.code = COAP_GET, .path = "/ecrts"}, COAP_NOT_FOUND},
	};
	struct mote m;

	mote_open(&m, &fx);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_int_equal(mote_ask(&m, &rows[i].ask), rows[i].code);
		if (i < 3)
			assert_non_null(memmem(m.reply.payload.data, m.reply.payload.len,
				"path=/.well-known/est/crts", 26));
	}
	mote_close(&m);
}

/* req, C-26 */
static void discovery__filtered__lists_what_is_asked_for(void **state)
{
	static const struct {
		const char *query, *links;
	} rows[] = {
		{NULL, "</b>;rt=brski,</e>;rt=ace.est,</b/rv>;rt=brski.rv;ct=836,"
		       "</b/es>;rt=brski.es;ct=60,"
		       "</e/crts>;rt=ace.est.crts;ct=\"60 50\""},
		{"rt=brski*", "</b>;rt=brski,</b/rv>;rt=brski.rv;ct=836,"
			      "</b/es>;rt=brski.es;ct=60"},
		{"rt=brski", "</b>;rt=brski"},
		{"rt=brski.rv", "</b/rv>;rt=brski.rv;ct=836"},
		{"rt=brski.jp", ""},
	};
	struct mote m;

	mote_open(&m, &fx);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ask q = {
			.code = COAP_GET, .path = "/.well-known/core", .query = rows[i].query};
		char text[600];

		assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
		snprintf(text, sizeof(text), "%.*s", (int)m.reply.payload.len,
			m.reply.payload.len ? (const char *)m.reply.payload.data : "");
		assert_string_equal(text, rows[i].links);
		if (rows[i].links[0])
			assert_int_equal(option_of(&m, COAP_OPT_CONTENT_FORMAT), COAP_FORMAT_LINK);
	}
	mote_close(&m);
}

/* req: C-17, C-18 */
static void answer__later_by_handler__is_unavailable_with_max_age(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, GET("/pending")), COAP_UNAVAILABLE);
	assert_int_equal(option_of(&m, COAP_OPT_MAX_AGE), 7);
	assert_true(said(&m, "Wait for an administrator."));
	mote_close(&m);
}

/* req: D-11, C-38 */
static void peer__who_it_is__is_known_to_handlers(void **state)
{
	char text[600];
	struct mote m;

	mote_open(&m, &fx);
	mote_ask(&m, &(struct ask){.code = COAP_GET, .path = "/e/crts", .query = "a=b"});
	snprintf(text, sizeof(text), "%.*s", (int)m.reply.payload.len,
		(const char *)m.reply.payload.data);
	assert_non_null(strstr(text, "device chain=1 tls=fefd binding=12 constrained=1 id=4611"));
	assert_non_null(strstr(text, "at=127.0.0.1:"));
	assert_non_null(strstr(text, "query=a=b path=/.well-known/est/crts"));
	mote_close(&m);
}

/* ---- Repeats -------------------------------------------------------------------------------- */

/* req: C-20 */
static void request__repeated__is_answered_alike_and_executed_once(void **state)
{
	struct ask q = {.code = COAP_POST, .path = "/count", .id = 77};
	struct mote m;

	mote_open(&m, &fx);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(mote_ask(&m, &q), COAP_CHANGED);
		assert_true(said(&m, "1"));
	}
	q.id = 78;
	mote_ask(&m, &q);
	assert_true(said(&m, "2"));
	q.id = 77;
	mote_ask(&m, &q);
	assert_true(said(&m, "1"));
	mote_close(&m);
}

/* req: C-19, C-20 */
static void request__non_confirmable__is_answered_once(void **state)
{
	struct ask q = {.code = COAP_POST, .path = "/count", .id = 5, .non = true};
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_CHANGED);
	mote_ask_only(&m, &q);
	q.id = 6;
	mote_ask(&m, &q); /* the next thing that comes is the answer to this one */
	assert_true(said(&m, "2"));
	q = (struct ask){.code = COAP_GET, .path = "/now", .option = 2053, .non = true};
	assert_int_equal(mote_ask(&m, &q), COAP_BAD_OPTION);
	mote_close(&m);
}

/* The peer of a small request gets no empty ACK: it might not be able to read what follows. */
static void request__repeated_while_the_handler_works__waits(void **state)
{
	struct ask q = {.code = COAP_POST, .path = "/keep", .id = 9};
	struct mote m;

	mote_open(&m, &fx);
	mote_ask_only(&m, &q);
	mote_ask_only(&m, &q);
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	release(await_kept(&fx.app));
	mote_await(&m);
	assert_int_equal(m.reply.type, COAP_ACK);
	assert_int_equal(m.reply.id, 9);
	assert_int_equal(m.reply.code, COAP_CHANGED);
	assert_int_equal(atomic_load(&fx.app.count), 1);
	mote_close(&m);
}

static void request__same_in_a_new_message__gets_the_work_that_is_under_way(void **state)
{
	struct ask q = {.code = COAP_POST, .path = "/keep", .payload = bytes_of_str("x")};
	struct mote m;

	mote_open(&m, &fx);
	mote_ask_only(&m, &q); /* 1 */
	mote_ask_only(&m, &q); /* 2 */
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	release(await_kept(&fx.app));
	mote_await(&m);
	assert_int_equal(m.reply.id, 2);
	assert_int_equal(atomic_load(&fx.app.count), 1);
	mote_close(&m);
}

static void request__others_of_one_peer__are_bounded(void **state)
{
	struct call *kept[4];
	struct mote m;

	mote_open(&m, &fx);
	for (size_t i = 0; i < 4; i++) {
		char body[2] = {(char)('a' + i), '\0'};

		mote_ask_only(&m, POST("/keep", body));
		kept[i] = await_kept(&fx.app);
	}
	assert_int_equal(mote_ask(&m, POST("/keep", "e")), COAP_UNAVAILABLE);
	assert_true(option_of(&m, COAP_OPT_MAX_AGE) > 0);
	for (size_t i = 0; i < 4; i++)
		release(kept[i]);
	mote_close(&m);
}

/* ---- Late answers --------------------------------------------------------------------------- */

static void restart(const struct coap_limits *limits)
{
	tear_down(NULL);
	start_server(&fx, limits);
}

/* req: C-16 */
static void answer__late_to_a_request_in_blocks__is_separate(void **state)
{
	struct ask q = {.code = COAP_POST,
		.path = "/keep",
		.has_block1 = true,
		.block1 = {0, false, 5},
		.id = 3};
	struct mote m;

	restart(&(struct coap_limits){.ack_ms = 1, .repeat_ms = 20});
	mote_open(&m, &fx);
	mote_ask_only(&m, &q);
	mote_await(&m);
	assert_true(m.reply.type == COAP_ACK && m.reply.code == COAP_EMPTY && m.reply.id == 3);
	mote_ask_only(&m, &q); /* the ACK was lost */
	mote_await(&m);
	assert_true(m.reply.type == COAP_ACK && m.reply.code == COAP_EMPTY && m.reply.id == 3);
	release(await_kept(&fx.app));
	for (int i = 0; i < 2; i++) { /* and again, until it is acknowledged */
		mote_await(&m);
		assert_int_equal(m.reply.type, COAP_CON);
		assert_int_equal(m.reply.code, COAP_CHANGED);
		assert_memory_equal(m.reply.token, "\x03", 2);
		assert_int_equal(block_of(&m, COAP_OPT_BLOCK2).num, 0);
		assert_true(block_of(&m, COAP_OPT_BLOCK2).more);
	}
	mote_send(&m, &(struct coap_message){.type = COAP_ACK, .id = m.reply.id});
	q = (struct ask){
		.code = COAP_POST, .path = "/keep", .has_block2 = true, .block2 = {1, false, 5}};
	assert_int_equal(mote_ask(&m, &q), COAP_CHANGED);
	assert_int_equal(m.reply.payload.len, 512);
	assert_int_equal(atomic_load(&fx.app.count), 1);
	mote_close(&m);
}

/* req: C-17, C-20 */
static void answer__late_to_a_small_request__is_fetched_by_asking_again(void **state)
{
	struct ask q = {.code = COAP_POST, .path = "/keep", .payload = bytes_of_str("csr")};
	struct call *c;
	struct mote m;

	restart(&(struct coap_limits){.late_ms = 1});
	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_UNAVAILABLE);
	assert_true(option_of(&m, COAP_OPT_MAX_AGE) > 0);
	assert_int_equal(mote_ask(&m, &q), COAP_UNAVAILABLE); /* it is still not there */
	c = await_kept(&fx.app);
	release(c);
	while (mote_ask(&m, &q) == COAP_UNAVAILABLE)
		;
	assert_int_equal(m.reply.code, COAP_CHANGED);
	assert_int_equal(atomic_load(&fx.app.count), 1);
	mote_close(&m);
}

static void answer__never_by_handler__is_unavailable(void **state)
{
	struct mote m;

	restart(&(struct coap_limits){.request_ms = 1});
	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, POST("/keep", "x")), COAP_UNAVAILABLE);
	release(await_kept(&fx.app));
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	mote_close(&m);
}

static void peer__gone_before_the_answer__harms_nobody(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	mote_ask_only(&m, POST("/keep", "x"));
	{
		struct call *c = await_kept(&fx.app);

		mote_close(&m);
		mote_open(&m, &fx);
		release(c);
	}
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	mote_close(&m);
}

/* ---- Messages that are none ----------------------------------------------------------------- */

static void must_get_reset(struct mote *m, const void *octets, size_t len, uint16_t id)
{
	mote_send_octets(m, octets, len);
	mote_await(m);
	assert_int_equal(m->reply.type, COAP_RST);
	assert_int_equal(m->reply.id, id);
}

static void message__ping_or_broken__is_reset_or_ignored(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	must_get_reset(&m, "\x40\0\x12\x34", 4, 0x1234);       /* ping */
	must_get_reset(&m, "\x41\x01\x12\x35", 4, 0x1235);     /* token missing */
	must_get_reset(&m, "\x40\x01\x12\x36\xff", 5, 0x1236); /* empty payload */
	must_get_reset(&m, "\x40\x45\x12\x37", 4, 0x1237);     /* a response */
	mote_send_octets(&m, "\x50\0\x12\x38", 4);	       /* empty NON */
	mote_send_octets(&m, "\x60\0\x12\x39", 4);	       /* ACK to nothing */
	mote_send_octets(&m, "\x70\0\x12\x3a", 4);	       /* RST to nothing */
	mote_send_octets(&m, "\xc0\x01\x12\x3b", 4);	       /* another version */
	mote_send_octets(&m, "\x40", 1);
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	mote_close(&m);
}

/* ---- Peers ---------------------------------------------------------------------------------- */

/* req: R-06 */
static void close__asked_for_by_handler__follows_the_answer(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, POST("/close", "x")), COAP_UNAUTHORIZED);
	assert_null(memmem(m.reply.payload.data, m.reply.payload.len, "secret", 6));
	assert_true(mote_is_ended(&m));
	mote_close(&m);
}

static void close__by_the_peer__frees_the_session(void **state)
{
	struct mote m, other;

	mote_open(&m, &fx);
	mote_open(&other, &fx);
	assert_int_equal(coap_server_sessions(fx.server), 2);
	dtls_close(m.d);
	while (coap_server_sessions(fx.server) != 1)
		sched_yield();
	assert_int_equal(mote_ask(&other, GET("/now")), COAP_CONTENT);
	mote_close(&m);
	mote_close(&other);
}

/* req: J-07, J-08, J-09, J-10, J-11, D-13 */
static void join_proxy__two_devices_behind_one_socket__are_two(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device};
	int fd = udp_connect(coap_server_jpy_port(fx.server));
	struct mote a, b;
	struct mote *both[] = {&a, &b};
	char of_a[600];

	assert_int_not_equal(coap_server_jpy_port(fx.server), coap_server_port(fx.server));
	mote_start(&a, fd, "device a", &config);
	mote_start(&b, fd, "device b", &config);
	send(fd, "", 0, 0);
	send(fd, "rubbish", 7, 0);
	send(fd, "\x81\x41x", 3, 0);
	send(fd, "\x9f\x41x\x41y\xff", 6, 0);
	while (!(a.established && b.established))
		assert_true(motes_receive(both, 2, PATIENCE_MS));
	assert_int_equal(coap_server_sessions(fx.server), 2);
	for (int i = 0; i < 3; i++) {
		mote_ask_only(&a, GET("/e/crts"));
		mote_ask_only(&b, GET("/e/crts"));
		while (!a.in_count || !b.in_count)
			assert_true(motes_receive(both, 2, PATIENCE_MS));
		mote_await(&a);
		mote_await(&b);
		assert_int_equal(a.reply.code, COAP_CONTENT);
		snprintf(of_a, sizeof(of_a), "%.*s", (int)a.reply.payload.len,
			(const char *)a.reply.payload.data);
		assert_non_null(strstr(of_a, "+"));
		assert_false(said(&b, of_a));
	}
	mote_close(&a);
	mote_close(&b);
	close(fd);
}

/* A device that lost power begins anew from the same port, and need not wait for anything. */
static void peer__restarted__takes_the_place_of_the_old(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device};
	struct mote m;
	int fd;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	fd = m.fd;
	dtls_free(m.d); /* without a word */
	mote_start(&m, fd, NULL, &config);
	assert_true(mote_finish(&m));
	assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
	assert_int_equal(coap_server_sessions(fx.server), 1);
	m.own_fd = true;
	mote_close(&m);
}

/* The device's socket is connected: from another address it would hear nothing. */
static void listen__any_address__answers_from_the_one_asked(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "127.0.0.77", "::1"};
	const struct dtls_client_config config = {.identity = &fx.device};
	struct coap_server_config any = {.listen = "[::]:0",
		.tls = fx.tls,
		.log = &fx.log,
		.routes = routes,
		.route_count = 1};
	struct err e = ERR_INIT;
	struct loop *loop = loop_new(&e);
	struct coap_server *server = coap_server_new(&any, &loop, 1, &e);
	pthread_t thread;

	if (!server)
		fail_msg("%s", e.text);
	pthread_create(&thread, NULL, run_loop, loop);
	for (size_t i = 0; i < 3; i++) {
		bool v6 = strchr(addresses[i], ':') != NULL;
		struct sockaddr_in6 v6_sa = {
			.sin6_family = AF_INET6, .sin6_port = htons(coap_server_port(server))};
		struct sockaddr_in v4_sa = {
			.sin_family = AF_INET, .sin_port = htons(coap_server_port(server))};
		int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
		struct mote m;

		inet_pton(v6 ? AF_INET6 : AF_INET, addresses[i],
			v6 ? (void *)&v6_sa.sin6_addr : (void *)&v4_sa.sin_addr);
		if (connect(fd, v6 ? (void *)&v6_sa : (void *)&v4_sa,
			    v6 ? sizeof(v6_sa) : sizeof(v4_sa)) != 0) {
			close(fd); /* a machine without IPv6 */
			continue;
		}
		mote_start(&m, fd, NULL, &config);
		m.own_fd = true;
		if (!mote_finish(&m))
			fail_msg("%s: %s", addresses[i], m.why.text);
		assert_int_equal(mote_ask(&m, GET("/now")), COAP_CONTENT);
		mote_close(&m);
	}
	loop_stop(loop);
	pthread_join(thread, NULL);
	coap_server_free(server);
	loop_free(loop);
}

static void limits__sessions__longest_silent_goes(void **state)
{
	struct mote m[6];

	restart(&(struct coap_limits){.sessions_max = 4, .sessions_per_identity_max = 100});
	for (size_t i = 0; i < 6; i++) {
		mote_open(&m[i], &fx);
		assert_int_equal(mote_ask(&m[i], GET("/now")), COAP_CONTENT);
		assert_in_range(coap_server_sessions(fx.server), 1, 5);
	}
	assert_int_equal(mote_ask(&m[5], GET("/now")), COAP_CONTENT);
	for (size_t i = 0; i < 6; i++)
		mote_close(&m[i]);
}

/* What is held for one goes when another needs it; who holds nothing stays. */
static void limits__memory__longest_silent_holder_goes(void **state)
{
	static const uint8_t block[512];
	struct ask q = {.code = COAP_POST,
		.path = "/echo",
		.has_block1 = true,
		.block1 = {0, true, 5},
		.payload = bytes_of(block, sizeof(block))};
	struct mote modest, m[8];
	size_t ended = 0;

	restart(&(struct coap_limits){.held_max = 8192});
	mote_open(&modest, &fx);
	assert_int_equal(mote_ask(&modest, GET("/now")), COAP_CONTENT);
	for (size_t i = 0; i < 8; i++) {
		mote_open(&m[i], &fx);
		assert_int_equal(mote_ask(&m[i], &q), COAP_CONTINUE);
	}
	for (size_t i = 0; i < 8; i++) {
		struct mote *one = &m[i];

		while (motes_receive(&one, 1, 1))
			;
		ended += one->over;
		mote_close(one);
	}
	assert_in_range(ended, 1, 6);
	assert_int_equal(mote_ask(&modest, GET("/now")), COAP_CONTENT);
	mote_close(&modest);
}

/* More at once than there may be: all get in, one after the other. */
static void limits__handshakes__who_comes_in_a_crowd_comes_again(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device, .retransmit_ms = 30};
	struct mote m[12];

	restart(&(struct coap_limits){.handshakes_max = 2});
	for (size_t i = 0; i < 12; i++) {
		mote_start(&m[i], udp_connect(coap_server_port(fx.server)), NULL, &config);
		m[i].own_fd = true;
	}
	for (int round = 0; round < 2; round++) /* as far as the server's first flight, or not */
		for (size_t i = 0; i < 12; i++) {
			struct mote *one = &m[i];

			motes_receive(&one, 1, 20);
		}
	assert_in_range(coap_server_sessions(fx.server), 1, 2);
	for (size_t i = 0; i < 12; i++)
		if (!mote_finish(&m[i]) && !m[i].over)
			fail_msg("the %zuth does not come through", i);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(mote_ask(&m[i], GET("/now")), COAP_CONTENT);
		mote_close(&m[i]);
	}
}

static void limits__one_certificate__makes_room_among_itself(void **state)
{
	struct mote m[5];

	restart(&(struct coap_limits){.sessions_per_identity_max = 2});
	for (size_t i = 0; i < 5; i++) {
		const struct dtls_client_config config = {.identity = &fx.device};

		mote_start(&m[i], udp_connect(coap_server_port(fx.server)), NULL, &config);
		m[i].own_fd = true;
		mote_finish(&m[i]);
	}
	while (coap_server_sessions(fx.server) > 2)
		sched_yield();
	for (size_t i = 0; i < 5; i++)
		mote_close(&m[i]);
}

static void handshake__never_finished__is_forgotten(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device};
	struct mote m;

	restart(&(struct coap_limits){.handshake_ms = 50});
	mote_start(&m, udp_connect(coap_server_port(fx.server)), NULL, &config);
	m.own_fd = true;
	while (coap_server_sessions(fx.server) == 0) {
		struct mote *one = &m;

		assert_true(motes_receive(&one, 1, PATIENCE_MS)); /* the cookie, no more */
		break;
	}
	while (coap_server_sessions(fx.server) == 0)
		sched_yield();
	while (coap_server_sessions(fx.server) != 0)
		sched_yield();
	mote_close(&m);
}

static void session__silent_for_long__is_closed(void **state)
{
	struct mote m;

	restart(&(struct coap_limits){.idle_ms = 50});
	mote_open(&m, &fx);
	assert_true(mote_is_ended(&m));
	while (coap_server_sessions(fx.server) != 0)
		sched_yield();
	mote_close(&m);
}

/* ---- The server's own life ------------------------------------------------------------------ */

static void reload__new_identity__is_shown_to_new_peers(void **state)
{
	struct err e = ERR_INIT;
	struct identity second;
	struct tls_server *tls;
	struct mote old, young;
	struct cert_list seen CERT_LIST_AUTO = CERT_LIST_INIT;

	mote_open(&old, &fx);
	fixture_identity(KEY_EC_P256, "second", &second);
	tls = dtls_server_new(&second, &e);
	assert_non_null(tls);
	coap_server_set_tls(fx.server, tls);
	tls_server_free(tls);
	mote_open(&young, &fx);
	MUST(dtls_peer_certs(young.d, NULL, &seen, &e));
	assert_true(cert_same(seen.items[0], second.cert));
	assert_int_equal(mote_ask(&old, GET("/now")), COAP_CONTENT);
	assert_int_equal(mote_ask(&young, GET("/now")), COAP_CONTENT);
	mote_close(&old);
	mote_close(&young);
	identity_clear(&second);
}

static void on_drained(void *arg)
{
	struct app *app = arg;

	pthread_mutex_lock(&app->lock);
	app->drained++;
	pthread_cond_broadcast(&app->changed);
	pthread_mutex_unlock(&app->lock);
}

static int await_drained(struct app *app)
{
	int drained;

	pthread_mutex_lock(&app->lock);
	while (!app->drained)
		pthread_cond_wait(&app->changed, &app->lock);
	drained = app->drained;
	pthread_mutex_unlock(&app->lock);
	return drained;
}

static void drain__running_requests__are_answered_first(void **state)
{
	const struct dtls_client_config config = {.identity = &fx.device};
	struct mote idle, busy, late;
	struct call *c;

	restart(&(struct coap_limits){.drain_grace_ms = 1});
	mote_open(&idle, &fx);
	mote_open(&busy, &fx);
	mote_ask_only(&busy, POST("/keep", "x"));
	c = await_kept(&fx.app);
	coap_server_drain(fx.server, PATIENCE_MS, on_drained, &fx.app);
	assert_true(mote_is_ended(&idle));
	mote_start(&late, udp_connect(coap_server_port(fx.server)), NULL, &config);
	late.own_fd = true;
	release(c);
	mote_await(&busy);
	assert_int_equal(busy.reply.code, COAP_CHANGED);
	while (block_of(&busy, COAP_OPT_BLOCK2).more) { /* and may be fetched to its end */
		struct coap_block next = block_of(&busy, COAP_OPT_BLOCK2);

		next.num++;
		mote_ask(&busy, &(struct ask){.code = COAP_POST,
					.path = "/keep",
					.has_block2 = true,
					.block2 = next});
	}
	assert_true(mote_is_ended(&busy));
	assert_int_equal(await_drained(&fx.app), 1);
	assert_false(late.established);
	mote_close(&idle);
	mote_close(&busy);
	mote_close(&late);
}

static void drain__nobody_answers__ends_in_time(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	mote_ask_only(&m, POST("/keep", "x"));
	await_kept(&fx.app); /* and never answered */
	coap_server_drain(fx.server, 10, on_drained, &fx.app);
	assert_int_equal(await_drained(&fx.app), 1);
	mote_close(&m);
}

static void server_new__address_in_use__is_refused(void **state)
{
	struct coap_server_config config = {.tls = fx.tls, .log = &fx.log};
	struct err e = ERR_INIT;
	char listen[32];

	snprintf(listen, sizeof(listen), "127.0.0.1:%u", coap_server_port(fx.server));
	config.listen = listen;
	assert_null(coap_server_new(&config, fx.app.loops, LOOPS, &e));
	assert_int_equal(e.kind, ERR_IO);
	config.listen = "nonsense";
	assert_null(coap_server_new(&config, fx.app.loops, LOOPS, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(request__small__is_answered_with_its_ack),
		T(request__refused_by_coap_itself__gets_its_code),
		T(path__abbreviated_or_short__is_the_same_resource),
		T(discovery__filtered__lists_what_is_asked_for),
		T(answer__later_by_handler__is_unavailable_with_max_age),
		T(peer__who_it_is__is_known_to_handlers),
		T(request__repeated__is_answered_alike_and_executed_once),
		T(request__non_confirmable__is_answered_once),
		T(request__repeated_while_the_handler_works__waits),
		T(request__same_in_a_new_message__gets_the_work_that_is_under_way),
		T(request__others_of_one_peer__are_bounded),
		T(answer__late_to_a_request_in_blocks__is_separate),
		T(answer__late_to_a_small_request__is_fetched_by_asking_again),
		T(answer__never_by_handler__is_unavailable),
		T(peer__gone_before_the_answer__harms_nobody),
		T(message__ping_or_broken__is_reset_or_ignored),
		T(close__asked_for_by_handler__follows_the_answer),
		T(close__by_the_peer__frees_the_session),
		T(join_proxy__two_devices_behind_one_socket__are_two),
		T(peer__restarted__takes_the_place_of_the_old),
		T(limits__sessions__longest_silent_goes),
		T(limits__memory__longest_silent_holder_goes),
		T(listen__any_address__answers_from_the_one_asked),
		T(limits__handshakes__who_comes_in_a_crowd_comes_again),
		T(limits__one_certificate__makes_room_among_itself),
		T(handshake__never_finished__is_forgotten),
		T(session__silent_for_long__is_closed),
		T(reload__new_identity__is_shown_to_new_peers),
		T(drain__running_requests__are_answered_first),
		T(drain__nobody_answers__ends_in_time),
		T(server_new__address_in_use__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
