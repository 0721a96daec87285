/* SPDX-License-Identifier: Apache-2.0 */
/* From a client certificate to a device. Possession of its key was proven in the handshake; here
 * its issuer is judged. An LDevID of ours is one the store knows: that is stronger than its chain,
 * and it also says which device it was issued to. */
#include "registrar/identify.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/idevid.h"

static bool no_certificate(struct err *e)
{
	err_set(e, ERR_UNAUTHENTICATED, "no client certificate");
	return err_tell(e, "A client certificate is needed here.");
}

/* Expired IDevIDs verify when the manufacturer's policy says so (R8995-REG-007). */
static bool chains_to(
	const struct manufacturer *m, const struct peer *peer, int64_t now, struct err *e)
{
	int64_t at = m->config->expired_idevid == EXPIRED_ACCEPT ? CHAIN_NO_TIME : now;

	return chain_verify(m->anchors, peer->cert, &peer->chain, at, NULL, e);
}

/* Would it have a path at any time? Then the manufacturer is known and the device too old. */
static bool chains_ever(const struct registrar_setup *s, const struct peer *peer)
{
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < s->manufacturer_count; i++)
		if (chain_verify(s->manufacturers[i].anchors, peer->cert, &peer->chain,
			    CHAIN_NO_TIME, NULL, &ignored))
			return true;
	return false;
}

static bool unknown_manufacturer(const struct registrar_setup *s, const struct peer *peer,
	const struct err *reason, struct err *e)
{
	const char *subject = cert_subject(peer->cert), *issuer = cert_issuer(peer->cert);

	if (reason->kind == ERR_NO_MEMORY) {
		*e = *reason;
		return false;
	}
	if (chains_ever(s, peer)) {
		err_set(e, ERR_UNAUTHENTICATED, "IDevID \"%s\" of issuer \"%s\": %s", subject,
			issuer, reason->text);
		return err_tell(e, "The client certificate is outside its validity period.");
	}
	err_set(e, ERR_REFUSED,
		"IDevID \"%s\": no manufacturer with issuer \"%s\" is configured (%s)", subject,
		issuer, reason->text);
	return err_tell(e, "The manufacturer of this device is not known here.");
}

const struct manufacturer *identify_idevid(const struct registrar_setup *s, const struct peer *peer,
	int64_t now, char **serial, struct err *e)
{
	struct err reason = ERR_INIT;

	*serial = NULL;
	if (!peer->cert) {
		no_certificate(e);
		return NULL;
	}
	for (size_t i = 0; i < s->manufacturer_count; i++) {
		const struct manufacturer *m = &s->manufacturers[i];

		if (!chains_to(m, peer, now, &reason)) {
			if (reason.kind == ERR_NO_MEMORY)
				break; /* it may have been this one */
			continue;
		}
		*serial = idevid_serial_number(
			peer->cert, (enum idevid_serial_source)m->config->serial_from, e);
		if (!*serial)
			err_prefix(e, "IDevID \"%s\"", cert_subject(peer->cert));
		return *serial ? m : NULL;
	}
	unknown_manufacturer(s, peer, &reason, e);
	return NULL;
}

void client_clear(struct client *c)
{
	free(c->manufacturer_name);
	free(c->serial);
	memset(c, 0, sizeof(*c));
}

struct device_key client_key(const struct client *c)
{
	return (struct device_key){c->manufacturer_name, c->serial};
}

static bool identify_ldevid(const struct registrar_setup *s, const struct peer *peer,
	const struct certificate_record *issued, struct client *out, struct err *e)
{
	out->is_ldevid = true;
	out->manufacturer_name = issued->manufacturer;
	out->serial = issued->serial;
	out->issued_at = issued->issued_at;
	out->not_after = issued->not_after;
	out->manufacturer = registrar_setup_manufacturer(s, issued->manufacturer);
	if (issued->revoked_at == 0)
		return true;
	err_set(e, ERR_REFUSED, "certificate \"%s\" was revoked", cert_subject(peer->cert));
	return err_tell(e, "This certificate was revoked.");
}

static bool not_issued_here(const struct peer *peer, struct err *e)
{
	err_set(e, ERR_REFUSED, "certificate \"%s\" bears our CA's name and was not issued here",
		cert_subject(peer->cert));
	return err_tell(e, "This certificate was not issued here.");
}

bool identify_client(const struct registrar *r, const struct registrar_setup *s,
	const struct peer *peer, int64_t now, struct client *out, struct err *e)
{
	struct certificate_record issued = {0};

	memset(out, 0, sizeof(*out));
	if (!peer->cert)
		return no_certificate(e);
	if (ca_or_predecessor_may_have_issued(s->ca, peer->cert) &&
		!records_certificate(r->store, cert_sha256(peer->cert), &issued, e))
		return false;
	if (issued.found)
		return identify_ldevid(s, peer, &issued, out, e);
	if (ca_may_have_issued(s->ca, peer->cert))
		return not_issued_here(peer, e);
	out->manufacturer = identify_idevid(s, peer, now, &out->serial, e);
	if (!out->manufacturer)
		return false;
	out->manufacturer_name = str_dup(out->manufacturer->config->name, e);
	return out->manufacturer_name != NULL;
}
