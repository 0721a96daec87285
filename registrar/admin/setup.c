/* SPDX-License-Identifier: Apache-2.0 */
/* Loading what the administrators' listener needs. A client certificate is asked for only where
 * some CA's are users: browsers would show everybody a list to choose from. */
#include "registrar/admin/setup.h"

static bool check_certificate(const struct cert *c, int64_t now, struct err *e)
{
	if (!(cert_eku(c) & CERT_EKU_SERVER_AUTH))
		return err_set(
			e, ERR_INPUT, "the certificate lacks the extended key usage serverAuth");
	if (cert_not_after(c) <= now || cert_not_before(c) > now)
		return err_set(e, ERR_INPUT, "the certificate is expired or not valid yet");
	return true;
}

static bool make_tls(struct admin_setup *a, const struct identity *id, struct err *e)
{
	a->tls = tls_server_new(id, a->client_anchors != NULL, e);
	return a->tls && (!a->client_anchors || tls_server_name_clients(a->tls,
							anchors_certs(a->client_anchors), e));
}

static bool load_tls(struct admin_setup *a, const struct registrar_config *c,
	const struct identity *own, int64_t now, struct err *e)
{
	IDENTITY_AUTO struct identity id = {.key = NULL};

	if (!c->admin_certificate)
		return make_tls(a, own, e);
	return identity_load(&id, c->admin_key, c->admin_certificate, e) &&
	       check_certificate(id.cert, now, e) && make_tls(a, &id, e);
}

static bool load(struct admin_setup *a, const struct registrar_config *c,
	const struct identity *own, int64_t now, struct err *e)
{
	if (!c->admin_listen)
		return true;
	if (c->admin_client_anchors &&
		!(a->client_anchors = anchors_load(c->admin_client_anchors, e)))
		return err_prefix(e, "client_anchors");
	if (c->admin_web && !(a->web = web_files_load(c->admin_web, e)))
		return err_prefix(e, "web");
	return load_tls(a, c, own, now, e);
}

bool admin_setup_load(struct admin_setup *a, const struct registrar_config *c,
	const struct identity *own, int64_t now, struct err *e)
{
	return load(a, c, own, now, e) || err_prefix(e, "[admin]");
}

void admin_setup_clear(struct admin_setup *a)
{
	tls_server_free(a->tls);
	anchors_free(a->client_anchors);
	web_files_free(a->web);
	*a = (struct admin_setup){.tls = NULL};
}
