/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and SHA-1 over octets at hand (FIPS 180-4). */
#include "common/pki/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>

static bool digest(const EVP_MD *md, struct bytes in, uint8_t *out, struct err *e)
{
	if (EVP_Digest(in.data, in.len, out, NULL, md, NULL) == 1)
		return true;
	ERR_clear_error();
	return err_set(e, ERR_NO_MEMORY, "digest could not be computed");
}

bool digest_sha256(struct bytes in, uint8_t out[SHA256_LEN], struct err *e)
{
	return digest(EVP_sha256(), in, out, e);
}

bool digest_sha1(struct bytes in, uint8_t out[SHA1_LEN], struct err *e)
{
	return digest(EVP_sha1(), in, out, e);
}
