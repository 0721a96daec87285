/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/claims/NAME/approve|reject about one claim, POST /api/v1/claims/approve|reject about
 * many:
 *
 *   {"ids": [12, "A-100", …]}            each is done or not, and says so
 *   {"match": "…", "expected": 412}      those that match and are pending, or in the state the
 *                                        match names; all of them or, when their number is another
 *                                        by now, none: 409 count-changed
 *   {"all": true}                        every pending claim in sight, but of revoked devices
 *
 * and with any of them "reason", and with an approval "site" and "labels". If-Match, or "revision",
 * says which state of one claim was looked at; "change": true overrules who decided before. Up to
 * BULK_AT_ONCE claims are answered with a result each; more become a job: 202. */
#ifndef REGISTRAR_ADMIN_CLAIMS_DECIDE_H
#define REGISTRAR_ADMIN_CLAIMS_DECIDE_H

#include "registrar/admin/claims.h"

#define BULK_AT_ONCE  1000	  /* one transaction, one answer */
#define BULK_IDS_MAX  10000	  /* in one request; more are a match */
#define BULK_BODY_MAX (512 << 10) /* so many serials of 40 characters */
#define BULK_MAX      200000	  /* claims of a match: what a job remembers of them is 5 MB */
#define BULK_STEP     500	  /* claims in a transaction of a job: devices wait some 50 ms */

void claims_decide(struct call *c, void *app);

#endif
