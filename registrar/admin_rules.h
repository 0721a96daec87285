/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who may join, as the administrator sees and changes them. */
#ifndef REGISTRAR_ADMIN_RULES_H
#define REGISTRAR_ADMIN_RULES_H

#include "common/net/call.h"

#define RULES_PATH "/api/v1/rules"

/* GET: all of them in their order. */
void rules_list(struct call *c, void *app);
/* POST: {"action", "manufacturer", "serial", "network", "not_before", "not_after", "remaining",
 * "reason", "position"}; action alone has to be there. */
void rules_add(struct call *c, void *app);
/* POST …/ID/remove, or …/ID/move with {"position"}. */
void rules_change(struct call *c, void *app);
/* GET ?serial=…&manufacturer=…&address=…: what would become of the device if it asked now. */
void rules_test(struct call *c, void *app);

#endif
