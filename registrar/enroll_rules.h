/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a certificate, and what a CSR has to be before the CA sees it (RFC 7030 §3.5, §4.2;
 * RFC 9266). No I/O. */
#ifndef REGISTRAR_ENROLL_RULES_H
#define REGISTRAR_ENROLL_RULES_H

#include "common/net/call.h"
#include "common/pki/csr.h"
#include "registrar/identify.h"

enum enroll_kind { ENROLL_SIMPLE, ENROLL_RENEW, ENROLL_KEYGEN };

struct enroll_policy {
	bool renew_expired;
	int64_t now;
};
/* May this client have a certificate now? What the store says of its device is in `device`.
 * ERR_REFUSED, ERR_UNAUTHENTICATED. No I/O. EA-06, EE-10, EE-11, R8995-REG-047, -057. */
bool rules_client_allowed(enum enroll_kind kind, const struct client *client,
	const struct device_record *device, const uint8_t client_sha256[SHA256_LEN],
	const struct enroll_policy *policy, struct err *e) MUST_CHECK;

/* challengePassword against the connection's channel binding: checked when it is there, demanded
 * when csrattrs asks for it. ERR_INPUT it is missing, ERR_UNAUTHENTICATED it is another's. */
bool rules_channel_binding(const struct csr *csr, const struct csrattrs *wanted,
	const struct peer *peer, struct err *e) MUST_CHECK;
/* Renewal: subject and subjectAltName are those of the certificate (EE-08). ERR_INPUT. */
bool rules_same_names(const struct csr *csr, const struct cert *current, struct err *e) MUST_CHECK;
/* Does csrattrs let the client choose a subjectAltName? */
bool rules_san_wanted(const struct csrattrs *wanted);

#endif
