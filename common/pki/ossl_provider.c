/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL 3.0 decodes the public key inside every certificate it parses, the TLS library's own
 * included, and for each of them collects the decoders of all key formats it knows: 40 of them
 * times 20 kinds of keys, tried by name, after copying a list of everything else it has. That is a
 * third of a TLS handshake. This provider hands out what the default provider has, but of decoders
 * and kinds of keys only those that can stand in a certificate or a key file here
 * (signature_key_acceptable()), and of ciphers only those of TLS. What is left out cannot be
 * loaded, which is how it is refused: DSA, X448, SM2, keys for RSA-PSS only, MSBLOB, PVK.
 *
 * Servers' TLS handshakes have a library context of their own with only what they need: finding a
 * decoder takes time in proportion to all that there is, three times in an onboarding.
 *
 * The default provider proper lives in a library context of its own, ours answers from it. Where a
 * system's openssl.cnf activates further providers, they stay beside it. */
#include "common/pki/ossl_provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <string.h>

#include "common/pki/ossl.h"
#include "common/pki/ossl_kdf.h"
#include "common/pki/ossl_spki.h"

#define ALGORITHMS_MAX 32 /* in one of the tables below, the end mark included */

/* Rows of the default provider's tables that are passed on, by the first of their names, and for
 * decoders by what they read. */
struct wanted {
	const char *name;
	const char *input, *structure; /* NULL: any */
};

static const struct wanted wanted_keys[] = {
	{"RSA", NULL, NULL},
	{"RSA-PSS", NULL, NULL}, /* libssl asks for it before it signs so with an RSA key */
	{"EC", NULL, NULL},
	{"ED25519", NULL, NULL},
	{"X25519", NULL, NULL},
	{"HMAC", NULL, NULL},
};

static const struct wanted wanted_decoders[] = {
	{"EC", "der", "SubjectPublicKeyInfo"},
	{"RSA", "der", "SubjectPublicKeyInfo"},
	{"ED25519", "der", "SubjectPublicKeyInfo"},
	{"EC", "der", "PrivateKeyInfo"},
	{"RSA", "der", "PrivateKeyInfo"},
	{"ED25519", "der", "PrivateKeyInfo"},
	{"EC", "der", "type-specific"},
	{"RSA", "der", "type-specific"},
	{"DER", "der", "EncryptedPrivateKeyInfo"},
	{"DER", "pem", NULL},
};

static const struct wanted wanted_ciphers[] = {
	{"AES-256-GCM", NULL, NULL},
	{"AES-128-GCM", NULL, NULL},
	{"ChaCha20-Poly1305", NULL, NULL},
	{"AES-256-CCM", NULL, NULL},
	{"AES-128-CCM", NULL, NULL},
	{"AES-256-CBC", NULL, NULL}, /* TLS 1.2 of a MASA that has nothing better */
	{"AES-128-CBC", NULL, NULL},
};

static const struct wanted handshake_keys[] = {
	{"EC", NULL, NULL},
	{"RSA", NULL, NULL},
	{"RSA-PSS", NULL, NULL},
	{"ED25519", NULL, NULL},
	{"X25519", NULL, NULL},
};

static const struct wanted handshake_decoders[] = {
	{"EC", "der", "SubjectPublicKeyInfo"},
	{"RSA", "der", "SubjectPublicKeyInfo"},
	{"ED25519", "der", "SubjectPublicKeyInfo"},
};

/* Those of the suites in net/tls. */
static const struct wanted handshake_ciphers[] = {
	{"AES-128-GCM", NULL, NULL},
	{"AES-256-GCM", NULL, NULL},
	{"ChaCha20-Poly1305", NULL, NULL},
};

static const struct wanted handshake_digests[] = {
	{"SHA2-256", NULL, NULL}, {"SHA2-384", NULL, NULL}, {"SHA2-512", NULL, NULL},
	{"SHA1", NULL,
		NULL}, /* libssl names certificates by it, and believes no signature with it */
};

static const struct wanted handshake_macs[] = {{"HMAC", NULL, NULL}};

static const struct wanted handshake_kdfs[] = {
	{"TLS13-KDF", NULL, NULL},
	{"TLS1-PRF", NULL, NULL},
};

static const struct wanted handshake_exchanges[] = {{"X25519", NULL, NULL}, {"ECDH", NULL, NULL}};

static const struct wanted handshake_signatures[] = {
	{"ECDSA", NULL, NULL},
	{"RSA", NULL, NULL},
	{"ED25519", NULL, NULL},
};

static const struct wanted handshake_generators[] = {
	{"CTR-DRBG", NULL, NULL},
	{"SEED-SRC", NULL, NULL},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct cut {
	int operation;
	const struct wanted *wanted;
	size_t count;
};

static const struct cut general_cuts[] = {
	{OSSL_OP_KEYMGMT, wanted_keys, COUNT(wanted_keys)},
	{OSSL_OP_DECODER, wanted_decoders, COUNT(wanted_decoders)},
	{OSSL_OP_CIPHER, wanted_ciphers, COUNT(wanted_ciphers)},
};

static const struct cut handshake_cuts[] = {
	{OSSL_OP_KEYMGMT, handshake_keys, COUNT(handshake_keys)},
	{OSSL_OP_DECODER, handshake_decoders, COUNT(handshake_decoders)},
	{OSSL_OP_CIPHER, handshake_ciphers, COUNT(handshake_ciphers)},
	{OSSL_OP_DIGEST, handshake_digests, COUNT(handshake_digests)},
	{OSSL_OP_MAC, handshake_macs, COUNT(handshake_macs)},
	{OSSL_OP_KDF, handshake_kdfs, COUNT(handshake_kdfs)},
	{OSSL_OP_KEYEXCH, handshake_exchanges, COUNT(handshake_exchanges)},
	{OSSL_OP_SIGNATURE, handshake_signatures, COUNT(handshake_signatures)},
	{OSSL_OP_RAND, handshake_generators, COUNT(handshake_generators)},
};

#define CUTS_MAX COUNT(handshake_cuts)

/* What a provider of ours offers. */
struct offer {
	const struct cut *cuts;
	size_t cut_count;
	bool nothing_else;
	OSSL_ALGORITHM tables[CUTS_MAX][ALGORITHMS_MAX];
};

/* The one piece of file-scope state of this file, written once: OpenSSL's provider functions get no
 * argument of ours, because the default provider's context has to stand there. */
static struct {
	OSSL_PROVIDER *original, *general, *handshake; /* held until the process ends */
	OSSL_LIB_CTX *handshake_ctx;
	struct offer general_offer, handshake_offer;
} slim = {
	.general_offer = {.cuts = general_cuts, .cut_count = COUNT(general_cuts)},
	.handshake_offer = {.cuts = handshake_cuts,
		.cut_count = COUNT(handshake_cuts),
		.nothing_else = true},
};

static bool named(const OSSL_ALGORITHM *a, const char *name)
{
	size_t len = strlen(name);

	return strncmp(a->algorithm_names, name, len) == 0 &&
	       (a->algorithm_names[len] == '\0' || a->algorithm_names[len] == ':');
}

/* Whether "…,input=der,structure=dh" has this value under this name. */
static bool property_is(const OSSL_ALGORITHM *a, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	for (const char *p = a->property_definition; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, name_len) == 0 && p[name_len] == '=' &&
			strncmp(p + name_len + 1, value, value_len) == 0)
			return p[name_len + 1 + value_len] == ',' ||
			       p[name_len + 1 + value_len] == '\0';
	}
	return false;
}

static bool fits(const OSSL_ALGORITHM *a, const struct wanted *w)
{
	return named(a, w->name) && (!w->input || property_is(a, "input", w->input)) &&
	       (!w->structure || property_is(a, "structure", w->structure));
}

/* In the order of `wanted`: what is asked for most stands first. */
static bool cut_down(const struct cut *cut, OSSL_ALGORITHM table[ALGORITHMS_MAX])
{
	int no_cache;
	const OSSL_ALGORITHM *all =
		OSSL_PROVIDER_query_operation(slim.original, cut->operation, &no_cache);
	size_t found = 0;

	for (size_t i = 0; all && i < cut->count; i++)
		for (const OSSL_ALGORITHM *a = all; a->algorithm_names; a++)
			if (fits(a, &cut->wanted[i]) && found < ALGORITHMS_MAX - 1)
				table[found++] = *a;
	return found >= cut->count;
}

static bool prepare(struct offer *o)
{
	for (size_t i = 0; i < o->cut_count; i++)
		if (!cut_down(&o->cuts[i], o->tables[i]))
			return false;
	return true;
}

static OSSL_ALGORITHM *row(struct offer *o, int operation, const char *name)
{
	for (size_t i = 0; i < o->cut_count; i++)
		for (OSSL_ALGORITHM *a = o->tables[i]; a->algorithm_names; a++)
			if (o->cuts[i].operation == operation && named(a, name))
				return a;
	return NULL;
}

/* A handshake reads keys on P-256 in a quicker way. */
static bool put_decoder(struct offer *o, const OSSL_DISPATCH *core)
{
	OSSL_ALGORITHM *decoder = row(o, OSSL_OP_DECODER, "EC");
	const OSSL_ALGORITHM *keys = row(o, OSSL_OP_KEYMGMT, "EC");

	if (!decoder || !keys ||
		!ossl_spki_prepare(OSSL_PROVIDER_get0_provider_ctx(slim.original),
			decoder->implementation, keys->implementation, core))
		return false;
	decoder->implementation = ossl_spki_decoder();
	return true;
}

/* And derives its keys in a quicker way. */
static bool put_derivation(struct offer *o)
{
	OSSL_ALGORITHM *kdf = row(o, OSSL_OP_KDF, "TLS13-KDF");

	if (!kdf || !ossl_kdf_prepare(kdf->implementation))
		return false;
	kdf->implementation = ossl_kdf_tls13();
	return true;
}

/* ---- what OpenSSL calls ---- */

static const OSSL_ALGORITHM *query(const struct offer *o, int operation, int *no_cache)
{
	*no_cache = 0;
	for (size_t i = 0; i < o->cut_count; i++)
		if (o->cuts[i].operation == operation)
			return o->tables[i];
	return o->nothing_else ? NULL
			       : OSSL_PROVIDER_query_operation(slim.original, operation, no_cache);
}

static const OSSL_ALGORITHM *query_general(void *context, int operation, int *no_cache)
{
	return query(&slim.general_offer, operation, no_cache);
}

static const OSSL_ALGORITHM *query_handshake(void *context, int operation, int *no_cache)
{
	return query(&slim.handshake_offer, operation, no_cache);
}

static int capabilities(void *context, const char *what, OSSL_CALLBACK *each, void *arg)
{
	return OSSL_PROVIDER_get_capabilities(slim.original, what, each, arg);
}

static const OSSL_PARAM *gettable_params(void *context)
{
	return OSSL_PROVIDER_gettable_params(slim.original);
}

static int get_params(void *context, OSSL_PARAM params[])
{
	return OSSL_PROVIDER_get_params(slim.original, params);
}

/* What is the same in both. */
#define COMMON_FUNCTIONS                                                                           \
	OSSL_ENTRY(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities),                             \
		OSSL_ENTRY(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_params),                   \
		OSSL_ENTRY(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),                             \
	{                                                                                          \
		0, NULL                                                                            \
	}

static int start(const OSSL_DISPATCH *functions, const OSSL_DISPATCH **out, void **context)
{
	if (!slim.original)
		return 0;
	*out = functions;
	*context = OSSL_PROVIDER_get0_provider_ctx(slim.original);
	return 1;
}

static int start_general(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = {
		OSSL_ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_general), COMMON_FUNCTIONS};

	return start(functions, out, context);
}

static int start_handshake(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = {
		OSSL_ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query_handshake), COMMON_FUNCTIONS};

	return put_decoder(&slim.handshake_offer, in) && put_derivation(&slim.handshake_offer) &&
	       start(functions, out, context);
}

static bool wrap(OSSL_LIB_CTX *own, OSSL_LIB_CTX *handshake_ctx)
{
	slim.original = own ? OSSL_PROVIDER_load(own, "default") : NULL;
	if (!slim.original || !handshake_ctx || !prepare(&slim.general_offer) ||
		!prepare(&slim.handshake_offer))
		return false;
	if (OSSL_PROVIDER_add_builtin(handshake_ctx, "brski-handshake", start_handshake) != 1 ||
		OSSL_PROVIDER_add_builtin(NULL, "brski", start_general) != 1)
		return false;
	slim.handshake = OSSL_PROVIDER_load(handshake_ctx, "brski-handshake");
	slim.general = slim.handshake ? OSSL_PROVIDER_load(NULL, "brski") : NULL;
	return slim.general != NULL;
}

/* OpenSSL walks all names it knows for each key it meets, and begins with those of every digest and
 * cipher there is. With these, what certificates and key files may name is still found. */
static bool shorten_lists(void)
{
	return OPENSSL_init_crypto(
		       OPENSSL_INIT_NO_ADD_ALL_CIPHERS | OPENSSL_INIT_NO_ADD_ALL_DIGESTS, NULL) &&
	       EVP_add_digest(EVP_sha1()) && EVP_add_digest(EVP_sha224()) &&
	       EVP_add_digest(EVP_sha256()) && EVP_add_digest(EVP_sha384()) &&
	       EVP_add_digest(EVP_sha512()) && EVP_add_cipher(EVP_aes_128_cbc()) &&
	       EVP_add_cipher(EVP_aes_256_cbc()) && EVP_add_cipher(EVP_des_ede3_cbc());
}

bool ossl_provider_install(struct err *e)
{
	OSSL_LIB_CTX *own, *handshake_ctx;

	if (slim.original)
		return true;
	own = shorten_lists() ? OSSL_LIB_CTX_new() : NULL;
	handshake_ctx = OSSL_LIB_CTX_new();
	if (wrap(own, handshake_ctx)) {
		slim.handshake_ctx = handshake_ctx;
		return true;
	}
	ossl_fail(e, ERR_NO_MEMORY, "OpenSSL does not accept our provider");
	slim.original = NULL;
	OSSL_LIB_CTX_free(handshake_ctx);
	OSSL_LIB_CTX_free(own);
	return false;
}

OSSL_LIB_CTX *ossl_provider_handshake_ctx(void)
{
	return slim.handshake_ctx;
}
