/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait: pure arithmetic. */
#ifndef PLEDGE_RETRY_H
#define PLEDGE_RETRY_H

#include <stdint.h>

/* Pause after round `round` (0 for the first): full jitter, drawn evenly from nothing to min
 * doubled per round and capped at max, but no less than BACKOFF_FLOOR_MS. `draw` gives a number
 * below its argument (rng_below). RFC 8995 §4.1. */
int64_t retry_backoff_ms(
	unsigned round, int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below));

/* Seconds a Retry-After asks for: either form, absent or garbage counts as 60, capped at max_s, at
 * least 1 (RFC 8995 §5.6; R8995-PLG-028). value and date are "" when the header is absent. */
int64_t retry_after_s(const char *value, const char *date, int64_t now_unix_s, int64_t max_s);

#endif
