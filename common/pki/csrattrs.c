/* SPDX-License-Identifier: Apache-2.0 */
/* What a registrar wants to see in a certification request (RFC 7030 §4.5.2 and RFC 9908): a list
 * of OIDs and attributes, or a template of the request. A pledge reads it before it makes its
 * request (RFC 8995 §5.9.2), the registrar reads its own before it checks one. What is not known
 * here is passed over (ER-03); a template makes all else in the list irrelevant (ER-12).
 */
#include "common/pki/csrattrs.h"

#include <string.h>

#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

#define CSRATTRS_DEPTH_MAX 24
#define WORD_MAX	   128	/* characters of one word in a configuration */
#define RSA_BITS_MAX	   4096 /* larger keys take a device minutes to make */

static const struct bytes oid_challenge_password = OID_CHALLENGE_PASSWORD;
static const struct bytes oid_extension_request = OID_EXTENSION_REQUEST;
static const struct bytes oid_extension_template = OID_EXTENSION_TEMPLATE;
static const struct bytes oid_request_template = OID_REQUEST_TEMPLATE;
static const struct bytes oid_rsa = OID_RSA_ENCRYPTION;
static const struct bytes oid_ec = OID_EC_PUBLIC_KEY;
static const struct bytes oid_ed25519 = OID_ED25519;
static const struct bytes oid_ed448 = OID_ED448;
static const struct bytes oid_p256 = OID_P256;
static const struct bytes oid_p384 = OID_P384;
static const struct bytes oid_subject_alt_name = OID_SUBJECT_ALT_NAME;

/* What has been seen on the way through: some things may stand there only once. */
struct reader {
	struct csrattrs *out;
	bool key_attribute;
	bool extensions;
};

static struct bytes value_of(const struct der_tlv *t)
{
	return bytes_of(t->content.p, t->content.len);
}

void csrattrs_clear(struct csrattrs *a)
{
	buf_clear(&a->der);
	memset(a, 0, sizeof(*a));
}

/* --- extensions ----------------------------------------------------------------------------- */

static bool add_extension(
	struct csrattrs *a, struct bytes oid, struct bytes value, bool critical, struct err *e)
{
	for (size_t i = 0; i < a->extension_count; i++)
		if (bytes_equal(a->extensions[i].oid, oid))
			return err_set(e, ERR_INPUT, "an extension stands twice (ER-05)");
	if (a->extension_count == CSRATTRS_EXT_MAX)
		return err_set(e, ERR_TOO_LARGE, "more than %d extensions", CSRATTRS_EXT_MAX);
	a->extensions[a->extension_count++] =
		(struct csrattrs_extension){.oid = oid, .value = value, .critical = critical};
	return true;
}

/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }; a template may leave the
 * value out. */
static bool read_extension(struct der d, bool template, struct csrattrs *a, struct err *e)
{
	struct der_tlv oid, critical, value;
	bool has_critical, has_value;

	if (!der_expect(&d, DER_OID, &oid, "extnID", e) ||
		!der_optional(&d, DER_BOOLEAN, &critical, &has_critical, e) ||
		!der_optional(&d, DER_OCTET_STRING, &value, &has_value, e) ||
		!der_expect_end(&d, "Extension", e))
		return false;
	if (!has_value && !template)
		return err_set(e, ERR_INPUT, "an extension without a value outside a template");
	return add_extension(a, value_of(&oid), has_value ? value_of(&value) : bytes_of(NULL, 0),
		has_critical && critical.content.len == 1 && critical.content.p[0] != 0, e);
}

/* The value of an extension request: SET OF exactly one Extensions, in the whole list only once
 * (ER-05, ER-10). RFC 7030's own example holds an OID instead (ER-14); it asks for nothing. */
static bool read_extensions(struct reader *r, struct der values, bool template, struct err *e)
{
	struct der_tlv list, extension;

	if (r->extensions)
		return err_set(e, ERR_INPUT, "two requests for extensions (ER-05, ER-10)");
	r->extensions = true;
	if (!der_next(&values, &list, e) || !der_expect_end(&values, "extension request", e))
		return false;
	if (list.tag == DER_OID && !template)
		return true;
	if (list.tag != DER_SEQUENCE)
		return err_set(e, ERR_INPUT, "extension request: not a list of extensions");
	while (!der_at_end(&list.content))
		if (!der_expect(&list.content, DER_SEQUENCE, &extension, "Extension", e) ||
			!read_extension(extension.content, template, r->out, e))
			return false;
	return true;
}

/* --- key type ------------------------------------------------------------------------------- */

static bool is_key_oid(const struct der_tlv *oid)
{
	return der_oid_is(oid, oid_rsa) || der_oid_is(oid, oid_ec) ||
	       der_oid_is(oid, oid_ed25519) || der_oid_is(oid, oid_ed448);
}

static void set_key(struct csrattrs *a, const struct der_tlv *oid)
{
	a->has_key_type = true;
	a->key_oid = value_of(oid);
}

/* Its one parameter: the curve of an EC key, the modulus bits of an RSA key. */
static bool set_key_parameter(struct csrattrs *a, const struct der_tlv *value, struct err *e)
{
	uint32_t bits;

	if (bytes_equal(a->key_oid, oid_ec) && value->tag == DER_OID)
		a->curve_oid = value_of(value);
	if (!bytes_equal(a->key_oid, oid_rsa) || value->tag != DER_INTEGER)
		return true;
	if (!der_uint(value, &bits, e))
		return false;
	if (bits == 0 || bits > INT16_MAX)
		return err_set(e, ERR_INPUT, "an RSA key of %u bits", bits);
	a->key_bits = (int)bits;
	return true;
}

/* Attribute with a key's OID: SET of nothing or one parameter; at most one such (ER-06). */
static bool read_key(struct reader *r, const struct der_tlv *oid, struct der values, struct err *e)
{
	struct der_tlv value;

	if (r->key_attribute)
		return err_set(e, ERR_INPUT, "two types of key asked for (ER-06)");
	r->key_attribute = true;
	r->out->key_bits = 0;
	r->out->curve_oid = bytes_of(NULL, 0);
	set_key(r->out, oid);
	if (der_at_end(&values))
		return true;
	return der_next(&values, &value, e) && der_expect_end(&values, "key parameter", e) &&
	       set_key_parameter(r->out, &value, e);
}

/* Bits of the modulus in a placeholder RSAPublicKey inside a BIT STRING (ER-09). */
static bool read_placeholder(struct csrattrs *a, const struct der_tlv *bit_string, struct err *e)
{
	struct der d = bit_string->content;
	struct der_tlv seq, modulus;

	if (!bytes_equal(a->key_oid, oid_rsa))
		return true;
	if (d.len == 0 || d.p[0] != 0)
		return err_set(e, ERR_INPUT, "placeholder key: not whole octets");
	d.p++;
	d.len--;
	if (!der_expect(&d, DER_SEQUENCE, &seq, "placeholder key", e) ||
		!der_expect(&seq.content, DER_INTEGER, &modulus, "placeholder modulus", e))
		return false;
	if (modulus.content.len > 0 && modulus.content.p[0] == 0) {
		modulus.content.p++;
		modulus.content.len--;
	}
	if (modulus.content.len == 0 || modulus.content.len > INT16_MAX / 8)
		return err_set(e, ERR_INPUT, "placeholder key of %zu octets", modulus.content.len);
	a->key_bits = (int)modulus.content.len * 8;
	return true;
}

/* [0] SubjectPublicKeyInfoTemplate: AlgorithmIdentifier and perhaps a placeholder key */
static bool read_key_template(struct csrattrs *a, struct der d, struct err *e)
{
	struct der_tlv alg, oid, parameter, key;
	bool has_key;

	if (!der_expect(&d, DER_SEQUENCE, &alg, "key algorithm", e) ||
		!der_expect(&alg.content, DER_OID, &oid, "key algorithm", e) ||
		!der_optional(&d, DER_BIT_STRING, &key, &has_key, e) ||
		!der_expect_end(&d, "key template", e))
		return false;
	set_key(a, &oid);
	if (!der_at_end(&alg.content) &&
		(!der_next(&alg.content, &parameter, e) || !set_key_parameter(a, &parameter, e)))
		return false;
	return !has_key || read_placeholder(a, &key, e);
}

/* --- the two forms -------------------------------------------------------------------------- */

/* NameTemplate: a Name whose values may be missing (ER-08); only its shape is looked at here. */
static bool check_name_template(struct der name, struct err *e)
{
	while (!der_at_end(&name)) {
		struct der_tlv rdn, pair, type, value;

		if (!der_expect(&name, DER_SET, &rdn, "subject template", e))
			return false;
		while (!der_at_end(&rdn.content)) {
			if (!der_expect(&rdn.content, DER_SEQUENCE, &pair, "subject template", e) ||
				!der_expect(&pair.content, DER_OID, &type, "subject template", e))
				return false;
			if (!der_at_end(&pair.content) && !der_next(&pair.content, &value, e))
				return false;
			if (!der_expect_end(&pair.content, "subject template", e))
				return false;
		}
	}
	return true;
}

/* Attribute ::= SEQUENCE { type OID, values SET } */
static bool split_attribute(
	const struct der_tlv *t, struct der_tlv *type, struct der_tlv *values, struct err *e)
{
	struct der d = t->content;

	return der_expect(&d, DER_OID, type, "attribute type", e) &&
	       der_expect(&d, DER_SET, values, "attribute values", e) &&
	       der_expect_end(&d, "attribute", e);
}

/* [1] attributes of the template */
static bool read_template_attributes(struct reader *r, struct der d, struct err *e)
{
	while (!der_at_end(&d)) {
		struct der_tlv attribute, type, values;
		bool template;

		if (!der_expect(&d, DER_SEQUENCE, &attribute, "attribute", e) ||
			!split_attribute(&attribute, &type, &values, e))
			return false;
		template = der_oid_is(&type, oid_extension_template);
		if (der_oid_is(&type, oid_challenge_password))
			r->out->wants_challenge_password = true;
		else if ((template || der_oid_is(&type, oid_extension_request)) &&
			 !read_extensions(r, values.content, template, e))
			return false;
	}
	return true;
}

/* CertificationRequestInfoTemplate ::= SEQUENCE { version, subject OPTIONAL, [0] key OPTIONAL,
 *                                                 [1] attributes } (RFC 9908 §3.4) */
static bool read_template(struct reader *r, struct der values, struct err *e)
{
	struct der_tlv seq, version, subject, key, attributes;
	uint32_t number;
	bool has_subject, has_key, has_attributes;

	if (!der_expect(&values, DER_SEQUENCE, &seq, "template", e) ||
		!der_expect_end(&values, "template", e) ||
		!der_expect(&seq.content, DER_INTEGER, &version, "template version", e) ||
		!der_uint(&version, &number, e) ||
		!der_optional(&seq.content, DER_SEQUENCE, &subject, &has_subject, e) ||
		!der_optional(&seq.content, DER_CONTEXT_CONSTRUCTED(0), &key, &has_key, e) ||
		!der_optional(&seq.content, DER_CONTEXT_CONSTRUCTED(1), &attributes,
			&has_attributes, e) ||
		!der_expect_end(&seq.content, "template", e))
		return false;
	if (number != 0)
		return err_set(e, ERR_INPUT, "template version %u (ER-07)", number);
	if (has_subject) {
		if (!check_name_template(subject.content, e))
			return false;
		r->out->subject_template = subject.whole;
	}
	return (!has_key || read_key_template(r->out, key.content, e)) &&
	       (!has_attributes || read_template_attributes(r, attributes.content, e));
}

/* An OID alone. One of a certificate extension (id-ce) asks for that extension. */
static bool take_oid(struct csrattrs *a, const struct der_tlv *oid, struct err *e)
{
	const uint8_t *p = oid->content.p;

	if (der_oid_is(oid, oid_challenge_password))
		a->wants_challenge_password = true;
	else if (is_key_oid(oid) && !a->has_key_type)
		set_key(a, oid);
	else if (oid->content.len == 3 && p[0] == 0x55 && p[1] == 0x1d)
		return add_extension(a, value_of(oid), bytes_of(NULL, 0), false, e);
	return true;
}

static bool take_attribute(struct reader *r, const struct der_tlv *t, struct err *e)
{
	struct der_tlv type, values;

	if (!split_attribute(t, &type, &values, e))
		return false;
	if (der_oid_is(&type, oid_extension_request))
		return read_extensions(r, values.content, false, e);
	if (is_key_oid(&type))
		return read_key(r, &type, values.content, e);
	if (der_oid_is(&type, oid_challenge_password))
		r->out->wants_challenge_password = true;
	return true;
}

/* CsrAttrs ::= SEQUENCE OF CHOICE { OID, Attribute } */
static bool read_list(struct reader *r, struct der list, struct err *e)
{
	while (!der_at_end(&list)) {
		struct der_tlv t;
		bool ok;

		if (!der_next(&list, &t, e))
			return false;
		if (t.tag == DER_OID)
			ok = take_oid(r->out, &t, e);
		else if (t.tag == DER_SEQUENCE)
			ok = take_attribute(r, &t, e);
		else
			ok = err_set(e, ERR_INPUT, "neither OID nor attribute: tag 0x%02x", t.tag);
		if (!ok)
			return false;
	}
	return true;
}

/* Is there a template in the list? Then it is all that counts (ER-12); two are one too many. */
static bool find_template(struct der list, struct der *values, bool *found, struct err *e)
{
	*found = false;
	while (!der_at_end(&list)) {
		struct der_tlv t, type, set;

		if (!der_next(&list, &t, e))
			return false;
		if (t.tag != DER_SEQUENCE)
			continue;
		if (!split_attribute(&t, &type, &set, e))
			return false;
		if (!der_oid_is(&type, oid_request_template))
			continue;
		if (*found)
			return err_set(e, ERR_INPUT, "two templates");
		*found = true;
		*values = set.content;
	}
	return true;
}

static bool read_csrattrs(struct csrattrs *out, struct err *e)
{
	struct reader r = {.out = out};
	struct der d = der_of(buf_bytes(&out->der)), values;
	struct der_tlv list;
	bool template;

	if (der_at_end(&d))
		return true;
	if (!der_scan(buf_bytes(&out->der), CSRATTRS_DEPTH_MAX, e) ||
		!der_expect(&d, DER_SEQUENCE, &list, "list", e) ||
		!find_template(list.content, &values, &template, e))
		return false;
	return template ? read_template(&r, values, e) : read_list(&r, list.content, e);
}

bool csrattrs_parse(struct bytes der, struct csrattrs *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	buf_init(&out->der, CSRATTRS_DER_MAX);
	if (buf_append(&out->der, der.data, der.len, e) && read_csrattrs(out, e))
		return true;
	csrattrs_clear(out);
	return err_prefix(e, "CSR attributes");
}

bool csrattrs_key_type(const struct csrattrs *a, enum key_type *out, struct err *e)
{
	if (!a->has_key_type)
		return true;
	if (bytes_equal(a->key_oid, oid_rsa) && a->key_bits <= RSA_BITS_MAX) {
		*out = KEY_RSA_3072;
		return true;
	}
	if (bytes_equal(a->key_oid, oid_ec) &&
		(a->curve_oid.len == 0 || bytes_equal(a->curve_oid, oid_p256))) {
		*out = KEY_EC_P256;
		return true;
	}
	if (bytes_equal(a->key_oid, oid_ec) && bytes_equal(a->curve_oid, oid_p384)) {
		*out = KEY_EC_P384;
		return true;
	}
	if (bytes_equal(a->key_oid, oid_ed25519)) {
		*out = KEY_ED25519;
		return true;
	}
	return err_set(e, ERR_INPUT, "CSR attributes: a type of key that cannot be made here");
}

/* --- writing -------------------------------------------------------------------------------- */

/* Attribute { key OID, SET { parameter } } */
static bool put_key(
	struct buf *out, struct bytes oid, uint8_t tag, struct bytes parameter, struct err *e)
{
	BUF_AUTO struct buf values = BUF_INIT(WORD_MAX);
	BUF_AUTO struct buf attribute = BUF_INIT(WORD_MAX);

	if (parameter.len > 0 && !der_put(&values, tag, parameter, e))
		return false;
	return der_put(&attribute, DER_OID, oid, e) &&
	       der_put(&attribute, DER_SET, buf_bytes(&values), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&attribute), e);
}

static bool put_key_type(struct buf *out, enum key_type type, struct err *e)
{
	const uint8_t bits_3072[] = {0x0c, 0x00};

	switch (type) {
	case KEY_EC_P256:
		return put_key(out, oid_ec, DER_OID, oid_p256, e);
	case KEY_EC_P384:
		return put_key(out, oid_ec, DER_OID, oid_p384, e);
	case KEY_RSA_3072:
		return put_key(
			out, oid_rsa, DER_INTEGER, bytes_of(bits_3072, sizeof(bits_3072)), e);
	case KEY_ED25519:
		return put_key(out, oid_ed25519, DER_NULL, bytes_of(NULL, 0), e);
	case KEY_TYPE_COUNT:
		break;
	}
	return err_set(e, ERR_BUG, "no such type of key");
}

static bool put_dotted(struct buf *out, const char *text, struct err *e)
{
	OSSL_AUTO(ASN1_OBJECT) ASN1_OBJECT *oid = OBJ_txt2obj(text, 1);

	if (!oid)
		return ossl_fail(e, ERR_INPUT, "\"%s\" is no CSR attribute", text);
	return der_put(out, DER_OID, bytes_of(OBJ_get0_data(oid), OBJ_length(oid)), e);
}

static bool put_word(struct buf *out, const char *word, struct err *e)
{
	struct err ignored = ERR_INIT;
	enum key_type type;

	if (strcmp(word, "challengePassword") == 0)
		return der_put(out, DER_OID, oid_challenge_password, e);
	if (strcmp(word, "san") == 0)
		return der_put(out, DER_OID, oid_subject_alt_name, e);
	if (key_type_parse(word, &type, &ignored))
		return put_key_type(out, type, e);
	return put_dotted(out, word, e);
}

bool csrattrs_format(const char *words, struct buf *out, struct err *e)
{
	static const char blanks[] = " \t,";
	BUF_AUTO struct buf list = BUF_INIT(CSRATTRS_DER_MAX);

	for (const char *p = words + strspn(words, blanks); *p; p += strspn(p, blanks)) {
		size_t len = strcspn(p, blanks);
		char word[WORD_MAX];

		if (len >= sizeof(word))
			return err_set(e, ERR_INPUT, "CSR attribute of %zu characters", len);
		memcpy(word, p, len);
		word[len] = '\0';
		if (!put_word(&list, word, e))
			return false;
		p += len;
	}
	return der_put(out, DER_SEQUENCE, buf_bytes(&list), e);
}
