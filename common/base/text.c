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
