/* SPDX-License-Identifier: Apache-2.0 */
/* The checks on a MASA's voucher, one row each, in the order in which a fault is most telling
 * (RFC 8995 §5.6, §5.6.2). What is wrong with it is the MASA's fault: 502. */
#include "registrar/vet.h"

#include <string.h>

#include "common/pki/idevid.h"

struct subject {
	const struct vetting *v;
	const struct signed_voucher *voucher;
};

/* A MASA whose pledges have its bare key wraps that key into a certificate of its own making: alone
 * in the bag and signed by itself it says no more than that this key signed, which is all there is
 * to say (row O-11). That it came from the MASA is what TLS says. */
static bool is_bare_key(const struct signed_voucher *v)
{
	return v->certs.count == 1 && cert_same(v->certs.items[0], v->signer) &&
	       cert_is_self_signed(v->signer);
}

static bool signer_is_trusted(const struct subject *s, struct err *e)
{
	if (s->v->bare_keys && is_bare_key(s->voucher))
		return true;
	return chain_verify(
		s->v->masa_anchors, s->voucher->signer, &s->voucher->certs, s->v->now, NULL, e);
}

/* A device of the same manufacturer is no MASA, though both may be below one root. */
static bool signer_is_no_device(const struct subject *s, struct err *e)
{
	return !s->v->idevid || !idevid_is_sibling(s->v->idevid, s->voucher->signer) ||
	       err_set(e, ERR_PEER, "signed by a device, \"%s\"", cert_subject(s->voucher->signer));
}

static bool is_a_voucher(const struct subject *s, struct err *e)
{
	return s->voucher->fields.kind == VOUCHER ||
	       err_set(e, ERR_PEER, "it is a voucher-request");
}

static bool serial_is_asked(const struct subject *s, struct err *e)
{
	const char *serial = s->voucher->fields.serial_number;

	return (serial && strcmp(serial, s->v->serial) == 0) ||
	       err_set(e, ERR_PEER, "serial-number is \"%s\", not \"%s\"", serial ? serial : "",
		       s->v->serial);
}

static bool nonce_is_asked(const struct subject *s, struct err *e)
{
	const char *nonce = s->voucher->fields.nonce;

	if (!s->v->nonce)
		return !nonce || err_set(e, ERR_PEER, "a nonce that nobody asked for");
	if (!nonce)
		return err_set(e, ERR_PEER, "no nonce in the answer to a request with one");
	return voucher_nonce_equal(nonce, s->v->nonce) || err_set(e, ERR_PEER, "nonce differs");
}

static bool not_expired(const struct subject *s, struct err *e)
{
	return !s->voucher->fields.has_expires_on || s->voucher->fields.expires_on > s->v->now ||
	       err_set(e, ERR_PEER, "it is expired");
}

static bool pins_us(const struct subject *s, struct err *e)
{
	const struct voucher *f = &s->voucher->fields;
	struct bytes own = cert_spki(s->v->domain->identity->cert);

	if (s->v->names_est)
		return (f->est_domain && f->pinned_domain_cert.len) ||
		       err_set(e, ERR_PEER, "it names no EST server, or does not pin it");
	if (f->pinned_domain_cert.len)
		return domain_covered_by(
			s->v->domain, buf_bytes(&f->pinned_domain_cert), s->v->cache, s->v->now, e);
	if (f->pinned_domain_pubk.len)
		return bytes_equal(buf_bytes(&f->pinned_domain_pubk), own) ||
		       err_set(e, ERR_PEER, "pinned-domain-pubk is not our key");
	if (f->pinned_domain_pubk_sha256.len)
		return bytes_equal(buf_bytes(&f->pinned_domain_pubk_sha256),
			       bytes_of(s->v->domain->spki_sha256, SHA256_LEN)) ||
		       err_set(e, ERR_PEER, "pinned-domain-pubk-sha256 is not our key");
	return err_set(e, ERR_PEER, "it pins nothing");
}

static bool (*const checks[])(const struct subject *s, struct err *e) = {
	signer_is_trusted,
	signer_is_no_device,
	is_a_voucher,
	serial_is_asked,
	nonce_is_asked,
	not_expired,
	pins_us,
};

static bool run_checks(const struct vetting *v, struct bytes octets, struct err *e)
{
	SIGNED_VOUCHER_AUTO struct signed_voucher voucher;
	struct subject s = {v, &voucher};

	signed_voucher_init(&voucher);
	if (!v->format->open(octets, v->cache, anchors_certs(v->masa_anchors), &voucher, e))
		return false;
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		if (!checks[i](&s, e))
			return false;
	return true;
}

/* A failure of our own stays what it is; everything else is the MASA's. */
static enum err_kind blame(enum err_kind kind)
{
	return kind == ERR_NO_MEMORY || kind == ERR_BUG ? kind : ERR_PEER;
}

bool vet_voucher(const struct vetting *v, struct bytes octets, struct err *e)
{
	if (run_checks(v, octets, e))
		return true;
	e->kind = blame(e->kind);
	err_prefix(e, "voucher from the MASA");
	return err_tell(e, "The MASA of this device sent a voucher that is not valid.");
}
