/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 on a connection: one request at a time. What arrives while a handler works waits in a
 * bounded backlog and is taken up when the answer has been given; without that a pipelining client
 * would hang until its next packet. Replies always carry Content-Length and Title-Case names, which
 * libest needs. RFC 9112. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/http1.h"
#include "common/net/http_conn.h"
#include "common/net/http_date.h"
#include "common/net/http_route.h"
#include "common/net/http_worker.h"
#include "common/net/status.h"

#define BACKLOG_HIGH   16384 /* pipelined octets kept while a handler works; then reading pauses */
#define HTTP1_TURN_MAX 1     /* requests a turn: whoever waits for answers has no more */

struct http1_conn {
	struct conn *conn;
	struct http1 *parser;
	struct call *call; /* being received, or with its handler; NULL between requests */
	struct http_verdict verdict;
	struct buf backlog;
	bool answering; /* the call is with its handler */
	bool keep_alive;
};

static void answered(void *carrier, struct call *c);
static const struct call_carrier carrier = {answered};

static const struct http_server_config *config_of(const struct http1_conn *h)
{
	return &h->conn->worker->server->config;
}

/* ---- replies ---- */

static bool put_field(struct buf *out, const char *name, const char *value, struct err *e)
{
	const size_t at = out->len;

	if (!buf_append_str(out, name, e))
		return false;
	for (size_t i = 0; name[i]; i++)
		if (i == 0 || name[i - 1] == '-')
			out->data[at + i] = (uint8_t)toupper(out->data[at + i]);
	return buf_append_str(out, ": ", e) && buf_append_str(out, value, e) &&
	       buf_append_str(out, "\r\n", e);
}

static bool put_own_fields(struct buf *out, const struct call *c, bool close, struct err *e)
{
	char date[HTTP_DATE_LEN + 1];

	http_date_format(clock_unix_s(NULL), date);
	if (!put_field(out, "Date", date, e) ||
		(c->exchange[0] && !put_field(out, "X-Request-Id", c->exchange, e)) ||
		(close && !put_field(out, "Connection", "close", e)))
		return false;
	if (c->reply.status == 204 || c->reply.status == 304)
		return true; /* these have no length (RFC 9110 §8.6) */
	return buf_printf(out, e, "Content-Length: %zu\r\n", c->reply.body.len);
}

static bool put_reply(struct buf *out, const struct call *c, bool close, struct err *e)
{
	const struct call_reply_parts *r = &c->reply;

	if (!buf_printf(out, e, "HTTP/1.1 %d %s\r\n", r->status, status_reason(r->status)) ||
		!put_own_fields(out, c, close, e))
		return false;
	for (size_t i = 0; i < r->headers.count; i++)
		if (!put_field(out, http_fields_name(&r->headers, i),
			    http_fields_value(&r->headers, i), e))
			return false;
	if (!buf_append_str(out, "\r\n", e))
		return false;
	return call_is_head(c) || buf_append(out, r->body.data, r->body.len, e);
}

static void answered(void *arg, struct call *c)
{
	struct http1_conn *h = arg;
	bool close = c->reply.close || !h->keep_alive || h->conn->drained;
	struct err e = ERR_INIT;

	h->call = NULL;
	h->answering = false;
	conn_answered(h->conn);
	if (!put_reply(&h->conn->out, c, close, &e)) {
		conn_abort(h->conn);
	} else if (close) {
		conn_set_phase(h->conn, CONN_ANSWER);
		conn_finish(h->conn);
	} else {
		http1_reset(h->parser);
		conn_set_phase(h->conn, CONN_IDLE);
	}
	conn_kick(h->conn);
}

/* ---- requests ---- */

/* Answer from here and end the connection: where the next request would begin is not known. */
static void refuse(struct http1_conn *h, int status, const char *sentence)
{
	struct err e = ERR_INIT;
	struct call *c = h->call;

	h->keep_alive = false;
	if (!c)
		c = conn_new_call(h->conn, &carrier, h, &e);
	if (!c) {
		conn_abort(h->conn);
		return;
	}
	call_refuse(c, status, sentence);
	call_free(c);
}

static void refuse_err(struct http1_conn *h, int status, const struct err *e)
{
	const char *exchange = h->call ? h->call->exchange : NULL;

	log_err(config_of(h)->log, "request-malformed", exchange, e);
	/* the texts of the parser are made for peers */
	refuse(h, status,
		e->kind == ERR_INPUT || e->kind == ERR_TOO_LARGE ? e->text : err_sentence(e));
}

static bool copy_request(struct http1_conn *h, const struct http1_request *rq, struct err *e)
{
	struct call *c = conn_new_call(h->conn, &carrier, h, e);

	h->call = c;
	if (!c)
		return false;
	for (size_t i = 0; i < rq->header_count; i++)
		if (!http_fields_add(&c->headers, bytes_of_str(rq->headers[i].name),
			    bytes_of_str(rq->headers[i].value), e))
			return false;
	return call_begin(c, rq->method, rq->target, e);
}

/* The head is complete: judge it before asking for the body. A refused request's body is read and
 * dropped, so that the connection lives on, unless the client waits for leave to send it. */
static void begin(struct http1_conn *h)
{
	const struct http1_request *rq = http1_request(h->parser);
	struct err e = ERR_INIT;

	h->keep_alive = rq->keep_alive;
	if (!copy_request(h, rq, &e)) {
		refuse_err(h, e.kind == ERR_TOO_LARGE ? 431 : status_of(e.kind), &e);
		return;
	}
	http_route_find(config_of(h), h->call, &h->verdict);
	if (!h->verdict.route && rq->expect_continue) {
		h->keep_alive = false;
		http_route_dispatch(config_of(h), &h->verdict, h->call);
		return;
	}
	http1_set_body_max(
		h->parser, h->verdict.route ? h->verdict.route->body_max : HTTP_DISCARD_MAX);
	conn_set_phase(h->conn, CONN_BODY);
}

static void dispatch(struct http1_conn *h)
{
	http1_take_body(h->parser, &h->call->body);
	h->answering = true;
	h->conn->taken++;
	conn_set_phase(h->conn, CONN_ANSWER);
	http_route_dispatch(config_of(h), &h->verdict, h->call);
}

/* After the head, with what has arrived of the body so far: is the client waiting? */
static void leave_to_send(struct http1_conn *h, bool body_began)
{
	if (!body_began && http1_request(h->parser)->expect_continue)
		conn_put(h->conn, bytes_of_str("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* Let the parser have some octets; how many were used. */
static size_t feed(struct http1_conn *h, struct bytes in)
{
	struct err e = ERR_INIT;
	size_t used = 0;
	int status = 0;

	switch (http1_feed(h->parser, in, &used, &status, &e)) {
	case HTTP1_NEED_MORE:
		if (h->conn->phase == CONN_IDLE && http1_started(h->parser))
			conn_set_phase(h->conn, CONN_HEADER);
		break;
	case HTTP1_HEADERS:
		begin(h);
		if (!h->call)
			break;
		feed(h, bytes_of(NULL, 0)); /* complete as it is? too large already? */
		if (h->call && !h->answering)
			leave_to_send(h, used < in.len);
		break;
	case HTTP1_DONE:
		dispatch(h);
		break;
	case HTTP1_BAD:
		refuse_err(h, status, &e);
		break;
	}
	return used;
}

static size_t consume(struct http1_conn *h, struct bytes in)
{
	size_t used = 0;

	while (used < in.len && !h->answering && !h->conn->finish && !h->conn->dead &&
		h->conn->out.len < CONN_OUT_HIGH && conn_may_take(h->conn))
		used += feed(h, bytes_of(in.data + used, in.len - used));
	return used;
}

/* ---- the protocol's verbs ---- */

static void *http1_conn_open(struct conn *c, struct err *e)
{
	struct http1_conn *h = mem_new(sizeof(*h), e);

	if (!h)
		return NULL;
	h->conn = c;
	buf_init(&h->backlog, BACKLOG_HIGH + CONN_READ_MAX);
	h->parser = http1_new(conn_limits(c)->header_block_max, e);
	if (!h->parser) {
		free(h);
		return NULL;
	}
	return h;
}

static void http1_conn_input(void *p, struct bytes in)
{
	struct http1_conn *h = p;
	struct err e = ERR_INIT;
	size_t used = h->backlog.len ? 0 : consume(h, in);

	if (used < in.len && !buf_append(&h->backlog, in.data + used, in.len - used, &e))
		conn_abort(h->conn);
}

static void http1_conn_advance(void *p)
{
	struct http1_conn *h = p;

	buf_consume(&h->backlog, consume(h, buf_bytes(&h->backlog)));
	if (h->backlog.len == 0)
		buf_clear(&h->backlog);
}

static bool http1_conn_wants_input(void *p)
{
	struct http1_conn *h = p;

	return h->backlog.len < BACKLOG_HIGH;
}

static bool http1_conn_is_busy(void *p)
{
	struct http1_conn *h = p;

	return h->answering || h->backlog.len > 0;
}

static bool http1_conn_is_serving(void *p)
{
	struct http1_conn *h = p;

	return h->answering;
}

static size_t http1_conn_held(void *p)
{
	struct http1_conn *h = p;
	size_t body = h->answering ? h->call->body.len : http1_body(h->parser).len;

	return body + h->backlog.len;
}

static void http1_conn_expired(void *p, enum conn_phase phase)
{
	struct http1_conn *h = p;

	if (phase == CONN_IDLE) {
		tls_stream_end_writing(&h->conn->stream);
		conn_abort(h->conn);
	} else {
		refuse(h, 408, "The request did not arrive in time.");
	}
}

/* Nothing to be told before the next answer, which will say that it is the last. */
static void http1_conn_drain(void *p)
{
}

static void http1_conn_close(void *p)
{
	struct http1_conn *h = p;

	if (h->call && h->answering)
		call_detach(h->call);
	else
		call_free(h->call);
	http1_free(h->parser);
	buf_clear(&h->backlog);
	free(h);
}

const struct conn_protocol http1_protocol = {
	.open = http1_conn_open,
	.input = http1_conn_input,
	.advance = http1_conn_advance,
	.wants_input = http1_conn_wants_input,
	.is_busy = http1_conn_is_busy,
	.is_serving = http1_conn_is_serving,
	.held = http1_conn_held,
	.expired = http1_conn_expired,
	.drain = http1_conn_drain,
	.close = http1_conn_close,
	.turn_max = HTTP1_TURN_MAX,
};
