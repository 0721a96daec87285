/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/dns_message.h"

#include <stdio.h>
#include <string.h>

#define HEAD_LEN      12
#define POINTER	      0xc0
#define TOP_BIT	      0x8000 /* of a class: QU in a question, flush in a record (RFC 6762 §18.12-13) */
#define SRV_FIXED_LEN 6

/* ---- Names ---------------------------------------------------------------------------------- */

static bool add_label(struct dns_name *n, const void *label, size_t len, struct err *e)
{
	if (n->len + 1 + len + 1 > DNS_NAME_MAX) /* the empty label has to fit, too */
		return err_set(e, ERR_INPUT, "DNS: a name of more than %d octets", DNS_NAME_MAX);
	n->octets[n->len++] = (uint8_t)len;
	memcpy(n->octets + n->len, label, len);
	n->len += len;
	return true;
}

bool dns_name_parse(const char *text, struct dns_name *out, struct err *e)
{
	out->len = 0;
	while (*text) {
		size_t len = strcspn(text, ".");

		if (len == 0 || len > DNS_LABEL_MAX)
			return err_set(e, ERR_INPUT, "'%.80s' is no name of DNS", text);
		if (!add_label(out, text, len, e))
			return false;
		text += len;
		text += *text == '.';
	}
	out->octets[out->len++] = 0;
	return true;
}

const char *dns_name_format(const struct dns_name *n, char out[DNS_NAME_TEXT_MAX + 1])
{
	size_t at = 0, put = 0;

	out[0] = '\0';
	while (at < n->len && n->octets[at]) {
		size_t end = at + 1 + n->octets[at];

		if (put)
			out[put++] = '.';
		for (at++; at < end; at++) {
			uint8_t c = n->octets[at];

			if (c > 0x20 && c < 0x7f && c != '.' && c != '\\')
				out[put++] = (char)c;
			else
				put += (size_t)snprintf(out + put, 5, "\\%03u", c);
		}
		out[put] = '\0';
	}
	return out;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* A length is below 'A', so it may be looked at like a letter. */
static bool same_octets(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && same_octets(a->octets, b->octets, a->len);
}

bool dns_name_is_under(const struct dns_name *of, const struct dns_name *domain)
{
	size_t first = of->len && of->octets[0] ? 1u + of->octets[0] : 0;

	return first && of->len == first + domain->len &&
	       same_octets(of->octets + first, domain->octets, domain->len);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static bool short_of(struct err *e)
{
	return err_set(e, ERR_INPUT, "DNS: the message ends too early");
}

static bool take_u16(struct dns_reader *r, uint16_t *out, struct err *e)
{
	if (r->whole.len - r->at < 2)
		return short_of(e);
	*out = (uint16_t)(r->whole.data[r->at] << 8 | r->whole.data[r->at + 1]);
	r->at += 2;
	return true;
}

static bool take_u32(struct dns_reader *r, uint32_t *out, struct err *e)
{
	uint16_t high = 0, low = 0;

	if (!take_u16(r, &high, e) || !take_u16(r, &low, e))
		return false;
	*out = (uint32_t)high << 16 | low;
	return true;
}

/* One label, at *at; or the pointer there is followed. floor: what a pointer has to lie before, so
 * that no name has an end that is its beginning (RFC 1035 §4.1.4: "a prior occurrence"). */
static bool take_label(
	struct bytes whole, size_t *at, size_t *floor, struct dns_name *out, struct err *e)
{
	uint8_t len;

	if (*at >= whole.len)
		return short_of(e);
	len = whole.data[*at];
	if ((len & POINTER) == POINTER) {
		size_t to;

		if (whole.len - *at < 2)
			return short_of(e);
		to = (size_t)(len & ~POINTER) << 8 | whole.data[*at + 1];
		if (to >= *floor)
			return err_set(
				e, ERR_INPUT, "DNS: a pointer in a name does not lead backwards");
		*at = *floor = to;
		return true;
	}
	if (len > DNS_LABEL_MAX)
		return err_set(e, ERR_INPUT, "DNS: a label of an unknown kind");
	if (whole.len - *at - 1 < len)
		return short_of(e);
	if (len && !add_label(out, whole.data + *at + 1, len, e))
		return false;
	*at += 1u + len;
	return true;
}

static bool take_name(struct dns_reader *r, struct dns_name *out, struct err *e)
{
	size_t at = r->at, floor = r->at, before;
	bool jumped = false;

	out->len = 0;
	do {
		before = at;
		if (!take_label(r->whole, &at, &floor, out, e))
			return false;
		if (!jumped && (r->whole.data[before] & POINTER) == POINTER) {
			r->at = before + 2;
			jumped = true;
		}
	} while (r->whole.data[before] != 0);
	if (!jumped)
		r->at = at;
	out->octets[out->len++] = 0;
	return true;
}

bool dns_open(struct bytes message, struct dns_reader *out, struct err *e)
{
	*out = (struct dns_reader){.whole = message};
	if (message.len < HEAD_LEN)
		return short_of(e);
	if (message.len > DNS_MESSAGE_MAX)
		return err_set(e, ERR_TOO_LARGE, "DNS: more than %d octets", DNS_MESSAGE_MAX);
	if (!take_u16(out, &out->head.id, e) || !take_u16(out, &out->head.flags, e))
		return false;
	for (int i = 0; i < 4; i++)
		if (!take_u16(out, &out->head.counts[i], e))
			return false;
	out->questions_left = out->head.counts[0];
	out->records_left = (size_t)out->head.counts[1] + out->head.counts[2] + out->head.counts[3];
	if (out->questions_left > DNS_QUESTIONS_MAX || out->records_left > DNS_RECORDS_MAX)
		return err_set(e, ERR_TOO_LARGE, "DNS: too many questions or records");
	return true;
}

bool dns_next_question(struct dns_reader *r, struct dns_question *out, bool *end, struct err *e)
{
	*end = r->questions_left == 0;
	out->type = out->class = 0;
	if (*end)
		return true;
	if (!take_name(r, &out->name, e) || !take_u16(r, &out->type, e) ||
		!take_u16(r, &out->class, e))
		return false;
	out->unicast = out->class & TOP_BIT;
	out->class &= (uint16_t)~TOP_BIT;
	r->questions_left--;
	return true;
}

/* A name in a record's data may point anywhere before it, but is no longer than the data. */
static bool take_target(struct dns_reader *r, size_t end, struct dns_record *out, struct err *e)
{
	return take_name(r, &out->target, e) &&
	       (r->at == end || err_set(e, ERR_INPUT, "DNS: a name is not as long as its record"));
}

static bool take_srv(struct dns_reader *r, size_t end, struct dns_record *out, struct err *e)
{
	if (out->data.len < SRV_FIXED_LEN + 1)
		return err_set(e, ERR_INPUT, "DNS: an SRV record that is too short");
	return take_u16(r, &out->srv.priority, e) && take_u16(r, &out->srv.weight, e) &&
	       take_u16(r, &out->srv.port, e) && take_target(r, end, out, e);
}

static bool is_txt(struct bytes data)
{
	size_t at = 0;

	while (at < data.len)
		at += 1u + data.data[at];
	return at == data.len;
}

static bool has_length(const struct dns_record *record, size_t len, struct err *e)
{
	return record->data.len == len ||
	       err_set(e, ERR_INPUT, "DNS: an address of %zu octets", record->data.len);
}

static bool take_data(struct dns_reader *r, struct dns_record *out, struct err *e)
{
	size_t end = r->at + out->data.len;

	switch (out->type) {
	case DNS_A:
		return has_length(out, 4, e);
	case DNS_AAAA:
		return has_length(out, 16, e);
	case DNS_PTR:
		return take_target(r, end, out, e);
	case DNS_SRV:
		return take_srv(r, end, out, e);
	case DNS_TXT:
		return is_txt(out->data) || err_set(e, ERR_INPUT, "DNS: TXT ends in a string");
	default:
		return true; /* of a type that is none of ours */
	}
}

bool dns_next_record(struct dns_reader *r, struct dns_record *out, bool *end, struct err *e)
{
	struct dns_question passed_over;
	uint16_t len = 0;
	size_t begin;

	while (r->questions_left)
		if (!dns_next_question(r, &passed_over, end, e))
			return false;
	*end = r->records_left == 0;
	if (*end)
		return true;
	out->target.len = 0;
	out->type = out->class = 0;
	memset(&out->srv, 0, sizeof(out->srv));
	if (!take_name(r, &out->name, e) || !take_u16(r, &out->type, e) ||
		!take_u16(r, &out->class, e) || !take_u32(r, &out->ttl_s, e) ||
		!take_u16(r, &len, e))
		return false;
	if (r->whole.len - r->at < len)
		return short_of(e);
	out->flush = out->class & TOP_BIT;
	out->class &= (uint16_t)~TOP_BIT;
	out->data = bytes_of(r->whole.data + r->at, len);
	begin = r->at;
	if (!take_data(r, out, e))
		return false;
	r->at = begin + len;
	r->records_left--;
	return true;
}

bool dns_txt_next(struct bytes *left, struct bytes *out)
{
	while (left->len) {
		size_t len = left->data[0];

		if (len > left->len - 1)
			return false;
		*out = bytes_of(left->data + 1, len);
		*left = bytes_of(left->data + 1 + len, left->len - 1 - len);
		if (len)
			return true;
	}
	return false;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool put_u16(struct buf *out, unsigned value, struct err *e)
{
	const uint8_t octets[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	return buf_append(out, octets, sizeof(octets), e);
}

bool dns_put_query(struct buf *out, uint16_t id, uint16_t flags, size_t questions, struct err *e)
{
	return put_u16(out, id, e) && put_u16(out, flags, e) &&
	       put_u16(out, (unsigned)questions, e) && put_u16(out, 0, e) && put_u16(out, 0, e) &&
	       put_u16(out, 0, e);
}

bool dns_put_question(struct buf *out, const struct dns_question *q, struct err *e)
{
	return buf_append(out, q->name.octets, q->name.len, e) && put_u16(out, q->type, e) &&
	       put_u16(out, q->class | (q->unicast ? TOP_BIT : 0), e);
}
