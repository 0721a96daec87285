/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchies and servers. Everything is made in memory first and written when all of it is good.
 */
#include "certs/make.h"

#include <stdio.h>
#include <string.h>

#include "certs/output.h"
#include "common/base/file.h"

#define DAY_S	     86400
#define CLOCK_SKEW_S 300
#define NAME_MAX_LEN 64 /* ub-organization-name, ub-common-name: RFC 5280 A.1 */

int64_t make_not_before(int64_t now_unix_s)
{
	return now_unix_s - CLOCK_SKEW_S;
}

static int64_t not_after(int64_t now_unix_s, int days)
{
	return days == DAYS_FOREVER ? INT64_MAX : now_unix_s + (int64_t)days * DAY_S;
}

bool make_load_ca(const char *dir, struct identity *out, struct err *e)
{
	FREE_AUTO char *key = str_printf(e, "%s/issuing.key", dir);
	FREE_AUTO char *cert = str_printf(e, "%s/issuing.crt", dir);

	*out = (struct identity){0};
	return key && cert && identity_load(out, key, cert, e);
}

static void announce(const char *dir, const char *stem, const struct cert *c)
{
	printf("%s/%s.crt: %s\n", dir, stem, cert_subject(c));
}

/* ---- CAs ---- */

static bool make_root(
	const struct options *o, const char *org, int64_t now, struct identity *root, struct err *e)
{
	FREE_AUTO char *cn = str_printf(e, "%s Root CA", org);
	struct issue_request r = {.profile = PROFILE_ROOT_CA,
		.common_name = cn,
		.organization = org,
		.not_before = make_not_before(now),
		.not_after = not_after(now, o->days)};

	root->key = key_generate(o->key_type, e);
	r.self_key = root->key;
	if (cn && root->key)
		root->cert = issue_certificate(&r, e);
	return root->cert != NULL;
}

static bool make_issuing(const struct options *o, const char *org, int64_t now,
	const struct identity *root, struct identity *issuing, struct err *e)
{
	FREE_AUTO char *cn = str_printf(e, "%s Issuing CA", org);
	BUF_AUTO struct buf spki = BUF_INIT(CERT_DER_MAX);
	struct issue_request r = {.profile = PROFILE_ISSUING_CA,
		.issuer = root,
		.common_name = cn,
		.organization = org,
		.not_before = make_not_before(now),
		.not_after = not_after(now, o->days)};

	issuing->key = key_generate(o->key_type, e);
	if (!cn || !issuing->key || !key_public_spki(issuing->key, &spki, e))
		return false;
	r.spki = buf_bytes(&spki);
	issuing->cert = issue_certificate(&r, e);
	return issuing->cert != NULL;
}

bool make_hierarchy(const struct options *o, int64_t now_unix_s, struct err *e)
{
	const char *org = o->name			 ? o->name
			  : o->command == COMMAND_DOMAIN ? "Example Site"
							 : "Example Manufacturer";
	IDENTITY_AUTO struct identity root = {0};
	IDENTITY_AUTO struct identity issuing = {0};

	if (!file_make_dir(o->out, 0755, e) || !output_is_free(o->out, "root", e) ||
		!output_is_free(o->out, "issuing", e) || !make_root(o, org, now_unix_s, &root, e) ||
		!make_issuing(o, org, now_unix_s, &root, &issuing, e) ||
		!output_write(o->out, "root", root.key, root.cert, NULL, e) ||
		!output_write(o->out, "issuing", issuing.key, issuing.cert, NULL, e))
		return false;
	announce(o->out, "root", root.cert);
	announce(o->out, "issuing", issuing.cert);
	return true;
}

/* ---- servers and signers ---- */

struct server {
	const char *stem;
	enum cert_profile profile;
	const char *common_name;
	bool has_san;
	int days; /* when the command line does not say */
};

static bool make_server(const struct server *s, const struct options *o, const struct identity *ca,
	int64_t now, struct identity *out, struct err *e)
{
	BUF_AUTO struct buf spki = BUF_INIT(CERT_DER_MAX);
	char organization[NAME_MAX_LEN + 1];
	struct issue_request r = {.profile = s->profile,
		.issuer = ca,
		.common_name = s->common_name,
		.organization = organization,
		.san = s->has_san ? o->san : NULL,
		.not_before = make_not_before(now),
		.not_after = not_after(now, o->days == DAYS_FOREVER ? s->days : o->days)};

	if (!cert_organization(ca->cert, organization, sizeof(organization)))
		r.organization = NULL;
	out->key = key_generate(o->key_type, e);
	if (!out->key || !key_public_spki(out->key, &spki, e))
		return false;
	r.spki = buf_bytes(&spki);
	out->cert = issue_certificate(&r, e);
	return out->cert != NULL || err_prefix(e, "%s", s->stem);
}

#define SERVERS_MAX 2

static bool make_servers(const struct server *servers, size_t count, const struct options *o,
	int64_t now, struct err *e)
{
	struct identity made[SERVERS_MAX] = {0};
	IDENTITY_AUTO struct identity ca = {0};
	bool ok = file_make_dir(o->out, 0755, e) && make_load_ca(o->ca, &ca, e);

	for (size_t i = 0; ok && i < count; i++)
		ok = output_is_free(o->out, servers[i].stem, e) &&
		     make_server(&servers[i], o, &ca, now, &made[i], e);
	for (size_t i = 0; ok && i < count; i++) {
		ok = output_write(o->out, servers[i].stem, made[i].key, made[i].cert, ca.cert, e);
		if (ok)
			announce(o->out, servers[i].stem, made[i].cert);
	}
	for (size_t i = 0; i < count; i++)
		identity_clear(&made[i]);
	return ok;
}

bool make_masa(const struct options *o, int64_t now_unix_s, struct err *e)
{
	static const struct server servers[] = {
		{"masa-signer", PROFILE_MASA_SIGNER, "MASA voucher signer", false, 3650},
		{"masa-tls", PROFILE_TLS_SERVER, "MASA", true, 825},
	};

	return make_servers(servers, 2, o, now_unix_s, e);
}

bool make_registrar(const struct options *o, int64_t now_unix_s, struct err *e)
{
	static const struct server registrar = {
		"registrar", PROFILE_REGISTRAR, "Registrar", true, 825};

	return make_servers(&registrar, 1, o, now_unix_s, e);
}
