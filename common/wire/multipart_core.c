/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing multipart-core: see multipart_core.h. */
#include "common/wire/multipart_core.h"

/* part: bytes / null (RFC 8710 §2) */
static bool take_content(struct cbor_reader *r, struct bytes *out, struct err *e)
{
	uint8_t simple;

	*out = bytes_of(NULL, 0);
	if (cbor_peek(r) != CBOR_SIMPLE)
		return cbor_bytes(r, out, e);
	return cbor_simple(r, &simple, e) &&
	       (simple == CBOR_NULL || err_set(e, ERR_INPUT, "a part that is no octets"));
}

static bool take_part(struct cbor_reader *r, struct multipart_part *out, struct err *e)
{
	uint64_t format;

	if (!cbor_uint(r, &format, e))
		return false;
	if (format > UINT16_MAX)
		return err_set(e, ERR_INPUT, "content-format out of range");
	out->format = (uint16_t)format;
	return take_content(r, &out->content, e);
}

static bool take_parts(
	struct bytes octets, struct multipart_part *out, size_t max, size_t *count, struct err *e)
{
	struct cbor_reader r, elements;
	size_t element_count;

	if (!cbor_open(octets, &r, e) || !cbor_array(&r, &elements, &element_count, e))
		return false;
	if (element_count % 2 != 0)
		return err_set(e, ERR_INPUT, "%zu elements, which are no pairs", element_count);
	if (element_count / 2 > max)
		return err_set(e, ERR_TOO_LARGE, "%zu parts, at most %zu are read",
			element_count / 2, max);
	for (*count = 0; !cbor_at_end(&elements); ++*count)
		if (!take_part(&elements, &out[*count], e))
			return err_prefix(e, "part %zu", *count + 1);
	return true;
}

bool multipart_core_read(
	struct bytes octets, struct multipart_part *out, size_t max, size_t *count, struct err *e)
{
	*count = 0;
	if (take_parts(octets, out, max, count, e))
		return true;
	*count = 0;
	return err_prefix(e, "multipart");
}

bool multipart_core_put(
	struct buf *out, const struct multipart_part *parts, size_t count, struct err *e)
{
	size_t before = out->len;
	bool ok = cbor_put_array(out, 2 * count, e);

	for (size_t i = 0; ok && i < count; i++)
		ok = cbor_put_uint(out, parts[i].format, e) &&
		     cbor_put_bytes(out, parts[i].content, e);
	if (!ok)
		out->len = before;
	return ok;
}
