/* SPDX-License-Identifier: Apache-2.0 */
/* What cms.c, cms_alg.c and cms_seal.c share; csr_make.c and ocsp_make.c borrow the algorithms. */
#ifndef PKI_CMS_PARTS_H
#define PKI_CMS_PARTS_H

#include <openssl/evp.h>

#include "common/pki/cms.h"

#define CMS_DIGEST_LEN_MAX 64 /* SHA-512 */

struct cms_alg_digest {
	struct bytes oid;
	struct bytes
		identifier; /* the DER AlgorithmIdentifier we write (RFC 5754 §2: no parameters) */
	bool (*hash)(struct bytes in, uint8_t *out, struct err *e);
	size_t len; /* up to CMS_DIGEST_LEN_MAX */
};

/* The digest an AlgorithmIdentifier names; NULL with ERR_UNAUTHENTICATED for any but SHA-256,
 * SHA-384 and SHA-512. */
const struct cms_alg_digest *cms_alg_digest(struct bytes identifier, struct err *e) MUST_CHECK;
/* A SignerInfo's signatureAlgorithm together with its digest → the AlgorithmIdentifier that
 * cert_verify() takes. ERR_UNAUTHENTICATED when the two differ or we do not trust the algorithm. */
bool cms_alg_signature(struct bytes identifier, const struct cms_alg_digest *digest,
	struct bytes *out, struct err *e) MUST_CHECK;

/* What key_sign() does with this key: its digest and signatureAlgorithm. */
struct cms_alg_choice {
	const struct cms_alg_digest *digest;
	struct bytes signature_alg;
};
bool cms_alg_of_key(EVP_PKEY *key, struct cms_alg_choice *out, struct err *e) MUST_CHECK;
/* What stands behind the signed octets in anything SIGNED (RFC 5912 §2), appended:
 * AlgorithmIdentifier and BIT STRING. */
bool cms_alg_sign(
	const struct key *key, struct bytes data, struct buf *out, struct err *e) MUST_CHECK;

/* Does the container we just wrote hold this payload and this signer's good signature? Its
 * certificates are not parsed again: we hold them. ERR_BUG, ERR_NO_MEMORY. */
bool cms_verify_own(
	struct bytes der, struct cert *signer, struct bytes payload, struct err *e) MUST_CHECK;

#endif
