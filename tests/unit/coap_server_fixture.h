/* SPDX-License-Identifier: Apache-2.0 */
/* A real CoAPS server on loopback with two loops in their threads, and a device that speaks DTLS
 * and single messages to it, as a test dictates them. */
#ifndef TESTS_UNIT_COAP_SERVER_FIXTURE_H
#define TESTS_UNIT_COAP_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/coap_server.h"
#include "common/net/dtls.h"
#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"
#include "common/wire/jpy.h"
#include "tests/unit/identity_fixture.h"

#define FIXTURE	    __attribute__((unused)) static
#define LOOPS	    2
#define PATIENCE_MS 10000 /* a test that waits longer than this has failed */
#define BODY_MAX    16384
#define BIG	    4000
#define INBOX_MAX   64

struct app {
	struct loop *loops[LOOPS];
	struct call *kept; /* of /keep: its handler does not answer */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int drained;
	atomic_int count;
};

struct fixture {
	struct app app;
	struct identity id, device;
	struct tls_server *tls;
	struct coap_server *server;
	struct log log;
	pthread_t threads[LOOPS];
};

/* ---- handlers ---- */

#define CBOR "application/cbor"

static void on_now(struct call *c, void *app)
{
	call_reply(c, 200, CBOR, bytes_of_str("now"));
}

static void on_echo(struct call *c, void *app)
{
	call_reply(c, 200, CBOR, call_body(c));
}

static void on_count(struct call *c, void *arg)
{
	struct app *app = arg;
	char text[16];

	snprintf(text, sizeof(text), "%d", atomic_fetch_add(&app->count, 1) + 1);
	call_reply(c, 200, CBOR, bytes_of_str(text));
}

static void on_big(struct call *c, void *app)
{
	uint8_t big[BIG];
	const char *accept = call_header(c, "Accept") ? call_header(c, "Accept") : CBOR;
	uint8_t first = strcmp(accept, CBOR) == 0 ? 0 : 100;

	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(first + i % 97);
	call_reply(c, 200, accept, bytes_of(big, sizeof(big)));
}

static void on_keep(struct call *c, void *arg)
{
	struct app *app = arg;

	pthread_mutex_lock(&app->lock);
	atomic_fetch_add(&app->count, 1);
	app->kept = c;
	pthread_cond_broadcast(&app->changed);
	pthread_mutex_unlock(&app->lock);
}

static void on_who(struct call *c, void *app)
{
	const struct peer *p = call_peer(c);
	char text[600];

	snprintf(text, sizeof(text),
		"%s chain=%zu tls=%x binding=%zu constrained=%d id=%lld at=%s query=%s path=%s",
		cert_subject(p->cert), p->chain.count, p->tls_version, p->channel_binding_len,
		p->constrained, (long long)p->connection_id, p->address, call_query(c),
		call_path(c));
	call_reply(c, 200, CBOR, bytes_of_str(text));
}

static void on_close(struct call *c, void *app)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_PROXIMITY, "secret reason");
	call_reply_err(c, NULL, "test", &e);
}

static void on_pending(struct call *c, void *app)
{
	call_reply_pending(c, 7, "Wait for an administrator.");
}

static void on_nothing(struct call *c, void *app)
{
	call_reply(c, 204, NULL, bytes_of(NULL, 0));
}

static const uint32_t two_formats[] = {COAP_FORMAT_CBOR, COAP_FORMAT_JSON, COAP_FORMAT_NONE};

static const struct coap_route routes[] = {
	{"GET", "/now", on_now, 0, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"POST", "/echo", on_echo, BODY_MAX, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"POST", "/typed", on_echo, 100, COAP_FORMAT_PKCS10, NULL, 0, NULL},
	{"POST", "/count", on_count, BODY_MAX, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"POST", "/keep", on_keep, BODY_MAX, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"GET", "/big", on_big, 0, COAP_FORMAT_NONE, two_formats, 0, NULL},
	{"GET", "/pending", on_pending, 0, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"POST", "/close", on_close, 100, COAP_FORMAT_NONE, NULL, 0, NULL},
	{"POST", "/.well-known/brski/rv", on_echo, BODY_MAX, COAP_FORMAT_VOUCHER_COSE, NULL, 402,
		"brski.rv"},
	{"POST", "/.well-known/brski/es", on_nothing, 1000, COAP_FORMAT_CBOR, NULL, 401,
		"brski.es"},
	{"GET", "/.well-known/est/crts", on_who, 0, COAP_FORMAT_NONE, two_formats, 301,
		"ace.est.crts"},
};
static const struct coap_root roots[] = {
	{"/.well-known/brski", "/b", "brski"},
	{"/.well-known/est", "/e", "ace.est"},
};

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

static void answer_kept(void *call)
{
	char text[1200];

	memset(text, 'k', sizeof(text));
	call_reply(call, 200, CBOR, bytes_of(text, sizeof(text)));
}

FIXTURE void release(struct call *c)
{
	struct err e = ERR_INIT;

	assert_true(loop_post(call_loop(c), answer_kept, c, &e));
}

/* ---- the server ---- */

static void *run_loop(void *loop)
{
	loop_run(loop);
	return NULL;
}

FIXTURE void start_server(struct fixture *f, const struct coap_limits *limits)
{
	struct coap_server_config config = {
		.listen = "127.0.0.1:0",
		.jpy_listen = "127.0.0.1:0",
		.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.roots = roots,
		.root_count = sizeof(roots) / sizeof(*roots),
		.app = &f->app,
		.log = &f->log,
	};
	struct err e = ERR_INIT;

	memset(f, 0, sizeof(*f));
	assert_true(tls_init(&e));
	f->log = (struct log){
		.program = "test", .level = LOG_LEVEL_INFO, .fd = getenv("TEST_LOG") ? 2 : -1};
	pthread_mutex_init(&f->app.lock, NULL);
	pthread_cond_init(&f->app.changed, NULL);
	fixture_identity(KEY_EC_P256, "registrar", &f->id);
	fixture_identity(KEY_EC_P256, "device", &f->device);
	MUST(cert_list_add(&f->device.chain, f->id.cert, &e));
	f->tls = dtls_server_new(&f->id, &e);
	assert_non_null(f->tls);
	for (int i = 0; i < LOOPS; i++) {
		f->app.loops[i] = loop_new(&e);
		assert_non_null(f->app.loops[i]);
	}
	if (limits)
		config.limits = *limits;
	config.tls = f->tls;
	f->server = coap_server_new(&config, f->app.loops, LOOPS, &e);
	if (!f->server)
		fail_msg("%s", e.text);
	for (int i = 0; i < LOOPS; i++)
		pthread_create(&f->threads[i], NULL, run_loop, f->app.loops[i]);
}

FIXTURE void stop_server(struct fixture *f)
{
	for (int i = 0; i < LOOPS; i++) {
		loop_stop(f->app.loops[i]);
		pthread_join(f->threads[i], NULL);
	}
	coap_server_free(f->server);
	for (int i = 0; i < LOOPS; i++)
		loop_free(f->app.loops[i]);
	tls_server_free(f->tls);
	identity_clear(&f->id);
	identity_clear(&f->device);
	pthread_mutex_destroy(&f->app.lock);
	pthread_cond_destroy(&f->app.changed);
}

/* ---- the device ---- */

struct inbox {
	uint8_t octets[2048];
	size_t len;
};
struct mote {
	int fd;
	bool own_fd;
	const char *header; /* behind a join proxy: what its messages carry; or NULL */
	struct dtls *d;
	bool established, over;
	struct err why;
	struct inbox in[INBOX_MAX];
	size_t in_count;
	size_t longest; /* datagram that came */
	uint16_t next_id;
	struct inbox last;	   /* what `reply` borrows from */
	struct coap_message reply; /* of mote_await() */
};

static bool mote_transmit(void *arg, struct bytes datagram)
{
	struct mote *m = arg;
	struct jpy j = {.content = datagram};
	struct buf wrapped BUF_AUTO = BUF_INIT(4096);
	struct err e = ERR_INIT;

	if (m->header) {
		j.header = bytes_of_str(m->header);
		assert_true(jpy_format(&j, &wrapped, &e));
		datagram = buf_bytes(&wrapped);
	}
	send(m->fd, datagram.data, datagram.len, 0);
	return true;
}

static void mote_established(void *arg)
{
	((struct mote *)arg)->established = true;
}

static void mote_receive(void *arg, struct bytes octets)
{
	struct mote *m = arg;
	struct inbox *in = &m->in[m->in_count++];

	assert_true(m->in_count <= INBOX_MAX && octets.len <= sizeof(in->octets));
	memcpy(in->octets, octets.data, octets.len);
	in->len = octets.len;
}

static const struct dtls_events mote_events = {
	.transmit = mote_transmit, .established = mote_established, .receive = mote_receive};

FIXTURE int udp_connect(uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* One datagram from the socket to whom of `count` it belongs to; false after ms. */
FIXTURE bool motes_receive(struct mote *const *motes, size_t count, int64_t ms)
{
	uint8_t octets[4096];
	struct pollfd p = {.fd = motes[0]->fd, .events = POLLIN};
	struct jpy j = {.header = {NULL, 0}};
	struct err e = ERR_INIT;
	ssize_t n;

	if (poll(&p, 1, (int)ms) != 1 || (n = recv(p.fd, octets, sizeof(octets), 0)) <= 0)
		return false;
	j.content = bytes_of(octets, (size_t)n);
	if (motes[0]->header)
		assert_true(jpy_parse(bytes_of(octets, (size_t)n), &j, &e));
	for (size_t i = 0; i < count; i++) {
		struct mote *m = motes[i];

		if (m->header && !bytes_equal(j.header, bytes_of_str(m->header)))
			continue;
		if (j.content.len > m->longest)
			m->longest = j.content.len;
		if (!m->over)
			m->over = !dtls_feed(m->d, j.content, &m->why);
	}
	return true;
}

FIXTURE void mote_start(
	struct mote *m, int fd, const char *header, const struct dtls_client_config *config)
{
	struct err e = ERR_INIT;

	*m = (struct mote){.fd = fd, .header = header, .next_id = 1};
	m->d = dtls_connect(config, &mote_events, m, &e);
	assert_non_null(m->d);
}

/* Repeats what is lost. */
FIXTURE bool mote_finish(struct mote *m)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	while (!m->established && !m->over && clock_mono_ms() < deadline) {
		int64_t wait = dtls_timeout_ms(m->d);

		if (!motes_receive(&m, 1, wait >= 0 ? wait : PATIENCE_MS) && !m->over)
			m->over = !dtls_on_timeout(m->d, &m->why);
	}
	return m->established;
}

FIXTURE void mote_open(struct mote *m, const struct fixture *f)
{
	const struct dtls_client_config config = {.identity = &f->device};

	mote_start(m, udp_connect(coap_server_port(f->server)), NULL, &config);
	m->own_fd = true;
	if (!mote_finish(m))
		fail_msg("handshake: %s", m->why.text);
}

FIXTURE void mote_close(struct mote *m)
{
	dtls_close(m->d);
	dtls_free(m->d);
	if (m->own_fd)
		close(m->fd);
}

FIXTURE void mote_send_octets(struct mote *m, const void *octets, size_t len)
{
	struct err e = ERR_INIT;

	MUST(dtls_send(m->d, bytes_of(octets, len), &e));
}

FIXTURE void mote_send(struct mote *m, const struct coap_message *msg)
{
	struct buf out BUF_AUTO = BUF_INIT(4096);
	struct err e = ERR_INIT;

	MUST(coap_message_format(msg, &out, &e));
	mote_send_octets(m, out.data, out.len);
}

/* The next message within ms, in m->reply. */
FIXTURE bool mote_await_ms(struct mote *m, int64_t ms)
{
	int64_t deadline = clock_mono_ms() + ms;
	struct err e = ERR_INIT;

	while (m->in_count == 0) {
		int64_t left = deadline - clock_mono_ms();

		if (m->over || left <= 0 || !motes_receive(&m, 1, left))
			return false;
	}
	m->last = m->in[0];
	memmove(m->in, m->in + 1, --m->in_count * sizeof(*m->in));
	MUST(coap_message_parse(bytes_of(m->last.octets, m->last.len), &m->reply, &e));
	return true;
}

FIXTURE void mote_await(struct mote *m)
{
	if (!mote_await_ms(m, PATIENCE_MS))
		fail_msg("no message: %s", m->why.text);
}

FIXTURE bool mote_is_ended(struct mote *m)
{
	while (!m->over && motes_receive(&m, 1, PATIENCE_MS))
		;
	return m->over;
}

/* ---- requests ---- */

struct ask {
	uint8_t code;
	const char *path; /* "/a/b", or NULL: no Uri-Path */
	const char *query;
	struct bytes payload;
	bool non, has_format, has_accept, has_block1, has_block2, has_size1, wants_size2;
	uint32_t format, accept, size1;
	struct coap_block block1, block2;
	struct bytes etag, tag;
	uint16_t option; /* one more, when not 0 */
	struct bytes option_value;
	uint16_t id; /* 0: the next */
};

struct asking { /* a message and what its options borrow from */
	struct coap_message m;
	uint8_t scratch[8][4];
	char path[256];
};

static void put(struct asking *a, uint16_t number, struct bytes value)
{
	struct err e = ERR_INIT;

	MUST(coap_message_add(&a->m, number, value, &e));
}

static void put_path(struct asking *a, const char *path)
{
	char *rest = NULL;

	snprintf(a->path, sizeof(a->path), "%s", path);
	for (char *s = strtok_r(a->path, "/", &rest); s; s = strtok_r(NULL, "/", &rest))
		put(a, COAP_OPT_URI_PATH, bytes_of_str(s));
}

FIXTURE void mote_ask_only(struct mote *m, const struct ask *q)
{
	struct asking a = {.m = {.type = q->non ? COAP_NON : COAP_CON, .code = q->code}};

	a.m.id = q->id ? q->id : m->next_id++;
	memcpy(a.m.token, &a.m.id, 2);
	a.m.token_len = 2;
	a.m.payload = q->payload;
	if (q->path)
		put_path(&a, q->path);
	if (q->query)
		put(&a, COAP_OPT_URI_QUERY, bytes_of_str(q->query));
	if (q->has_format)
		put(&a, COAP_OPT_CONTENT_FORMAT, coap_uint(q->format, a.scratch[0]));
	if (q->has_accept)
		put(&a, COAP_OPT_ACCEPT, coap_uint(q->accept, a.scratch[1]));
	if (q->has_block1)
		put(&a, COAP_OPT_BLOCK1, coap_block_value(&q->block1, a.scratch[2]));
	if (q->has_block2)
		put(&a, COAP_OPT_BLOCK2, coap_block_value(&q->block2, a.scratch[3]));
	if (q->has_size1)
		put(&a, COAP_OPT_SIZE1, coap_uint(q->size1, a.scratch[4]));
	if (q->wants_size2)
		put(&a, COAP_OPT_SIZE2, coap_uint(0, a.scratch[5]));
	if (q->etag.len)
		put(&a, COAP_OPT_ETAG, q->etag);
	if (q->tag.len)
		put(&a, COAP_OPT_REQUEST_TAG, q->tag);
	if (q->option)
		put(&a, q->option, q->option_value);
	mote_send(m, &a.m);
}

/* The code of the piggybacked answer. */
FIXTURE uint8_t mote_ask(struct mote *m, const struct ask *q)
{
	uint16_t id = q->id ? q->id : m->next_id;

	mote_ask_only(m, q);
	mote_await(m);
	assert_int_equal(m->reply.type, q->non ? COAP_NON : COAP_ACK);
	if (!q->non)
		assert_int_equal(m->reply.id, id);
	assert_int_equal(m->reply.token_len, 2);
	assert_memory_equal(m->reply.token, &id, 2);
	return m->reply.code;
}

FIXTURE bool said(const struct mote *m, const char *text)
{
	return bytes_equal(m->reply.payload, bytes_of_str(text));
}

/* The value of a uint option of the reply; -1: not there. */
FIXTURE int64_t option_of(const struct mote *m, uint16_t number)
{
	uint32_t value;

	return coap_message_uint(&m->reply, number, &value) ? (int64_t)value : -1;
}

FIXTURE struct coap_block block_of(const struct mote *m, uint16_t number)
{
	struct coap_block b;
	struct err e = ERR_INIT;
	bool present;

	MUST(coap_block_read(&m->reply, number, &present, &b, &e));
	assert_true(present);
	return b;
}

#endif
