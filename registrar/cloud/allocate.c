/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation without I/O: see allocate.h. */
#include "registrar/cloud/allocate.h"

#include <string.h>

#include "common/pki/digest.h"

#define NAME_MAX_LEN  1024
#define FRACTION_BITS 24

const struct place *allocate_find(const struct places *places, const char *url)
{
	for (size_t i = 0; i < places->count; i++)
		if (strcmp(places->items[i].url, url) == 0)
			return &places->items[i];
	return NULL;
}

const struct place *allocate_again(
	enum reprovision policy, const struct allocated *before, const struct places *places)
{
	if (policy != REPROVISION_NEVER || !before->found ||
		strcmp(before->owner, places->owner) != 0)
		return NULL;
	return allocate_find(places, before->url);
}

/* ---- Weighted rendezvous hashing ---- */

/* 64 - log2(h), with FRACTION_BITS of fraction: in whole numbers, so that it is the same on every
 * machine. Never 0. */
static uint64_t minus_log2(uint64_t h)
{
	unsigned whole = 63 - (unsigned)__builtin_clzll(h | 1);
	uint64_t x = (h | 1) << (63 - whole), fraction = 0; /* 1.f with 63 bits behind the point */
	uint64_t log;

	for (int i = 0; i < FRACTION_BITS; i++) {
		unsigned __int128 square = (unsigned __int128)x * x; /* in [1, 4) */

		fraction <<= 1;
		if (square >> 127) {
			fraction |= 1;
			x = (uint64_t)(square >> 64);
		} else {
			x = (uint64_t)(square >> 63);
		}
	}
	log = ((uint64_t)whole << FRACTION_BITS) | fraction;
	return ((uint64_t)64 << FRACTION_BITS) - log;
}

/* Weight over -log2 of a number drawn evenly by device and place: the greatest wins, each in
 * proportion to its weight, whoever else is there. */
static bool score(const char *device, const struct place *p, uint64_t *out, struct err *e)
{
	BUF_AUTO struct buf name = BUF_INIT(NAME_MAX_LEN);
	uint8_t digest[SHA256_LEN];
	uint64_t h = 0;

	if (!buf_printf(&name, e, "%s\n%s", device, p->url) ||
		!digest_sha256(buf_bytes(&name), digest, e))
		return false;
	for (int i = 0; i < 8; i++)
		h = h << 8 | digest[i];
	*out = ((uint64_t)p->weight << 50) / minus_log2(h);
	return true;
}

/* Of those in the region; NULL: of all. Those of weight 0 get devices only when nobody else is
 * there. */
static const struct place *hashed(
	const struct places *places, const char *device, const char *region, struct err *e)
{
	const struct place *best = NULL;
	uint64_t most = 0;

	for (size_t i = 0; i < places->count; i++) {
		const struct place *p = &places->items[i];
		uint64_t s;

		if (region && strcmp(p->region, region) != 0)
			continue;
		if (!score(device, p, &s, e))
			return NULL;
		if (!best || s > most) {
			best = p;
			most = s;
		}
	}
	return best;
}

static const struct place *heaviest(const struct places *places)
{
	const struct place *best = &places->items[0];

	for (size_t i = 1; i < places->count; i++)
		if (places->items[i].weight > best->weight)
			best = &places->items[i];
	return best;
}

static const struct place *nearest(
	const struct places *places, const char *device, const char *region, struct err *e)
{
	const struct place *p = *region ? hashed(places, device, region, e) : NULL;

	return p || e->kind != ERR_NONE ? p : hashed(places, device, NULL, e);
}

const struct place *allocate(enum allocation policy, const struct places *places,
	const char *device, const char *region, struct err *e)
{
	switch (policy) {
	case ALLOCATE_STATIC:
	case ALLOCATE_WEBHOOK:
		return heaviest(places);
	case ALLOCATE_HASHED:
		return hashed(places, device, NULL, e);
	case ALLOCATE_LATENCY:
		return nearest(places, device, region, e);
	}
	return NULL;
}
