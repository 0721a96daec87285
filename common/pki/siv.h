/* SPDX-License-Identifier: Apache-2.0 */
/* Deterministic authenticated encryption, AES-SIV (RFC 5297), under a random key of this process:
 * the same text gives the same octets, and nothing else opens. For short things that somebody else
 * keeps for us and gives back. */
#ifndef PKI_SIV_H
#define PKI_SIV_H

#include "common/base/buf.h"

#define SIV_TAG_LEN  16 /* what sealing adds; it is both the IV and what authenticates */
#define SIV_TEXT_MAX 1024

struct siv_key;

struct siv_key *siv_key_new(struct err *e) MUST_CHECK;
void siv_key_free(struct siv_key *k);
/* out: text.len + SIV_TAG_LEN octets. Text is not empty. */
bool siv_seal(const struct siv_key *k, struct bytes text, uint8_t *out, struct err *e) MUST_CHECK;
/* out: sealed.len - SIV_TAG_LEN octets, only to be used when true. ERR_UNAUTHENTICATED. */
bool siv_open(const struct siv_key *k, struct bytes sealed, uint8_t *out, struct err *e) MUST_CHECK;

#endif
