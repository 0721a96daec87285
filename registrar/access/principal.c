/* SPDX-License-Identifier: Apache-2.0 */
/* Roles as sets of permissions, grants as bounds of them. */
#include "registrar/access/principal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"

#define BIT(p) (1u << (p))

const char *const role_names[ROLE_COUNT + 1] = {
	[ROLE_VIEWER] = "viewer",
	[ROLE_APPROVER] = "approver",
	[ROLE_OPERATOR] = "operator",
	[ROLE_AUDITOR] = "auditor",
	[ROLE_ADMIN] = "admin",
	[ROLE_SUPPLIER] = "supplier",
};

static const unsigned permissions[ROLE_COUNT] = {
	[ROLE_VIEWER] = BIT(MAY_VIEW),
	[ROLE_APPROVER] = BIT(MAY_VIEW) | BIT(MAY_DECIDE),
	[ROLE_OPERATOR] = BIT(MAY_VIEW) | BIT(MAY_DECIDE) | BIT(MAY_ANNOUNCE) | BIT(MAY_OPERATE),
	[ROLE_AUDITOR] = BIT(MAY_VIEW) | BIT(MAY_AUDIT),
	[ROLE_ADMIN] = BIT(MAY_VIEW) | BIT(MAY_DECIDE) | BIT(MAY_ANNOUNCE) | BIT(MAY_OPERATE) |
		       BIT(MAY_AUDIT) | BIT(MAY_ADMIN),
	[ROLE_SUPPLIER] = BIT(MAY_VIEW) | BIT(MAY_ANNOUNCE),
};

bool role_parse(const char *name, enum role *out)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (strcmp(name, role_names[i]) == 0) {
			*out = (enum role)i;
			return true;
		}
	return false;
}

bool role_may(enum role role, enum permission p)
{
	return role < ROLE_COUNT && (permissions[role] & BIT(p)) != 0;
}

/* ---- Making ---- */

void grant_clear(struct grant *g)
{
	free(g->site);
	free(g->manufacturer);
	memset(g, 0, sizeof(*g));
}

static char *copy_bound(const char *s, bool *ok, struct err *e)
{
	char *copy = s && *ok ? str_dup(s, e) : NULL;

	*ok = *ok && (!s || copy);
	return copy;
}

/* A bound that bounds nothing is none: "/" is every site. */
bool grant_copy(struct grant *to, const struct grant *from, struct err *e)
{
	const char *site = from->site && strcmp(from->site, "/") != 0 ? from->site : NULL;
	bool ok = true;

	*to = (struct grant){.role = from->role, .until = from->until};
	to->site = copy_bound(site, &ok, e);
	to->manufacturer = copy_bound(from->manufacturer, &ok, e);
	if (!ok)
		grant_clear(to);
	return ok;
}

void principal_local(struct principal *p, const char *address)
{
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", address);
	p->local = true;
	p->proof = PROOF_SOCKET;
	p->grants[0].role = ROLE_ADMIN;
	p->grant_count = 1;
}

bool principal_add(struct principal *p, const struct grant *g, struct err *e)
{
	if (p->grant_count == GRANTS_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d grants", GRANTS_MAX);
	if (!grant_copy(&p->grants[p->grant_count], g, e))
		return false;
	p->grant_count++;
	return true;
}

bool principal_limit(struct principal *p, const struct grant *g, struct err *e)
{
	grant_clear(&p->limit);
	p->limited = grant_copy(&p->limit, g, e);
	return p->limited;
}

void principal_clear(struct principal *p)
{
	for (size_t i = 0; i < p->grant_count; i++)
		grant_clear(&p->grants[i]);
	grant_clear(&p->limit);
	memset(p, 0, sizeof(*p));
}

/* ---- Asking ---- */

bool site_within(const char *site, const char *root)
{
	size_t len;

	if (!root || strcmp(root, "/") == 0)
		return true;
	len = strlen(root);
	return strncmp(site, root, len) == 0 && (site[len] == '\0' || site[len] == '/');
}

static bool grant_permits(const struct grant *g, enum permission need, const char *manufacturer,
	const char *site, int64_t now)
{
	return role_may(g->role, need) && (!g->until || now < g->until) &&
	       (!manufacturer || !g->manufacturer || strcmp(manufacturer, g->manufacturer) == 0) &&
	       (!site || site_within(site, g->site));
}

bool principal_may(const struct principal *p, enum permission need, const char *manufacturer,
	const char *site, int64_t now)
{
	if (need == MAY_ENTER)
		return true;
	if (!p || !p->name[0])
		return false;
	if (need == MAY_SELF)
		return true;
	if (p->limited && !grant_permits(&p->limit, need, manufacturer, site, now))
		return false;
	for (size_t i = 0; i < p->grant_count; i++)
		if (grant_permits(&p->grants[i], need, manufacturer, site, now))
			return true;
	return false;
}

static bool is_unbounded(const struct grant *g)
{
	return !g->site && !g->manufacturer;
}

bool principal_may_everywhere(const struct principal *p, enum permission need, int64_t now)
{
	if (!p || (p->limited && !(is_unbounded(&p->limit) &&
					 grant_permits(&p->limit, need, NULL, NULL, now))))
		return false;
	for (size_t i = 0; i < p->grant_count; i++)
		if (is_unbounded(&p->grants[i]) &&
			grant_permits(&p->grants[i], need, NULL, NULL, now))
			return true;
	return false;
}

/* Does `outer` let one do `need` wherever and as long as `inner` says? */
static bool grant_holds(
	const struct grant *outer, enum permission need, const struct grant *inner, int64_t now)
{
	return role_may(outer->role, need) && (!outer->until || now < outer->until) &&
	       (!outer->until || (inner->until && inner->until <= outer->until)) &&
	       (!outer->manufacturer ||
		       (inner->manufacturer &&
			       strcmp(inner->manufacturer, outer->manufacturer) == 0)) &&
	       (!outer->site || (inner->site && site_within(inner->site, outer->site)));
}

static bool holds(
	const struct principal *p, enum permission need, const struct grant *g, int64_t now)
{
	if (p->limited && !grant_holds(&p->limit, need, g, now))
		return false;
	for (size_t i = 0; i < p->grant_count; i++)
		if (grant_holds(&p->grants[i], need, g, now))
			return true;
	return false;
}

bool principal_covers(const struct principal *p, const struct grant *g, int64_t now)
{
	for (int need = MAY_VIEW; need <= MAY_ADMIN; need++)
		if (role_may(g->role, (enum permission)need) &&
			!holds(p, (enum permission)need, g, now))
			return false;
	return true;
}
