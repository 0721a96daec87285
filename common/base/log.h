/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log: one line per event, logfmt, to stderr or a file.
 *
 *   time=2026-11-21T10:00:00Z level=info program=brski-masa event=voucher-issued exchange=6f…
 * serial=SN-1
 *
 * Keys are ours; values may come from a peer and are escaped, bounded and never split a line. The
 * exchange id is the same in pledge, registrar and MASA for one onboarding (header X-Request-Id).
 * Safe from any thread: one line is one write(2).
 *
 * With `limits`, complaints are bounded: warnings, and information with both a peer and a reason;
 * and what is said of strangers (log_stranger()).
 * More than LOG_LIMIT_PER_SOURCE a second of one event about one peer's address, or
 * LOG_LIMIT_PER_EVENT of one event at all, are left out and counted; how many is said in a line
 * "log-suppressed" afterwards. Never left out: errors (store, issuing, memory), events that begin
 * with "alert-", and what only informs.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

#include "common/base/log_limit.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
	const char *program;	   /* borrowed, lives as long as the log */
	_Atomic int level;	   /* enum log_level; events above it are dropped */
	int fd;			   /* where lines go; 2 is stderr */
	struct log_limits *limits; /* or NULL: none */
};

/* event    a short name with dashes, e.g. "voucher-issued"
 * exchange the exchange id, or NULL
 * then     key, value pairs of const char *, ended by NULL; a pair with a NULL value is left out */
void log_event(const struct log *l, enum log_level level, const char *event, const char *exchange,
	...) __attribute__((sentinel));

/* The same about who has not shown who they are, which is bounded whatever it says: anybody can
 * have any number of such lines written. Among the pairs is "peer". */
void log_stranger(const struct log *l, enum log_level level, const char *event,
	const char *exchange, ...) __attribute__((sentinel));

/* One line for an error that stops travelling here: kind and full reason. */
void log_err(const struct log *l, const char *event, const char *exchange, const struct err *e);

/* The same about somebody: peer is an address with a port, or NULL. */
void log_err_about(const struct log *l, const char *event, const char *exchange, const char *peer,
	const struct err *e);

/* Tell what was left out and not told yet. Now and then, from any thread. */
void log_flush(const struct log *l);
/* ... all of it, at the end; then free the limits. */
void log_end(struct log *l);

/* From any thread. */
void log_set_level(struct log *l, enum log_level level);

/* "error", "warning", "info", "debug": by level, then NULL. */
extern const char *const log_level_names[];

#endif
