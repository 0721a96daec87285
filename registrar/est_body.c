/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing EST's base64 in its dialects. */
#include "registrar/est_body.h"

#include <string.h>
#include <strings.h>

#include "common/wire/base64.h"

#define PEM_BEGIN	 "-----BEGIN "
#define PEM_END		 "-----END "
#define DER_SEQUENCE_TAG 0x30 /* also '0', with which no base64 of a SEQUENCE begins ("M") */

static struct bytes skip_space(struct bytes b)
{
	while (b.len > 0 && strchr(" \t\r\n", b.data[0]) && b.data[0] != '\0') {
		b.data++;
		b.len--;
	}
	return b;
}

static bool begins_with(struct bytes b, const char *text)
{
	return b.len >= strlen(text) && memcmp(b.data, text, strlen(text)) == 0;
}

/* What stands between the two armour lines. */
static bool strip_armour(struct bytes *b, struct err *e)
{
	const uint8_t *line_end = memchr(b->data, '\n', b->len);
	const uint8_t *stop;

	if (!line_end)
		return err_set(e, ERR_INPUT, "PEM: no end of the first line");
	b->len -= (size_t)(line_end + 1 - b->data);
	b->data = line_end + 1;
	stop = memmem(b->data, b->len, PEM_END, strlen(PEM_END));
	if (!stop)
		return err_set(e, ERR_INPUT, "PEM: no END line");
	b->len = (size_t)(stop - b->data);
	return true;
}

/* A line break inside the text, not the one after it. */
static bool is_wrapped(struct bytes text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
		text.len--;
	return text.len > 0 && memchr(text.data, '\n', text.len) != NULL;
}

bool est_body_read(struct bytes body, struct buf *der, enum est_wrapping *wrapping, struct err *e)
{
	struct bytes text = skip_space(body);

	*wrapping = EST_UNWRAPPED;
	if (text.len == 0)
		return err_set(e, ERR_INPUT, "the body is empty");
	if (text.data[0] == DER_SEQUENCE_TAG)
		return buf_append(der, text.data, text.len, e);
	if (begins_with(text, PEM_BEGIN)) {
		*wrapping = EST_WRAPPED;
		return strip_armour(&text, e) && base64_decode_spaced(text, der, e);
	}
	*wrapping = is_wrapped(text) ? EST_WRAPPED : EST_UNWRAPPED;
	return base64_decode_spaced(text, der, e) || err_prefix(e, "body");
}

bool est_body_read_der(struct bytes body, struct buf *der, struct err *e)
{
	if (body.len == 0 || body.data[0] != DER_SEQUENCE_TAG)
		return err_set(e, ERR_INPUT, "the body is not DER") ||
		       err_tell(e, "The body has to be DER, not base64.");
	return buf_append(der, body.data, body.len, e);
}

enum est_wrapping est_wrapping_for(const char *user_agent)
{
	return user_agent && strncasecmp(user_agent, "libest", 6) == 0 ? EST_WRAPPED
								       : EST_UNWRAPPED;
}

bool est_body_write(struct bytes der, enum est_wrapping wrapping, struct buf *out, struct err *e)
{
	switch (wrapping) {
	case EST_BINARY:
		return buf_append(out, der.data, der.len, e);
	case EST_WRAPPED:
		return base64_encode_wrapped(der, EST_LINE_LEN, out, e);
	case EST_UNWRAPPED:
		break;
	}
	return base64_encode(der, out, e);
}
