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

/* A pledge request of PLEDGE_REQUEST_MAX, in base64 in JSON in a CMS, still fits. */
#define CMS_DER_MAX   65536
#define CMS_CERTS_MAX 8
#define CMS_DEPTH_MAX 24

/* The two that are accepted (T-01). */
enum cms_content { CMS_CONTENT_ANIMA_JSON, CMS_CONTENT_ID_DATA };

/* What the one SignerInfo says; views into struct cms' own copy of the container. */
struct cms_signer_info {
	bool present;	     /* false: nobody signed (cms_verify refuses) */
	struct bytes issuer; /* sid: DER Name and content octets of the serial number, ... */
	struct bytes serial;
	struct bytes key_id;	    /* ... or the subjectKeyIdentifier; the other form has len 0 */
	struct bytes digest_alg;    /* DER AlgorithmIdentifier */
	struct bytes attrs;	    /* signedAttrs, the whole [0] element; len 0 when absent */
	struct bytes attr_type;	    /* content-type attribute: the OID's content octets; len 0 */
	struct bytes attr_digest;   /* message-digest attribute; len 0 */
	struct bytes signature_alg; /* DER AlgorithmIdentifier */
	struct bytes signature;
};

struct cms {
	enum cms_content content_type;
	uint32_t version;	/* CMSVersion as it stood, 1 to 5 (ENC-ALL-006) */
	struct buf payload;	/* eContent octets as signed */
	struct cert *signer;	/* whose signature verified; NULL before cms_verify() */
	struct cert_list certs; /* all certificates in the container, as they stood */
	bool has_signing_time;
	int64_t signing_time; /* unix seconds; an unauthenticated claim of the signer */
	struct buf der;	      /* own copy of the container */
	struct cms_signer_info info;
};

void cms_init(struct cms *c);
void cms_clear(struct cms *c);
#define CMS_AUTO __attribute__((cleanup(cms_clear)))

/* Read the structure and nothing more: what it says, not whether it is true. For tools that show
 * a container whose signature is bad; everybody else calls cms_open(). out need not be
 * initialised; it may be cleared whether or not this succeeded. cache may be NULL.
 * ERR_INPUT not such a CMS · ERR_TOO_LARGE · ERR_NO_MEMORY. RFC 5652 §5.1. */
bool cms_parse(
	struct bytes der, struct cert_cache *cache, struct cms *out, struct err *e) MUST_CHECK;
/* The certificate the SignerInfo names, from the container or else from hint (may be NULL);
 * borrowed, NULL when neither has it. Says nothing about the signature. */
struct cert *cms_signer_cert(const struct cms *c, const struct cert_list *hint);
/* Verify attributes and signature; sets c->signer. ERR_UNAUTHENTICATED: signature, digest or
 * attributes not good, no signer, its certificate missing, an algorithm we do not trust.
 * Chain and purpose are the caller's to judge. RFC 5652 §5.4-5.6. */
bool cms_verify(struct cms *c, const struct cert_list *signer_hint, struct err *e) MUST_CHECK;
/* cms_parse(), then cms_verify(); out is empty when either fails.
 * signer_hint: the signer when the container does not carry it (a list to search, may be NULL) */
bool cms_open(struct bytes der, struct cert_cache *cache, const struct cert_list *signer_hint,
	struct cms *out, struct err *e) MUST_CHECK;

/* ERR_INPUT: no CMS is signed with this type of key. */
bool cms_can_seal(const struct identity *signer, struct err *e) MUST_CHECK;
/* Sign payload as id-ct-animaJSONVoucher with signed attributes (contentType, messageDigest,
 * signingTime), issuerAndSerialNumber, DER. extra: certificates to carry besides the signer.
 * The result is opened again before it is returned (a measured OpenSSL fault under memory
 * pressure produced broken signatures). Appends to out. */
bool cms_seal(struct bytes payload, const struct identity *signer, const struct cert_list *extra,
	int64_t now_unix_s, struct buf *out, struct err *e) MUST_CHECK;

#endif
