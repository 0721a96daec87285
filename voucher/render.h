/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and moments as JSON, for people who look at a voucher. */
#ifndef VOUCHER_RENDER_H
#define VOUCHER_RENDER_H

#include "common/pki/cert.h"
#include "common/wire/json.h"

/* Set object's member, taking value over; false with ERR_NO_MEMORY when either is NULL. */
bool render_put(json_t *object, const char *name, json_t *value, struct err *e) MUST_CHECK;
/* subject, issuer, serial, notBefore, notAfter, sha256, ski, aki, extendedKeyUsage, ca,
 * serialNumber and masa-url where present. The caller's to json_decref; NULL with *e set. */
json_t *render_cert(const struct cert *c, struct err *e) MUST_CHECK;
json_t *render_certs(const struct cert_list *list, struct err *e) MUST_CHECK;
/* RFC 3339, or null when the moment has no such form. */
json_t *render_time(int64_t unix_s) MUST_CHECK;

#endif
