/* SPDX-License-Identifier: Apache-2.0 */
/* The outermost element of every CMS: ContentInfo ::= SEQUENCE { id-signedData, [0] EXPLICIT
 * SignedData } (RFC 5652 §3). What the SignedData holds is the business of cms.c, cms_seal.c and
 * pkcs7_certs.c. */
#ifndef PKI_CONTENT_INFO_H
#define PKI_CONTENT_INFO_H

#include "common/base/buf.h"
#include "common/wire/der.h"

/* Scan all of der, down to depth_max, before anything is read, and give the content of the
 * SignedData; it points into der. ERR_INPUT: anything else, or octets after the end. */
bool content_info_read(
	struct bytes der, unsigned depth_max, struct der *signed_data, struct err *e) MUST_CHECK;
/* Append the container of a whole SignedData. ERR_TOO_LARGE: beyond CMS_DER_MAX. */
bool content_info_put(struct bytes signed_data, struct buf *out, struct err *e) MUST_CHECK;

#endif
