/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made with OpenSSL's own calls and not with ours, so that odd ones can be
 * had too. A recipe says what goes in; nothing in it is checked. */
#ifndef TESTS_PKI_FIXTURE_H
#define TESTS_PKI_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/pki/cert.h"

#define FIXTURE_EXTS 8

struct recipe {
	const char *cn;
	int cn_times;		   /* how often it stands there; 0: once */
	const char *serial_number; /* 2.5.4.5, or NULL */
	int serial_number_type;	   /* V_ASN1_…; 0: PrintableString */
	int serial_number_len;	   /* 0: strlen */
	bool serial_number_twice;
	long version;			    /* 0: version 3; 1: version 1 */
	const char *not_before, *not_after; /* ASN.1 text; NULL: 2020 to 2049 */
	const char *ext[FIXTURE_EXTS][2];   /* name, value as in openssl.cnf */
	EVP_PKEY *key;
	X509 *issuer; /* NULL: self-signed */
	EVP_PKEY *issuer_key;
	const char *digest; /* NULL: SHA256, "" for EdDSA */
};

#define FIXTURE_CA                                                                                 \
	{"basicConstraints", "critical,CA:TRUE"}, {"keyUsage", "critical,keyCertSign,cRLSign"},    \
	{                                                                                          \
		"subjectKeyIdentifier", "hash"                                                     \
	}

static inline void fixture_name(X509 *x, const struct recipe *r)
{
	X509_NAME *name = X509_get_subject_name(x);
	int type = r->serial_number_type ? r->serial_number_type : V_ASN1_PRINTABLESTRING;

	for (int i = 0; r->cn && i <= r->cn_times; i++)
		assert_true(X509_NAME_add_entry_by_txt(
			name, "CN", MBSTRING_UTF8, (const uint8_t *)r->cn, -1, -1, 0));
	for (int i = 0; r->serial_number && i <= (r->serial_number_twice ? 1 : 0); i++)
		assert_true(X509_NAME_add_entry_by_NID(name, NID_serialNumber, type,
			(const uint8_t *)r->serial_number,
			r->serial_number_len ? r->serial_number_len : -1, -1, 0));
}

static inline X509 *fixture_x509(const struct recipe *r)
{
	static long serial = 1000;
	X509 *x = X509_new();
	X509 *issuer = r->issuer ? r->issuer : x;
	const char *digest = r->digest ? r->digest : "SHA256";
	X509V3_CTX ctx;

	assert_non_null(x);
	assert_true(X509_set_version(x, r->version == 1 ? X509_VERSION_1 : X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial));
	assert_true(ASN1_TIME_set_string_X509(
		X509_getm_notBefore(x), r->not_before ? r->not_before : "20200101000000Z"));
	assert_true(ASN1_TIME_set_string_X509(
		X509_getm_notAfter(x), r->not_after ? r->not_after : "20491231235959Z"));
	fixture_name(x, r);
	assert_true(X509_set_issuer_name(x, X509_get_subject_name(issuer)));
	assert_true(X509_set_pubkey(x, r->key));
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	for (int i = 0; i < FIXTURE_EXTS && r->ext[i][0]; i++) {
		X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, &ctx, r->ext[i][0], r->ext[i][1]);

		if (!ext)
			fail_msg("extension %s = %s", r->ext[i][0], r->ext[i][1]);
		assert_true(X509_add_ext(x, ext, -1));
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(x, r->issuer_key ? r->issuer_key : r->key,
			    *digest ? EVP_get_digestbyname(digest) : NULL) > 0);
	return x;
}

/* DER of the recipe; the caller frees with OPENSSL_free. */
static inline struct bytes fixture_der(const struct recipe *r)
{
	X509 *x = fixture_x509(r);
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);

	assert_true(len > 0);
	X509_free(x);
	return bytes_of(der, (size_t)len);
}

static inline void fixture_free(struct bytes b)
{
	union {
		const void *c;
		void *p;
	} u = {.c = b.data};

	OPENSSL_free(u.p);
}

/* The recipe, parsed by us; must succeed. */
static inline struct cert *fixture_cert(const struct recipe *r)
{
	struct err e = ERR_INIT;
	struct bytes der = fixture_der(r);
	struct cert *c = cert_parse(der, &e);

	if (!c)
		fail_msg("%s", e.text);
	fixture_free(der);
	return c;
}

static inline EVP_PKEY *fixture_ec(const char *curve)
{
	EVP_PKEY *k = EVP_EC_gen(curve);

	assert_non_null(k);
	return k;
}

/* Nothing may be left in OpenSSL's queue when one of our functions has returned. */
static inline void assert_queue_empty(void)
{
	assert_int_equal(ERR_peek_error(), 0);
}

#endif
