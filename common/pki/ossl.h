/* SPDX-License-Identifier: Apache-2.0 */
/* The seam to OpenSSL that every file of pki/ shares: its error queue goes into ours at once and is
 * empty when a pki/ function returns, and its objects clean up after themselves. */
#ifndef PKI_OSSL_H
#define PKI_OSSL_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/base/buf.h"

/* Once, before anything else: have OpenSSL make what it makes once in a process. What it has no
 * memory for then is missing until the process ends. */
bool ossl_prepare(struct err *e) MUST_CHECK;
/* Before something is judged with OpenSSL's help: forget what went before. */
void ossl_begin(void);
/* Did an allocation of OpenSSL's fail in this thread since ossl_begin()? Several of its functions
 * then go on with less instead of failing. */
bool ossl_is_starved(void);
/* After a question within a question: starved_before is what ossl_is_starved() said before the
 * inner ossl_begin(), so that the outer one hears of both. */
void ossl_go_on(bool starved_before);
/* Set kind and text, add OpenSSL's reasons and empty its queue. When OpenSSL is starved it is
 * ERR_NO_MEMORY whatever kind was asked for. Always returns false. */
bool ossl_fail(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
/* Forget what OpenSSL complained about: for questions whose "no" is an answer. */
void ossl_forget(void);
/* The same, returning the kind for that "no": the one given, or ERR_NO_MEMORY when OpenSSL is
 * starved, for then it is no answer. */
enum err_kind ossl_verdict(enum err_kind kind);

/* Append what a memory BIO holds. */
bool ossl_take_bio(BIO *bio, struct buf *out, struct err *e) MUST_CHECK;

/* Append the DER of a certificate that OpenSSL parsed. */
bool ossl_x509_der(X509 *x, struct buf *out, struct err *e) MUST_CHECK;

/* Cleanup attributes, e.g. `OSSL_AUTO(X509) X509 *x = NULL;` */
#define OSSL_AUTO(type) __attribute__((cleanup(ossl_unref_##type)))
#define OSSL_UNREF(type)                                                                           \
	static inline void ossl_unref_##type(type **p)                                             \
	{                                                                                          \
		type##_free(*p);                                                                   \
	}
OSSL_UNREF(X509)
OSSL_UNREF(X509_ALGOR)
OSSL_UNREF(X509_CRL)
OSSL_UNREF(X509_NAME)
OSSL_UNREF(X509_STORE_CTX)
OSSL_UNREF(EC_POINT)
OSSL_UNREF(EVP_PKEY)
OSSL_UNREF(EVP_PKEY_CTX)
OSSL_UNREF(EVP_MD_CTX)
OSSL_UNREF(ASN1_OBJECT)
OSSL_UNREF(ASN1_TIME)
OSSL_UNREF(ASN1_INTEGER)
OSSL_UNREF(ASN1_OCTET_STRING)
OSSL_UNREF(BASIC_CONSTRAINTS)
OSSL_UNREF(GENERAL_NAMES)
OSSL_UNREF(EXTENDED_KEY_USAGE)
OSSL_UNREF(AUTHORITY_KEYID)
OSSL_UNREF(OSSL_PARAM_BLD)
OSSL_UNREF(OSSL_PARAM)
OSSL_UNREF(CRL_DIST_POINTS)
OSSL_UNREF(PKCS8_PRIV_KEY_INFO)
#undef OSSL_UNREF

/* OpenSSL's tables of a provider hold functions of any type as void (*)(void). */
#define OSSL_ENTRY(id, function)                                                                   \
	{                                                                                          \
		id, (void (*)(void))(function)                                                     \
	}

static inline void ossl_unref_BIO(BIO **p)
{
	BIO_free(*p);
}

#endif
