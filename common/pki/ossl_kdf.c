/* SPDX-License-Identifier: Apache-2.0 */
/* See ossl_kdf.h; provider-kdf(7), EVP_KDF-TLS13_KDF(7), RFC 8446 §7.1, RFC 5869, RFC 2104. What is
 * in the least unusual is left to OpenSSL. SHA256_Init() and its like are deprecated since
 * OpenSSL 3.0, but only they need no memory and no looking up. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/pki/ossl_kdf.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/pki/ossl.h"

#define HASH_LEN  SHA256_DIGEST_LENGTH
#define BLOCK_LEN SHA256_CBLOCK
#define LABEL_MAX 255 /* one octet says how long it is */
#define NO_MODE	  (-1)

/* File-scope state, written once: OpenSSL's functions get contexts of its own only. */
static struct {
	OSSL_FUNC_kdf_newctx_fn *new_context;
	OSSL_FUNC_kdf_freectx_fn *free_context;
	OSSL_FUNC_kdf_derive_fn *derive;
} theirs;

/* ---- HMAC with SHA-256 ---- */

static void pad(SHA256_CTX *hash, const uint8_t key[HASH_LEN], uint8_t with)
{
	uint8_t block[BLOCK_LEN];

	memset(block, with, sizeof(block));
	for (size_t i = 0; i < HASH_LEN; i++)
		block[i] ^= key[i];
	SHA256_Init(hash);
	SHA256_Update(hash, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
}

static void hmac(const uint8_t key[HASH_LEN], struct bytes data, uint8_t out[HASH_LEN])
{
	uint8_t inner[HASH_LEN];
	SHA256_CTX hash;

	pad(&hash, key, 0x36);
	SHA256_Update(&hash, data.data, data.len);
	SHA256_Final(inner, &hash);
	pad(&hash, key, 0x5c);
	SHA256_Update(&hash, inner, sizeof(inner));
	SHA256_Final(out, &hash);
	OPENSSL_cleanse(&hash, sizeof(hash));
	OPENSSL_cleanse(inner, sizeof(inner));
}

/* ---- the key schedule ---- */

/* What OpenSSL's parameters say; data NULL: is not among them. */
struct input {
	int mode;
	struct bytes digest, key, salt, prefix, label, data;
};

/* HKDF-Expand-Label: one block, whose info is HkdfLabel and the number of the block. */
static void expand(const struct input *in, const uint8_t secret[HASH_LEN], struct bytes context,
	size_t len, uint8_t *out)
{
	uint8_t info[2 + 1 + LABEL_MAX + 1 + LABEL_MAX + 1], block[HASH_LEN], *p = info;

	*p++ = 0;
	*p++ = (uint8_t)len;
	*p++ = (uint8_t)(in->prefix.len + in->label.len);
	memcpy(p, in->prefix.data, in->prefix.len);
	p += in->prefix.len;
	memcpy(p, in->label.data, in->label.len);
	p += in->label.len;
	*p++ = (uint8_t)context.len;
	if (context.len)
		memcpy(p, context.data, context.len);
	p += context.len;
	*p++ = 1;
	hmac(secret, bytes_of(info, (size_t)(p - info)), block);
	memcpy(out, block, len);
	OPENSSL_cleanse(block, sizeof(block));
}

/* HKDF-Extract(Derive-Secret(the secret before, label, ""), key); the first secret has none before
 * it, and where there is no key its place is taken by zeros. */
static void extract(const struct input *in, uint8_t out[HASH_LEN])
{
	static const uint8_t zeros[HASH_LEN];
	uint8_t nothing[HASH_LEN], derived[HASH_LEN] = {0};
	SHA256_CTX hash;

	if (in->salt.data) {
		SHA256_Init(&hash);
		SHA256_Final(nothing, &hash);
		expand(in, in->salt.data, bytes_of(nothing, HASH_LEN), HASH_LEN, derived);
	}
	hmac(derived, in->key.data ? in->key : bytes_of(zeros, HASH_LEN), out);
	OPENSSL_cleanse(derived, sizeof(derived));
}

/* False: it is none of these, of another type, or stands there twice. */
static bool take(const OSSL_PARAM *p, struct input *in)
{
	static const struct {
		const char *name;
		size_t at;
		unsigned type;
	} known[] = {
		{OSSL_KDF_PARAM_DIGEST, offsetof(struct input, digest), OSSL_PARAM_UTF8_STRING},
		{OSSL_KDF_PARAM_KEY, offsetof(struct input, key), OSSL_PARAM_OCTET_STRING},
		{OSSL_KDF_PARAM_SALT, offsetof(struct input, salt), OSSL_PARAM_OCTET_STRING},
		{OSSL_KDF_PARAM_PREFIX, offsetof(struct input, prefix), OSSL_PARAM_OCTET_STRING},
		{OSSL_KDF_PARAM_LABEL, offsetof(struct input, label), OSSL_PARAM_OCTET_STRING},
		{OSSL_KDF_PARAM_DATA, offsetof(struct input, data), OSSL_PARAM_OCTET_STRING},
	};

	if (strcmp(p->key, OSSL_KDF_PARAM_MODE) == 0)
		return in->mode == NO_MODE && OSSL_PARAM_get_int(p, &in->mode) == 1;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		struct bytes *place = (struct bytes *)((char *)in + known[i].at);

		if (strcmp(p->key, known[i].name) != 0)
			continue;
		if (place->data || p->data_type != known[i].type)
			return false;
		*place = bytes_of(p->data, p->data_size);
		return place->data && place->len > 0;
	}
	return false;
}

/* Whether everything is as it is for SHA-256. */
static bool is_usual(const struct input *in, size_t len)
{
	if (!bytes_equal(in->digest, bytes_of_str("SHA2-256")) || !in->prefix.data ||
		!in->label.data || in->prefix.len > LABEL_MAX ||
		in->label.len > LABEL_MAX - in->prefix.len)
		return false;
	if (in->mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
		return in->key.len == HASH_LEN && in->data.len <= LABEL_MAX && len > 0 &&
		       len <= HASH_LEN && !in->salt.data;
	return in->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && len == HASH_LEN && !in->data.data &&
	       (!in->salt.data || in->salt.len == HASH_LEN);
}

static bool read_usual(const OSSL_PARAM params[], size_t len, struct input *in)
{
	*in = (struct input){.mode = NO_MODE};
	for (const OSSL_PARAM *p = params; p && p->key; p++)
		if (!take(p, in))
			return false;
	return is_usual(in, len);
}

/* ---- what OpenSSL calls ---- */

static int derive(void *context, unsigned char *out, size_t len, const OSSL_PARAM params[])
{
	struct input in;
	void *their_context;
	int ok;

	if (read_usual(params, len, &in)) {
		if (in.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY)
			expand(&in, in.key.data, in.data, len, out);
		else
			extract(&in, out);
		return 1;
	}
	their_context = theirs.new_context(context);
	ok = their_context && theirs.derive(their_context, out, len, params);
	if (their_context)
		theirs.free_context(their_context);
	return ok;
}

/* There is nothing to keep: the provider's context serves, for theirs needs it. */
static void *new_context(void *provider_context)
{
	return provider_context;
}

static void free_context(void *context)
{
}

/* None is kept until a derivation. */
static int set_params(void *context, const OSSL_PARAM params[])
{
	return !params || !params->key;
}

const OSSL_DISPATCH *ossl_kdf_tls13(void)
{
	static const OSSL_DISPATCH functions[] = {
		OSSL_ENTRY(OSSL_FUNC_KDF_NEWCTX, new_context),
		OSSL_ENTRY(OSSL_FUNC_KDF_FREECTX, free_context),
		OSSL_ENTRY(OSSL_FUNC_KDF_DERIVE, derive),
		OSSL_ENTRY(OSSL_FUNC_KDF_SET_CTX_PARAMS, set_params),
		{0, NULL},
	};

	return functions;
}

bool ossl_kdf_prepare(const OSSL_DISPATCH *stood_in)
{
	for (const OSSL_DISPATCH *d = stood_in; d->function_id; d++) {
		if (d->function_id == OSSL_FUNC_KDF_NEWCTX)
			theirs.new_context = OSSL_FUNC_kdf_newctx(d);
		else if (d->function_id == OSSL_FUNC_KDF_FREECTX)
			theirs.free_context = OSSL_FUNC_kdf_freectx(d);
		else if (d->function_id == OSSL_FUNC_KDF_DERIVE)
			theirs.derive = OSSL_FUNC_kdf_derive(d);
	}
	return theirs.new_context && theirs.free_context && theirs.derive;
}
