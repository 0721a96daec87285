/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log: one line per event, logfmt, to stderr or a file.
 *
 *   time=2026-11-21T10:00:00Z level=info program=brski-masa event=voucher-issued exchange=6f…
 * serial=SN-1
 *
 * Keys are ours; values may come from a peer and are escaped, bounded and never split a line. The
 * exchange id is the same in pledge, registrar and MASA for one onboarding (header X-Request-Id).
 * Safe from any thread: one line is one write(2).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

#include "common/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
	const char *program; /* borrowed, lives as long as the log */
	_Atomic int level;   /* enum log_level; events above it are dropped */
	int fd;		     /* where lines go; 2 is stderr */
};

/* event    a short name with dashes, e.g. "voucher-issued"
 * exchange the exchange id, or NULL
 * then     key, value pairs of const char *, ended by NULL; a pair with a NULL value is left out */
void log_event(const struct log *l, enum log_level level, const char *event, const char *exchange,
	...) __attribute__((sentinel));

/* One line for an error that stops travelling here: kind and full reason. */
void log_err(const struct log *l, const char *event, const char *exchange, const struct err *e);

/* From any thread. */
void log_set_level(struct log *l, enum log_level level);

/* "error", "warning", "info", "debug" → level; false when it is none of them. */
bool log_level_parse(const char *name, enum log_level *out);

#endif
