/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who may join, as the administrator sees and changes them. */
#ifndef REGISTRAR_ADMIN_RULES_H
#define REGISTRAR_ADMIN_RULES_H

#include "common/net/call.h"
#include "common/wire/json.h"
#include "registrar/rules.h"

#define RULES_PATH "/api/v1/rules"

/* GET: all of them in their order. */
void rules_list(struct call *c, void *app);
/* POST: {"action", "manufacturer", "model", "serial", "network", "not_before", "not_after",
 * "remaining", "reason", "site", "labels", "position"}; action alone has to be there. */
void rules_add(struct call *c, void *app);
/* POST …/ID/remove, enable, disable, or …/ID/move with {"position"}. */
void rules_change(struct call *c, void *app);
/* GET ?serial=…&manufacturer=…&model=…&address=…: what would become of the device if it asked now.
 */
void rules_test(struct call *c, void *app);

/* The labels of a rule as a new value, null for none. */
json_t *rule_labels(const struct rule_text *t);

#endif
