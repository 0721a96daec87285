/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness from the kernel (RFC 8995 §11.3: nonces come from a strong, seeded source). */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

/* Fill out with len random octets; false with ERR_IO when the kernel refuses. */
bool rng_bytes(void *out, size_t len, struct err *e) MUST_CHECK;
/* A number in [0, below); for jitter, not for secrets: 0 when the kernel refuses. */
uint32_t rng_below(uint32_t below);

#define EXCHANGE_ID_MAX 32 /* characters an exchange id may have */
/* A new exchange id: 16 hex digits and a NUL. */
bool rng_exchange_id(char out[EXCHANGE_ID_MAX + 1], struct err *e) MUST_CHECK;

#endif
