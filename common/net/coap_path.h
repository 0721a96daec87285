/* SPDX-License-Identifier: Apache-2.0 */
/* The short names that EST and BRSKI have on constrained links (RFC 9148 §4.1,
 * draft-ietf-anima-constrained-voucher §6.5). */
#ifndef NET_COAP_PATH_H
#define NET_COAP_PATH_H

#include "common/wire/coap_message.h"

/* "/.well-known/est/LABEL/simpleenroll?a=b" as Uri-Path and Uri-Query options, the last segment
 * under its short name when it has one. The options borrow from path. ERR_INPUT: not absolute,
 * percent-encoded, an empty segment, one too long; ERR_TOO_LARGE. */
bool coap_path_add(const char *path, struct coap_message *m, struct err *e) MUST_CHECK;

#endif
