/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests, written (PKCS#10, RFC 2986) as a registrar's CSR attributes ask for
 * (RFC 7030 §4.5.2, RFC 9908 §3): given values are copied, open ones filled in from what the
 * caller has, unknown ones left alone (ER-03, ER-08, ER-11). The new key signs (EE-07), and the
 * request is read and verified again before it leaves.
 */
#include <string.h>

#include "common/pki/cms_parts.h"
#include "common/pki/csr.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define CSR_ATTRS_MAX 2 /* challengePassword and extensionRequest */

static const struct bytes oid_challenge_password = OID_CHALLENGE_PASSWORD;
static const struct bytes oid_extension_request = OID_EXTENSION_REQUEST;
static const struct bytes oid_subject_alt_name = OID_SUBJECT_ALT_NAME;
static const struct bytes oid_serial_number = OID_SERIAL_NUMBER;
static const struct bytes oid_common_name = OID_COMMON_NAME;
static const struct bytes version_0 = OCTETS(0);
static const struct bytes der_true = OCTETS(0xff);

/* Extensions a client has a value for when the registrar leaves it open. */
static const struct {
	struct bytes oid;
	struct bytes value;
} own_extensions[] = {
	{OID_KEY_USAGE, OCTETS(0x03, 0x02, 0x07, 0x80)}, /* digitalSignature */
	{OID_EXT_KEY_USAGE, OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03,
				    0x02)}, /* id-kp-clientAuth */
};
#define OWN_EXTENSIONS (sizeof(own_extensions) / sizeof(own_extensions[0]))

/* --- subject -------------------------------------------------------------------------------- */

/* The value TLV of the first attribute of this type in a Name; len 0 when there is none. */
static bool find_value(struct bytes name, struct bytes type, struct bytes *value, struct err *e)
{
	struct der d = der_of(name);
	struct der_tlv rdns, rdn, pair, oid, v;

	*value = bytes_of(NULL, 0);
	if (!der_expect(&d, DER_SEQUENCE, &rdns, "subject", e))
		return false;
	while (!der_at_end(&rdns.content)) {
		if (!der_expect(&rdns.content, DER_SET, &rdn, "subject", e))
			return false;
		while (!der_at_end(&rdn.content)) {
			if (!der_expect(&rdn.content, DER_SEQUENCE, &pair, "subject", e) ||
				!der_expect(&pair.content, DER_OID, &oid, "subject", e) ||
				!der_next(&pair.content, &v, e))
				return false;
			if (!der_oid_is(&oid, type))
				continue;
			*value = v.whole;
			return true;
		}
	}
	return true;
}

/* What we put where the template leaves a value open: our own attribute of that type, and for a
 * common name, if we have none, the serial number. */
static bool own_value(struct bytes subject, struct bytes type, struct bytes *value, struct err *e)
{
	if (!find_value(subject, type, value, e))
		return false;
	if (value->len == 0 && bytes_equal(type, oid_common_name))
		return find_value(subject, oid_serial_number, value, e);
	return true;
}

/* One SingleAttributeTemplate → AttributeTypeAndValue; nothing when we have no value for it. */
static bool put_pair(struct buf *out, struct der pair, struct bytes subject, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(CSR_DER_MAX);
	struct der_tlv type, given;
	struct bytes value;

	if (!der_expect(&pair, DER_OID, &type, "subject template", e))
		return false;
	if (!der_at_end(&pair)) {
		if (!der_next(&pair, &given, e))
			return false;
		value = given.whole;
	} else if (!own_value(subject, bytes_of(type.content.p, type.content.len), &value, e)) {
		return false;
	}
	if (value.len == 0)
		return true;
	return buf_append(&content, type.whole.data, type.whole.len, e) &&
	       buf_append(&content, value.data, value.len, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_rdn(struct buf *out, struct der rdn, struct bytes subject, struct err *e)
{
	BUF_AUTO struct buf pairs = BUF_INIT(CSR_DER_MAX);
	struct der_tlv pair;

	while (!der_at_end(&rdn))
		if (!der_expect(&rdn, DER_SEQUENCE, &pair, "subject template", e) ||
			!put_pair(&pairs, pair.content, subject, e))
			return false;
	return pairs.len == 0 || der_put(out, DER_SET, buf_bytes(&pairs), e);
}

/* The subject: as the caller says, or after the registrar's template (ER-08). */
static bool put_subject(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf rdns = BUF_INIT(CSR_DER_MAX);
	struct der_tlv template, rdn;
	struct der d;

	if (!wish->attrs || wish->attrs->subject_template.len == 0)
		return buf_append(out, wish->subject_der.data, wish->subject_der.len, e);
	d = der_of(wish->attrs->subject_template);
	if (!der_expect(&d, DER_SEQUENCE, &template, "subject template", e))
		return false;
	while (!der_at_end(&template.content))
		if (!der_expect(&template.content, DER_SET, &rdn, "subject template", e) ||
			!put_rdn(&rdns, rdn.content, wish->subject_der, e))
			return false;
	return der_put(out, DER_SEQUENCE, buf_bytes(&rdns), e);
}

/* --- extensions ----------------------------------------------------------------------------- */

static bool put_extension(
	struct buf *out, struct bytes oid, bool critical, struct bytes value, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(CSR_DER_MAX);

	return der_put(&content, DER_OID, oid, e) &&
	       (!critical || der_put(&content, DER_BOOLEAN, der_true, e)) &&
	       der_put(&content, DER_OCTET_STRING, value, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* Our names of one kind, in the place of an open one (ER-11). */
static bool put_own_names(const struct csr_wish *wish, uint8_t tag, struct buf *out, struct err *e)
{
	struct der d = der_of(wish->san);
	struct der_tlv list, name;

	if (tag == DER_CONTEXT_CONSTRUCTED(4))
		return der_put(out, tag, wish->subject_der, e);
	if (wish->san.len == 0)
		return true;
	if (!der_expect(&d, DER_SEQUENCE, &list, "subjectAltName", e))
		return false;
	while (!der_at_end(&list.content)) {
		if (!der_next(&list.content, &name, e))
			return false;
		if (name.tag == tag && !buf_append(out, name.whole.data, name.whole.len, e))
			return false;
	}
	return true;
}

/* GeneralNames with fixed names copied and open ones (empty, or an empty Name) filled in. */
static bool fill_names(
	const struct csr_wish *wish, struct bytes wanted, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf names = BUF_INIT(CSR_DER_MAX);
	struct der d = der_of(wanted);
	struct der_tlv list, name;

	if (!der_expect(&d, DER_SEQUENCE, &list, "subjectAltName", e))
		return false;
	while (!der_at_end(&list.content)) {
		bool open;

		if (!der_next(&list.content, &name, e))
			return false;
		open = name.content.len == 0 ||
		       (name.tag == DER_CONTEXT_CONSTRUCTED(4) && name.content.len == 2);
		if (open ? !put_own_names(wish, name.tag, &names, e)
			 : !buf_append(&names, name.whole.data, name.whole.len, e))
			return false;
	}
	return names.len == 0 || der_put(out, DER_SEQUENCE, buf_bytes(&names), e);
}

/* The value of an extension the registrar asks for, appended to out; nothing when we have none. */
static bool choose_value(const struct csr_wish *wish, const struct csrattrs_extension *wanted,
	struct buf *out, struct err *e)
{
	bool san = bytes_equal(wanted->oid, oid_subject_alt_name);

	if (san && wanted->value.len > 0)
		return fill_names(wish, wanted->value, out, e);
	if (wanted->value.len > 0)
		return buf_append(out, wanted->value.data, wanted->value.len, e);
	if (san)
		return buf_append(out, wish->san.data, wish->san.len, e);
	for (size_t i = 0; i < OWN_EXTENSIONS; i++)
		if (bytes_equal(wanted->oid, own_extensions[i].oid))
			return buf_append(
				out, own_extensions[i].value.data, own_extensions[i].value.len, e);
	return true;
}

/* All extensions of the request: what is asked for, and our subjectAltName if nobody did. */
static bool put_extensions(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	size_t count = wish->attrs ? wish->attrs->extension_count : 0;
	bool san_done = wish->san.len == 0;

	for (size_t i = 0; i < count; i++) {
		const struct csrattrs_extension *wanted = &wish->attrs->extensions[i];
		BUF_AUTO struct buf value = BUF_INIT(CSR_DER_MAX);

		if (bytes_equal(wanted->oid, oid_subject_alt_name))
			san_done = true;
		if (!choose_value(wish, wanted, &value, e))
			return false;
		if (value.len > 0 &&
			!put_extension(out, wanted->oid, wanted->critical, buf_bytes(&value), e))
			return false;
	}
	return san_done || put_extension(out, oid_subject_alt_name, false, wish->san, e);
}

/* --- the request ---------------------------------------------------------------------------- */

/* Attribute ::= SEQUENCE { type, SET { value } } */
static bool put_attribute(
	struct buf *out, struct bytes type, uint8_t tag, struct bytes value, struct err *e)
{
	BUF_AUTO struct buf set = BUF_INIT(CSR_DER_MAX);
	BUF_AUTO struct buf content = BUF_INIT(CSR_DER_MAX);

	return der_put(&set, tag, value, e) && der_put(&content, DER_OID, type, e) &&
	       der_put(&content, DER_SET, buf_bytes(&set), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* The password is base64 of a channel binding (RFC 7030 §3.5), which PrintableString can hold. */
static bool put_attributes(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	BUF_AUTO_WIPE struct buf password = BUF_INIT(CSR_DER_MAX);
	BUF_AUTO struct buf extensions = BUF_INIT(CSR_DER_MAX);
	BUF_AUTO struct buf request = BUF_INIT(CSR_DER_MAX);
	struct bytes items[CSR_ATTRS_MAX];
	size_t count = 0;

	if (wish->attrs && wish->attrs->wants_challenge_password && !wish->challenge_password)
		return err_set(e, ERR_INPUT, "a challengePassword is asked for and there is none");
	if (wish->challenge_password) {
		if (!put_attribute(&password, oid_challenge_password, DER_PRINTABLE_STRING,
			    bytes_of_str(wish->challenge_password), e))
			return false;
		items[count++] = buf_bytes(&password);
	}
	if (!put_extensions(wish, &extensions, e))
		return false;
	if (extensions.len > 0) {
		if (!put_attribute(&request, oid_extension_request, DER_SEQUENCE,
			    buf_bytes(&extensions), e))
			return false;
		items[count++] = buf_bytes(&request);
	}
	return der_put_set_of(out, DER_CONTEXT_CONSTRUCTED(0), items, count, e);
}

static bool put_info(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(CSR_DER_MAX);

	return der_put(&content, DER_INTEGER, version_0, e) && put_subject(wish, &content, e) &&
	       key_public_spki(wish->key, &content, e) && put_attributes(wish, &content, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool make(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf info = BUF_INIT(CSR_DER_MAX);
	BUF_AUTO struct buf content = BUF_INIT(CSR_DER_MAX);

	return put_info(wish, &info, e) && buf_append(&content, info.data, info.len, e) &&
	       cms_alg_sign(wish->key, buf_bytes(&info), &content, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

bool csr_make(const struct csr_wish *wish, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(CSR_DER_MAX);
	CSR_AUTO struct csr *again = NULL;

	if (!make(wish, &made, e))
		return err_prefix(e, "making a certification request");
	again = csr_parse(buf_bytes(&made), e);
	if (!again || !csr_verify(again, e))
		return err_prefix(e, "a certification request just made");
	return buf_append(out, made.data, made.len, e);
}
