/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to look at beside claims and devices; reading only. Each shows what who asks may
 * see, and a sum only to who sees all that is in it. */
#ifndef REGISTRAR_ADMIN_REPORTS_H
#define REGISTRAR_ADMIN_REPORTS_H

#include "common/net/call.h"

#define MANUFACTURERS_PATH "/api/v1/manufacturers"
#define CERTIFICATES_PATH  "/api/v1/certificates"
#define VOUCHERS_PATH	   "/api/v1/vouchers"
#define STATISTICS_PATH	   "/api/v1/statistics"

/* Those of the configuration, with their anchors; and who else has asked. */
void manufacturers_list(struct call *c, void *registrar);
/* In the order of their end; ?expiring=30d: those in service that end so soon. */
void certificates_list(struct call *c, void *registrar);
/* Devices that have a voucher. */
void vouchers_list(struct call *c, void *registrar);
/* Joins by the hour, failures of a day by their reason, ends of certificates by the day. */
void statistics_show(struct call *c, void *registrar);

#endif
