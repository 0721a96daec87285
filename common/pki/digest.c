/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and SHA-1 over octets at hand (FIPS 180-4). */
#include "common/pki/digest.h"

#include <openssl/err.h>
#include <stdatomic.h>

/* What EVP_sha256() stands for OpenSSL looks up each time it is used; this is looked up once.
 * File-scope state, but written once, as there is one SHA-256. */
static _Atomic(EVP_MD *) sha256;

const EVP_MD *digest_evp_sha256(void)
{
	EVP_MD *known = atomic_load(&sha256), *fetched;

	if (known)
		return known;
	fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!fetched) {
		ERR_clear_error();
		return EVP_sha256();
	}
	if (atomic_compare_exchange_strong(&sha256, &known, fetched))
		return fetched;
	EVP_MD_free(fetched);
	return known;
}

static bool digest(const EVP_MD *md, struct bytes in, uint8_t *out, struct err *e)
{
	if (EVP_Digest(in.data, in.len, out, NULL, md, NULL) == 1)
		return true;
	ERR_clear_error();
	return err_set(e, ERR_NO_MEMORY, "digest could not be computed");
}

bool digest_sha256(struct bytes in, uint8_t out[SHA256_LEN], struct err *e)
{
	return digest(digest_evp_sha256(), in, out, e);
}

bool digest_sha1(struct bytes in, uint8_t out[SHA1_LEN], struct err *e)
{
	return digest(EVP_sha1(), in, out, e);
}
