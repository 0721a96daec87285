/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's life: handshake, turns of reading, serving and writing, and an end that lets the
 * peer read our last words: after a refusal the rest of its request may still be on the way, and a
 * socket closed over unread octets resets the connection and takes the answer with it (RFC 9112
 * §9.6). */
#include "common/net/http_conn.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/http_worker.h"

/* A read takes a whole record: of one that has begun to be read nothing stays in OpenSSL. */
_Static_assert(CONN_READ_MAX >= SSL3_RT_MAX_PLAIN_LENGTH, "a record fits into a read");

static void on_socket(evutil_socket_t fd, short what, void *arg);
static void on_deadline(void *arg);
static void on_write_deadline(void *arg);

const struct http_limits *conn_limits(const struct conn *c)
{
	return &c->worker->server->config.limits;
}

static int64_t phase_ms(const struct conn *c, enum conn_phase phase)
{
	const struct http_limits *l = conn_limits(c);

	switch (phase) {
	case CONN_HANDSHAKE:
		return l->handshake_ms;
	case CONN_IDLE:
		return l->idle_ms;
	case CONN_HEADER:
		return l->header_ms;
	case CONN_BODY:
		return l->body_ms;
	case CONN_LINGER:
		return CONN_LINGER_MS;
	case CONN_ANSWER:
	case CONN_PHASE_COUNT:
		break;
	}
	return 0;
}

void conn_set_phase(struct conn *c, enum conn_phase phase)
{
	int64_t ms = phase_ms(c, phase), grace_ms = conn_limits(c)->drain_grace_ms;

	bool waits = phase == CONN_HANDSHAKE || phase == CONN_IDLE || phase == CONN_LINGER;

	if (c->drained && waits && ms > grace_ms)
		ms = grace_ms;

	c->phase = phase;
	if (ms)
		loop_timer_arm(&c->deadline, ms);
	else
		loop_timer_disarm(&c->deadline);
}

void conn_finish(struct conn *c)
{
	c->finish = true;
}

void conn_abort(struct conn *c)
{
	c->dead = true;
}

void conn_kick(struct conn *c)
{
	if (!c->in_turn)
		event_active(c->readable, EV_WRITE, 0);
}

void conn_put(struct conn *c, struct bytes b)
{
	struct err e = ERR_INIT;

	if (!buf_append(&c->out, b.data, b.len, &e))
		c->dead = true;
}

struct call *conn_new_call(
	struct conn *c, const struct call_carrier *carrier, void *arg, struct err *e)
{
	const struct http_limits *limits = conn_limits(c);
	const struct call_setup setup = {
		.loop = c->worker->loop,
		.log = c->worker->server->config.log,
		.list = &c->worker->calls,
		.peer = c->peer,
		.carrier = carrier,
		.carrier_arg = arg,
		.answer_ms = limits->request_ms,
		.problems = c->worker->server->config.problems,
		.header_block_max = limits->header_block_max,
	};

	return call_new(&setup, e);
}

bool conn_may_take(struct conn *c)
{
	c->cut = c->taken >= c->protocol->turn_max;
	return !c->cut;
}

void conn_answered(struct conn *c)
{
	shed_served(&c->worker->shed, c);
}

static void log_lost(const struct conn *c, const char *event, const struct err *e)
{
	log_event(c->worker->server->config.log, LOG_LEVEL_INFO, event, NULL, "peer",
		c->peer->peer.address, "reason", e->text, NULL);
}

static bool start_protocol(struct conn *c)
{
	struct err e = ERR_INIT;

	c->protocol = tls_stream_is_h2(&c->stream) ? &http2_protocol : &http1_protocol;
	if (!tls_stream_peer(&c->stream, c->worker->server->config.cache, &c->peer->peer, &e) ||
		!http_worker_identify(c->worker, c, &e) || !(c->p = c->protocol->open(c, &e))) {
		c->protocol = NULL;
		c->dead = true;
		log_lost(c, "connection-refused", &e);
		return false;
	}
	conn_set_phase(c, CONN_IDLE);
	return true;
}

static void note_shaken(struct conn *c)
{
	c->shaken = true;
	if (c->stream.ssl)
		server_count(&c->worker->server->tally.handshakes);
}

/* ---- Whose connection is it? ---- */

/* Read on; true when all of the header is there. A balancer that connects, or resets, without a
 * word only looks whether we are there. */
static bool read_header(struct conn *c, struct conn_proxied *h, struct err *e)
{
	enum stream_result r = STREAM_OK;
	struct err lost = ERR_INIT;
	size_t length, got;

	while (proxy_header_length(bytes_of(h->octets, h->len), &length, e)) {
		if (h->len == length)
			return true;
		r = tls_stream_read_before(
			&c->stream, h->octets + h->len, length - h->len, &got, &lost);
		if (r != STREAM_OK)
			break;
		h->len += got;
	}
	c->dead = r != STREAM_WAIT;
	if (c->dead && h->len > 0 && e->kind == ERR_NONE)
		err_set(e, ERR_INPUT, "it ended within its PROXY header");
	return false;
}

/* A balancer says it in front of everything; true when nothing more is to come of that. */
static bool learn_sender(struct conn *c)
{
	struct err e = ERR_INIT;
	struct proxy_header header;
	char balancer[CALL_PEER_MAX];
	bool ok;

	if (!c->proxied)
		return true;
	memcpy(balancer, c->peer->peer.address, sizeof(balancer));
	ok = read_header(c, c->proxied, &e) &&
	     proxy_header_parse(bytes_of(c->proxied->octets, c->proxied->len), &header, &e) &&
	     (!header.told || http_worker_told(c->worker, c, &header.from, &e));
	if (ok)
		free_ptr(&c->proxied);
	if (e.kind == ERR_NONE)
		return ok;
	c->dead = true;
	log_event(c->worker->server->config.log, LOG_LEVEL_WARNING, "proxied-refused", NULL,
		"balancer", balancer, "peer", c->peer->peer.address, "reason", e.text, NULL);
	return false;
}

/* True when the connection can be read from. */
static bool handshake(struct conn *c)
{
	struct err e = ERR_INIT;

	if (c->protocol)
		return true;
	if (!learn_sender(c))
		return false;
	switch (tls_stream_handshake(&c->stream, &e)) {
	case STREAM_OK:
		note_shaken(c);
		return start_protocol(c);
	case STREAM_WAIT:
		return false;
	case STREAM_EOF:
		c->dead = true;
		return false;
	case STREAM_FAILED:
		c->dead = true;
		log_lost(c, "handshake-failed", &e);
		return false;
	}
	return false;
}

static bool wants_input(const struct conn *c)
{
	if (c->dead || c->in_eof || c->waits || c->cut)
		return false;
	if (!c->protocol || c->phase == CONN_LINGER)
		return true;
	return !c->finish && c->out.len < CONN_OUT_HIGH && c->protocol->wants_input(c->p);
}

/* A read after an event takes all that the socket has; those that follow, also in further turns,
 * come to the end of that first, record by record. Who sends less than it could has sent all. */
static void take_input(struct conn *c)
{
	uint8_t octets[CONN_READ_MAX];
	struct err e = ERR_INIT;
	bool more = true, greed = !c->stream.more;
	size_t got;

	for (int i = 0; i < CONN_READS && more && wants_input(c); i++, greed = false) {
		more = false;
		switch (tls_stream_read(&c->stream, greed, octets, sizeof(octets), &got, &e)) {
		case STREAM_OK:
			c->protocol->input(c->p, bytes_of(octets, got));
			more = c->stream.more || got == sizeof(octets);
			break;
		case STREAM_WAIT:
			break;
		case STREAM_EOF:
			c->in_eof = true;
			break;
		case STREAM_FAILED:
			c->dead = true;
			break;
		}
	}
}

/* Write what waits; true when all of it has gone. */
static bool flush(struct conn *c)
{
	struct err e = ERR_INIT;
	size_t put;

	while (c->out_sent < c->out.len) {
		struct bytes rest = bytes_of(c->out.data + c->out_sent, c->out.len - c->out_sent);

		switch (tls_stream_write(&c->stream, rest, &put, &e)) {
		case STREAM_OK:
			c->out_sent += put;
			break;
		case STREAM_WAIT:
			return false;
		case STREAM_EOF:
		case STREAM_FAILED:
			c->dead = true;
			return false;
		}
	}
	buf_wipe(&c->out); /* a generated key may have gone out in it */
	c->out_sent = 0;
	return true;
}

static void serve(struct conn *c)
{
	do {
		c->protocol->advance(c->p);
	} while (!c->dead && c->out.len && flush(c));
}

static void discard_input(struct conn *c)
{
	for (int i = 0; i < CONN_READS; i++)
		switch (tls_stream_discard(&c->stream)) {
		case STREAM_OK:
			break;
		case STREAM_WAIT:
			return;
		case STREAM_EOF:
		case STREAM_FAILED:
			c->dead = true;
			return;
		}
}

static void start_linger(struct conn *c)
{
	tls_stream_end_writing(&c->stream);
	if (c->in_eof)
		c->dead = true;
	else
		conn_set_phase(c, CONN_LINGER);
}

static void await_socket(struct conn *c)
{
	bool blocked = c->out.len > 0;

	if (wants_input(c) || c->stream.write_wants_read)
		event_add(c->readable, NULL);
	else
		event_del(c->readable);
	if (c->stream.more && c->phase != CONN_LINGER && wants_input(c))
		event_active(c->readable, EV_READ, 0);
	if (blocked || c->stream.read_wants_write)
		event_add(c->writable, NULL);
	if (blocked && !c->write_armed)
		loop_timer_arm(&c->write_deadline, conn_limits(c)->write_ms);
	else if (!blocked)
		loop_timer_disarm(&c->write_deadline);
	c->write_armed = blocked;
}

static size_t held_by(const struct conn *c)
{
	return c->out.len + (c->protocol ? c->protocol->held(c->p) : 0);
}

/* The end of a turn: the only place that frees a connection in operation, but for those that make
 * room for others. */
static void settle(struct conn *c)
{
	c->in_turn = false;
	if (!c->dead && c->out.len == 0 && c->phase != CONN_LINGER) {
		if (c->finish)
			start_linger(c);
		else if (c->in_eof && !(c->protocol && c->protocol->is_busy(c->p)))
			c->dead = true;
	}
	if (c->dead) {
		conn_free(c);
	} else {
		if (c->cut && !c->waits)
			http_worker_queue(c->worker, c);
		await_socket(c);
		http_worker_account(c->worker, c, held_by(c)); /* may end others, or this one */
	}
}

static void begin_turn(struct conn *c)
{
	c->in_turn = true;
	c->taken = 0;
	c->cut = false;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	begin_turn(c);
	if (c->phase == CONN_LINGER) {
		discard_input(c);
	} else if (handshake(c)) {
		if (what & EV_READ || c->stream.more || c->stream.read_wants_write)
			take_input(c);
		if (!c->dead)
			serve(c);
	}
	settle(c);
}

void conn_go_on(struct conn *c)
{
	begin_turn(c);
	if (c->phase != CONN_LINGER)
		serve(c);
	settle(c);
}

static void on_deadline(void *arg)
{
	struct conn *c = arg;

	begin_turn(c);
	if (c->protocol && c->phase != CONN_LINGER) {
		c->protocol->expired(c->p, c->phase);
		if (!c->dead)
			serve(c);
	} else {
		c->dead = true;
	}
	settle(c);
}

static void on_write_deadline(void *arg)
{
	struct conn *c = arg;

	c->dead = true;
	settle(c);
}

/* A peer that was told nothing yet may have a request on its way, and one that is not answered
 * might be done twice or never: handshakes and pauses between requests go on, but not for long. */
void conn_drain(struct conn *c)
{
	bool first = !c->drained;

	begin_turn(c);
	c->drained = true;
	if (first && (c->phase == CONN_HANDSHAKE || c->phase == CONN_IDLE))
		conn_set_phase(c, c->phase);
	if (c->protocol && c->phase != CONN_LINGER) {
		c->protocol->drain(c->p);
		serve(c);
	}
	settle(c);
}

static bool set_up(struct conn *c, int fd, struct err *e)
{
	struct loop *loop = c->worker->loop;

	if (!loop_timer_init(&c->deadline, loop, on_deadline, c, e) ||
		!loop_timer_init(&c->write_deadline, loop, on_write_deadline, c, e))
		return false;
	c->readable = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_socket, c);
	c->writable = event_new(loop_base(loop), fd, EV_WRITE, on_socket, c);
	if (!c->readable || !c->writable || event_add(c->readable, NULL) != 0)
		return err_set(e, ERR_NO_MEMORY, "no memory for a connection");
	return true;
}

/* From a balancer that is listed a header has to come; nobody else is heard. */
static bool expect_header(struct conn *c, const struct peer *from, struct err *e)
{
	if (!networks_have(&c->worker->server->proxied, from->address))
		return true;
	c->proxied = mem_new(sizeof(*c->proxied), e);
	return c->proxied != NULL;
}

static struct conn *conn_new(struct http_worker *w, int fd, const struct peer *from, struct err *e)
{
	struct tls_server *tls = tls_slot_take(&w->server->tls, NULL);
	struct conn *c = mem_new(sizeof(*c), e);
	bool opened;

	if (!c) {
		struct tls_stream s = {.fd = fd};

		tls_stream_close(&s);
		tls_server_free(tls);
		return NULL;
	}
	c->worker = w;
	buf_init(&c->out, CONN_OUT_MAX);
	opened = tls_stream_open(&c->stream, fd, tls, e) && expect_header(c, from, e);
	c->peer = peer_ref_new(e);
	if (c->peer) {
		c->peer->peer = *from;
		c->peer->peer.tls = tls; /* and the reference to it */
	} else {
		tls_server_free(tls);
	}
	if (!opened || !c->peer || !set_up(c, fd, e)) {
		conn_free(c);
		return NULL;
	}
	return c;
}

bool conn_open(struct http_worker *w, int fd, const struct peer *from, const uint8_t source[16],
	struct err *e)
{
	struct conn *c = conn_new(w, fd, from, e);

	if (!c)
		return false;
	memcpy(c->source, source, sizeof(c->source));
	c->next = w->conns;
	c->link = &w->conns;
	if (c->next)
		c->next->link = &c->next;
	w->conns = c;
	shed_enter(&w->shed, c);
	conn_set_phase(c, CONN_HANDSHAKE);
	if (!c->stream.ssl)
		conn_kick(c);
	return true;
}

void conn_free(struct conn *c)
{
	if (c->stream.ssl && !c->shaken)
		server_count(&c->worker->server->tally.handshakes_failed);
	if (c->protocol)
		c->protocol->close(c->p);
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	loop_timer_clear(&c->deadline);
	loop_timer_clear(&c->write_deadline);
	tls_stream_close(&c->stream);
	peer_ref_drop(c->peer);
	free(c->proxied);
	buf_wipe(&c->out);
	if (c->link) {
		*c->link = c->next;
		if (c->next)
			c->next->link = c->link;
		http_worker_conn_gone(c->worker, c);
	}
	free(c);
}
