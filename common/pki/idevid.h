/* SPDX-License-Identifier: Apache-2.0 */
/* What BRSKI reads out of an IDevID (IEEE 802.1AR; RFC 8995 §2.3; rfc8366bis §6). */
#ifndef PKI_IDEVID_H
#define PKI_IDEVID_H

#include "common/pki/cert.h"
#include "common/wire/uri.h"

#define MASA_URL_OID "1.3.6.1.5.5.7.1.32"

enum idevid_serial_source {	     /* where a manufacturer keeps the serial (R8995-REG-008) */
	IDEVID_SERIAL_SUBJECT,	     /* subject serialNumber 2.5.4.5: the standard */
	IDEVID_SERIAL_HARDWARE_NAME, /* SAN otherName hardwareModuleName (RFC 4108): hwSerialNum as
				      * text when it is printable ASCII, else in lower-case hex */
	IDEVID_SERIAL_CN,	     /* subject common name */
};
/* "subject", "hardware-name", "cn", as configurations say: by source, then NULL. */
extern const char *const idevid_serial_source_names[];

/* The device's serial-number as a malloc'd UTF-8 string, or NULL with ERR_UNAUTHENTICATED. */
char *idevid_serial_number(
	const struct cert *idevid, enum idevid_serial_source from, struct err *e) MUST_CHECK;

/* Is other a device like this one: it names a MASA itself, or has a serialNumber and the same
 * issuer. Devices and MASA may have one root, and a device is easier to break into than a MASA. */
bool idevid_is_sibling(const struct cert *idevid, const struct cert *other);

/* The MASA's base URI (RFC 8995 §2.3.2): authority alone →
 * https://TEXT/.well-known/brski; with '/' → the URI itself, trailing '/' stripped, empty path →
 * the default path. IA5String required, any DER length form; critical or malformed → ERR_INPUT;
 * absent → ERR_NOT_FOUND. */
bool idevid_masa_uri(const struct cert *idevid, struct uri *out, struct err *e) MUST_CHECK;
/* The same rules for text from a configuration. */
bool idevid_masa_uri_parse(const char *text, struct uri *out, struct err *e) MUST_CHECK;

/* idevid-issuer for a voucher-request: the AKI's extnValue TLV, or, without an AKI, 04 18 30 16 80
 * 14 + SHA-1 of the public key bits (rfc8366bis §6.1). Appended to out. */
bool idevid_issuer(const struct cert *idevid, struct buf *out, struct err *e) MUST_CHECK;
/* The same for devices below this CA certificate, by its subjectKeyIdentifier, without a device at
 * hand. ERR_INPUT: it has none that would fit. */
#define IDEVID_ISSUER_MAX 128
bool idevid_issuer_of_ca(const struct cert *ca, struct buf *out, struct err *e) MUST_CHECK;
/* The key identifier inside an idevid-issuer in any of its known shapes (TLV, SEQUENCE, bare
 * 20 octets: T-08); len 0 when it is none of them. */
struct bytes idevid_issuer_key_id(struct bytes idevid_issuer);
/* Does an idevid-issuer name this certificate's issuer (or, AKI absent, its own key)? */
bool idevid_issuer_matches(const struct cert *idevid, struct bytes idevid_issuer);

#endif
