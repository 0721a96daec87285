/* SPDX-License-Identifier: Apache-2.0 */
/* What BRSKI reads out of an IDevID: the serial, the MASA's address, the idevid-issuer.
 * RFC 8995 §2.3, §2.3.1, §2.3.2; rfc8366bis §6.1; RFC 4108 §5 for the hardware module name. */
#include "common/pki/idevid.h"

#include <stdlib.h>
#include <string.h>

#include "common/pki/digest.h"
#include "common/pki/name.h"
#include "common/pki/ossl.h"
#include "common/wire/der.h"
#include "common/wire/hex.h"

#define SAN_OID		  "2.5.29.17"
#define MASA_PATH_DEFAULT "/.well-known/brski"
#define KEY_ID_LEN	  20 /* bare key identifiers are SHA-1 sized (T-08) */

/* ---- the serial-number ---- */

const char *const idevid_serial_source_names[] = {
	[IDEVID_SERIAL_SUBJECT] = "subject",
	[IDEVID_SERIAL_HARDWARE_NAME] = "hardware-name",
	[IDEVID_SERIAL_CN] = "cn",
	NULL,
};

static char *serial_from_cn(const struct cert *idevid, struct err *e)
{
	char text[CERT_SERIAL_NUMBER_MAX + 1];
	const X509 *x = cert_x509(idevid);
	const char *fault;

	if (!x) {
		err_set(e, ERR_NO_MEMORY, "no memory for a certificate");
		return NULL;
	}
	fault = name_attribute(X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	if (!fault)
		return str_dup(text, e);
	err_set(e, ossl_verdict(ERR_UNAUTHENTICATED), "IDevID: the subject's common name %s",
		fault);
	return NULL;
}

static char *serial_from_subject(const struct cert *idevid, struct err *e)
{
	if (cert_serial_number(idevid))
		return str_dup(cert_serial_number(idevid), e);
	err_set(e, ERR_UNAUTHENTICATED, "IDevID: the subject's serialNumber %s",
		cert_serial_number_fault(idevid));
	return NULL;
}

/* OtherName: type-id, [0] EXPLICIT HardwareModuleName { hwType OID, hwSerialNum OCTET STRING }.
 * *serial stays untouched when it is another kind of name. */
static bool read_other_name(struct der other, struct bytes *serial, struct err *e)
{
	static const uint8_t hardware_module_name[] = {
		0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04};
	struct der_tlv oid, value, seq, type, number;

	if (!der_expect(&other, DER_OID, &oid, "otherName", e))
		return false;
	if (!der_oid_is(&oid, bytes_of(hardware_module_name, sizeof(hardware_module_name))))
		return true;
	if (!der_expect(&other, DER_CONTEXT_CONSTRUCTED(0), &value, "otherName", e) ||
		!der_expect(&value.content, DER_SEQUENCE, &seq, "hardwareModuleName", e) ||
		!der_expect(&seq.content, DER_OID, &type, "hwType", e) ||
		!der_expect(&seq.content, DER_OCTET_STRING, &number, "hwSerialNum", e) ||
		!der_expect_end(&seq.content, "hardwareModuleName", e))
		return false;
	if (serial->len)
		return err_set(e, ERR_INPUT, "several hardware module names");
	*serial = bytes_of(number.content.p, number.content.len);
	return true;
}

static bool find_hardware_serial(struct bytes san, struct bytes *serial, struct err *e)
{
	struct der d = der_of(san);
	struct der_tlv names, name;

	*serial = bytes_of(NULL, 0);
	if (!der_expect(&d, DER_SEQUENCE, &names, "subjectAltName", e))
		return false;
	while (!der_at_end(&names.content)) {
		if (!der_next(&names.content, &name, e))
			return false;
		if (name.tag == DER_CONTEXT_CONSTRUCTED(0) &&
			!read_other_name(name.content, serial, e))
			return false;
	}
	return serial->len || err_set(e, ERR_INPUT, "no hardware module name");
}

static bool is_printable(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] > 0x7e)
			return false;
	return true;
}

static char *serial_from_hardware_name(const struct cert *idevid, struct err *e)
{
	struct bytes san = cert_extension(idevid, SAN_OID, NULL), serial = {0};
	char hex[CERT_SERIAL_NUMBER_MAX + 1];

	if (!san.len)
		err_set(e, ERR_INPUT, "no subjectAltName");
	if (!san.len || !find_hardware_serial(san, &serial, e)) {
		e->kind = ERR_UNAUTHENTICATED;
		err_prefix(e, "IDevID: hardware serial");
		return NULL;
	}
	if (serial.len > CERT_SERIAL_NUMBER_MAX / 2) {
		err_set(e, ERR_UNAUTHENTICATED, "IDevID: hardware serial of %zu octets",
			serial.len);
		return NULL;
	}
	if (is_printable(serial))
		return str_dup_n(serial.data, serial.len, e);
	hex_encode(serial, hex);
	return str_dup(hex, e);
}

char *idevid_serial_number(const struct cert *idevid, enum idevid_serial_source from, struct err *e)
{
	switch (from) {
	case IDEVID_SERIAL_SUBJECT:
		return serial_from_subject(idevid, e);
	case IDEVID_SERIAL_HARDWARE_NAME:
		return serial_from_hardware_name(idevid, e);
	case IDEVID_SERIAL_CN:
		return serial_from_cn(idevid, e);
	}
	err_set(e, ERR_BUG, "no such source of a serial number");
	return NULL;
}

bool idevid_is_sibling(const struct cert *idevid, const struct cert *other)
{
	return cert_extension(other, MASA_URL_OID, NULL).len > 0 ||
	       (cert_serial_number(other) &&
		       bytes_equal(cert_issuer_der(other), cert_issuer_der(idevid)));
}

/* ---- the MASA's address ---- */

/* "…/x/" is "…/x"; nothing left is the well-known path (RFC 8995 §2.3.2). */
static bool settle_path(struct uri *u, struct err *e)
{
	size_t len = strlen(u->path);

	if (strchr(u->path, '?'))
		return err_set(e, ERR_INPUT, "a query has no place in it");
	while (len > 0 && u->path[len - 1] == '/')
		u->path[--len] = '\0';
	if (len == 0)
		memcpy(u->path, MASA_PATH_DEFAULT, sizeof(MASA_PATH_DEFAULT));
	return true;
}

static bool parse_masa_text(const char *text, struct uri *out, struct err *e)
{
	FREE_AUTO char *with_scheme = NULL;

	if (!strchr(text, '/'))
		return uri_parse_authority(text, out, e) && settle_path(out, e);
	if (strstr(text, "://"))
		return uri_parse(text, out, e) && settle_path(out, e);
	with_scheme = str_printf(e, "https://%s", text);
	return with_scheme && uri_parse(with_scheme, out, e) && settle_path(out, e);
}

bool idevid_masa_uri_parse(const char *text, struct uri *out, struct err *e)
{
	return parse_masa_text(text, out, e) || err_prefix(e, "MASA URL");
}

bool idevid_masa_uri(const struct cert *idevid, struct uri *out, struct err *e)
{
	bool critical;
	struct bytes value = cert_extension(idevid, MASA_URL_OID, &critical);
	struct der d = der_of(value);
	struct der_tlv text;
	FREE_AUTO char *copy = NULL;

	if (!value.len)
		return err_set(e, ERR_NOT_FOUND, "IDevID: no MASA URL");
	if (critical)
		return err_set(e, ERR_INPUT, "IDevID: the MASA URL is critical");
	if (!der_expect(&d, DER_IA5_STRING, &text, "IDevID: MASA URL", e) ||
		!der_expect_end(&d, "IDevID: MASA URL", e))
		return false;
	if (!is_printable(bytes_of(text.content.p, text.content.len)))
		return err_set(e, ERR_INPUT, "IDevID: the MASA URL holds a control character");
	copy = str_dup_n(text.content.p, text.content.len, e);
	return copy && (idevid_masa_uri_parse(copy, out, e) || err_prefix(e, "IDevID"));
}

/* ---- idevid-issuer ---- */

static bool key_bits_sha1(const struct cert *c, uint8_t out[SHA1_LEN], struct err *e)
{
	return digest_sha1(cert_key_bits(c), out, e);
}

bool idevid_issuer(const struct cert *idevid, struct buf *out, struct err *e)
{
	static const uint8_t head[] = {0x04, 0x18, 0x30, 0x16, 0x80, 0x14};
	struct bytes aki = cert_aki_tlv(idevid);
	uint8_t key_id[SHA1_LEN];

	if (aki.len)
		return buf_append(out, aki.data, aki.len, e);
	return key_bits_sha1(idevid, key_id, e) && buf_append(out, head, sizeof(head), e) &&
	       buf_append(out, key_id, sizeof(key_id), e);
}

bool idevid_issuer_of_ca(const struct cert *ca, struct buf *out, struct err *e)
{
	const struct bytes id = cert_ski(ca);
	const uint8_t head[] = {
		0x04, (uint8_t)(id.len + 4), 0x30, (uint8_t)(id.len + 2), 0x80, (uint8_t)id.len};

	if (id.len == 0 || id.len > IDEVID_ISSUER_MAX - sizeof(head))
		return err_set(e, ERR_INPUT, "no subjectKeyIdentifier");
	return buf_append(out, head, sizeof(head), e) && buf_append(out, id.data, id.len, e);
}

/* keyIdentifier [0] of an AuthorityKeyIdentifier, which is all there is. */
static bool read_aki(struct der d, struct bytes *key_id, struct err *e)
{
	struct der_tlv seq, id;

	if (!der_expect(&d, DER_SEQUENCE, &seq, "AKI", e) || !der_expect_end(&d, "AKI", e) ||
		!der_expect(&seq.content, DER_CONTEXT(0), &id, "AKI", e))
		return false;
	*key_id = bytes_of(id.content.p, id.content.len);
	return true;
}

struct bytes idevid_issuer_key_id(struct bytes idevid_issuer)
{
	struct err ignored = ERR_INIT;
	struct der d = der_of(idevid_issuer);
	struct bytes key_id = bytes_of(NULL, 0);
	struct der_tlv octets;

	if (read_aki(d, &key_id, &ignored))
		return key_id;
	if (der_expect(&d, DER_OCTET_STRING, &octets, "AKI", &ignored) && der_at_end(&d) &&
		read_aki(octets.content, &key_id, &ignored))
		return key_id;
	return idevid_issuer.len == KEY_ID_LEN ? idevid_issuer : bytes_of(NULL, 0);
}

bool idevid_issuer_matches(const struct cert *idevid, struct bytes idevid_issuer)
{
	struct err ignored = ERR_INIT;
	struct bytes key_id = idevid_issuer_key_id(idevid_issuer);
	uint8_t own[SHA1_LEN];

	if (cert_aki(idevid).len)
		return bytes_equal(key_id, cert_aki(idevid));
	if (cert_aki_tlv(idevid).len)
		return bytes_equal(idevid_issuer, cert_aki_tlv(idevid));
	return key_bits_sha1(idevid, own, &ignored) &&
	       bytes_equal(key_id, bytes_of(own, sizeof(own)));
}
