/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler asks about the very object it is to show or change: the guard has only found that
 * the principal may do such a thing somewhere. What one may not see does not exist: it is left out
 * of lists, and 404. */
#ifndef REGISTRAR_ADMIN_SCOPE_H
#define REGISTRAR_ADMIN_SCOPE_H

#include "common/net/call.h"
#include "registrar/access/principal.h"

/* A row of a list, or an object by its name: is it there for who asks? site NULL is "/". */
bool admin_sees(const struct call *c, const char *manufacturer, const char *site);
/* May who asks do this to it? */
bool admin_may(
	const struct call *c, enum permission need, const char *manufacturer, const char *site);
/* admin_may() as an error: ERR_NOT_FOUND when it cannot be seen, else ERR_NOT_ALLOWED. */
bool admin_may_or(const struct call *c, enum permission need, const char *manufacturer,
	const char *site, struct err *e) MUST_CHECK;
#define EVERYWHERE_SENTENCE "This needs a role for all sites and manufacturers."
/* For what concerns every site and manufacturer (rules, users, backups): ERR_NOT_ALLOWED without a
 * grant that has no bounds. */
bool admin_may_everywhere(const struct call *c, enum permission need, struct err *e) MUST_CHECK;
/* Is everything in sight? Then rows need not be asked about one by one. */
bool admin_sees_all(const struct call *c);

#endif
