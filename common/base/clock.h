/* SPDX-License-Identifier: Apache-2.0 */
/* Time as a thing that is passed in, so that a verifier can be asked about any moment. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
	int64_t fixed_unix_s; /* 0: the system's clock; else this moment, always */
};

/* UTC seconds since 1970. NULL is the system's clock. */
int64_t clock_unix_s(const struct clock *c);
/* Milliseconds of a clock that never jumps: for deadlines. */
int64_t clock_mono_ms(void);

#endif
