/* SPDX-License-Identifier: Apache-2.0 */
/* Networks as sixteen octets and a number of bits; an IPv4 address is one mapped into IPv6. */
#include "common/net/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define ADDRESS_MAX 64 /* an address with its port and brackets */
#define V4_OFFSET   12 /* of an IPv4 address inside of a mapped one */
#define SEPARATORS  " \t,"

static bool parse_octets(const char *text, uint8_t out[NETWORK_OCTETS], unsigned *base)
{
	static const uint8_t mapped[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};

	memcpy(out, mapped, sizeof(mapped));
	*base = 8 * V4_OFFSET;
	if (inet_pton(AF_INET, text, out + V4_OFFSET) == 1)
		return true;
	*base = 0;
	return inet_pton(AF_INET6, text, out) == 1;
}

/* "192.0.2.1:40000" and "[2001:db8::1%eth0]:40000" without port, brackets and zone. */
static bool bare_address(const char *text, char out[ADDRESS_MAX])
{
	const char *begin = text, *end;

	if (*text == '[') {
		begin++;
		end = begin + strcspn(begin, "]%");
	} else {
		end = strchr(text, ':');
		if (!end || strchr(end + 1, ':'))
			end = text + strcspn(text, "%");
	}
	if ((size_t)(end - begin) >= ADDRESS_MAX)
		return false;
	memcpy(out, begin, (size_t)(end - begin));
	out[end - begin] = '\0';
	return true;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || ((a[whole] ^ b[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

bool network_parse(const char *text, struct network *out, struct err *e)
{
	const char *slash = strchr(text, '/');
	char address[ADDRESS_MAX];
	unsigned base, max, bits = 0;
	size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || digits < 1 || digits > 3 ||
		slash[1 + digits])
		return err_set(e, ERR_INPUT, "no network: \"%.60s\"", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	for (size_t i = 0; i < digits; i++)
		bits = 10 * bits + (unsigned)(slash[1 + i] - '0');
	if (!parse_octets(address, out->octets, &base))
		return err_set(e, ERR_INPUT, "no network: \"%.60s\"", text);
	max = 8 * NETWORK_OCTETS;
	out->bits = base + bits;
	if (out->bits > max)
		return err_set(e, ERR_INPUT, "a network of %u bits: \"%.60s\"", bits, text);
	for (unsigned i = out->bits; i < max; i++)
		if (out->octets[i / 8] & (0x80 >> (i % 8)))
			return err_set(e, ERR_INPUT, "\"%.60s\" has bits behind its length", text);
	return true;
}

bool network_of(const char *address, unsigned v4_bits, unsigned v6_bits, struct network *out)
{
	char bare[ADDRESS_MAX];
	unsigned base;

	if (!bare_address(address, bare) || !parse_octets(bare, out->octets, &base))
		return false;
	out->bits = base ? base + v4_bits : v6_bits;
	return true;
}

bool network_has(const struct network *n, const char *address)
{
	uint8_t octets[NETWORK_OCTETS];
	char bare[ADDRESS_MAX];
	unsigned base;

	return bare_address(address, bare) && parse_octets(bare, octets, &base) &&
	       same_bits(octets, n->octets, n->bits);
}

bool networks_parse(const char *words, struct networks *out, struct err *e)
{
	char word[ADDRESS_MAX];

	out->count = 0;
	for (words = words ? words : ""; *(words += strspn(words, SEPARATORS));) {
		size_t len = strcspn(words, SEPARATORS);

		if (out->count == NETWORKS_MAX)
			return err_set(e, ERR_INPUT, "more than %d networks", NETWORKS_MAX);
		if (len >= sizeof(word))
			return err_set(e, ERR_INPUT, "no network: \"%.60s\"", words);
		memcpy(word, words, len);
		word[len] = '\0';
		if (!network_parse(word, &out->of[out->count], e))
			return false;
		out->count++;
		words += len;
	}
	return true;
}

bool networks_have(const struct networks *n, const char *address)
{
	for (size_t i = 0; i < n->count; i++)
		if (network_has(&n->of[i], address))
			return true;
	return false;
}
