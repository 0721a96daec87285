/* SPDX-License-Identifier: Apache-2.0 */
/* Approval before devices ask: a supplier's list. */
#ifndef REGISTRAR_ADMIN_CLAIMS_IMPORT_H
#define REGISTRAR_ADMIN_CLAIMS_IMPORT_H

#include "common/net/call.h"

/* POST, text/csv or application/x-ndjson (import.h); ?dry_run=1 changes nothing. The answer is
 * {"results": [{"line", "manufacturer", "serial", "result", "reason"}, …], "summary": {…}}, a
 * result for each row in its order. With a bad row nothing is imported: 400, and results of the bad
 * alone. */
void claims_import(struct call *c, void *app);

#endif
