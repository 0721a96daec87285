/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices have a voucher-request on its way right now: one at a time each, whatever loop it
 * arrived on, so that two identical requests make one registrar request and one audit entry
 * (R8995-REG-016). Bounded; safe from any thread. */
#ifndef REGISTRAR_OUTSTANDING_H
#define REGISTRAR_OUTSTANDING_H

#include "common/base/err.h"
#include "common/pki/digest.h"

struct outstanding;

enum outstanding_answer { OUTSTANDING_TAKEN, OUTSTANDING_BUSY, OUTSTANDING_FULL };

struct outstanding *outstanding_new(size_t max, struct err *e) MUST_CHECK;
void outstanding_free(struct outstanding *o);
/* TAKEN: the caller holds the device until outstanding_release(). */
enum outstanding_answer outstanding_take(
	struct outstanding *o, const uint8_t idevid_sha256[SHA256_LEN]);
void outstanding_release(struct outstanding *o, const uint8_t idevid_sha256[SHA256_LEN]);
size_t outstanding_count(struct outstanding *o);

#endif
