/* SPDX-License-Identifier: Apache-2.0 */
/* The half of a standing that depends on the clock, and the names of all. */
#include "registrar/standing.h"

#include <string.h>

#include "registrar/registrar.h"

#define DAY_S 86400

static const char *const names[STANDING_COUNT] = {
	[STANDING_NONE] = "new",
	[STANDING_ACTIVE] = "active",
	[STANDING_JOINING] = "joining",
	[STANDING_QUARANTINED] = "quarantined",
	[STANDING_REVOKED] = "revoked",
	[STANDING_DECOMMISSIONED] = "decommissioned",
	[STANDING_REPLACED] = "replaced",
	[STANDING_REFUSED] = "refused",
	[STANDING_EXPIRING] = "expiring",
	[STANDING_EXPIRED] = "expired",
};

const char *standing_name(enum standing s)
{
	return names[s];
}

bool standing_parse(const char *name, enum standing *out)
{
	for (size_t i = 0; i < STANDING_COUNT; i++)
		if (strcmp(name, names[i]) == 0) {
			*out = (enum standing)i;
			return true;
		}
	return false;
}

enum standing standing_of(enum standing stored, int64_t not_after, const struct standing_rule *rule)
{
	if (stored != STANDING_ACTIVE || not_after == 0)
		return stored;
	if (not_after <= rule->now)
		return STANDING_EXPIRED;
	return not_after - rule->now <= rule->expiring_s ? STANDING_EXPIRING : STANDING_ACTIVE;
}

struct standing_rule standing_rule_of(struct registrar *r)
{
	struct registrar_setup *s = registrar_setup_take(r);
	const struct standing_rule rule = {registrar_now(r), s->config.expiring_days * DAY_S};

	registrar_setup_free(s);
	return rule;
}
