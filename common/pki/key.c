/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys. PEM and PKCS#8 octets live only in buffers that are wiped (R8995 §11.3, RFC 5958).
 */
#include "common/pki/key.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/file.h"
#include "common/pki/ossl.h"
#include "common/pki/signature.h"

struct key {
	EVP_PKEY *evp;
};

static const char *const type_names[KEY_TYPE_COUNT] = {
	[KEY_EC_P256] = "ec-p256",
	[KEY_EC_P384] = "ec-p384",
	[KEY_RSA_3072] = "rsa-3072",
	[KEY_ED25519] = "ed25519",
};

bool key_type_parse(const char *name, enum key_type *out, struct err *e)
{
	for (int i = 0; i < KEY_TYPE_COUNT; i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*out = (enum key_type)i;
			return true;
		}
	}
	return err_set(e, ERR_INPUT,
		"key type \"%s\" is none of ec-p256, ec-p384, rsa-3072, ed25519", name);
}

const char *key_type_name(enum key_type type)
{
	return type_names[type];
}

/* Takes evp, also when it fails. */
static struct key *key_of(EVP_PKEY *evp, struct err *e)
{
	struct key *k = mem_new(sizeof(*k), e);

	if (!k) {
		EVP_PKEY_free(evp);
		return NULL;
	}
	k->evp = evp;
	return k;
}

static EVP_PKEY *generate(enum key_type type)
{
	switch (type) {
	case KEY_EC_P256:
		return EVP_EC_gen("P-256");
	case KEY_EC_P384:
		return EVP_EC_gen("P-384");
	case KEY_RSA_3072:
		return EVP_RSA_gen(3072);
	case KEY_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case KEY_TYPE_COUNT:
		break;
	}
	return NULL;
}

struct key *key_generate(enum key_type type, struct err *e)
{
	EVP_PKEY *evp = generate(type);

	if (!evp) {
		ossl_fail(e, ERR_NO_MEMORY, "key could not be made");
		return NULL;
	}
	return key_of(evp, e);
}

/* Asked for the password of an encrypted key: there is none, and nobody is at a terminal. */
static int no_password(char *buf, int size, int rwflag, void *user)
{
	*(bool *)user = true;
	return -1;
}

struct key *key_parse_pem(struct bytes pem, struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = NULL;
	OSSL_AUTO(EVP_PKEY) EVP_PKEY *evp = NULL;
	bool encrypted = false;
	struct key *k;

	if (pem.len > KEY_PEM_MAX) {
		err_set(e, ERR_TOO_LARGE, "key: more than %d octets", KEY_PEM_MAX);
		return NULL;
	}
	bio = BIO_new_mem_buf(pem.data ? (const void *)pem.data : "", (int)pem.len);
	if (!bio) {
		ossl_fail(e, ERR_NO_MEMORY, "key");
		return NULL;
	}
	evp = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
	if (!evp) {
		ossl_fail(e, ERR_INPUT, "%s",
			encrypted ? "key is encrypted; only unencrypted keys can be used"
				  : "not a private key in PEM");
		return NULL;
	}
	ossl_forget(); /* PEM reading leaves a trace of the formats it tried */
	if (!signature_key_acceptable(evp, e))
		return NULL;
	k = key_of(evp, e);
	evp = NULL;
	return k;
}

struct key *key_load(const char *path, struct err *e)
{
	BUF_AUTO_WIPE struct buf pem = BUF_INIT(KEY_PEM_MAX);
	struct key *k;

	if (!file_read(path, &pem, e))
		return NULL;
	k = key_parse_pem(buf_bytes(&pem), e);
	if (!k)
		err_prefix(e, "%s", path);
	return k;
}

static EVP_PKEY *pkcs8_read(struct bytes der)
{
	OSSL_AUTO(PKCS8_PRIV_KEY_INFO) PKCS8_PRIV_KEY_INFO *info = NULL;
	const uint8_t *p = der.data;

	if (der.len == 0 || der.len > KEY_PEM_MAX)
		return NULL;
	info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
	return info && p == der.data + der.len ? EVP_PKCS82PKEY(info) : NULL;
}

static bool halves_agree(EVP_PKEY *evp)
{
	OSSL_AUTO(EVP_PKEY_CTX) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(evp, NULL);

	return ctx && EVP_PKEY_pairwise_check(ctx) == 1;
}

struct key *key_parse_pkcs8(struct bytes der, struct err *e)
{
	OSSL_AUTO(EVP_PKEY) EVP_PKEY *evp = pkcs8_read(der);
	struct key *k;

	if (!evp) {
		ossl_fail(e, ERR_INPUT, "not a private key in PKCS#8");
		return NULL;
	}
	if (!signature_key_acceptable(evp, e))
		return NULL;
	if (!halves_agree(evp)) {
		ossl_fail(e, ERR_INPUT, "private and public key do not belong together");
		return NULL;
	}
	ossl_forget();
	k = key_of(evp, e);
	evp = NULL;
	return k;
}

bool key_format_pem(const struct key *k, struct buf *out, struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = BIO_new(BIO_s_secmem());
	char *pem;
	long len;

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, k->evp, NULL, NULL, 0, NULL, NULL) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "key could not be encoded");
	len = BIO_get_mem_data(bio, &pem);
	return buf_append(out, pem, (size_t)len, e);
}

bool key_save(const struct key *k, const char *path, struct err *e)
{
	BUF_AUTO_WIPE struct buf pem = BUF_INIT(KEY_PEM_MAX);

	if (!key_format_pem(k, &pem, e))
		return err_prefix(e, "%s", path);
	return file_write_atomic(path, buf_bytes(&pem), 0600, e);
}

bool key_format_pkcs8(const struct key *k, struct buf *out, struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio || i2d_PKCS8PrivateKey_bio(bio, k->evp, NULL, NULL, 0, NULL, NULL) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "key could not be encoded");
	return ossl_take_bio(bio, out, e);
}

void key_free(struct key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->evp);
	free(k);
}

void key_unref(struct key **k)
{
	key_free(*k);
	*k = NULL;
}

const EVP_MD *key_digest(const struct key *k)
{
	switch (EVP_PKEY_get_base_id(k->evp)) {
	case EVP_PKEY_ED25519:
		return NULL;
	case EVP_PKEY_EC:
		if (EVP_PKEY_get_bits(k->evp) > 384)
			return EVP_sha512();
		return EVP_PKEY_get_bits(k->evp) > 256 ? EVP_sha384() : EVP_sha256();
	default:
		return EVP_sha256();
	}
}

bool key_sign(const struct key *k, struct bytes data, struct buf *signature, struct err *e)
{
	OSSL_AUTO(EVP_MD_CTX) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = (size_t)EVP_PKEY_get_size(k->evp), room = len;
	FREE_AUTO uint8_t *sig = NULL;

	if (!ctx || EVP_DigestSignInit(ctx, NULL, key_digest(k), NULL, k->evp) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "signing");
	sig = mem_new(len, e);
	if (!sig)
		return false;
	/* measured in OpenSSL 3.0.22: success and the length -1 when ECDSA runs out of memory */
	if (EVP_DigestSign(ctx, sig, &len, data.data, data.len) != 1 || len > room)
		return ossl_fail(e, ERR_NO_MEMORY, "signing");
	return buf_append(signature, sig, len, e);
}

bool key_public_spki(const struct key *k, struct buf *out, struct err *e)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(k->evp, &der);
	bool ok;

	if (len <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "public key could not be encoded");
	ok = buf_append(out, der, (size_t)len, e);
	OPENSSL_free(der);
	return ok;
}

EVP_PKEY *key_evp(const struct key *k)
{
	return k->evp;
}
