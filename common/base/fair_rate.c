/* SPDX-License-Identifier: Apache-2.0 */
/* See fair_rate.h: token buckets under one more token bucket. */
#include "common/base/fair_rate.h"

#include <string.h>

#include "common/base/rng.h"

#define BURST_MS  2000
#define BURST_MIN 4 /* at a rate of one a second, four may come at once */

static double part(double whole)
{
	return whole / FAIR_RATE_PART;
}

static double part_burst(const struct fair_rate *f)
{
	return part(f->burst) > BURST_MIN ? part(f->burst) : BURST_MIN;
}

static void shuffle(struct fair_rate *f, int64_t now_ms)
{
	struct err ignored = ERR_INIT;

	/* the old key is no worse than none */
	if (rng_bytes(f->key, sizeof(f->key), &ignored))
		f->key[0] |= 1;
	f->shuffled_ms = now_ms;
}

bool fair_rate_init(struct fair_rate *f, int64_t per_second, int64_t now_ms, struct err *e)
{
	memset(f, 0, sizeof(*f));
	if (!rng_bytes(f->key, sizeof(f->key), e))
		return false;
	f->key[0] |= 1;
	f->per_ms = (double)per_second / 1000;
	f->burst = f->per_ms * BURST_MS > BURST_MIN ? f->per_ms * BURST_MS : BURST_MIN;
	f->tokens = f->burst;
	for (size_t i = 0; i < FAIR_RATE_BINS; i++)
		f->bins[i] = part_burst(f);
	f->refilled_ms = f->shuffled_ms = now_ms;
	return true;
}

static void refill(struct fair_rate *f, int64_t now_ms)
{
	double fresh = f->per_ms * (double)(now_ms - f->refilled_ms);

	if (now_ms <= f->refilled_ms)
		return;
	f->tokens = f->tokens + fresh < f->burst ? f->tokens + fresh : f->burst;
	for (size_t i = 0; i < FAIR_RATE_BINS; i++) {
		f->bins[i] += part(fresh);
		if (f->bins[i] > part_burst(f))
			f->bins[i] = part_burst(f);
	}
	f->refilled_ms = now_ms;
}

/* Which bin is not to be foreseen without the key, so that nobody can aim at another's. */
static size_t bin_of(const struct fair_rate *f, const uint8_t *source, size_t len)
{
	uint64_t h = f->key[1];

	for (size_t i = 0; i < len; i++) {
		h = (h ^ source[i]) * f->key[0];
		h ^= h >> 29;
	}
	return (size_t)(h >> 32) % FAIR_RATE_BINS;
}

bool fair_rate_admit(
	struct fair_rate *f, const void *source, size_t source_len, int64_t cost, int64_t now_ms)
{
	double *bin;

	if (f->per_ms == 0)
		return true;
	refill(f, now_ms);
	if (now_ms - f->shuffled_ms >= FAIR_RATE_SHUFFLE_MS)
		shuffle(f, now_ms);
	bin = &f->bins[bin_of(f, source, source_len)];
	if (f->tokens < (double)cost || *bin < (double)cost)
		return false;
	f->tokens -= (double)cost;
	*bin -= (double)cost;
	return true;
}
