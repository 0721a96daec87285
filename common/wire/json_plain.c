/* SPDX-License-Identifier: Apache-2.0 */
/* Jansson looks at every octet of a string four times, and a voucher-request is one long string of
 * base64 in another: reading it was a seventh of what a voucher costs the MASA. Here it is looked
 * at once. Whatever is not plain is left to Jansson. */
#include "common/wire/json_plain.h"

#include <stdint.h>
#include <string.h>

#define DEPTH_MAX 4 /* a voucher nests 2 deep */

struct reader {
	const char *p, *end;
};

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* This character, after white space. */
static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* Anything below is a control character (RFC 8259 §7), anything above is not ASCII. */
static bool is_plain(char c)
{
	return (unsigned char)(c - ' ') <= '~' - ' ' && c != '"' && c != '\\';
}

/* In each of eight octets; the highest bit of one is set where one of w is below n, or is octet. */
#define EIGHT(octet)	 (UINT64_C(0x0101010101010101) * (octet))
#define ANY_BELOW(w, n)	 (((w)-EIGHT(n)) & ~(w))
#define ANY_IS(w, octet) ANY_BELOW((w) ^ EIGHT(octet), 1)

/* All of eight octets at once: most of a request is one long string. */
static bool are_plain(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return ((w | ANY_BELOW(w, ' ') | ANY_IS(w, '"') | ANY_IS(w, '\\') | ANY_IS(w, 0x7f)) &
		       EIGHT(0x80)) == 0;
}

static const char *skip_plain(const char *p, const char *end)
{
	while (end - p >= 8 && are_plain(p))
		p += 8;
	while (p < end && is_plain(*p))
		p++;
	return p;
}

static bool take_string(struct reader *r, const char **text, size_t *len)
{
	if (!take(r, '"'))
		return false;
	*text = r->p;
	r->p = skip_plain(r->p, r->end);
	*len = (size_t)(r->p - *text);
	return r->p < r->end && *r->p++ == '"';
}

static bool take_word(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
		return false;
	r->p += len;
	return true;
}

static json_t *take_value(struct reader *r, unsigned depth);

static bool take_member(struct reader *r, json_t *object, unsigned depth)
{
	const char *name;
	size_t len;

	return take_string(r, &name, &len) && !json_object_getn(object, name, len) &&
	       take(r, ':') &&
	       json_object_setn_new_nocheck(object, name, len, take_value(r, depth)) == 0;
}

static json_t *take_object(struct reader *r, unsigned depth)
{
	json_t *object = depth < DEPTH_MAX ? json_object() : NULL;
	bool ok = object && take(r, '{');

	if (ok && take(r, '}'))
		return object;
	do
		ok = ok && take_member(r, object, depth + 1);
	while (ok && take(r, ','));
	if (ok && take(r, '}'))
		return object;
	json_decref(object);
	return NULL;
}

/* Its first character decides what it has to be. */
static json_t *take_value(struct reader *r, unsigned depth)
{
	const char *text;
	size_t len;

	skip_space(r);
	switch (r->p < r->end ? *r->p : '\0') {
	case '{':
		return take_object(r, depth);
	case '"':
		return take_string(r, &text, &len) ? json_stringn_nocheck(text, len) : NULL;
	case 't':
		return take_word(r, "true") ? json_true() : NULL;
	case 'f':
		return take_word(r, "false") ? json_false() : NULL;
	case 'n':
		return take_word(r, "null") ? json_null() : NULL;
	default:
		return NULL;
	}
}

json_t *json_parse_plain(struct bytes text)
{
	const char *start = (const char *)text.data;
	struct reader r = {start, start + text.len};
	json_t *value = text.len ? take_value(&r, 0) : NULL;

	skip_space(&r);
	if (value && r.p == r.end)
		return value;
	json_decref(value);
	return NULL;
}

/* ---- writing ---- */

static bool put_string(const char *text, size_t len, struct buf *out, struct err *e)
{
	return skip_plain(text, text + len) == text + len && buf_append(out, "\"", 1, e) &&
	       buf_append(out, text, len, e) && buf_append(out, "\"", 1, e);
}

static bool put_value(json_t *value, unsigned depth, struct buf *out, struct err *e);

static bool put_object(json_t *object, unsigned depth, struct buf *out, struct err *e)
{
	const char *before = "{", *name;
	json_t *value;

	if (depth == DEPTH_MAX || json_object_size(object) == 0)
		return false;
	json_object_foreach(object, name, value)
	{
		if (!buf_append_str(out, before, e) || !put_string(name, strlen(name), out, e) ||
			!buf_append(out, ":", 1, e) || !put_value(value, depth + 1, out, e))
			return false;
		before = ",";
	}
	return buf_append(out, "}", 1, e);
}

static bool put_value(json_t *value, unsigned depth, struct buf *out, struct err *e)
{
	if (json_is_object(value))
		return put_object(value, depth, out, e);
	if (json_is_string(value))
		return put_string(json_string_value(value), json_string_length(value), out, e);
	if (json_is_boolean(value))
		return buf_append_str(out, json_is_true(value) ? "true" : "false", e);
	return false;
}

bool json_format_plain(const json_t *value, struct buf *out)
{
	size_t before = out->len;
	struct err ignored = ERR_INIT;
	bool ok = put_value((json_t *)(uintptr_t)value, 0, out, &ignored);

	if (ok)
		return true;
	out->len = before;
	if (out->data)
		out->data[before] = '\0';
	return false;
}
