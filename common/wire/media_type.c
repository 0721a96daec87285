/* SPDX-License-Identifier: Apache-2.0 */
/* Which media type a message has, and which one its sender wants back (RFC 9110 §8.3.1, §12.5.1).
 * Parameters never decide anything in BRSKI, so they are skipped; a malformed entry of an Accept
 * header counts as not there, since refusing a whole request over it would help nobody.
 */
#include "common/wire/media_type.h"

#include <string.h>
#include <strings.h>

#define QUALITY_ONE 1000 /* q-values in thousandths */

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *s)
{
	size_t n = 0;
	while (is_token_char(s[n]))
		n++;
	return n;
}

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* Length of "type/subtype" at s; 0 when there is none. */
static size_t name_len(const char *s)
{
	size_t type = token_len(s);
	if (type == 0 || s[type] != '/')
		return 0;
	size_t subtype = token_len(s + type + 1);
	return subtype == 0 ? 0 : type + 1 + subtype;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool media_type_name(const char *header, char out[MEDIA_TYPE_MAX + 1])
{
	if (!header)
		return false;
	header = skip_space(header);
	size_t len = name_len(header);
	const char *rest = skip_space(header + len);
	if (len == 0 || len > MEDIA_TYPE_MAX || (*rest != '\0' && *rest != ';'))
		return false;
	for (size_t i = 0; i < len; i++)
		out[i] = lower(header[i]);
	out[len] = '\0';
	return true;
}

bool media_type_is(const char *header, const char *type)
{
	char name[MEDIA_TYPE_MAX + 1];
	return media_type_name(header, name) && strcasecmp(name, type) == 0;
}

/* The end of one list element: a comma outside of quotes, or the end of the text. */
static const char *element_end(const char *s)
{
	bool quoted = false;
	for (; *s && (quoted || *s != ','); s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (quoted && *s == '\\' && s[1])
			s++;
	}
	return s;
}

/* "0", "0.5", "1.000" in thousandths; -1 when it is none (RFC 9110 §12.4.2). */
static int parse_quality(const char *s, const char *end)
{
	if (s == end || (*s != '0' && *s != '1'))
		return -1;
	int value = (*s++ - '0') * QUALITY_ONE;
	if (s < end && *s == '.') {
		s++;
		for (int weight = 100; s < end && *s >= '0' && *s <= '9'; weight /= 10) {
			if (weight == 0)
				return -1;
			value += (*s++ - '0') * weight;
		}
	}
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	return s == end && value <= QUALITY_ONE ? value : -1;
}

/* Behind the string that begins at s, or end. */
static const char *skip_quoted(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		if (*s == '\\')
			s++;
	return s < end ? s : end;
}

/* The q parameter of the element whose parameters are params..end. */
static int element_quality(const char *params, const char *end)
{
	for (const char *p = params; p < end; p++) {
		if (*p == '"')
			p = skip_quoted(p, end);
		if (p >= end || *p != ';')
			continue;
		const char *name = skip_space(p + 1);
		if (name + 1 < end && lower(name[0]) == 'q' && name[1] == '=') {
			const char *value = name + 2;
			const char *stop = memchr(value, ';', (size_t)(end - value));
			return parse_quality(value, stop ? stop : end);
		}
	}
	return QUALITY_ONE;
}

/* How exactly a range of range_len characters names the type: 3 exact, 2 "type" followed by a
 * wildcard, 1 any, 0 not at all. */
static int specificity(const char *range, size_t range_len, const char *type)
{
	if (range_len == 3 && memcmp(range, "*/*", 3) == 0)
		return 1;
	size_t slash = strcspn(type, "/");
	if (range_len == slash + 2 && range[slash + 1] == '*' &&
		strncasecmp(range, type, slash + 1) == 0)
		return 2;
	return strlen(type) == range_len && strncasecmp(range, type, range_len) == 0 ? 3 : 0;
}

/* What the Accept header says about one type: the most specific range decides. */
static int accept_quality(const char *accept, const char *offered)
{
	char type[MEDIA_TYPE_MAX + 1];
	int best = 0, quality = 0;
	if (!media_type_name(offered, type))
		return 0;
	while (*accept) {
		const char *element = skip_space(accept);
		const char *end = element_end(element);
		size_t len = name_len(element);
		int q = element_quality(element + len, end);
		int match = len == 0 || q < 0 ? 0 : specificity(element, len, type);
		if (match > best) {
			best = match;
			quality = q;
		}
		accept = *end ? end + 1 : end;
	}
	return quality;
}

int media_type_negotiate(const char *accept, const char *const *offered, size_t offered_count)
{
	int best = -1, best_quality = 0;
	if (!accept || *skip_space(accept) == '\0')
		return offered_count > 0 ? 0 : -1;
	for (size_t i = 0; i < offered_count; i++) {
		int quality = accept_quality(accept, offered[i]);
		if (quality > best_quality) {
			best = (int)i;
			best_quality = quality;
		}
	}
	return best;
}
