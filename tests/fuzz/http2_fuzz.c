/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of an HTTP/2 client on one of our connections, without the connection: the protocol is
 * driven as http_conn.c does it, in turns, but for the socket. The input begins after the client's
 * preface. Routes answer at once, refuse, or wait until the end of the turn. What has been received
 * never exceeds the limit, and nothing is left behind when the connection goes. */
#include <stdlib.h>
#include <string.h>

#include "common/net/http2.h"
#include "common/net/http_worker.h"
#include "tests/fuzz/fuzz.h"

#define TURN_OCTETS 512 /* read at a time: several turns in an input */
#define LATE_MAX    16

struct world {
	struct http_server server;
	struct http_worker worker;
	struct log log;
	struct call *late[LATE_MAX];
	size_t late_count;
};

static void on_echo(struct call *c, void *app)
{
	call_set_header(c, "X-Fuzz", "1");
	call_reply(c, 200, "application/octet-stream", call_body(c));
}

static void on_refuse(struct call *c, void *app)
{
	struct world *w = app;
	struct err e = ERR_INIT;

	err_set(&e, ERR_PROXIMITY, "refused");
	call_reply_err(c, &w->log, "refused", &e);
}

static void on_late(struct call *c, void *app)
{
	struct world *w = app;

	if (w->late_count < LATE_MAX)
		w->late[w->late_count++] = c;
	else
		call_reply_pending(c, 5, "Later.");
}

static void on_large(struct call *c, void *app)
{
	static const uint8_t octets[70000];

	call_reply(c, 200, "text/plain", bytes_of(octets, sizeof(octets)));
}

static const struct http_route routes[] = {
	{"POST", "/echo", on_echo, 4096, NULL},
	{"POST", "/typed", on_echo, 64, "text/plain"},
	{"GET", "/refuse", on_refuse, 0, NULL},
	{"POST", "/late", on_late, 1024, NULL},
	{"GET", "/large", on_large, 0, NULL},
	{"GET", "/any/*", on_echo, 0, NULL},
};

static struct world *world(void)
{
	static struct world w;
	struct err e = ERR_INIT;

	if (w.worker.loop)
		return &w;
	w.log = (struct log){.program = "fuzz", .level = LOG_LEVEL_ERROR, .fd = -1};
	w.server.config = (struct http_server_config){.routes = routes,
		.route_count = sizeof(routes) / sizeof(*routes),
		.app = &w,
		.limits = http_limits_default,
		.log = &w.log};
	w.server.config.limits.h2_streams_max = 8;
	w.worker.server = &w.server;
	shed_init(&w.worker.shed);
	FUZZ_REQUIRE((w.worker.loop = loop_new(&e)) != NULL);
	return &w;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
}

static void on_deadline(void *arg)
{
}

static struct conn *open_conn(struct world *w)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(c);
	c->worker = &w->worker;
	c->stream.fd = -1;
	buf_init(&c->out, CONN_OUT_MAX);
	FUZZ_REQUIRE((c->peer = peer_ref_new(&e)) != NULL);
	FUZZ_REQUIRE(
		(c->readable = event_new(loop_base(w->worker.loop), -1, 0, on_turn, c)) != NULL);
	FUZZ_REQUIRE(loop_timer_init(&c->deadline, w->worker.loop, on_deadline, NULL, &e));
	shed_enter(&w->worker.shed, c);
	c->protocol = &http2_protocol;
	FUZZ_REQUIRE((c->p = c->protocol->open(c, &e)) != NULL);
	return c;
}

static void close_conn(struct conn *c)
{
	c->protocol->close(c->p);
	shed_leave(&c->worker->shed, c);
	event_free(c->readable);
	loop_timer_clear(&c->deadline);
	peer_ref_drop(c->peer);
	buf_wipe(&c->out);
	free(c);
}

static void check_bounds(const struct conn *c)
{
	const struct http2_conn *h2 = c->p;
	size_t received = 0, streams = 0;

	for (const struct http2_stream *s = h2->streams; s; s = s->next) {
		received += s->received;
		streams++;
	}
	FUZZ_REQUIRE(c->protocol->held(c->p) >= received);
	FUZZ_REQUIRE(!c->protocol->is_serving(c->p) || c->protocol->is_busy(c->p));
	FUZZ_REQUIRE(!c->protocol->is_busy(c->p) || streams);
	FUZZ_REQUIRE(received == h2->bodies && h2->bodies <= HTTP2_BODIES_MAX);
	FUZZ_REQUIRE(streams <= 2 * conn_limits(c)->h2_streams_max);
	FUZZ_REQUIRE(c->out.len < 4 * CONN_OUT_HIGH);
}

static void answer_late(struct world *w)
{
	while (w->late_count) {
		struct call *c = w->late[--w->late_count];

		call_reply(c, 202, NULL, bytes_of(NULL, 0));
	}
}

/* One turn; false when the connection is over. */
static bool turn(struct conn *c, struct bytes in)
{
	c->in_turn = true;
	if (in.len)
		c->protocol->input(c->p, in);
	do {
		c->out.len = 0; /* the peer has read it */
		c->protocol->advance(c->p);
	} while (!c->dead && c->out.len);
	c->in_turn = false;
	check_bounds(c);
	return !c->dead && !c->finish;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct world *w = world();
	struct conn *c = open_conn(w);
	bool open = turn(c, bytes_of(preface, sizeof(preface) - 1));

	for (size_t at = 0; open && at < len; at += TURN_OCTETS) {
		size_t n = len - at < TURN_OCTETS ? len - at : TURN_OCTETS;

		open = turn(c, bytes_of(data + at, n));
		if (w->late_count > LATE_MAX / 2) {
			answer_late(w);
			open = open && turn(c, bytes_of(NULL, 0));
		}
	}
	if (open && len % 2)
		answer_late(w);
	if (open && len % 3 == 0) {
		c->protocol->drain(c->p);
		open = turn(c, bytes_of(NULL, 0));
	}
	close_conn(c);
	answer_late(w); /* to nobody */
	FUZZ_REQUIRE(!w->worker.calls.first);
	return 0;
}
