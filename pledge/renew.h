/* SPDX-License-Identifier: Apache-2.0 */
/* A new certificate before the old one ends (RFC 7030 §4.2.2): on a connection authenticated by the
 * old one, with a new key; the old pair stays until the new one is stored. */
#ifndef PLEDGE_RENEW_H
#define PLEDGE_RENEW_H

#include "pledge/exchange.h"

extern const struct step renew_steps[];
extern const size_t renew_step_count;

/* To a registrar that is under the site's CAs, with the device's certificate. */
bool renew_connect(struct exchange *x, struct err *e) MUST_CHECK;
/* May it be renewed now? */
bool renew_is_due(const struct cert *ldevid, int64_t now_unix_s, int64_t renew_before_s);

#endif
