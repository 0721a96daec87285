/* SPDX-License-Identifier: Apache-2.0 */
/* Over CoAPS the CA certificates are only fetched when a certificate needs them, so somebody has to
 * look whether they have changed (row C-37; draft-ietf-anima-constrained-voucher §6.7.2, §6.7.4).
 */
#ifndef PLEDGE_REFRESH_H
#define PLEDGE_REFRESH_H

#include "pledge/exchange.h"

extern const struct step refresh_steps[];
extern const size_t refresh_step_count;

/* Is it time to ask? Each month at most: with a clock only when half of the life of one of them is
 * over, or none was asked for since the device's certificate was issued. now_unix_s is what the
 * clock says, right or not: it counts the month. */
bool refresh_is_due(const struct enrolment *n, int64_t now_unix_s, bool trusted_clock);

#endif
