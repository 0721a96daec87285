/* SPDX-License-Identifier: Apache-2.0 */
/* Changing what one has looked at, and nothing newer: an object's revision is its ETag, and a
 * change says which one it means with If-Match or "revision" in its body (RFC 9110 §13.1.1). */
#ifndef REGISTRAR_ADMIN_REVISION_H
#define REGISTRAR_ADMIN_REVISION_H

#include "common/net/call.h"
#include "common/wire/json.h"

/* body may be NULL. *out: 0 when nothing is expected. ERR_INPUT. */
bool admin_expected_revision(
	const struct call *c, const json_t *body, int64_t *out, struct err *e) MUST_CHECK;
/* ERR_STALE when something is expected and it is another. */
bool admin_check_revision(int64_t expected, int64_t actual, struct err *e) MUST_CHECK;
/* Somebody else was faster: ERR_STALE with the sentence for it. Returns false. */
bool admin_stale(struct err *e);
void admin_set_etag(struct call *c, int64_t revision);

#endif
