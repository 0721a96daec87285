/* SPDX-License-Identifier: Apache-2.0 */
/* A device may choose its name, but not another device's: each serialNumber attribute in the CSR's
 * subject is compared, not only the first (RFC 8995 §5.9). */
#include "registrar/subject.h"

#include <string.h>

#include "common/wire/der.h"

static const uint8_t serial_number_oid[] = {0x55, 0x04, 0x05};

static bool is_text(uint8_t tag)
{
	return tag == DER_UTF8_STRING || tag == DER_PRINTABLE_STRING || tag == DER_IA5_STRING;
}

static bool check_attribute(struct der attribute, const char *serial, bool *found, struct err *e)
{
	struct der_tlv type, value;

	if (!der_expect(&attribute, DER_OID, &type, "attribute type", e) ||
		!der_next(&attribute, &value, e) || !der_expect_end(&attribute, "attribute", e))
		return false;
	if (!der_oid_is(&type, bytes_of(serial_number_oid, sizeof(serial_number_oid))))
		return true;
	*found = true;
	if (is_text(value.tag) &&
		bytes_equal(bytes_of(value.content.p, value.content.len), bytes_of_str(serial)))
		return true;
	err_set(e, ERR_REFUSED, "the CSR asks for another serialNumber than \"%s\"", serial);
	return err_tell(e, "The subject's serialNumber is not that of the device.");
}

static bool check_rdn(struct der rdn, const char *serial, bool *found, struct err *e)
{
	struct der_tlv attribute;

	while (!der_at_end(&rdn))
		if (!der_expect(&rdn, DER_SEQUENCE, &attribute, "attribute", e) ||
			!check_attribute(attribute.content, serial, found, e))
			return false;
	return true;
}

/* PrintableString as RFC 5280 wants it; UTF8String when the serial does not fit into one. */
static uint8_t tag_for(const char *serial)
{
	static const char printable[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789 '()+,-./:=?";

	return serial[strspn(serial, printable)] == '\0' ? DER_PRINTABLE_STRING : DER_UTF8_STRING;
}

static bool append_rdn(struct buf *names, const char *serial, struct err *e)
{
	BUF_AUTO struct buf attribute = BUF_INIT(SUBJECT_DER_MAX);
	BUF_AUTO struct buf sequence = BUF_INIT(SUBJECT_DER_MAX);

	return der_put(&attribute, DER_OID, bytes_of(serial_number_oid, sizeof(serial_number_oid)),
		       e) &&
	       der_put(&attribute, tag_for(serial), bytes_of_str(serial), e) &&
	       der_put(&sequence, DER_SEQUENCE, buf_bytes(&attribute), e) &&
	       der_put(names, DER_SET, buf_bytes(&sequence), e);
}

bool subject_for_device(
	struct bytes csr_subject, const char *serial, struct buf *out, struct err *e)
{
	BUF_AUTO struct buf names = BUF_INIT(SUBJECT_DER_MAX);
	struct der d = der_of(csr_subject), rdns;
	struct der_tlv name, rdn;
	bool found = false;

	if (!der_expect(&d, DER_SEQUENCE, &name, "subject", e) || !der_expect_end(&d, "subject", e))
		return false;
	rdns = name.content;
	while (!der_at_end(&rdns))
		if (!der_expect(&rdns, DER_SET, &rdn, "subject", e) ||
			!check_rdn(rdn.content, serial, &found, e))
			return false;
	if (found)
		return buf_append(out, csr_subject.data, csr_subject.len, e);
	return buf_append(&names, name.content.p, name.content.len, e) &&
	       append_rdn(&names, serial, e) && der_put(out, DER_SEQUENCE, buf_bytes(&names), e);
}
