/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out what a file holds by its first octets, as peers and people keep vouchers in several
 * wrappings. Everything but the container itself is decided here; which signed containers there
 * are says the table of voucher_format.
 */
#include "voucher/input.h"

#include <string.h>

#include "common/base/file.h"
#include "common/wire/base64.h"
#include "common/wire/der.h"
#include "common/wire/hex.h"
#include "common/wire/json.h"

#define PEM_BEGIN "-----BEGIN "
#define PEM_END	  "-----END "
#define PEM_DASH  "-----"

/* First octets of what a container may look like once it is binary. */
enum shape {
	SHAPE_DER,
	SHAPE_JSON,
	SHAPE_COMPACT_JWS,
	SHAPE_COSE,
	SHAPE_CBOR_MAP,
	SHAPE_OTHER,
};

static const char *const pem_labels[] = {"CMS", "PKCS7", "PKCS #7 SIGNED DATA"};

static bool starts_with(struct bytes b, const char *prefix)
{
	size_t len = strlen(prefix);
	return b.len >= len && memcmp(b.data, prefix, len) == 0;
}

static struct bytes skip_space(struct bytes b)
{
	while (b.len > 0 && (b.data[0] == ' ' || (b.data[0] >= '\t' && b.data[0] <= '\r')))
		b = bytes_of(b.data + 1, b.len - 1);
	return b;
}

/* A SEQUENCE is 0x30, which is the character '0': base64 may begin with it, but then a printable
 * character follows, and no container is as short as such a length octet would say. */
static bool begins_like_der(struct bytes b)
{
	return b.data[0] == DER_SEQUENCE && !(b.len > 1 && b.data[1] > ' ' && b.data[1] < 0x7f);
}

static enum shape shape_of(struct bytes b)
{
	if (b.len == 0)
		return SHAPE_OTHER;
	if (begins_like_der(b))
		return SHAPE_DER;
	if (b.data[0] == '{')
		return SHAPE_JSON;
	if (b.data[0] == 0xd2 || b.data[0] == 0x84) /* tag 18, or a bare array of four */
		return SHAPE_COSE;
	if (b.data[0] == 0xa1 || b.data[0] == 0xbf)
		return SHAPE_CBOR_MAP;
	if (starts_with(b, "eyJ") && memchr(b.data, '.', b.len))
		return SHAPE_COMPACT_JWS;
	return SHAPE_OTHER;
}

static const struct voucher_format *format_by_name(const char *name)
{
	for (size_t i = 0; i < voucher_format_count; i++)
		if (strcmp(voucher_formats[i].name, name) == 0)
			return &voucher_formats[i];
	return NULL;
}

static bool choose(const char *name, const struct voucher_format **format, struct err *e)
{
	*format = format_by_name(name);
	if (*format)
		return true;
	return err_set(e, ERR_UNSUPPORTED_TYPE, "%s: format not supported by this build", name);
}

/* JSON is a JWS when it has signatures; without, it is only the content of a voucher. */
static bool choose_json(struct bytes b, const struct voucher_format **format, struct err *e)
{
	json_t *JSON_AUTO root = json_parse_object(b, e);
	if (!root)
		return false;
	if (json_object_get(root, "signatures"))
		return choose("jws", format, e);
	if (json_object_get(root, "ietf-voucher:voucher") ||
		json_object_get(root, "ietf-voucher-request:voucher"))
		return err_set(e, ERR_INPUT, "JSON of a voucher that nobody signed");
	return err_set(e, ERR_INPUT, "JSON, but no voucher");
}

static bool choose_binary(
	struct bytes b, bool *known, const struct voucher_format **format, struct err *e)
{
	*known = true;
	switch (shape_of(b)) {
	case SHAPE_DER:
		return choose("cms", format, e);
	case SHAPE_JSON:
		return choose_json(b, format, e);
	case SHAPE_COMPACT_JWS:
		return err_set(e, ERR_UNSUPPORTED_TYPE,
			"jws: the compact serialization is no voucher (general JSON is)");
	case SHAPE_COSE:
		return choose("cose", format, e);
	case SHAPE_CBOR_MAP:
		return err_set(e, ERR_INPUT, "CBOR, but nobody signed it");
	case SHAPE_OTHER:
		*known = false;
		return true;
	}
	return err_set(e, ERR_BUG, "input of no shape");
}

/* The end of the line that begins at b. */
static size_t line_len(struct bytes b)
{
	const uint8_t *newline = memchr(b.data, '\n', b.len);
	return newline ? (size_t)(newline - b.data) : b.len;
}

static bool check_pem_label(const uint8_t *line, size_t len, struct err *e)
{
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	struct bytes label = bytes_of(line, len);
	if (len < strlen(PEM_BEGIN) + strlen(PEM_DASH) ||
		memcmp(line + len - strlen(PEM_DASH), PEM_DASH, strlen(PEM_DASH)) != 0)
		return err_set(e, ERR_INPUT, "PEM: malformed first line");
	label.data += strlen(PEM_BEGIN);
	label.len -= strlen(PEM_BEGIN) + strlen(PEM_DASH);
	for (size_t i = 0; i < sizeof(pem_labels) / sizeof(pem_labels[0]); i++)
		if (bytes_equal(label, bytes_of_str(pem_labels[i])))
			return true;
	return err_set(e, ERR_INPUT, "PEM: a %.*s, not a CMS",
		(int)(label.len > 40 ? 40 : label.len), (const char *)label.data);
}

static bool decode_pem(struct bytes text, struct buf *out, struct err *e)
{
	size_t first = line_len(text);
	if (!check_pem_label(text.data, first, e))
		return false;
	struct bytes body = bytes_of(text.data + first, text.len - first);
	const uint8_t *end = memmem(body.data, body.len, PEM_END, strlen(PEM_END));
	if (!end)
		return err_set(e, ERR_INPUT, "PEM: the END line is missing");
	struct bytes last = bytes_of(end, body.len - (size_t)(end - body.data));
	size_t last_len = line_len(last);
	struct bytes after = skip_space(bytes_of(last.data + last_len, last.len - last_len));
	if (after.len > 0)
		return err_set(e, ERR_INPUT, "PEM: something after the END line");
	body.len = (size_t)(end - body.data);
	return base64_decode_spaced(body, out, e) || err_prefix(e, "PEM");
}

/* Examples of COSE are written down in hexadecimal: digits and white space alone, which base64 of a
 * voucher never is. False with *e untouched: it is something else. */
static bool decode_hex(struct bytes text, struct buf *out, struct err *e)
{
	uint8_t octet = 0;
	size_t digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		int value = hex_digit((char)text.data[i]);
		if (value < 0 && skip_space(bytes_of(text.data + i, 1)).len > 0)
			return false;
		if (value < 0)
			continue;
		octet = (uint8_t)(octet << 4 | value);
		if (++digits % 2 == 0 && !buf_append(out, &octet, 1, e))
			return false;
	}
	return digits % 2 == 0;
}

/* What was found inside of text. */
static bool choose_text(const char *what, const struct buf *out,
	const struct voucher_format **format, struct err *e)
{
	bool known = false;
	if (!choose_binary(buf_bytes(out), &known, format, e))
		return err_prefix(e, "%s", what);
	return known || err_set(e, ERR_INPUT, "%s of something that is no signed voucher", what);
}

bool input_decode(
	struct bytes text, struct buf *out, const struct voucher_format **format, struct err *e)
{
	bool known = false;
	struct bytes content = skip_space(text);
	*format = NULL;
	if (content.len == 0)
		return err_set(e, ERR_INPUT, "empty");
	if (starts_with(content, PEM_BEGIN))
		return decode_pem(content, out, e) && choose("cms", format, e);
	if (!choose_binary(content, &known, format, e))
		return false;
	if (known)
		return buf_append(out, content.data, content.len, e);
	if (decode_hex(content, out, e))
		return choose_text("hexadecimal", out, format, e);
	buf_clear(out);
	if (!base64_decode_spaced(content, out, e))
		return err_prefix(e, "neither DER, PEM, CBOR, hexadecimal nor base64");
	return choose_text("base64", out, format, e);
}

bool input_load(
	const char *path, struct buf *out, const struct voucher_format **format, struct err *e)
{
	struct buf BUF_AUTO text = BUF_INIT(INPUT_MAX);
	if (!file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &text, e))
		return false;
	return input_decode(buf_bytes(&text), out, format, e);
}

bool input_load_certs(const char *path, struct cert_list *out, struct err *e)
{
	struct buf BUF_AUTO content = BUF_INIT(CERT_LIST_PEM_MAX);
	if (!file_read(path, &content, e))
		return false;
	if (content.len == 0 || content.data[0] != DER_SEQUENCE)
		return cert_list_parse_pem(buf_bytes(&content), out, e) ||
		       err_prefix(e, "%s", path);
	struct cert *CERT_AUTO c = cert_parse(buf_bytes(&content), e);
	if (!c)
		return err_prefix(e, "%s", path);
	return cert_list_add(out, c, e);
}
