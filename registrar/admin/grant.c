/* SPDX-License-Identifier: Apache-2.0 */
/* Read strictly: a bound that was mistyped must not become none. */
#include "registrar/admin/grant.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/datetime.h"
#include "registrar/admin/answer.h"
#include "registrar/admin/sites.h"
#include "registrar/site.h"

#define MANUFACTURER_LEN_MAX 63

json_t *admin_grant_object(const struct grant *g)
{
	return json_pack("{ss so so so}", "role", role_names[g->role], "site", admin_text(g->site),
		"manufacturer", admin_text(g->manufacturer), "until", admin_moment(g->until));
}

/* One that is there but no text, or empty, is a mistake. */
static bool read_bound(const json_t *body, const char *name, char **out, struct err *e)
{
	const char *text = NULL;

	if (json_is_null(json_object_get(body, name)))
		return true;
	if (!json_get_string(body, name, &text, e))
		return err_tell(e, "%s is a text.", name);
	if (text && !*text) {
		err_set(e, ERR_INPUT, "%s is empty", name);
		return err_tell(e, "%s is empty.", name);
	}
	*out = (char *)(uintptr_t)text;
	return true;
}

static bool read_until(const json_t *body, int64_t now, int64_t *out, struct err *e)
{
	char *text = NULL;

	if (!read_bound(body, "until", &text, e) || !text)
		return e->kind == ERR_NONE;
	if (!datetime_parse_or_day(text, DATETIME_DAY_ENDS, out, e))
		return admin_bad(e, "A time is written like 2026-12-01 or 2026-12-01T08:00:00Z.");
	return *out > now || admin_bad(e, "The end is not in the future.");
}

bool admin_grant_read(
	const json_t *body, int64_t now, struct grant *out, bool *has_role, struct err *e)
{
	char *role = NULL;

	*out = (struct grant){.role = ROLE_COUNT};
	if (!read_bound(body, "role", &role, e) || !read_bound(body, "site", &out->site, e) ||
		!read_bound(body, "manufacturer", &out->manufacturer, e) ||
		!read_until(body, now, &out->until, e))
		return false;
	*has_role = role != NULL;
	if (role && !role_parse(role, &out->role))
		return admin_bad(
			e, "A role is viewer, approver, operator, auditor, admin or supplier.");
	if (out->site && !site_check(out->site, e))
		return false;
	if (out->manufacturer && strlen(out->manufacturer) > MANUFACTURER_LEN_MAX)
		return admin_bad(e, "The manufacturer's name is too long.");
	if (out->site && strcmp(out->site, "/") == 0)
		out->site = NULL; /* all of them */
	return true;
}

bool admin_grant_check(struct registrar *r, const struct grant *g, struct err *e)
{
	if (g->role == ROLE_SUPPLIER && !g->manufacturer)
		return admin_bad(e, "A supplier is one of a manufacturer: name it.");
	if (g->manufacturer && !registrar_knows_manufacturer(r, g->manufacturer))
		return admin_bad(e, "No manufacturer of this name is configured.");
	return admin_site_check(r, g->site, e);
}

void admin_grant_format(const struct grant *g, char *out, size_t room)
{
	char until[DATETIME_LEN + 1] = "";
	struct err ignored = ERR_INIT;

	if (g->until && !datetime_format(g->until, until, &ignored))
		until[0] = '\0';
	snprintf(out, room, "%s%s%s%s%s%s%s", role_names[g->role], g->site ? " at " : "",
		g->site ? g->site : "", g->manufacturer ? " for " : "",
		g->manufacturer ? g->manufacturer : "", until[0] ? " until " : "", until);
}
