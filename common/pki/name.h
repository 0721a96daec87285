/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names: reading one attribute as text, and writing the simple names we issue. */
#ifndef PKI_NAME_H
#define PKI_NAME_H

#include <openssl/x509.h>

#include "common/base/buf.h"

#define NAME_DER_MAX  4096
#define NAME_TEXT_MAX 255 /* longest text of a whole name that is kept */

/* The one attribute of this type as UTF-8 with a NUL, into out[room]. PrintableString, UTF8String
 * and IA5String are read (T-09: vendors use all three); NUL and control characters are refused.
 * Returns NULL, or in a fixed phrase why there is no such text: "is not there", "stands there
 * more than once" …; then out is "". */
const char *name_attribute(const X509_NAME *name, int nid, char *out, size_t room);

/* The name in one line for people and logs, RFC 2253 order, cut at NAME_TEXT_MAX. */
bool name_text(const X509_NAME *name, char out[NAME_TEXT_MAX + 1], struct err *e) MUST_CHECK;

/* Append the DER Name with organization, its unit, common name and serialNumber, each left out when
 * NULL.
 * ERR_INPUT: empty, longer than 64 characters, not UTF-8, a control character, or a serialNumber
 * that is no PrintableString (RFC 5280 A.1). */
bool name_format(const char *organization, const char *unit, const char *common_name,
	const char *serial_number, struct buf *out, struct err *e) MUST_CHECK;

#endif
