/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's error queue and memory BIOs in the project's own terms. */
#include "common/pki/ossl.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REASONS_MAX 3 /* the first ones name the cause, later ones only who passed it on */

/* ": reason; reason" behind the text; says whether one of them was a failed allocation. */
static bool drain_into(struct err *e)
{
	bool no_memory = false;
	unsigned long code;
	int shown = 0;

	while ((code = ERR_get_error()) != 0) {
		size_t used = strlen(e->text);
		const char *reason = ERR_reason_error_string(code);

		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			no_memory = true;
		if (reason && shown < REASONS_MAX)
			snprintf(e->text + used, sizeof(e->text) - used, "%s%s",
				shown++ ? "; " : ": ", reason);
	}
	return no_memory;
}

bool ossl_fail(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->sentence[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (drain_into(e))
		e->kind = ERR_NO_MEMORY;
	for (char *p = e->text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return false;
}

void ossl_forget(void)
{
	ERR_clear_error();
}

bool ossl_take_bio(BIO *bio, struct buf *out, struct err *e)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return buf_append(out, data, len > 0 ? (size_t)len : 0, e);
}
