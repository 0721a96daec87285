/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests, read (PKCS#10, RFC 2986; RFC 7030 §4.2.1). Only the structure we know
 * gets through, so that nothing in a request is taken for something else: implementations exist
 * that re-signed a certificate handed in as a request. csr_make.c writes them, csr_satisfies.c
 * compares them with what a registrar asked for.
 */
#include "common/pki/csr.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/name.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/pki/p256.h"
#include "common/pki/signature.h"
#include "common/wire/der.h"

#define CSR_DEPTH_MAX 24

static const struct bytes oid_subject_alt_name = OID_SUBJECT_ALT_NAME;

struct extension {
	struct bytes oid;
	struct bytes value;
};

struct csr {
	struct buf der; /* own copy; all views below point into it */
	struct bytes info;
	struct bytes subject;
	struct bytes spki;
	struct bytes signature_alg;
	struct bytes signature;
	struct extension extensions[CSR_EXT_MAX];
	size_t extension_count;
	bool has_serial_number;
	char serial_number[CSR_SERIAL_NUMBER_MAX + 1];
	bool has_password;
	char password[CSR_PASSWORD_MAX + 1];
	bool has_extension_request;
	bool change_subject_name;
	bool decrypt_key_id;
	bool asymm_decrypt_key_id;
};

void csr_free(struct csr *c)
{
	if (!c)
		return;
	buf_clear(&c->der);
	explicit_bzero(c->password, sizeof(c->password));
	free(c);
}

void csr_unref(struct csr **c)
{
	csr_free(*c);
	*c = NULL;
}

static struct bytes value_of(const struct der_tlv *t)
{
	return bytes_of(t->content.p, t->content.len);
}

/* subject Name; its serialNumber says which device this claims to be (EE-16). */
static bool read_subject(struct csr *c, struct err *e)
{
	const uint8_t *p = c->subject.data;
	OSSL_AUTO(X509_NAME) X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)c->subject.len);
	const char *fault;

	if (!name)
		return ossl_fail(e, ERR_INPUT, "subject is not a Name");
	if (X509_NAME_get_index_by_NID(name, NID_serialNumber, -1) < 0)
		return true;
	fault = name_attribute(name, NID_serialNumber, c->serial_number, sizeof(c->serial_number));
	if (fault)
		return err_set(e, ossl_verdict(ERR_INPUT), "serialNumber in the subject %s", fault);
	c->has_serial_number = true;
	return true;
}

/* --- attributes ----------------------------------------------------------------------------- */

/* challengePassword: any of the single-octet DirectoryString types; text, as it is compared. */
static bool take_password(struct csr *c, const struct der_tlv *value, struct err *e)
{
	const struct der *d = &value->content;

	if (value->tag != DER_UTF8_STRING && value->tag != DER_PRINTABLE_STRING &&
		value->tag != DER_IA5_STRING)
		return err_set(e, ERR_INPUT, "challengePassword of string type 0x%02x", value->tag);
	if (d->len > CSR_PASSWORD_MAX)
		return err_set(e, ERR_INPUT, "challengePassword of %zu octets", d->len);
	if (memchr(d->p, '\0', d->len))
		return err_set(e, ERR_INPUT, "challengePassword holds a NUL");
	memcpy(c->password, d->p, d->len);
	return true;
}

static bool add_extension(struct csr *c, struct bytes oid, struct bytes value, struct err *e)
{
	struct bytes ignored;

	if (csr_extension(c, oid, &ignored))
		return err_set(e, ERR_INPUT, "an extension is requested twice");
	if (c->extension_count == CSR_EXT_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d extensions", CSR_EXT_MAX);
	c->extensions[c->extension_count++] = (struct extension){oid, value};
	return true;
}

/* Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical DEFAULT FALSE, extnValue } */
static bool take_extensions(struct csr *c, const struct der_tlv *value, struct err *e)
{
	struct der list = value->content;

	if (value->tag != DER_SEQUENCE)
		return err_set(e, ERR_INPUT, "extensionRequest: not a list of extensions");
	while (!der_at_end(&list)) {
		struct der_tlv extension, oid, critical, octets;
		bool has_critical;

		if (!der_expect(&list, DER_SEQUENCE, &extension, "Extension", e) ||
			!der_expect(&extension.content, DER_OID, &oid, "extnID", e) ||
			!der_optional(
				&extension.content, DER_BOOLEAN, &critical, &has_critical, e) ||
			!der_expect(
				&extension.content, DER_OCTET_STRING, &octets, "extnValue", e) ||
			!der_expect_end(&extension.content, "Extension", e) ||
			!add_extension(c, value_of(&oid), value_of(&octets), e))
			return false;
	}
	return true;
}

/* Attributes we act on. Each at most once: the second could say something else. */
static const struct attribute {
	struct bytes oid;
	const char *name;
	size_t seen; /* offset of the bool in struct csr */
	bool (*take)(struct csr *c, const struct der_tlv *value, struct err *e); /* or NULL */
} attributes[] = {
	{OID_CHALLENGE_PASSWORD, "challengePassword", offsetof(struct csr, has_password),
		take_password},
	{OID_EXTENSION_REQUEST, "extensionRequest", offsetof(struct csr, has_extension_request),
		take_extensions},
	{OID_CHANGE_SUBJECT_NAME, "ChangeSubjectName", offsetof(struct csr, change_subject_name),
		NULL},
	{OID_DECRYPT_KEY_ID, "DecryptKeyIdentifier", offsetof(struct csr, decrypt_key_id), NULL},
	{OID_ASYMM_DECRYPT_KEY_ID, "AsymmetricDecryptKeyIdentifier",
		offsetof(struct csr, asymm_decrypt_key_id), NULL},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static bool take_attribute(
	struct csr *c, const struct attribute *a, struct der values, struct err *e)
{
	bool *seen = (bool *)((char *)c + a->seen);
	struct der_tlv value;

	if (*seen)
		return err_set(e, ERR_INPUT, "%s stands twice", a->name);
	*seen = true;
	if (!der_next(&values, &value, e) || !der_expect_end(&values, a->name, e))
		return err_prefix(e, "%s needs one value", a->name);
	return !a->take || a->take(c, &value, e);
}

/* [0] SET OF Attribute { type, SET OF value }; unknown ones are passed over. */
static bool read_attributes(struct csr *c, struct der set, struct err *e)
{
	while (!der_at_end(&set)) {
		struct der_tlv attribute, type, values;

		if (!der_expect(&set, DER_SEQUENCE, &attribute, "attribute", e) ||
			!der_expect(&attribute.content, DER_OID, &type, "attribute type", e) ||
			!der_expect(&attribute.content, DER_SET, &values, "attribute values", e) ||
			!der_expect_end(&attribute.content, "attribute", e))
			return false;
		for (size_t i = 0; i < ATTRIBUTES; i++)
			if (der_oid_is(&type, attributes[i].oid) &&
				!take_attribute(c, &attributes[i], values.content, e))
				return false;
	}
	return true;
}

/* --- the request ---------------------------------------------------------------------------- */

/* CertificationRequestInfo ::= SEQUENCE { version 0, subject, subjectPKInfo, [0] attributes } */
static bool read_info(struct csr *c, struct der d, struct err *e)
{
	struct der_tlv version, subject, spki, attributes_set;
	uint32_t number;
	bool present;

	if (!der_expect(&d, DER_INTEGER, &version, "version", e)) {
		/* a certificate begins with [0] here (RFC 5280 §4.1) */
		return err_tell(e, "This is not a PKCS#10 certification request.");
	}
	if (!der_uint(&version, &number, e) ||
		!der_expect(&d, DER_SEQUENCE, &subject, "subject", e) ||
		!der_expect(&d, DER_SEQUENCE, &spki, "subjectPKInfo", e) ||
		!der_optional(&d, DER_CONTEXT_CONSTRUCTED(0), &attributes_set, &present, e) ||
		!der_expect_end(&d, "CertificationRequestInfo", e))
		return false;
	if (number != 0)
		return err_set(e, ERR_INPUT, "version %u", number);
	c->subject = subject.whole;
	c->spki = spki.whole;
	return read_subject(c, e) && (!present || read_attributes(c, attributes_set.content, e));
}

/* CertificationRequest ::= SEQUENCE { info, signatureAlgorithm, signature BIT STRING } */
static bool read_request(struct csr *c, struct err *e)
{
	struct der d = der_of(buf_bytes(&c->der));
	struct der_tlv request, info, alg, signature;

	if (!der_scan(buf_bytes(&c->der), CSR_DEPTH_MAX, e) ||
		!der_expect(&d, DER_SEQUENCE, &request, "request", e) ||
		!der_expect(&request.content, DER_SEQUENCE, &info, "info", e) ||
		!read_info(c, info.content, e) ||
		!der_expect(&request.content, DER_SEQUENCE, &alg, "signatureAlgorithm", e) ||
		!der_expect(&request.content, DER_BIT_STRING, &signature, "signature", e) ||
		!der_expect_end(&request.content, "request", e))
		return false;
	if (signature.content.len < 1 || signature.content.p[0] != 0)
		return err_set(e, ERR_INPUT, "signature: not whole octets");
	c->info = info.whole;
	c->signature_alg = alg.whole;
	c->signature = bytes_of(signature.content.p + 1, signature.content.len - 1);
	return true;
}

struct csr *csr_parse(struct bytes der, struct err *e)
{
	struct csr *c = mem_new(sizeof(*c), e);

	if (!c)
		return NULL;
	buf_init(&c->der, CSR_DER_MAX);
	ossl_begin();
	if (buf_append(&c->der, der.data, der.len, e) && read_request(c, e))
		return c;
	csr_free(c);
	err_prefix(e, "certification request");
	return NULL;
}

/* The caller's fault, whatever the inner check called it: a CSR proves itself or is no good. */
static bool not_proven(struct err *e, const char *sentence)
{
	if (e->kind != ERR_NO_MEMORY) {
		e->kind = ERR_INPUT;
		err_tell(e, "%s", sentence);
	}
	return err_prefix(e, "certification request");
}

bool csr_verify(const struct csr *c, struct err *e)
{
	OSSL_AUTO(EVP_PKEY) EVP_PKEY *key = NULL;

	if (p256_accepts_spki(c->spki, c->signature_alg, c->info, c->signature))
		return true;
	key = key_parse_spki(c->spki, e);
	if (!key)
		return not_proven(e, "The public key in the request cannot be read.");
	if (!signature_key_acceptable(key, e))
		return not_proven(
			e, "The public key in the request is of a kind that is not accepted.");
	if (!signature_verify(key, c->signature_alg, c->info, c->signature, e))
		return not_proven(e, "The signature of the request does not match its key.");
	return true;
}

struct bytes csr_der(const struct csr *c)
{
	return buf_bytes(&c->der);
}

struct bytes csr_spki(const struct csr *c)
{
	return c->spki;
}

struct bytes csr_subject_der(const struct csr *c)
{
	return c->subject;
}

const char *csr_serial_number(const struct csr *c)
{
	return c->has_serial_number ? c->serial_number : NULL;
}

bool csr_extension(const struct csr *c, struct bytes oid, struct bytes *value)
{
	for (size_t i = 0; i < c->extension_count; i++) {
		if (bytes_equal(c->extensions[i].oid, oid)) {
			*value = c->extensions[i].value;
			return true;
		}
	}
	return false;
}

struct bytes csr_san(const struct csr *c)
{
	struct bytes value = {NULL, 0};

	(void)csr_extension(c, oid_subject_alt_name, &value);
	return value;
}

const char *csr_challenge_password(const struct csr *c)
{
	return c->has_password ? c->password : NULL;
}

bool csr_has_change_subject_name(const struct csr *c)
{
	return c->change_subject_name;
}

bool csr_asks_key_encryption(const struct csr *c)
{
	return c->decrypt_key_id || c->asymm_decrypt_key_id;
}
