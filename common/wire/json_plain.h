/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON that vouchers are made of, read and written fast: objects of strings, true, false and
 * null, all in ASCII and without escapes. */
#ifndef WIRE_JSON_PLAIN_H
#define WIRE_JSON_PLAIN_H

#include <jansson.h>

#include "common/base/buf.h"

/* One value and nothing after it; the caller owns it (json_decref). NULL for everything else, be it
 * good JSON, bad JSON or a lack of memory: the full reader then says which. What is returned is
 * what Jansson makes of the same octets with JSON_REJECT_DUPLICATES (RFC 8259). */
json_t *json_parse_plain(struct bytes text);
/* Append what Jansson writes for such a value with JSON_COMPACT. False, with out as it was, for
 * every other value, and when there is no room or no memory. */
bool json_format_plain(const json_t *value, struct buf *out);

#endif
