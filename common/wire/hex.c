/* SPDX-License-Identifier: Apache-2.0 */
/* Octets as hexadecimal: fingerprints and key identifiers for people and logs; and the value of a
 * digit, for the parsers of percent-encoding and of chunk sizes. */
#include "common/wire/hex.h"

void hex_encode(struct bytes in, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < in.len; i++) {
		*out++ = digits[in.data[i] >> 4];
		*out++ = digits[in.data[i] & 0x0f];
	}
	*out = '\0';
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
