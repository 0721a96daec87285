/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchies of certificates: see hierarchy.h. RFC 5280; RFC 8995 §2.5.5 (cmcRA, by the profile).
 */
#include "common/pki/hierarchy.h"

#define DAY_S	     86400
#define CLOCK_SKEW_S 300
#define NAME_MAX_LEN 64 /* ub-organization-name, ub-common-name: RFC 5280 A.1 */

int64_t hierarchy_not_before(int64_t now_unix_s)
{
	return now_unix_s - CLOCK_SKEW_S;
}

static int64_t not_after(const struct hierarchy_order *o)
{
	return o->days == HIERARCHY_DAYS_FOREVER ? INT64_MAX : o->now + (int64_t)o->days * DAY_S;
}

static bool want_key(const struct hierarchy_order *o, struct identity *out, struct err *e)
{
	if (!out->key)
		out->key = key_generate(o->key_type, e);
	return out->key != NULL;
}

/* Sign what r asks for with out's key as the one that is certified. */
static bool certify(struct issue_request *r, struct identity *out, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(CERT_DER_MAX);

	if (!key_public_spki(out->key, &spki, e))
		return false;
	r->spki = buf_bytes(&spki);
	out->cert = issue_certificate(r, e);
	return out->cert != NULL;
}

bool hierarchy_root(const struct hierarchy_order *o, const char *organization, struct identity *out,
	struct err *e)
{
	FREE_AUTO char *cn = str_printf(e, "%s Root CA", organization);
	struct issue_request r = {.profile = PROFILE_ROOT_CA,
		.common_name = cn,
		.organization = organization,
		.not_before = hierarchy_not_before(o->now),
		.not_after = not_after(o)};

	if (!cn || !want_key(o, out, e))
		return false;
	r.self_key = out->key;
	return certify(&r, out, e);
}

bool hierarchy_issuing(const struct hierarchy_order *o, const char *organization,
	const struct identity *root, struct identity *out, struct err *e)
{
	FREE_AUTO char *cn = str_printf(e, "%s Issuing CA", organization);
	struct issue_request r = {.profile = PROFILE_ISSUING_CA,
		.issuer = root,
		.common_name = cn,
		.organization = organization,
		.not_before = hierarchy_not_before(o->now),
		.not_after = not_after(o)};

	return cn && want_key(o, out, e) && certify(&r, out, e);
}

bool hierarchy_standby(const struct hierarchy_order *o, const struct identity *root,
	struct identity *out, struct err *e)
{
	char organization[NAME_MAX_LEN + 1] = "";
	FREE_AUTO char *cn = NULL;
	struct issue_request r = {.profile = PROFILE_ISSUING_CA,
		.issuer = root,
		.organization = organization,
		.not_before = hierarchy_not_before(o->now),
		.not_after = not_after(o)};

	if (!cert_organization(root->cert, organization, sizeof(organization)))
		r.organization = NULL;
	cn = str_printf(e, "%s Standby Issuing CA", organization);
	r.common_name = cn;
	return cn && want_key(o, out, e) && certify(&r, out, e);
}

bool hierarchy_member(const struct hierarchy_order *o, const struct hierarchy_member *m,
	const struct identity *ca, struct identity *out, struct err *e)
{
	char organization[NAME_MAX_LEN + 1];
	struct issue_request r = {.profile = m->profile,
		.issuer = ca,
		.common_name = m->common_name,
		.organization = organization,
		.san = m->san,
		.not_before = hierarchy_not_before(o->now),
		.not_after = not_after(o)};

	if (!cert_organization(ca->cert, organization, sizeof(organization)))
		r.organization = NULL;
	return want_key(o, out, e) && certify(&r, out, e);
}
