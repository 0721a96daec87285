/* SPDX-License-Identifier: Apache-2.0 */
/* POST /api/v1/devices/SERIAL/revoke: all certificates of a device are revoked, and it comes back
 * only when its claim is approved after that. The body may be {"reason": TEXT, "manufacturer":
 * NAME}; the name is needed where several manufacturers use the serial-number. */
#ifndef REGISTRAR_ADMIN_REVOKE_H
#define REGISTRAR_ADMIN_REVOKE_H

#include "registrar/registrar.h"

#define DEVICES_PATH "/api/v1/devices/"

void devices_revoke(struct call *c, void *registrar);

#endif
