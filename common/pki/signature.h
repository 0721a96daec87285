/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys and signature algorithms this project believes, in one place: certificates, CMS and
 * CSRs are all verified here.
 *
 * Keys: P-256, P-384, P-521; RSA 2048 to 8192 bits; Ed25519.
 * Signatures: ECDSA, RSA PKCS#1 v1.5 and RSA-PSS with SHA-256, SHA-384 or SHA-512; Ed25519. SHA-1
 * and MD5 are refused wherever they appear (R8995-MASA-035, RFC 9155). */
#ifndef PKI_SIGNATURE_H
#define PKI_SIGNATURE_H

#include <openssl/evp.h>

#include "common/base/buf.h"

#define SIGNATURE_RSA_BITS_MIN 2048
#define SIGNATURE_RSA_BITS_MAX 8192 /* a verification with a longer one costs milliseconds */

/* Is the key of a kind and strength we believe? ERR_INPUT naming what is wrong. */
bool signature_key_acceptable(EVP_PKEY *key, struct err *e) MUST_CHECK;

/* sig_alg is a DER AlgorithmIdentifier of a signature, e.g. ecdsa-with-SHA256: X.509, PKCS#10.
 * ERR_INPUT: not an AlgorithmIdentifier. ERR_UNAUTHENTICATED: algorithm not believed, does not fit
 * the key, or the signature is wrong. */
bool signature_verify(EVP_PKEY *key, struct bytes sig_alg, struct bytes data,
	struct bytes signature, struct err *e) MUST_CHECK;

#endif
