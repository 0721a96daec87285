/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 on a connection: nghttp2 turns octets into callbacks and back, streams do the rest. No
 * handler runs and nothing but a stream that has ended is freed inside a callback: requests that
 * are complete wait until nghttp2 has returned. RFC 9113; limits against floods below. */
#include "common/net/http2.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/http_worker.h"

/* A client may reset this many streams at once, and so many a second in the long run; one that does
 * more only makes work (CVE-2023-44487). Ours reset when a caller's time is over. */
#define RESETS_BURST	  100
#define RESETS_PER_SECOND 20
/* SETTINGS and PING acknowledgements that wait for a peer that does not read; and for the end of a
 * turn, which reads some hundred of such frames. */
#define ACKS_WAITING_MAX 1000
/* Frames a header block may be spread over; 8 KiB fit into one (CVE-2024-28182). */
#define CONTINUATIONS_MAX 4

/* Frames that further no request (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM,
 * CONTINUATION, unknown ones, DATA of hardly anything) cost a few octets to send and some work to
 * take. A client may send so many at once, and some more with the time, with each request and with
 * each piece of an answer it takes: curl and nghttp2's own client stay far below (CVE-2019-9511 to
 * 9518). */
#define PATIENCE_MAX	    1000
#define PATIENCE_PER_SECOND 100
#define PATIENCE_PER_FRAME  4
/* A header block may decode to so many times what is served (431 beyond): more is a bomb, some
 * octets that stand for some thousand each, and the work of taking it apart is what it is for. */
#define HEADER_BOMB_FACTOR 8
#define FIELD_OVERHEAD	   32 /* of a field's size (RFC 9113 §6.5.2) */
#define DATA_TINY_MAX	   64 /* octets */
/* Streams handed to their handlers in a turn: a quarter of those that a connection may have, so
 * that a registrar's requests to its MASA seldom wait. */
#define HTTP2_TURN_MAX 16

static struct http2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* The result of a callback that ends the connection; what is queued is sent before. */
static int hang_up(nghttp2_session *session)
{
	nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_ENHANCE_YOUR_CALM, NULL,
		0);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void gain_patience(struct http2_conn *h2, int64_t frames)
{
	int64_t sum = h2->patience + frames;

	h2->patience = sum > PATIENCE_MAX ? PATIENCE_MAX : (unsigned)sum;
}

static void gain_patience_with_time(struct http2_conn *h2)
{
	int64_t now = clock_mono_ms(),
		gained = (now - h2->patience_ms) * PATIENCE_PER_SECOND / 1000;

	if (gained > 0) { /* fractions go on to count */
		gain_patience(h2, gained);
		h2->patience_ms = now;
	}
}

static bool furthers_a_request(const nghttp2_frame_hd *hd)
{
	if (hd->type == NGHTTP2_DATA)
		return hd->length > DATA_TINY_MAX || (hd->flags & NGHTTP2_FLAG_END_STREAM);
	return hd->type == NGHTTP2_HEADERS;
}

/* Every frame, before its payload. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct http2_conn *h2 = arg;

	if (furthers_a_request(hd)) {
		gain_patience(h2, PATIENCE_PER_FRAME);
		return 0;
	}
	if (h2->patience == 0)
		gain_patience_with_time(h2);
	if (h2->patience == 0)
		return hang_up(session);
	h2->patience--;
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_conn *h2 = arg;
	struct http2_stream *s;
	struct err e = ERR_INIT;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = http2_stream_new(h2, frame->hd.stream_id, &e);
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	nghttp2_session_set_stream_user_data(session, s->id, s);
	conn_set_phase(h2->conn, CONN_ANSWER); /* the streams have their deadlines */
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);
	const struct http2_conn *h2 = arg;

	if (!s)
		return 0;
	s->header_octets += name_len + value_len + FIELD_OVERHEAD;
	if (s->header_octets > HEADER_BOMB_FACTOR * conn_limits(h2->conn)->header_block_max)
		return hang_up(session);
	http2_stream_header(s, bytes_of(name, name_len), bytes_of(value, value_len));
	return 0;
}

/* Without this nghttp2 would leave the field out and go on. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
	const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
	void *arg)
{
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
	size_t len, void *arg)
{
	struct http2_stream *s = stream_of(session, id);

	if (s)
		http2_stream_data(s, bytes_of(data, len));
	return 0;
}

static bool ends_stream(const nghttp2_frame *frame)
{
	return (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	       (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);

	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		http2_stream_headers_end(s);
		if (!ends_stream(frame))
			http2_stream_body_begin(s);
	}
	if (ends_stream(frame))
		http2_stream_end(s);
	return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct http2_stream *s = stream_of(session, frame->hd.stream_id);

	if (frame->hd.type == NGHTTP2_DATA && frame->hd.length > DATA_TINY_MAX)
		gain_patience(arg, PATIENCE_PER_FRAME);
	if (!s || !ends_stream(frame))
		return 0;
	s->reply_sent = true;
	if (s->refuse_status == 408) /* it has had its time to send the rest */
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
	struct http2_conn *h2 = arg;
	struct http2_stream *s = stream_of(session, id);

	if (!s)
		return 0;
	http2_stream_free(s);
	if (!h2->streams)
		conn_set_phase(h2->conn, CONN_IDLE);
	return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(cb, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	return cb;
}

static nghttp2_option *make_options(void)
{
	nghttp2_option *option;

	if (nghttp2_option_new(&option) != 0)
		return NULL;
	nghttp2_option_set_no_closed_streams(option, 1);
	nghttp2_option_set_max_outbound_ack(option, ACKS_WAITING_MAX);
	nghttp2_option_set_stream_reset_rate_limit(option, RESETS_BURST, RESETS_PER_SECOND);
	nghttp2_option_set_max_continuations(option, CONTINUATIONS_MAX);
	return option;
}

static bool make_session(struct http2_conn *h2)
{
	nghttp2_session_callbacks *cb = make_callbacks();
	nghttp2_option *option = make_options();
	nghttp2_mem memory = http2_memory_for(&h2->memory);
	bool made = cb && option &&
		    nghttp2_session_server_new3(&h2->session, cb, h2, option, &memory) == 0;

	nghttp2_session_callbacks_del(cb);
	nghttp2_option_del(option);
	return made;
}

static bool submit_settings(struct http2_conn *h2)
{
	const struct http_limits *l = conn_limits(h2->conn);
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, l->h2_streams_max},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)l->header_block_max},
	};

	return nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
		       sizeof(settings) / sizeof(*settings)) == 0;
}

static void http2_close(void *p)
{
	struct http2_conn *h2 = p;

	nghttp2_session_del(h2->session);
	while (h2->streams)
		http2_stream_free(h2->streams);
	free(h2);
}

static void *http2_open(struct conn *c, struct err *e)
{
	struct http2_conn *h2 = mem_new(sizeof(*h2), e);

	if (!h2)
		return NULL;
	h2->conn = c;
	h2->patience = PATIENCE_MAX;
	h2->patience_ms = clock_mono_ms();
	if (!make_session(h2) || !submit_settings(h2)) {
		err_set(e, ERR_NO_MEMORY, "no memory for an HTTP/2 session");
		http2_close(h2);
		return NULL;
	}
	return h2;
}

/* An error here is a broken promise of the protocol that GOAWAY cannot express (wrong preface, a
 * flood): what is queued is sent, then the connection ends. */
static void http2_input(void *p, struct bytes in)
{
	struct http2_conn *h2 = p;
	ssize_t used = nghttp2_session_mem_recv(h2->session, in.data, in.len);

	if (used < 0) {
		log_event(h2->conn->worker->server->config.log, LOG_LEVEL_INFO, "http2-failed",
			NULL, "peer", h2->conn->peer->peer.address, "reason",
			nghttp2_strerror((int)used), NULL);
		conn_finish(h2->conn);
	}
}

static void dispatch_ready(struct http2_conn *h2)
{
	for (struct http2_stream *s = h2->streams, *next; s; s = next) {
		next = s->next;
		if (s->state != STREAM_READY)
			continue;
		if (!conn_may_take(h2->conn))
			break;
		h2->conn->taken++;
		http2_stream_dispatch(s); /* frees no stream: nghttp2 has not run */
	}
}

static void http2_advance(void *p)
{
	struct http2_conn *h2 = p;
	struct conn *c = h2->conn;
	const uint8_t *octets;
	ssize_t n = 1;

	dispatch_ready(h2);
	while (n > 0 && !c->dead && c->out.len < CONN_OUT_HIGH) {
		n = nghttp2_session_mem_send(h2->session, &octets);
		if (n > 0)
			conn_put(c, bytes_of(octets, (size_t)n));
	}
	if (n < 0)
		conn_abort(c);
	if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session))
		conn_finish(c);
}

static bool http2_wants_input(void *p)
{
	return true; /* flow control and the limits above bound what may come */
}

/* A request that is not complete does not count: its rest may never come. */
static bool http2_is_busy(void *p)
{
	const struct http2_conn *h2 = p;

	for (const struct http2_stream *s = h2->streams; s; s = s->next)
		if (s->state >= STREAM_READY)
			return true;
	return false;
}

static bool http2_is_serving(void *p)
{
	const struct http2_conn *h2 = p;

	for (const struct http2_stream *s = h2->streams; s; s = s->next)
		if (s->state == STREAM_HANDLER)
			return true;
	return false;
}

static size_t http2_held(void *p)
{
	const struct http2_conn *h2 = p;
	size_t held = 0;

	for (const struct http2_stream *s = h2->streams; s; s = s->next)
		held += sizeof(*s) + (s->call ? sizeof(*s->call) + s->call->headers.text.len : 0) +
			s->received + s->body.len;
	return held;
}

void http2_conn_end(struct http2_conn *h2)
{
	if (h2->ending)
		return;
	h2->ending = true;
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR, NULL, 0);
}

static void http2_expired(void *p, enum conn_phase phase)
{
	http2_conn_end(p);
}

/* Streams that are on their way when the peer hears of the end are served (RFC 9113 §6.8). */
static void http2_drain(void *p)
{
	struct http2_conn *h2 = p;

	if (h2->warned)
		http2_conn_end(h2);
	else
		nghttp2_submit_shutdown_notice(h2->session);
	h2->warned = true;
}

const struct conn_protocol http2_protocol = {
	.open = http2_open,
	.input = http2_input,
	.advance = http2_advance,
	.wants_input = http2_wants_input,
	.is_busy = http2_is_busy,
	.is_serving = http2_is_serving,
	.held = http2_held,
	.expired = http2_expired,
	.drain = http2_drain,
	.close = http2_close,
	.turn_max = HTTP2_TURN_MAX,
};
