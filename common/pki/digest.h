/* SPDX-License-Identifier: Apache-2.0 */
/* Digests by which things are recognised again: stored requests, keys, domains. */
#ifndef PKI_DIGEST_H
#define PKI_DIGEST_H

#include "common/base/buf.h"

#define SHA256_LEN 32
#define SHA384_LEN 48
#define SHA512_LEN 64
#define SHA1_LEN   20

bool digest_sha256(struct bytes in, uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;
bool digest_sha384(struct bytes in, uint8_t out[SHA384_LEN], struct err *e) MUST_CHECK;
bool digest_sha512(struct bytes in, uint8_t out[SHA512_LEN], struct err *e) MUST_CHECK;
/* For names that others made with SHA-1 (key identifiers, domainIDs); never for a signature. */
bool digest_sha1(struct bytes in, uint8_t out[SHA1_LEN], struct err *e) MUST_CHECK;

#endif
