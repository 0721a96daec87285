/* SPDX-License-Identifier: Apache-2.0 */
/* The choice is kept by the CA's key, so that files may change their places in the configuration.
 */
#include "registrar/issuing.h"

#include <string.h>

#include "registrar/records/issuing.h"
#include "registrar/revoked.h"

enum ca_slot issuing_slot(const struct registrar_setup *s)
{
	return s->ca == s->cas[CA_STANDBY] ? CA_STANDBY : CA_PRIMARY;
}

static struct ca *chosen(const struct registrar_setup *s, const struct issuing_choice *c)
{
	for (size_t i = 0; c->made && i < CA_SLOT_COUNT; i++)
		if (s->cas[i] && memcmp(ca_key_sha256(s->cas[i]), c->key_sha256, SHA256_LEN) == 0)
			return s->cas[i];
	return NULL;
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

static void follow_choice(
	struct registrar *r, struct registrar_setup *s, const struct issuing_choice *choice)
{
	struct ca *to = chosen(s, choice);

	if (choice->made && !to)
		log_event(&r->log, LOG_LEVEL_WARNING, "ca-chosen-is-not-configured", NULL, "hint",
			"registrarctl ca switch", NULL);
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

	if (ok && s->cas[CA_STANDBY])
		follow_choice(r, s, &choice);
	registrar_setup_free(s);
	return ok;
}
