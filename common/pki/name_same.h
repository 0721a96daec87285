/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two distinguished names say the same. */
#ifndef PKI_NAME_SAME_H
#define PKI_NAME_SAME_H

#include "common/base/buf.h"

/* Two DER Names. A PrintableString equals a UTF8String with the same octets; in all else they are
 * the same octet for octet (RFC 5280 §7.1 would fold case, which could give one device the name of
 * another). */
bool name_same(struct bytes a, struct bytes b);

#endif
