/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/claims: what waits for a decision and what was decided, searched with ?match= (see
 * match.h) and ?state=, counted with ?count=true, exported as a list that can be imported again.
 *
 * An answer comes from a bounded number of rows: a page may be short and still have a "next". */
#ifndef REGISTRAR_ADMIN_CLAIMS_H
#define REGISTRAR_ADMIN_CLAIMS_H

#include "registrar/admin/answer.h"
#include "registrar/admin/match.h"
#include "registrar/access/principal.h"

#define CLAIMS_PATH "/api/v1/claims"

void claims_list(struct call *c, void *app);
/* …/claims/NAME: a number or a serial-number. With an ETag. */
void claims_show(struct call *c, void *app);
/* …/claims/export: CSV, or NDJSON with ?format=ndjson; a page at a time, the header X-Next says
 * what ?after= asks for the next one. */
void claims_export(struct call *c, void *app);

/* A list of claims or devices as the request asks for it; answers it. */
void admin_search(struct call *c, struct registrar *r, enum match_of of);

/* The number of the claim with this number or serial-number that who asks may see. A text that is
 * both, of two claims, is refused: approving the wrong device is worse than asking again.
 * ERR_NOT_FOUND, ERR_CONFLICT (code ambiguous). Any thread. */
bool admin_find_claim(struct registrar *r, const struct principal *who, const char *name,
	int64_t *id, struct err *e) MUST_CHECK;

#endif
