/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that signatures are verified with, and those among them that sign again and again: the
 * issuing CA of all devices of a manufacturer, a MASA, a registrar, our own. Once KNOWN_KEY_AFTER
 * signatures of one were found to be good, multiples of its point are kept, 150 kB, as OpenSSL has
 * them for the curve's base point: a verification is then two look-ups and takes half the time.
 *
 * Only those on P-256 (p256.h). It only ever says yes: whatever it does not accept, for any reason,
 * is verified by OpenSSL. */
#ifndef PKI_KNOWN_KEY_H
#define PKI_KNOWN_KEY_H

#include <openssl/ec.h>
#include <stdatomic.h>

#include "common/base/buf.h"

/* Making the multiples takes 26 ms, once: no device's key comes that far, and who wants to waste
 * our time with one has to make us verify for as long before. */
#define KNOWN_KEY_AFTER 256
/* In the process, at a time: 4.8 MB. More are verified as every key is. */
#define KNOWN_KEYS_MAX 32

/* All zero: none. */
struct known_key {
	EC_POINT *point;    /* NULL: not on P-256 */
	atomic_uint proven; /* signatures found good */
	_Atomic(EC_GROUP *) multiples;
};

void known_key_init(struct known_key *k, struct bytes spki);
/* ECDSA with SHA-256; sig_alg is a DER AlgorithmIdentifier. */
bool known_key_accepts(struct known_key *k, struct bytes sig_alg, struct bytes data,
	struct bytes signature) MUST_CHECK;
void known_key_clear(struct known_key *k);

#endif
