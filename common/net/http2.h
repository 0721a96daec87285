/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 inside: a session on a connection and its streams, each one request and its reply. Only
 * http2.c and http2_stream.c include this. */
#ifndef NET_HTTP2_H
#define NET_HTTP2_H

#include <nghttp2/nghttp2.h>

#include "common/net/http2_memory.h"
#include "common/net/http_conn.h"
#include "common/net/http_route.h"

struct http2_stream;

/* Request bodies one connection may have in memory: 64 requests of a registrar to its MASA take
 * some hundred kilobytes. */
#define HTTP2_BODIES_MAX (1u << 20)

struct http2_conn {
	struct conn *conn;
	size_t bodies; /* octets of them, of all streams */
	nghttp2_session *session;
	struct http2_memory memory;
	struct http2_stream *streams;
	bool ending;	     /* GOAWAY has been submitted */
	bool warned;	     /* the peer, that the end is near */
	unsigned patience;   /* frames that further no request it may still send */
	int64_t patience_ms; /* when that was counted */
};

enum http2_stream_state {
	STREAM_HEADERS,	 /* receiving */
	STREAM_BODY,	 /* receiving */
	STREAM_READY,	 /* complete, or to be refused: its turn comes when nghttp2 has returned */
	STREAM_HANDLER,	 /* the call is with its handler */
	STREAM_ANSWERED, /* sending */
};

struct http2_stream {
	struct http2_stream *next, **link;
	struct http2_conn *h2;
	int32_t id;
	enum http2_stream_state state;
	struct call *call; /* NULL once answered */
	char method[CALL_METHOD_MAX + 1];
	struct buf target;
	struct http_verdict verdict;
	int refuse_status; /* not 0: what HTTP itself refuses the request with */
	struct err refusal;
	size_t header_octets; /* as decoded, of headers and trailers */
	bool remote_closed;   /* the request is complete */
	size_t received;      /* its part of the connection's bodies */
	struct buf body;      /* of the reply */
	size_t sent;
	bool reply_sent;
	size_t dropped; /* octets of a body that came after the reply */
	struct loop_timer deadline;
};

struct http2_stream *http2_stream_new(struct http2_conn *h2, int32_t id, struct err *e) MUST_CHECK;
/* The stream or its connection has gone: the call is detached, or freed when no handler has it. */
void http2_stream_free(struct http2_stream *s);

/* Receiving; all are called by nghttp2 and free nothing. */
void http2_stream_header(struct http2_stream *s, struct bytes name, struct bytes value);
void http2_stream_headers_end(struct http2_stream *s);
/* The headers are not the end of the request. */
void http2_stream_body_begin(struct http2_stream *s);
void http2_stream_data(struct http2_stream *s, struct bytes data);
void http2_stream_end(struct http2_stream *s);

/* Hand the request to its handler, or refuse it. Not inside a callback of nghttp2. */
void http2_stream_dispatch(struct http2_stream *s);

/* GOAWAY: no more streams, those that are here are served. */
void http2_conn_end(struct http2_conn *h2);

#endif
