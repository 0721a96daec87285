/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *sentence;
} kinds[ERR_KIND_COUNT] = {
	[ERR_NONE] = {"none", "No error."},
	[ERR_INPUT] = {"input", "The request could not be understood."},
	[ERR_TOO_LARGE] = {"too-large", "The request is larger than this server accepts."},
	[ERR_UNAUTHENTICATED] = {"unauthenticated", "The request could not be authenticated."},
	[ERR_PROXIMITY] = {"proximity",
		"The proximity certificate is not the one of this registrar."},
	[ERR_REFUSED] = {"refused",
		"This device is not authorised here; an administrator can change that."},
	[ERR_UNWANTED] = {"unwanted", "This device is not wanted here."},
	[ERR_UNKNOWN_DEVICE] = {"unknown-device", "This device is not known here."},
	[ERR_HISTORY] = {"history", "The history of this device does not permit it to join."},
	[ERR_NOT_ACCEPTABLE] = {"not-acceptable",
		"None of the accepted media types can be produced."},
	[ERR_UNSUPPORTED_TYPE] = {"unsupported-type",
		"The media type of the request is not supported."},
	[ERR_NOT_FOUND] = {"not-found", "There is nothing at this address."},
	[ERR_CONFLICT] = {"conflict", "The state has changed meanwhile."},
	[ERR_RETRY_LATER] = {"retry-later", "The service is busy; try again later."},
	[ERR_PEER] = {"peer", "An upstream service gave an invalid answer."},
	[ERR_PEER_LOGIN] = {"peer-login", "An upstream service does not let this one in."},
	[ERR_PEER_TIMEOUT] = {"peer-timeout", "An upstream service did not answer in time."},
	[ERR_STORE] = {"store", "The service cannot record the request now; try again later."},
	[ERR_NO_MEMORY] = {"no-memory", "The service is out of memory; try again later."},
	[ERR_IO] = {"io", "The service failed internally."},
	[ERR_BUG] = {"bug", "The service failed internally."},
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

const char *err_sentence(const struct err *e)
{
	return e->sentence[0] ? e->sentence : kinds[e->kind].sentence;
}

const char *err_kind_name(enum err_kind kind)
{
	return kinds[kind].name;
}
