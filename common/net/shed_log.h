/* SPDX-License-Identifier: Apache-2.0 */
/* The log's line about connections that had to go: one a second at most and for each loop, because
 * who floods us must not fill the disk too. Touched by the loop's thread only. */
#ifndef NET_SHED_LOG_H
#define NET_SHED_LOG_H

#include <stddef.h>

#include "common/base/log.h"

struct shed_log {
	size_t count; /* since the last line */
	int64_t told_ms;
};

void shed_log_tell(
	struct shed_log *s, const struct log *log, const char *peer_address, const char *why);

#endif
