/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers first (as RFC 8305 does it with addresses): TCP connections to several places, each
 * begun a little after the one before, or at once when all before it have failed. A dead place
 * costs a moment, and nothing but a connection is asked of anybody before one is chosen. */
#ifndef PLEDGE_RACE_H
#define PLEDGE_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/uri.h"

#define RACE_MAX 8 /* at a time; the others come when these were in vain */

struct runner {
	const struct uri *to; /* https, an address for a host */
	bool failed;	      /* out: refused, or silent for too long */
	/* while it runs */
	int fd;
	int64_t begun_ms;
};

/* The index of the first to connect, its socket in *fd (the caller's) and in *latency_ms how long
 * it took; or count when nobody did within timeout_ms of its start. count is at most RACE_MAX. */
size_t race_run(
	struct runner *runners, size_t count, int64_t timeout_ms, int *fd, int64_t *latency_ms);

#endif
