/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of sites:
 *   GET  /api/v1/sites?after=PATH&limit=N   with how much is in each
 *   POST /api/v1/sites/add      {"path", "name", "note", "approvers": 1|2, "unknown": hold|reject}
 *   POST /api/v1/sites/set      the same, of one that is there; what is left out stays
 *   POST /api/v1/sites/remove   {"path"}: 409 while something is in it
 * If-Match: 412 when somebody changed it meanwhile. */
#ifndef REGISTRAR_ADMIN_SITES_H
#define REGISTRAR_ADMIN_SITES_H

#include "common/net/call.h"

#define SITES_PATH "/api/v1/sites"

/* Is there such a site? For what places something in one or binds something to it. NULL is none.
 * ERR_INPUT when it is no path or not there. */
struct registrar;
bool admin_site_check(struct registrar *r, const char *site, struct err *e) MUST_CHECK;
/* It is not there, or not for who asks. False. */
bool admin_no_site(struct err *e, const char *site);

void sites_list(struct call *c, void *registrar);
void sites_add(struct call *c, void *registrar);
void sites_set(struct call *c, void *registrar);
void sites_remove(struct call *c, void *registrar);

#endif
