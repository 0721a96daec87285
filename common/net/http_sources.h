/* SPDX-License-Identifier: Apache-2.0 */
/* How many connections each source address holds, so that one cannot take them all. Shared between
 * loops. */
#ifndef NET_HTTP_SOURCES_H
#define NET_HTTP_SOURCES_H

#include <sys/socket.h>

#include "common/base/buf.h"

#define HTTP_SOURCE_LEN 16

struct http_sources;

struct http_sources *http_sources_new(size_t per_source_max, struct err *e) MUST_CHECK;
void http_sources_free(struct http_sources *s);
/* Who is it? An IPv4 address, or the /64 of an IPv6 address: a host has that many to choose from.
 */
void http_source_of(const struct sockaddr *from, uint8_t out[HTTP_SOURCE_LEN]);
/* One more connection; false when it has its share. */
bool http_sources_enter(struct http_sources *s, const uint8_t source[HTTP_SOURCE_LEN]) MUST_CHECK;
void http_sources_leave(struct http_sources *s, const uint8_t source[HTTP_SOURCE_LEN]);

#endif
