/* SPDX-License-Identifier: Apache-2.0 */
/* Voucher and voucher-request as YANG-CBOR (RFC 9254; rfc8366bis §5.4, §6.4, §9): the content of a
 * COSE_Sign1, as voucher_parse_json() is of a CMS. A nonce is kept as the base64 of its octets. */
#ifndef MESSAGE_VOUCHER_CBOR_H
#define MESSAGE_VOUCHER_CBOR_H

#include "common/message/voucher.h"

#define VOUCHER_CBOR_MAX VOUCHER_JSON_MAX

/* A map of one entry, named by SID or by name, whose value is a map of leaves: keys are SID deltas,
 * absolute SIDs behind tag 47, names, or all of these in one map. Unknown keys are ignored; a known
 * leaf with a bad value is ERR_INPUT naming it, as is one that stands twice under two keys. Types
 * are those of RFC 9254: an assertion is a number, a nonce 8 to 32 octets. Only serial-number is
 * demanded.
 */
bool voucher_parse_cbor(struct bytes cbor, struct voucher *out, struct err *e) MUST_CHECK;
/* Deterministic: SID deltas, ascending. Leaves that do not belong to the kind are a bug. Appends.
 */
bool voucher_format_cbor(const struct voucher *v, struct buf *out, struct err *e) MUST_CHECK;

/* The name of any leaf of the two modules, also of those this project does not keep; NULL. */
const char *voucher_sid_name(enum voucher_kind kind, uint64_t sid);

#endif
