/* SPDX-License-Identifier: Apache-2.0 */
/* What a load balancer says of a connection: read as its layout is, and heard from balancers only.
 */
#include "tests/unit/server_fixture.h"

#include "common/net/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4(ends)  SIGNATURE "\x21\x11\0" ends
#define V6(ends)  SIGNATURE "\x21\x21\0" ends
#define FOUR	  "\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x20\xfb" /* 192.0.2.7:40000 → … */
#define SIX                                                                                        \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"     \
	"\x9c\x40\x20\xfb"
#define NOTE	"\x04\0\x02hi" /* an extension of two octets */
#define B(text) bytes_of(text, sizeof(text) - 1)

#define SHORT_MS 150
#define LATE_MS	 5000

static struct fixture fx;

/* ---- The header itself ---- */

static void expect_from(struct bytes header, const char *address)
{
	char text[ADDRESS_TEXT_MAX];
	struct proxy_header h;
	struct err e = ERR_INIT;
	size_t length;

	assert_true(proxy_header_length(header, &length, &e));
	assert_int_equal(length, header.len);
	if (!proxy_header_parse(header, &h, &e))
		fail_msg("%s", e.text);
	assert_int_equal(h.told, address != NULL);
	if (address)
		assert_string_equal(address_format(&h.from, text), address);
}

static void proxy_header_parse__of_tcp__says_whose_connection_it_is(void **state)
{
	expect_from(B(V4("\x0c") FOUR), "192.0.2.7:40000");
	expect_from(B(V4("\x11") FOUR NOTE), "192.0.2.7:40000");
	expect_from(B(V4("\x16") FOUR NOTE NOTE), "192.0.2.7:40000");
	expect_from(B(V6("\x24") SIX), "[2001:db8::9]:40000");
	expect_from(B(V6("\x29") SIX NOTE), "[2001:db8::9]:40000");
}

static void proxy_header_parse__of_the_balancer_itself__names_nobody(void **state)
{
	expect_from(B(SIGNATURE "\x20\x00\0\0"), NULL);
	expect_from(B(SIGNATURE "\x20\x11\0\x0c" FOUR), NULL);
	expect_from(B(SIGNATURE "\x20\xff\0\x03xyz"), NULL);
}

static void proxy_header_parse__what_is_not_as_it_must_be__is_refused(void **state)
{
	static const struct {
		const char *what;
		struct bytes header;
	} rows[] = {
		{"too short for its addresses", {(const uint8_t *)V4("\x0b") FOUR, 27}},
		{"IPv6 in the room of IPv4", {(const uint8_t *)V6("\x0c") FOUR, 28}},
		{"an octet behind the addresses", {(const uint8_t *)V4("\x0d") FOUR "x", 29}},
		{"an extension beyond the end",
			{(const uint8_t *)V4("\x10") FOUR "\x04\0\x02h", 32}},
		{"an octet after the header", {(const uint8_t *)V4("\x0c") FOUR "x", 29}},
		{"the header is longer", {(const uint8_t *)V4("\x0d") FOUR, 28}},
		{"datagrams", {(const uint8_t *)SIGNATURE "\x21\x12\0\x0c" FOUR, 28}},
		{"a family of none", {(const uint8_t *)SIGNATURE "\x21\x00\0\0", 16}},
		{"a Unix socket", {(const uint8_t *)SIGNATURE "\x21\x31\0\x0c" FOUR, 28}},
		{"from 0.0.0.0",
			{(const uint8_t *)V4("\x0c") "\0\0\0\0\xc6\x33\x64\x01\x9c\x40\x20\xfb",
				28}},
		{"from a multicast address",
			{(const uint8_t *)V4("\x0c") "\xe0\0\0\x01\xc6\x33\x64\x01\x9c\x40\x20\xfb",
				28}},
		{"from port 0",
			{(const uint8_t *)V4("\x0c") "\xc0\0\x02\x07\xc6\x33\x64\x01\0\0\x20\xfb",
				28}},
		{"nothing", {(const uint8_t *)"", 0}},
		{"its signature alone", {(const uint8_t *)SIGNATURE, 12}},
	};
	struct proxy_header h;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;

		if (proxy_header_parse(rows[i].header, &h, &e) || e.kind != ERR_INPUT)
			fail_msg("%s", rows[i].what);
	}
}

/* Whoever reads by it never takes an octet of what follows. */
static void proxy_header_length__octet_by_octet__is_never_beyond_the_end(void **state)
{
	static const char header[] = V4("\x11") FOUR NOTE;

	for (size_t n = 0; n < sizeof(header); n++) {
		struct err e = ERR_INIT;
		size_t length;

		assert_true(proxy_header_length(bytes_of(header, n), &length, &e));
		assert_int_equal(length, n < PROXY_FIXED_LEN ? PROXY_FIXED_LEN : 33);
	}
}

static void proxy_header_length__no_header__is_refused_at_the_octet_that_says_so(void **state)
{
	static const struct {
		struct bytes begun;
		enum err_kind kind;
	} rows[] = {
		{{(const uint8_t *)"\x16", 1}, ERR_INPUT}, /* TLS */
		{{(const uint8_t *)"GET", 3}, ERR_INPUT},
		{{(const uint8_t *)"P", 1}, ERR_INPUT},
		{{(const uint8_t *)"PROXY TCP4 192.0.2.7", 20}, ERR_INPUT},
		{{(const uint8_t *)"\r\n\r\n\0\r\nQUIX", 11}, ERR_INPUT},
		{{(const uint8_t *)SIGNATURE "\x11", 13}, ERR_INPUT},
		{{(const uint8_t *)SIGNATURE "\x22", 13}, ERR_INPUT},
		{{(const uint8_t *)SIGNATURE "\x21\x11\x04\x01", 16}, ERR_TOO_LARGE},
		{{(const uint8_t *)SIGNATURE "\x20\x00\xff\xff", 16}, ERR_TOO_LARGE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e = ERR_INIT;
		size_t length;

		if (proxy_header_length(rows[i].begun, &length, &e) || e.kind != rows[i].kind)
			fail_msg("row %zu", i);
	}
}

/* ---- In front of a connection ---- */

static void serve_behind(const char *balancers, const struct http_limits *limits)
{
	start_server_behind(&fx, "127.0.0.1:0", limits, balancers);
}

static int connect_saying(struct bytes header)
{
	int fd = tcp_connect(http_server_port(fx.server));

	assert_int_equal(send(fd, header.data, header.len, MSG_NOSIGNAL), header.len);
	return fd;
}

static bool open_saying(struct client *c, struct bytes header)
{
	return client_try_on(c, connect_saying(header), NULL);
}

static void connection__from_a_balancer__is_of_whom_it_says(void **state)
{
	struct client c;

	serve_behind("192.0.2.0/24 127.0.0.0/8", NULL);
	assert_true(open_saying(&c, B(V4("\x11") FOUR NOTE)));
	assert_int_equal(ask(&c, GET("/from")), 200);
	assert_string_equal(last_reply.body, "192.0.2.7:40000");
	client_close(&c);
	assert_true(open_saying(&c, B(V6("\x24") SIX)));
	assert_int_equal(ask(&c, GET("/from")), 200);
	assert_string_equal(last_reply.body, "[2001:db8::9]:40000");
	client_close(&c);
	assert_true(open_saying(&c, B(SIGNATURE "\x20\x00\0\0")));
	assert_int_equal(ask(&c, GET("/from")), 200);
	assert_int_equal(strncmp(last_reply.body, "127.0.0.1:", 10), 0);
	client_close(&c);
	stop_server(&fx);
}

static void connection__header_in_pieces_with_tls_right_behind__is_served(void **state)
{
	static const char header[] = V4("\x11") FOUR NOTE;
	struct client c;
	int fd;

	serve_behind("127.0.0.1/32", NULL);
	fd = tcp_connect(http_server_port(fx.server));
	for (size_t i = 0; i + 1 < sizeof(header); i++)
		assert_int_equal(send(fd, header + i, 1, MSG_NOSIGNAL), 1);
	assert_true(client_try_on(&c, fd, NULL));
	assert_int_equal(ask(&c, GET("/from")), 200);
	assert_string_equal(last_reply.body, "192.0.2.7:40000");
	client_close(&c);
	stop_server(&fx);
}

/* What stands in front of TLS is no part of it: who is not listed cannot say who he is. */
static void connection__from_anybody_else__is_not_heard(void **state)
{
	struct client c;

	serve_behind("192.0.2.0/24", NULL);
	assert_false(open_saying(&c, B(V4("\x0c") FOUR)));
	client_close(&c);
	client_open(&c, http_server_port(fx.server), NULL);
	assert_int_equal(ask(&c, GET("/from")), 200);
	assert_int_equal(strncmp(last_reply.body, "127.0.0.1:", 10), 0);
	client_close(&c);
	stop_server(&fx);
}

static void connection__from_a_balancer_without_a_good_header__is_closed(void **state)
{
	static const struct bytes rows[] = {
		{NULL, 0},						/* TLS at once */
		{(const uint8_t *)V4("\x0c") FOUR V4("\x0c") FOUR, 56}, /* twice */
		{(const uint8_t *)"PROXY TCP4 192.0.2.7 198.51.100.1 40000 8443\r\n", 46},
		{(const uint8_t *)SIGNATURE "\x21\x11\xff\xff" FOUR, 28},
		{(const uint8_t *)SIGNATURE "\x21\x31\0\x0c" FOUR, 28},
		{(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
	};

	serve_behind("127.0.0.0/8", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct client c;

		if (open_saying(&c, rows[i]))
			fail_msg("row %zu", i);
		client_close(&c);
	}
	stop_server(&fx);
}

static void connection__header_dripped__ends_at_the_absolute_deadline(void **state)
{
	const struct http_limits l = {.handshake_ms = SHORT_MS};
	const int64_t begin = clock_mono_ms();
	int fd;
	char octet;

	serve_behind("127.0.0.0/8", &l);
	fd = connect_saying(B(SIGNATURE "\x21\x11\x03\xe8"));
	for (ssize_t n = -1; n != 0 && clock_mono_ms() - begin < LATE_MS;) {
		if (send(fd, "x", 1, MSG_NOSIGNAL) < 0)
			break;
		n = recv(fd, &octet, 1, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
		usleep(10000);
	}
	assert_in_range(clock_mono_ms() - begin, SHORT_MS / 2, LATE_MS - 1);
	close(fd);
	stop_server(&fx);
}

/* A connection that is refused is counted a little longer than its peer has it. */
static void await_connections(size_t wanted)
{
	const int64_t begin = clock_mono_ms();

	while (http_server_connections(fx.server) != wanted && clock_mono_ms() - begin < LATE_MS)
		usleep(1000);
	assert_int_equal(http_server_connections(fx.server), wanted);
}

/* The limit of a source is of the one that is told, and one source does not use up another's. */
static void connections__of_one_source__are_limited_by_whom_they_are_of(void **state)
{
	const struct http_limits l = {.connections_per_source_max = 2};
	static const char other[] = V4("\x0c") "\xc0\x00\x02\x08\xc6\x33\x64\x01\x9c\x40\x20\xfb";
	struct client mine[3], others[2];
	int closed = 0;

	serve_behind("127.0.0.0/8", &l);
	for (int i = 0; i < 2; i++) {
		assert_true(open_saying(&others[i], B(other)));
		assert_int_equal(ask(&others[i], GET("/now")), 200);
	}
	for (int i = 0; i < 3; i++) {
		/* each on a loop of its own choice: whom it cannot make room among, it is refused
		 */
		if (!open_saying(&mine[i], B(V4("\x0c") FOUR)))
			closed++;
		else
			assert_int_equal(ask(&mine[i], GET("/now")), 200);
	}
	await_connections(4);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ask(&others[i], GET("/now")), 200);
	assert_in_range(closed, 0, 1);
	for (int i = 0; i < 3; i++)
		client_close(&mine[i]);
	for (int i = 0; i < 2; i++)
		client_close(&others[i]);
	stop_server(&fx);
}

static void server__networks_that_are_none__does_not_start(void **state)
{
	struct http_server_config config = {
		.listen = "127.0.0.1:0", .proxied_from = "the balancer", .without_tls = true};
	struct err e = ERR_INIT;
	struct loop *loop = loop_new(&e);

	assert_null(http_server_new(&config, &loop, 1, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proxy_header_parse__of_tcp__says_whose_connection_it_is),
		cmocka_unit_test(proxy_header_parse__of_the_balancer_itself__names_nobody),
		cmocka_unit_test(proxy_header_parse__what_is_not_as_it_must_be__is_refused),
		cmocka_unit_test(proxy_header_length__octet_by_octet__is_never_beyond_the_end),
		cmocka_unit_test(
			proxy_header_length__no_header__is_refused_at_the_octet_that_says_so),
		cmocka_unit_test(connection__from_a_balancer__is_of_whom_it_says),
		cmocka_unit_test(connection__header_in_pieces_with_tls_right_behind__is_served),
		cmocka_unit_test(connection__from_anybody_else__is_not_heard),
		cmocka_unit_test(connection__from_a_balancer_without_a_good_header__is_closed),
		cmocka_unit_test(connection__header_dripped__ends_at_the_absolute_deadline),
		cmocka_unit_test(connections__of_one_source__are_limited_by_whom_they_are_of),
		cmocka_unit_test(server__networks_that_are_none__does_not_start),
	};

	return cmocka_run_group_tests_name("proxy_protocol", tests, NULL, NULL);
}
