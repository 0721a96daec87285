/* SPDX-License-Identifier: Apache-2.0 */
/* Which characters are not shown as they are (Unicode 15 §23.1, §23.2). */
#include "common/base/text.h"

/* LRE to RLO (U+202A to U+202E), LRI to PDI (U+2066 to U+2069). */
static int turns_direction(const unsigned char *c)
{
	return c[0] == 0xe2 && ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
				       (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

size_t text_unsafe_len(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;

	if (c[0] == '\0')
		return 0;
	if (c[0] < 0x20 || c[0] == 0x7f)
		return 1;
	if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f)
		return 2;
	return turns_direction(c) ? 3 : 0;
}

void text_make_safe(char *s, char by)
{
	while (*s) {
		size_t n = text_unsafe_len(s);

		for (size_t i = 0; i < n; i++)
			s[i] = by;
		s += n > 0 ? n : 1;
	}
}

/* The well-formed sequences: bounds of the first octet and of the second; any others are 80 to BF.
 */
static const struct {
	unsigned char first_min, first_max, second_min, second_max;
	size_t len;
} sequences[] = {
	{0x01, 0x7f, 0, 0, 1},
	{0xc2, 0xdf, 0x80, 0xbf, 2},
	{0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4},
	{0xf4, 0xf4, 0x80, 0x8f, 4},
};

/* Octets of the character that s begins with; 0 when it begins with none. */
static size_t character_len(const unsigned char *s)
{
	for (size_t i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
		if (s[0] < sequences[i].first_min || s[0] > sequences[i].first_max)
			continue;
		for (size_t k = 1; k < sequences[i].len; k++) {
			unsigned char min = k == 1 ? sequences[i].second_min : 0x80;
			unsigned char max = k == 1 ? sequences[i].second_max : 0xbf;

			if (s[k] < min || s[k] > max)
				return 0; /* the NUL at the end, too */
		}
		return sequences[i].len;
	}
	return 0;
}

void text_make_utf8(char *s, char by)
{
	while (*s) {
		size_t n = character_len((const unsigned char *)s);

		if (n == 0)
			*s = by;
		s += n > 0 ? n : 1;
	}
}
