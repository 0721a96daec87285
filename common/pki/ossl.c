/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's error queue and memory BIOs in the project's own terms. */
#include "common/pki/ossl.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASONS_MAX 3 /* the first ones name the cause, later ones only who passed it on */

/* ---- Out of memory -------------------------------------------------------------------------- */

/* OpenSSL often reports a failed allocation as something else: an algorithm it cannot find, a
 * signature that is wrong, an extension that is malformed. Taken at its word, a good device would
 * be refused for good. So its allocations pass through here, and a thread remembers one that
 * failed, as it remembers OpenSSL's error queue. */
static _Thread_local bool starved;

static void *noted(void *p)
{
	starved |= !p;
	return p;
}

static void *allocate(size_t size, const char *file, int line)
{
	return size ? noted(malloc(size)) : NULL;
}

static void *reallocate(void *old, size_t size, const char *file, int line)
{
	if (size)
		return noted(realloc(old, size));
	free(old);
	return NULL;
}

static void release(void *p, const char *file, int line)
{
	free(p);
}

/* OpenSSL takes allocators only before its first allocation. */
__attribute__((constructor)) static void watch_allocations(void)
{
	CRYPTO_set_mem_functions(allocate, reallocate, release);
}

/* Emptying the queue is dear also when nothing is in it: it goes through all places it has. */
void ossl_forget(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

static void context(void)
{
	OSSL_LIB_CTX_get0_global_default();
}

static void load(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_ADD_ALL_CIPHERS |
				    OPENSSL_INIT_ADD_ALL_DIGESTS,
		NULL);
}

/* The first that is fetched of a kind has all of that kind made; the names do not matter. */
#define FETCH(name, type, algorithm)                                                               \
	static void name(void)                                                                     \
	{                                                                                          \
		type##_free(type##_fetch(NULL, algorithm, NULL));                                  \
	}
FETCH(digests, EVP_MD, "SHA256")
FETCH(ciphers, EVP_CIPHER, "AES-128-GCM")
FETCH(macs, EVP_MAC, "HMAC")
FETCH(derivations, EVP_KDF, "HKDF")
FETCH(generators, EVP_RAND, "CTR-DRBG")
FETCH(keys, EVP_KEYMGMT, "EC")
FETCH(signatures, EVP_SIGNATURE, "ECDSA")
FETCH(agreements, EVP_KEYEXCH, "ECDH")
FETCH(decoders, OSSL_DECODER, "EC")

/* Without one of them OpenSSL does not always survive the next. */
bool ossl_prepare(struct err *e)
{
	static void (*const steps[])(void) = {context, load, digests, ciphers, macs, derivations,
		generators, keys, signatures, agreements, decoders};

	ossl_begin();
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		steps[i]();
		if (starved)
			return ossl_fail(e, ERR_NO_MEMORY, "cryptographic library");
	}
	ossl_forget();
	return true;
}

void ossl_begin(void)
{
	ossl_forget();
	starved = false;
}

bool ossl_is_starved(void)
{
	return starved;
}

void ossl_go_on(bool starved_before)
{
	starved |= starved_before;
}

/* ---- Its error queue ------------------------------------------------------------------------ */

/* ": reason; reason" behind the text; says whether one of them was a failed allocation. */
static bool drain_into(struct err *e)
{
	bool no_memory = starved;
	unsigned long code;
	int shown = 0;

	while ((code = ERR_get_error()) != 0) {
		size_t used = strlen(e->text);
		const char *reason = ERR_reason_error_string(code);

		if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
			no_memory = true;
		if (reason && shown < REASONS_MAX)
			snprintf(e->text + used, sizeof(e->text) - used, "%s%s",
				shown++ ? "; " : ": ", reason);
	}
	return no_memory;
}

bool ossl_fail(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->sentence[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (drain_into(e))
		e->kind = ERR_NO_MEMORY;
	for (char *p = e->text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return false;
}

enum err_kind ossl_verdict(enum err_kind kind)
{
	ossl_forget();
	return starved ? ERR_NO_MEMORY : kind;
}

/* ---- Memory BIOs ---------------------------------------------------------------------------- */

bool ossl_take_bio(BIO *bio, struct buf *out, struct err *e)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return buf_append(out, data, len > 0 ? (size_t)len : 0, e);
}

bool ossl_x509_der(X509 *x, struct buf *out, struct err *e)
{
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);
	bool ok = len > 0 ? buf_append(out, der, (size_t)len, e)
			  : ossl_fail(e, ERR_INPUT, "certificate cannot be encoded");

	OPENSSL_free(der);
	return ok;
}
