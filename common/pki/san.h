/* SPDX-License-Identifier: Apache-2.0 */
/* subjectAltName values from text (RFC 5280 §4.2.1.6). */
#ifndef PKI_SAN_H
#define PKI_SAN_H

#include "common/base/buf.h"

#define SAN_DER_MAX   4096
#define SAN_NAMES_MAX 32

/* "DNS:name,IP:192.0.2.1,IP:2001:db8::1" → the DER GeneralNames, appended. Only these two kinds;
 * a DNS name may begin with "*.". ERR_INPUT naming the entry that is none of them. */
bool san_format(const char *text, struct buf *out, struct err *e) MUST_CHECK;

#endif
