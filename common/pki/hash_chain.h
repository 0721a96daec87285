/* SPDX-License-Identifier: Apache-2.0 */
/* A log that nobody can quietly change: the hash of each entry covers the hash of the one before
 * it, and from time to time its owner signs the hash it has come to, the head. Who edits, deletes,
 * adds or moves an entry has to change every hash after it, and the heads say otherwise.
 *
 * An entry is a row of fields. Its hash is SHA-256 over
 *     the hash before it (32 octets; zeros before the first), then for each field
 *     "-" when there is none, else its length in decimal digits, ":" and its octets
 * with numbers as decimal digits; so no two rows are hashed alike, and a few lines in any language
 * can check a chain. What is signed of a head is the text of hash_chain_head_text(). */
#ifndef PKI_HASH_CHAIN_H
#define PKI_HASH_CHAIN_H

#include "common/pki/digest.h"
#include "common/pki/identity.h"

#define HASH_CHAIN_FIELDS_MAX 16

/* previous: NULL stands for zeros. A field whose data is NULL is one that is not there. */
bool hash_chain_next(const uint8_t previous[SHA256_LEN], const struct bytes *fields, size_t count,
	uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;

struct hash_chain_head {
	const char *log;  /* which one: "registrar", without a line break */
	int64_t sequence; /* number of the entry it has come to */
	int64_t at;	  /* unix seconds */
	uint8_t hash[SHA256_LEN];
};

/* "brski log head\n" and a line each for log, sequence, at and hash (lower case hexadecimal). */
bool hash_chain_head_text(
	const struct hash_chain_head *h, struct buf *out, struct err *e) MUST_CHECK;
/* Append the signature; it is verified before this returns. */
bool hash_chain_head_sign(const struct hash_chain_head *h, const struct identity *signer,
	struct buf *signature, struct err *e) MUST_CHECK;
/* Is it the signature of the certificate's key? Whose certificate that is, the caller judges.
 * ERR_UNAUTHENTICATED, ERR_NO_MEMORY. */
bool hash_chain_head_verify(const struct hash_chain_head *h, const struct cert *signer,
	struct bytes signature, struct err *e) MUST_CHECK;

#endif
