/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA on P-256 with SHA-256, which is what nearly all devices, CAs and MASAs sign with, verified
 * with a key's point and nothing around it: making a key of OpenSSL's takes a tenth as long as
 * verifying with it, and setting up a verification nearly as long again.
 *
 * It only ever says yes. Whatever it does not accept, for any reason, is verified by OpenSSL. */
#ifndef PKI_P256_H
#define PKI_P256_H

#include <openssl/ec.h>

#include "common/base/buf.h"

/* The point in a SubjectPublicKeyInfo; the caller frees it. NULL: it is of another kind, or not on
 * the curve, or there is no memory. */
EC_POINT *p256_point(struct bytes spki);
/* The curve with the key's point in place of its base point, and many multiples of it: 150 kB.
 * NULL: OpenSSL has none to offer. */
EC_GROUP *p256_multiples(const EC_POINT *key);

/* FIPS 186-5 §6.4.2; sig_alg is a DER AlgorithmIdentifier. multiples: the key's, or NULL. Empties
 * OpenSSL's queue. */
bool p256_accepts(const EC_POINT *key, const EC_GROUP *multiples, struct bytes sig_alg,
	struct bytes data, struct bytes signature) MUST_CHECK;
/* The same once, with a key that is not needed again. */
bool p256_accepts_spki(struct bytes spki, struct bytes sig_alg, struct bytes data,
	struct bytes signature) MUST_CHECK;

#endif
