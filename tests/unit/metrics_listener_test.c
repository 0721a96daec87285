/* SPDX-License-Identifier: Apache-2.0 */
/* The listener over a real socket: three resources over plain HTTP and nothing else, and no server
 * without TLS that was not meant to have none. */
#include "tests/unit/server_fixture.h"

#include <netinet/in.h>

#include "common/run/metrics_listener.h"

static const struct metric table[] = {
	{"looks", METRIC_GAUGE, "Times somebody looked.", {{NULL, NULL}}, NULL},
};
static const struct metrics_schema schema = {"t_", table, 1};

struct watched {
	struct loop *loop;
	pthread_t thread;
	struct metrics *metrics;
	struct metrics_listener *listener;
	struct log log;
	int64_t looks; /* its loop's */
	_Atomic bool ready;
};

static void look(void *arg)
{
	struct watched *w = arg;

	metrics_set(w->metrics, 0, 0, 0, ++w->looks);
}

static bool is_ready(void *arg)
{
	struct watched *w = arg;

	return atomic_load(&w->ready);
}

static int set_up(void **state)
{
	struct watched *w = calloc(1, sizeof(*w));
	struct err e = ERR_INIT;
	struct metrics_listener_config config = {.listen = "127.0.0.1:0",
		.log = &w->log,
		.refresh = look,
		.is_ready = is_ready,
		.app = w};

	w->log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2};
	assert_non_null(w->loop = loop_new(&e));
	assert_non_null(config.metrics = w->metrics = metrics_new(&schema, &e));
	assert_non_null(w->listener = metrics_listener_new(&config, w->loop, &e));
	assert_int_equal(pthread_create(&w->thread, NULL, run_loop, w->loop), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct watched *w = *state;

	loop_stop(w->loop);
	pthread_join(w->thread, NULL);
	metrics_listener_free(w->listener);
	metrics_free(w->metrics);
	loop_free(w->loop);
	free(w);
	return 0;
}

static int connect_to(uint16_t port)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_in sa = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static char answer[8192];

/* Send, read to the end of the connection: all of the answer. */
static const char *exchange(const struct watched *w, const char *octets)
{
	int fd = connect_to(metrics_listener_port(w->listener));
	size_t len = 0;
	ssize_t n;

	assert_int_equal(write(fd, octets, strlen(octets)), strlen(octets));
	while ((n = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	answer[len] = '\0';
	return answer;
}

#define ASK(method, path) method " " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void assert_status(const struct watched *w, const char *octets, const char *status)
{
	const char *said = exchange(w, octets);

	if (strncmp(said, "HTTP/1.1 ", 9) != 0 || strncmp(said + 9, status, 3) != 0)
		fail_msg("not %s but: %s", status, said);
}

static void metrics__asked_twice__are_looked_at_each_time(void **state)
{
	assert_status(*state, ASK("GET", "/metrics"), "200");
	assert_non_null(strstr(answer, "\r\nContent-Type: " METRICS_TYPE "\r\n"));
	assert_non_null(strstr(answer, "\r\n\r\n# HELP t_looks Times somebody looked.\n"));
	assert_non_null(strstr(answer, "\nt_looks 1\n"));
	assert_status(*state, ASK("GET", "/metrics?collect[]=x"), "200");
	assert_non_null(strstr(answer, "\nt_looks 2\n"));
	assert_status(*state, ASK("HEAD", "/metrics"), "200");
	assert_null(strstr(answer, "t_looks"));
}

static void health_and_readiness__while_stopping__differ(void **state)
{
	struct watched *w = *state;

	assert_status(w, ASK("GET", "/healthz"), "200");
	assert_status(w, ASK("GET", "/readyz"), "503");
	atomic_store(&w->ready, true);
	assert_status(w, ASK("GET", "/readyz"), "200");
}

static void anything_else__is_refused(void **state)
{
	static const struct {
		const char *request, *status;
	} rows[] = {
		{ASK("GET", "/"), "404"},
		{ASK("GET", "/metrics/"), "404"},
		{ASK("GET", "/metrics/x"), "404"},
		{ASK("GET", "/api/v1/claims"), "404"},
		{ASK("POST", "/.well-known/brski/requestvoucher"), "404"},
		{ASK("GET", "/.well-known/est/cacerts"), "404"},
		{ASK("GET", "/debug/pprof/"), "404"},
		{ASK("POST", "/metrics"), "405"},
		{ASK("DELETE", "/metrics"), "405"},
		{ASK("PUT", "/healthz"), "405"},
		{"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: "
		 "close\r\n\r\na",
			"413"},
		{"GET /metrics HTTP/1.1\r\n\r\n", "400"}, /* no Host */
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_status(*state, rows[i].request, rows[i].status);
}

/* ---- No listener loses its TLS by accident ---- */

static struct http_server *serve(const char *listen, struct tls_server *tls, bool without_tls,
	struct loop **loop, struct err *e)
{
	const struct http_server_config config = {
		.listen = listen, .tls = tls, .without_tls = without_tls};

	assert_non_null(*loop = loop_new(e));
	return http_server_new(&config, loop, 1, e);
}

static void http_server_new__tcp_without_tls_that_nobody_asked_for__is_a_bug(void **state)
{
	struct err e = ERR_INIT;
	struct loop *loop;

	assert_null(serve("127.0.0.1:0", NULL, false, &loop, &e));
	assert_int_equal(e.kind, ERR_BUG);
	loop_free(loop);
}

static void http_server_new__tls_where_none_is_meant__is_a_bug(void **state)
{
	struct err e = ERR_INIT;
	struct identity id;
	struct tls_server *tls;
	struct loop *loop;

	make_identity(&id, KEY_EC_P256, "x");
	assert_non_null(tls = tls_server_new(&id, true, &e));
	assert_null(serve("127.0.0.1:0", tls, true, &loop, &e));
	assert_int_equal(e.kind, ERR_BUG);
	loop_free(loop);
	tls_server_free(tls);
	identity_clear(&id);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(metrics__asked_twice__are_looked_at_each_time),
		T(health_and_readiness__while_stopping__differ),
		T(anything_else__is_refused),
		cmocka_unit_test(http_server_new__tcp_without_tls_that_nobody_asked_for__is_a_bug),
		cmocka_unit_test(http_server_new__tls_where_none_is_meant__is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
