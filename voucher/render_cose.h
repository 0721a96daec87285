/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular to a voucher in COSE, as JSON. */
#ifndef VOUCHER_RENDER_COSE_H
#define VOUCHER_RENDER_COSE_H

#include "common/message/voucher.h"
#include "common/wire/json.h"

/* The leaves of the payload, their SIDs as names, octets in base64, the assertion by its name. A
 * SID nobody knows is "SID 2600", another key its JSON text. The caller's to json_decref; NULL with
 * *e set. */
json_t *render_cbor_fields(enum voucher_kind kind, struct bytes payload, struct err *e) MUST_CHECK;
/* tag, alg, kid where there is one, and how many certificates the protected header carries. */
json_t *render_cose(struct bytes octets, struct err *e) MUST_CHECK;

#endif
