/* SPDX-License-Identifier: Apache-2.0 */
/* A claim, or the device it became, as the JSON object every resource shows. */
#ifndef REGISTRAR_ADMIN_OBJECT_H
#define REGISTRAR_ADMIN_OBJECT_H

#include "registrar/admin/answer.h"
#include "registrar/records/records.h"

/* A new reference, or NULL: no memory. */
json_t *admin_claim_object(const struct claim_row *row, const struct standing_rule *rule);

/* A row function for lists: arg is a struct admin_page whose rule is set. */
bool admin_add_claim(void *arg, const struct claim_row *row, struct err *e) MUST_CHECK;

#endif
