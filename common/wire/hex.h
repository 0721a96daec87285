/* SPDX-License-Identifier: Apache-2.0 */
/* Lower-case hexadecimal. */
#ifndef WIRE_HEX_H
#define WIRE_HEX_H

#include "common/base/buf.h"

/* out holds 2 * in.len + 1 characters and gets a NUL. */
void hex_encode(struct bytes in, char *out);
/* Upper or lower case; an even number of digits, an optional ':' between octets. Appends. */
bool hex_decode(const char *in, struct buf *out, struct err *e) MUST_CHECK;

#endif
