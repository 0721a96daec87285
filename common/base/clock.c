/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_clock(clockid_t id, int64_t per_second)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * per_second + (int64_t)t.tv_nsec / (1000000000 / per_second);
}

int64_t clock_unix_s(const struct clock *c)
{
	return c && c->fixed_unix_s ? c->fixed_unix_s : read_clock(CLOCK_REALTIME, 1);
}

int64_t clock_unix_ms(const struct clock *c)
{
	return c && c->fixed_unix_s ? c->fixed_unix_s * 1000 : read_clock(CLOCK_REALTIME, 1000);
}

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000);
}

int64_t clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000000);
}

/* CLOCK_BOOTTIME goes on while the machine sleeps, so waking up is no jump. */
bool clock_watch_jumped(struct clock_watch *w, const struct clock *c, int64_t *by_s)
{
	int64_t distance, before;

	if (c && c->fixed_unix_s)
		return false;
	distance = read_clock(CLOCK_REALTIME, 1) - read_clock(CLOCK_BOOTTIME, 1);
	before = atomic_load(&w->distance_s);
	if (before == 0) {
		atomic_compare_exchange_strong(&w->distance_s, &before, distance);
		return false;
	}
	*by_s = distance - before;
	if (*by_s > -CLOCK_JUMP_S && *by_s < CLOCK_JUMP_S)
		return false;
	return atomic_compare_exchange_strong(&w->distance_s, &before, distance);
}
