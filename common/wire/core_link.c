/* SPDX-License-Identifier: Apache-2.0 */
/* See core_link.h. link-value-list of RFC 6690 §2, with blanks after separators let pass as
 * RFC 8288 has them:
 *
 *	links  = [ link *( "," link ) ]
 *	link   = "<" target ">" *( ";" name [ "=" ( token / quoted ) ] )
 */
#include "common/wire/core_link.h"

#include <stddef.h>
#include <string.h>

/* ---- Characters ----------------------------------------------------------------------------- */

static bool at(const struct core_links *r, char c)
{
	return r->rest.len > 0 && r->rest.data[0] == (uint8_t)c;
}

static void advance(struct core_links *r, size_t n)
{
	r->rest.data += n;
	r->rest.len -= n;
}

static void skip_blanks(struct core_links *r)
{
	while (at(r, ' ') || at(r, '\t'))
		advance(r, 1);
}

/* RFC 6690 §2: parmname is attr-char, ptoken a little more; neither has what separates links. */
static bool is_token(uint8_t c)
{
	return c > ' ' && c < 0x7f && !strchr("\",;<>\\", c);
}

static bool is_name(uint8_t c)
{
	return is_token(c) && c != '=';
}

static struct bytes take_while(struct core_links *r, bool (*is)(uint8_t c))
{
	struct bytes taken = bytes_of(r->rest.data, 0);

	while (taken.len < r->rest.len && is(r->rest.data[taken.len]))
		taken.len++;
	advance(r, taken.len);
	return taken;
}

static bool is(struct bytes b, const char *word)
{
	return bytes_equal(b, bytes_of_str(word));
}

/* ---- What is kept of a link ----------------------------------------------------------------- */

/* In the order in which they are written. */
static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
	{"rt", offsetof(struct core_link, rt)},
	{"ct", offsetof(struct core_link, ct)},
	{"brski-jp", offsetof(struct core_link, brski_jp)},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(*attributes))

static const struct bytes *value_at(const struct core_link *l, size_t row)
{
	return (const struct bytes *)((const char *)l + attributes[row].offset);
}

/* NULL for an attribute that is not kept. */
static const struct bytes *value_of(const struct core_link *l, struct bytes name)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (is(name, attributes[i].name))
			return value_at(l, i);
	return NULL;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static bool is_uri(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '\\';
}

static bool take_target(struct core_links *r, struct bytes *out, struct err *e)
{
	if (!at(r, '<'))
		return err_set(e, ERR_INPUT, "no '<' where a link begins");
	advance(r, 1);
	*out = take_while(r, is_uri);
	if (!at(r, '>'))
		return err_set(e, ERR_INPUT, "target without '>'");
	advance(r, 1);
	return out->len <= CORE_LINK_VALUE_MAX ||
	       err_set(e, ERR_TOO_LARGE, "target of %zu octets", out->len);
}

/* A quoted value with escapes stands as it is: none that we read has any. */
static bool take_quoted(struct core_links *r, struct bytes *out, struct err *e)
{
	advance(r, 1);
	*out = bytes_of(r->rest.data, 0);
	while (r->rest.len && !at(r, '"')) {
		size_t n = at(r, '\\') ? 2 : 1;

		if (r->rest.data[0] < ' ' || r->rest.len < n)
			return err_set(e, ERR_INPUT, "quoted value that does not end");
		advance(r, n);
	}
	if (!r->rest.len)
		return err_set(e, ERR_INPUT, "quoted value that does not end");
	out->len = (size_t)(r->rest.data - out->data);
	advance(r, 1);
	return true;
}

static bool take_value(struct core_links *r, struct bytes *out, struct err *e)
{
	if (at(r, '"')) {
		if (!take_quoted(r, out, e))
			return false;
	} else {
		*out = take_while(r, is_token);
		if (!out->len)
			return err_set(e, ERR_INPUT, "no value after '='");
	}
	return out->len <= CORE_LINK_VALUE_MAX ||
	       err_set(e, ERR_TOO_LARGE, "value of %zu octets", out->len);
}

/* The first of a name counts; what is not kept is passed over. */
static void keep(struct core_link *l, struct bytes name, struct bytes value)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (is(name, attributes[i].name) && !value_at(l, i)->data)
			*(struct bytes *)((char *)l + attributes[i].offset) = value;
}

static bool take_attribute(struct core_links *r, struct core_link *out, struct err *e)
{
	struct bytes name, value;

	skip_blanks(r);
	name = take_while(r, is_name);
	if (!name.len)
		return err_set(e, ERR_INPUT, "attribute without a name");
	value = bytes_of(name.data, 0);
	if (at(r, '=')) {
		advance(r, 1);
		if (!take_value(r, &value, e))
			return false;
	}
	keep(out, name, value);
	return true;
}

static bool take_link(struct core_links *r, struct core_link *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (++r->count > CORE_LINKS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d links", CORE_LINKS_MAX);
	if (!take_target(r, &out->target, e))
		return false;
	for (skip_blanks(r); at(r, ';'); skip_blanks(r)) {
		advance(r, 1);
		if (!take_attribute(r, out, e))
			return false;
	}
	if (!r->rest.len)
		return true;
	if (!at(r, ','))
		return err_set(e, ERR_INPUT, "neither ';' nor ',' after a link");
	advance(r, 1);
	skip_blanks(r);
	return r->rest.len > 0 || err_set(e, ERR_INPUT, "nothing after ','");
}

struct core_links core_links_of(struct bytes text)
{
	return (struct core_links){.rest = text};
}

bool core_link_next(struct core_links *r, struct core_link *out, bool *end, struct err *e)
{
	if (r->rest.len > CORE_LINK_DOC_MAX)
		return err_set(e, ERR_TOO_LARGE, "links of %zu octets", r->rest.len);
	if (!r->count)
		skip_blanks(r);
	*end = r->rest.len == 0;
	return *end || take_link(r, out, e) || err_prefix(e, "link-format");
}

/* ---- What a link says ----------------------------------------------------------------------- */

static bool word_matches(struct bytes word, struct bytes pattern)
{
	if (pattern.len && pattern.data[pattern.len - 1] == '*')
		return word.len >= pattern.len - 1 &&
		       memcmp(word.data, pattern.data, pattern.len - 1) == 0;
	return bytes_equal(word, pattern);
}

bool core_link_has(struct bytes words, struct bytes pattern)
{
	while (words.data && words.len) {
		const uint8_t *blank = memchr(words.data, ' ', words.len);
		size_t n = blank ? (size_t)(blank - words.data) : words.len;

		if (n && word_matches(bytes_of(words.data, n), pattern))
			return true;
		n += blank != NULL;
		words = bytes_of(words.data + n, words.len - n);
	}
	return false;
}

bool core_link_matches(const struct core_link *l, struct bytes query)
{
	const uint8_t *sign = query.len ? memchr(query.data, '=', query.len) : NULL;
	const struct bytes *value;
	struct bytes name, pattern;

	if (!sign)
		return false;
	name = bytes_of(query.data, (size_t)(sign - query.data));
	pattern = bytes_of(sign + 1, query.len - name.len - 1);
	if (is(name, "href"))
		return word_matches(l->target, pattern);
	value = value_of(l, name);
	return value && core_link_has(*value, pattern);
}

static bool read_port(struct bytes digits, uint16_t *port)
{
	uint32_t n = 0;

	if (!digits.data || !digits.len || digits.len > 5)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(digits.data[i] - '0');
	}
	*port = (uint16_t)n;
	return n > 0 && n <= UINT16_MAX;
}

bool core_link_join_port(const struct core_link *l, uint16_t *port)
{
	return read_port(l->brski_jp, port);
}

/* "scheme:" without regard to case, then "//"; the rest of the authority. */
static bool authority_of(const struct core_link *l, const char *scheme, struct bytes *out)
{
	size_t n = strlen(scheme);

	if (l->target.len < n + 3 || strncasecmp((const char *)l->target.data, scheme, n) != 0 ||
		memcmp(l->target.data + n, "://", 3) != 0)
		return false;
	*out = bytes_of(l->target.data + n + 3, l->target.len - n - 3);
	for (size_t i = 0; i < out->len; i++)
		if (strchr("/?#", out->data[i]))
			out->len = i;
	return !memchr(out->data, '@', out->len);
}

/* Where the host ends; 0: there is none. */
static size_t host_end(struct bytes authority)
{
	const uint8_t *stop;

	if (authority.len && authority.data[0] == '[') {
		stop = memchr(authority.data, ']', authority.len);
		return stop ? (size_t)(stop - authority.data) + 1 : 0;
	}
	stop = memchr(authority.data, ':', authority.len);
	return stop ? (size_t)(stop - authority.data) : authority.len;
}

bool core_link_authority(const struct core_link *l, const char *scheme,
	char host[CORE_LINK_HOST_MAX], uint16_t *port)
{
	struct bytes authority, name;
	size_t end;

	if (!authority_of(l, scheme, &authority))
		return false;
	end = host_end(authority);
	name = bytes_of(authority.data, end);
	if (end && authority.data[0] == '[')
		name = bytes_of(authority.data + 1, end - 2);
	if (!name.len || name.len >= CORE_LINK_HOST_MAX)
		return false;
	memcpy(host, name.data, name.len);
	host[name.len] = '\0';
	*port = 0;
	if (end == authority.len)
		return true;
	return authority.data[end] == ':' &&
	       read_port(bytes_of(authority.data + end + 1, authority.len - end - 1), port);
}

/* ---- Writing -------------------------------------------------------------------------------- */

static bool put_attribute(const char *name, struct bytes value, struct buf *out, struct err *e)
{
	bool bare = value.len > 0;

	if (!value.data)
		return true;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < ' ' || value.data[i] >= 0x7f || strchr("\"\\", value.data[i]))
			return err_set(e, ERR_BUG, "link-format: %s cannot be written", name);
		bare = bare && is_token(value.data[i]);
	}
	return buf_printf(out, e, ";%s=%s%.*s%s", name, bare ? "" : "\"", (int)value.len,
		(const char *)value.data, bare ? "" : "\"");
}

bool core_link_put(const struct core_link *l, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < l->target.len; i++)
		if (!is_uri(l->target.data[i]))
			return err_set(e, ERR_BUG, "link-format: target cannot be written");
	if (!buf_printf(out, e, "%s<%.*s>", out->len ? "," : "", (int)l->target.len,
		    l->target.data ? (const char *)l->target.data : ""))
		return false;
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (!put_attribute(attributes[i].name, *value_at(l, i), out, e))
			return false;
	return true;
}
