/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a MASA's configuration with everything it names: see setup.h. */
#include "masa/setup.h"

#include <stdlib.h>

#include "common/run/config_changes.h"

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

static bool load_signers(struct masa_setup *s, int64_t now, struct err *e)
{
	const struct masa_config *c = s->config;

	if (!load_signer(&s->signer, c->signer_key, c->signer_certificate, now, e))
		return false;
	if (!c->nonceless_key)
		return true;
	s->has_nonceless_signer = true;
	return load_signer(
		&s->nonceless_signer, c->nonceless_key, c->nonceless_certificate, now, e);
}

static bool load_trust(struct masa_setup *s, struct err *e)
{
	s->devices = anchors_load(s->config->device_anchors, e);
	if (!s->devices)
		return err_prefix(e, "device anchors");
	if (s->config->cloud_registrars) {
		s->cloud_registrars = anchors_load(s->config->cloud_registrars, e);
		if (!s->cloud_registrars)
			return err_prefix(e, "[cloud] registrars");
	}
	if (!s->config->crls)
		return true;
	s->crls = crl_set_load(s->config->crls, e);
	return s->crls || err_prefix(e, "revocation lists");
}

static struct masa_setup *allocate(struct err *e)
{
	struct masa_setup *s = mem_new(sizeof(*s), e);

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	buf_init(&s->list, CONFIG_LIST_MAX);
	s->config = &s->own;
	return s;
}

static bool load_tokens(struct masa_setup *s, struct err *e)
{
	if (!s->config->admin_tokens)
		return true;
	s->tokens = masa_tokens_load(s->config->admin_tokens, e);
	return s->tokens || err_prefix(e, "[admin] tokens");
}

struct masa_setup *masa_setup_new(const struct masa_config *config, int64_t now, struct err *e)
{
	struct masa_setup *s = allocate(e);

	if (!s)
		return NULL;
	s->config = config;
	if (load_signers(s, now, e) && load_trust(s, e) && load_tokens(s, e))
		return s;
	masa_setup_free(s);
	return NULL;
}

struct masa_setup *masa_setup_load(const char *config_path, int64_t now, struct err *e)
{
	struct masa_setup *s = allocate(e);

	if (!s)
		return NULL;
	if (masa_config_load(config_path, &s->own, e) &&
		config_list(&masa_config_schema, &s->own, &s->list, e) && load_signers(s, now, e) &&
		load_trust(s, e) && load_tokens(s, e))
		return s;
	masa_setup_free(s);
	return NULL;
}

struct masa_setup *masa_setup_ref(struct masa_setup *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void masa_setup_free(struct masa_setup *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	masa_tokens_free(s->tokens);
	crl_set_free(s->crls);
	anchors_free(s->devices);
	anchors_free(s->cloud_registrars);
	identity_clear(&s->nonceless_signer);
	identity_clear(&s->signer);
	masa_config_clear(&s->own);
	buf_clear(&s->list);
	free(s);
}

struct owner_policy masa_owner_policy(const struct masa_setup *s)
{
	return (struct owner_policy){.ownership = (enum ownership)s->config->ownership,
		.nonceless = (enum nonceless)s->config->nonceless};
}

struct issue_policy masa_issue_policy(const struct masa_setup *s)
{
	return (struct issue_policy){.pin = (enum pin)s->config->pin,
		.nonceless_lifetime_s = s->config->nonceless_lifetime_s,
		.renewal_promise_s = s->config->renewal_promise_s};
}

struct revocation_rules masa_revocation_rules(const struct masa_setup *s)
{
	return (struct revocation_rules){.policy = (enum revocation_policy)s->config->revocation,
		.address_classes = s->config->revocation_addresses};
}

struct signers masa_signers(const struct masa_setup *s)
{
	return (struct signers){.nonced = &s->signer,
		.nonceless = s->has_nonceless_signer ? &s->nonceless_signer : &s->signer};
}
