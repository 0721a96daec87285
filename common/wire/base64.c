/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in the three readings BRSKI needs: exact for the binary leaves of a voucher (RFC 7951
 * §6.6), with white space anywhere for EST bodies (RFC 8951 §3.1), and in either alphabet without
 * padding for nonces that other implementations made up. All three refuse stray characters, data
 * after padding and trailing bits that are not zero, so that a value has one encoding per dialect.
 */
#include "common/wire/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define CHUNK_QUANTA 96 /* 4-character groups gathered before the buffer is touched */

struct dialect {
	bool url_alphabet; /* '-' and '_' besides '+' and '/' */
	bool spaces;
	bool padding_optional;
};

/* Whole groups of three octets as four characters each, as many as the room takes. How many. */
static size_t encode_groups(struct bytes in, char *out, size_t room)
{
	size_t groups = in.len / 3 < room / 4 ? in.len / 3 : room / 4;
	const uint8_t *c = in.data;

	for (size_t i = 0; i < groups; i++, c += 3, out += 4) {
		uint32_t bits = (uint32_t)c[0] << 16 | (uint32_t)c[1] << 8 | c[2];

		out[0] = alphabet[bits >> 18];
		out[1] = alphabet[bits >> 12 & 0x3f];
		out[2] = alphabet[bits >> 6 & 0x3f];
		out[3] = alphabet[bits & 0x3f];
	}
	return groups;
}

/* The one or two octets of the last group. */
static void encode_rest(struct bytes in, char out[4])
{
	const uint8_t whole[3] = {in.data[0], in.len > 1 ? in.data[1] : 0};

	encode_groups(bytes_of(whole, sizeof(whole)), out, 4);
	out[3] = '=';
	if (in.len == 1)
		out[2] = '=';
}

bool base64_encode(struct bytes in, struct buf *out, struct err *e)
{
	char chunk[4 * CHUNK_QUANTA];
	size_t before = out->len;
	bool ok = true;

	while (ok && in.len > 0) {
		size_t groups = encode_groups(in, chunk, sizeof(chunk));

		if (groups == 0) {
			encode_rest(in, chunk);
			ok = buf_append(out, chunk, 4, e);
			break;
		}
		ok = buf_append(out, chunk, 4 * groups, e);
		in = bytes_of(in.data + 3 * groups, in.len - 3 * groups);
	}
	explicit_bzero(chunk, sizeof(chunk)); /* it may have been a private key */
	if (!ok)
		out->len = before;
	return ok;
}

bool base64_encode_wrapped(struct bytes in, size_t line_len, struct buf *out, struct err *e)
{
	size_t line_octets = line_len / 4 * 3, before = out->len;
	if (line_octets == 0)
		return err_set(e, ERR_BUG, "base64: lines of %zu characters", line_len);
	for (size_t i = 0; i < in.len; i += line_octets) {
		size_t n = in.len - i < line_octets ? in.len - i : line_octets;
		if (!base64_encode(bytes_of(in.data + i, n), out, e) ||
			!buf_append(out, "\n", 1, e)) {
			out->len = before;
			return false;
		}
	}
	return true;
}

/* One more than the six bits a character of the standard alphabet stands for; 0: it is none. A
 * table because the branches of comparisons are guessed wrong for every other character. */
static const uint8_t value_plus_1[256] = {
	['A'] = 1,
	['B'] = 2,
	['C'] = 3,
	['D'] = 4,
	['E'] = 5,
	['F'] = 6,
	['G'] = 7,
	['H'] = 8,
	['I'] = 9,
	['J'] = 10,
	['K'] = 11,
	['L'] = 12,
	['M'] = 13,
	['N'] = 14,
	['O'] = 15,
	['P'] = 16,
	['Q'] = 17,
	['R'] = 18,
	['S'] = 19,
	['T'] = 20,
	['U'] = 21,
	['V'] = 22,
	['W'] = 23,
	['X'] = 24,
	['Y'] = 25,
	['Z'] = 26,
	['a'] = 27,
	['b'] = 28,
	['c'] = 29,
	['d'] = 30,
	['e'] = 31,
	['f'] = 32,
	['g'] = 33,
	['h'] = 34,
	['i'] = 35,
	['j'] = 36,
	['k'] = 37,
	['l'] = 38,
	['m'] = 39,
	['n'] = 40,
	['o'] = 41,
	['p'] = 42,
	['q'] = 43,
	['r'] = 44,
	['s'] = 45,
	['t'] = 46,
	['u'] = 47,
	['v'] = 48,
	['w'] = 49,
	['x'] = 50,
	['y'] = 51,
	['z'] = 52,
	['0'] = 53,
	['1'] = 54,
	['2'] = 55,
	['3'] = 56,
	['4'] = 57,
	['5'] = 58,
	['6'] = 59,
	['7'] = 60,
	['8'] = 61,
	['9'] = 62,
	['+'] = 63,
	['/'] = 64,
};

/* The six bits a character stands for, or -1. */
static int value_of(uint8_t c, bool url_alphabet)
{
	if (url_alphabet && c == '-')
		return 62;
	if (url_alphabet && c == '_')
		return 63;
	return (int)value_plus_1[c] - 1;
}

static bool is_space(uint8_t c)
{
	return c == '\r' || c == '\n' || c == ' ' || c == '\t';
}

/* Where a decoder stands inside the text. */
struct decoder {
	uint32_t bits;
	unsigned chars; /* of the current group, 0 to 3 */
	unsigned pads;
	uint8_t chunk[3 * CHUNK_QUANTA];
	size_t used;
};

static bool flush(struct decoder *d, struct buf *out, struct err *e)
{
	size_t n = d->used;
	d->used = 0;
	return buf_append(out, d->chunk, n, e);
}

static bool take_pad(struct decoder *d, struct err *e)
{
	if (d->chars < 2 || d->chars + d->pads >= 4)
		return err_set(e, ERR_INPUT, "base64: misplaced padding");
	d->pads++;
	return true;
}

static bool take_char(
	struct decoder *d, uint8_t c, const struct dialect *how, struct buf *out, struct err *e)
{
	int value = value_of(c, how->url_alphabet);
	if (value < 0)
		return err_set(e, ERR_INPUT, "base64: character 0x%02x", c);
	if (d->pads > 0)
		return err_set(e, ERR_INPUT, "base64: data after the padding");
	d->bits = d->bits << 6 | (uint32_t)value;
	if (++d->chars < 4)
		return true;
	d->chunk[d->used++] = (uint8_t)(d->bits >> 16);
	d->chunk[d->used++] = (uint8_t)(d->bits >> 8);
	d->chunk[d->used++] = (uint8_t)d->bits;
	d->bits = 0;
	d->chars = 0;
	return d->used < sizeof(d->chunk) || flush(d, out, e);
}

/* Whole groups of the standard alphabet, as many as stand there at once: of a long text nearly all.
 * Whatever is not one is left for take_char() to judge. How many characters were used. */
static size_t take_groups(struct decoder *d, struct bytes in)
{
	size_t i = 0;

	for (; in.len - i >= 4 && d->used < sizeof(d->chunk); i += 4) {
		const uint8_t *c = in.data + i;
		uint32_t v0 = value_plus_1[c[0]], v1 = value_plus_1[c[1]];
		uint32_t v2 = value_plus_1[c[2]], v3 = value_plus_1[c[3]];

		if (!v0 || !v1 || !v2 || !v3)
			break;
		uint32_t bits = (v0 - 1) << 18 | (v1 - 1) << 12 | (v2 - 1) << 6 | (v3 - 1);
		d->chunk[d->used++] = (uint8_t)(bits >> 16);
		d->chunk[d->used++] = (uint8_t)(bits >> 8);
		d->chunk[d->used++] = (uint8_t)bits;
	}
	return i;
}

/* The last group, if it is a partial one: one octet of two characters or two of three. */
static bool finish(struct decoder *d, const struct dialect *how, struct buf *out, struct err *e)
{
	if (d->chars == 1)
		return err_set(e, ERR_INPUT, "base64: one character left over");
	if (d->chars > 0) {
		bool complete = d->chars + d->pads == 4;
		unsigned spare = d->chars == 2 ? 4 : 2;
		if (!complete && !(how->padding_optional && d->pads == 0))
			return err_set(e, ERR_INPUT, "base64: padding is missing");
		if (d->bits & ((1U << spare) - 1))
			return err_set(e, ERR_INPUT, "base64: trailing bits are not zero");
		uint32_t bits = d->bits >> spare;
		if (d->chars == 3)
			d->chunk[d->used++] = (uint8_t)(bits >> 8);
		d->chunk[d->used++] = (uint8_t)bits;
	}
	return flush(d, out, e);
}

static bool decode(struct bytes in, const struct dialect *how, struct buf *out, struct err *e)
{
	struct decoder d = {.used = 0};
	size_t before = out->len;
	bool ok = true;
	for (size_t i = 0; ok && i < in.len; i++) {
		if (d.chars == 0 && d.pads == 0) {
			i += take_groups(&d, bytes_of(in.data + i, in.len - i));
			ok = d.used < sizeof(d.chunk) || flush(&d, out, e);
			if (!ok || i == in.len)
				break;
		}
		uint8_t c = in.data[i];
		if (how->spaces && is_space(c))
			continue;
		ok = c == '=' ? take_pad(&d, e) : take_char(&d, c, how, out, e);
	}
	ok = ok && finish(&d, how, out, e);
	if (!ok)
		out->len = before;
	return ok;
}

bool base64_decode(struct bytes in, struct buf *out, struct err *e)
{
	return decode(in, &(struct dialect){.spaces = false}, out, e);
}

bool base64_decode_spaced(struct bytes in, struct buf *out, struct err *e)
{
	return decode(in, &(struct dialect){.spaces = true}, out, e);
}

bool base64_decode_any(struct bytes in, struct buf *out, struct err *e)
{
	return decode(
		in, &(struct dialect){.url_alphabet = true, .padding_optional = true}, out, e);
}
