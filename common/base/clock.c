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

int64_t clock_mono_ms(void)
{
	return read_clock(CLOCK_MONOTONIC, 1000);
}
