/* SPDX-License-Identifier: Apache-2.0 */
/* JSON read strictly: no duplicate members, bounded depth and size, nothing after the value,
 * no NUL in strings (RFC 8259, RFC 7493). The only place that knows Jansson besides callers of
 * the json_t accessors through <jansson.h> is message/: values are json_t *, ownership by
 * json_decref. */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <jansson.h>

#include "common/base/buf.h"

#define JSON_DEPTH_MAX 16 /* a voucher nests 3 deep; extensions may add a few */

/* Parse one object. Caller owns the result (json_decref). NULL with ERR_INPUT, ERR_NO_MEMORY. */
json_t *json_parse_object(struct bytes text, struct err *e) MUST_CHECK;
/* Append the compact form, members in insertion order. */
bool json_format(const json_t *value, struct buf *out, struct err *e) MUST_CHECK;

/* The member as a borrowed string, NULL when absent; false when it is there but no string. */
bool json_get_string(
	const json_t *object, const char *name, const char **out, struct err *e) MUST_CHECK;

void json_unref(json_t **value);
#define JSON_AUTO __attribute__((cleanup(json_unref)))

#endif
