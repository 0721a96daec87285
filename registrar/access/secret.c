/* SPDX-License-Identifier: Apache-2.0 */
/* Made of the kernel's randomness. */
#include "registrar/access/secret.h"

#include <stdio.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/wire/hex.h"

#define GROUP_LEN 5

/* 32 of them, so that a random octet's five bits choose evenly; without i, l, o, u. */
static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

bool secret_make(const char *prefix, char *out, struct err *e)
{
	uint8_t octets[SECRET_OCTETS];

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	memcpy(out, prefix, strlen(prefix));
	hex_encode(bytes_of(octets, sizeof(octets)), out + strlen(prefix));
	explicit_bzero(octets, sizeof(octets));
	return true;
}

bool secret_digest(const char *secret, uint8_t out[SHA256_LEN], struct err *e)
{
	return digest_sha256(bytes_of_str(secret), out, e);
}

bool code_make(char out[CODE_TEXT_LEN + 1], struct err *e)
{
	uint8_t octets[CODE_LETTERS];
	char *to = out;

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	for (size_t i = 0; i < CODE_LETTERS; i++) {
		if (i && i % GROUP_LEN == 0)
			*to++ = '-';
		*to++ = letters[octets[i] & 31];
	}
	*to = '\0';
	explicit_bzero(octets, sizeof(octets));
	return true;
}

bool code_digest(const char *typed, uint8_t out[SHA256_LEN], struct err *e)
{
	char code[CODE_LETTERS];
	size_t n = 0;

	for (; *typed; typed++) {
		char c = *typed >= 'A' && *typed <= 'Z' ? (char)(*typed - 'A' + 'a') : *typed;

		if (c == '-' || c == ' ')
			continue;
		if (!strchr(letters, c) || n == CODE_LETTERS)
			return err_set(e, ERR_INPUT, "not a one-time code");
		code[n++] = c;
	}
	if (n != CODE_LETTERS)
		return err_set(e, ERR_INPUT, "not a one-time code");
	return digest_sha256(bytes_of(code, n), out, e);
}

bool csrf_of(const char *session, char out[2 * SHA256_LEN + 1], struct err *e)
{
	char text[SECRET_TEXT_LEN + sizeof("csrf ")];
	uint8_t digest[SHA256_LEN];
	bool ok;

	snprintf(text, sizeof(text), "csrf %s", session);
	ok = digest_sha256(bytes_of_str(text), digest, e);
	explicit_bzero(text, sizeof(text));
	if (ok)
		hex_encode(bytes_of(digest, sizeof(digest)), out);
	return ok;
}
