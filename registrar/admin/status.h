/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar at one glance, from what is known without looking for it: counters, and bounded
 * counts in an index. */
#ifndef REGISTRAR_ADMIN_STATUS_H
#define REGISTRAR_ADMIN_STATUS_H

#include "registrar/registrar.h"

#define STATUS_PATH "/api/v1/status"

/* GET: one object. `health` is "ok", "warn" (somebody should look) or "fail" (devices cannot join),
 * `problems` the reasons as sentences. */
void status_show(struct call *c, void *registrar);

#endif
