/* SPDX-License-Identifier: Apache-2.0 */
/* What devices tell a cloud registrar afterwards: whether the voucher was good, and the EST server
 * the one that it pins (draft-ietf-anima-brski-cloud §4.2). */
#ifndef REGISTRAR_CLOUD_REPORT_H
#define REGISTRAR_CLOUD_REPORT_H

#include "common/net/call.h"

/* 200 when it is written down; 404 from a device that was never sent anywhere. */
void report_voucher_status(struct call *c, void *registrar);

#endif
