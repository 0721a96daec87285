/* SPDX-License-Identifier: Apache-2.0 */
/* Doing once what is asked for twice: a POST with an Idempotency-Key that came before, by the same
 * principal for the same resource with the same body, gets the answer of the first (marked
 * Idempotency-Replayed); with another body 422 key-reused, while the first is under way 409
 * in-progress. Answers are kept a day in memory: a restart forgets them. An answer of 5xx is not
 * kept: what failed may be tried again. First loop only, as both listeners of administrators. */
#ifndef REGISTRAR_ADMIN_IDEMPOTENCY_H
#define REGISTRAR_ADMIN_IDEMPOTENCY_H

#include "common/net/call.h"

#define IDEMPOTENCY_ENTRIES    4096	  /* the oldest make room */
#define IDEMPOTENCY_ANSWER_MAX (1 << 20)  /* of a longer one only that it was given is kept */
#define IDEMPOTENCY_TOTAL_MAX  (16 << 20) /* octets of all answers */
#define IDEMPOTENCY_KEPT_S     86400
#define IDEMPOTENCY_KEY_MAX    128

struct idempotency;

struct idempotency *idempotency_new(struct err *e) MUST_CHECK;
/* After the servers are gone. */
void idempotency_free(struct idempotency *t);

/* An http_intercept behind admin_guard(); app is the struct registrar. */
bool idempotency_intercept(struct call *c, void *app);

#endif
