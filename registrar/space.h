/* SPDX-License-Identifier: Apache-2.0 */
/* Is there room on the disk for new work? Below a floor devices are told to come back, so that what
 * is under way, what administrators do and the audit log still have room. Looked at four times a
 * second; a line in the journal when it changes. Any thread. */
#ifndef REGISTRAR_SPACE_H
#define REGISTRAR_SPACE_H

#include "common/net/call.h"
#include "registrar/registrar.h"

/* ERR_RETRY_LATER, with Retry-After set on the call, when there is not. */
bool space_left(struct registrar *r, const struct registrar_setup *s, struct call *c,
	struct err *e) MUST_CHECK;

/* With so much free, does room lack that did (not) lack before? A little more than the floor has to
 * be free before it is enough again. No I/O. */
bool space_lacks(int64_t free_bytes, int64_t floor_bytes, bool lacked);

#endif
