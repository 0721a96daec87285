/* SPDX-License-Identifier: Apache-2.0 */
/* What a request tells about its device besides who it is: people decide by it, nothing else does.
 */
#ifndef REGISTRAR_DESCRIBE_H
#define REGISTRAR_DESCRIBE_H

#include "common/net/call.h"

#define MODEL_MAX 64 /* octets of UTF-8: RFC 5280 A.1 has as many characters for OU and title */

/* The model an IDevID names: its subject's only organizationalUnit, else its only title, as
 * factories write it; "" when there is none that fits and is text. */
void describe_model(struct bytes subject_der, char out[MODEL_MAX + 1]);
/* The host of a peer's "192.0.2.1:40000" or "[2001:db8::1]:40000". */
void describe_host(const char *peer, char out[CALL_PEER_MAX]);

#endif
