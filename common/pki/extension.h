/* SPDX-License-Identifier: Apache-2.0 */
/* One element of Extensions, as it stands in revocation lists and in questions about certificates
 * (RFC 5280 §4.1). */
#ifndef PKI_EXTENSION_H
#define PKI_EXTENSION_H

#include "common/wire/der.h"

struct extension {
	struct der_tlv oid, value; /* value: the OCTET STRING around what it says */
	bool critical;
};

/* Take the next one. ERR_INPUT. */
bool extension_next(struct der *d, struct extension *out, struct err *e) MUST_CHECK;

#endif
