/* SPDX-License-Identifier: Apache-2.0 */
/* A grant as JSON: {"role", "site", "manufacturer", "until"}, null or absent where there is no
 * bound. */
#ifndef REGISTRAR_ADMIN_GRANT_H
#define REGISTRAR_ADMIN_GRANT_H

#include "common/wire/json.h"
#include "registrar/access/principal.h"
#include "registrar/registrar.h"

json_t *admin_grant_object(const struct grant *g);
/* The members of body, borrowed from it. ERR_INPUT with a sentence. role is not looked at when it
 * is not there: *has_role. until has to be later than now. */
bool admin_grant_read(const json_t *body, int64_t now, struct grant *out, bool *has_role,
	struct err *e) MUST_CHECK;
/* May such a one be given: a manufacturer that is configured, a supplier with one, a site
 * that is there? */
bool admin_grant_check(struct registrar *r, const struct grant *g, struct err *e) MUST_CHECK;
/* "admin at /eu for acme until 2027-01-01T00:00:00Z", for the journal. */
void admin_grant_format(const struct grant *g, char *out, size_t room);

#endif
