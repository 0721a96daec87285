/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/text.h"

#define LINE_MAX_LEN  2048 /* a line is one atomic write to a pipe (PIPE_BUF is 4096) */
#define VALUE_MAX_LEN 700  /* longest value kept: an error text fits */

static const char *const level_names[] = {"error", "warning", "info", "debug"};

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

void log_event(
	const struct log *l, enum log_level level, const char *event, const char *exchange, ...)
{
	struct line line = {.len = 0};
	char stamp[32];
	struct tm tm;
	time_t now = time(NULL);
	const char *key;
	va_list ap;

	if (!l || (int)level > atomic_load_explicit(&l->level, memory_order_relaxed))
		return;
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put_pair(&line, "time", stamp);
	put_pair(&line, "level", level_names[level]);
	put_pair(&line, "program", l->program);
	put_pair(&line, "event", event);
	put_pair(&line, "exchange", exchange && *exchange ? exchange : NULL);
	va_start(ap, exchange);
	while ((key = va_arg(ap, const char *)) != NULL)
		put_pair(&line, key, va_arg(ap, const char *));
	va_end(ap);
	line.text[line.len++] = '\n';
	if (write(l->fd, line.text, line.len) < 0)
		return; /* a log that cannot be written has nowhere to say so */
}

void log_err(const struct log *l, const char *event, const char *exchange, const struct err *e)
{
	enum log_level level = e->kind == ERR_BUG || e->kind == ERR_STORE || e->kind == ERR_IO ||
					       e->kind == ERR_NO_MEMORY
				       ? LOG_LEVEL_ERROR
				       : LOG_LEVEL_WARNING;

	log_event(
		l, level, event, exchange, "kind", err_kind_name(e->kind), "reason", e->text, NULL);
}

void log_set_level(struct log *l, enum log_level level)
{
	atomic_store(&l->level, (int)level);
}

bool log_level_parse(const char *name, enum log_level *out)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}
