/* SPDX-License-Identifier: Apache-2.0 */
/* Time as a thing that is passed in, so that a verifier can be asked about any moment. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct clock {
	int64_t fixed_unix_s; /* 0: the system's clock; else this moment, always */
};

/* UTC seconds since 1970. NULL is the system's clock. */
int64_t clock_unix_s(const struct clock *c);
int64_t clock_unix_ms(const struct clock *c);
/* Milliseconds of a clock that never jumps: for deadlines. */
int64_t clock_mono_ms(void);
/* The same in microseconds: for how long something took. */
int64_t clock_mono_us(void);

/* Notices that the system's clock was set: its distance from a clock that nobody sets has changed.
 */
struct clock_watch {
	_Atomic int64_t distance_s; /* 0: not looked yet */
};
#define CLOCK_JUMP_S 60 /* below it, it is the correction of a clock that is in order */

/* True once for each jump, with its size in *by_s. Any thread. c: as above; a fixed moment never
 * jumps. */
bool clock_watch_jumped(struct clock_watch *w, const struct clock *c, int64_t *by_s);

#endif
