/* SPDX-License-Identifier: Apache-2.0 */
/* Users and their grants: for admins without bounds, who can give no more than they hold; a
 * password also for its owner. The last admin of everything stays one, unless the socket says
 * otherwise: from there one can always come back. */
#ifndef REGISTRAR_ADMIN_USERS_H
#define REGISTRAR_ADMIN_USERS_H

#include "registrar/registrar.h"

#define USERS_PATH "/api/v1/users"

void users_list(struct call *c, void *registrar);
/* GET …/NAME */
void users_show(struct call *c, void *registrar);
/* POST {"name", "role", "site", "manufacturer", "until"}: answers with a one-time code. */
void users_add(struct call *c, void *registrar);
/* POST …/NAME/code|grant|ungrant|disable|enable|remove|certificate|password */
void users_change(struct call *c, void *registrar);

#endif
