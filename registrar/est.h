/* SPDX-License-Identifier: Apache-2.0 */
/* EST without a CSR: what anybody may read before enrolling (RFC 7030 §4.1, §4.5). */
#ifndef REGISTRAR_EST_H
#define REGISTRAR_EST_H

#include "registrar/registrar.h"
#include "registrar/setup.h"

void est_cacerts(struct call *c, void *registrar);
void est_csrattrs(struct call *c, void *registrar);

/* The Content-Format a constrained client names with Accept, else `otherwise`. */
uint32_t est_format(const struct call *c, uint32_t otherwise);

/* Say that the answer's body is base64, where the site has clients that insist on being told
 * (ECA-05: RFC 8951 has taken the header out). */
void est_name_encoding(struct call *c, const struct registrar_setup *s);

/* ERR_REFUSED when the device's history speaks against it or an administrator rejected or revoked
 * it: no EST action for it (R8995-REG-057). */
struct device_record;
bool est_device_allowed(
	const struct device_record *d, const char *serial, struct err *e) MUST_CHECK;

#endif
