/* SPDX-License-Identifier: Apache-2.0 */
/* EST with a CSR: /simpleenroll, /simplereenroll, /serverkeygen (RFC 7030 §4.2, §4.4), and the same
 * over CoAP: /sen, /sren, /skg, /skc (RFC 9148 §4.1). */
#ifndef REGISTRAR_ENROLL_H
#define REGISTRAR_ENROLL_H

#include "registrar/registrar.h"

void enroll_simple(struct call *c, void *registrar);
void enroll_renew(struct call *c, void *registrar);
void enroll_keygen(struct call *c, void *registrar);
/* /skc: the certificate beside the key is a plain one. */
void enroll_keygen_pkix(struct call *c, void *registrar);

#endif
