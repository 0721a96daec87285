/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/rng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

bool rng_bytes(void *out, size_t len, struct err *e)
{
	uint8_t *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set_errno(e, ERR_IO, "getrandom");
		p += n;
		len -= (size_t)n;
	}
	return true;
}

uint32_t rng_below(uint32_t below)
{
	struct err e = ERR_INIT;
	uint64_t r;

	if (below == 0 || !rng_bytes(&r, sizeof(r), &e))
		return 0;
	return (uint32_t)(r % below);
}

bool rng_exchange_id(char out[EXCHANGE_ID_MAX + 1], struct err *e)
{
	uint64_t raw;

	if (!rng_bytes(&raw, sizeof(raw), e))
		return false;
	snprintf(out, EXCHANGE_ID_MAX + 1, "%016" PRIx64, raw);
	return true;
}
