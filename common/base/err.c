/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const err_kind_names[ERR_KIND_COUNT + 1] = {
	[ERR_NONE] = "none",
	[ERR_INPUT] = "input",
	[ERR_TOO_LARGE] = "too-large",
	[ERR_UNAUTHENTICATED] = "unauthenticated",
	[ERR_PROXIMITY] = "proximity",
	[ERR_REFUSED] = "refused",
	[ERR_UNWANTED] = "unwanted",
	[ERR_UNKNOWN_DEVICE] = "unknown-device",
	[ERR_HISTORY] = "history",
	[ERR_NOT_ACCEPTABLE] = "not-acceptable",
	[ERR_UNSUPPORTED_TYPE] = "unsupported-type",
	[ERR_NOT_FOUND] = "not-found",
	[ERR_CONFLICT] = "conflict",
	[ERR_LOGIN] = "not-logged-in",
	[ERR_NOT_ALLOWED] = "not-allowed",
	[ERR_STALE] = "stale",
	[ERR_KEY_REUSED] = "key-reused",
	[ERR_TOO_MANY] = "too-many",
	[ERR_RETRY_LATER] = "retry-later",
	[ERR_PEER] = "peer",
	[ERR_PEER_LOGIN] = "peer-login",
	[ERR_PEER_TIMEOUT] = "peer-timeout",
	[ERR_STORE] = "store",
	[ERR_NO_MEMORY] = "no-memory",
	[ERR_IO] = "io",
	[ERR_BUG] = "bug",
	[ERR_KIND_COUNT] = NULL,
};

static const char *const sentences[ERR_KIND_COUNT] = {
	[ERR_NONE] = "No error.",
	[ERR_INPUT] = "The request could not be understood.",
	[ERR_TOO_LARGE] = "The request is larger than this server accepts.",
	[ERR_UNAUTHENTICATED] = "The request could not be authenticated.",
	[ERR_PROXIMITY] = "The proximity certificate is not the one of this registrar.",
	[ERR_REFUSED] = "This device is not authorised here; an administrator can change that.",
	[ERR_UNWANTED] = "This device is not wanted here.",
	[ERR_UNKNOWN_DEVICE] = "This device is not known here.",
	[ERR_HISTORY] = "The history of this device does not permit it to join.",
	[ERR_NOT_ACCEPTABLE] = "None of the accepted media types can be produced.",
	[ERR_UNSUPPORTED_TYPE] = "The media type of the request is not supported.",
	[ERR_NOT_FOUND] = "There is nothing at this address.",
	[ERR_CONFLICT] = "The state has changed meanwhile.",
	[ERR_LOGIN] = "Log in first.",
	[ERR_NOT_ALLOWED] = "Your role does not permit this.",
	[ERR_STALE] = "This was changed since you looked at it; look again.",
	[ERR_KEY_REUSED] = "This Idempotency-Key belongs to another request.",
	[ERR_TOO_MANY] = "Too many tries; wait a while.",
	[ERR_RETRY_LATER] = "The service is busy; try again later.",
	[ERR_PEER] = "An upstream service gave an invalid answer.",
	[ERR_PEER_LOGIN] = "An upstream service does not let this one in.",
	[ERR_PEER_TIMEOUT] = "An upstream service did not answer in time.",
	[ERR_STORE] = "The service cannot record the request now; try again later.",
	[ERR_NO_MEMORY] = "The service is out of memory; try again later.",
	[ERR_IO] = "The service failed internally.",
	[ERR_BUG] = "The service failed internally.",
};

static void one_line(char *s)
{
	for (; *s; s++)
		if (*s == '\n' || *s == '\r')
			*s = ' ';
}

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->sentence[0] = '\0';
	e->code = NULL;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	one_line(e->text);
	return false;
}

bool err_set_errno(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	e->kind = saved == ENOMEM ? ERR_NO_MEMORY : kind;
	e->sentence[0] = '\0';
	e->code = NULL;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(saved));
	one_line(e->text);
	return false;
}

bool err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	size_t used;
	va_list ap;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	one_line(e->text);
	used = strlen(e->text);
	if (used < sizeof(e->text) - 3)
		snprintf(e->text + used, sizeof(e->text) - used, ": %.*s",
			(int)(sizeof(e->text) - used - 3), old);
	return false;
}

bool err_tell(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->sentence, sizeof(e->sentence), fmt, ap);
	va_end(ap);
	one_line(e->sentence);
	return false;
}

bool err_code(struct err *e, const char *code)
{
	e->code = code;
	return false;
}

const char *err_code_of(const struct err *e)
{
	return e->code ? e->code : err_kind_name(e->kind);
}

const char *err_sentence(const struct err *e)
{
	return e->sentence[0] ? e->sentence : sentences[e->kind];
}

const char *err_kind_name(enum err_kind kind)
{
	return err_kind_names[kind];
}
