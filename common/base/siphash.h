/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 (Aumasson and Bernstein, 2012): where a hash table's keys are a stranger's choice. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include "common/base/buf.h"

#define SIPHASH_KEY_LEN 16

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], struct bytes in);

#endif
