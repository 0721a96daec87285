/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1.1 request, complete and free of stray line ends, taken apart. */
#ifndef NET_HTTP1_HEAD_H
#define NET_HTTP1_HEAD_H

#include "common/net/http1.h"

struct http1_framing { /* how long the body is (RFC 9112 §6) */
	bool chunked;
	uint64_t length;
};

/* head: the octets up to and with the empty line, every line ended by CRLF, no other control
 * characters but HTAB. Taken apart in place: *rq points into it afterwards.
 * False with *e and *status set. */
bool http1_head_parse(char *head, struct http1_request *rq, struct http1_framing *framing,
	int *status, struct err *e) MUST_CHECK;

#endif
