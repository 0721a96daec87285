/* SPDX-License-Identifier: Apache-2.0 */
/* The domain a registrar speaks for, as its request shows it: the chain from the certificate that
 * signed up to the topmost certificate it sent. That topmost one is a temporary anchor (RFC 8995
 * §5.5.2, §5.5.3): it proves nothing but that one domain stands behind the request, which is all
 * that logging needs. Whether the domain owns anything is judged in owner.c, against configured
 * anchors. */
#ifndef MASA_DOMAIN_H
#define MASA_DOMAIN_H

#include "common/pki/cert.h"
#include "common/pki/digest.h"

struct domain_cache; /* verified chains by their certificates; safe between threads */

struct domain_cache *domain_cache_new(size_t entries_max, struct err *e) MUST_CHECK;
void domain_cache_free(struct domain_cache *c);

/* Find and verify the chain of `signer` among `certs` at `now`.
 * path: out, empty list given: signer first, temporary anchor last.
 * ERR_UNAUTHENTICATED when a link does not hold or a certificate is out of its validity period. */
bool domain_path(struct domain_cache *c, struct cert *signer, const struct cert_list *certs,
	int64_t now, struct cert_list *path, struct err *e) MUST_CHECK;

/* What names a domain by its pinned certificate: SHA-256 of the SubjectPublicKeyInfo. */
bool domain_key(const struct cert *pinned, uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;
/* The domainID as the log shows it: base64 of cert_domain_id(). Appends. RFC 8995 §5.8.2. */
bool domain_id_text(const struct cert *pinned, struct buf *out, struct err *e) MUST_CHECK;

#endif
