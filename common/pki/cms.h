/* SPDX-License-Identifier: Apache-2.0 */
/* CMS SignedData around a JSON voucher (RFC 5652; RFC 8366 §5.4; rfc8366bis §7.1).
 * Read with our own strict DER reader and verified with cached keys, because OpenSSL accepts five
 * things a voucher must not have (content-type attribute other than eContentType, missing
 * signedAttrs with the voucher type, SHA-1, BER, octets after the end) and re-parses every
 * certificate. Written by us and always verified before it is returned. */
#ifndef PKI_CMS_H
#define PKI_CMS_H

#include "common/pki/cert_cache.h"
#include "common/pki/identity.h"

#define CMS_DER_MAX   32768 /* limits nest: a PVR inside an RVR in base64 inside JSON still fits */
#define CMS_CERTS_MAX 8
#define CMS_DEPTH_MAX 24

enum cms_content { CMS_CONTENT_ANIMA_JSON, CMS_CONTENT_ID_DATA }; /* the two that are accepted (T-01) */

struct cms {
	enum cms_content content_type;
	uint32_t version;
	struct buf payload;        /* eContent octets as signed */
	struct cert *signer;       /* whose signature verified */
	struct cert_list certs;    /* all certificates in the container, as they stood */
	bool has_signing_time;
	int64_t signing_time;      /* unix seconds; an unauthenticated claim of the signer */
};

/* Parse and verify the one signature.
 * signer_hint: the signer when the container does not carry it (a list to search, may be NULL)
 * cache may be NULL. Chain and purpose are the caller's to judge.
 * ERR_INPUT not such a CMS · ERR_TOO_LARGE · ERR_UNAUTHENTICATED signature or attributes not good,
 * signer certificate missing · ERR_NO_MEMORY. RFC 5652 §5. */
bool cms_open(struct bytes der, struct cert_cache *cache, const struct cert_list *signer_hint,
	struct cms *out, struct err *e) MUST_CHECK;
void cms_clear(struct cms *c);
#define CMS_AUTO __attribute__((cleanup(cms_clear)))

/* Sign payload as id-ct-animaJSONVoucher with signed attributes (contentType, messageDigest,
 * signingTime), issuerAndSerialNumber, DER. extra: certificates to carry besides the signer.
 * The result is opened again before it is returned (a measured OpenSSL fault under memory
 * pressure produced broken signatures). Appends to out. */
bool cms_seal(struct bytes payload, const struct identity *signer, const struct cert_list *extra,
	int64_t now_unix_s, struct buf *out, struct err *e) MUST_CHECK;

#endif
