/* SPDX-License-Identifier: Apache-2.0 */
/* Hierarchies and servers. Everything is made in memory first and written when all of it is good.
 */
#include "certs/make.h"

#include <stdio.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/hierarchy.h"
#include "common/pki/identity_file.h"

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

static struct hierarchy_order order_of(const struct options *o, int64_t now, int days)
{
	return (struct hierarchy_order){.key_type = o->key_type, .now = now, .days = days};
}

bool make_hierarchy(const struct options *o, int64_t now_unix_s, struct err *e)
{
	const char *org = o->name			 ? o->name
			  : o->command == COMMAND_DOMAIN ? "Example Site"
							 : "Example Manufacturer";
	const struct hierarchy_order order = order_of(o, now_unix_s, o->days);
	IDENTITY_AUTO struct identity root = {0};
	IDENTITY_AUTO struct identity issuing = {0};

	if (!file_make_dir(o->out, 0755, e) || !identity_file_is_free(o->out, "root", e) ||
		!identity_file_is_free(o->out, "issuing", e) ||
		!hierarchy_root(&order, org, &root, e) ||
		!hierarchy_issuing(&order, org, &root, &issuing, e) ||
		!identity_file_write(o->out, "root", root.key, root.cert, NULL, e) ||
		!identity_file_write(o->out, "issuing", issuing.key, issuing.cert, NULL, e))
		return false;
	announce(o->out, "root", root.cert);
	announce(o->out, "issuing", issuing.cert);
	return true;
}

bool make_standby(const struct options *o, int64_t now_unix_s, struct err *e)
{
	const struct hierarchy_order order = order_of(o, now_unix_s, o->days);
	FREE_AUTO char *key = str_printf(e, "%s/root.key", o->ca);
	FREE_AUTO char *cert = str_printf(e, "%s/root.crt", o->ca);
	IDENTITY_AUTO struct identity root = {0};
	IDENTITY_AUTO struct identity standby = {0};

	if (!key || !cert || !identity_load(&root, key, cert, e) ||
		!file_make_dir(o->out, 0755, e) || !identity_file_is_free(o->out, "standby", e) ||
		!hierarchy_standby(&order, &root, &standby, e) ||
		!identity_file_write(o->out, "standby", standby.key, standby.cert, NULL, e))
		return false;
	announce(o->out, "standby", standby.cert);
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
	const struct hierarchy_order order =
		order_of(o, now, o->days == DAYS_FOREVER ? s->days : o->days);
	const struct hierarchy_member member = {
		s->profile, s->common_name, s->has_san ? o->san : NULL};

	return hierarchy_member(&order, &member, ca, out, e) || err_prefix(e, "%s", s->stem);
}

#define SERVERS_MAX 2

static bool make_servers(const struct server *servers, size_t count, const struct options *o,
	int64_t now, struct err *e)
{
	struct identity made[SERVERS_MAX] = {0};
	IDENTITY_AUTO struct identity ca = {0};
	bool ok = file_make_dir(o->out, 0755, e) && make_load_ca(o->ca, &ca, e);

	for (size_t i = 0; ok && i < count; i++)
		ok = identity_file_is_free(o->out, servers[i].stem, e) &&
		     make_server(&servers[i], o, &ca, now, &made[i], e);
	for (size_t i = 0; ok && i < count; i++) {
		ok = identity_file_write(
			o->out, servers[i].stem, made[i].key, made[i].cert, ca.cert, e);
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
		{"masa-signer", PROFILE_MASA_SIGNER, "MASA voucher signer", false,
			HIERARCHY_SIGNER_DAYS},
		{"masa-tls", PROFILE_TLS_SERVER, "MASA", true, HIERARCHY_SERVER_DAYS},
	};

	return make_servers(servers, 2, o, now_unix_s, e);
}

bool make_registrar(const struct options *o, int64_t now_unix_s, struct err *e)
{
	static const struct server registrar = {
		"registrar", PROFILE_REGISTRAR, "Registrar", true, HIERARCHY_SERVER_DAYS};

	return make_servers(&registrar, 1, o, now_unix_s, e);
}
