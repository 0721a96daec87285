/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a MASA together from its configuration, and taking it apart. */
#include "masa/masa.h"

#include <stdlib.h>

/* A signer that has expired makes vouchers no pledge with a clock takes: better not to start. */
static bool load_signer(
	struct identity *out, const char *key, const char *certificate, int64_t now, struct err *e)
{
	if (!identity_load(out, key, certificate, e))
		return err_prefix(e, "voucher signer");
	if (now > cert_not_after(out->cert) || now < cert_not_before(out->cert))
		return err_set(
			e, ERR_INPUT, "voucher signer: %s is not valid at this time", certificate);
	return true;
}

static bool load_signers(struct masa *m, struct err *e)
{
	const struct masa_config *c = m->config;
	int64_t now = clock_unix_s(&m->clock);

	if (!load_signer(&m->signer, c->signer_key, c->signer_certificate, now, e))
		return false;
	if (!c->nonceless_key)
		return true;
	m->has_nonceless_signer = true;
	return load_signer(
		&m->nonceless_signer, c->nonceless_key, c->nonceless_certificate, now, e);
}

static bool load_authenticator(struct masa *m, struct err *e)
{
	struct authenticator *a = &m->authenticator;

	a->serial_from = (enum idevid_serial_source)m->config->serial_from;
	a->require_prior = m->config->require_prior;
	a->certs = cert_cache_new(MASA_CERTS_CACHED, e);
	a->domains = a->certs ? domain_cache_new(MASA_DOMAINS_CACHED, e) : NULL;
	if (!a->domains)
		return false;
	a->devices = anchors_load(m->config->device_anchors, e);
	if (!a->devices)
		return err_prefix(e, "device anchors");
	if (!m->config->crls)
		return true;
	a->crls = crl_set_load(m->config->crls, e);
	return a->crls || err_prefix(e, "revocation lists");
}

struct masa *masa_new(const struct masa_config *config, const struct log *l,
	const struct clock *clock, struct err *e)
{
	struct masa *m = mem_new(sizeof(*m), e);

	if (!m)
		return NULL;
	m->config = config;
	m->log = *l;
	if (clock)
		m->clock = *clock;
	if (load_signers(m, e) && load_authenticator(m, e) &&
		(m->rate = rate_new(MASA_RATES_COUNTED, config->per_registrar_per_minute, e)) &&
		(m->owners = owners_new(e)))
		return m;
	masa_free(m);
	return NULL;
}

bool masa_open_store(struct masa *m, struct err *e)
{
	m->store = store_open(m->config->store_path, &masa_schema, e);
	return m->store && owners_load(m->owners, m->store, e);
}

void masa_free(struct masa *m)
{
	if (!m)
		return;
	store_close(m->store);
	owners_free(m->owners);
	rate_free(m->rate);
	crl_set_free(m->authenticator.crls);
	anchors_free(m->authenticator.devices);
	domain_cache_free(m->authenticator.domains);
	cert_cache_free(m->authenticator.certs);
	identity_clear(&m->nonceless_signer);
	identity_clear(&m->signer);
	free(m);
}

struct owner_policy masa_owner_policy(const struct masa *m)
{
	return (struct owner_policy){.ownership = (enum ownership)m->config->ownership,
		.nonceless = (enum nonceless)m->config->nonceless};
}

struct issue_policy masa_issue_policy(const struct masa *m)
{
	return (struct issue_policy){.pin = (enum pin)m->config->pin,
		.nonceless_lifetime_s = m->config->nonceless_lifetime_s,
		.renewal_promise_s = m->config->renewal_promise_s};
}

struct signers masa_signers(const struct masa *m)
{
	return (struct signers){.nonced = &m->signer,
		.nonceless = m->has_nonceless_signer ? &m->nonceless_signer : &m->signer};
}
