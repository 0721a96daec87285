/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-2 and SHA-1 over octets at hand (FIPS 180-4). SHA256_Init() and its like are deprecated since
 * OpenSSL 3.0, but need no memory and no looking up, for short texts half of the cost. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/pki/digest.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

static bool digest(const EVP_MD *md, struct bytes in, uint8_t *out, struct err *e)
{
	if (EVP_Digest(in.data, in.len, out, NULL, md, NULL) == 1)
		return true;
	ERR_clear_error();
	return err_set(e, ERR_NO_MEMORY, "digest could not be computed");
}

bool digest_sha256(struct bytes in, uint8_t out[SHA256_LEN], struct err *e)
{
	SHA256_CTX hash;

	SHA256_Init(&hash);
	SHA256_Update(&hash, in.data, in.len);
	SHA256_Final(out, &hash);
	return true;
}

bool digest_sha384(struct bytes in, uint8_t out[SHA384_LEN], struct err *e)
{
	return digest(EVP_sha384(), in, out, e);
}

bool digest_sha512(struct bytes in, uint8_t out[SHA512_LEN], struct err *e)
{
	return digest(EVP_sha512(), in, out, e);
}

bool digest_sha1(struct bytes in, uint8_t out[SHA1_LEN], struct err *e)
{
	return digest(EVP_sha1(), in, out, e);
}
