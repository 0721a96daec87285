/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of a pin as a table, in the order of rfc8366bis §8. */
#include "pledge/pin.h"

#include "common/pki/digest.h"

const char *const pin_form_names[] = {
	[PIN_SHA256] = "pubk-sha256",
	[PIN_KEY] = "pubk",
	[PIN_CERT] = "certificate",
	[PIN_FORM_COUNT] = NULL,
};

static bool put_octets(struct bytes octets, struct buf *out, struct err *e)
{
	return buf_append(out, octets.data, octets.len, e);
}

static bool put_sha256(const struct cert *c, struct buf *out, struct err *e)
{
	uint8_t digest[SHA256_LEN];

	return digest_sha256(cert_spki(c), digest, e) && buf_append(out, digest, sizeof(digest), e);
}

static bool put_key(const struct cert *c, struct buf *out, struct err *e)
{
	return put_octets(cert_spki(c), out, e);
}

static bool put_cert(const struct cert *c, struct buf *out, struct err *e)
{
	return put_octets(cert_der(c), out, e);
}

static const struct {
	const char *leaf;	  /* in a voucher */
	size_t pinned, proximity; /* in struct voucher */
	bool (*put)(const struct cert *c, struct buf *out, struct err *e);
} forms[PIN_FORM_COUNT] = {
	[PIN_SHA256] = {"pinned-domain-pubk-sha256",
		offsetof(struct voucher, pinned_domain_pubk_sha256),
		offsetof(struct voucher, proximity_registrar_pubk_sha256), put_sha256},
	[PIN_KEY] = {"pinned-domain-pubk", offsetof(struct voucher, pinned_domain_pubk),
		offsetof(struct voucher, proximity_registrar_pubk), put_key},
	[PIN_CERT] = {"pinned-domain-cert", offsetof(struct voucher, pinned_domain_cert),
		offsetof(struct voucher, proximity_registrar_cert), put_cert},
};

bool pin_put_proximity(
	enum pin_form form, const struct cert *server, struct voucher *v, struct err *e)
{
	return forms[form].put(server, (struct buf *)((char *)v + forms[form].proximity), e);
}

const struct buf *pin_leaf(const struct voucher *v, enum pin_form form)
{
	return (const struct buf *)((const char *)v + forms[form].pinned);
}

bool pin_choose(
	const struct voucher *v, enum pin_form asked_with, enum pin_form *out, struct err *e)
{
	*out = asked_with;
	if (v->nonce && pin_leaf(v, asked_with)->len > 0)
		return true;
	for (enum pin_form f = 0; f < PIN_FORM_COUNT; f++)
		if (pin_leaf(v, f)->len > 0) {
			*out = f;
			return true;
		}
	return err_set(e, ERR_INPUT, "pins no registrar");
}

bool pin_key_is(enum pin_form form, struct bytes pin, const struct cert *server, struct err *e)
{
	BUF_AUTO struct buf own = BUF_INIT(CERT_DER_MAX);

	if (!forms[form].put(server, &own, e))
		return false;
	return bytes_equal_ct(buf_bytes(&own), pin) ||
	       err_set(e, ERR_UNAUTHENTICATED,
		       "the registrar's key is not the one of the voucher's %s", forms[form].leaf);
}
