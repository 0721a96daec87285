/* SPDX-License-Identifier: Apache-2.0 */
/* What the server does with peers that are slow, many or silent, and how it ends: deadlines,
 * limits, drain; and who may listen where. */
#include "tests/unit/server_fixture.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/stat.h>

#include "common/net/http_sources.h"
#include "tests/unit/skip.h"

#define SHORT_MS 150  /* the deadline under test */
#define DRIP_MS	 20   /* between octets: well below it */
#define LATE_MS	 5000 /* far above it: a deadline that moves with every octet ends up here */

static struct fixture fx;

static uint16_t port(void)
{
	return http_server_port(fx.server);
}

/* Send octet after octet until the server has something to say; how long that took. */
static int64_t drip(struct client *c, const char *octets)
{
	int64_t start = clock_mono_ms();
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	for (size_t i = 0; clock_mono_ms() - start < LATE_MS; i++) {
		char one[2] = {octets[i % strlen(octets)], '\0'};

		if (poll(&p, 1, DRIP_MS) > 0)
			break;
		client_send(c, one);
	}
	return clock_mono_ms() - start;
}

static void handshake__dripped__ends_at_the_absolute_deadline(void **state)
{
	struct http_limits l = {.handshake_ms = SHORT_MS};
	struct client c = {0};
	char octet;

	start_server(&fx, "127.0.0.1:0", &l);
	c.fd = tcp_connect(port());
	/* a record of 16384 octets, of which hardly any come */
	assert_int_equal(send(c.fd, "\x16\x03\x01\x40\x00\x01", 6, 0), 6);
	assert_in_range(drip(&c, "a"), SHORT_MS / 2, LATE_MS - 1);
	assert_true(read(c.fd, &octet, 1) <= 0);
	close(c.fd);
	stop_server(&fx);
}

static void header__dripped__is_408_at_the_absolute_deadline(void **state)
{
	struct http_limits l = {.header_ms = SHORT_MS};
	struct client c;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&c, port(), NULL);
	client_send(&c, "GET /now HTTP/1.1\r\nHost: x\r\nX: ");
	assert_in_range(drip(&c, "a"), SHORT_MS / 2, LATE_MS - 1);
	assert_int_equal(read_reply(&c, false), 408);
	assert_string_equal(reply_header("Content-Type"), "text/plain; charset=utf-8");
	assert_true(client_is_closed(&c));
	client_close(&c);
	stop_server(&fx);
}

static void body__dripped__is_408_at_the_absolute_deadline(void **state)
{
	struct http_limits l = {.body_ms = SHORT_MS};
	struct client c;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&c, port(), NULL);
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	assert_in_range(drip(&c, "a"), SHORT_MS / 2, LATE_MS - 1);
	assert_int_equal(read_reply(&c, false), 408);
	assert_true(client_is_closed(&c));
	client_close(&c);
	stop_server(&fx);
}

static void idle__after_an_answer__is_closed(void **state)
{
	struct http_limits l = {.idle_ms = SHORT_MS};
	struct client c;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&c, port(), NULL);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_send(&c, "\r\n"); /* the stray line end of libest is no request */
	assert_true(client_is_closed(&c));
	client_close(&c);
	stop_server(&fx);
}

static void handler__silent__peer_gets_503_and_the_late_answer_is_dropped(void **state)
{
	struct http_limits l = {.request_ms = SHORT_MS};
	struct err e = ERR_INIT;
	struct client c;
	struct call *kept;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&c, port(), NULL);
	client_send(&c, GET("/keep"));
	kept = await_kept(&fx.app);
	assert_int_equal(read_reply(&c, false), 503);
	assert_non_null(reply_header("Retry-After"));
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
	assert_int_equal(ask(&c, GET("/now")), 200);
	assert_string_equal(last_reply.body, "now");
	client_close(&c);
	stop_server(&fx);
}

/* Connections end a little after their peers close. */
static void await_connections(size_t wanted)
{
	int64_t start = clock_mono_ms();

	while (http_server_connections(fx.server) != wanted) {
		assert_true(clock_mono_ms() - start < LATE_MS);
		sched_yield();
	}
}

static void peer__does_not_read__is_cut_off(void **state)
{
	static char sink[65536];
	struct http_limits l = {.write_ms = SHORT_MS};
	struct client c;
	size_t total = 0;
	int n;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&c, port(), NULL);
	for (int i = 0; i < 40; i++)
		client_send(&c, GET("/big"));
	await_connections(0);
	while ((n = client_read(&c, sink, sizeof(sink))) > 0)
		total += (size_t)n;
	assert_true(total < 40 * BIG);
	client_close(&c);
	stop_server(&fx);
}

/* ---- shedding: so many that both loops have some ---- */

#define MANY 24

static void open_many(struct client *c, const struct client_options *o)
{
	for (int i = 0; i < MANY; i++)
		client_open(&c[i], port(), o);
}

static size_t count_open(struct client *c, size_t n)
{
	size_t open = 0;

	for (size_t i = 0; i < n; i++) {
		struct pollfd p = {.fd = c[i].fd, .events = POLLIN};

		open += poll(&p, 1, 0) == 0;
	}
	return open;
}

static void close_all(struct client *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		client_close(&c[i]);
}

/* One more than there may be, each of them idle: the newest gets in, exactly one of them goes. */
static void check_cap(const struct http_limits *l, const struct client_options *o)
{
	struct client idle[MANY], good;

	start_server(&fx, "127.0.0.1:0", l);
	open_many(idle, o);
	client_open(&good, port(), o);
	assert_int_equal(ask(&good, GET("/now")), 200);
	assert_int_equal(http_server_connections(fx.server), MANY);
	assert_int_equal(count_open(idle, MANY), MANY - 1);
	client_close(&good);
	close_all(idle, MANY);
	stop_server(&fx);
}

static void connections__over_the_cap__an_idle_one_goes_the_newest_gets_in(void **state)
{
	/* of TLS 1.2 nothing is in flight after the handshake: what can be read is the end */
	const struct client_options o = {.version = TLS1_2_VERSION};

	check_cap(&(struct http_limits){.connections_max = MANY}, &o);
}

static void connections__over_the_share_of_a_source__an_idle_one_of_it_goes(void **state)
{
	const struct client_options o = {.version = TLS1_2_VERSION};

	check_cap(&(struct http_limits){.connections_per_source_max = MANY}, &o);
}

static void connections__over_the_share_of_a_certificate__an_idle_one_of_it_goes(void **state)
{
	struct identity id;
	const struct client_options o = {.version = TLS1_2_VERSION, .id = &id};

	make_identity(&id, KEY_EC_P256, "device");
	check_cap(&(struct http_limits){.connections_per_identity_max = MANY}, &o);
	identity_clear(&id);
}

static void connections__over_the_cap__one_with_its_handler_stays(void **state)
{
	const struct http_limits l = {.connections_max = 4};
	struct client busy, c[MANY];
	struct err e = ERR_INIT;
	struct call *kept;

	start_server(&fx, "127.0.0.1:0", &l);
	client_open(&busy, port(), NULL);
	client_send(&busy, GET("/keep"));
	kept = await_kept(&fx.app);
	for (int i = 0; i < MANY; i++) /* some may be refused: a loop ends none of the other's */
		client_try(&c[i], port(), NULL);
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
	assert_int_equal(read_reply(&busy, false), 200);
	client_close(&busy);
	close_all(c, MANY);
	stop_server(&fx);
}

static void requests__incomplete_ones_fill_the_memory__the_oldest_go(void **state)
{
	enum { PIECE = 40000 };
	static char piece[PIECE + 1];
	const struct http_limits l = {.held_max = 4 * PIECE};
	struct client c[MANY], good;

	memset(piece, 'x', PIECE);
	start_server(&fx, "127.0.0.1:0", &l);
	open_many(c, NULL);
	for (int i = 0; i < MANY; i++) {
		client_send(
			&c[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
		/* on a busy machine it may be gone already */
		(void)!SSL_write(c[i].ssl, piece, PIECE);
		ERR_clear_error();
	}
	await_connections(4);
	client_open(&good, port(), NULL);
	assert_int_equal(ask(&good, GET("/now")), 200);
	client_close(&good);
	close_all(c, MANY);
	stop_server(&fx);
}

static void source__ipv6__is_the_64_bit_prefix(void **state)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	uint8_t a[HTTP_SOURCE_LEN], b[HTTP_SOURCE_LEN];

	inet_pton(AF_INET6, "2001:db8:1:2:3::1", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, a);
	inet_pton(AF_INET6, "2001:db8:1:2:4::9", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, b);
	assert_memory_equal(a, b, sizeof(a));
	inet_pton(AF_INET6, "2001:db8:1:3::9", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, b);
	assert_memory_not_equal(a, b, sizeof(a));
	inet_pton(AF_INET, "192.0.2.1", &v4.sin_addr);
	http_source_of((struct sockaddr *)&v4, a);
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	http_source_of((struct sockaddr *)&v6, b);
	assert_memory_equal(a, b, sizeof(a));
}

/* ---- drain ---- */

static void on_drained(void *arg)
{
	struct app *app = arg;

	pthread_mutex_lock(&app->lock);
	app->drained++;
	pthread_cond_broadcast(&app->changed);
	pthread_mutex_unlock(&app->lock);
}

static void await_drained(void)
{
	pthread_mutex_lock(&fx.app.lock);
	while (!fx.app.drained)
		pthread_cond_wait(&fx.app.changed, &fx.app.lock);
	pthread_mutex_unlock(&fx.app.lock);
}

static bool can_connect(uint16_t to)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(to)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int rc;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rc = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	close(fd);
	return rc == 0;
}

static void drain__idle_and_running__idle_ends_soon_running_is_finished(void **state)
{
	struct err e = ERR_INIT;
	struct client idle, running;
	struct call *kept;

	start_server(&fx, "127.0.0.1:0", NULL);
	client_open(&idle, port(), NULL);
	assert_int_equal(ask(&idle, GET("/now")), 200);
	client_open(&running, port(), NULL);
	client_send(&running, GET("/keep"));
	kept = await_kept(&fx.app);
	http_server_drain(fx.server, LATE_MS * 4, on_drained, &fx.app);
	assert_true(client_is_closed(&idle));
	assert_int_equal(fx.app.drained, 0);
	assert_true(loop_post(call_loop(kept), answer_later, kept, &e));
	assert_int_equal(read_reply(&running, false), 200);
	assert_string_equal(reply_header("Connection"), "close");
	assert_true(client_is_closed(&running));
	client_close(&running);
	await_drained();
	assert_false(can_connect(port()));
	client_close(&idle);
	stop_server(&fx);
	assert_int_equal(fx.app.drained, 1);
}

static void on_passed(void *passed)
{
	sem_post(passed);
}

/* Until every loop has done what was posted to it before. */
static void await_posts(void)
{
	struct err e = ERR_INIT;
	sem_t passed;

	sem_init(&passed, 0, 0);
	for (size_t i = 0; i < LOOPS; i++)
		assert_true(loop_post(fx.app.loops[i], on_passed, &passed, &e));
	for (size_t i = 0; i < LOOPS; i++)
		while (sem_wait(&passed) != 0)
			;
	sem_destroy(&passed);
}

static void drain__request_that_is_on_its_way__is_answered_as_the_last(void **state)
{
	struct client c;

	start_server(&fx, "127.0.0.1:0", NULL);
	client_open(&c, port(), NULL);
	assert_int_equal(ask(&c, GET("/now")), 200);
	http_server_drain(fx.server, LATE_MS * 4, on_drained, &fx.app);
	await_posts();
	assert_int_equal(ask(&c, GET("/now")), 200);
	assert_string_equal(reply_header("Connection"), "close");
	assert_true(client_is_closed(&c));
	client_close(&c);
	await_drained();
	stop_server(&fx);
}

static void drain__nothing_open__is_done_at_once(void **state)
{
	start_server(&fx, "127.0.0.1:0", NULL);
	http_server_drain(fx.server, LATE_MS * 4, on_drained, &fx.app);
	await_drained();
	stop_server(&fx);
	assert_int_equal(fx.app.drained, 1);
}

static void drain__handler_never_answers__is_done_at_the_deadline(void **state)
{
	struct client c;

	start_server(&fx, "127.0.0.1:0", NULL);
	client_open(&c, port(), NULL);
	client_send(&c, GET("/keep"));
	await_kept(&fx.app);
	http_server_drain(fx.server, SHORT_MS, on_drained, &fx.app);
	await_drained();
	client_close(&c);
	stop_server(&fx);
	assert_int_equal(fx.app.drained, 1);
}

static void drain__http2__ends_with_goaway(void **state)
{
	static const char hello[] =
		NGHTTP2_CLIENT_MAGIC "\0\0\0\x04\0\0\0\0\0"; /* empty SETTINGS */
	struct client_options o = {.alpn = "\x02h2"};
	struct client c;
	uint8_t octets[1000];
	size_t got = 0;
	int n;

	start_server(&fx, "127.0.0.1:0", NULL);
	client_open(&c, port(), &o);
	assert_int_equal(SSL_write(c.ssl, hello, sizeof(hello) - 1), sizeof(hello) - 1);
	/* its SETTINGS of two entries and its acknowledgement of ours */
	while (got < 9 + 2 * 6 + 9)
		got += (size_t)client_read(&c, octets + got, sizeof(octets) - got);
	http_server_drain(fx.server, LATE_MS * 4, on_drained, &fx.app);
	got = 0;
	while ((n = client_read(&c, octets + got, sizeof(octets) - got)) > 0)
		got += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(got >= 17);
	assert_int_equal(octets[3], NGHTTP2_GOAWAY);
	await_drained();
	client_close(&c);
	stop_server(&fx);
}

/* ---- listening ---- */

static void expect_refused(const char *listen, const char *why)
{
	struct http_server_config config = {.listen = listen,
		.tls = fx.tls,
		.routes = routes,
		.route_count = 1,
		.log = &fx.log};
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	assert_null(http_server_new(&config, &l, 1, &e));
	if (!strstr(e.text, why))
		fail_msg("%s: %s", listen, e.text);
	loop_free(l);
}

static void listen__address_in_use__is_refused_although_ports_can_be_shared(void **state)
{
	char address[40];

	start_server(&fx, "127.0.0.1:0", NULL);
	snprintf(address, sizeof(address), "127.0.0.1:%u", port());
	expect_refused(address, "Address already in use");
	stop_server(&fx);
}

static void listen__malformed__is_refused(void **state)
{
	start_server(&fx, "127.0.0.1:0", NULL);
	expect_refused("127.0.0.1", "not host:port");
	expect_refused("127.0.0.1:", "not host:port");
	expect_refused("127.0.0.1:http", "not host:port");
	expect_refused("::1:8443", "brackets");
	expect_refused("127.0.0.1:65536", "not host:port");
	expect_refused("unix:", "socket path");
	stop_server(&fx);
}

static void listen__ipv6__serves(void **state)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	char octet;

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		SKIP_BECAUSE("no IPv6");
	close(fd);
	start_server(&fx, "[::1]:0", NULL);
	sa.sin6_port = htons(port());
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n", 16, MSG_NOSIGNAL), 16);
	assert_true(recv(fd, &octet, 1, 0) <= 1); /* an alert or the end, not silence */
	close(fd);
	stop_server(&fx);
}

static char dir[] = "/tmp/http_limits_test.XXXXXX";
static char unix_path[100], unix_listen[110];

static void name_unix_socket(void)
{
	assert_non_null(mkdtemp(dir));
	snprintf(unix_path, sizeof(unix_path), "%s/s", dir);
	snprintf(unix_listen, sizeof(unix_listen), "unix:%s", unix_path);
}

static void unix_connect(struct client *c)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", unix_path);
	*c = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
	assert_int_equal(connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void unix_socket__is_served_with_the_peers_uid(void **state)
{
	char wanted[40];
	struct client c;
	struct stat st;

	start_server(&fx, unix_listen, NULL);
	assert_int_equal(stat(unix_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	unix_connect(&c);
	assert_int_equal(ask(&c, GET("/who")), 200);
	snprintf(wanted, sizeof(wanted), "tls=0 binding=0");
	assert_non_null(strstr(last_reply.body, wanted));
	snprintf(wanted, sizeof(wanted), "uid=%u", getuid());
	assert_non_null(strstr(last_reply.body, wanted));
	assert_int_equal(ask(&c, GET("/later")), 200);
	client_close(&c);
	stop_server(&fx);
	assert_int_not_equal(stat(unix_path, &st), 0);
}

static void unix_socket__left_by_a_crash__is_replaced_a_living_one_is_not(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	struct client c;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", unix_path);
	assert_int_equal(bind(dead, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(dead);
	start_server(&fx, unix_listen, NULL);
	expect_refused(unix_listen, "somebody does already");
	unix_connect(&c);
	assert_int_equal(ask(&c, GET("/now")), 200);
	client_close(&c);
	stop_server(&fx);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake__dripped__ends_at_the_absolute_deadline),
		cmocka_unit_test(header__dripped__is_408_at_the_absolute_deadline),
		cmocka_unit_test(body__dripped__is_408_at_the_absolute_deadline),
		cmocka_unit_test(idle__after_an_answer__is_closed),
		cmocka_unit_test(handler__silent__peer_gets_503_and_the_late_answer_is_dropped),
		cmocka_unit_test(peer__does_not_read__is_cut_off),
		cmocka_unit_test(connections__over_the_cap__an_idle_one_goes_the_newest_gets_in),
		cmocka_unit_test(connections__over_the_share_of_a_source__an_idle_one_of_it_goes),
		cmocka_unit_test(
			connections__over_the_share_of_a_certificate__an_idle_one_of_it_goes),
		cmocka_unit_test(connections__over_the_cap__one_with_its_handler_stays),
		cmocka_unit_test(requests__incomplete_ones_fill_the_memory__the_oldest_go),
		cmocka_unit_test(source__ipv6__is_the_64_bit_prefix),
		cmocka_unit_test(drain__idle_and_running__idle_ends_soon_running_is_finished),
		cmocka_unit_test(drain__request_that_is_on_its_way__is_answered_as_the_last),
		cmocka_unit_test(drain__nothing_open__is_done_at_once),
		cmocka_unit_test(drain__handler_never_answers__is_done_at_the_deadline),
		cmocka_unit_test(drain__http2__ends_with_goaway),
		cmocka_unit_test(listen__address_in_use__is_refused_although_ports_can_be_shared),
		cmocka_unit_test(listen__malformed__is_refused),
		cmocka_unit_test(listen__ipv6__serves),
		cmocka_unit_test(unix_socket__is_served_with_the_peers_uid),
		cmocka_unit_test(unix_socket__left_by_a_crash__is_replaced_a_living_one_is_not),
	};

	name_unix_socket();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
