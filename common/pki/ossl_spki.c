/* SPDX-License-Identifier: Apache-2.0 */
/* See ossl_spki.h; provider-decoder(7), provider-keymgmt(7). */
#include "common/pki/ossl_spki.h"

#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>
#include <openssl/params.h>
#include <stdint.h>
#include <string.h>

#include "common/pki/ossl.h"

#define P256_POINT_LEN 65

/* SubjectPublicKeyInfo of a key on P-256 up to its point, uncompressed (RFC 5480) */
static const uint8_t p256_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00, 0x04};
#define P256_LEN (sizeof(p256_head) - 1 + P256_POINT_LEN)

/* File-scope state, written once: OpenSSL's functions get contexts of its own only. */
static struct {
	OSSL_FUNC_decoder_newctx_fn *new_context;
	OSSL_FUNC_decoder_freectx_fn *free_context;
	OSSL_FUNC_decoder_does_selection_fn *does_selection;
	OSSL_FUNC_decoder_decode_fn *decode;
	OSSL_FUNC_keymgmt_new_fn *key_new;
	OSSL_FUNC_keymgmt_free_fn *key_free;
	OSSL_FUNC_keymgmt_import_fn *key_import;
	OSSL_FUNC_keymgmt_dup_fn *key_dup;
	OSSL_FUNC_keymgmt_set_params_fn *key_set_params;
	OSSL_FUNC_BIO_read_ex_fn *bio_read;
	OSSL_FUNC_BIO_ctrl_fn *bio_control;
	void *curve; /* a key on P-256 without a point */
} spki;

/* All there is, when it is a key on P-256; else nothing is read. */
static bool read_p256(OSSL_CORE_BIO *in, uint8_t out[P256_LEN + 1])
{
	size_t got = 0;

	if (spki.bio_read(in, out, P256_LEN + 1, &got) == 1 && got == P256_LEN &&
		memcmp(out, p256_head, sizeof(p256_head)) == 0)
		return true;
	spki.bio_control(in, BIO_C_FILE_SEEK, 0, NULL);
	return false;
}

/* NULL: the point is not on the curve, or no memory. */
static void *key_of(uint8_t *point)
{
	void *key = spki.key_dup(spki.curve, OSSL_KEYMGMT_SELECT_ALL_PARAMETERS);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, P256_POINT_LEN),
		OSSL_PARAM_construct_end(),
	};

	if (key && spki.key_set_params(key, params) == 1)
		return key;
	spki.key_free(key);
	return NULL;
}

/* Who takes the key writes NULL in its place. */
static int hand_over(void *key, OSSL_CALLBACK *take, void *arg)
{
	char type[] = "EC";
	int object = OSSL_OBJECT_PKEY, ok;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_OBJECT_PARAM_TYPE, &object),
		OSSL_PARAM_construct_utf8_string(OSSL_OBJECT_PARAM_DATA_TYPE, type, 0),
		OSSL_PARAM_construct_octet_string(OSSL_OBJECT_PARAM_REFERENCE, &key, sizeof(key)),
		OSSL_PARAM_construct_end(),
	};

	ok = take(params, arg);
	spki.key_free(key);
	return ok;
}

static int decode(void *context, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *take, void *arg,
	OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg)
{
	uint8_t octets[P256_LEN + 1];
	void *key = NULL;

	if (read_p256(in, octets)) {
		key = key_of(octets + sizeof(p256_head) - 1);
		if (key)
			return hand_over(key, take, arg);
		spki.bio_control(in, BIO_C_FILE_SEEK, 0, NULL);
	}
	return spki.decode(context, in, selection, take, arg, ask, ask_arg);
}

static void *new_context(void *provider_context)
{
	/* cppcheck-suppress CastIntegerToAddressAtReturn ; it does not see OpenSSL's type */
	return spki.new_context(provider_context);
}

static void free_context(void *context)
{
	spki.free_context(context);
}

static int does_selection(void *provider_context, int selection)
{
	return spki.does_selection(provider_context, selection);
}

const OSSL_DISPATCH *ossl_spki_decoder(void)
{
	static const OSSL_DISPATCH functions[] = {
		OSSL_ENTRY(OSSL_FUNC_DECODER_NEWCTX, new_context),
		OSSL_ENTRY(OSSL_FUNC_DECODER_FREECTX, free_context),
		OSSL_ENTRY(OSSL_FUNC_DECODER_DOES_SELECTION, does_selection),
		OSSL_ENTRY(OSSL_FUNC_DECODER_DECODE, decode),
		{0, NULL},
	};

	return functions;
}

static void (*find(const OSSL_DISPATCH *d, int id))(void)
{
	for (; d->function_id; d++)
		if (d->function_id == id)
			return d->function;
	return NULL;
}

static bool make_curve(void *provider_context)
{
	char name[] = "P-256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
		OSSL_PARAM_construct_end(),
	};

	spki.curve = spki.key_new(provider_context);
	return spki.curve &&
	       spki.key_import(spki.curve, OSSL_KEYMGMT_SELECT_ALL_PARAMETERS, params) == 1;
}

bool ossl_spki_prepare(void *provider_context, const OSSL_DISPATCH *stood_in,
	const OSSL_DISPATCH *keys, const OSSL_DISPATCH *core)
{
#define TAKE(member, from, id) ((spki.member = (__typeof__(spki.member))find(from, id)) != NULL)
	return TAKE(new_context, stood_in, OSSL_FUNC_DECODER_NEWCTX) &&
	       TAKE(free_context, stood_in, OSSL_FUNC_DECODER_FREECTX) &&
	       TAKE(does_selection, stood_in, OSSL_FUNC_DECODER_DOES_SELECTION) &&
	       TAKE(decode, stood_in, OSSL_FUNC_DECODER_DECODE) &&
	       TAKE(key_new, keys, OSSL_FUNC_KEYMGMT_NEW) &&
	       TAKE(key_free, keys, OSSL_FUNC_KEYMGMT_FREE) &&
	       TAKE(key_import, keys, OSSL_FUNC_KEYMGMT_IMPORT) &&
	       TAKE(key_dup, keys, OSSL_FUNC_KEYMGMT_DUP) &&
	       TAKE(key_set_params, keys, OSSL_FUNC_KEYMGMT_SET_PARAMS) &&
	       TAKE(bio_read, core, OSSL_FUNC_BIO_READ_EX) &&
	       TAKE(bio_control, core, OSSL_FUNC_BIO_CTRL) && make_curve(provider_context);
#undef TAKE
}
