/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates by SHA-256 of their DER, so that none is parsed twice. Bounded; least recently used
 * go first. Safe between threads. */
#ifndef PKI_CERT_CACHE_H
#define PKI_CERT_CACHE_H

#include "common/pki/cert.h"

struct cert_cache;

struct cert_cache *cert_cache_new(size_t entries_max, struct err *e) MUST_CHECK;
void cert_cache_free(struct cert_cache *cache);
/* A reference owned by the caller. cache may be NULL: then it only parses. */
struct cert *cert_cache_get(struct cert_cache *cache, struct bytes der, struct err *e) MUST_CHECK;
/* As cert_cache_get() for a certificate OpenSSL has already parsed (a TLS peer's). */
struct cert *cert_cache_get_x509(struct cert_cache *cache, X509 *x, struct err *e) MUST_CHECK;

#endif
