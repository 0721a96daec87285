/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding: see percent.h. */
#include "common/wire/percent.h"

#include <string.h>

#include "common/wire/hex.h"

static bool is_unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

bool percent_encode(struct bytes in, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < in.len; i++) {
		bool ok = is_unreserved(in.data[i]) ? buf_append(out, &in.data[i], 1, e)
						    : buf_printf(out, e, "%%%02X", in.data[i]);

		if (!ok)
			return false;
	}
	return true;
}

bool percent_decode(struct bytes in, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (c == '%') {
			int high = in.len - i > 2 ? hex_digit((char)in.data[i + 1]) : -1;
			int low = in.len - i > 2 ? hex_digit((char)in.data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(e, ERR_INPUT, "bad percent-encoding");
			c = (uint8_t)(high * 16 + low);
			i += 2;
		}
		if (c == '\0')
			return err_set(e, ERR_INPUT, "a NUL in percent-encoded text");
		if (!buf_append(out, &c, 1, e))
			return false;
	}
	return true;
}

bool percent_query(const char *query, const char *name, struct buf *out, bool *found, struct err *e)
{
	size_t name_len = strlen(name);

	*found = false;
	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > name_len && query[name_len] == '=' &&
			strncmp(query, name, name_len) == 0) {
			*found = true;
			return percent_decode(
				bytes_of(query + name_len + 1, len - name_len - 1), out, e);
		}
		query += len + (query[len] == '&');
	}
	return true;
}
