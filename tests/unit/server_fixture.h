/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on loopback with two loops in their threads, and a blocking TLS client. */
#ifndef TESTS_UNIT_SERVER_FIXTURE_H
#define TESTS_UNIT_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/http_server.h"
#include "common/pki/identity.h"

#define FIXTURE	   __attribute__((unused)) static
#define LOOPS	   2
#define BIG	   (1u << 20)
#define PATIENCE_S 20 /* a test that waits longer than this has failed */

struct app {
	struct loop *loops[LOOPS];
	struct call *kept; /* of /keep: its handler does not answer */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int drained;
	atomic_int counted; /* requests for /count */
};

struct fixture {
	struct app app;
	struct identity id;
	struct tls_server *tls;
	struct http_server *server;
	struct log log;
	pthread_t threads[LOOPS];
};

/* A self-signed certificate: what it says does not matter here. */
FIXTURE X509 *make_x509(EVP_PKEY *key, const char *cn)
{
	X509 *x = X509_new();

	assert_non_null(x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
	return x;
}

FIXTURE void make_identity(struct identity *id, enum key_type type, const char *cn)
{
	struct err e = ERR_INIT;
	X509 *x;

	*id = (struct identity){.key = key_generate(type, &e)};
	assert_non_null(id->key);
	x = make_x509(key_evp(id->key), cn);
	id->cert = cert_from_x509(x, &e);
	assert_non_null(id->cert);
	X509_free(x);
}

/* ---- handlers ---- */

static void reply_text(struct call *c, const char *text)
{
	call_reply(c, 200, "text/plain", bytes_of_str(text));
}

static void on_now(struct call *c, void *app)
{
	reply_text(c, "now");
}

static void on_echo(struct call *c, void *app)
{
	call_set_header(c, "x-query", call_query(c));
	call_reply(c, 200, "application/octet-stream", call_body(c));
}

static void answer_later(void *call)
{
	reply_text(call, "later");
}

static void hop(void *call)
{
	struct err e = ERR_INIT;

	if (!loop_post(call_loop(call), answer_later, call, &e))
		abort();
}

/* There and back again: the answer comes from the other loop's thread. */
static void on_later(struct call *c, void *arg)
{
	struct app *app = arg;
	struct err e = ERR_INIT;

	if (!loop_post(app->loops[app->loops[0] == call_loop(c)], hop, c, &e))
		abort();
}

static void on_keep(struct call *c, void *arg)
{
	struct app *app = arg;

	pthread_mutex_lock(&app->lock);
	app->kept = c;
	pthread_cond_broadcast(&app->changed);
	pthread_mutex_unlock(&app->lock);
}

FIXTURE struct call *await_kept(struct app *app)
{
	struct call *c;

	pthread_mutex_lock(&app->lock);
	while (!app->kept)
		pthread_cond_wait(&app->changed, &app->lock);
	c = app->kept;
	app->kept = NULL;
	pthread_mutex_unlock(&app->lock);
	return c;
}

static void on_who(struct call *c, void *app)
{
	const struct peer *p = call_peer(c);
	char text[600];

	snprintf(text, sizeof(text), "%s chain=%zu tls=%x binding=%zu connection=%lld uid=%u",
		p->cert ? cert_subject(p->cert) : "nobody", p->chain.count, p->tls_version,
		p->channel_binding_len, (long long)p->connection_id, p->unix_uid);
	reply_text(c, text);
}

static void on_from(struct call *c, void *app)
{
	reply_text(c, call_peer(c)->address);
}

static void on_binding(struct call *c, void *app)
{
	const struct peer *p = call_peer(c);

	call_reply(c, 200, "application/octet-stream",
		bytes_of(p->channel_binding, p->channel_binding_len));
}

static void on_last(struct call *c, void *app)
{
	call_close_after(c);
	reply_text(c, "last");
}

/* Which of all is it? */
static void on_count(struct call *c, void *arg)
{
	struct app *app = arg;
	char text[16];

	snprintf(text, sizeof(text), "%d", atomic_fetch_add(&app->counted, 1) + 1);
	reply_text(c, text);
}

static void on_big(struct call *c, void *app)
{
	char *big = malloc(BIG);

	memset(big, 'b', BIG);
	call_reply(c, 200, "text/plain", bytes_of(big, BIG));
	free(big);
}

static void on_error(struct call *c, void *app)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_RETRY_LATER, "secret reason");
	call_reply_err(c, NULL, "test", &e);
}

static void on_pending(struct call *c, void *app)
{
	call_reply_pending(c, 7, "Wait for an administrator.");
}

static void on_bare_error(struct call *c, void *app)
{
	call_reply(c, 403, NULL, bytes_of(NULL, 0));
}

static const struct http_route routes[] = {
	{.method = "GET", .path = "/now", .handler = on_now},
	{.method = "POST", .path = "/echo", .handler = on_echo, .body_max = 100000},
	{.method = "POST",
		.path = "/typed",
		.handler = on_echo,
		.body_max = 1000,
		.content_type = "application/x-test"},
	{.method = "GET", .path = "/later", .handler = on_later},
	{.method = "GET", .path = "/keep", .handler = on_keep},
	{.method = "GET", .path = "/who", .handler = on_who},
	{.method = "GET", .path = "/from", .handler = on_from},
	{.method = "GET", .path = "/binding", .handler = on_binding},
	{.method = "GET", .path = "/last", .handler = on_last},
	{.method = "GET", .path = "/count", .handler = on_count},
	{.method = "GET", .path = "/big", .handler = on_big},
	{.method = "GET", .path = "/error", .handler = on_error},
	{.method = "GET", .path = "/pending", .handler = on_pending},
	{.method = "GET", .path = "/bare-error", .handler = on_bare_error},
	{.method = "GET", .path = "/api/*", .handler = on_now},
	{.method = "DELETE", .path = "/api/*", .handler = on_now},
	{.method = "GET", .path = "/api/later", .handler = on_later},
};

/* ---- the server ---- */

static void *run_loop(void *loop)
{
	loop_run(loop);
	return NULL;
}

FIXTURE void start_server_behind(struct fixture *f, const char *listen,
	const struct http_limits *limits, const char *proxied_from)
{
	struct http_server_config config = {
		.listen = listen,
		.proxied_from = proxied_from,
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.app = &f->app,
		.log = &f->log,
		.unix_mode = 0600,
	};
	struct err e = ERR_INIT;

	memset(f, 0, sizeof(*f));
	assert_true(tls_init(&e));
	f->log = (struct log){
		.program = "test", .level = LOG_LEVEL_INFO, .fd = getenv("TEST_LOG") ? 2 : -1};
	pthread_mutex_init(&f->app.lock, NULL);
	pthread_cond_init(&f->app.changed, NULL);
	make_identity(&f->id, KEY_EC_P256, "server");
	f->tls = tls_server_new(&f->id, true, &e);
	assert_non_null(f->tls);
	for (int i = 0; i < LOOPS; i++) {
		f->app.loops[i] = loop_new(&e);
		assert_non_null(f->app.loops[i]);
	}
	if (limits)
		config.limits = *limits;
	config.tls = strncmp(listen, "unix:", 5) == 0 ? NULL : f->tls;
	f->server = http_server_new(&config, f->app.loops, LOOPS, &e);
	if (!f->server)
		fail_msg("%s", e.text);
	for (int i = 0; i < LOOPS; i++)
		pthread_create(&f->threads[i], NULL, run_loop, f->app.loops[i]);
}

FIXTURE void start_server(struct fixture *f, const char *listen, const struct http_limits *limits)
{
	start_server_behind(f, listen, limits, NULL);
}

FIXTURE void stop_server(struct fixture *f)
{
	for (int i = 0; i < LOOPS; i++) {
		loop_stop(f->app.loops[i]);
		pthread_join(f->threads[i], NULL);
	}
	http_server_free(f->server);
	for (int i = 0; i < LOOPS; i++)
		loop_free(f->app.loops[i]);
	tls_server_free(f->tls);
	identity_clear(&f->id);
	pthread_mutex_destroy(&f->app.lock);
	pthread_cond_destroy(&f->app.changed);
}

/* ---- the client ---- */

struct client_options {
	int version; /* TLS1_2_VERSION ...; 0: the best */
	const struct identity *id;
	const char *sni;
	const char *alpn; /* length-prefixed */
};

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL on a Unix socket */
};

FIXTURE int tcp_connect(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* False when the handshake fails. */
FIXTURE bool client_try_on(struct client *c, int fd, const struct client_options *o)
{
	static const struct client_options none = {.version = 0};

	o = o ? o : &none;
	*c = (struct client){.fd = fd, .ctx = SSL_CTX_new(TLS_client_method())};
	SSL_CTX_set_security_level(c->ctx, 0);
	SSL_CTX_set_min_proto_version(c->ctx, o->version ? o->version : TLS1_2_VERSION);
	if (o->version)
		SSL_CTX_set_max_proto_version(c->ctx, o->version);
	if (o->id) {
		SSL_CTX_use_certificate(c->ctx, cert_x509(o->id->cert));
		SSL_CTX_use_PrivateKey(c->ctx, key_evp(o->id->key));
		for (size_t i = 0; i < o->id->chain.count; i++)
			SSL_CTX_add1_chain_cert(c->ctx, cert_x509(o->id->chain.items[i]));
	}
	if (o->alpn)
		SSL_CTX_set_alpn_protos(
			c->ctx, (const unsigned char *)o->alpn, (unsigned)strlen(o->alpn));
	c->ssl = SSL_new(c->ctx);
	if (o->sni) {
		char name[100]; /* OpenSSL's macro casts a const away */

		snprintf(name, sizeof(name), "%s", o->sni);
		SSL_set_tlsext_host_name(c->ssl, name);
	}
	SSL_set_fd(c->ssl, c->fd);
	return SSL_connect(c->ssl) == 1;
}

FIXTURE bool client_try(struct client *c, uint16_t port, const struct client_options *o)
{
	return client_try_on(c, tcp_connect(port), o);
}

FIXTURE void client_open(struct client *c, uint16_t port, const struct client_options *o)
{
	if (!client_try(c, port, o))
		fail_msg("handshake: %s", ERR_error_string(ERR_get_error(), NULL));
}

FIXTURE void client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
	ERR_clear_error();
}

FIXTURE void client_send(struct client *c, const char *text)
{
	int len = (int)strlen(text);

	if (len == 0)
		return;
	if (c->ssl)
		assert_int_equal(SSL_write(c->ssl, text, len), len);
	else
		assert_int_equal(send(c->fd, text, (size_t)len, MSG_NOSIGNAL), len);
}

/* As read(2): 0 at the end, negative when broken. */
FIXTURE int client_read(struct client *c, void *to, size_t room)
{
	int n;

	if (!c->ssl)
		return (int)read(c->fd, to, room);
	n = SSL_read(c->ssl, to, (int)room);
	return n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : n;
}

FIXTURE bool client_is_closed(struct client *c)
{
	char one;

	return client_read(c, &one, 1) <= 0;
}

struct reply {
	int status;
	char head[4096];
	char body[BIG + 1];
	size_t body_len;
};

/* One reply at a time, so one is enough. */
static struct reply last_reply;

/* The value of a field, exactly as it is spelled; NULL when it is not there. */
FIXTURE const char *reply_header(const char *name)
{
	static char value[512];
	char wanted[80];
	const char *at;

	snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
	at = strstr(last_reply.head, wanted);
	if (!at)
		return NULL;
	at += strlen(wanted);
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

static void read_head(struct client *c)
{
	size_t n = 0;

	while (n < 4 || memcmp(last_reply.head + n - 4, "\r\n\r\n", 4) != 0) {
		if (n + 1 >= sizeof(last_reply.head) || client_read(c, last_reply.head + n, 1) != 1)
			fail_msg("no reply, after %zu octets", n);
		n++;
	}
	last_reply.head[n] = '\0';
}

static size_t content_length(void)
{
	const char *text = reply_header("Content-Length");

	if (last_reply.status == 204 || last_reply.status == 100)
		return 0;
	if (!text)
		fail_msg("no Content-Length in %s", last_reply.head);
	return (size_t)atol(text);
}

FIXTURE int read_reply(struct client *c, bool head_only)
{
	size_t length, n = 0;

	read_head(c);
	if (sscanf(last_reply.head, "HTTP/1.1 %d ", &last_reply.status) != 1)
		fail_msg("not a status line: %s", last_reply.head);
	length = content_length();
	assert_true(length < sizeof(last_reply.body));
	while (!head_only && n < length) {
		int got = client_read(c, last_reply.body + n, length - n);

		if (got <= 0)
			fail_msg("body ends after %zu of %zu", n, length);
		n += (size_t)got;
	}
	last_reply.body[n] = '\0';
	last_reply.body_len = n;
	return last_reply.status;
}

FIXTURE int ask(struct client *c, const char *request)
{
	client_send(c, request);
	return read_reply(c, strncmp(request, "HEAD", 4) == 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- who comes first ---- */

/* A loop that stands still: what is sent to it meanwhile is there all at once when it goes on. */
struct hold {
	sem_t stands, go;
};

static void stand_still(void *arg)
{
	struct hold *h = arg;

	sem_post(&h->stands);
	while (sem_wait(&h->go) != 0)
		;
}

FIXTURE void hold_loop(struct hold *h, struct loop *l)
{
	struct err e = ERR_INIT;

	sem_init(&h->stands, 0, 0);
	sem_init(&h->go, 0, 0);
	assert_true(loop_post(l, stand_still, h, &e));
	while (sem_wait(&h->stands) != 0)
		;
}

FIXTURE void let_loop_go(struct hold *h)
{
	sem_post(&h->go);
}

/* A connection on this loop; NULL: on any. Which one it is. */
FIXTURE struct loop *open_on(struct fixture *f, struct loop *wanted, struct client *c)
{
	struct err e = ERR_INIT;

	for (;;) {
		struct call *kept;
		struct loop *l;

		client_open(c, http_server_port(f->server), NULL);
		client_send(c, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
		kept = await_kept(&f->app);
		l = call_loop(kept);
		assert_true(loop_post(l, answer_later, kept, &e));
		assert_int_equal(read_reply(c, false), 200);
		if (!wanted || l == wanted)
			return l;
		client_close(c);
	}
}

#endif
