/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 answers, read strictly: a pure state machine, bytes in, a reply out, no sockets
 * (RFC 9112 §4 to §7). The counterpart of http1.h for a client that holds one connection. The peer
 * may be anybody (RFC 8995 §5.1, R8995-PLG-018), so everything is bounded and nothing is repaired.
 */
#ifndef NET_HTTP1_REPLY_H
#define NET_HTTP1_REPLY_H

#include "common/base/buf.h"

#define HTTP1_REPLY_HEAD_MAX                                                                       \
	16384 /* status line and headers; also trailers: real ones are below 2 KiB */
#define HTTP1_REPLY_LINE_MAX 256 /* of a chunk's size line */
#define HTTP1_INTERIM_MAX    8	 /* 1xx answers that may come before the real one */

enum http1_reply_state {
	HTTP1_REPLY_HEAD,
	HTTP1_REPLY_SIZED,     /* body by Content-Length */
	HTTP1_REPLY_UNTIL_EOF, /* body ends with the connection */
	HTTP1_REPLY_CHUNK_SIZE,
	HTTP1_REPLY_CHUNK,
	HTTP1_REPLY_CHUNK_END,
	HTTP1_REPLY_TRAILER,
	HTTP1_REPLY_DONE,
};

struct http1_reply {
	/* the answer, complete in HTTP1_REPLY_DONE */
	int status;
	bool keep_alive;
	struct buf body;
	char content_type[128]; /* "" when absent or too long to be one */
	char location[1024];
	char retry_after[64];
	char date[64];
	/* how far we are */
	enum http1_reply_state state;
	struct buf line; /* the head, or a line of the chunked coding */
	uint64_t left;	 /* octets of the body or chunk to come */
	unsigned interim;
};

void http1_reply_init(struct http1_reply *r, size_t body_max);
void http1_reply_clear(struct http1_reply *r);
/* Take octets until the answer is complete (state HTTP1_REPLY_DONE); *used says how many were
 * taken. ERR_PEER: not HTTP/1.x, or over a limit. Nothing may be fed after an error. */
bool http1_reply_feed(
	struct http1_reply *r, struct bytes in, size_t *used, struct err *e) MUST_CHECK;
/* The connection ended: fine for a body that ends with it, else ERR_PEER. */
bool http1_reply_end(struct http1_reply *r, struct err *e) MUST_CHECK;

#endif
