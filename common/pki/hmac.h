/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA256 (RFC 2104): what is sent to somebody who shares a secret with us. */
#ifndef PKI_HMAC_H
#define PKI_HMAC_H

#include "common/pki/digest.h"

bool hmac_sha256(
	struct bytes key, struct bytes in, uint8_t out[SHA256_LEN], struct err *e) MUST_CHECK;

#endif
