/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names (RFC 5280 §4.1.2.4, appendix A.1; X.520 for the attribute types). */
#include "common/pki/name.h"

#include <string.h>

#include "common/pki/ossl.h"

static void copy_text(char *out, size_t room, struct bytes text)
{
	struct bytes cut = bytes_cut_text(text, room);

	memcpy(out, cut.data, cut.len);
	out[cut.len] = '\0';
}

static bool has_control_character(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] == 0x7f)
			return true;
	return false;
}

static const char *text_fault(struct bytes text, size_t room)
{
	if (text.len == 0)
		return "is empty";
	if (text.len >= room)
		return "is too long";
	return has_control_character(text) ? "holds a control character" : NULL;
}

const char *name_attribute(const X509_NAME *name, int nid, char *out, size_t room)
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	const ASN1_STRING *s;
	const char *fault;
	unsigned char *utf8;
	int len;

	out[0] = '\0';
	if (at < 0)
		return "is not there";
	if (X509_NAME_get_index_by_NID(name, nid, at) >= 0)
		return "stands there more than once";
	s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	if (ASN1_STRING_type(s) != V_ASN1_PRINTABLESTRING &&
		ASN1_STRING_type(s) != V_ASN1_UTF8STRING && ASN1_STRING_type(s) != V_ASN1_IA5STRING)
		return "is of a string type that is not supported";
	len = ASN1_STRING_to_UTF8(&utf8, s);
	if (len < 0) {
		ossl_forget();
		return "is not valid text";
	}
	fault = text_fault(bytes_of(utf8, (size_t)len), room);
	if (!fault)
		copy_text(out, room - 1, bytes_of(utf8, (size_t)len));
	OPENSSL_free(utf8);
	return fault;
}

bool name_text(const X509_NAME *name, char out[NAME_TEXT_MAX + 1], struct err *e)
{
	OSSL_AUTO(BIO) BIO *bio = BIO_new(BIO_s_mem());
	const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	char *text;
	long len;

	out[0] = '\0';
	if (!bio)
		return ossl_fail(e, ERR_NO_MEMORY, "name");
	if (X509_NAME_print_ex(bio, name, 0, flags) < 0)
		return ossl_fail(e, ERR_INPUT, "name cannot be read");
	len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		copy_text(out, NAME_TEXT_MAX, bytes_of(text, (size_t)len));
	return true;
}

/* X520SerialNumber is a PrintableString, whatever else might fit the field. */
static bool is_printable_string(const char *s)
{
	for (; *s; s++)
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    " '()+,-./:=?",
			    *s))
			return false;
	return true;
}

static bool add(X509_NAME *name, int nid, const char *what, const char *value, struct err *e)
{
	if (!value)
		return true;
	if (!*value || has_control_character(bytes_of_str(value)))
		return err_set(e, ERR_INPUT, "%s is empty or holds a control character", what);
	if (nid == NID_serialNumber && !is_printable_string(value))
		return err_set(e, ERR_INPUT,
			"%s holds a character that is none of A-Z a-z 0-9 space '()+,-./:=? "
			"(PrintableString, RFC 5280 A.1)",
			what);
	if (X509_NAME_add_entry_by_NID(
		    name, nid, MBSTRING_UTF8, (const uint8_t *)value, -1, -1, 0) != 1)
		return ossl_fail(e, ERR_INPUT, "%s cannot be put into a name", what);
	return true;
}

bool name_format(const char *organization, const char *unit, const char *common_name,
	const char *serial_number, struct buf *out, struct err *e)
{
	OSSL_AUTO(X509_NAME) X509_NAME *name = X509_NAME_new();
	uint8_t *der = NULL;
	bool ok;
	int len;

	if (!name)
		return ossl_fail(e, ERR_NO_MEMORY, "name");
	if (!add(name, NID_organizationName, "organization", organization, e) ||
		!add(name, NID_organizationalUnitName, "organizational unit", unit, e) ||
		!add(name, NID_commonName, "common name", common_name, e) ||
		!add(name, NID_serialNumber, "serial number", serial_number, e))
		return false;
	len = i2d_X509_NAME(name, &der);
	if (len <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "name");
	ok = buf_append(out, der, (size_t)len, e);
	OPENSSL_free(der);
	return ok;
}
