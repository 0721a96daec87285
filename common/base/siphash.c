/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 as its paper has it: two rounds for each word of eight octets, four at the end. */
#include "common/base/siphash.h"

static uint64_t rotated(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static uint64_t little_endian(const uint8_t *p, size_t len)
{
	uint64_t x = 0;

	for (size_t i = 0; i < len; i++)
		x |= (uint64_t)p[i] << (8 * i);
	return x;
}

static void rounds(uint64_t v[4], int count)
{
	for (; count > 0; count--) {
		v[0] += v[1];
		v[1] = rotated(v[1], 13) ^ v[0];
		v[0] = rotated(v[0], 32);
		v[2] += v[3];
		v[3] = rotated(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotated(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotated(v[1], 17) ^ v[2];
		v[2] = rotated(v[2], 32);
	}
}

static void take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	rounds(v, 2);
	v[0] ^= word;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], struct bytes in)
{
	uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
		k1 ^ 0x7465646279746573};
	size_t at = 0;

	for (; in.len - at >= 8; at += 8)
		take(v, little_endian(in.data + at, 8));
	take(v, (uint64_t)in.len << 56 | little_endian(in.data + at, in.len - at));
	v[2] ^= 0xff;
	rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
