/* SPDX-License-Identifier: Apache-2.0 */
/* See jpy.h. Both ends of the message in one place: the registrar reads what the proxy wrote and
 * the other way round (draft-ietf-anima-constrained-join-proxy §4.5.2). */
#include "common/wire/jpy.h"

#include "common/wire/cbor.h"

bool jpy_parse(struct bytes datagram, struct jpy *out, struct err *e)
{
	struct cbor_reader r, elements;
	size_t count;

	if (datagram.len > JPY_CONTENT_MAX)
		return err_set(e, ERR_TOO_LARGE, "JPY: %zu octets", datagram.len);
	if (!cbor_open(datagram, &r, e) || !cbor_array(&r, &elements, &count, e))
		return err_prefix(e, "JPY");
	if (count < 2)
		return err_set(e, ERR_INPUT, "JPY: %zu elements", count);
	if (!cbor_bytes(&elements, &out->header, e) || !cbor_bytes(&elements, &out->content, e))
		return err_prefix(e, "JPY");
	if (out->header.len > JPY_HEADER_MAX)
		return err_set(e, ERR_TOO_LARGE, "JPY: header of %zu octets", out->header.len);
	return out->content.len > 0 || err_set(e, ERR_INPUT, "JPY: no content");
}

bool jpy_format(const struct jpy *m, struct buf *out, struct err *e)
{
	size_t before = out->len;

	if (m->header.len > JPY_HEADER_MAX || m->content.len > JPY_CONTENT_MAX)
		return err_set(e, ERR_TOO_LARGE, "JPY: header of %zu octets, content of %zu",
			m->header.len, m->content.len);
	if (cbor_put_array(out, 2, e) && cbor_put_bytes(out, m->header, e) &&
		cbor_put_bytes(out, m->content, e))
		return true;
	out->len = before; /* a part of it would be taken for garbage */
	return err_prefix(e, "JPY");
}
