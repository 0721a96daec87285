/* SPDX-License-Identifier: Apache-2.0 */
/* The choice is kept by the CA's key, so that files may change their places in the configuration.
 */
#include "registrar/issuing.h"

#include <string.h>

#include "registrar/revoked.h"

enum ca_slot issuing_slot(const struct registrar_setup *s)
{
	return s->ca == s->cas[CA_STANDBY] ? CA_STANDBY : CA_PRIMARY;
}

static struct ca *ca_of(const struct registrar_setup *s, const uint8_t key_sha256[SHA256_LEN])
{
	for (size_t i = 0; i < CA_SLOT_COUNT; i++)
		if (s->cas[i] && memcmp(ca_key_sha256(s->cas[i]), key_sha256, SHA256_LEN) == 0)
			return s->cas[i];
	return NULL;
}

void issuing_keep(const struct registrar_setup *from, struct registrar_setup *fresh)
{
	struct ca *same = ca_of(fresh, ca_key_sha256(from->ca));

	if (same)
		fresh->ca = same;
}

bool issuing_is_chosen(const struct issuing_choice *c, const struct ca *ca)
{
	return !c->made || memcmp(ca_key_sha256(ca), c->key_sha256, SHA256_LEN) == 0;
}

void issuing_warn(const struct registrar *r, const struct registrar_setup *s)
{
	const enum ca_slot issues = issuing_slot(s);

	for (enum ca_slot i = CA_PRIMARY; i < CA_SLOT_COUNT; i++) {
		const char *fault = s->cas[i] ? ca_fault(s->cas[i]) : NULL;

		if (fault && i == issues)
			log_event(&r->log, LOG_LEVEL_ERROR, "alert-ca-unusable", NULL, "ca",
				ca_slot_name(i), "reason", fault, "hint",
				"no certificate is issued; the other CA can be used: registrarctl "
				"ca switch",
				NULL);
		else if (fault)
			log_event(&r->log, LOG_LEVEL_WARNING, "ca-unusable", NULL, "ca",
				ca_slot_name(i), "reason", fault, NULL);
	}
}

/* Said once for each choice and setup: it is looked at with every commit. */
static void warn_of_foreign(
	struct registrar *r, struct registrar_setup *s, const struct issuing_choice *choice)
{
	if (atomic_exchange(&s->foreign_choice_at, choice->at) != choice->at)
		log_event(&r->log, LOG_LEVEL_WARNING, "ca-chosen-is-not-configured", NULL, "issues",
			ca_slot_name(CA_PRIMARY), "hint",
			"the site has switched to a CA that this registrar has not: configure it "
			"here, or switch again",
			NULL);
}

static void follow_choice(
	struct registrar *r, struct registrar_setup *s, const struct issuing_choice *choice)
{
	struct ca *to = choice->made ? ca_of(s, choice->key_sha256) : NULL;

	if (choice->made && !to)
		warn_of_foreign(r, s, choice);
	to = to ? to : s->cas[CA_PRIMARY];
	if (atomic_exchange(&s->ca, to) == to)
		return;
	log_event(&r->log, LOG_LEVEL_WARNING, "ca-switched", NULL, "ca",
		ca_slot_name(issuing_slot(s)), "certificate", cert_subject(ca_cert(to)), NULL);
}

bool issuing_follow(struct registrar *r, struct err *e)
{
	struct registrar_setup *s = registrar_setup_take(r);
	struct issuing_choice choice;
	bool ok = records_issuing(r->store, &choice, e);

	if (ok)
		follow_choice(r, s, &choice);
	registrar_setup_free(s);
	return ok;
}
