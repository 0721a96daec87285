/* SPDX-License-Identifier: Apache-2.0 */
/* How others name us: the certificates a voucher may pin to mean this registrar, and every form in
 * which a MASA may write our domainID into an audit log (RFC 8995 §5.6.2, §5.8.2; T-07). */
#ifndef REGISTRAR_DOMAIN_H
#define REGISTRAR_DOMAIN_H

#include "common/pki/cert_cache.h"
#include "common/pki/chain.h"
#include "common/pki/digest.h"
#include "common/pki/identity.h"

#define DOMAIN_CERTS_MAX 16
#define DOMAIN_ID_MAX	 64 /* octets of a subject key identifier worth comparing */

struct domain_id {
	uint8_t octets[DOMAIN_ID_MAX];
	size_t len;
};

struct domain {
	const struct identity *identity; /* borrowed: our certificate and its issuers */
	uint8_t spki_sha256[SHA256_LEN]; /* of our certificate's key */
	struct domain_id ids[3 * DOMAIN_CERTS_MAX];
	size_t id_count;
};

/* ca_certs: the domain's further certificates (its root), which a MASA may have pinned. */
bool domain_init(struct domain *d, const struct identity *id, const struct cert_list *ca_certs,
	struct err *e) MUST_CHECK;
/* Does the domainID of an audit event mean us? ERR_NO_MEMORY when that cannot be said. */
bool domain_is_own(
	const struct domain *d, const char *domain_id, bool *own, struct err *e) MUST_CHECK;
/* Does a voucher that pins this certificate make the pledge trust our TLS certificate?
 * ERR_PEER when it does not. */
bool domain_covered_by(const struct domain *d, struct bytes pinned_der, struct cert_cache *cache,
	int64_t now, struct err *e) MUST_CHECK;

#endif
