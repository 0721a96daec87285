/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grasp.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/cbor.h"

#define M_FLOOD 9

/* ---- Reading -------------------------------------------------------------------------------- */

static bool take_number(struct cbor_reader *r, uint64_t max, uint64_t *out, struct err *e)
{
	return cbor_uint(r, out, e) &&
	       (*out <= max || err_set(e, ERR_INPUT, "GRASP: a number is too large"));
}

static bool take_text(struct cbor_reader *r, char *out, size_t max, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(max);

	if (!cbor_text_copy(r, &text, e))
		return false;
	memcpy(out, buf_str(&text), text.len + 1);
	return true;
}

static bool take_octets(struct cbor_reader *r, size_t len, uint8_t *out, struct err *e)
{
	struct bytes octets;

	if (!cbor_bytes(r, &octets, e))
		return false;
	if (octets.len != len)
		return err_set(e, ERR_INPUT, "GRASP: an address of %zu octets", octets.len);
	memcpy(out, octets.data, len);
	return true;
}

/* A value is whatever the objective's author likes; ours are texts. */
static bool take_value(struct cbor_reader *r, struct grasp_objective *o, struct err *e)
{
	if (cbor_at_end(r))
		return true;
	if (cbor_peek(r) != CBOR_TEXT)
		return cbor_skip(r, NULL, e);
	o->has_value = true;
	return take_text(r, o->value, GRASP_VALUE_MAX, e);
}

static bool at_end(const struct cbor_reader *r, struct err *e)
{
	return cbor_at_end(r) || err_set(e, ERR_INPUT, "GRASP: more elements than there are");
}

static bool take_objective(struct cbor_reader *outer, struct grasp_objective *o, struct err *e)
{
	struct cbor_reader r;
	uint64_t flags, loops;

	if (!cbor_array(outer, &r, NULL, e) || !take_text(&r, o->name, GRASP_NAME_MAX, e) ||
		!take_number(&r, UINT8_MAX, &flags, e) || !take_number(&r, UINT8_MAX, &loops, e) ||
		!take_value(&r, o, e) || !at_end(&r, e))
		return err_prefix(e, "GRASP objective");
	o->flags = (uint8_t)flags;
	o->loops = (uint8_t)loops;
	return true;
}

/* The URI's locator may have null in place of both. */
static bool take_number_or_null(struct cbor_reader *r, uint64_t max, uint64_t *out, struct err *e)
{
	uint8_t simple;

	*out = 0;
	if (cbor_peek(r) != CBOR_SIMPLE)
		return take_number(r, max, out, e);
	return cbor_simple(r, &simple, e) &&
	       (simple == CBOR_NULL || err_set(e, ERR_INPUT, "GRASP: no number"));
}

static bool take_place(struct cbor_reader *r, struct grasp_objective *o, struct err *e)
{
	switch (o->locator) {
	case GRASP_IPV6_LOCATOR:
		return take_octets(r, 16, o->address, e);
	case GRASP_IPV4_LOCATOR:
		return take_octets(r, 4, o->address, e);
	case GRASP_FQDN_LOCATOR:
	case GRASP_URI_LOCATOR:
		return take_text(r, o->host, GRASP_HOST_MAX, e);
	case GRASP_NO_LOCATOR:
		break;
	}
	return true;
}

/* [] is no locator (RFC 8990 §2.8.11), and an option that nobody knows is none to us. */
static bool take_locator(struct cbor_reader *outer, struct grasp_objective *o, struct err *e)
{
	struct cbor_reader r;
	uint64_t option, protocol, port;

	if (!cbor_array(outer, &r, NULL, e))
		return false;
	if (cbor_at_end(&r))
		return true;
	if (!cbor_uint(&r, &option, e))
		return false;
	if (option < GRASP_IPV6_LOCATOR || option > GRASP_URI_LOCATOR)
		return true;
	o->locator = (enum grasp_locator)option;
	if (!take_place(&r, o, e) || !take_number_or_null(&r, UINT8_MAX, &protocol, e) ||
		!take_number_or_null(&r, UINT16_MAX, &port, e) || !at_end(&r, e))
		return false;
	o->protocol = (uint8_t)protocol;
	o->port = (uint16_t)port;
	return true;
}

static bool take_pair(struct cbor_reader *outer, struct grasp_flood *out, struct err *e)
{
	struct grasp_objective *o = &out->objectives[out->count];
	struct cbor_reader r;

	if (out->count == GRASP_OBJECTIVES_MAX)
		return err_set(
			e, ERR_TOO_LARGE, "GRASP: more than %d objectives", GRASP_OBJECTIVES_MAX);
	if (!cbor_array(outer, &r, NULL, e) || !take_objective(&r, o, e))
		return false;
	if (!take_locator(&r, o, e) || !at_end(&r, e))
		return err_prefix(e, "GRASP locator");
	out->count++;
	return true;
}

static bool take_initiator(struct cbor_reader *r, struct grasp_flood *out, struct err *e)
{
	struct bytes octets;

	if (!cbor_bytes(r, &octets, e))
		return false;
	if (octets.len != 4 && octets.len != 16)
		return err_set(e, ERR_INPUT, "GRASP: an initiator of %zu octets", octets.len);
	memcpy(out->initiator, octets.data, octets.len);
	out->initiator_len = octets.len;
	return true;
}

bool grasp_flood_parse(struct bytes octets, struct grasp_flood *out, struct err *e)
{
	struct cbor_reader message, r;
	uint64_t type, session, ttl_ms;

	memset(out, 0, sizeof(*out));
	if (octets.len > GRASP_MESSAGE_MAX)
		return err_set(e, ERR_TOO_LARGE, "GRASP: more than %d octets", GRASP_MESSAGE_MAX);
	if (!cbor_open(octets, &message, e) || !cbor_array(&message, &r, NULL, e) ||
		!cbor_uint(&r, &type, e))
		return err_prefix(e, "GRASP");
	if (type != M_FLOOD)
		return err_set(e, ERR_INPUT, "GRASP: message type %llu is no M_FLOOD",
			(unsigned long long)type);
	if (!take_number(&r, UINT32_MAX, &session, e) || !take_initiator(&r, out, e) ||
		!take_number(&r, UINT32_MAX, &ttl_ms, e))
		return err_prefix(e, "GRASP M_FLOOD");
	out->session = (uint32_t)session;
	out->ttl_ms = (uint32_t)ttl_ms;
	do
		if (!take_pair(&r, out, e))
			return false;
	while (!cbor_at_end(&r));
	return true;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool put_objective(struct buf *out, const struct grasp_objective *o, struct err *e)
{
	return cbor_put_array(out, o->has_value ? 4 : 3, e) && cbor_put_text(out, o->name, e) &&
	       cbor_put_uint(out, o->flags, e) && cbor_put_uint(out, o->loops, e) &&
	       (!o->has_value || cbor_put_text(out, o->value, e));
}

static bool put_place(struct buf *out, const struct grasp_objective *o, struct err *e)
{
	switch (o->locator) {
	case GRASP_IPV6_LOCATOR:
		return cbor_put_bytes(out, bytes_of(o->address, 16), e);
	case GRASP_IPV4_LOCATOR:
		return cbor_put_bytes(out, bytes_of(o->address, 4), e);
	case GRASP_FQDN_LOCATOR:
	case GRASP_URI_LOCATOR:
		return cbor_put_text(out, o->host, e);
	case GRASP_NO_LOCATOR:
		break;
	}
	return true;
}

static bool put_locator(struct buf *out, const struct grasp_objective *o, struct err *e)
{
	if (o->locator == GRASP_NO_LOCATOR)
		return cbor_put_array(out, 0, e);
	return cbor_put_array(out, 4, e) && cbor_put_uint(out, o->locator, e) &&
	       put_place(out, o, e) &&
	       (o->protocol ? cbor_put_uint(out, o->protocol, e) : cbor_put_null(out, e)) &&
	       (o->port ? cbor_put_uint(out, o->port, e) : cbor_put_null(out, e));
}

bool grasp_flood_format(const struct grasp_flood *in, struct buf *out, struct err *e)
{
	if (!cbor_put_array(out, 4 + in->count, e) || !cbor_put_uint(out, M_FLOOD, e) ||
		!cbor_put_uint(out, in->session, e) ||
		!cbor_put_bytes(out, bytes_of(in->initiator, in->initiator_len), e) ||
		!cbor_put_uint(out, in->ttl_ms, e))
		return false;
	for (size_t i = 0; i < in->count; i++)
		if (!cbor_put_array(out, 2, e) || !put_objective(out, &in->objectives[i], e) ||
			!put_locator(out, &in->objectives[i], e))
			return false;
	return true;
}
