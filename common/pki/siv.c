/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pki/siv.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/pki/ossl.h"

#define KEY_LEN 32 /* two AES-128 keys (RFC 5297 §2.2) */

struct siv_key {
	EVP_CIPHER *cipher; /* fetched once: a fetch costs more than the work */
	uint8_t octets[KEY_LEN];
};

struct siv_key *siv_key_new(struct err *e)
{
	struct siv_key *k = mem_new(sizeof(*k), e);

	if (!k)
		return NULL;
	ossl_begin();
	k->cipher = EVP_CIPHER_fetch(NULL, "AES-128-SIV", NULL);
	if (!k->cipher)
		ossl_fail(e, ERR_BUG, "AES-SIV");
	else if (rng_bytes(k->octets, sizeof(k->octets), e))
		return k;
	siv_key_free(k);
	return NULL;
}

void siv_key_free(struct siv_key *k)
{
	if (!k)
		return;
	EVP_CIPHER_free(k->cipher);
	explicit_bzero(k->octets, sizeof(k->octets));
	free(k);
}

static bool seal(EVP_CIPHER_CTX *ctx, const struct siv_key *k, struct bytes text, uint8_t *out)
{
	int n;

	return EVP_EncryptInit_ex2(ctx, k->cipher, k->octets, NULL, NULL) == 1 &&
	       EVP_EncryptUpdate(ctx, out + SIV_TAG_LEN, &n, text.data, (int)text.len) == 1 &&
	       n == (int)text.len &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SIV_TAG_LEN, out) == 1;
}

static bool open_sealed(
	EVP_CIPHER_CTX *ctx, const struct siv_key *k, struct bytes sealed, uint8_t *out)
{
	uint8_t tag[SIV_TAG_LEN];
	int n, len = (int)sealed.len - SIV_TAG_LEN;

	memcpy(tag, sealed.data, sizeof(tag));
	return EVP_DecryptInit_ex2(ctx, k->cipher, k->octets, NULL, NULL) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, SIV_TAG_LEN, tag) == 1 &&
	       EVP_DecryptUpdate(ctx, out, &n, sealed.data + SIV_TAG_LEN, len) == 1 && n == len;
}

bool siv_seal(const struct siv_key *k, struct bytes text, uint8_t *out, struct err *e)
{
	EVP_CIPHER_CTX *ctx;
	bool ok;

	if (!text.len || text.len > SIV_TEXT_MAX)
		return err_set(e, ERR_BUG, "sealing %zu octets", text.len);
	ossl_begin();
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && seal(ctx, k, text, out);
	EVP_CIPHER_CTX_free(ctx);
	return ok || ossl_fail(e, ERR_BUG, "sealing %zu octets", text.len);
}

bool siv_open(const struct siv_key *k, struct bytes sealed, uint8_t *out, struct err *e)
{
	EVP_CIPHER_CTX *ctx;
	bool ok;

	if (sealed.len <= SIV_TAG_LEN || sealed.len > SIV_TAG_LEN + SIV_TEXT_MAX)
		return err_set(e, ERR_UNAUTHENTICATED, "sealed: %zu octets", sealed.len);
	ossl_begin();
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && open_sealed(ctx, k, sealed, out);
	EVP_CIPHER_CTX_free(ctx);
	return ok || ossl_fail(e, ERR_UNAUTHENTICATED, "not sealed by us");
}
