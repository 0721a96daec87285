/* SPDX-License-Identifier: Apache-2.0 */
/* The checks on a voucher-request as two tables, in the order in which they decide: authenticate.h.
 */
#include "masa/authenticate.h"

#include <stdlib.h>
#include <string.h>

struct check_context {
	const struct authenticator *by;
	const struct voucher_format *format;
	int64_t now;
	struct authentic *a;
};

typedef bool check_fn(const struct check_context *c, struct err *e);

void authentic_init(struct authentic *a)
{
	memset(a, 0, sizeof(*a));
	signed_voucher_init(&a->rvr);
	signed_voucher_init(&a->pvr);
}

void authentic_clear(struct authentic *a)
{
	signed_voucher_clear(&a->rvr);
	signed_voucher_clear(&a->pvr);
	cert_list_clear(&a->domain);
}

static bool refuse(struct err *e, const char *reason)
{
	err_set(e, ERR_UNAUTHENTICATED, "%s", reason);
	return err_tell(e, "The voucher-request was refused: %s.", reason);
}

/* ---- the registrar ---- */

static bool is_a_request(const struct check_context *c, struct err *e)
{
	if (c->a->rvr.fields.kind == VOUCHER_REQUEST)
		return true;
	return err_set(e, ERR_INPUT, "a voucher, not a voucher-request");
}

/* R8995-MASA-006, -007: an unknown domain CA is a temporary anchor, but its chain must hold. */
static bool domain_holds(const struct check_context *c, struct err *e)
{
	return domain_path(
		c->by->domains, c->a->rvr.signer, &c->a->rvr.certs, c->now, &c->a->domain, e);
}

/* R8995-MASA-008, RFC 8995 §5.5.4: else any holder of a domain certificate could claim devices. */
static bool signer_is_ra(const struct check_context *c, struct err *e)
{
	if (cert_eku(c->a->rvr.signer) & CERT_EKU_CMC_RA)
		return true;
	return refuse(e, "the registrar's certificate lacks the extended key usage id-kp-cmcRA");
}

/* R8995-MASA-007. */
static bool domain_not_revoked(const struct check_context *c, struct err *e)
{
	return crl_set_check(c->by->crls, &c->a->domain, e);
}

/* ENC-ALL-011. The string itself is never re-encoded (T-04). */
static bool nonce_has_its_length(const struct check_context *c, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_NONCE_MAX);
	const char *nonce = c->a->rvr.fields.nonce;

	if (!nonce || voucher_nonce_octets(nonce, &octets, e))
		return true;
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_INPUT;
	return err_tell(e, "The nonce does not have 8 to 32 octets.");
}

/* R8995-MASA-016: a registrar that puts it there has misunderstood whose statement it is. */
static bool no_proximity_of_its_own(const struct check_context *c, struct err *e)
{
	const struct voucher *v = &c->a->rvr.fields;

	if (!v->proximity_registrar_cert.len && !v->proximity_registrar_pubk.len &&
		!v->proximity_registrar_pubk_sha256.len)
		return true;
	return refuse(e, "a registrar's request must not contain proximity-registrar-cert");
}

static check_fn *const registrar_checks[] = {
	is_a_request,
	domain_holds,
	signer_is_ra,
	domain_not_revoked,
	nonce_has_its_length,
	no_proximity_of_its_own,
};

/* ---- the pledge ---- */

/* Whatever is wrong inside a request that its registrar signed is the registrar's failure to check:
 * 403, not 400 (R8995-MASA-012). */
static bool pledge_signed(const struct check_context *c, struct err *e)
{
	struct bytes octets = buf_bytes(&c->a->rvr.fields.prior_signed_voucher_request);

	/* in COSE the IDevID comes with the registrar's request */
	if (c->format->open(octets, c->by->certs, &c->a->rvr.certs, &c->a->pvr, e)) {
		if (c->a->pvr.fields.kind == VOUCHER_REQUEST)
			return true;
		err_set(e, ERR_INPUT, "a voucher, not a voucher-request");
	}
	if (e->kind == ERR_INPUT || e->kind == ERR_TOO_LARGE || e->kind == ERR_UNAUTHENTICATED) {
		e->kind = ERR_UNAUTHENTICATED;
		err_tell(e, "The pledge's request inside could not be verified.");
	}
	return false;
}

/* The manufacturer's own devices, whenever their certificates were to expire: an IDevID is for life
 * (R8995-PLG-062), and whether to let an old one in is the registrar's decision. */
static bool idevid_is_ours(const struct check_context *c, struct err *e)
{
	CERT_LIST_AUTO struct cert_list between = CERT_LIST_INIT;

	if (!cert_list_merge(&between, &c->a->pvr.certs, e) ||
		!cert_list_merge(&between, &c->a->rvr.certs, e))
		return false;
	if (chain_verify(c->by->devices, c->a->pvr.signer, &between, CHAIN_NO_TIME, NULL, e))
		return true;
	if (e->kind == ERR_UNAUTHENTICATED)
		err_tell(e, "The pledge's certificate is not from this manufacturer.");
	return false;
}

/* R8995-MASA-013: the serial of the certificate decides; both requests must say the same (T-09:
 * octet by octet). */
static bool serials_agree(const struct check_context *c, struct err *e)
{
	FREE_AUTO char *serial = idevid_serial_number(c->a->pvr.signer, c->by->serial_from, e);

	if (!serial)
		return false;
	if (strcmp(serial, c->a->rvr.fields.serial_number) != 0)
		return refuse(e, "serial-number is not the one in the pledge's certificate");
	if (strcmp(serial, c->a->pvr.fields.serial_number) != 0)
		return refuse(e,
			"serial-number of the pledge's request is not the one in its certificate");
	return true;
}

/* R8995-MASA-014. Both absent agree; freshness is not ours to judge. */
static bool nonces_agree(const struct check_context *c, struct err *e)
{
	const char *outer = c->a->rvr.fields.nonce, *inner = c->a->pvr.fields.nonce;

	if ((!outer && !inner) || (outer && inner && voucher_nonce_equal(outer, inner)))
		return true;
	return refuse(e, "nonce differs from the one in the pledge's request");
}

static bool is_spki(const struct cert *cert, struct bytes spki, bool hashed, struct err *e)
{
	uint8_t digest[SHA256_LEN];

	if (!hashed)
		return bytes_equal(cert_spki(cert), spki);
	return digest_sha256(cert_spki(cert), digest, e) &&
	       bytes_equal(bytes_of(digest, sizeof(digest)), spki);
}

/* A registrar may sign with another key than it shows in TLS (T-14). Its TLS certificate then comes
 * along, and counts when the signer's own issuer made it for a registration authority, too. */
static bool same_registrar(const struct check_context *c, struct cert *other, struct err *e)
{
	CERT_LIST_AUTO struct cert_list issuer = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchor = NULL;
	struct err why = ERR_INIT;

	if (c->a->domain.count < 2 || !(cert_eku(other) & CERT_EKU_CMC_RA))
		return false;
	if (!cert_list_add(&issuer, c->a->domain.items[1], e))
		return false;
	anchor = anchors_new(&issuer, e);
	if (!anchor || chain_verify(anchor, other, NULL, c->now, NULL, &why))
		return anchor != NULL;
	if (why.kind == ERR_NO_MEMORY)
		*e = why;
	return false;
}

static bool registrar_has_key(
	const struct check_context *c, struct bytes spki, bool hashed, struct err *e)
{
	for (size_t i = 0; i < c->a->domain.count; i++)
		if (is_spki(c->a->domain.items[i], spki, hashed, e))
			return true;
	return false;
}

/* The very certificate the pledge saw: a key alone would prove nothing here, for anybody can have
 * somebody else's public key certified by a CA of his own. */
static bool registrar_has_cert(
	const struct check_context *c, const struct cert *seen, struct err *e)
{
	for (size_t i = 0; i < c->a->rvr.certs.count; i++)
		if (cert_same(c->a->rvr.certs.items[i], seen) &&
			same_registrar(c, c->a->rvr.certs.items[i], e))
			return true;
	return false;
}

/* R8995-MASA-013, -041: what the pledge saw in TLS, the most compact statement deciding when there
 * are several. A pledge that made none gets a voucher that claims none. */
static bool proximity_holds(const struct check_context *c, struct err *e)
{
	const struct voucher *v = &c->a->pvr.fields;
	bool same = false;

	if (v->proximity_registrar_pubk_sha256.len) {
		same = registrar_has_key(
			c, buf_bytes(&v->proximity_registrar_pubk_sha256), true, e);
	} else if (v->proximity_registrar_pubk.len) {
		same = registrar_has_key(c, buf_bytes(&v->proximity_registrar_pubk), false, e);
	} else if (v->proximity_registrar_cert.len) {
		CERT_AUTO struct cert *seen =
			cert_cache_get(c->by->certs, buf_bytes(&v->proximity_registrar_cert), e);

		same = seen && (registrar_has_key(c, cert_spki(seen), false, e) ||
				       registrar_has_cert(c, seen, e));
	} else {
		return true;
	}
	c->a->proximity = same;
	if (!same && e->kind == ERR_NO_MEMORY)
		return false;
	return same || refuse(e, "the pledge did not talk to the registrar that signed");
}

static check_fn *const pledge_checks[] = {
	pledge_signed,
	idevid_is_ours,
	serials_agree,
	nonces_agree,
	proximity_holds,
};

/* ---- running them ---- */

static bool run(check_fn *const *checks, size_t count, const struct check_context *c, struct err *e)
{
	for (size_t i = 0; i < count; i++)
		if (!checks[i](c, e))
			return false;
	return true;
}

bool authenticate_registrar(const struct authenticator *by, const struct voucher_format *format,
	struct bytes octets, int64_t now, struct authentic *a, struct err *e)
{
	struct check_context c = {by, format, now, a};

	return format->open(octets, by->certs, NULL, &a->rvr, e) &&
	       run(registrar_checks, sizeof(registrar_checks) / sizeof(*registrar_checks), &c, e);
}

bool authenticate_registrar_again(const struct authenticator *by,
	const struct voucher_format *format, struct bytes octets, int64_t now, struct authentic *a,
	struct err *e)
{
	struct check_context c = {by, format, now, a};

	if (!format->parse(octets, by->certs, &a->rvr, e))
		return false;
	if (!a->rvr.signer)
		return err_set(e, ERR_UNAUTHENTICATED, "the signer's certificate is missing");
	return run(registrar_checks, sizeof(registrar_checks) / sizeof(*registrar_checks), &c, e);
}

bool authenticate_pledge(const struct authenticator *by, const struct voucher_format *format,
	int64_t now, struct authentic *a, struct err *e)
{
	struct check_context c = {by, format, now, a};

	a->has_pvr = a->rvr.fields.prior_signed_voucher_request.len > 0;
	if (a->has_pvr)
		return run(pledge_checks, sizeof(pledge_checks) / sizeof(*pledge_checks), &c, e);
	if (a->rvr.fields.nonce && by->require_prior)
		return refuse(e, "prior-signed-voucher-request is missing");
	return true;
}
