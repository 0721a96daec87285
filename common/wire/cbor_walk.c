/* SPDX-License-Identifier: Apache-2.0 */
/* Going through CBOR. A declared length is compared with what is left before anything believes it,
 * and nesting is bounded, so an encoding of n octets costs n steps and a fixed stack. RFC 8949 §3
 * (well-formedness), §5.6 (duplicate keys), §3.2.3 (strings in pieces).
 */
#include "common/wire/cbor_parts.h"

#define BREAK	   0xff
#define SIMPLE_MIN 32 /* a simple value in an octet of its own is none of the short ones */

static void advance(struct cbor_reader *r, size_t n)
{
	r->p += n;
	r->len -= n;
}

static bool take_argument(struct cbor_reader *r, struct cbor_head *h, struct err *e)
{
	if (h->info < INFO_ONE_OCTET) {
		h->argument = h->info;
		return true;
	}
	size_t count = (size_t)1 << (h->info - INFO_ONE_OCTET);
	if (r->len < count)
		return err_set(e, ERR_INPUT, "CBOR: truncated inside a head");
	h->argument = 0;
	for (size_t i = 0; i < count; i++)
		h->argument = h->argument << 8 | r->p[i];
	advance(r, count);
	return true;
}

static bool may_be_indefinite(uint8_t major)
{
	return major >= MAJOR_BYTES && major <= MAJOR_MAP;
}

bool cbor_head_take(struct cbor_reader *r, struct cbor_head *h, struct err *e)
{
	if (r->len == 0)
		return err_set(e, ERR_INPUT, "CBOR: truncated, an item is missing");
	*h = (struct cbor_head){.major = r->p[0] >> 5, .info = r->p[0] & 0x1f};
	advance(r, 1);
	if (h->info == INFO_INDEFINITE) {
		h->indefinite = true;
		return may_be_indefinite(h->major) ||
		       err_set(e, ERR_INPUT, "CBOR: a break or a length that is none");
	}
	if (h->info > INFO_EIGHT)
		return err_set(e, ERR_INPUT, "CBOR: reserved additional information %u", h->info);
	if (!take_argument(r, h, e))
		return false;
	if (h->major == MAJOR_OTHER && h->info == INFO_ONE_OCTET && h->argument < SIMPLE_MIN)
		return err_set(e, ERR_INPUT, "CBOR: simple value in two octets");
	return true;
}

/* ---- strings ---- */

/* Octets of the well-formed UTF-8 character at p, 0 for none (RFC 3629 §4) or a NUL. */
static size_t character_len(const uint8_t *p, size_t len)
{
	static const struct {
		uint8_t mask, lead, second_min, second_max;
		size_t len;
	} forms[] = {
		{0xff, 0xe0, 0xa0, 0xbf, 3}, /* no overlong forms */
		{0xff, 0xed, 0x80, 0x9f, 3}, /* no surrogates */
		{0xf0, 0xe0, 0x80, 0xbf, 3},
		{0xff, 0xf0, 0x90, 0xbf, 4},
		{0xff, 0xf4, 0x80, 0x8f, 4}, /* up to U+10FFFF */
		{0xfc, 0xf0, 0x80, 0xbf, 4},
		{0xe0, 0xc0, 0x80, 0xbf, 2},
	};

	if (p[0] < 0x80)
		return p[0] != 0;
	if (p[0] == 0xc0 || p[0] == 0xc1)
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((p[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (len < forms[i].len || p[1] < forms[i].second_min || p[1] > forms[i].second_max)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static bool check_text(struct bytes text, struct err *e)
{
	for (size_t i = 0; i < text.len;) {
		size_t n = character_len(text.data + i, text.len - i);
		if (n == 0)
			return err_set(e, ERR_INPUT, "CBOR: text that is not UTF-8, or has a NUL");
		i += n;
	}
	return true;
}

/* A string of definite length behind its head. */
static bool take_piece(
	struct cbor_reader *r, const struct cbor_head *h, struct bytes *out, struct err *e)
{
	if (h->argument > r->len)
		return err_set(e, ERR_INPUT, "CBOR: string of %llu octets where %zu are left",
			(unsigned long long)h->argument, r->len);
	*out = bytes_of(r->p, (size_t)h->argument);
	advance(r, out->len);
	return h->major == MAJOR_BYTES || check_text(*out, e);
}

bool cbor_pieces_begin(struct cbor_reader at, struct cbor_pieces *out, struct err *e)
{
	out->over = false;
	out->left = at;
	return cbor_head_take(&out->left, &out->head, e);
}

bool cbor_pieces_next(struct cbor_pieces *s, struct bytes *out, struct err *e)
{
	struct cbor_head h = s->head;

	*out = bytes_of(NULL, 0);
	if (s->over)
		return true;
	if (!s->head.indefinite) {
		s->over = true;
		return take_piece(&s->left, &h, out, e);
	}
	if (s->left.len > 0 && s->left.p[0] == BREAK) {
		advance(&s->left, 1);
		s->over = true;
		return true;
	}
	if (!cbor_head_take(&s->left, &h, e))
		return false;
	if (h.major != s->head.major || h.indefinite)
		return err_set(e, ERR_INPUT, "CBOR: a piece of a string is of another type");
	return take_piece(&s->left, &h, out, e);
}

/* ---- the walk through one item ---- */

static bool walk_string(struct cbor_reader *r, struct err *e)
{
	struct cbor_pieces s;
	struct bytes piece;

	if (!cbor_pieces_begin(*r, &s, e))
		return false;
	while (!s.over)
		if (!cbor_pieces_next(&s, &piece, e))
			return false;
	*r = s.left;
	return true;
}

/* A string octet by octet, -1 at its end: pieces may be cut anywhere. */
static int next_octet(struct cbor_pieces *s, struct bytes *piece)
{
	struct err ignored = ERR_INIT; /* the string was walked through before */

	while (piece->len == 0) {
		if (s->over || !cbor_pieces_next(s, piece, &ignored))
			return -1;
	}
	int octet = piece->data[0];
	*piece = bytes_of(piece->data + 1, piece->len - 1);
	return octet;
}

static bool same_string(struct cbor_reader a, struct cbor_reader b)
{
	struct err ignored = ERR_INIT;
	struct bytes piece_a = {NULL, 0}, piece_b = {NULL, 0};
	struct cbor_pieces of_a, of_b;
	int octet;

	if (!cbor_pieces_begin(a, &of_a, &ignored) || !cbor_pieces_begin(b, &of_b, &ignored))
		return false;
	do {
		octet = next_octet(&of_a, &piece_a);
		if (octet != next_octet(&of_b, &piece_b))
			return false;
	} while (octet >= 0);
	return true;
}

/* Do two keys mean the same, however they are encoded (RFC 8949 §5.6)? */
static bool same_key(struct cbor_reader a, struct cbor_reader b)
{
	struct err ignored = ERR_INIT;
	struct cbor_reader at_a, at_b;
	struct cbor_head of_a, of_b;

	do {
		at_a = a;
		at_b = b;
		if (!cbor_head_take(&a, &of_a, &ignored) || !cbor_head_take(&b, &of_b, &ignored) ||
			of_a.major != of_b.major)
			return false;
		if (of_a.major == MAJOR_BYTES || of_a.major == MAJOR_TEXT)
			return same_string(at_a, at_b);
		if (of_a.argument != of_b.argument)
			return false;
	} while (of_a.major == MAJOR_TAG);
	return of_a.major != MAJOR_OTHER || of_a.info == of_b.info; /* floats of one width */
}

static bool walk(struct cbor_reader *r, unsigned depth, struct err *e);

/* Is there another element in this container? A break that ends it is taken. */
static bool more(struct cbor_reader *r, const struct cbor_head *h, uint64_t taken)
{
	if (!h->indefinite)
		return taken < h->argument;
	if (r->len == 0 || r->p[0] != BREAK)
		return true; /* at the end of the octets: the walk finds that an item is missing */
	advance(r, 1);
	return false;
}

static bool walk_array(
	struct cbor_reader *r, const struct cbor_head *h, unsigned depth, struct err *e)
{
	if (!h->indefinite && h->argument > r->len)
		return err_set(e, ERR_INPUT, "CBOR: array of %llu elements in %zu octets",
			(unsigned long long)h->argument, r->len);
	for (uint64_t i = 0; more(r, h, i); i++)
		if (!walk(r, depth, e))
			return false;
	return true;
}

/* A key: a number, a string, or one of them behind tags. */
static bool walk_key(struct cbor_reader *r, unsigned depth, struct err *e)
{
	struct cbor_reader bare = *r;
	uint64_t tag;

	while (cbor_peek(&bare) == CBOR_TAG)
		if (!cbor_tag(&bare, &tag, e))
			return false;
	if (cbor_peek(&bare) == CBOR_ARRAY || cbor_peek(&bare) == CBOR_MAP)
		return err_set(e, ERR_INPUT, "CBOR: an array or a map as a key");
	return walk(r, depth, e);
}

static bool walk_map(
	struct cbor_reader *r, const struct cbor_head *h, unsigned depth, struct err *e)
{
	struct cbor_reader keys[CBOR_MAP_MAX];

	if (!h->indefinite && h->argument > r->len / 2)
		return err_set(e, ERR_INPUT, "CBOR: map of %llu pairs in %zu octets",
			(unsigned long long)h->argument, r->len);
	for (size_t i = 0; more(r, h, i); i++) {
		if (i == CBOR_MAP_MAX)
			return err_set(
				e, ERR_TOO_LARGE, "CBOR: map of more than %d pairs", CBOR_MAP_MAX);
		keys[i] = *r;
		if (!walk_key(r, depth, e))
			return false;
		for (size_t k = 0; k < i; k++)
			if (same_key(keys[k], keys[i]))
				return err_set(e, ERR_INPUT, "CBOR: a key stands twice in a map");
		if (!walk(r, depth, e))
			return false;
	}
	return true;
}

/* Through the next item to its end, checking all of it. */
static bool walk(struct cbor_reader *r, unsigned depth, struct err *e)
{
	struct cbor_head h;

	if (depth == 0)
		return err_set(e, ERR_TOO_LARGE, "CBOR: nested more than %d deep", CBOR_DEPTH_MAX);
	if (cbor_peek(r) == CBOR_BYTES || cbor_peek(r) == CBOR_TEXT)
		return walk_string(r, e);
	if (!cbor_head_take(r, &h, e))
		return false;
	switch (h.major) {
	case MAJOR_ARRAY:
		return walk_array(r, &h, depth - 1, e);
	case MAJOR_MAP:
		return walk_map(r, &h, depth - 1, e);
	case MAJOR_TAG:
		return walk(r, depth - 1, e);
	default:
		return true;
	}
}

bool cbor_walk(struct cbor_reader *r, struct err *e)
{
	return walk(r, CBOR_DEPTH_MAX, e);
}
