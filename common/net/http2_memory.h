/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of an HTTP/2 session. nghttp2 keeps two large areas in each for all its life: a buffer
 * for the largest frame, 16 KiB, of which most is never used, and a table of streams, 4 KiB, which
 * a connection without requests does not touch. They get pages of their own: such as nobody has
 * touched cost nothing. An idle connection holds 34 kB instead of 45. */
#ifndef NET_HTTP2_MEMORY_H
#define NET_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

#define HTTP2_AREAS 2

struct http2_memory {
	struct http2_area {
		void *pages; /* NULL: not in use */
		size_t len;
	} areas[HTTP2_AREAS];
};

/* For nghttp2_session_server_new3(). memory is all zero at first, and outlives the session. */
nghttp2_mem http2_memory_for(struct http2_memory *memory);

#endif
