/* SPDX-License-Identifier: Apache-2.0 */
/* What pledges report: POST /.well-known/brski/voucher_status and /enrollstatus (RFC 8995 §5.7,
 * §5.9.4), in JSON or in CBOR. */
#ifndef REGISTRAR_TELEMETRY_H
#define REGISTRAR_TELEMETRY_H

#include "registrar/registrar.h"

void telemetry_voucher_status(struct call *c, void *registrar);
void telemetry_enroll_status(struct call *c, void *registrar);

#endif
