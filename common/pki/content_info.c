/* SPDX-License-Identifier: Apache-2.0 */
/* ContentInfo, read and written: see content_info.h. */
#include "common/pki/content_info.h"

#include "common/pki/cms.h"
#include "common/pki/oid.h"

static const struct bytes oid_signed_data = OID_SIGNED_DATA;

bool content_info_read(struct bytes der, unsigned depth_max, struct der *signed_data, struct err *e)
{
	struct der d = der_of(der);
	struct der_tlv info, type, explicit, tlv;

	if (!der_scan(der, depth_max, e) ||
		!der_expect(&d, DER_SEQUENCE, &info, "ContentInfo", e) ||
		!der_expect(&info.content, DER_OID, &type, "contentType", e))
		return false;
	if (!der_oid_is(&type, oid_signed_data))
		return err_set(e, ERR_INPUT, "contentType is not id-signedData");
	if (!der_expect(&info.content, DER_CONTEXT_CONSTRUCTED(0), &explicit, "content", e) ||
		!der_expect_end(&info.content, "ContentInfo", e) ||
		!der_expect(&explicit.content, DER_SEQUENCE, &tlv, "SignedData", e) ||
		!der_expect_end(&explicit.content, "content", e))
		return false;
	*signed_data = tlv.content;
	return true;
}

bool content_info_put(struct bytes signed_data, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf content = BUF_INIT(CMS_DER_MAX);

	return der_put(&content, DER_OID, oid_signed_data, e) &&
	       der_put(&content, DER_CONTEXT_CONSTRUCTED(0), signed_data, e) &&
	       der_put(out, DER_SEQUENCE, buf_bytes(&content), e);
}
