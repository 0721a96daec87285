/* SPDX-License-Identifier: Apache-2.0 */
/* The checks on a voucher as a table, in the order in which they are made. Nothing in here decides
 * by what the container brought along alone: anchors are the manufacturer's (ENC-ALL-027). */
#include "pledge/accept.h"

#include <string.h>

#include "common/pki/idevid.h"
#include "common/wire/media_type.h"
#include "pledge/limits.h"

static bool knows_media_type(const struct accept_input *in, struct accepted *out, struct err *e)
{
	return voucher_format_by_media_type(in->content_type) ||
	       err_set(e, ERR_UNSUPPORTED_TYPE, "'%s' is not a voucher", in->content_type);
}

/* Container, signature by the signer it names, and JSON. Whose signature it is comes next. */
static bool reads_and_is_signed(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct voucher_format *format = voucher_format_by_media_type(in->content_type);

	return format->open(in->octets, NULL, anchors_certs(in->masa_anchors), &out->voucher, e);
}

static bool is_from_our_masa(const struct accept_input *in, struct accepted *out, struct err *e)
{
	return chain_verify(in->masa_anchors, out->voucher.signer, &out->voucher.certs,
		in->now_unix_s, NULL, e);
}

/* No IDevID speaks for the MASA, whatever it chains to. */
static bool is_not_a_device(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct cert *signer = out->voucher.signer;

	return !idevid_is_sibling(in->idevid, signer) ||
	       err_set(e, ERR_UNAUTHENTICATED, "signed by a device, %s", cert_subject(signer));
}

static bool is_a_voucher(const struct accept_input *in, struct accepted *out, struct err *e)
{
	return out->voucher.fields.kind == VOUCHER ||
	       err_set(e, ERR_INPUT, "a voucher-request, not a voucher");
}

static bool is_for_our_serial(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const char *serial = out->voucher.fields.serial_number;

	return (serial && strcmp(serial, in->serial_number) == 0) ||
	       err_set(e, ERR_UNAUTHENTICATED, "for serial number '%s', we are '%s'",
		       serial ? serial : "", in->serial_number);
}

static bool is_for_our_issuer(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct buf *issuer = &out->voucher.fields.idevid_issuer;

	return issuer->len == 0 || idevid_issuer_matches(in->idevid, buf_bytes(issuer)) ||
	       err_set(e, ERR_UNAUTHENTICATED, "names another issuer of our IDevID");
}

static bool answers_our_nonce(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const char *nonce = out->voucher.fields.nonce;

	if (!nonce)
		return in->nonceless == NONCELESS_ACCEPT ||
		       err_set(e, ERR_REFUSED,
			       "without a nonce, which this device does not accept");
	return voucher_nonce_equal(nonce, in->nonce) ||
	       err_set(e, ERR_UNAUTHENTICATED, "nonce is not the one of our request");
}

static bool is_of_this_time(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct voucher *v = &out->voucher.fields;
	int64_t now = in->now_unix_s;

	if (v->has_last_renewal_date && !v->has_expires_on)
		return err_set(e, ERR_INPUT, "last-renewal-date without expires-on");
	if (now == CHAIN_NO_TIME)
		return true;
	if (v->has_expires_on && v->expires_on <= now)
		return err_set(e, ERR_UNAUTHENTICATED, "expired");
	if (v->has_created_on && v->created_on > now + CLOCK_SKEW_S)
		return err_set(e, ERR_UNAUTHENTICATED, "created in the future");
	if (out->voucher.has_signing_time && out->voucher.signing_time > now + CLOCK_SKEW_S)
		return err_set(e, ERR_UNAUTHENTICATED, "signed in the future");
	return true;
}

static bool assertion_suffices(enum assertion_policy policy, enum voucher_assertion a)
{
	switch (policy) {
	case ACCEPT_ANY:
		return a != ASSERTION_OTHER; /* absent is allowed by rfc8366bis */
	case ACCEPT_PROXIMITY:
		return a == ASSERTION_PROXIMITY || a == ASSERTION_VERIFIED;
	case ACCEPT_VERIFIED:
		return a == ASSERTION_VERIFIED;
	}
	return false;
}

static bool asserts_enough(const struct accept_input *in, struct accepted *out, struct err *e)
{
	enum voucher_assertion a = out->voucher.fields.assertion;
	const char *name = voucher_assertion_name(a);

	return assertion_suffices(in->assertion, a) ||
	       err_set(e, ERR_REFUSED, "assertion '%s' is not enough for this device",
		       name ? name : "none");
}

static bool pins_a_domain(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct voucher *v = &out->voucher.fields;

	if (!pin_choose(v, in->asked_with, &out->form, e))
		return false;
	if (out->form != PIN_CERT)
		return true;
	out->pinned = cert_parse(buf_bytes(pin_leaf(v, PIN_CERT)), e);
	return out->pinned || err_prefix(e, "pinned-domain-cert");
}

/* "https://host:port/" as we write it, or the bare authority that the draft's own figure has
 * (T-22); EST has its paths below the one well-known name. */
static bool parse_est_domain(const char *text, struct uri *out, struct err *e)
{
	static const char *const paths[] = {"", "/", "/.well-known/est", "/.well-known/est/"};
	bool ok = strstr(text, "://") ? uri_parse(text, out, e) : uri_parse_authority(text, out, e);

	for (size_t i = 0; ok && i < sizeof(paths) / sizeof(*paths); i++)
		if (strcmp(out->path, paths[i]) == 0) {
			out->path[0] = '\0';
			return true;
		}
	return ok && err_set(e, ERR_INPUT, "a path that EST does not have");
}

/* Only of who is known already: for any other registrar est-domain is no way round the pin. */
static bool names_an_est_server(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const char *text = out->voucher.fields.est_domain;

	if (!text || !in->server_verified)
		return true;
	if (!parse_est_domain(text, &out->est, e))
		return false;
	out->has_est = true;
	return out->pinned || err_set(e, ERR_INPUT, "no pinned-domain-cert to know that server by");
}

static bool is_valid_at(const struct cert *c, int64_t now)
{
	return now == CHAIN_NO_TIME || (cert_not_before(c) <= now && now <= cert_not_after(c));
}

/* The key decides, whatever certificate it comes in; that has to be valid. */
static bool has_pinned_key(
	const struct accept_input *in, struct cert *server, struct accepted *out, struct err *e)
{
	return is_valid_at(server, in->now_unix_s)
		       ? cert_list_add(&out->path, server, e)
		       : err_set(e, ERR_UNAUTHENTICATED,
				 "the registrar's certificate is not valid now");
}

/* Under a CA the site's devices are, too: their certificates are for clients, and a voucher without
 * a nonce could be shown by any of them. */
static bool is_under_pinned_ca(
	const struct accept_input *in, struct cert *server, struct accepted *out, struct err *e)
{
	CERT_LIST_AUTO struct cert_list pin = CERT_LIST_INIT;
	ANCHORS_AUTO struct anchors *anchors = NULL;

	if (!cert_may_serve(server))
		return err_set(
			e, ERR_UNAUTHENTICATED, "the registrar's certificate is for clients only");
	if (!cert_list_add(&pin, out->pinned, e))
		return false;
	anchors = anchors_new(&pin, e);
	return anchors &&
	       (chain_verify(anchors, server, in->server_chain, in->now_unix_s, &out->path, e) ||
		       err_prefix(e, "the registrar is not the one the voucher names"));
}

/* The pin may be the registrar's key or certificate, a CA between, or the root (T-15); a
 * certificate renewed with the pinned key counts as the pinned one. */
static bool names_this_registrar(const struct accept_input *in, struct accepted *out, struct err *e)
{
	const struct buf *pin = pin_leaf(&out->voucher.fields, out->form);
	struct cert *server;

	if (out->has_est) /* that one is the server the pin is about */
		return true;
	if (in->server_chain->count == 0)
		return err_set(e, ERR_BUG, "no certificate of the registrar was kept");
	server = in->server_chain->items[0];
	if (!out->pinned)
		return pin_key_is(out->form, buf_bytes(pin), server, e) &&
		       has_pinned_key(in, server, out, e);
	return cert_same_key(out->pinned, server) ? has_pinned_key(in, server, out, e)
						  : is_under_pinned_ca(in, server, out, e);
}

const struct accept_check accept_checks[] = {
	{"media type", "RFC 8995 §5.6", knows_media_type},
	{"signature", "RFC 8366 §5.4", reads_and_is_signed},
	{"signer", "RFC 8995 §5.6.1", is_from_our_masa},
	{"signer's role", "RFC 8995 §5.6.1", is_not_a_device},
	{"kind", "RFC 8366 §5.3", is_a_voucher},
	{"serial-number", "RFC 8995 §5.6.1", is_for_our_serial},
	{"idevid-issuer", "RFC 8366 §5.3", is_for_our_issuer},
	{"nonce", "RFC 8995 §5.6.1", answers_our_nonce},
	{"dates", "RFC 8995 §2.6.1", is_of_this_time},
	{"assertion", "RFC 8366 §5.3", asserts_enough},
	{"pin", "RFC 8995 §5.6.1", pins_a_domain},
	{"est-domain", "brski-cloud §3.3.2", names_an_est_server},
	{"registrar", "RFC 8995 §5.6.2", names_this_registrar},
};
const size_t accept_check_count = sizeof(accept_checks) / sizeof(*accept_checks);

void accepted_init(struct accepted *a)
{
	signed_voucher_init(&a->voucher);
	a->pinned = NULL;
	a->has_est = false;
	a->path = (struct cert_list)CERT_LIST_INIT;
}

void accepted_clear(struct accepted *a)
{
	signed_voucher_clear(&a->voucher);
	cert_unref(&a->pinned);
	cert_list_clear(&a->path);
}

bool accept_voucher(const struct accept_input *in, struct accepted *out, struct err *e)
{
	accepted_init(out);
	for (size_t i = 0; i < accept_check_count; i++)
		if (!accept_checks[i].holds(in, out, e)) {
			accepted_clear(out);
			return err_prefix(e, "voucher: %s (%s)", accept_checks[i].name,
				accept_checks[i].clause);
		}
	return true;
}
