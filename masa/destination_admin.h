/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators say about where owners' devices belong: routes of admin.c. */
#ifndef MASA_DESTINATION_ADMIN_H
#define MASA_DESTINATION_ADMIN_H

#include "common/net/call.h"

#define DESTINATIONS_DIR "/api/v1/destinations/"

/* GET …/OWNER: {"items": [{"kind", "url", "weight", "region", "pin"}], "next": null}. */
void destination_list(struct call *c, void *masa);
/* POST …/OWNER {"kind", "url", "weight"?, "region"?, "pin"? (PEM)}: add or change one. */
void destination_set(struct call *c, void *masa);
/* DELETE …/OWNER?url=URL. */
void destination_drop(struct call *c, void *masa);

#endif
