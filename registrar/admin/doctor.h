/* SPDX-License-Identifier: Apache-2.0 */
/* GET /api/v1/doctor: what an administrator would look at one after the other, looked at: a list of
 * {"check", "verdict": "ok", "warn" or "fail", "found", "next": what to do, or null}. MASAs whose
 * address is configured are asked while the caller waits. */
#ifndef REGISTRAR_ADMIN_DOCTOR_H
#define REGISTRAR_ADMIN_DOCTOR_H

#include "registrar/registrar.h"

#define DOCTOR_PATH "/api/v1/doctor"

void doctor_examine(struct call *c, void *registrar);

#endif
