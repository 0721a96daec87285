/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a certificate, and rules on CSRs that need more than the CSR: the connection it came
 * over, the certificate it renews, what the site asked for. */
#include "registrar/enroll_rules.h"

#include <string.h>

#include "common/pki/name_same.h"
#include "common/wire/base64.h"
#include "registrar/est.h"

#define SAN_OID "2.5.29.17"

static const uint8_t san_oid[] = {0x55, 0x1d, 0x11};

static bool idevid_allowed(const struct client *client, const struct device_record *d,
	const uint8_t client_sha256[SHA256_LEN], struct err *e)
{
	/* held again, a device keeps its state and loses its voucher */
	bool vouched =
		(d->state == DEVICE_VOUCHED || d->state == DEVICE_ENROLLED) && d->voucher_type[0];

	if (!d->found || !vouched || d->claim == CLAIM_PENDING) {
		err_set(e, ERR_REFUSED, "\"%s\" has no voucher", client->serial);
		return err_tell(e, "This device has to get its voucher first.");
	}
	if (memcmp(d->idevid_sha256, client_sha256, SHA256_LEN) != 0) {
		err_set(e, ERR_REFUSED, "\"%s\" got its voucher with another IDevID",
			client->serial);
		return err_tell(e, "This certificate is not the one the voucher was asked with.");
	}
	return true;
}

static bool ldevid_allowed(
	const struct client *client, bool expired_is_fine, int64_t now, struct err *e)
{
	if (client->not_after > now || expired_is_fine)
		return true;
	err_set(e, ERR_UNAUTHENTICATED, "the LDevID of \"%s\" is expired", client->serial);
	return err_tell(e, "The client certificate is expired.");
}

bool rules_client_allowed(enum enroll_kind kind, const struct client *client,
	const struct device_record *device, const uint8_t client_sha256[SHA256_LEN],
	const struct enroll_policy *policy, struct err *e)
{
	if (!est_device_allowed(device, client->serial, e))
		return false;
	if (client->is_ldevid)
		return ldevid_allowed(
			client, kind == ENROLL_RENEW && policy->renew_expired, policy->now, e);
	if (kind == ENROLL_RENEW) {
		err_set(e, ERR_REFUSED, "renewal with an IDevID");
		return err_tell(e, "A certificate is renewed with itself, not with an IDevID.");
	}
	return idevid_allowed(client, device, client_sha256, e);
}

bool rules_channel_binding(const struct csr *csr, const struct csrattrs *wanted,
	const struct peer *peer, struct err *e)
{
	BUF_AUTO struct buf said = BUF_INIT(CHANNEL_BINDING_MAX);
	const char *password = csr_challenge_password(csr);

	if (!password) {
		if (!wanted->wants_challenge_password)
			return true;
		err_set(e, ERR_INPUT, "the CSR has no challengePassword with the channel binding");
		return err_tell(e, "The CSR lacks challengePassword with the channel binding.");
	}
	if (peer->channel_binding_len == 0) {
		err_set(e, ERR_UNAUTHENTICATED,
			"the TLS connection has no channel binding to be trusted");
		return err_tell(e, "This TLS connection gives no channel binding.");
	}
	if (base64_decode(bytes_of_str(password), &said, e) &&
		bytes_equal_ct(buf_bytes(&said),
			bytes_of(peer->channel_binding, peer->channel_binding_len)))
		return true;
	err_set(e, ERR_UNAUTHENTICATED,
		"challengePassword is not this connection's channel binding");
	return err_tell(e, "The challengePassword is not that of this connection.");
}

bool rules_same_names(const struct csr *csr, const struct cert *current, struct err *e)
{
	bool critical;

	if (csr_has_change_subject_name(csr)) {
		err_set(e, ERR_INPUT, "the CSR asks for another name (ChangeSubjectName)");
		return err_tell(e, "Names are not changed by a renewal here.");
	}
	if (!name_same(csr_subject_der(csr), cert_subject_der(current))) {
		err_set(e, ERR_INPUT, "the CSR's subject is not that of the certificate");
		return err_tell(e, "The subject differs from that of the certificate to renew.");
	}
	if (!bytes_equal(csr_san(csr), cert_extension(current, SAN_OID, &critical))) {
		err_set(e, ERR_INPUT, "the CSR's subjectAltName is not that of the certificate");
		return err_tell(
			e, "The subjectAltName differs from that of the certificate to renew.");
	}
	return true;
}

bool rules_san_wanted(const struct csrattrs *wanted)
{
	for (size_t i = 0; i < wanted->extension_count; i++)
		if (bytes_equal(wanted->extensions[i].oid, bytes_of(san_oid, sizeof(san_oid))))
			return true;
	return false;
}
