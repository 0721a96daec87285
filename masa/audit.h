/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA's own audit log as something that can be checked without trusting who tells it: lines
 * with their hashes, and heads that the voucher signer signed (run/seal.h). */
#ifndef MASA_AUDIT_H
#define MASA_AUDIT_H

#include "masa/masa.h"

/* GET: lists, continued with ?after=. */
void audit_lines(struct call *c, void *masa);
void audit_heads(struct call *c, void *masa);
/* POST: sign now; {"sequence", "hash"}. */
void audit_seal(struct call *c, void *masa);
/* GET: {"pem"}: what the signer's certificate leads to. */
void audit_anchors(struct call *c, void *masa);

/* With the store open. l: the loop that serves administrators. */
bool audit_start(struct masa *m, struct loop *l, struct err *e) MUST_CHECK;

#endif
