/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys: made, loaded, saved, asked to sign. The octets never leave this module unwiped. */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <openssl/evp.h>

#include "common/base/buf.h"

#define KEY_PEM_MAX 16384 /* an RSA-8192 key in PEM is 6.4 kB */

enum key_type { KEY_EC_P256, KEY_EC_P384, KEY_RSA_3072, KEY_ED25519, KEY_TYPE_COUNT };

struct key; /* a private key with its public half */

/* "ec-p256", "ec-p384", "rsa-3072", "ed25519". */
bool key_type_parse(const char *name, enum key_type *out, struct err *e) MUST_CHECK;
const char *key_type_name(enum key_type type);

struct key *key_generate(enum key_type type, struct err *e) MUST_CHECK;
/* PEM (PKCS#8 or traditional), unencrypted. */
struct key *key_parse_pem(struct bytes pem, struct err *e) MUST_CHECK;
struct key *key_load(const char *path, struct err *e) MUST_CHECK;
/* One PKCS#8 PrivateKeyInfo that somebody else made (RFC 9148 §4.8): nothing after it, and its
 * halves belong together. ERR_INPUT. */
struct key *key_parse_pkcs8(struct bytes der, struct err *e) MUST_CHECK;
/* PKCS#8 PEM appended to out; out must be wiped by the caller (BUF_AUTO_WIPE). */
bool key_format_pem(const struct key *k, struct buf *out, struct err *e) MUST_CHECK;
/* PKCS#8 PEM, written atomically with mode 0600. */
bool key_save(const struct key *k, const char *path, struct err *e) MUST_CHECK;
/* PKCS#8 DER appended to out; out must be wiped by the caller (BUF_AUTO_WIPE). */
bool key_format_pkcs8(const struct key *k, struct buf *out, struct err *e) MUST_CHECK;
void key_free(struct key *k);
void key_unref(struct key **k);
#define KEY_AUTO __attribute__((cleanup(key_unref)))

/* Append the signature over data: ECDSA (DER) with the curve's hash, RSA PKCS#1 v1.5 with SHA-256,
 * Ed25519 pure. */
bool key_sign(
	const struct key *k, struct bytes data, struct buf *signature, struct err *e) MUST_CHECK;
/* What key_sign() hashes with: EVP_sha256() …, NULL for Ed25519. */
const EVP_MD *key_digest(const struct key *k);
/* DER SubjectPublicKeyInfo. */
bool key_public_spki(const struct key *k, struct buf *out, struct err *e) MUST_CHECK;
/* The BIT STRING's value inside a SubjectPublicKeyInfo: what key identifiers are digests of. */
bool key_spki_bits(struct bytes spki, struct bytes *bits, struct err *e) MUST_CHECK;
/* The public key in a SubjectPublicKeyInfo; the caller frees it. EC keys on named P-256, P-384 and
 * P-521 only; other kinds as OpenSSL reads them: signature_key_acceptable() judges. */
EVP_PKEY *key_parse_spki(struct bytes spki, struct err *e) MUST_CHECK;

/* For net/tls and the other pki/ files; borrowed. */
EVP_PKEY *key_evp(const struct key *k);

#endif
