/* SPDX-License-Identifier: Apache-2.0 */
/* Does a certification request hold what the registrar said it must (RFC 7030 §4.5.2, RFC 8995
 * §5.9.2, EE-18)? The answer names the first thing that is missing, for the peer as well: the
 * device's maker can only repair what he is told.
 */
#include <string.h>

#include "common/pki/csr.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"

static const struct bytes oid_rsa = OID_RSA_ENCRYPTION;
static const struct bytes oid_subject_alt_name = OID_SUBJECT_ALT_NAME;

static bool missing(struct err *e, const char *what)
{
	err_set(e, ERR_INPUT, "certification request lacks what csrattrs asks for: %s", what);
	return err_tell(e, "The certification request lacks what csrattrs asks for: %s.", what);
}

/* As missing(), for something that only its OID names. */
static bool missing_oid(struct err *e, const char *what, struct bytes oid)
{
	BUF_AUTO struct buf der = BUF_INIT(256);
	OSSL_AUTO(ASN1_OBJECT) ASN1_OBJECT *object = NULL;
	char dotted[80] = "?", text[160];
	const uint8_t *p;

	if (!der_put(&der, DER_OID, oid, e))
		return false;
	p = der.data;
	object = d2i_ASN1_OBJECT(NULL, &p, (long)der.len);
	if (object)
		OBJ_obj2txt(dotted, sizeof(dotted), object, 1);
	ossl_forget();
	snprintf(text, sizeof(text), "%s %s", what, dotted);
	return missing(e, text);
}

/* --- the key -------------------------------------------------------------------------------- */

/* Bits of the modulus in an RSA SubjectPublicKeyInfo's BIT STRING. */
static bool modulus_bits(struct der key, size_t *bits, struct err *e)
{
	struct der_tlv seq, modulus;

	if (key.len == 0)
		return err_set(e, ERR_INPUT, "empty public key");
	key.p++;
	key.len--;
	if (!der_expect(&key, DER_SEQUENCE, &seq, "RSAPublicKey", e) ||
		!der_expect(&seq.content, DER_INTEGER, &modulus, "modulus", e))
		return false;
	while (modulus.content.len > 0 && modulus.content.p[0] == 0) {
		modulus.content.p++;
		modulus.content.len--;
	}
	*bits = modulus.content.len * 8;
	return true;
}

/* SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING } */
static bool check_key(const struct csr *c, const struct csrattrs *wanted, struct err *e)
{
	struct der d = der_of(csr_spki(c));
	struct der_tlv spki, alg, oid, curve, key;
	bool has_curve;
	size_t bits = 0;

	if (!wanted->has_key_type)
		return true;
	if (!der_expect(&d, DER_SEQUENCE, &spki, "public key", e) ||
		!der_expect(&spki.content, DER_SEQUENCE, &alg, "public key", e) ||
		!der_expect(&alg.content, DER_OID, &oid, "public key algorithm", e) ||
		!der_optional(&alg.content, DER_OID, &curve, &has_curve, e) ||
		!der_expect(&spki.content, DER_BIT_STRING, &key, "public key", e))
		return false;
	if (!der_oid_is(&oid, wanted->key_oid))
		return missing_oid(e, "a key of the type", wanted->key_oid);
	if (wanted->curve_oid.len > 0 && !(has_curve && der_oid_is(&curve, wanted->curve_oid)))
		return missing_oid(e, "a key on the curve", wanted->curve_oid);
	if (!bytes_equal(wanted->key_oid, oid_rsa) || wanted->key_bits == 0)
		return true;
	if (!modulus_bits(key.content, &bits, e))
		return false;
	return bits >= (size_t)wanted->key_bits || missing(e, "an RSA key of the wanted size");
}

/* --- subject and subjectAltName -------------------------------------------------------------- */

/* The next AttributeTypeAndValue of a Name; value.tag 0 when a template leaves it out. */
struct name_walk {
	struct der name;
	struct der rdn;
};

static bool next_pair(
	struct name_walk *w, struct der_tlv *type, struct der_tlv *value, bool *end, struct err *e)
{
	struct der_tlv t, pair;

	*end = false;
	while (der_at_end(&w->rdn)) {
		*end = der_at_end(&w->name);
		if (*end)
			return true;
		if (!der_expect(&w->name, DER_SET, &t, "RDN", e))
			return false;
		w->rdn = t.content;
	}
	*value = (struct der_tlv){.tag = 0};
	return der_expect(&w->rdn, DER_SEQUENCE, &pair, "name attribute", e) &&
	       der_expect(&pair.content, DER_OID, type, "name attribute", e) &&
	       (der_at_end(&pair.content) || der_next(&pair.content, value, e));
}

static bool walk_name(struct bytes name, struct name_walk *w, struct err *e)
{
	struct der d = der_of(name);
	struct der_tlv t;

	if (!der_expect(&d, DER_SEQUENCE, &t, "Name", e))
		return false;
	*w = (struct name_walk){.name = t.content};
	return true;
}

/* Is there an attribute of this type, with this value unless that is open? String types may
 * differ: a PrintableString and a UTF8String with the same octets say the same. */
static bool subject_has(struct bytes subject, const struct der_tlv *type,
	const struct der_tlv *value, bool *found, struct err *e)
{
	struct name_walk w;
	struct der_tlv have_type, have_value;
	bool end;

	*found = false;
	if (!walk_name(subject, &w, e))
		return false;
	while (next_pair(&w, &have_type, &have_value, &end, e) && !end) {
		if (bytes_equal(have_type.whole, type->whole) &&
			(value->tag == 0 ||
				bytes_equal(bytes_of(value->content.p, value->content.len),
					bytes_of(have_value.content.p, have_value.content.len)))) {
			*found = true;
			return true;
		}
	}
	return end;
}

static bool check_subject(const struct csr *c, const struct csrattrs *wanted, struct err *e)
{
	struct name_walk w;
	struct der_tlv type, value;
	bool end, found;

	if (wanted->subject_template.len == 0)
		return true;
	if (!walk_name(wanted->subject_template, &w, e))
		return false;
	while (next_pair(&w, &type, &value, &end, e) && !end) {
		if (!subject_has(csr_subject_der(c), &type, &value, &found, e))
			return false;
		if (!found)
			return missing_oid(e, "the subject attribute",
				bytes_of(type.content.p, type.content.len));
	}
	return end;
}

/* Is this GeneralName left for the client to fill in (ER-11)? */
static bool is_blank(const struct der_tlv *name)
{
	return name->content.len == 0 ||
	       (name->tag == DER_CONTEXT_CONSTRUCTED(4) && name->content.len == 2);
}

/* GeneralNames: every fixed name has to be there, and one of its kind for every open one. */
static bool check_names(struct bytes have, struct bytes wanted, struct err *e)
{
	struct der outer = der_of(wanted);
	struct der_tlv list, want, got;

	if (!der_expect(&outer, DER_SEQUENCE, &list, "subjectAltName", e))
		return false;
	while (!der_at_end(&list.content)) {
		struct der in = der_of(have);
		struct der_tlv names;
		bool found = false;

		if (!der_next(&list.content, &want, e) ||
			!der_expect(&in, DER_SEQUENCE, &names, "subjectAltName", e))
			return false;
		while (!found && !der_at_end(&names.content)) {
			if (!der_next(&names.content, &got, e))
				return false;
			found = is_blank(&want) ? got.tag == want.tag && !is_blank(&got)
						: bytes_equal(got.whole, want.whole);
		}
		if (!found)
			return missing(e, "a name in the subjectAltName");
	}
	return true;
}

static bool check_extension(
	const struct csr *c, const struct csrattrs_extension *wanted, struct err *e)
{
	struct bytes have;

	if (!csr_extension(c, wanted->oid, &have))
		return missing_oid(e, "the extension", wanted->oid);
	if (wanted->value.len == 0)
		return true;
	if (bytes_equal(wanted->oid, oid_subject_alt_name))
		return check_names(have, wanted->value, e);
	return bytes_equal(have, wanted->value) ||
	       missing_oid(e, "the wanted value of extension", wanted->oid);
}

bool csr_satisfies(const struct csr *c, const struct csrattrs *wanted, struct err *e)
{
	if (wanted->wants_challenge_password && !csr_challenge_password(c))
		return missing(e, "challengePassword");
	if (!check_key(c, wanted, e) || !check_subject(c, wanted, e))
		return false;
	for (size_t i = 0; i < wanted->extension_count; i++)
		if (!check_extension(c, &wanted->extensions[i], e))
			return false;
	return true;
}
