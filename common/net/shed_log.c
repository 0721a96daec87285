/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/shed_log.h"

#include <stdio.h>

#include "common/base/clock.h"

#define TOLD_EVERY_MS 1000

void shed_log_tell(
	struct shed_log *s, const struct log *log, const char *peer_address, const char *why)
{
	int64_t now = clock_mono_ms();
	char count[24];

	s->count++;
	if (s->told_ms && now - s->told_ms < TOLD_EVERY_MS)
		return;
	snprintf(count, sizeof(count), "%zu", s->count);
	log_event(log, LOG_LEVEL_WARNING, "connections-shed", NULL, "reason", why, "count", count,
		"peer", peer_address, NULL);
	s->count = 0;
	s->told_ms = now;
}
