/* SPDX-License-Identifier: Apache-2.0 */
/* Octets as hexadecimal: fingerprints and key identifiers for people and logs. */
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

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(const char *in, struct buf *out, struct err *e)
{
	size_t before = out->len;
	for (const char *p = in; *p; p += 2) {
		if (p > in && *p == ':')
			p++;
		int high = digit_value(p[0]);
		int low = high < 0 ? -1 : digit_value(p[1]);
		if (low < 0) {
			out->len = before;
			return err_set(e, ERR_INPUT, "hex: two digits are missing at position %zu",
				(size_t)(p - in));
		}
		if (!buf_append(out, &(uint8_t){(uint8_t)(high << 4 | low)}, 1, e)) {
			out->len = before;
			return false;
		}
	}
	return true;
}
