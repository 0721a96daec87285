/* SPDX-License-Identifier: Apache-2.0 */
#include "pledge/refresh.h"

#include "pledge/cacerts.h"
#include "pledge/renew.h"

#define MONTH_S (30 * 24 * 3600)

static bool past_half_its_life(const struct cert *ca, int64_t now_unix_s)
{
	int64_t from = cert_not_before(ca), until = cert_not_after(ca);

	return until != INT64_MAX && now_unix_s >= from + (until - from) / 2;
}

bool refresh_is_due(const struct enrolment *n, int64_t now_unix_s, bool trusted_clock)
{
	int64_t asked = n->cacerts_asked_unix_s;

	if (asked <= now_unix_s && now_unix_s - asked < MONTH_S)
		return false;
	if (!trusted_clock || asked < cert_not_before(n->ldevid.cert))
		return true;
	for (size_t i = 0; i < n->cacerts.count; i++)
		if (past_half_its_life(n->cacerts.items[i], now_unix_s))
			return true;
	return false;
}

/* A set that the device's own certificate is not under is no set for it. */
static bool fits_us(const struct exchange *x, struct err *e)
{
	return chain_verify(
		       x->domain_anchors, x->identity->cert, &x->cacerts, CHAIN_NO_TIME, NULL, e) ||
	       err_prefix(e, "the device's certificate is not under the new CA certificates");
}

static bool ask_and_store(struct exchange *x, struct err *e)
{
	struct pledge *p = x->pledge;

	return cacerts_refresh(x, e) && fits_us(x, e) &&
	       state_update_cacerts(
		       p->state, &x->cacerts, &x->cacerts_etag, clock_unix_s(&p->clock), e);
}

const struct step refresh_steps[] = {
	{"connect", renew_connect, SETBACK_TLS, NULL, NULL},
	{"cacerts", ask_and_store, SETBACK_ENROLMENT, NULL, NULL},
};
const size_t refresh_step_count = sizeof(refresh_steps) / sizeof(*refresh_steps);
