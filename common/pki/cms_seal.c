/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a CMS: the DER is put together here, inside out, for every type of key in one way
 * (OpenSSL 3.0 signs no CMS with Ed25519). What comes out is exactly what the standards ask for:
 * id-ct-animaJSONVoucher, version 3, signed attributes, issuerAndSerialNumber, sets in DER order
 * (rfc8366bis §7.1, RFC 5652 §5, traps T-01 to T-03); and it is verified before it leaves.
 */
#include <string.h>
#include <time.h>

#include "common/pki/cms_parts.h"
#include "common/pki/content_info.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define ATTRS_DER_MAX  512  /* three attributes, the largest holds one SHA-512 digest */
#define SIGNER_DER_MAX 8192 /* issuer name and an RSA-16384 signature */
#define ATTR_COUNT     3
#define UTC_TIME_END   2524608000 /* 2050-01-01: GeneralizedTime from here on (RFC 5652 §11.3) */

static const struct bytes oid_content_type = OID_CONTENT_TYPE;
static const struct bytes oid_message_digest = OID_MESSAGE_DIGEST;
static const struct bytes oid_signing_time = OID_SIGNING_TIME;
static const struct bytes oid_anima_json_voucher = OID_ANIMA_JSON_VOUCHER;
static const struct bytes version_1 = OCTETS(1);
static const struct bytes version_3 = OCTETS(3);

/* Attribute ::= SEQUENCE { attrType, SET { one value } } */
static bool put_attribute(
	struct buf *out, struct bytes type, uint8_t tag, struct bytes value, struct err *e)
{
	BUF_AUTO struct buf element = BUF_INIT(ATTRS_DER_MAX);
	BUF_AUTO struct buf content = BUF_INIT(ATTRS_DER_MAX);

	return der_put(&element, tag, value, e) && der_put(&content, DER_OID, type, e) &&
	       der_put(&content, DER_SET, buf_bytes(&element), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_signing_time(struct buf *out, int64_t now_unix_s, struct err *e)
{
	bool utc = now_unix_s < UTC_TIME_END;
	time_t t = (time_t)now_unix_s;
	char text[40];
	struct tm tm;

	if (now_unix_s < 0 || !gmtime_r(&t, &tm) || tm.tm_year + 1900 > 9999)
		return err_set(e, ERR_INPUT, "signingTime: no such moment");
	if (strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm) == 0)
		return err_set(e, ERR_BUG, "signingTime: does not fit");
	return put_attribute(out, oid_signing_time, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME,
		bytes_of_str(utc ? text + 2 : text), e); /* UTCTime has two digits of the year */
}

/* The signed attributes as the SET OF that is signed; in the SignerInfo its tag becomes [0]. */
static bool put_attributes(struct bytes payload, const struct cms_alg_digest *digest,
	int64_t now_unix_s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf type = BUF_INIT(ATTRS_DER_MAX);
	BUF_AUTO struct buf time = BUF_INIT(ATTRS_DER_MAX);
	BUF_AUTO struct buf message = BUF_INIT(ATTRS_DER_MAX);
	uint8_t hash[CMS_DIGEST_LEN_MAX];

	if (!digest->hash(payload, hash, e) ||
		!put_attribute(&type, oid_content_type, DER_OID, oid_anima_json_voucher, e) ||
		!put_attribute(&message, oid_message_digest, DER_OCTET_STRING,
			bytes_of(hash, digest->len), e) ||
		!put_signing_time(&time, now_unix_s, e))
		return false;
	struct bytes items[ATTR_COUNT] = {buf_bytes(&type), buf_bytes(&time), buf_bytes(&message)};
	return der_put_set_of(out, DER_SET, items, ATTR_COUNT, e);
}

/* sid: IssuerAndSerialNumber (T-02: the old PKCS#7 readers know no other) */
static bool put_sid(const struct cert *c, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(SIGNER_DER_MAX);
	struct bytes issuer = cert_issuer_der(c);

	return buf_append(&content, issuer.data, issuer.len, e) &&
	       der_put(&content, DER_INTEGER, cert_serial(c), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_signer_info(struct bytes payload, const struct identity *signer,
	const struct cms_alg_choice *alg, int64_t now_unix_s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf attrs = BUF_INIT(ATTRS_DER_MAX);
	BUF_AUTO struct buf signature = BUF_INIT(SIGNER_DER_MAX);
	BUF_AUTO struct buf content = BUF_INIT(SIGNER_DER_MAX);

	if (!put_attributes(payload, alg->digest, now_unix_s, &attrs, e) ||
		!key_sign(signer->key, buf_bytes(&attrs), &signature, e))
		return false;
	attrs.data[0] = DER_CONTEXT_CONSTRUCTED(0);
	return der_put(&content, DER_INTEGER, version_1, e) && put_sid(signer->cert, &content, e) &&
	       buf_append(&content, alg->digest->identifier.data, alg->digest->identifier.len, e) &&
	       buf_append(&content, attrs.data, attrs.len, e) &&
	       buf_append(&content, alg->signature_alg.data, alg->signature_alg.len, e) &&
	       der_put(&content, DER_OCTET_STRING, buf_bytes(&signature), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* encapContentInfo, attached (ENC-ALL-001, -002) */
static bool put_content(struct bytes payload, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf content = BUF_INIT(CMS_DER_MAX);

	return der_put(&octets, DER_OCTET_STRING, payload, e) &&
	       der_put(&content, DER_OID, oid_anima_json_voucher, e) &&
	       der_put(&content, DER_CONTEXT_CONSTRUCTED(0), buf_bytes(&octets), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

/* The signer's certificate and the others, each once (ENC-ALL-005). */
static bool put_certs(
	const struct cert *signer, const struct cert_list *extra, struct buf *out, struct err *e)
{
	struct bytes items[CMS_CERTS_MAX] = {cert_der(signer)};
	size_t count = 1;

	for (size_t i = 0; extra && i < extra->count; i++) {
		struct bytes der = cert_der(extra->items[i]);
		size_t j = 0;

		while (j < count && !bytes_equal(items[j], der))
			j++;
		if (j < count)
			continue;
		if (count == CMS_CERTS_MAX)
			return err_set(e, ERR_TOO_LARGE, "more than %d certificates to carry",
				CMS_CERTS_MAX);
		items[count++] = der;
	}
	return der_put_set_of(out, DER_CONTEXT_CONSTRUCTED(0), items, count, e);
}

static bool put_signed_data(struct bytes payload, const struct identity *signer,
	const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf info = BUF_INIT(SIGNER_DER_MAX);
	struct cms_alg_choice alg;

	return cms_alg_of_key(key_evp(signer->key), &alg, e) &&
	       put_signer_info(payload, signer, &alg, now_unix_s, &info, e) &&
	       der_put(&content, DER_INTEGER, version_3, e) &&
	       der_put(&content, DER_SET, alg.digest->identifier, e) &&
	       put_content(payload, &content, e) && put_certs(signer->cert, extra, &content, e) &&
	       der_put(&content, DER_SET, buf_bytes(&info), e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

static bool put_container(struct bytes payload, const struct identity *signer,
	const struct cert_list *extra, int64_t now_unix_s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf signed_data = BUF_INIT(CMS_DER_MAX);

	return put_signed_data(payload, signer, extra, now_unix_s, &signed_data, e) &&
	       content_info_put(buf_bytes(&signed_data), out, e);
}

bool cms_can_seal(const struct identity *signer, struct err *e)
{
	struct cms_alg_choice alg;

	return cms_alg_of_key(key_evp(signer->key), &alg, e);
}

bool cms_seal(struct bytes payload, const struct identity *signer, const struct cert_list *extra,
	int64_t now_unix_s, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(CMS_DER_MAX);

	if (!put_container(payload, signer, extra, now_unix_s, &made, e) ||
		!cms_verify_own(buf_bytes(&made), signer->cert, payload, e))
		return err_prefix(e, "signing a CMS as %s", cert_subject(signer->cert));
	return buf_append(out, made.data, made.len, e);
}
