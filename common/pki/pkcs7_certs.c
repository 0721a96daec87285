/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates as EST hands them out: a CMS SignedData that signs nothing (RFC 5652 §5.1 with no
 * signers, RFC 7030 §4.1.3 and §4.2.3). Nothing in it is authenticated: who believes the
 * certificates does so for another reason (the TLS connection, the voucher).
 */
#include "common/pki/pkcs7_certs.h"

#include "common/pki/content_info.h"
#include "common/pki/oid.h"
#include "common/wire/der.h"

#define PKCS7_CERTS_DEPTH_MAX 24 /* certificates nest to 10 or so, the container adds 5 */
#define PKCS7_VERSION_MAX     5	 /* RFC 5652 §5.1; 1 is what is meant */

static const struct bytes oid_id_data = OID_ID_DATA;
static const struct bytes version_1 = OCTETS(1);
static const struct bytes nothing = {NULL, 0};

/* SignedData with everything but the certificates empty. */
static bool put_signed_data(const struct cert_list *certs, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf type = BUF_INIT(64);
	BUF_AUTO struct buf content = BUF_INIT(PKCS7_CERTS_DER_MAX);
	struct bytes items[PKCS7_CERTS_MAX];

	for (size_t i = 0; i < certs->count; i++)
		items[i] = cert_der(certs->items[i]);
	return der_put(&type, DER_OID, oid_id_data, e) &&
	       der_put(&content, DER_INTEGER, version_1, e) &&
	       der_put(&content, DER_SET, nothing, e) &&
	       der_put(&content, DER_SEQUENCE, buf_bytes(&type), e) &&
	       der_put_set_of(&content, DER_CONTEXT_CONSTRUCTED(0), items, certs->count, e) &&
	       der_put(&content, DER_SET, nothing, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}

bool pkcs7_certs_format(const struct cert_list *certs, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf signed_data = BUF_INIT(PKCS7_CERTS_DER_MAX);

	if (certs->count == 0 || certs->count > PKCS7_CERTS_MAX)
		return err_set(e, ERR_INPUT, "certs-only CMS: %zu certificates, 1 to %d fit",
			certs->count, PKCS7_CERTS_MAX);
	return put_signed_data(certs, &signed_data, e) &&
	       content_info_put(buf_bytes(&signed_data), out, e);
}

static bool read_certs(struct der set, struct cert_list *out, struct err *e)
{
	while (!der_at_end(&set)) {
		struct der_tlv t;

		if (out->count == PKCS7_CERTS_MAX)
			return err_set(
				e, ERR_TOO_LARGE, "more than %d certificates", PKCS7_CERTS_MAX);
		if (!der_expect(&set, DER_SEQUENCE, &t, "certificate", e))
			return false;
		CERT_AUTO struct cert *c = cert_parse(t.whole, e);
		if (!c)
			return err_prefix(e, "certificate %zu", out->count + 1);
		if (!cert_list_add(out, c, e))
			return false;
	}
	if (out->count == 0)
		return err_set(e, ERR_INPUT, "no certificate in it");
	return true;
}

/* version, and the two sets and the content that have to be empty. An absent eContent and an
 * empty one say the same. */
static bool read_head(struct der *d, struct err *e)
{
	struct der_tlv version, digests, encap, type, explicit, content;
	uint32_t number;
	bool present;

	if (!der_expect(d, DER_INTEGER, &version, "version", e) ||
		!der_uint(&version, &number, e) ||
		!der_expect(d, DER_SET, &digests, "digestAlgorithms", e) ||
		!der_expect(d, DER_SEQUENCE, &encap, "encapContentInfo", e) ||
		!der_expect(&encap.content, DER_OID, &type, "eContentType", e) ||
		!der_optional(&encap.content, DER_CONTEXT_CONSTRUCTED(0), &explicit, &present, e) ||
		!der_expect_end(&encap.content, "encapContentInfo", e))
		return false;
	if (number < 1 || number > PKCS7_VERSION_MAX)
		return err_set(e, ERR_INPUT, "version %u", number);
	if (!der_oid_is(&type, oid_id_data))
		return err_set(e, ERR_INPUT, "eContentType is not id-data");
	if (!present)
		return true;
	return der_expect(&explicit.content, DER_OCTET_STRING, &content, "eContent", e) &&
	       der_expect_end(&content.content, "eContent (must be empty)", e) &&
	       der_expect_end(&explicit.content, "eContent", e);
}

static bool read_signed_data(struct der d, struct cert_list *out, struct err *e)
{
	struct der_tlv certs, crls, infos;
	bool present;

	if (!read_head(&d, e) ||
		!der_expect(&d, DER_CONTEXT_CONSTRUCTED(0), &certs, "certificates", e) ||
		!der_optional(&d, DER_CONTEXT_CONSTRUCTED(1), &crls, &present, e) ||
		!der_expect(&d, DER_SET, &infos, "signerInfos", e) ||
		!der_expect_end(&d, "SignedData", e))
		return false;
	if (!der_at_end(&infos.content))
		return err_set(e, ERR_INPUT, "it has a signer");
	return read_certs(certs.content, out, e);
}

static bool read_container(struct bytes der, struct cert_list *out, struct err *e)
{
	struct der signed_data;

	return content_info_read(der, PKCS7_CERTS_DEPTH_MAX, &signed_data, e) &&
	       read_signed_data(signed_data, out, e);
}

bool pkcs7_certs_parse(struct bytes der, struct cert_list *out, struct err *e)
{
	*out = (struct cert_list)CERT_LIST_INIT;
	if (der.len > PKCS7_CERTS_DER_MAX)
		return err_set(e, ERR_TOO_LARGE, "certs-only CMS: %zu octets, at most %d are read",
			der.len, PKCS7_CERTS_DER_MAX);
	if (read_container(der, out, e))
		return true;
	cert_list_clear(out);
	return err_prefix(e, "certs-only CMS");
}
