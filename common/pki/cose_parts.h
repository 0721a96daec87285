/* SPDX-License-Identifier: Apache-2.0 */
/* What cose.c and cose_seal.c share. */
#ifndef PKI_COSE_PARTS_H
#define PKI_COSE_PARTS_H

#include "common/pki/cose.h"
#include "common/wire/cbor.h"

#define COSE_TAG	   18
#define COSE_LABEL_ALG	   1
#define COSE_LABEL_CRIT	   2
#define COSE_LABEL_CONTENT 3
#define COSE_LABEL_KID	   4
#define COSE_LABEL_X5BAG   32
#define COSE_LABEL_X5CHAIN 33

#define COSE_SIGNATURE_MAX 132 /* P-521 */

struct cose_alg {
	int64_t alg;
	const char *name;
	int key_type; /* EVP_PKEY_EC ... */
	int key_bits;
	size_t signature_len;
	size_t half_len;   /* of r and of s; 0: the signature is taken as it is */
	struct bytes x509; /* the same as an AlgorithmIdentifier, for cert_verify() */
};
const struct cose_alg *cose_alg_find(int64_t alg); /* NULL: not known */
bool cose_alg_fits(const struct cose_alg *alg, EVP_PKEY *key);
/* The one this key signs with; NULL with ERR_INPUT. */
const struct cose_alg *cose_alg_of_key(EVP_PKEY *key, struct err *e) MUST_CHECK;
/* r and s as COSE has them ↔ the DER that X.509 has (RFC 9053 §2.1). Append; a signature that has
 * no such form is ERR_UNAUTHENTICATED. */
bool cose_alg_to_der(const struct cose_alg *alg, struct bytes signature, struct buf *der,
	struct err *e) MUST_CHECK;
bool cose_alg_from_der(const struct cose_alg *alg, struct bytes der, struct buf *signature,
	struct err *e) MUST_CHECK;

/* The four elements as they stand. */
struct cose_elements {
	bool tagged;
	struct cbor_reader protected_item, unprotected, payload, signature;
};
bool cose_elements_read(struct bytes octets, struct cose_elements *out, struct err *e) MUST_CHECK;

/* Does the container we just wrote hold this payload and this signer's good signature? Its
 * certificates are not parsed again. ERR_BUG, ERR_NO_MEMORY. */
bool cose_verify_own(
	struct bytes octets, struct cert *signer, struct bytes payload, struct err *e) MUST_CHECK;

#endif
