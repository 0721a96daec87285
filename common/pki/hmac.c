/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC by OpenSSL. */
#include "common/pki/hmac.h"

#include <openssl/hmac.h>

#include "common/pki/ossl.h"

bool hmac_sha256(struct bytes key, struct bytes in, uint8_t out[SHA256_LEN], struct err *e)
{
	static const uint8_t none[1];
	unsigned len = SHA256_LEN;

	if (HMAC(EVP_sha256(), key.len ? key.data : none, (int)key.len, in.len ? in.data : none,
		    in.len, out, &len) &&
		len == SHA256_LEN)
		return true;
	return ossl_fail(e, ERR_NO_MEMORY, "HMAC");
}
