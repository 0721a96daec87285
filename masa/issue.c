/* SPDX-License-Identifier: Apache-2.0 */
/* Making vouchers (RFC 8995 §5.6, RFC 8366 §5.3): see issue.h. */
#include "masa/issue.h"

#include <string.h>

/* ---- what it says ---- */

/* R8995-MASA-018, T-15: a certificate of the chain the registrar showed or its owner configured.
 * With a nonce the lowest CA says least; without one, the highest survives a change of sub-CA. */
static const struct cert *choose_pin(enum pin pin, const struct cert_list *path)
{
	switch (pin) {
	case PIN_END_ENTITY:
		return path->items[0];
	case PIN_LOWEST_CA:
		return path->items[path->count > 1 ? 1 : 0];
	case PIN_HIGHEST_CA:
		return path->items[path->count - 1];
	}
	return path->items[0];
}

/* R8995-MASA-021: what was verified, and nothing the request asserts (R8995-MASA-015). */
static enum voucher_assertion what_was_verified(const struct authentic *a, const struct permit *p)
{
	if (p->est_domain) /* the owner stands in our own books; it is not beside the device */
		return ASSERTION_VERIFIED;
	if (a->proximity)
		return ASSERTION_PROXIMITY;
	return p->owner_verified ? ASSERTION_VERIFIED : ASSERTION_LOGGED;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* R8995-MASA-024, -042: no nonce, no life beyond that of the certificates it rests on. */
static void limit_lifetime(const struct issue_policy *policy, const struct cert *signer,
	const struct cert *pinned, struct voucher *v)
{
	v->has_expires_on = true;
	v->expires_on = earlier(v->created_on + policy->nonceless_lifetime_s,
		earlier(cert_not_after(signer), cert_not_after(pinned)));
	if (policy->renewal_promise_s == 0)
		return;
	v->has_last_renewal_date = true; /* R8995-MASA-039 */
	v->last_renewal_date = v->created_on + policy->renewal_promise_s;
}

static bool set_octets(struct buf *to, struct bytes from, struct err *e)
{
	buf_clear(to);
	buf_init(to, from.len);
	return buf_append(to, from.data, from.len, e);
}

static bool set_text(char **to, const char *from, struct err *e)
{
	*to = str_dup(from, e);
	return *to != NULL;
}

/* R8995-MASA-023: as the pledge computes it from its own certificate, else as it was imported. */
static bool set_idevid_issuer(
	const struct authentic *a, const struct device *d, struct voucher *v, struct err *e)
{
	buf_clear(&v->idevid_issuer);
	if (!a->has_pvr)
		return set_octets(&v->idevid_issuer, buf_bytes(&d->idevid_issuer), e);
	buf_init(&v->idevid_issuer, CERT_DER_MAX);
	return idevid_issuer(a->pvr.signer, &v->idevid_issuer, e);
}

/* Which leaf says whom the pledge may trust: a certificate, unless that would be the registrar's
 * own and the pledge named it by its key. Then it gets the key in the form it used itself, and need
 * not understand certificates at all (draft-ietf-anima-constrained-voucher §8.3). */
static bool set_pin(
	const struct authentic *a, const struct cert *pinned, struct voucher *out, struct err *e)
{
	const struct voucher *said = &a->pvr.fields;
	struct bytes spki = cert_spki(pinned);
	uint8_t digest[SHA256_LEN];

	if (!digest_sha256(spki, digest, e))
		return false;
	if (a->proximity && bytes_equal(buf_bytes(&said->proximity_registrar_pubk_sha256),
				    bytes_of(digest, sizeof(digest))))
		return set_octets(
			&out->pinned_domain_pubk_sha256, bytes_of(digest, sizeof(digest)), e);
	if (a->proximity && bytes_equal(buf_bytes(&said->proximity_registrar_pubk), spki))
		return set_octets(&out->pinned_domain_pubk, spki, e);
	return set_octets(&out->pinned_domain_cert, cert_der(pinned), e);
}

bool issue_decide(const struct issue_policy *policy, const struct authentic *a,
	const struct permit *permit, int64_t now, struct voucher *out, const struct cert **pinned,
	struct err *e)
{
	const struct voucher *asked = &a->rvr.fields;

	*pinned = choose_pin(asked->nonce ? policy->pin : PIN_HIGHEST_CA, &permit->path);
	out->has_created_on = true;
	out->created_on = now;
	out->assertion = what_was_verified(a, permit);
	if (!set_text(&out->serial_number, asked->serial_number, e) ||
		(asked->nonce && !set_text(&out->nonce, asked->nonce, e)) ||
		!set_pin(a, *pinned, out, e))
		return false;
	if ((permit->est_domain && !set_text(&out->est_domain, permit->est_domain, e)) ||
		(permit->configuration &&
			!set_text(&out->additional_configuration_url, permit->configuration, e)))
		return false;
	if (permit->namesakes && !set_idevid_issuer(a, permit->device, out, e))
		return false;
	if (!asked->nonce)
		limit_lifetime(policy, a->rvr.signer, *pinned, out);
	return true;
}

/* ---- its signature ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_octets(const struct buf *a, const struct buf *b)
{
	return bytes_equal(buf_bytes(a), buf_bytes(b));
}

static bool same_nonce(const char *a, const char *b)
{
	return same_text(a, b) || voucher_nonce_equal(a, b);
}

static bool same_content(const struct voucher *a, const struct voucher *b)
{
	return a->kind == b->kind && same_text(a->serial_number, b->serial_number) &&
	       same_nonce(a->nonce, b->nonce) && a->assertion == b->assertion &&
	       a->created_on == b->created_on && a->has_expires_on == b->has_expires_on &&
	       a->expires_on == b->expires_on && a->last_renewal_date == b->last_renewal_date &&
	       same_octets(&a->pinned_domain_cert, &b->pinned_domain_cert) &&
	       same_octets(&a->pinned_domain_pubk, &b->pinned_domain_pubk) &&
	       same_octets(&a->pinned_domain_pubk_sha256, &b->pinned_domain_pubk_sha256) &&
	       same_octets(&a->idevid_issuer, &b->idevid_issuer) &&
	       same_text(a->est_domain, b->est_domain) &&
	       same_text(a->additional_configuration_url, b->additional_configuration_url);
}

/* What is going to be signed, read as a pledge will read it. */
static bool format_readable(const struct voucher_format *format, const struct voucher *content,
	struct buf *octets, struct err *e)
{
	VOUCHER_AUTO struct voucher back;

	voucher_init(&back, VOUCHER);
	if (!format->format_content(content, octets, e) ||
		!format->parse_content(buf_bytes(octets), &back, e))
		return false;
	return same_content(content, &back) ||
	       err_set(e, ERR_BUG, "the voucher does not read as it was meant");
}

static const struct identity *signer_for(const struct signers *by, const struct voucher *content)
{
	return content->nonce ? by->nonced : by->nonceless;
}

bool issue_signer_valid(
	const struct signers *by, const struct voucher *content, int64_t now, struct err *e)
{
	const struct cert *c = signer_for(by, content)->cert;

	if (cert_not_before(c) <= now && now <= cert_not_after(c))
		return true;
	return err_set(
		e, ERR_RETRY_LATER, "the voucher signer's certificate is not valid at this time");
}

bool issue_signer_fits(const struct signers *by, const struct voucher_format *format,
	const struct voucher *content, struct err *e)
{
	if (format->can_seal(signer_for(by, content), e))
		return true;
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_NOT_ACCEPTABLE;
	err_prefix(e, "vouchers in %s", format->name);
	return err_tell(e, "This MASA does not issue vouchers in %s.", format->media_type);
}

bool issue_sign(const struct signers *by, const struct voucher_format *format,
	const struct voucher *content, int64_t now, struct buf *out, struct err *e)
{
	const struct identity *signer = signer_for(by, content);
	BUF_AUTO struct buf octets = BUF_INIT(VOUCHER_JSON_MAX);

	if (!issue_signer_valid(by, content, now, e) || !issue_signer_fits(by, format, content, e))
		return false;
	if (format_readable(format, content, &octets, e) &&
		format->seal_content(buf_bytes(&octets), signer, &signer->chain, now, out, e))
		return true;
	if (e->kind != ERR_NO_MEMORY)
		e->kind = ERR_BUG;
	return err_prefix(e, "signing a voucher");
}
