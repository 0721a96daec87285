/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR as JSON and back, for what is shown to people or kept as text (RFC 8949 §6.1, §6.2). */
#ifndef WIRE_CBOR_JSON_H
#define WIRE_CBOR_JSON_H

#include "common/wire/cbor.h"
#include "common/wire/json.h"

/* Take the next item. Byte strings become base64, keys that are no text their JSON text, tags the
 * item they mark, what JSON has no word for null. NULL with ERR_INPUT when two keys of a map would
 * read the same, ERR_NO_MEMORY. The caller's to json_decref. */
json_t *cbor_to_json(struct cbor_reader *r, struct err *e) MUST_CHECK;
/* Append; members in their order, numbers whole. ERR_INPUT for a number with a fraction. */
bool json_to_cbor(const json_t *value, struct buf *out, struct err *e) MUST_CHECK;

#endif
