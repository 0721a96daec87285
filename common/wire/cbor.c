/* SPDX-License-Identifier: Apache-2.0 */
/* Reading CBOR. A declared length is compared with what is left before anything believes it, and
 * nesting is bounded, so an encoding of n octets costs n steps and a fixed stack. Entering a
 * container means finding its end once; inside, no count and no break octet is in anybody's way.
 * RFC 8949 §3 (well-formedness), §5.6 (duplicate keys), §3.2.3 (strings in pieces).
 */
#include "common/wire/cbor.h"

#include <string.h>

#define INFO_ONE_OCTET	24 /* the argument is in the next octet; 25: in two, ... */
#define INFO_EIGHT	27
#define INFO_INDEFINITE 31
#define BREAK		0xff
#define SIMPLE_MIN	32 /* a simple value in an octet of its own is none of the short ones */

enum {
	MAJOR_UINT,
	MAJOR_NEGATIVE,
	MAJOR_BYTES,
	MAJOR_TEXT,
	MAJOR_ARRAY,
	MAJOR_MAP,
	MAJOR_TAG,
	MAJOR_OTHER
};

struct head {
	uint8_t major;
	uint8_t info;
	uint64_t argument;
	bool indefinite;
};

static const char *const type_names[] = {
	[CBOR_UINT] = "unsigned integer",
	[CBOR_NEGATIVE] = "negative integer",
	[CBOR_BYTES] = "byte string",
	[CBOR_TEXT] = "text",
	[CBOR_ARRAY] = "array",
	[CBOR_MAP] = "map",
	[CBOR_TAG] = "tag",
	[CBOR_SIMPLE] = "simple value",
	[CBOR_FLOAT] = "floating-point number",
	[CBOR_END] = "end",
};

const char *cbor_type_name(enum cbor_type type)
{
	return type_names[type];
}

bool cbor_at_end(const struct cbor_reader *r)
{
	return r->len == 0;
}

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
	if (r->len == 0)
		return CBOR_END;
	uint8_t major = r->p[0] >> 5, info = r->p[0] & 0x1f;
	if (major < MAJOR_OTHER)
		return (enum cbor_type)major;
	return info > INFO_ONE_OCTET && info <= INFO_EIGHT ? CBOR_FLOAT : CBOR_SIMPLE;
}

static void advance(struct cbor_reader *r, size_t n)
{
	r->p += n;
	r->len -= n;
}

static bool take_argument(struct cbor_reader *r, struct head *h, struct err *e)
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

/* The first octet and the argument. A break is the caller's to look for. */
static bool take_head(struct cbor_reader *r, struct head *h, struct err *e)
{
	if (r->len == 0)
		return err_set(e, ERR_INPUT, "CBOR: truncated, an item is missing");
	*h = (struct head){.major = r->p[0] >> 5, .info = r->p[0] & 0x1f};
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
	struct cbor_reader *r, const struct head *h, struct bytes *out, struct err *e)
{
	if (h->argument > r->len)
		return err_set(e, ERR_INPUT, "CBOR: string of %llu octets where %zu are left",
			(unsigned long long)h->argument, r->len);
	*out = bytes_of(r->p, (size_t)h->argument);
	advance(r, out->len);
	return h->major == MAJOR_BYTES || check_text(*out, e);
}

/* The pieces of a string one after the other; of a definite one there is one. */
struct pieces {
	struct cbor_reader left;
	struct head head;
	bool over;
};

static bool pieces_begin(struct cbor_reader at, struct pieces *out, struct err *e)
{
	out->over = false;
	out->left = at;
	return take_head(&out->left, &out->head, e);
}

/* The next piece; over is set, and *out empty, behind the last. */
static bool pieces_next(struct pieces *s, struct bytes *out, struct err *e)
{
	struct head h = s->head;

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
	if (!take_head(&s->left, &h, e))
		return false;
	if (h.major != s->head.major || h.indefinite)
		return err_set(e, ERR_INPUT, "CBOR: a piece of a string is of another type");
	return take_piece(&s->left, &h, out, e);
}

static bool walk_string(struct cbor_reader *r, struct err *e)
{
	struct pieces s;
	struct bytes piece;

	if (!pieces_begin(*r, &s, e))
		return false;
	while (!s.over)
		if (!pieces_next(&s, &piece, e))
			return false;
	*r = s.left;
	return true;
}

/* ---- the walk through one item ---- */

/* A string octet by octet, -1 at its end: pieces may be cut anywhere. */
static int next_octet(struct pieces *s, struct bytes *piece)
{
	struct err ignored = ERR_INIT; /* the string was walked through before */

	while (piece->len == 0) {
		if (s->over || !pieces_next(s, piece, &ignored))
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
	struct pieces of_a, of_b;
	int octet;

	if (!pieces_begin(a, &of_a, &ignored) || !pieces_begin(b, &of_b, &ignored))
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
	struct head of_a, of_b;

	do {
		at_a = a;
		at_b = b;
		if (!take_head(&a, &of_a, &ignored) || !take_head(&b, &of_b, &ignored) ||
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
static bool more(struct cbor_reader *r, const struct head *h, uint64_t taken)
{
	if (!h->indefinite)
		return taken < h->argument;
	if (r->len == 0 || r->p[0] != BREAK)
		return true; /* at the end of the octets: the walk finds that an item is missing */
	advance(r, 1);
	return false;
}

static bool walk_array(struct cbor_reader *r, const struct head *h, unsigned depth, struct err *e)
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

static bool walk_map(struct cbor_reader *r, const struct head *h, unsigned depth, struct err *e)
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
	struct head h;

	if (depth == 0)
		return err_set(e, ERR_TOO_LARGE, "CBOR: nested more than %d deep", CBOR_DEPTH_MAX);
	if (cbor_peek(r) == CBOR_BYTES || cbor_peek(r) == CBOR_TEXT)
		return walk_string(r, e);
	if (!take_head(r, &h, e))
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

bool cbor_open(struct bytes octets, struct cbor_reader *out, struct err *e)
{
	struct cbor_reader r = {.p = octets.data, .len = octets.len};

	*out = r;
	return walk(&r, CBOR_DEPTH_MAX, e) && cbor_expect_end(&r, "CBOR", e);
}

/* ---- taking items ---- */

static bool expect(const struct cbor_reader *r, enum cbor_type type, struct err *e)
{
	enum cbor_type found = cbor_peek(r);

	if (found == type)
		return true;
	return err_set(
		e, ERR_INPUT, "CBOR: %s where %s belongs", type_names[found], type_names[type]);
}

bool cbor_uint(struct cbor_reader *r, uint64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct head h;

	if (!expect(r, CBOR_UINT, e) || !take_head(&at, &h, e))
		return false;
	*out = h.argument;
	*r = at;
	return true;
}

bool cbor_int(struct cbor_reader *r, int64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct head h;

	if (cbor_peek(r) != CBOR_NEGATIVE && !expect(r, CBOR_UINT, e))
		return false;
	if (!take_head(&at, &h, e))
		return false;
	if (h.argument > INT64_MAX)
		return err_set(e, ERR_INPUT, "CBOR: integer out of range");
	*out = h.major == MAJOR_UINT ? (int64_t)h.argument : -1 - (int64_t)h.argument;
	*r = at;
	return true;
}

bool cbor_simple(struct cbor_reader *r, uint8_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct head h;

	if (!expect(r, CBOR_SIMPLE, e) || !take_head(&at, &h, e))
		return false;
	*out = (uint8_t)h.argument;
	*r = at;
	return true;
}

bool cbor_bool(struct cbor_reader *r, bool *out, struct err *e)
{
	struct cbor_reader at = *r;
	uint8_t value;

	if (!cbor_simple(&at, &value, e))
		return false;
	if (value != CBOR_FALSE && value != CBOR_TRUE)
		return err_set(e, ERR_INPUT, "CBOR: simple value %u is no boolean", value);
	*out = value == CBOR_TRUE;
	*r = at;
	return true;
}

static bool view(struct cbor_reader *r, enum cbor_type type, struct bytes *out, struct err *e)
{
	struct pieces s;
	struct bytes piece;

	*out = bytes_of(NULL, 0);
	if (!expect(r, type, e) || !pieces_begin(*r, &s, e))
		return false;
	while (!s.over) {
		if (!pieces_next(&s, &piece, e))
			return false;
		if (out->len > 0 && piece.len > 0)
			return err_set(e, ERR_INPUT, "CBOR: a %s in pieces", type_names[type]);
		if (piece.len > 0)
			*out = piece;
	}
	*r = s.left;
	return true;
}

static bool copy(struct cbor_reader *r, enum cbor_type type, struct buf *out, struct err *e)
{
	struct pieces s;
	struct bytes piece;
	size_t before = out->len;

	if (!expect(r, type, e) || !pieces_begin(*r, &s, e))
		return false;
	while (!s.over) {
		if (!pieces_next(&s, &piece, e) || !buf_append(out, piece.data, piece.len, e)) {
			out->len = before;
			return false;
		}
	}
	*r = s.left;
	return true;
}

bool cbor_bytes(struct cbor_reader *r, struct bytes *out, struct err *e)
{
	return view(r, CBOR_BYTES, out, e);
}

bool cbor_text(struct cbor_reader *r, struct bytes *out, struct err *e)
{
	return view(r, CBOR_TEXT, out, e);
}

bool cbor_bytes_copy(struct cbor_reader *r, struct buf *out, struct err *e)
{
	return copy(r, CBOR_BYTES, out, e);
}

bool cbor_text_copy(struct cbor_reader *r, struct buf *out, struct err *e)
{
	return copy(r, CBOR_TEXT, out, e);
}

bool cbor_skip(struct cbor_reader *r, struct bytes *whole, struct err *e)
{
	struct cbor_reader at = *r;

	if (!walk(&at, CBOR_DEPTH_MAX, e))
		return false;
	if (whole)
		*whole = bytes_of(r->p, (size_t)(at.p - r->p));
	*r = at;
	return true;
}

/* Items up to the end of what is left or the break that stands there. */
static bool count_items(struct cbor_reader inner, size_t *out, struct err *e)
{
	for (*out = 0; !cbor_at_end(&inner); ++*out)
		if (!cbor_skip(&inner, NULL, e))
			return false;
	return true;
}

static bool enter(struct cbor_reader *r, enum cbor_type type, struct cbor_reader *inner,
	size_t *count, struct err *e)
{
	struct cbor_reader at = *r, body = *r;
	struct head h;

	if (!expect(r, type, e) || !cbor_skip(&at, NULL, e) || !take_head(&body, &h, e))
		return false;
	*inner = body;
	inner->len = (size_t)(at.p - body.p) - (h.indefinite ? 1 : 0);
	if (count && !count_items(*inner, count, e))
		return false;
	if (count && type == CBOR_MAP)
		*count /= 2;
	*r = at;
	return true;
}

bool cbor_array(struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e)
{
	return enter(r, CBOR_ARRAY, inner, count, e);
}

bool cbor_map(struct cbor_reader *r, struct cbor_reader *inner, size_t *count, struct err *e)
{
	return enter(r, CBOR_MAP, inner, count, e);
}

bool cbor_tag(struct cbor_reader *r, uint64_t *out, struct err *e)
{
	struct cbor_reader at = *r;
	struct head h;

	if (!expect(r, CBOR_TAG, e) || !take_head(&at, &h, e))
		return false;
	*out = h.argument;
	*r = at;
	return true;
}

bool cbor_expect_end(const struct cbor_reader *r, const char *what, struct err *e)
{
	if (r->len == 0)
		return true;
	return err_set(e, ERR_INPUT, "%s: %zu octets after the end", what, r->len);
}
