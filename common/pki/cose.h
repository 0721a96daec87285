/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign1 around a constrained voucher (RFC 9052 §4.2, RFC 9360; draft-ietf-anima-constrained-
 * voucher §9.2): [ protected bstr, unprotected map, payload bstr, signature bstr ], tag 18 in front
 * or not. What is signed is built from the received octets, never from an encoding of our own.
 *
 * COSE names no signer the way CMS does. Whoever's key made the signature is the signer: the
 * certificates in the container are tried, a registration authority's first and never by position,
 * then those the caller brings. */
#ifndef PKI_COSE_H
#define PKI_COSE_H

#include "common/pki/cert_cache.h"
#include "common/pki/identity.h"

#define COSE_MAX       65536 /* as CMS_DER_MAX */
#define COSE_CERTS_MAX 16    /* a registrar's request has its own chain and the pledge's */
#define COSE_KID_MAX   256   /* a key identifier; usual are 20 to 32 octets */

/* COSE algorithms (RFC 9053 §2). */
#define COSE_ES256 (-7)
#define COSE_EDDSA (-8) /* with Ed25519 */
#define COSE_ES384 (-35)
#define COSE_ES512 (-36)

struct cose {
	bool tagged;
	int64_t alg;		     /* of the protected header, as it stood */
	struct buf protected_header; /* the octets inside the bstr */
	struct buf payload;
	struct buf signature;
	struct buf kid; /* empty when there is none; decides nothing */
	/* x5bag and x5chain of either header, unordered; each once. What is no certificate is left
	 * out and counted. */
	struct cert_list certs;
	size_t protected_certs; /* how many of them stand in the protected header: the first */
	size_t certs_unreadable;
	struct cert *signer; /* whose key made the signature; NULL before cose_verify() */
};

void cose_init(struct cose *c);
void cose_clear(struct cose *c);
#define COSE_AUTO __attribute__((cleanup(cose_clear)))

/* Read the structure, not whether it is true; out need not be initialised. cache may be NULL.
 * ERR_INPUT not such a COSE_Sign1: detached (nil) payload, alg not protected, a critical header we
 * do not know, a header in both buckets, octets after the end · ERR_TOO_LARGE · ERR_NO_MEMORY. */
bool cose_parse(
	struct bytes octets, struct cert_cache *cache, struct cose *out, struct err *e) MUST_CHECK;
/* Find whose signature it is; sets c->signer. hint: certificates to try besides those in the
 * container, may be NULL; when one of them has the signer's key, it is the signer, whatever the
 * container says. Chain and purpose are the caller's to judge.
 * ERR_INPUT algorithm unknown · ERR_UNAUTHENTICATED signature bad, or nobody's · ERR_NO_MEMORY */
bool cose_verify(struct cose *c, const struct cert_list *hint, struct err *e) MUST_CHECK;
/* cose_parse(), then cose_verify(); out is empty when either fails. */
bool cose_open(struct bytes octets, struct cert_cache *cache, const struct cert_list *hint,
	struct cose *out, struct err *e) MUST_CHECK;

/* ERR_INPUT: no COSE is signed with this type of key. */
bool cose_can_seal(const struct identity *signer, struct err *e) MUST_CHECK;
/* Sign: tag 18, alg protected, certs as unprotected x5bag (one: bstr, more: array; each once, in
 * their order; NULL or empty: none). P-256, P-384, P-521 and Ed25519 keys. The result is read and
 * verified again before it is returned. Appends to out. */
bool cose_seal(struct bytes payload, const struct identity *signer, const struct cert_list *certs,
	struct buf *out, struct err *e) MUST_CHECK;

/* The same COSE_Sign1 without x5bag and x5chain in the unprotected header: what a registrar hands a
 * pledge. Every other octet stays; nothing is verified. Appends to out. */
bool cose_strip_certs(struct bytes octets, struct buf *out, struct err *e) MUST_CHECK;

/* The Sig_structure of RFC 9052 §4.4 with empty external_aad. Appends. */
bool cose_signed_octets(struct bytes protected_header, struct bytes payload, struct buf *out,
	struct err *e) MUST_CHECK;
/* "ES256"; NULL for one we do not know. */
const char *cose_alg_name(int64_t alg);

#endif
