/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates. Everything anybody asks about one is found when it is parsed, so that afterwards it
 * is immutable and threads share it without a lock. Structure is read by our own DER reader, which
 * gives views into the one copy of the octets; OpenSSL parses it too, for its key and for paths.
 * RFC 5280 §4; IEEE 802.1AR for the times. */
#include "common/pki/cert.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pki/digest.h"
#include "common/pki/key.h"
#include "common/pki/name.h"
#include "common/pki/ossl.h"
#include "common/pki/signature.h"
#include "common/wire/der.h"

struct extension {
	struct bytes oid;   /* content octets */
	struct bytes tlv;   /* extnValue as it stood */
	struct bytes value; /* content of extnValue */
	bool critical;
};

struct cert {
	atomic_uint refs;
	X509 *x509;
	EVP_PKEY *key; /* borrowed from x509 */
	uint8_t *der;
	size_t der_len;
	uint8_t sha256[SHA256_LEN];
	struct bytes spki, key_bits, subject_der, issuer_der, serial;
	struct bytes ski, aki, aki_tlv;
	char subject[NAME_TEXT_MAX + 1];
	char issuer[NAME_TEXT_MAX + 1];
	char serial_number[CERT_SERIAL_NUMBER_MAX + 1];
	const char *serial_number_fault;
	int64_t not_before, not_after;
	bool is_ca, is_self_signed;
	unsigned eku;
	struct extension *extensions;
	size_t extension_count;
};

static struct bytes view(struct der d)
{
	return bytes_of(d.p, d.len);
}

/* ---- extensions ---- */

static const struct extension *find_extension(const struct cert *c, struct bytes oid)
{
	for (size_t i = 0; i < c->extension_count; i++)
		if (bytes_equal(c->extensions[i].oid, oid))
			return &c->extensions[i];
	return NULL;
}

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static bool read_extension(struct der *d, struct extension *x, struct err *e)
{
	struct der_tlv seq, oid, critical, value;
	bool present;

	if (!der_expect(d, DER_SEQUENCE, &seq, "extension", e) ||
		!der_expect(&seq.content, DER_OID, &oid, "extension", e) ||
		!der_optional(&seq.content, DER_BOOLEAN, &critical, &present, e) ||
		!der_expect(&seq.content, DER_OCTET_STRING, &value, "extension", e) ||
		!der_expect_end(&seq.content, "extension", e))
		return false;
	*x = (struct extension){.oid = view(oid.content),
		.tlv = value.whole,
		.value = view(value.content),
		.critical = present && critical.content.len == 1 && critical.content.p[0] != 0};
	return true;
}

static bool read_extensions(struct cert *c, struct der d, struct err *e)
{
	struct der_tlv seq;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "extensions", e) ||
		!der_expect_end(&d, "extensions", e))
		return false;
	c->extensions = mem_new(CERT_EXT_MAX * sizeof(*c->extensions), e);
	if (!c->extensions)
		return false;
	while (!der_at_end(&seq.content)) {
		struct extension x;

		if (c->extension_count == CERT_EXT_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d extensions", CERT_EXT_MAX);
		if (!read_extension(&seq.content, &x, e))
			return false;
		if (find_extension(c, x.oid))
			return err_set(e, ERR_INPUT, "an extension stands there twice");
		c->extensions[c->extension_count++] = x;
	}
	return true;
}

/* ---- the parts of TBSCertificate ---- */

static bool read_version(struct der *tbs, uint32_t *version, struct err *e)
{
	struct der_tlv outer, number;
	bool present;

	*version = 0;
	if (!der_optional(tbs, DER_CONTEXT_CONSTRUCTED(0), &outer, &present, e))
		return false;
	if (!present)
		return true;
	if (!der_expect(&outer.content, DER_INTEGER, &number, "version", e) ||
		!der_expect_end(&outer.content, "version", e) || !der_uint(&number, version, e))
		return false;
	return *version <= 2 || err_set(e, ERR_INPUT, "version %u", *version + 1);
}

/* What may follow the public key: [1] and [2] unique identifiers, ignored; [3] extensions. */
static bool read_tail(struct cert *c, struct der *tbs, uint32_t version, struct err *e)
{
	struct der_tlv t;
	bool present;

	for (uint8_t n = 1; n <= 2; n++)
		if (!der_optional(tbs, DER_CONTEXT(n), &t, &present, e))
			return false;
	if (!der_optional(tbs, DER_CONTEXT_CONSTRUCTED(3), &t, &present, e) ||
		!der_expect_end(tbs, "TBSCertificate", e))
		return false;
	if (!present)
		return true;
	if (version != 2)
		return err_set(e, ERR_INPUT, "extensions in version %u", version + 1);
	return read_extensions(c, t.content, e);
}

static bool read_tbs(struct cert *c, struct der tbs, struct err *e)
{
	struct der_tlv serial, alg, issuer, validity, subject, spki;
	uint32_t version;

	if (!read_version(&tbs, &version, e) ||
		!der_expect(&tbs, DER_INTEGER, &serial, "serial number", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &alg, "signature algorithm", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &issuer, "issuer", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &validity, "validity", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &subject, "subject", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &spki, "public key", e) ||
		!read_tail(c, &tbs, version, e))
		return false;
	c->serial = view(serial.content);
	c->issuer_der = issuer.whole;
	c->subject_der = subject.whole;
	c->spki = spki.whole;
	if (c->serial.len == 0 || c->serial.len > CERT_SERIAL_MAX)
		return err_set(e, ERR_INPUT, "serial of %zu octets", c->serial.len);
	return key_spki_bits(c->spki, &c->key_bits, e);
}

static bool read_structure(struct cert *c, struct err *e)
{
	struct der d = der_of(cert_der(c));
	struct der_tlv whole, tbs, alg, signature;

	return der_expect(&d, DER_SEQUENCE, &whole, "Certificate", e) &&
	       der_expect_end(&d, "Certificate", e) &&
	       der_expect(&whole.content, DER_SEQUENCE, &tbs, "TBSCertificate", e) &&
	       der_expect(&whole.content, DER_SEQUENCE, &alg, "signature algorithm", e) &&
	       der_expect(&whole.content, DER_BIT_STRING, &signature, "signature", e) &&
	       der_expect_end(&whole.content, "Certificate", e) && read_tbs(c, tbs.content, e);
}

/* ---- facts ---- */

#define NO_EXPIRY "99991231235959Z" /* RFC 5280 §4.1.2.5: no well-defined expiration date */

static bool read_time(const ASN1_TIME *t, const char *what, int64_t *out, struct err *e)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return ossl_fail(e, ERR_INPUT, "%s is not a time", what);
	*out = timegm(&tm);
	if (ASN1_STRING_length(t) == (int)strlen(NO_EXPIRY) &&
		memcmp(ASN1_STRING_get0_data(t), NO_EXPIRY, strlen(NO_EXPIRY)) == 0)
		*out = INT64_MAX;
	return true;
}

static bool read_eku(struct cert *c, struct err *e)
{
	static const struct {
		uint8_t oid[8];
		size_t len;
		unsigned bit;
	} known[] = {
		{{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01}, 8, CERT_EKU_SERVER_AUTH},
		{{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02}, 8, CERT_EKU_CLIENT_AUTH},
		{{0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x1c}, 8, CERT_EKU_CMC_RA},
		{{0x55, 0x1d, 0x25, 0x00}, 4, CERT_EKU_ANY},
	};
	static const uint8_t eku_oid[] = {0x55, 0x1d, 0x25};
	const struct extension *x = find_extension(c, bytes_of(eku_oid, sizeof(eku_oid)));
	struct der_tlv seq, oid;
	struct der d;

	if (!x)
		return true;
	c->eku = CERT_EKU_PRESENT;
	d = der_of(x->value);
	if (!der_expect(&d, DER_SEQUENCE, &seq, "extendedKeyUsage", e) ||
		!der_expect_end(&d, "extendedKeyUsage", e))
		return false;
	while (!der_at_end(&seq.content)) {
		if (!der_expect(&seq.content, DER_OID, &oid, "extendedKeyUsage", e))
			return false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (der_oid_is(&oid, bytes_of(known[i].oid, known[i].len)))
				c->eku |= known[i].bit;
	}
	return true;
}

static struct bytes octets_of(const ASN1_OCTET_STRING *s)
{
	if (!s)
		return bytes_of(NULL, 0);
	return bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void read_key_ids(struct cert *c)
{
	static const uint8_t aki_oid[] = {0x55, 0x1d, 0x23};
	const struct extension *x = find_extension(c, bytes_of(aki_oid, sizeof(aki_oid)));

	c->ski = octets_of(X509_get0_subject_key_id(c->x509));
	c->aki = octets_of(X509_get0_authority_key_id(c->x509));
	if (x)
		c->aki_tlv = x->tlv;
}

/* What OpenSSL knows; asking now also fills its lazy caches while only one thread is here. */
static bool read_facts(struct cert *c, struct err *e)
{
	const X509_NAME *subject = X509_get_subject_name(c->x509);
	uint32_t flags;

	if (X509_check_purpose(c->x509, -1, 0) != 1)
		return ossl_fail(e, ERR_INPUT, "an extension is malformed");
	flags = X509_get_extension_flags(c->x509);
	c->is_ca = (flags & EXFLAG_CA) != 0;
	c->key = X509_get0_pubkey(c->x509);
	if (!c->key)
		return ossl_fail(e, ERR_INPUT, "public key of a kind that is not supported");
	c->is_self_signed =
		bytes_equal(c->subject_der, c->issuer_der) && X509_self_signed(c->x509, 1) == 1;
	c->serial_number_fault = name_attribute(
		subject, NID_serialNumber, c->serial_number, sizeof(c->serial_number));
	read_key_ids(c);
	/* caches keep certificates: none that was only half understood */
	if (ossl_is_starved())
		return ossl_fail(e, ERR_NO_MEMORY, "certificate");
	ossl_forget();
	return read_eku(c, e) && name_text(subject, c->subject, e) &&
	       name_text(X509_get_issuer_name(c->x509), c->issuer, e) &&
	       read_time(X509_get0_notBefore(c->x509), "notBefore", &c->not_before, e) &&
	       read_time(X509_get0_notAfter(c->x509), "notAfter", &c->not_after, e);
}

/* ---- life ---- */

/* Takes der (malloc'd) and x509, both also when it fails. x509 NULL: parse it. */
static struct cert *build(uint8_t *der, size_t der_len, X509 *x509, struct err *e)
{
	CERT_AUTO struct cert *c = mem_new(sizeof(*c), e);
	const uint8_t *p = der;
	struct cert *done;

	if (!c) {
		free(der);
		X509_free(x509);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	c->der = der;
	c->der_len = der_len;
	c->x509 = x509;
	ossl_begin();
	if (!read_structure(c, e) || !digest_sha256(cert_der(c), c->sha256, e))
		return NULL;
	if (!c->x509)
		c->x509 = d2i_X509(NULL, &p, (long)der_len);
	if (!c->x509) {
		ossl_fail(e, ERR_INPUT, "not a certificate");
		return NULL;
	}
	if (!read_facts(c, e))
		return NULL;
	done = c;
	c = NULL;
	return done;
}

struct cert *cert_parse(struct bytes der, struct err *e)
{
	struct cert *c;
	uint8_t *copy;

	if (der.len > CERT_DER_MAX) {
		err_set(e, ERR_TOO_LARGE, "certificate of more than %d octets", CERT_DER_MAX);
		return NULL;
	}
	copy = (uint8_t *)str_dup_n(der.data, der.len, e);
	if (!copy)
		return NULL;
	c = build(copy, der.len, NULL, e);
	if (!c)
		err_prefix(e, "certificate");
	return c;
}

struct cert *cert_from_x509(X509 *x, struct err *e)
{
	uint8_t *der, *p;
	int len = i2d_X509(x, NULL);
	struct cert *c;

	if (len <= 0 || len > CERT_DER_MAX) {
		ossl_fail(e, len > 0 ? ERR_TOO_LARGE : ERR_INPUT, "certificate of %d octets", len);
		return NULL;
	}
	p = der = mem_new((size_t)len, e);
	if (!der)
		return NULL;
	if (i2d_X509(x, &p) != len || !X509_up_ref(x)) {
		ossl_fail(e, ERR_NO_MEMORY, "certificate");
		free(der);
		return NULL;
	}
	c = build(der, (size_t)len, x, e);
	if (!c)
		err_prefix(e, "certificate");
	return c;
}

struct cert *cert_ref(struct cert *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void cert_free(struct cert *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(c->x509);
	free(c->extensions);
	free(c->der);
	free(c);
}

void cert_unref(struct cert **c)
{
	cert_free(*c);
	*c = NULL;
}

/* ---- what it says ---- */

struct bytes cert_der(const struct cert *c)
{
	return bytes_of(c->der, c->der_len);
}

const uint8_t *cert_sha256(const struct cert *c)
{
	return c->sha256;
}

struct bytes cert_spki(const struct cert *c)
{
	return c->spki;
}

struct bytes cert_key_bits(const struct cert *c)
{
	return c->key_bits;
}

struct bytes cert_subject_der(const struct cert *c)
{
	return c->subject_der;
}

struct bytes cert_issuer_der(const struct cert *c)
{
	return c->issuer_der;
}

const char *cert_subject(const struct cert *c)
{
	return c->subject;
}

const char *cert_issuer(const struct cert *c)
{
	return c->issuer;
}

struct bytes cert_serial(const struct cert *c)
{
	return c->serial;
}

const char *cert_serial_number(const struct cert *c)
{
	return c->serial_number_fault ? NULL : c->serial_number;
}

const char *cert_serial_number_fault(const struct cert *c)
{
	return c->serial_number_fault;
}

bool cert_organization(const struct cert *c, char *out, size_t room)
{
	const X509_NAME *subject = X509_get_subject_name(c->x509);

	return !name_attribute(subject, NID_organizationName, out, room);
}

struct bytes cert_ski(const struct cert *c)
{
	return c->ski;
}

struct bytes cert_aki(const struct cert *c)
{
	return c->aki;
}

struct bytes cert_aki_tlv(const struct cert *c)
{
	return c->aki_tlv;
}

#define OID_MAX 64 /* content octets of an OID in dotted text; those in use have below 12 */

struct bytes cert_extension(const struct cert *c, const char *oid, bool *critical)
{
	const struct extension *x = NULL;
	uint8_t content[OID_MAX];
	int len = a2d_ASN1_OBJECT(content, sizeof(content), oid, -1);

	ossl_forget();
	if (len > 0)
		x = find_extension(c, bytes_of(content, (size_t)len));
	if (critical)
		*critical = x && x->critical;
	return x ? x->value : bytes_of(NULL, 0);
}

int64_t cert_not_before(const struct cert *c)
{
	return c->not_before;
}

int64_t cert_not_after(const struct cert *c)
{
	return c->not_after;
}

bool cert_is_ca(const struct cert *c)
{
	return c->is_ca;
}

bool cert_is_self_signed(const struct cert *c)
{
	return c->is_self_signed;
}

bool cert_may_serve(const struct cert *c)
{
	return !(c->eku & CERT_EKU_PRESENT) ||
	       (c->eku & (CERT_EKU_SERVER_AUTH | CERT_EKU_CMC_RA | CERT_EKU_ANY));
}

unsigned cert_eku(const struct cert *c)
{
	return c->eku;
}

bool cert_same(const struct cert *a, const struct cert *b)
{
	return bytes_equal(cert_der(a), cert_der(b));
}

bool cert_same_key(const struct cert *a, const struct cert *b)
{
	return bytes_equal(a->spki, b->spki);
}

bool cert_verify(const struct cert *c, struct bytes sig_alg, struct bytes data,
	struct bytes signature, struct err *e)
{
	return signature_verify(c->key, sig_alg, data, signature, e);
}

X509 *cert_x509(const struct cert *c)
{
	return c->x509;
}

EVP_PKEY *cert_public_key(const struct cert *c)
{
	return c->key;
}

bool cert_domain_id(const struct cert *c, struct buf *out, struct err *e)
{
	uint8_t fingerprint[SHA256_LEN];

	if (c->ski.len)
		return buf_append(out, c->ski.data, c->ski.len, e);
	return digest_sha256(c->spki, fingerprint, e) &&
	       buf_append(out, fingerprint, sizeof(fingerprint), e);
}
