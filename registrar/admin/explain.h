/* SPDX-License-Identifier: Apache-2.0 */
/* One device explained: what is said about it, where it stands, which step went wrong last and why,
 * and what to do about it. */
#ifndef REGISTRAR_ADMIN_EXPLAIN_H
#define REGISTRAR_ADMIN_EXPLAIN_H

#include "registrar/registrar.h"

#define EXPLAIN_PATH "/api/v1/doctor/" /* and a serial-number */

/* GET: {"items": [{"check", "verdict": "ok", "warn" or "fail", "found", "next"}, …]}. */
void explain_device(struct call *c, void *registrar);

#endif
