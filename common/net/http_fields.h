/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields of one message, copied into one bounded block: whatever version of HTTP they came
 * by or go out by (RFC 9110 §5). */
#ifndef NET_HTTP_FIELDS_H
#define NET_HTTP_FIELDS_H

#include "common/net/http1.h"

struct http_fields {
	struct buf text; /* "name\0value\0" and so on; its maximum bounds them all */
	struct {
		uint32_t name, value; /* offsets into text */
	} at[HTTP_HEADERS_MAX];
	size_t count;
};

void http_fields_init(struct http_fields *f, size_t octets_max);
void http_fields_clear(struct http_fields *f);
/* ERR_TOO_LARGE when there is no room for it (431). name and value are copied. */
bool http_fields_add(
	struct http_fields *f, struct bytes name, struct bytes value, struct err *e) MUST_CHECK;
/* Add, or replace what has this name. */
bool http_fields_set(
	struct http_fields *f, const char *name, const char *value, struct err *e) MUST_CHECK;
const char *http_fields_name(const struct http_fields *f, size_t i);
/* As HTTP/2 wants them (RFC 9113 §8.2). */
void http_fields_lower_names(struct http_fields *f);
const char *http_fields_value(const struct http_fields *f, size_t i);
/* The first field of that name in any case, or NULL. */
const char *http_fields_get(const struct http_fields *f, const char *name);
/* Fields that must not come twice do not, and lists in several Accept lines become one list
 * (RFC 9110 §5.3), cookies in several fields one field (RFC 9113 §8.2.3). ERR_INPUT otherwise. */
bool http_fields_settle(struct http_fields *f, struct err *e) MUST_CHECK;

#endif
