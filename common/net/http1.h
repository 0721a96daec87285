/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 requests, read strictly: a pure state machine, bytes in, a request out, no sockets
 * (RFC 9110, RFC 9112). It rejects instead of repairing: bare LF, obs-fold, space before the colon,
 * two Content-Lengths, Content-Length with Transfer-Encoding, any coding but one final chunked,
 * missing or second Host, control characters. A CRLF before the request line is skipped (libest
 * sends one after each POST body; RFC 9112 §2.2). */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include "common/base/buf.h"

#define HTTP_HEADERS_MAX 64

struct http_header {
	const char *name;  /* as sent, NUL-terminated */
	const char *value; /* outer white space removed */
};

struct http1_request { /* borrowed from the parser until http1_reset() */
	const char *method;
	const char *target;
	unsigned minor_version; /* HTTP/1.minor: 0 or 1 */
	struct http_header headers[HTTP_HEADERS_MAX];
	size_t header_count;
	bool keep_alive;
	bool expect_continue;
	bool has_body;
};

enum http1_event { HTTP1_NEED_MORE, HTTP1_HEADERS, HTTP1_DONE, HTTP1_BAD };

struct http1;

struct http1 *http1_new(size_t header_block_max, struct err *e) MUST_CHECK;
void http1_free(struct http1 *p);
/* Forget the request, ready for the next one on the connection. */
void http1_reset(struct http1 *p);
/* After HTTP1_HEADERS: how large the body may be (413 beyond). */
void http1_set_body_max(struct http1 *p, size_t body_max);
/* Feed octets; *used says how many were taken. Returns at the end of the headers (HTTP1_HEADERS),
 * at the end of the request (HTTP1_DONE), when all was taken (HTTP1_NEED_MORE), or with HTTP1_BAD:
 * *e is ERR_INPUT (400), ERR_TOO_LARGE (413, or 431 for headers: see *status) … and the connection
 * must be closed after the answer. */
enum http1_event http1_feed(
	struct http1 *p, struct bytes in, size_t *used, int *status, struct err *e);
const struct http1_request *http1_request(const struct http1 *p);
struct bytes http1_body(const struct http1 *p);
/* Move the body to out, whose former content is freed. */
void http1_take_body(struct http1 *p, struct buf *out);
/* Anything of a request seen since the last reset? (for the idle and header deadlines) */
bool http1_started(const struct http1 *p);

#endif
