/* SPDX-License-Identifier: Apache-2.0 */
/* CMS SignedData as vouchers and voucher-requests travel in it (RFC 5652, RFC 8366 §5.4): what
 * arrives is read here, strictly, before anything believes it; what leaves is written by
 * cms_seal.c.
 *
 * Reading keeps the received octets and points into them. cms_parse() settles the structure
 * (ENC-ALL-001, -002, -006, -028), cms_verify() the truth: attributes (ENC-ALL-003), signer
 * (ENC-ALL-004) and signature (ENC-ALL-025). Trust in the signer is never decided here, and no
 * certificate found in a container becomes an anchor (ENC-ALL-027).
 */
#include "common/pki/cms.h"

#include <string.h>
#include <time.h>

#include "common/pki/cms_parts.h"
#include "common/pki/content_info.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define CMS_VERSION_MAX 5  /* RFC 5652 §5.1 */
#define CMS_ATTRS_MAX	16 /* three are usual; S/MIME tools add two or three */

static const struct bytes content_oids[] = {
	[CMS_CONTENT_ANIMA_JSON] = OID_ANIMA_JSON_VOUCHER,
	[CMS_CONTENT_ID_DATA] = OID_ID_DATA,
};
#define CONTENT_OIDS (sizeof(content_oids) / sizeof(content_oids[0]))

static struct bytes value_of(const struct der_tlv *t)
{
	return bytes_of(t->content.p, t->content.len);
}

void cms_init(struct cms *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->payload, CMS_DER_MAX);
	buf_init(&c->der, CMS_DER_MAX);
}

void cms_clear(struct cms *c)
{
	buf_clear(&c->payload);
	buf_clear(&c->der);
	cert_free(c->signer);
	cert_list_clear(&c->certs);
	cms_init(c);
}

/* version CMSVersion */
static bool read_version(struct der *d, const char *what, uint32_t *out, struct err *e)
{
	struct der_tlv t;

	if (!der_expect(d, DER_INTEGER, &t, what, e) || !der_uint(&t, out, e))
		return false;
	if (*out < 1 || *out > CMS_VERSION_MAX)
		return err_set(e, ERR_INPUT, "%s: %u is not a CMSVersion we know", what, *out);
	return true;
}

/* AlgorithmIdentifier as a view; what is in it is judged when it is used. */
static bool read_algorithm(struct der *d, const char *what, struct bytes *out, struct err *e)
{
	struct der_tlv t;

	if (!der_expect(d, DER_SEQUENCE, &t, what, e))
		return false;
	*out = t.whole;
	return true;
}

/* EncapsulatedContentInfo ::= SEQUENCE { eContentType OID, eContent [0] EXPLICIT OCTET STRING } */
static bool read_content(struct der *d, struct cms *out, struct err *e)
{
	struct der_tlv seq, oid, explicit, octets;
	size_t i;
	bool attached;

	if (!der_expect(d, DER_SEQUENCE, &seq, "encapContentInfo", e) ||
		!der_expect(&seq.content, DER_OID, &oid, "eContentType", e))
		return false;
	for (i = 0; i < CONTENT_OIDS && !der_oid_is(&oid, content_oids[i]); i++)
		;
	if (i == CONTENT_OIDS)
		return err_set(e, ERR_INPUT, "eContentType is neither a JSON voucher nor id-data");
	out->content_type = (enum cms_content)i;
	if (!der_optional(&seq.content, DER_CONTEXT_CONSTRUCTED(0), &explicit, &attached, e))
		return false;
	if (!attached)
		return err_set(e, ERR_INPUT, "the content is detached");
	return der_expect_end(&seq.content, "encapContentInfo", e) &&
	       der_expect(&explicit.content, DER_OCTET_STRING, &octets, "eContent", e) &&
	       der_expect_end(&explicit.content, "eContent", e) &&
	       buf_append(&out->payload, octets.content.p, octets.content.len, e);
}

/* CertificateSet. Attribute certificates and other formats count, but nothing here needs them. */
static bool read_certs(struct der set, struct cert_cache *cache, struct cms *out, struct err *e)
{
	size_t seen = 0;

	while (!der_at_end(&set)) {
		struct der_tlv t;

		if (!der_next(&set, &t, e))
			return false;
		if (++seen > CMS_CERTS_MAX)
			return err_set(
				e, ERR_TOO_LARGE, "more than %d certificates in it", CMS_CERTS_MAX);
		if (t.tag != DER_SEQUENCE)
			continue;
		CERT_AUTO struct cert *c = cert_cache_get(cache, t.whole, e);
		if (!c)
			return err_prefix(e, "certificate %zu", seen);
		if (!cert_list_add(&out->certs, c, e))
			return false;
	}
	return true;
}

/* sid SignerIdentifier: IssuerAndSerialNumber, or [0] SubjectKeyIdentifier */
static bool read_sid(struct der *d, struct cms_signer_info *out, struct err *e)
{
	struct der_tlv t, issuer, serial;
	bool by_key_id;

	if (!der_optional(d, DER_CONTEXT(0), &t, &by_key_id, e))
		return false;
	if (by_key_id) {
		out->key_id = value_of(&t);
		return out->key_id.len > 0 || err_set(e, ERR_INPUT, "sid: empty key identifier");
	}
	if (!der_expect(d, DER_SEQUENCE, &t, "sid", e) ||
		!der_expect(&t.content, DER_SEQUENCE, &issuer, "sid issuer", e) ||
		!der_expect(&t.content, DER_INTEGER, &serial, "sid serialNumber", e))
		return false;
	out->issuer = issuer.whole;
	out->serial = value_of(&serial);
	return der_expect_end(&t.content, "sid", e);
}

/* Two digits at s; -1 when they are none. */
static int two_digits(const uint8_t *s)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return -1;
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* Time ::= CHOICE { UTCTime, GeneralizedTime }, whole seconds, "Z" (RFC 5652 §11.3) */
static bool read_time(const struct der_tlv *t, int64_t *unix_s, struct err *e)
{
	const struct der *c = &t->content;
	size_t year_digits = t->tag == DER_UTC_TIME ? 2 : 4;
	int year = 0, part[5]; /* month, day, hour, minute, second */

	if ((t->tag != DER_UTC_TIME && t->tag != DER_GENERALIZED_TIME) ||
		c->len != year_digits + 11 || c->p[c->len - 1] != 'Z')
		return err_set(e, ERR_INPUT, "signingTime: not a DER time");
	for (size_t i = 0; i < year_digits; i += 2) {
		int n = two_digits(c->p + i);

		year = n < 0 ? -10000 : year * 100 + n;
	}
	if (t->tag == DER_UTC_TIME)
		year += year < 50 ? 2000 : 1900;
	for (size_t i = 0; i < 5; i++)
		part[i] = two_digits(c->p + year_digits + 2 * i);
	if (year < 0 || part[0] < 1 || part[0] > 12 || part[1] < 1 || part[1] > 31 || part[2] < 0 ||
		part[2] > 23 || part[3] < 0 || part[3] > 59 || part[4] < 0 || part[4] > 60)
		return err_set(e, ERR_INPUT, "signingTime: no such moment");
	struct tm tm = {.tm_year = year - 1900,
		.tm_mon = part[0] - 1,
		.tm_mday = part[1],
		.tm_hour = part[2],
		.tm_min = part[3],
		.tm_sec = part[4]};
	*unix_s = (int64_t)timegm(&tm);
	return true;
}

static bool take_content_type(const struct der_tlv *value, struct cms *out, struct err *e)
{
	if (value->tag != DER_OID)
		return err_set(e, ERR_INPUT, "content-type attribute: not an OID");
	out->info.attr_type = value_of(value);
	return true;
}

static bool take_message_digest(const struct der_tlv *value, struct cms *out, struct err *e)
{
	if (value->tag != DER_OCTET_STRING)
		return err_set(e, ERR_INPUT, "message-digest attribute: not an OCTET STRING");
	out->info.attr_digest = value_of(value);
	return true;
}

static bool take_signing_time(const struct der_tlv *value, struct cms *out, struct err *e)
{
	out->has_signing_time = true;
	return read_time(value, &out->signing_time, e);
}

static const struct attribute {
	struct bytes oid;
	bool (*take)(const struct der_tlv *value, struct cms *out, struct err *e);
} attributes[] = {
	{OID_CONTENT_TYPE, take_content_type},
	{OID_MESSAGE_DIGEST, take_message_digest},
	{OID_SIGNING_TIME, take_signing_time},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

/* Attribute ::= SEQUENCE { attrType OID, attrValues SET OF ANY }, with exactly one value */
static bool read_attribute(struct der *d, struct bytes *type, struct cms *out, struct err *e)
{
	struct der_tlv seq, oid, set, value;

	if (!der_expect(d, DER_SEQUENCE, &seq, "signed attribute", e) ||
		!der_expect(&seq.content, DER_OID, &oid, "signed attribute type", e) ||
		!der_expect(&seq.content, DER_SET, &set, "signed attribute values", e) ||
		!der_expect_end(&seq.content, "signed attribute", e) ||
		!der_next(&set.content, &value, e) ||
		!der_expect_end(&set.content, "signed attribute values", e))
		return false;
	*type = value_of(&oid);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (der_oid_is(&oid, attributes[i].oid))
			return attributes[i].take(&value, out, e);
	return true;
}

/* Each attribute at most once (RFC 5652 §11): a second one could say something else to somebody. */
static bool read_attributes(struct der attrs, struct cms *out, struct err *e)
{
	struct bytes types[CMS_ATTRS_MAX];
	size_t count = 0;

	while (!der_at_end(&attrs)) {
		if (count == CMS_ATTRS_MAX)
			return err_set(
				e, ERR_TOO_LARGE, "more than %d signed attributes", CMS_ATTRS_MAX);
		if (!read_attribute(&attrs, &types[count], out, e))
			return false;
		for (size_t i = 0; i < count; i++)
			if (bytes_equal(types[i], types[count]))
				return err_set(e, ERR_INPUT, "a signed attribute stands twice");
		count++;
	}
	return true;
}

/* SignerInfo ::= SEQUENCE { version, sid, digestAlgorithm, [0] signedAttrs OPTIONAL,
 *                           signatureAlgorithm, signature, [1] unsignedAttrs OPTIONAL } */
static bool read_signer_info(struct der d, struct cms *out, struct err *e)
{
	struct cms_signer_info *info = &out->info;
	struct der_tlv attrs, signature, ignored;
	uint32_t version;
	bool present;

	if (!read_version(&d, "SignerInfo version", &version, e) || !read_sid(&d, info, e) ||
		!read_algorithm(&d, "digestAlgorithm", &info->digest_alg, e) ||
		!der_optional(&d, DER_CONTEXT_CONSTRUCTED(0), &attrs, &present, e))
		return false;
	if (present) {
		info->attrs = attrs.whole;
		if (!read_attributes(attrs.content, out, e))
			return false;
	}
	if (!read_algorithm(&d, "signatureAlgorithm", &info->signature_alg, e) ||
		!der_expect(&d, DER_OCTET_STRING, &signature, "signature", e) ||
		!der_optional(&d, DER_CONTEXT_CONSTRUCTED(1), &ignored, &present, e))
		return false;
	info->signature = value_of(&signature);
	info->present = true;
	return der_expect_end(&d, "SignerInfo", e);
}

/* None is read, so that it can be shown, and refused by cms_verify(). Two would leave it open
 * whose voucher this is. */
static bool read_signer_infos(struct der set, struct cms *out, struct err *e)
{
	struct der_tlv t;

	if (der_at_end(&set))
		return true;
	if (!der_expect(&set, DER_SEQUENCE, &t, "SignerInfo", e))
		return false;
	if (!der_at_end(&set))
		return err_set(e, ERR_INPUT, "more than one signer");
	return read_signer_info(t.content, out, e);
}

/* SignedData ::= SEQUENCE { version, digestAlgorithms, encapContentInfo, [0] certificates OPTIONAL,
 *                           [1] crls OPTIONAL, signerInfos }. CRLs are passed over (ENC-ALL-028).
 */
static bool read_signed_data(
	struct der d, bool with_certs, struct cert_cache *cache, struct cms *out, struct err *e)
{
	struct der_tlv digests, certs, crls, infos;
	bool present;

	if (!read_version(&d, "SignedData version", &out->version, e) ||
		!der_expect(&d, DER_SET, &digests, "digestAlgorithms", e) ||
		!read_content(&d, out, e) ||
		!der_optional(&d, DER_CONTEXT_CONSTRUCTED(0), &certs, &present, e))
		return false;
	if (present && with_certs && !read_certs(certs.content, cache, out, e))
		return false;
	return der_optional(&d, DER_CONTEXT_CONSTRUCTED(1), &crls, &present, e) &&
	       der_expect(&d, DER_SET, &infos, "signerInfos", e) &&
	       der_expect_end(&d, "SignedData", e) && read_signer_infos(infos.content, out, e);
}

static bool read_container(
	bool with_certs, struct cert_cache *cache, struct cms *out, struct err *e)
{
	struct der signed_data;

	return content_info_read(buf_bytes(&out->der), CMS_DEPTH_MAX, &signed_data, e) &&
	       read_signed_data(signed_data, with_certs, cache, out, e);
}

static bool parse(
	struct bytes der, bool with_certs, struct cert_cache *cache, struct cms *out, struct err *e)
{
	cms_init(out);
	if (der.len > CMS_DER_MAX)
		return err_set(e, ERR_TOO_LARGE, "CMS: %zu octets, at most %d are read", der.len,
			CMS_DER_MAX);
	if (buf_append(&out->der, der.data, der.len, e) &&
		read_container(with_certs, cache, out, e))
		return true;
	cms_clear(out);
	return err_prefix(e, "CMS");
}

bool cms_parse(struct bytes der, struct cert_cache *cache, struct cms *out, struct err *e)
{
	return parse(der, true, cache, out, e);
}

static bool sid_names(const struct cms_signer_info *info, const struct cert *c)
{
	if (info->key_id.len > 0)
		return bytes_equal(info->key_id, cert_ski(c));
	return bytes_equal(info->serial, cert_serial(c)) &&
	       bytes_equal(info->issuer, cert_issuer_der(c));
}

static struct cert *find_signer(const struct cms_signer_info *info, const struct cert_list *certs)
{
	for (size_t i = 0; i < certs->count; i++)
		if (sid_names(info, certs->items[i]))
			return certs->items[i];
	return NULL;
}

struct cert *cms_signer_cert(const struct cms *c, const struct cert_list *hint)
{
	struct cert *found = NULL;

	if (c->info.present)
		found = find_signer(&c->info, &c->certs);
	if (!found && c->info.present && hint)
		found = find_signer(&c->info, hint);
	return found;
}

/* contentType and messageDigest bind the attributes to this content (RFC 5652 §5.4, §11.1-2). */
static bool check_attributes(
	const struct cms *c, const struct cms_alg_digest *digest, struct err *e)
{
	const struct cms_signer_info *info = &c->info;
	uint8_t computed[CMS_DIGEST_LEN_MAX];

	if (!bytes_equal(info->attr_type, content_oids[c->content_type]))
		return err_set(e, ERR_UNAUTHENTICATED,
			"content-type attribute missing or not the eContentType");
	if (!digest->hash(buf_bytes(&c->payload), computed, e))
		return false;
	if (!bytes_equal_ct(info->attr_digest, bytes_of(computed, digest->len)))
		return err_set(e, ERR_UNAUTHENTICATED,
			"message-digest attribute missing or not of this content");
	return true;
}

/* What the signature is over: the attributes, their [0] read as SET OF, or else the content. */
static bool signed_octets(const struct cms *c, struct buf *out, struct err *e)
{
	if (c->info.attrs.len == 0)
		return buf_append(out, c->payload.data, c->payload.len, e);
	if (!buf_append(out, c->info.attrs.data, c->info.attrs.len, e))
		return false;
	out->data[0] = DER_SET;
	return true;
}

static bool check_signature(const struct cms *c, const struct cert *signer, struct err *e)
{
	const struct cms_alg_digest *digest = cms_alg_digest(c->info.digest_alg, e);
	struct bytes alg;
	BUF_AUTO struct buf data = BUF_INIT(CMS_DER_MAX);

	if (!digest || !cms_alg_signature(c->info.signature_alg, digest, &alg, e))
		return false;
	if (c->info.attrs.len > 0 && !check_attributes(c, digest, e))
		return false;
	if (c->info.attrs.len == 0 && c->content_type != CMS_CONTENT_ID_DATA)
		return err_set(e, ERR_UNAUTHENTICATED,
			"a JSON voucher without signed attributes (RFC 5652 §5.3)");
	return signed_octets(c, &data, e) &&
	       cert_verify(signer, alg, buf_bytes(&data), c->info.signature, e);
}

bool cms_verify(struct cms *c, const struct cert_list *signer_hint, struct err *e)
{
	struct cert *signer = cms_signer_cert(c, signer_hint);

	if (!c->info.present)
		return err_set(e, ERR_UNAUTHENTICATED, "CMS: nobody signed it");
	if (!signer) {
		err_set(e, ERR_UNAUTHENTICATED, "CMS: the signer's certificate is missing");
		return err_tell(e, "The certificate of the signer is missing.");
	}
	if (!check_signature(c, signer, e))
		return err_prefix(e, "CMS signature by %s", cert_subject(signer));
	cert_free(c->signer);
	c->signer = cert_ref(signer);
	return true;
}

bool cms_open(struct bytes der, struct cert_cache *cache, const struct cert_list *signer_hint,
	struct cms *out, struct err *e)
{
	if (!parse(der, true, cache, out, e))
		return false;
	if (cms_verify(out, signer_hint, e))
		return true;
	cms_clear(out);
	return false;
}

bool cms_verify_own(struct bytes der, struct cert *signer, struct bytes payload, struct err *e)
{
	struct cert *items[] = {signer};
	const struct cert_list only = {.items = items, .count = 1};
	CMS_AUTO struct cms again;

	if (!parse(der, false, NULL, &again, e) || !cms_verify(&again, &only, e)) {
		e->kind = e->kind == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_BUG;
		return err_prefix(e, "what was signed does not verify");
	}
	if (!bytes_equal(buf_bytes(&again.payload), payload))
		return err_set(e, ERR_BUG, "what was signed holds another payload");
	return true;
}
