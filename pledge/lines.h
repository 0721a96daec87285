/* SPDX-License-Identifier: Apache-2.0 */
/* Small text files of the device's memory: one "name value" a line. */
#ifndef PLEDGE_LINES_H
#define PLEDGE_LINES_H

#include "common/base/buf.h"

/* False: there is no such line, or it says something else than that. */
bool lines_get_text(const struct buf *text, const char *name, char *out, size_t size) MUST_CHECK;
bool lines_get_number(const struct buf *text, const char *name, int64_t *out) MUST_CHECK;
/* In base64. e is set when it is none, or too long. */
bool lines_get_octets(
	const struct buf *text, const char *name, struct buf *out, struct err *e) MUST_CHECK;
bool lines_put_octets(
	struct buf *text, const char *name, struct bytes value, struct err *e) MUST_CHECK;

#endif
