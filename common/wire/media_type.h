/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Type and Accept (RFC 9110 §8.3, §12.5.1). */
#ifndef WIRE_MEDIA_TYPE_H
#define WIRE_MEDIA_TYPE_H

#include "common/base/buf.h"

#define MEDIA_TYPE_MAX 127

/* Compare type/subtype, case-insensitive, parameters ignored. header may be NULL (no match). */
bool media_type_is(const char *header, const char *type);

/* Copy type/subtype in lower case without parameters; false when header is not a media type. */
bool media_type_name(const char *header, char out[MEDIA_TYPE_MAX + 1]);

/* Which of the offered types (best for us first) does the Accept header like most?
 * q-values and wildcards are honoured; a missing header (NULL) takes the first.
 * Returns the index, or -1 when none can be served. */
int media_type_negotiate(const char *accept, const char *const *offered, size_t offered_count);

#endif
