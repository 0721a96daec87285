/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/text.h"

#define LINE_MAX_LEN  2048 /* a line is one atomic write to a pipe (PIPE_BUF is 4096) */
#define VALUE_MAX_LEN 700  /* longest value kept: an error text fits */

const char *const log_level_names[] = {"error", "warning", "info", "debug", NULL};

struct line {
	char text[LINE_MAX_LEN];
	size_t len;
};

static void put(struct line *l, char c)
{
	if (l->len < sizeof(l->text) - 2) /* room for the newline */
		l->text[l->len++] = c;
}

static void put_str(struct line *l, const char *s)
{
	while (*s)
		put(l, *s++);
}

static bool is_plain(const char *text)
{
	const unsigned char *v = (const unsigned char *)text;

	if (!*v)
		return false;
	for (; *v; v++)
		if (*v <= ' ' || *v >= 0x7f || *v == '"' || *v == '=' || *v == '\\')
			return false;
	return true;
}

static void put_hex(struct line *l, const char *v, size_t n)
{
	char hex[5];

	for (size_t i = 0; i < n; i++) {
		snprintf(hex, sizeof(hex), "\\x%02x", (unsigned)(unsigned char)v[i]);
		put_str(l, hex);
	}
}

/* Octets from a peer: what would drive a terminal and quotes are escaped, so that no value can
 * forge a line. */
static void put_quoted(struct line *l, const char *v)
{
	size_t unsafe;

	put(l, '"');
	for (size_t n = 0; *v && n < VALUE_MAX_LEN; n++) {
		unsafe = text_unsafe_len(v);
		if (unsafe > 0) {
			put_hex(l, v, unsafe);
			v += unsafe;
			continue;
		}
		if (*v == '"' || *v == '\\')
			put(l, '\\');
		put(l, *v++);
	}
	put(l, '"');
}

static void put_pair(struct line *l, const char *key, const char *value)
{
	if (!value)
		return;
	if (l->len)
		put(l, ' ');
	put_str(l, key);
	put(l, '=');
	if (is_plain(value) && strlen(value) <= VALUE_MAX_LEN)
		put_str(l, value);
	else
		put_quoted(l, value);
}

static void emit(const struct log *l, enum log_level level, const char *event, const char *exchange,
	va_list ap)
{
	struct line line = {.len = 0};
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);
	const char *key;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_pair(&line, "time", stamp);
	put_pair(&line, "level", log_level_names[level]);
	put_pair(&line, "program", l->program);
	put_pair(&line, "event", event);
	put_pair(&line, "exchange", exchange && *exchange ? exchange : NULL);
	while ((key = va_arg(ap, const char *)) != NULL)
		put_pair(&line, key, va_arg(ap, const char *));
	line.text[line.len++] = '\n';
	if (write(l->fd, line.text, line.len) < 0)
		return; /* a log that cannot be written has nowhere to say so */
}

static void emit_pairs(const struct log *l, enum log_level level, const char *event, ...)
	__attribute__((sentinel));
static void emit_pairs(const struct log *l, enum log_level level, const char *event, ...)
{
	va_list ap;

	va_start(ap, event);
	emit(l, level, event, NULL, ap);
	va_end(ap);
}

/* ---- limits ---- */

static void tell_left_out(const struct log *l, const struct log_left_out *told)
{
	char lines[24];

	if (told->lines == 0)
		return;
	snprintf(lines, sizeof(lines), "%llu", (unsigned long long)told->lines);
	emit_pairs(l, LOG_LEVEL_WARNING, "log-suppressed", "of", told->event, "peer",
		told->source[0] ? told->source : NULL, "suppressed", lines, NULL);
}

/* The address without its port: a peer has another one for each connection. */
static void source_of(const char *peer, char out[LOG_LIMIT_SOURCE_MAX])
{
	const char *port = strrchr(peer, ':');
	size_t len = port ? (size_t)(port - peer) : strlen(peer);

	snprintf(out, LOG_LIMIT_SOURCE_MAX, "%.*s", (int)len, peer);
}

static bool may_go_out(
	const struct log *l, enum log_level level, const char *event, bool stranger, va_list pairs)
{
	struct log_left_out told[LOG_LEFT_OUT_MAX];
	const char *key, *value, *peer = NULL, *reason = NULL;
	char source[LOG_LIMIT_SOURCE_MAX] = "";
	bool ok;

	if (!l->limits || level == LOG_LEVEL_ERROR || strncmp(event, "alert-", 6) == 0)
		return true;
	while ((key = va_arg(pairs, const char *)) != NULL) {
		value = va_arg(pairs, const char *);
		if (strcmp(key, "peer") == 0)
			peer = value;
		if (strcmp(key, "reason") == 0)
			reason = value;
	}
	if (!stranger && level != LOG_LEVEL_WARNING && !(peer && reason))
		return true;
	if (peer)
		source_of(peer, source);
	ok = log_limits_admit(l->limits, event, source, clock_mono_ms(), told);
	for (size_t i = 0; i < LOG_LEFT_OUT_MAX; i++)
		tell_left_out(l, &told[i]);
	return ok;
}

static void collect(const struct log *l, bool all)
{
	struct log_left_out told;

	if (!l || !l->limits)
		return;
	while ((told = log_limits_collect(l->limits, clock_mono_ms(), all)).lines > 0)
		tell_left_out(l, &told);
}

void log_flush(const struct log *l)
{
	collect(l, false);
}

void log_end(struct log *l)
{
	collect(l, true);
	log_limits_free(l->limits);
	l->limits = NULL;
}

/* ---- events ---- */

static bool is_wanted(const struct log *l, enum log_level level)
{
	return l && (int)level <= atomic_load_explicit(&l->level, memory_order_relaxed);
}

static void log_pairs(const struct log *l, enum log_level level, const char *event,
	const char *exchange, bool stranger, va_list pairs)
{
	va_list same;

	va_copy(same, pairs);
	if (may_go_out(l, level, event, stranger, same))
		emit(l, level, event, exchange, pairs);
	va_end(same);
}

void log_event(
	const struct log *l, enum log_level level, const char *event, const char *exchange, ...)
{
	va_list ap;

	if (!is_wanted(l, level))
		return;
	va_start(ap, exchange);
	log_pairs(l, level, event, exchange, false, ap);
	va_end(ap);
}

void log_stranger(
	const struct log *l, enum log_level level, const char *event, const char *exchange, ...)
{
	va_list ap;

	if (!is_wanted(l, level))
		return;
	va_start(ap, exchange);
	log_pairs(l, level, event, exchange, true, ap);
	va_end(ap);
}

void log_err_about(const struct log *l, const char *event, const char *exchange, const char *peer,
	const struct err *e)
{
	enum log_level level = e->kind == ERR_BUG || e->kind == ERR_STORE || e->kind == ERR_IO ||
					       e->kind == ERR_NO_MEMORY
				       ? LOG_LEVEL_ERROR
				       : LOG_LEVEL_WARNING;

	log_event(l, level, event, exchange, "peer", peer, "kind", err_kind_name(e->kind), "reason",
		e->text, NULL);
}

void log_err(const struct log *l, const char *event, const char *exchange, const struct err *e)
{
	log_err_about(l, event, exchange, NULL, e);
}

void log_set_level(struct log *l, enum log_level level)
{
	atomic_store(&l->level, (int)level);
}
