/* SPDX-License-Identifier: Apache-2.0 */
/* /cacerts and /csrattrs. They need no client certificate unless configured otherwise (EA-07); over
 * CoAP they always do (C-01). A device that was refused gets nothing, not even these
 * (R8995-REG-057). */
#include "registrar/est.h"

#include "common/pki/csrattrs.h"
#include "common/pki/pkcs7_certs.h"
#include "common/wire/coap_format.h"
#include "registrar/est_body.h"
#include "registrar/identify.h"
#include "registrar/standing.h"

#define EST_REPLY_MAX (2 * PKCS7_CERTS_DER_MAX) /* in base64 with line breaks */

bool est_device_allowed(const struct device_record *d, const char *serial, struct err *e)
{
	if (d->state == DEVICE_REFUSED) {
		err_set(e, ERR_REFUSED, "history of \"%s\" speaks against it", serial);
		return err_tell(e, "The history of this device speaks against it.");
	}
	if (d->state == DEVICE_REVOKED) {
		err_set(e, ERR_REFUSED, "\"%s\" was %s", serial, standing_name(d->standing));
		if (d->standing == STANDING_DECOMMISSIONED)
			return err_tell(e, "This device was decommissioned.");
		if (d->standing == STANDING_REPLACED)
			return err_tell(e, "This device was replaced by another.");
		return err_tell(e, "The certificates of this device were revoked.");
	}
	if (d->quarantined_at) {
		err_set(e, ERR_REFUSED, "\"%s\" is quarantined", serial);
		return err_tell(
			e, "This device is quarantined: an administrator has to release it.");
	}
	if (d->claim == CLAIM_REJECTED) {
		err_set(e, ERR_REFUSED, "the claim of \"%s\" was rejected", serial);
		return err_tell(e, "An administrator has rejected this device.");
	}
	return true;
}

/* Strangers may read; a device we know to be bad may not. */
static bool may_read(
	struct registrar *r, const struct registrar_setup *s, struct call *c, struct err *e)
{
	const struct peer *peer = call_peer(c);
	CLIENT_AUTO struct client client = {0};
	struct device_record device;
	bool known = peer->cert && identify_client(r, s, peer, registrar_now(r), &client, e);

	if (!known && !client.is_ldevid && s->config.cacerts_open && !peer->constrained) {
		*e = (struct err)ERR_INIT;
		return true;
	}
	if (!known) {
		if (!peer->cert)
			err_set(e, ERR_UNAUTHENTICATED, "no client certificate");
		return false;
	}
	call_sender_is_known(c);
	return records_device(r->store, client_key(&client), &device, e) &&
	       est_device_allowed(&device, client.serial, e);
}

void est_name_encoding(struct call *c, const struct registrar_setup *s)
{
	if (s->config.transfer_encoding && !call_peer(c)->constrained)
		call_set_header(c, "Content-Transfer-Encoding", "base64");
}

static void reply_base64(struct call *c, struct registrar *r, const struct registrar_setup *s,
	const char *type, struct bytes der)
{
	BUF_AUTO struct buf text = BUF_INIT(EST_REPLY_MAX);
	struct err e = ERR_INIT;

	if (!est_body_write(der, est_wrapping_for(call_header(c, "User-Agent")), &text, &e)) {
		call_reply_err(c, &r->log, "est-failed", &e);
		return;
	}
	est_name_encoding(c, s);
	call_reply(c, 200, type, buf_bytes(&text));
}

uint32_t est_format(const struct call *c, uint32_t otherwise)
{
	const char *accept = call_header(c, "Accept");
	uint32_t format = accept ? coap_format_number(accept) : COAP_FORMAT_NONE;

	return format == COAP_FORMAT_NONE ? otherwise : format;
}

static void reply_binary(struct call *c, uint32_t format, struct bytes body)
{
	call_reply(c, 200, coap_format_media_type(format), body);
}

static void reply_crts(struct call *c, struct registrar *r, const struct registrar_setup *s)
{
	uint32_t format = est_format(c, COAP_FORMAT_PKCS7_CERTS);
	struct err e = ERR_INIT;

	if (format == COAP_FORMAT_MULTIPART) {
		reply_binary(c, format, ca_certs_multipart(s->ca));
	} else if (format != COAP_FORMAT_PKIX_CERT) {
		reply_binary(c, COAP_FORMAT_PKCS7_CERTS, ca_certs_pkcs7(s->ca));
	} else if (ca_certs_single(s->ca).len) {
		reply_binary(c, format, ca_certs_single(s->ca));
	} else {
		err_set(&e, ERR_NOT_ACCEPTABLE, "one certificate asked for, there are more roots");
		err_tell(&e, "There are several trust anchors here: ask for 62 or 281.");
		call_reply_err(c, &r->log, "cacerts-refused", &e);
	}
}

void est_cacerts(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct registrar_setup *s = registrar_setup_take(r);
	struct err e = ERR_INIT;

	if (!may_read(r, s, c, &e))
		call_reply_err(c, &r->log, "cacerts-refused", &e);
	else if (call_peer(c)->constrained)
		reply_crts(c, r, s);
	else
		reply_base64(c, r, s, "application/pkcs7-mime; smime-type=certs-only",
			ca_certs_pkcs7(s->ca));
	registrar_setup_free(s);
}

void est_csrattrs(struct call *c, void *registrar)
{
	struct registrar *r = registrar;
	struct registrar_setup *s = registrar_setup_take(r);
	struct err e = ERR_INIT;

	if (!may_read(r, s, c, &e))
		call_reply_err(c, &r->log, "csrattrs-refused", &e);
	else if (ca_csrattrs_der(s->ca).len == 0)
		call_reply(c, call_peer(c)->constrained ? 404 : 204, NULL, (struct bytes){0});
	else if (call_peer(c)->constrained)
		reply_binary(c, COAP_FORMAT_CSRATTRS, ca_csrattrs_der(s->ca));
	else
		reply_base64(c, r, s, "application/csrattrs", ca_csrattrs_der(s->ca));
	registrar_setup_free(s);
}
