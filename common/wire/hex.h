/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal: written in lower case, digits read in either. */
#ifndef WIRE_HEX_H
#define WIRE_HEX_H

#include "common/base/buf.h"

/* out holds 2 * in.len + 1 characters and gets a NUL. */
void hex_encode(struct bytes in, char *out);
/* The value of a digit in either case; -1 when it is none. */
int hex_digit(char c);

#endif
