/* SPDX-License-Identifier: Apache-2.0 */
/* The header is read as its layout is, front to end; every length is compared before it is used.
 */
#include "common/net/proxy_protocol.h"

#include <string.h>

#define SIGNATURE_LEN  12
#define VERSION_AT     12
#define FAMILY_AT      13
#define LENGTH_AT      14
#define EXTENSION_HEAD 3 /* type and length */

static const uint8_t signature[SIGNATURE_LEN] = {
	0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char first_version[] = "PROXY ";

enum command { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };

/* The addresses of a family: from, to, their two ports. */
static const struct family {
	uint8_t octet;
	int af;
	size_t address_len, len;
} families[] = {
	{0x11, AF_INET, 4, 12},
	{0x21, AF_INET6, 16, 36},
};

static size_t number(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

static bool begins(struct bytes b, const void *with, size_t len)
{
	return b.len >= len && memcmp(b.data, with, len) == 0;
}

static bool check_signature(struct bytes begun, struct err *e)
{
	size_t len = begun.len < SIGNATURE_LEN ? begun.len : SIGNATURE_LEN;

	if (memcmp(begun.data, signature, len) == 0)
		return true;
	if (begins(begun, first_version, sizeof(first_version) - 1))
		return err_set(e, ERR_INPUT, "a PROXY header of version 1, version 2 is wanted");
	return err_set(e, ERR_INPUT, "no PROXY header of version 2");
}

bool proxy_header_length(struct bytes begun, size_t *length, struct err *e)
{
	*length = PROXY_FIXED_LEN;
	if (begun.len == 0)
		return true;
	if (!check_signature(begun, e))
		return false;
	if (begun.len > VERSION_AT && begun.data[VERSION_AT] != COMMAND_LOCAL &&
		begun.data[VERSION_AT] != COMMAND_PROXY)
		return err_set(e, ERR_INPUT, "PROXY header: version and command 0x%02x",
			begun.data[VERSION_AT]);
	if (begun.len < PROXY_FIXED_LEN)
		return true;
	*length += number(begun.data + LENGTH_AT);
	return *length <= PROXY_HEADER_MAX ||
	       err_set(e, ERR_TOO_LARGE, "PROXY header of %zu octets", *length);
}

static bool check_extensions(struct bytes b, struct err *e)
{
	while (b.len > 0) {
		size_t len = EXTENSION_HEAD;

		if (b.len >= EXTENSION_HEAD)
			len += number(b.data + 1);
		if (len > b.len)
			return err_set(e, ERR_INPUT, "PROXY header: an extension beyond its end");
		b = bytes_of(b.data + len, b.len - len);
	}
	return true;
}

/* Somebody who can have a connection: not nobody, and not everybody. */
static bool check_sender(const struct address *a, struct err *e)
{
	if (address_is_wildcard(a) || address_is_multicast(a) || address_port(a) == 0)
		return err_set(e, ERR_INPUT, "PROXY header: of an address that nobody has");
	return true;
}

static void take_sender(const struct family *f, const uint8_t *at, struct address *out)
{
	memset(out, 0, sizeof(*out));
	out->sa.sa_family = (sa_family_t)f->af;
	if (f->af == AF_INET) {
		out->len = sizeof(out->v4);
		memcpy(&out->v4.sin_addr, at, f->address_len);
	} else {
		out->len = sizeof(out->v6);
		memcpy(&out->v6.sin6_addr, at, f->address_len);
	}
	address_set_port(out, (uint16_t)number(at + 2 * f->address_len));
}

static bool take_addresses(
	struct bytes rest, uint8_t octet, struct proxy_header *out, struct err *e)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		const struct family *f = &families[i];

		if (f->octet != octet)
			continue;
		if (rest.len < f->len)
			return err_set(
				e, ERR_INPUT, "PROXY header: %zu octets of addresses", rest.len);
		take_sender(f, rest.data, &out->from);
		out->told = true;
		return check_sender(&out->from, e) &&
		       check_extensions(bytes_of(rest.data + f->len, rest.len - f->len), e);
	}
	return err_set(e, ERR_INPUT, "PROXY header: family and transport 0x%02x", octet);
}

bool proxy_header_parse(struct bytes header, struct proxy_header *out, struct err *e)
{
	size_t length;

	*out = (struct proxy_header){.told = false};
	if (!proxy_header_length(header, &length, e))
		return false;
	if (header.len != length)
		return err_set(
			e, ERR_INPUT, "PROXY header of %zu octets, not %zu", header.len, length);
	/* what a balancer says of itself is what the kernel knows already */
	if (header.data[VERSION_AT] == COMMAND_LOCAL)
		return true;
	return take_addresses(bytes_of(header.data + PROXY_FIXED_LEN, length - PROXY_FIXED_LEN),
		header.data[FAMILY_AT], out, e);
}
