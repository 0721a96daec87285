/* SPDX-License-Identifier: Apache-2.0 */
/* An X.509 certificate, parsed once and shared: immutable, reference-counted, safe between threads.
 * OpenSSL spends 225 µs on every parse: certificates of a simple kind are read without it, and who
 * has DER asks cert_cache_get() first. */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include <openssl/x509.h>

#include "common/base/buf.h"

#define CERT_DER_MAX	       16384 /* one certificate; real ones are below 3 kB */
#define CERT_SERIAL_MAX	       32 /* octets of serial; RFC 5280 §4.1.2.2 allows 20, some CAs overdo it */
#define CERT_EXT_MAX	       64  /* extensions in one certificate; real ones have below 15 */
#define CERT_SERIAL_NUMBER_MAX 128 /* octets of 2.5.4.5; the standard's bound is 64 */
#define CERT_LIST_PEM_MAX                                                                          \
	(1024 * 1024) /* a file of certificates, e.g. many manufacturers' anchors */

enum cert_eku {		      /* extended key usages that matter here (bits) */
	CERT_EKU_PRESENT = 1, /* the extension is there at all */
	CERT_EKU_SERVER_AUTH = 2,
	CERT_EKU_CLIENT_AUTH = 4,
	CERT_EKU_CMC_RA = 8, /* id-kp-cmcRA 1.3.6.1.5.5.7.3.28 */
	CERT_EKU_ANY = 16,
};

struct cert; /* opaque; accessors below return borrowed views that live as long as the cert */

/* Parse exactly one DER certificate: no octets after it. Reference owned by the caller.
 * ERR_INPUT: not one, a version above 3, extensions below version 3, one twice or malformed, times
 * that are none, a public key of an unknown kind. ERR_TOO_LARGE, ERR_NO_MEMORY. Weak keys and old
 * signature algorithms parse: whoever verifies refuses them. RFC 5280 §4.1. */
struct cert *cert_parse(struct bytes der, struct err *e) MUST_CHECK;
/* The certificate that OpenSSL parsed already (a TLS peer's), read anew from its octets. */
struct cert *cert_from_x509(X509 *x, struct err *e) MUST_CHECK;
struct cert *cert_ref(struct cert *c);
void cert_free(struct cert *c); /* drop one reference; NULL is fine */
void cert_unref(struct cert **c);
#define CERT_AUTO __attribute__((cleanup(cert_unref)))

struct bytes cert_der(const struct cert *c);
const uint8_t *cert_sha256(const struct cert *c);    /* 32 octets, over the DER */
struct bytes cert_spki(const struct cert *c);	     /* DER SubjectPublicKeyInfo */
struct bytes cert_key_bits(const struct cert *c);    /* the BIT STRING's value in it */
struct bytes cert_subject_der(const struct cert *c); /* DER Name */
struct bytes cert_issuer_der(const struct cert *c);
const char *cert_subject(const struct cert *c); /* RFC 2253-like text, for people and logs */
const char *cert_issuer(const struct cert *c);
struct bytes cert_serial(const struct cert *c); /* content octets of the INTEGER */
const char *cert_serial_number(
	const struct cert *c); /* subject's 2.5.4.5 as UTF-8, or NULL (T-09) */
const char *cert_serial_number_fault(
	const struct cert *c); /* "is not there" …, see name.h; or NULL */
/* The subject's organization; false and "" when there is not exactly one that fits. */
bool cert_organization(const struct cert *c, char *out, size_t room);
struct bytes cert_ski(const struct cert *c);	 /* keyIdentifier octets; len 0 when absent */
struct bytes cert_aki(const struct cert *c);	 /* AKI keyIdentifier octets; len 0 when absent */
struct bytes cert_aki_tlv(const struct cert *c); /* whole extnValue OCTET STRING TLV; len 0 */
/* The extension's value (content of extnValue) by its OID in dotted text; len 0 when absent. */
struct bytes cert_extension(const struct cert *c, const char *oid, bool *critical);
int64_t cert_not_before(const struct cert *c); /* unix seconds */
int64_t cert_not_after(const struct cert *c);  /* INT64_MAX for 99991231235959Z */
bool cert_is_ca(const struct cert *c);
bool cert_is_self_signed(const struct cert *c); /* issuer = subject and own key verifies */
unsigned cert_eku(const struct cert *c);	/* bits of enum cert_eku */
/* Usages that fit a server or a registration authority, or none named. A site's devices are below
 * the same CA as its registrar, with certificates for clients. */
bool cert_may_serve(const struct cert *c);
bool cert_same(const struct cert *a, const struct cert *b);
bool cert_same_key(const struct cert *a, const struct cert *b);

/* Verify a signature made with the certificate's key. sig_alg is the DER AlgorithmIdentifier. */
bool cert_verify(const struct cert *c, struct bytes sig_alg, struct bytes data,
	struct bytes signature, struct err *e) MUST_CHECK;

/* Verify the signature of c with the issuer's key; nothing else about the two. */
bool cert_signed_by(const struct cert *c, const struct cert *issuer, struct err *e) MUST_CHECK;
/* An end entity with nothing in it that a path to it depends on: no constraint, no policy, no
 * critical extension but keyUsage and the like, a strong key, a strong signature (cert_plain.c). */
bool cert_is_plain(const struct cert *c);

/* For net/tls and other pki/ files; borrowed. OpenSSL parses them now if nobody needed that before:
 * NULL when there is no memory for it. */
X509 *cert_x509(const struct cert *c);
EVP_PKEY *cert_public_key(const struct cert *c);

/* A list that owns one reference each. */
struct cert_list {
	struct cert **items;
	size_t count;
};
#define CERT_LIST_INIT                                                                             \
	{                                                                                          \
		.items = NULL, .count = 0                                                          \
	}
#define CERT_LIST_AUTO __attribute__((cleanup(cert_list_clear)))
void cert_list_clear(struct cert_list *l);
bool cert_list_add(
	struct cert_list *l, struct cert *c, struct err *e) MUST_CHECK; /* takes a new ref */
/* All of more behind what is there, or only those of them that are not there yet. When memory runs
 * out, some of them. */
bool cert_list_append(struct cert_list *l, const struct cert_list *more, struct err *e) MUST_CHECK;
bool cert_list_merge(struct cert_list *l, const struct cert_list *more, struct err *e) MUST_CHECK;
bool cert_list_contains(const struct cert_list *l, const struct cert *c);
/* All certificates of a PEM text, in order; at least one. */
bool cert_list_parse_pem(struct bytes pem, struct cert_list *out, struct err *e) MUST_CHECK;
bool cert_list_load(const char *path, struct cert_list *out, struct err *e) MUST_CHECK;
bool cert_format_pem(const struct cert *c, struct buf *out, struct err *e) MUST_CHECK;
bool cert_list_format_pem(
	const struct cert_list *l, struct buf *out, struct err *e) MUST_CHECK; /* appended */

/* domainID of a certificate, raw octets appended (RFC 8995 §5.8.2): its SubjectKeyIdentifier when
 * present, else SHA-256 of its SubjectPublicKeyInfo. */
bool cert_domain_id(const struct cert *c, struct buf *out, struct err *e) MUST_CHECK;

#endif
