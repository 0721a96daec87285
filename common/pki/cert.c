/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates. Everything anybody asks about one is found when it is parsed, so that afterwards it
 * is immutable and threads share it without a lock. Structure is read by our own DER reader, which
 * gives views into the one copy of the octets. What follows from it is said by cert_plain.c for
 * certificates of a simple kind, which OpenSSL then parses only when something of its own needs
 * that, and by OpenSSL for all others.
 * RFC 5280 §4; IEEE 802.1AR for the times. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/pki/cert_parts.h"
#include "common/pki/key.h"
#include "common/pki/ossl.h"
#include "common/pki/signature.h"
#include "common/wire/der.h"

static struct bytes view(struct der d)
{
	return bytes_of(d.p, d.len);
}

/* ---- extensions ---- */

const struct cert_ext *cert_ext_find(const struct cert *c, struct bytes oid)
{
	for (size_t i = 0; i < c->extension_count; i++)
		if (bytes_equal(c->extensions[i].oid, oid))
			return &c->extensions[i];
	return NULL;
}

/* Extension ::= SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING } */
static bool read_extension(struct der *d, struct cert_ext *x, struct err *e)
{
	struct der_tlv seq, oid, critical, value;
	bool present;

	if (!der_expect(d, DER_SEQUENCE, &seq, "extension", e) ||
		!der_expect(&seq.content, DER_OID, &oid, "extension", e) ||
		!der_optional(&seq.content, DER_BOOLEAN, &critical, &present, e) ||
		!der_expect(&seq.content, DER_OCTET_STRING, &value, "extension", e) ||
		!der_expect_end(&seq.content, "extension", e))
		return false;
	*x = (struct cert_ext){.oid = view(oid.content),
		.tlv = value.whole,
		.value = view(value.content),
		.critical = present && critical.content.len == 1 && critical.content.p[0] != 0,
		.odd_critical =
			present && (critical.content.len != 1 || critical.content.p[0] != 0xff)};
	return true;
}

static bool stands_there(const struct cert_ext *list, size_t count, struct bytes oid)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(list[i].oid, oid))
			return true;
	return false;
}

static bool read_extensions(struct cert *c, struct der d, struct err *e)
{
	struct cert_ext list[CERT_EXT_MAX];
	struct der_tlv seq;
	size_t count = 0;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "extensions", e) ||
		!der_expect_end(&d, "extensions", e))
		return false;
	for (; !der_at_end(&seq.content); count++) {
		if (count == CERT_EXT_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d extensions", CERT_EXT_MAX);
		if (!read_extension(&seq.content, &list[count], e))
			return false;
		if (stands_there(list, count, list[count].oid))
			return err_set(e, ERR_INPUT, "an extension stands there twice");
	}
	if (count == 0)
		return true;
	c->extensions = mem_new(count * sizeof(*list), e);
	if (!c->extensions)
		return false;
	memcpy(c->extensions, list, count * sizeof(*list));
	c->extension_count = count;
	return true;
}

/* ---- the parts of TBSCertificate ---- */

static bool read_version(struct cert *c, struct der *tbs, uint32_t *version, struct err *e)
{
	struct der_tlv outer, number;
	bool present;

	*version = 0;
	if (!der_optional(tbs, DER_CONTEXT_CONSTRUCTED(0), &outer, &present, e))
		return false;
	if (!present)
		return true;
	c->version = outer.whole;
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

	for (uint8_t n = 1; n <= 2; n++) {
		if (!der_optional(tbs, DER_CONTEXT(n), &t, &present, e))
			return false;
		c->has_unique_ids |= present;
	}
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

	if (!read_version(c, &tbs, &version, e) ||
		!der_expect(&tbs, DER_INTEGER, &serial, "serial number", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &alg, "signature algorithm", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &issuer, "issuer", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &validity, "validity", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &subject, "subject", e) ||
		!der_expect(&tbs, DER_SEQUENCE, &spki, "public key", e) ||
		!read_tail(c, &tbs, version, e))
		return false;
	c->serial = view(serial.content);
	c->inner_alg = alg.whole;
	c->validity = validity.whole;
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

	if (!der_expect(&d, DER_SEQUENCE, &whole, "Certificate", e) ||
		!der_expect_end(&d, "Certificate", e) ||
		!der_expect(&whole.content, DER_SEQUENCE, &tbs, "TBSCertificate", e) ||
		!der_expect(&whole.content, DER_SEQUENCE, &alg, "signature algorithm", e) ||
		!der_expect(&whole.content, DER_BIT_STRING, &signature, "signature", e) ||
		!der_expect_end(&whole.content, "Certificate", e))
		return false;
	c->tbs = tbs.whole;
	c->signature_alg = alg.whole;
	if (signature.content.len > 1 && signature.content.p[0] == 0)
		c->signature = bytes_of(signature.content.p + 1, signature.content.len - 1);
	return read_tbs(c, tbs.content, e);
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
	const struct cert_ext *x = cert_ext_find(c, bytes_of(eku_oid, sizeof(eku_oid)));
	struct der_tlv seq, oid;
	struct der d;

	c->eku = x ? CERT_EKU_PRESENT : 0;
	if (!x)
		return true;
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

static void read_key_ids(struct cert *c, X509 *x509)
{
	static const uint8_t aki_oid[] = {0x55, 0x1d, 0x23};
	const struct cert_ext *x = cert_ext_find(c, bytes_of(aki_oid, sizeof(aki_oid)));

	c->ski = octets_of(X509_get0_subject_key_id(x509));
	c->aki = octets_of(X509_get0_authority_key_id(x509));
	c->aki_tlv = x ? x->tlv : bytes_of(NULL, 0);
}

static bool take_key(struct cert *c, X509 *x509)
{
	atomic_store(&c->key, X509_get_pubkey(x509));
	return atomic_load(&c->key) != NULL;
}

/* What OpenSSL knows; asking now also fills its lazy caches while only one thread is here. */
static bool read_facts(struct cert *c, X509 *x509, struct err *e)
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	uint32_t flags;

	if (X509_check_purpose(x509, -1, 0) != 1)
		return ossl_fail(e, ERR_INPUT, "an extension is malformed");
	flags = X509_get_extension_flags(x509);
	c->is_ca = (flags & EXFLAG_CA) != 0;
	if (!take_key(c, x509))
		return ossl_fail(e, ERR_INPUT, "public key of a kind that is not supported");
	c->is_self_signed =
		bytes_equal(c->subject_der, c->issuer_der) && X509_self_signed(x509, 1) == 1;
	c->serial_number_fault = name_attribute(
		subject, NID_serialNumber, c->serial_number, sizeof(c->serial_number));
	read_key_ids(c, x509);
	/* caches keep certificates: none that was only half understood */
	if (ossl_is_starved())
		return ossl_fail(e, ERR_NO_MEMORY, "certificate");
	ossl_forget();
	return read_eku(c, e) && name_text(subject, c->subject, e) &&
	       name_text(X509_get_issuer_name(x509), c->issuer, e) &&
	       read_time(X509_get0_notBefore(x509), "notBefore", &c->not_before, e) &&
	       read_time(X509_get0_notAfter(x509), "notAfter", &c->not_after, e);
}

/* OpenSSL's parse of these octets; NULL with its queue filled. */
/* NULL when memory ran out on the way: OpenSSL then leaves out the key, or takes extensions for
 * malformed, and a certificate that is kept would be refused for as long as it lives. */
static X509 *parse_x509(const struct cert *c)
{
	bool before = ossl_is_starved();
	OSSL_AUTO(X509) X509 *made = NULL;
	const uint8_t *p = c->der;
	X509 *whole = NULL;

	ossl_begin();
	made = d2i_X509(NULL, &p, (long)c->der_len);
	if (made)
		X509_check_purpose(made, -1, 0); /* fills its lazy caches */
	if (!ossl_is_starved()) {
		whole = made;
		made = NULL;
	}
	ossl_go_on(before);
	return whole;
}

/* OpenSSL makes sense of it, or nobody does. */
static bool read_by_openssl(struct cert *c, struct err *e)
{
	X509 *x509 = parse_x509(c);

	atomic_store(&c->x509, x509);
	return x509 ? read_facts(c, x509, e) : ossl_fail(e, ERR_INPUT, "not a certificate");
}

/* ---- life ---- */

/* Takes der (malloc'd), also when it fails. */
static struct cert *build(uint8_t *der, size_t der_len, struct err *e)
{
	CERT_AUTO struct cert *c = mem_new(sizeof(*c), e);
	struct cert *done;

	if (!c) {
		free(der);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	c->der = der;
	c->der_len = der_len;
	ossl_begin();
	if (!read_structure(c, e) || !digest_sha256(cert_der(c), c->sha256, e))
		return NULL;
	known_key_init(&c->known, c->spki);
	if (!cert_plain_read(c) && !read_by_openssl(c, e))
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
	c = build(copy, der.len, e);
	if (!c)
		err_prefix(e, "certificate");
	return c;
}

struct cert *cert_from_x509(X509 *x, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CERT_DER_MAX);

	return ossl_x509_der(x, &der, e) ? cert_parse(buf_bytes(&der), e) : NULL;
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
	X509_free(atomic_load(&c->x509));
	EVP_PKEY_free(atomic_load(&c->key));
	known_key_clear(&c->known);
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
	const X509 *x509 = cert_x509(c);

	*out = '\0';
	return x509 &&
	       !name_attribute(X509_get_subject_name(x509), NID_organizationName, out, room);
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
	const struct cert_ext *x = NULL;
	uint8_t content[OID_MAX];
	int len = a2d_ASN1_OBJECT(content, sizeof(content), oid, -1);

	ossl_forget();
	if (len > 0)
		x = cert_ext_find(c, bytes_of(content, (size_t)len));
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
	struct known_key *known = (struct known_key *)(uintptr_t)&c->known;
	EVP_PKEY *key;

	if (known_key_accepts(known, sig_alg, data, signature))
		return true;
	key = cert_public_key(c);
	return key ? signature_verify(key, sig_alg, data, signature, e)
		   : err_set(e, ERR_NO_MEMORY, "no memory for a public key");
}

bool cert_signed_by(const struct cert *c, const struct cert *issuer, struct err *e)
{
	if (!bytes_equal(c->signature_alg, c->inner_alg) || c->signature.len == 0)
		return err_set(e, ERR_UNAUTHENTICATED, "signature is not well formed");
	return cert_verify(issuer, c->signature_alg, c->tbs, c->signature, e);
}

bool cert_is_plain(const struct cert *c)
{
	return c->is_plain;
}

/* Two threads that need it at once both parse; what the slower one made is thrown away. */
X509 *cert_x509(const struct cert *c)
{
	_Atomic(X509 *) *place = (_Atomic(X509 *) *)(uintptr_t)&c->x509;
	X509 *known = atomic_load(place), *made;

	if (known)
		return known;
	made = parse_x509(c);
	ossl_forget();
	if (!made || atomic_compare_exchange_strong(place, &known, made))
		return made;
	X509_free(made);
	return known;
}

/* The same for the key of a plain certificate; of others it was made with them. */
EVP_PKEY *cert_public_key(const struct cert *c)
{
	_Atomic(EVP_PKEY *) *place = (_Atomic(EVP_PKEY *) *)(uintptr_t)&c->key;
	EVP_PKEY *known = atomic_load(place), *made;
	struct err ignored = ERR_INIT;

	if (known)
		return known;
	made = key_parse_spki(c->spki, &ignored);
	if (!made || atomic_compare_exchange_strong(place, &known, made))
		return made;
	EVP_PKEY_free(made);
	return known;
}

bool cert_domain_id(const struct cert *c, struct buf *out, struct err *e)
{
	uint8_t fingerprint[SHA256_LEN];

	if (c->ski.len)
		return buf_append(out, c->ski.data, c->ski.len, e);
	return digest_sha256(c->spki, fingerprint, e) &&
	       buf_append(out, fingerprint, sizeof(fingerprint), e);
}
