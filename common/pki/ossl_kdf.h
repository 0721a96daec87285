/* SPDX-License-Identifier: Apache-2.0 */
/* The key derivation of TLS 1.3 (RFC 8446 §7.1) for OpenSSL's providers: with SHA-256 by its
 * compression alone, with every other hash by the derivation it stands in for.
 *
 * A handshake derives 20 secrets and keys. OpenSSL looks for the hash, sets up an HMAC and copies
 * what goes in for each of them, which takes five times as long as the hashing. */
#ifndef PKI_OSSL_KDF_H
#define PKI_OSSL_KDF_H

#include <openssl/core.h>
#include <stdbool.h>

/* stood_in: the functions of TLS13-KDF in the provider whose context ours has, too. False:
 * something that is needed is not among them. Once, before the first use. */
bool ossl_kdf_prepare(const OSSL_DISPATCH *stood_in);
/* The functions of ours. It takes all parameters with the call that derives, as libssl gives them,
 * and keeps none. */
const OSSL_DISPATCH *ossl_kdf_tls13(void);

#endif
