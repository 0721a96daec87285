/* SPDX-License-Identifier: Apache-2.0 */
/* A rate shared fairly between sources, in a fixed amount of memory: nothing is kept for a source,
 * its name only chooses one of a few token buckets by a keyed hash that changes now and then. One
 * source gets at most a part of the whole, so that whoever floods uses up its own part and leaves
 * the rest. Not locked: one loop's own. */
#ifndef BASE_FAIR_RATE_H
#define BASE_FAIR_RATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define FAIR_RATE_BINS	     128   /* a source shares its part with about one of 128 others, */
#define FAIR_RATE_SHUFFLE_MS 10000 /* and not for longer than this */
#define FAIR_RATE_PART	     4	   /* one source gets at most a quarter of the whole */

struct fair_rate {
	double per_ms, burst; /* of the whole */
	double tokens;
	double bins[FAIR_RATE_BINS];
	int64_t refilled_ms, shuffled_ms;
	uint64_t key[2];
};

/* per_second 0: no limit. The whole may save up two seconds' worth, and so may a source of its
 * part. now_ms is of a clock that never jumps. */
bool fair_rate_init(
	struct fair_rate *f, int64_t per_second, int64_t now_ms, struct err *e) MUST_CHECK;
/* May `cost` of this source go on now? Only what goes on is counted. */
bool fair_rate_admit(struct fair_rate *f, const void *source, size_t source_len, int64_t cost,
	int64_t now_ms) MUST_CHECK;

#endif
