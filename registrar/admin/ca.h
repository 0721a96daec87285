/* SPDX-License-Identifier: Apache-2.0 */
/* The issuing CAs:
 *
 *   GET  /api/v1/ca          both, and which one issues
 *   POST /api/v1/ca/switch   {"to": "primary" or "standby", "reason"}; without "to": the other one.
 *                            Where it issues already nothing is changed */
#ifndef REGISTRAR_ADMIN_CA_H
#define REGISTRAR_ADMIN_CA_H

#include "common/net/call.h"

#define CA_PATH "/api/v1/ca"

void ca_show(struct call *c, void *registrar);
void ca_switch(struct call *c, void *registrar);

#endif
