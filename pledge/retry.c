/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/retry.h"

#include <stddef.h>

#include "common/wire/datetime.h"
#include "pledge/limits.h"

int64_t retry_backoff_ms(
	unsigned round, int64_t min_s, int64_t max_s, uint32_t (*draw)(uint32_t below))
{
	int64_t cap_ms = min_s * 1000, pause_ms;

	for (unsigned i = 0; i < round && cap_ms < max_s * 1000; i++)
		cap_ms *= 2;
	if (cap_ms > max_s * 1000)
		cap_ms = max_s * 1000;
	pause_ms = draw((uint32_t)cap_ms + 1);
	return pause_ms < BACKOFF_FLOOR_MS ? BACKOFF_FLOOR_MS : pause_ms;
}

int64_t retry_after_s(const char *value, const char *date, int64_t now_unix_s, int64_t max_s)
{
	int64_t delay_s;

	if (!*value ||
		!datetime_parse_retry_after(value, *date ? date : NULL, now_unix_s, &delay_s))
		delay_s = RETRY_AFTER_DEFAULT_S;
	if (delay_s > max_s)
		delay_s = max_s;
	return delay_s < 1 ? 1 : delay_s;
}
