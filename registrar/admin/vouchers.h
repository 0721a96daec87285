/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers that are stored ahead of their devices (registrar/ahead.h):
 *
 *   GET  /api/v1/vouchers/ahead             those that are here
 *   POST /api/v1/vouchers/ahead/fetch       {"serials": ["A-1", …]} or {"match": "…"}, with either
 *                                           "manufacturer", "masa_url", "constrained", "again":
 * 202, a job; what is here and fresh is not fetched again POST /api/v1/vouchers/ahead/NAME/drop
 * NAME: a number or a serial-number */
#ifndef REGISTRAR_ADMIN_VOUCHERS_H
#define REGISTRAR_ADMIN_VOUCHERS_H

#include "common/net/call.h"

#define AHEAD_PATH "/api/v1/vouchers/ahead"

void vouchers_ahead_list(struct call *c, void *registrar);
void vouchers_ahead_fetch(struct call *c, void *registrar);
void vouchers_ahead_drop(struct call *c, void *registrar);

#endif
