/* SPDX-License-Identifier: Apache-2.0 */
/* The tables between CoAP's numbers and HTTP's names (RFC 7252 §5.9, §12.1.2, §12.3; RFC 9148 §4.5,
 * §9.1; draft-ietf-anima-constrained-voucher §6.6). */
#include "common/wire/coap_format.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/wire/coap_message.h"
#include "common/wire/media_type.h"

/* A type with a parameter that decides stands in as many rows; without that parameter it is the
 * first of them. The last row is the older name of 836. */
static const struct {
	uint32_t format;
	const char *type;
	const char *parameter, *value; /* that decides, or NULL */
	const char *full;
} formats[] = {
	{COAP_FORMAT_TEXT, "text/plain", NULL, NULL, "text/plain; charset=utf-8"},
	{COAP_FORMAT_COSE_SIGN1, "application/cose", "cose-type", "cose-sign1",
		"application/cose; cose-type=\"cose-sign1\""},
	{COAP_FORMAT_LINK, "application/link-format", NULL, NULL, "application/link-format"},
	{COAP_FORMAT_JSON, "application/json", NULL, NULL, "application/json"},
	{COAP_FORMAT_CBOR, "application/cbor", NULL, NULL, "application/cbor"},
	{COAP_FORMAT_MULTIPART, "application/multipart-core", NULL, NULL,
		"application/multipart-core"},
	{COAP_FORMAT_PKCS7_CERTS, "application/pkcs7-mime", "smime-type", "certs-only",
		"application/pkcs7-mime; smime-type=certs-only"},
	{COAP_FORMAT_PKCS7_KEY, "application/pkcs7-mime", "smime-type", "server-generated-key",
		"application/pkcs7-mime; smime-type=server-generated-key"},
	{COAP_FORMAT_PKCS8, "application/pkcs8", NULL, NULL, "application/pkcs8"},
	{COAP_FORMAT_CSRATTRS, "application/csrattrs", NULL, NULL, "application/csrattrs"},
	{COAP_FORMAT_PKCS10, "application/pkcs10", NULL, NULL, "application/pkcs10"},
	{COAP_FORMAT_PKIX_CERT, "application/pkix-cert", NULL, NULL, "application/pkix-cert"},
	{COAP_FORMAT_VOUCHER_COSE, "application/voucher+cose", NULL, NULL,
		"application/voucher+cose"},
	{COAP_FORMAT_VOUCHER_COSE, "application/voucher-cose+cbor", NULL, NULL,
		"application/voucher+cose"},
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(*formats))

const char *coap_format_media_type(uint32_t format)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++)
		if (formats[i].format == format)
			return formats[i].full;
	return NULL;
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* The value of a parameter, quotes taken off: its start and length; NULL: not there. */
static const char *parameter_of(const char *media_type, const char *name, size_t *len)
{
	size_t name_len = strlen(name);

	for (const char *p = strchr(media_type, ';'); p; p = strchr(p, ';')) {
		p = skip_blanks(p + 1);
		if (strncasecmp(p, name, name_len) != 0 || p[name_len] != '=')
			continue;
		p += name_len + 1;
		*len = *p == '"' ? strcspn(p + 1, "\"") : strcspn(p, "; \t");
		return *p == '"' ? p + 1 : p;
	}
	return NULL;
}

static bool row_fits(size_t row, const char *media_type)
{
	const char *value = NULL;
	size_t len = 0;

	if (!media_type_is(media_type, formats[row].type))
		return false;
	if (formats[row].parameter)
		value = parameter_of(media_type, formats[row].parameter, &len);
	return !value || (strlen(formats[row].value) == len &&
				 strncasecmp(value, formats[row].value, len) == 0);
}

uint32_t coap_format_number(const char *media_type)
{
	for (size_t i = 0; media_type && i < FORMAT_COUNT; i++)
		if (row_fits(i, media_type))
			return formats[i].format;
	return COAP_FORMAT_NONE;
}

/* ---- Codes ---------------------------------------------------------------------------------- */

/* 200 and 202 depend on more and have no row. */
static const struct {
	int status;
	uint8_t code;
} codes[] = {
	{201, COAP_CREATED},
	{304, COAP_VALID},
	{400, COAP_BAD_REQUEST},
	{401, COAP_UNAUTHORIZED},
	{403, COAP_FORBIDDEN},
	{404, COAP_NOT_FOUND},
	{405, COAP_NOT_ALLOWED},
	{406, COAP_NOT_ACCEPTABLE},
	{409, COAP_CONFLICT},
	{413, COAP_TOO_LARGE},
	{415, COAP_UNSUPPORTED_FORMAT},
	{429, COAP_TOO_MANY_REQUESTS},
	{500, COAP_INTERNAL},
	{501, COAP_NOT_IMPLEMENTED},
	{502, COAP_BAD_GATEWAY},
	{503, COAP_UNAVAILABLE},
	{504, COAP_GATEWAY_TIMEOUT},
};

#define CODE_COUNT (sizeof(codes) / sizeof(*codes))

uint8_t coap_code_from_status(int status, bool is_get)
{
	if (status == 202)
		return COAP_UNAVAILABLE;
	for (size_t i = 0; i < CODE_COUNT; i++)
		if (codes[i].status == status)
			return codes[i].code;
	if (status >= 200 && status < 300)
		return is_get ? COAP_CONTENT : COAP_CHANGED;
	return status >= 400 && status < 500 ? COAP_BAD_REQUEST : COAP_INTERNAL;
}

int coap_code_to_status(uint8_t code, bool has_max_age)
{
	if (code == COAP_UNAVAILABLE && has_max_age)
		return 202;
	for (size_t i = 0; i < CODE_COUNT; i++)
		if (codes[i].code == code)
			return codes[i].status;
	switch (COAP_CODE_CLASS(code)) {
	case 2:
		return 200;
	case 4:
		return 400;
	default:
		return 500;
	}
}

const char *coap_code_text(uint8_t code, char out[5])
{
	snprintf(out, 5, "%u.%02u", COAP_CODE_CLASS(code) & 7u, code & 31u);
	return out;
}
