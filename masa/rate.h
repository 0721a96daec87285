/* SPDX-License-Identifier: Apache-2.0 */
/* How fast one registrar may ask (RFC 8995 §11.1): a bucket per signing key that holds a minute's
 * allowance and refills evenly. Bounded: the registrars not seen for longest are forgotten. */
#ifndef MASA_RATE_H
#define MASA_RATE_H

#include "common/pki/digest.h"

struct rate;

/* per_minute 0: no limit. */
struct rate *rate_new(size_t entries_max, int64_t per_minute, struct err *e) MUST_CHECK;
/* Another allowance from now on; any thread. */
void rate_set(struct rate *r, int64_t per_minute);
void rate_free(struct rate *r);
/* Count one request of `who` (SHA-256 of its key) at now_ms of a clock that never jumps.
 * ERR_RETRY_LATER when it has to wait. Safe between threads. */
bool rate_take(
	struct rate *r, const uint8_t who[SHA256_LEN], int64_t now_ms, struct err *e) MUST_CHECK;

#endif
