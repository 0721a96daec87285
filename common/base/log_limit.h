/* SPDX-License-Identifier: Apache-2.0 */
/* How often one thing may be complained of: a bounded table of counters by event and source. A
 * device that fails in a loop, or a flood of bad handshakes, must fill neither the disk nor the
 * lines in which the others' faults stand. Safe between threads; no clock of its own. */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdint.h>

#include "common/base/err.h"

/* In a window: of one event and source (a warehouse behind one address is one source), and of one
 * event whatever its sources (100 kB of log a second). */
#define LOG_LIMIT_WINDOW_MS  1000
#define LOG_LIMIT_PER_SOURCE 100
#define LOG_LIMIT_PER_EVENT  300
#define LOG_LIMIT_EVENT_MAX  40
#define LOG_LIMIT_SOURCE_MAX 56 /* an IPv6 address with a zone */

struct log_limits;

/* What was left out, to be said in a line of its own. */
struct log_left_out {
	char event[LOG_LIMIT_EVENT_MAX];
	char source[LOG_LIMIT_SOURCE_MAX]; /* "" for an event's own limit */
	uint64_t lines;			   /* 0: nothing */
};
#define LOG_LEFT_OUT_MAX 2 /* that one line may have to tell of */

struct log_limits *log_limits_new(struct err *e) MUST_CHECK;
void log_limits_free(struct log_limits *x);

/* May this line go out at now_ms of a clock that never jumps? source: NULL when nobody's. told:
 * out, what has to be told first. */
bool log_limits_admit(struct log_limits *x, const char *event, const char *source, int64_t now_ms,
	struct log_left_out told[LOG_LEFT_OUT_MAX]) MUST_CHECK;
/* The next thing left out whose window is over; lines 0 when there is none. all: whatever its
 * window. */
struct log_left_out log_limits_collect(struct log_limits *x, int64_t now_ms, bool all);

#endif
