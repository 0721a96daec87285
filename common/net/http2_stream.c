/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 stream: a request received in pieces, a call, a reply sent in pieces (RFC 9113 §8).
 * Each phase has an absolute deadline of its own, because the connection's other streams go on. */
#include "common/net/http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/net/http_date.h"
#include "common/net/http_worker.h"
#include "common/net/status.h"

#define OWN_FIELDS_MAX 4 /* :status, date, x-request-id, content-length */

static void answered(void *carrier, struct call *c);
static const struct call_carrier carrier = {answered};

static const struct http_server_config *config_of(const struct http2_stream *s)
{
	return &s->h2->conn->worker->server->config;
}

static void make_ready(struct http2_stream *s)
{
	s->state = STREAM_READY;
	loop_timer_disarm(&s->deadline);
}

/* The first reason counts. While header fields still come, it waits for their end. */
static void refuse(struct http2_stream *s, int status, const struct err *e)
{
	if (s->state > STREAM_BODY || s->refuse_status)
		return;
	s->refuse_status = status;
	s->refusal = *e;
	if (s->state == STREAM_BODY)
		make_ready(s);
}

static void on_deadline(void *arg)
{
	struct http2_stream *s = arg;
	struct err e = ERR_INIT;

	switch (s->state) {
	case STREAM_HEADERS: /* nothing else may come on the connection before they end */
		conn_abort(s->h2->conn);
		break;
	case STREAM_BODY:
		err_set(&e, ERR_INPUT, "The request did not arrive in time.");
		refuse(s, 408, &e);
		break;
	case STREAM_ANSWERED:
		nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id,
			s->reply_sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
		break;
	case STREAM_READY:
	case STREAM_HANDLER:
		break;
	}
	conn_kick(s->h2->conn);
}

struct http2_stream *http2_stream_new(struct http2_conn *h2, int32_t id, struct err *e)
{
	struct http2_stream *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	s->h2 = h2;
	s->id = id;
	buf_init(&s->target, conn_limits(h2->conn)->header_block_max);
	s->next = h2->streams;
	s->link = &h2->streams;
	if (s->next)
		s->next->link = &s->next;
	h2->streams = s;
	if (!loop_timer_init(&s->deadline, h2->conn->worker->loop, on_deadline, s, e) ||
		!(s->call = conn_new_call(h2->conn, &carrier, s, e))) {
		http2_stream_free(s);
		return NULL;
	}
	loop_timer_arm(&s->deadline, conn_limits(h2->conn)->header_ms);
	return s;
}

void http2_stream_free(struct http2_stream *s)
{
	if (s->call && s->state == STREAM_HANDLER)
		call_detach(s->call);
	else
		call_free(s->call);
	s->h2->bodies -= s->received;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	loop_timer_clear(&s->deadline);
	buf_clear(&s->target);
	buf_wipe(&s->body);
	free(s);
}

/* ---- receiving ---- */

static bool keep_pseudo(
	struct http2_stream *s, struct bytes name, struct bytes value, struct err *e)
{
	if (bytes_equal(name, bytes_of_str(":method"))) {
		if (value.len > CALL_METHOD_MAX)
			return err_set(e, ERR_NOT_FOUND, "HTTP/2: method not known");
		memcpy(s->method, value.data, value.len);
	} else if (bytes_equal(name, bytes_of_str(":path"))) {
		return buf_append(&s->target, value.data, value.len, e);
	} else if (bytes_equal(name, bytes_of_str(":authority"))) {
		return http_fields_add(&s->call->headers, bytes_of_str("Host"), value, e);
	}
	return true;
}

/* A Host field beside :authority says the same, or the request is refused for having two. */
static bool repeats_authority(const struct http2_stream *s, struct bytes name, struct bytes value)
{
	const char *host = http_fields_get(&s->call->headers, "Host");

	return host && bytes_equal(name, bytes_of_str("host")) &&
	       bytes_equal(value, bytes_of_str(host));
}

static bool keep_field(struct http2_stream *s, struct bytes name, struct bytes value, struct err *e)
{
	if (name.len && name.data[0] == ':')
		return keep_pseudo(s, name, value, e);
	if (repeats_authority(s, name, value))
		return true;
	if (!http_fields_add(&s->call->headers, name, value, e))
		return false;
	if (s->call->headers.text.len > conn_limits(s->h2->conn)->header_block_max)
		return err_set(e, ERR_TOO_LARGE, "HTTP/2: header fields too large");
	return true;
}

/* Not from the table of error kinds: these statuses are HTTP's own. */
static int status_of_header_error(const struct err *e)
{
	if (e->kind == ERR_TOO_LARGE)
		return 431;
	return e->kind == ERR_NOT_FOUND ? 501 : status_of(e->kind);
}

/* nghttp2 has checked names, values and which pseudo fields there must be (RFC 9113 §8.2, §8.3). */
void http2_stream_header(struct http2_stream *s, struct bytes name, struct bytes value)
{
	struct err e = ERR_INIT;

	if (s->state == STREAM_HEADERS && !s->refuse_status && !keep_field(s, name, value, &e))
		refuse(s, status_of_header_error(&e), &e);
}

static bool check_target(const char *t, struct err *e)
{
	if (t[0] != '/' && strcmp(t, "*") != 0)
		return err_set(e, ERR_INPUT, "HTTP/2: target is not a path");
	for (; *t; t++)
		if (*t <= ' ' || *t >= 0x7f || *t == '#')
			return err_set(e, ERR_INPUT, "HTTP/2: character not allowed in the target");
	return true;
}

/* An interim answer, when the client waits for one before it sends the body. */
static void give_leave(struct http2_stream *s)
{
	static uint8_t status[] = ":status", hundred[] = "100";
	const nghttp2_nv nv = {
		status, hundred, sizeof(status) - 1, sizeof(hundred) - 1, NGHTTP2_NV_FLAG_NONE};
	const char *expect = call_header(s->call, "Expect");

	if (expect && strcasecmp(expect, "100-continue") == 0)
		nghttp2_submit_headers(
			s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, &nv, 1, NULL);
}

/* Judge the request before its body comes. A refused one is answered at once; what still arrives of
 * its body is dropped. */
void http2_stream_headers_end(struct http2_stream *s)
{
	struct err e = ERR_INIT;

	if (!s->refuse_status && (!check_target(buf_str(&s->target), &e) ||
					 !call_begin(s->call, s->method, buf_str(&s->target), &e)))
		refuse(s, status_of_header_error(&e), &e);
	buf_clear(&s->target);
	if (!s->refuse_status)
		http_route_find(config_of(s), s->call, &s->verdict);
	if (!s->verdict.route) {
		make_ready(s);
		return;
	}
	buf_init(&s->call->body, s->verdict.route->body_max);
	s->state = STREAM_BODY;
	loop_timer_arm(&s->deadline, conn_limits(s->h2->conn)->body_ms);
}

void http2_stream_body_begin(struct http2_stream *s)
{
	if (s->state == STREAM_BODY)
		give_leave(s);
}

/* Answered before the request was complete, a client may stop sending, and most do. Resetting the
 * stream at once would be allowed (RFC 9113 §8.1), but curl 7.88 then forgets the answer it has: so
 * only one that goes on and on is reset; one that falls silent, at the deadline. */
static void drop_data(struct http2_stream *s, size_t len)
{
	s->dropped += len;
	if (s->reply_sent && s->dropped > HTTP_DISCARD_MAX)
		nghttp2_submit_rst_stream(
			s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
}

static bool keep_data(struct http2_stream *s, struct bytes data, struct err *e)
{
	if (s->h2->bodies + data.len > HTTP2_BODIES_MAX)
		return err_set(e, ERR_RETRY_LATER,
			"HTTP/2: more bodies at once than one "
			"connection may send");
	s->h2->bodies += data.len;
	s->received += data.len;
	return buf_append(&s->call->body, data.data, data.len, e);
}

void http2_stream_data(struct http2_stream *s, struct bytes data)
{
	struct err e = ERR_INIT;

	if (s->state != STREAM_BODY)
		drop_data(s, data.len);
	else if (!keep_data(s, data, &e))
		refuse(s, status_of(e.kind), &e);
}

void http2_stream_end(struct http2_stream *s)
{
	s->remote_closed = true;
	if (s->state == STREAM_BODY)
		make_ready(s);
}

void http2_stream_dispatch(struct http2_stream *s)
{
	struct call *c = s->call;

	s->state = STREAM_HANDLER;
	if (!s->refuse_status) {
		http_route_dispatch(config_of(s), &s->verdict, c);
		return;
	}
	log_err(config_of(s)->log, "request-malformed", c->exchange, &s->refusal);
	call_refuse(c, s->refuse_status,
		s->refusal.kind == ERR_INPUT ? s->refusal.text : err_sentence(&s->refusal));
	call_free(c);
}

/* ---- replying ---- */

static nghttp2_nv field(const char *name, const char *value)
{
	/* nghttp2 copies both; its type has no const */
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct http2_stream *s = source->ptr;
	size_t n = s->body.len - s->sent;

	if (n > room)
		n = room;
	memcpy(to, s->body.data + s->sent, n);
	s->sent += n;
	if (s->sent == s->body.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static bool submit(struct http2_stream *s, struct call *c)
{
	struct http_fields *headers = &c->reply.headers;
	const nghttp2_data_provider provider = {.source.ptr = s, .read_callback = read_body};
	nghttp2_nv nv[OWN_FIELDS_MAX + HTTP_HEADERS_MAX];
	char status[16], length[24], date[HTTP_DATE_LEN + 1];
	size_t n = 0;

	snprintf(status, sizeof(status), "%d", c->reply.status);
	snprintf(length, sizeof(length), "%zu", c->reply.body.len);
	http_date_format(clock_unix_s(NULL), date);
	nv[n++] = field(":status", status);
	nv[n++] = field("date", date);
	if (c->exchange[0])
		nv[n++] = field("x-request-id", c->exchange);
	if (c->reply.status != 204 && c->reply.status != 304)
		nv[n++] = field("content-length", length);
	http_fields_lower_names(headers);
	for (size_t i = 0; i < headers->count; i++)
		nv[n++] = field(http_fields_name(headers, i), http_fields_value(headers, i));
	if (!call_is_head(c)) { /* the reply goes out as the peer takes it, the call is freed now */
		s->body = c->reply.body;
		buf_init(&c->reply.body, 0);
	}
	return nghttp2_submit_response(
		       s->h2->session, s->id, nv, n, s->body.len ? &provider : NULL) == 0;
}

static void answered(void *arg, struct call *c)
{
	struct http2_stream *s = arg;
	struct conn *conn = s->h2->conn;

	s->call = NULL;
	s->state = STREAM_ANSWERED;
	conn_answered(conn);
	loop_timer_arm(&s->deadline, conn_limits(conn)->write_ms);
	if (!submit(s, c))
		conn_abort(conn);
	if (c->reply.close)
		http2_conn_end(s->h2);
	conn_kick(conn);
}
