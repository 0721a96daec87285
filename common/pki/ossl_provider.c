/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL 3.0 decodes the public key inside every certificate it parses, the TLS library's own
 * included, and for each of them collects the decoders of all key formats it knows: 40 of them
 * times 20 kinds of keys, tried by name, after copying a list of everything else it has. That is a
 * third of a TLS handshake. This provider hands out what the default provider has, but of decoders
 * and kinds of keys only those that can stand in a certificate or a key file here
 * (signature_key_acceptable()), and of ciphers only those of TLS. What is left out cannot be
 * loaded, which is how it is refused: DSA, X448, SM2, keys for RSA-PSS only, MSBLOB, PVK.
 *
 * The default provider proper lives in a library context of its own, ours answers from it. Where a
 * system's openssl.cnf activates further providers, they stay beside it. */
#include "common/pki/ossl_provider.h"

#include <openssl/core_dispatch.h>
#include <openssl/provider.h>
#include <string.h>

#include "common/pki/ossl.h"

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

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	int operation;
	const struct wanted *wanted;
	size_t count;
} cuts[] = {
	{OSSL_OP_KEYMGMT, wanted_keys, COUNT(wanted_keys)},
	{OSSL_OP_DECODER, wanted_decoders, COUNT(wanted_decoders)},
	{OSSL_OP_CIPHER, wanted_ciphers, COUNT(wanted_ciphers)},
};

/* The one piece of file-scope state of this project, written once: OpenSSL's provider functions get
 * no argument of ours, because the default provider's context has to stand there. */
static struct {
	OSSL_PROVIDER *original, *ours; /* held until the process ends */
	OSSL_ALGORITHM tables[COUNT(cuts)][ALGORITHMS_MAX];
} slim;

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
static bool cut_down(size_t cut)
{
	int no_cache;
	const OSSL_ALGORITHM *all =
		OSSL_PROVIDER_query_operation(slim.original, cuts[cut].operation, &no_cache);
	size_t found = 0;

	for (size_t i = 0; all && i < cuts[cut].count; i++)
		for (const OSSL_ALGORITHM *a = all; a->algorithm_names; a++)
			if (fits(a, &cuts[cut].wanted[i]) && found < ALGORITHMS_MAX - 1)
				slim.tables[cut][found++] = *a;
	return found >= cuts[cut].count;
}

/* ---- what OpenSSL calls ---- */

static const OSSL_ALGORITHM *query(void *context, int operation, int *no_cache)
{
	*no_cache = 0;
	for (size_t i = 0; i < COUNT(cuts); i++)
		if (cuts[i].operation == operation)
			return slim.tables[i];
	return OSSL_PROVIDER_query_operation(slim.original, operation, no_cache);
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

/* OpenSSL's tables hold functions of any type as void (*)(void). */
#define ENTRY(id, function)                                                                        \
	{                                                                                          \
		id, (void (*)(void))function                                                       \
	}

static int start(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
	void **context)
{
	static const OSSL_DISPATCH functions[] = {
		ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		ENTRY(OSSL_FUNC_PROVIDER_GET_CAPABILITIES, capabilities),
		ENTRY(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, gettable_params),
		ENTRY(OSSL_FUNC_PROVIDER_GET_PARAMS, get_params),
		{0, NULL},
	};

	if (!slim.original)
		return 0;
	*out = functions;
	*context = OSSL_PROVIDER_get0_provider_ctx(slim.original);
	return 1;
}

static bool wrap(OSSL_LIB_CTX *own)
{
	slim.original = own ? OSSL_PROVIDER_load(own, "default") : NULL;
	if (!slim.original)
		return false;
	for (size_t i = 0; i < COUNT(cuts); i++)
		if (!cut_down(i))
			return false;
	if (OSSL_PROVIDER_add_builtin(NULL, "brski", start) != 1)
		return false;
	slim.ours = OSSL_PROVIDER_load(NULL, "brski");
	return slim.ours != NULL;
}

bool ossl_provider_install(struct err *e)
{
	OSSL_LIB_CTX *own;

	if (slim.original)
		return true;
	own = OSSL_LIB_CTX_new();
	if (wrap(own))
		return true;
	ossl_fail(e, ERR_NO_MEMORY, "OpenSSL does not accept our provider");
	slim.original = NULL;
	OSSL_LIB_CTX_free(own);
	return false;
}
