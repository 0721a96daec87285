/* SPDX-License-Identifier: Apache-2.0 */
/* CoAP messages, octets to struct and back: the header (RFC 7252 §3), options by their deltas
 * (§3.1), which of them may stand where (§5.4, §5.10). */
#include "common/wire/coap_message.h"

#include <string.h>

#define HEADER_LEN     4
#define VERSION	       1
#define PAYLOAD_MARKER 0xff
#define NIBBLE_8BIT    13 /* one more octet, less 13 */
#define NIBBLE_16BIT   14 /* two more octets, less 269 */
#define NIBBLE_MARKER  15 /* never in an option */
#define BASE_8BIT      13
#define BASE_16BIT     269
#define OPTION_LEN_MAX (BASE_16BIT + 0xffff)

/* ---- Reading -------------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *at, *end;
};

static size_t left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

static bool broken(struct err *e, const char *why)
{
	err_set(e, ERR_INPUT, "CoAP message: %s", why);
	return err_tell(e, "not a CoAP message");
}

/* What a nibble of an option's first octet stands for (§3.1). */
static bool take_extended(struct cursor *c, unsigned nibble, uint32_t *value, struct err *e)
{
	size_t more = nibble == NIBBLE_8BIT ? 1 : nibble == NIBBLE_16BIT ? 2 : 0;

	if (nibble == NIBBLE_MARKER)
		return broken(e, "an option with a reserved delta or length");
	if (left(c) < more)
		return broken(e, "it ends within an option");
	if (more == 0)
		*value = nibble;
	else if (more == 1)
		*value = BASE_8BIT + (uint32_t)c->at[0];
	else
		*value = BASE_16BIT + ((uint32_t)c->at[0] << 8 | c->at[1]);
	c->at += more;
	return true;
}

static bool take_option(struct cursor *c, uint32_t *number, struct coap_message *out, struct err *e)
{
	uint8_t first = *c->at++;
	uint32_t delta, len;

	if (!take_extended(c, first >> 4, &delta, e) || !take_extended(c, first & 15, &len, e))
		return false;
	*number += delta;
	if (*number > UINT16_MAX)
		return broken(e, "an option number above 65535");
	if (left(c) < len)
		return broken(e, "an option longer than the message");
	if (out->option_count == COAP_OPTIONS_MAX)
		return err_set(
			e, ERR_TOO_LARGE, "CoAP message: more than %d options", COAP_OPTIONS_MAX);
	out->options[out->option_count++] =
		(struct coap_option){(uint16_t)*number, bytes_of(c->at, len)};
	c->at += len;
	return true;
}

static bool take_options(struct cursor *c, struct coap_message *out, struct err *e)
{
	uint32_t number = 0;

	while (left(c) > 0 && *c->at != PAYLOAD_MARKER)
		if (!take_option(c, &number, out, e))
			return false;
	return true;
}

static bool take_payload(struct cursor *c, struct coap_message *out, struct err *e)
{
	if (left(c) == 0)
		return true;
	c->at++;
	out->payload = bytes_of(c->at, left(c));
	return out->payload.len > 0 || broken(e, "a payload marker without a payload");
}

/* Which codes a type may carry (§4.2, §4.3, table 1 of §4.1). */
static bool code_fits_type(const struct coap_message *m, struct err *e)
{
	unsigned class = COAP_CODE_CLASS(m->code);

	if (class == 1 || class == 6 || class == 7)
		return broken(e, "a code of a reserved class");
	if (m->code == COAP_EMPTY)
		return m->type != COAP_NON || broken(e, "non-confirmable and empty");
	if (m->type == COAP_RST)
		return broken(e, "a reset with a code");
	return m->type != COAP_ACK || class != 0 || broken(e, "an acknowledgement with a request");
}

static bool take_token(struct cursor *c, uint8_t first, struct coap_message *out, struct err *e)
{
	size_t len = first & 15;

	if (len > COAP_TOKEN_MAX)
		return broken(e, "a token of a reserved length");
	if (left(c) < len)
		return broken(e, "it ends within the token");
	memcpy(out->token, c->at, len);
	out->token_len = len;
	c->at += len;
	return true;
}

bool coap_message_parse(struct bytes datagram, struct coap_message *out, struct err *e)
{
	struct cursor c = {datagram.data, datagram.data + datagram.len};

	memset(out, 0, sizeof(*out));
	out->type = COAP_NON;
	if (datagram.len < HEADER_LEN)
		return broken(e, "shorter than its header");
	if (datagram.len > COAP_MESSAGE_MAX)
		return err_set(
			e, ERR_TOO_LARGE, "CoAP message: more than %d octets", COAP_MESSAGE_MAX);
	if (c.at[0] >> 6 != VERSION)
		return broken(e, "of another version"); /* stays NON: to be ignored silently, §3 */
	out->type = (enum coap_type)(c.at[0] >> 4 & 3);
	out->code = c.at[1];
	out->id = (uint16_t)(c.at[2] << 8 | c.at[3]);
	c.at += HEADER_LEN;
	if (out->code == COAP_EMPTY && datagram.len > HEADER_LEN)
		return broken(e, "empty, with something behind the header");
	return code_fits_type(out, e) && take_token(&c, datagram.data[0], out, e) &&
	       take_options(&c, out, e) && take_payload(&c, out, e);
}

/* ---- Writing -------------------------------------------------------------------------------- */

/* Options by number, those of one number in the order they were added. */
static void sort_options(const struct coap_message *m, const struct coap_option **sorted)
{
	for (size_t i = 0; i < m->option_count; i++) {
		size_t at = i;

		for (; at > 0 && sorted[at - 1]->number > m->options[i].number; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &m->options[i];
	}
}

static unsigned nibble_of(size_t value)
{
	if (value < BASE_8BIT)
		return (unsigned)value;
	return value < BASE_16BIT ? NIBBLE_8BIT : NIBBLE_16BIT;
}

static size_t put_extended(size_t value, uint8_t *at)
{
	if (value < BASE_8BIT)
		return 0;
	if (value < BASE_16BIT) {
		at[0] = (uint8_t)(value - BASE_8BIT);
		return 1;
	}
	at[0] = (uint8_t)((value - BASE_16BIT) >> 8);
	at[1] = (uint8_t)(value - BASE_16BIT);
	return 2;
}

static bool put_option(const struct coap_option *o, uint16_t before, struct buf *out, struct err *e)
{
	size_t delta = (size_t)(o->number - before), len = o->value.len, n = 1;
	uint8_t head[5];

	if (len > OPTION_LEN_MAX)
		return err_set(e, ERR_TOO_LARGE, "option %u of %zu octets", o->number, len);
	head[0] = (uint8_t)(nibble_of(delta) << 4 | nibble_of(len));
	n += put_extended(delta, head + n);
	n += put_extended(len, head + n);
	return buf_append(out, head, n, e) && buf_append(out, o->value.data, len, e);
}

static bool put_options(const struct coap_message *m, struct buf *out, struct err *e)
{
	const struct coap_option *sorted[COAP_OPTIONS_MAX];
	uint16_t before = 0;

	sort_options(m, sorted);
	for (size_t i = 0; i < m->option_count; i++) {
		if (!put_option(sorted[i], before, out, e))
			return false;
		before = sorted[i]->number;
	}
	return true;
}

static bool put_payload(struct bytes payload, struct buf *out, struct err *e)
{
	static const uint8_t marker = PAYLOAD_MARKER;

	return payload.len == 0 ||
	       (buf_append(out, &marker, 1, e) && buf_append(out, payload.data, payload.len, e));
}

static bool is_bare(const struct coap_message *m)
{
	return m->token_len == 0 && m->option_count == 0 && m->payload.len == 0;
}

bool coap_message_format(const struct coap_message *m, struct buf *out, struct err *e)
{
	uint8_t head[HEADER_LEN] = {(uint8_t)(VERSION << 6 | m->type << 4 | m->token_len), m->code,
		(uint8_t)(m->id >> 8), (uint8_t)m->id};
	size_t start = out->len;

	if (m->token_len > COAP_TOKEN_MAX || m->option_count > COAP_OPTIONS_MAX ||
		(m->code == COAP_EMPTY && !is_bare(m)))
		return err_set(e, ERR_BUG, "no such CoAP message");
	if (!code_fits_type(m, e) || !buf_append(out, head, sizeof(head), e) ||
		!buf_append(out, m->token, m->token_len, e) || !put_options(m, out, e) ||
		!put_payload(m->payload, out, e))
		return false;
	return out->len - start <= COAP_MESSAGE_MAX ||
	       err_set(e, ERR_TOO_LARGE, "CoAP message: %zu octets", out->len - start);
}

/* ---- Options -------------------------------------------------------------------------------- */

bool coap_message_add(struct coap_message *m, uint16_t number, struct bytes value, struct err *e)
{
	if (m->option_count == COAP_OPTIONS_MAX)
		return err_set(
			e, ERR_TOO_LARGE, "CoAP message: more than %d options", COAP_OPTIONS_MAX);
	m->options[m->option_count++] = (struct coap_option){number, value};
	return true;
}

const struct coap_option *coap_message_find(
	const struct coap_message *m, uint16_t number, size_t nth)
{
	for (size_t i = 0; i < m->option_count; i++)
		if (m->options[i].number == number && nth-- == 0)
			return &m->options[i];
	return NULL;
}

bool coap_message_uint(const struct coap_message *m, uint16_t number, uint32_t *out)
{
	const struct coap_option *o = coap_message_find(m, number, 0);

	if (!o || o->value.len > 4)
		return false;
	*out = 0;
	for (size_t i = 0; i < o->value.len; i++)
		*out = *out << 8 | o->value.data[i];
	return true;
}

struct bytes coap_uint(uint32_t value, uint8_t scratch[4])
{
	size_t skip = 0;

	for (int i = 0; i < 4; i++)
		scratch[i] = (uint8_t)(value >> (24 - 8 * i));
	while (skip < 4 && scratch[skip] == 0)
		skip++;
	return bytes_of(scratch + skip, 4 - skip);
}

/* The critical options that our programs understand (§5.10, RFC 7959 §2.1). */
static const struct {
	uint16_t number;
	uint8_t len_min, len_max;
	bool repeatable, in_request, in_response;
} critical_options[] = {
	{COAP_OPT_URI_HOST, 1, 255, false, true, false},
	{COAP_OPT_URI_PORT, 0, 2, false, true, false},
	{COAP_OPT_URI_PATH, 0, 255, true, true, false},
	{COAP_OPT_URI_PATH_ABBREV, 0, 4, false, true, false},
	{COAP_OPT_URI_QUERY, 0, 255, true, true, false},
	{COAP_OPT_ACCEPT, 0, 2, false, true, false},
	{COAP_OPT_BLOCK2, 0, 3, false, true, true},
	{COAP_OPT_BLOCK1, 0, 3, false, true, true},
};

#define CRITICAL_COUNT (sizeof(critical_options) / sizeof(*critical_options))

static bool is_understood(const struct coap_option *o, bool again, bool is_request)
{
	for (size_t i = 0; i < CRITICAL_COUNT; i++)
		if (critical_options[i].number == o->number)
			return (critical_options[i].repeatable || !again) &&
			       o->value.len >= critical_options[i].len_min &&
			       o->value.len <= critical_options[i].len_max &&
			       (is_request ? critical_options[i].in_request
					   : critical_options[i].in_response);
	return false;
}

uint16_t coap_message_bad_option(const struct coap_message *m, bool is_request)
{
	for (size_t i = 0; i < m->option_count; i++) {
		const struct coap_option *o = &m->options[i];

		if (o->number % 2 == 1 &&
			!is_understood(o, coap_message_find(m, o->number, 0) != o, is_request))
			return o->number;
	}
	return 0;
}

/* ---- Paths ---------------------------------------------------------------------------------- */

/* A segment that could be taken for two, or for none (§5.10.1). */
static bool is_plain_segment(struct bytes s)
{
	if (bytes_equal(s, bytes_of_str(".")) || bytes_equal(s, bytes_of_str("..")))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < 0x20 || s.data[i] == 0x7f || s.data[i] == '/')
			return false;
	return true;
}

bool coap_message_path(const struct coap_message *m, struct buf *out, struct err *e)
{
	const struct coap_option *o;
	size_t n = 0;

	for (; (o = coap_message_find(m, COAP_OPT_URI_PATH, n)) != NULL; n++) {
		if (!is_plain_segment(o->value))
			return err_set(e, ERR_INPUT, "segment %zu of the path is none", n + 1);
		if (!buf_append_str(out, "/", e) ||
			!buf_append(out, o->value.data, o->value.len, e))
			return false;
	}
	return n > 0 || buf_append_str(out, "/", e);
}
