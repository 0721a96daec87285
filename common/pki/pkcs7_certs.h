/* SPDX-License-Identifier: Apache-2.0 */
/* Certs-only CMS as EST hands certificates out (RFC 7030 §4.1.3, RFC 5272 §4.1). */
#ifndef PKI_PKCS7_CERTS_H
#define PKI_PKCS7_CERTS_H

#include "common/pki/cert.h"

#define PKCS7_CERTS_MAX	    16
#define PKCS7_CERTS_DER_MAX 65536

/* Append the DER SignedData: version 1, no digests, empty id-data, no signers. */
bool pkcs7_certs_format(const struct cert_list *certs, struct buf *out, struct err *e) MUST_CHECK;
/* ERR_INPUT: not such a thing, has signers or content, or holds no certificate (ECA-11). */
bool pkcs7_certs_parse(struct bytes der, struct cert_list *out, struct err *e) MUST_CHECK;

#endif
