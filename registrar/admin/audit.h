/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as the administrator's audit log: lines and signed heads to be listed, exported and
 * verified elsewhere (registrarctl audit verify). */
#ifndef REGISTRAR_ADMIN_AUDIT_H
#define REGISTRAR_ADMIN_AUDIT_H

#include "common/net/call.h"

#define AUDIT_PATH "/api/v1/audit"

/* GET: lines in their order, each with its hash in hexadecimal. */
void audit_list(struct call *c, void *app);
/* GET: heads in their order: what was signed, the signature in base64, certificates in PEM. */
void audit_heads(struct call *c, void *app);
/* POST: sign what the journal has come to; the answer is durable. {"sequence": N, "hash": HEX} */
void audit_seal(struct call *c, void *app);
/* GET: {"pem": …}: the CA certificates of this site, which signers of heads are under. */
void audit_anchors(struct call *c, void *app);

#endif
