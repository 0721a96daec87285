/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/lines.h"

#include <stdlib.h>
#include <string.h>

#include "common/wire/base64.h"

static bool find(const struct buf *text, const char *name, struct bytes *value)
{
	const char *p = buf_str(text), *end;
	size_t name_len = strlen(name);

	for (; (end = strchr(p, '\n')) != NULL; p = end + 1)
		if (strncmp(p, name, name_len) == 0 && p[name_len] == ' ') {
			*value = bytes_of(p + name_len + 1, (size_t)(end - p) - name_len - 1);
			return true;
		}
	return false;
}

bool lines_get_text(const struct buf *text, const char *name, char *out, size_t size)
{
	struct bytes value;

	if (!find(text, name, &value) || value.len >= size)
		return false;
	memcpy(out, value.data, value.len);
	out[value.len] = '\0';
	return true;
}

bool lines_get_octets(const struct buf *text, const char *name, struct buf *out, struct err *e)
{
	struct bytes value;

	return find(text, name, &value) && base64_decode(value, out, e);
}

bool lines_put_octets(struct buf *text, const char *name, struct bytes value, struct err *e)
{
	return buf_printf(text, e, "%s ", name) && base64_encode(value, text, e) &&
	       buf_append_str(text, "\n", e);
}

bool lines_get_number(const struct buf *text, const char *name, int64_t *out)
{
	char digits[24], *end;

	if (!lines_get_text(text, name, digits, sizeof(digits)))
		return false;
	*out = strtoll(digits, &end, 10);
	return *digits && *end == '\0';
}
