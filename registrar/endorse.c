/* SPDX-License-Identifier: Apache-2.0 */
/* Each leaf of the registrar voucher-request and where it comes from. The serial-number is the
 * certificate's, never the pledge's word (R8995-REG-009); nonce and the pledge's own octets go in
 * as they came (R8995-REG-028, -030); proximity-registrar-cert and what else a pledge may have
 * written stay out (R8995-REG-031, -054). The CMS carries our chain, from our end entity to the
 * issuer we were given: what the MASA may pin (R8995-REG-033). A pledge's request in COSE carries
 * no certificates, so that what the pledge presented goes along with ours (row O-06). */
#include "registrar/endorse.h"

#include "common/pki/idevid.h"

/* Without a nonce: of the device there is only what somebody knows of it (RFC 8995 §5.5). */
static bool fill_ahead(struct voucher *v, const struct endorsement *w, struct err *e)
{
	return buf_append(&v->idevid_issuer, w->idevid_issuer.data, w->idevid_issuer.len, e);
}

static bool fill(struct voucher *v, const struct endorsement *w, struct err *e)
{
	v->has_created_on = true;
	v->created_on = w->now;
	v->serial_number = str_dup(w->serial, e);
	if (!v->serial_number)
		return false;
	if (!w->pledge_request)
		return fill_ahead(v, w, e);
	v->assertion = w->pledge_request->assertion;
	v->nonce = str_dup(w->pledge_request->nonce, e);
	return v->nonce && idevid_issuer(w->idevid, &v->idevid_issuer, e) &&
	       buf_append(&v->prior_signed_voucher_request, w->pledge_octets.data,
		       w->pledge_octets.len, e);
}

static bool seal(
	const struct voucher *v, const struct endorsement *w, struct buf *out, struct err *e)
{
	CERT_LIST_AUTO struct cert_list carried = CERT_LIST_INIT;

	return cert_list_merge(&carried, &w->registrar->chain, e) &&
	       (!w->presented || cert_list_merge(&carried, w->presented, e)) &&
	       w->format->seal(v, w->registrar, &carried, w->now, out, e);
}

bool endorse(const struct endorsement *w, struct buf *out, struct err *e)
{
	VOUCHER_AUTO struct voucher v;

	voucher_init(&v, VOUCHER_REQUEST);
	if (cert_not_after(w->registrar->cert) < w->now ||
		cert_not_before(w->registrar->cert) > w->now)
		return err_set(e, ERR_RETRY_LATER, "our own certificate is not valid at this time");
	if (fill(&v, w, e) && seal(&v, w, out, e))
		return true;
	return err_prefix(e, "registrar voucher-request");
}
