/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about objects, answered for the principal that hangs on the call. */
#include "registrar/admin/scope.h"

#include "registrar/admin/guard.h"

bool admin_may(
	const struct call *c, enum permission need, const char *manufacturer, const char *site)
{
	const struct principal *p = admin_who(c);

	return p && principal_may(p, need, manufacturer ? manufacturer : "", site ? site : "/",
			    p->asked_at);
}

bool admin_sees(const struct call *c, const char *manufacturer, const char *site)
{
	return admin_may(c, MAY_VIEW, manufacturer, site);
}

bool admin_sees_all(const struct call *c)
{
	const struct principal *p = admin_who(c);

	return p && principal_may_everywhere(p, MAY_VIEW, p->asked_at);
}

bool admin_may_or(const struct call *c, enum permission need, const char *manufacturer,
	const char *site, struct err *e)
{
	if (admin_may(c, need, manufacturer, site))
		return true;
	if (!admin_sees(c, manufacturer, site))
		return err_set(e, ERR_NOT_FOUND, "out of the scope of who asks");
	err_set(e, ERR_NOT_ALLOWED, "no role that permits it there");
	return err_tell(e, "Your role does not permit this here.");
}

bool admin_may_everywhere(const struct call *c, enum permission need, struct err *e)
{
	const struct principal *p = admin_who(c);

	if (p && principal_may_everywhere(p, need, p->asked_at))
		return true;
	err_set(e, ERR_NOT_ALLOWED, "needs a role without bounds");
	return err_tell(e, EVERYWHERE_SENTENCE);
}
