/* SPDX-License-Identifier: Apache-2.0 */
/* Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue }: see extension.h. */
#include "common/pki/extension.h"

bool extension_next(struct der *d, struct extension *out, struct err *e)
{
	struct der_tlv all, critical;
	bool present;

	if (!der_expect(d, DER_SEQUENCE, &all, "extension", e) ||
		!der_expect(&all.content, DER_OID, &out->oid, "extnID", e) ||
		!der_optional(&all.content, DER_BOOLEAN, &critical, &present, e) ||
		!der_expect(&all.content, DER_OCTET_STRING, &out->value, "extnValue", e))
		return false;
	if (present && critical.content.len != 1)
		return err_set(e, ERR_INPUT, "critical: %zu octets", critical.content.len);
	out->critical = present && *critical.content.p != 0;
	return der_expect_end(&all.content, "extension", e);
}
