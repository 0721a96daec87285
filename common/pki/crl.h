/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate revocation lists an administrator provides as a PEM file (RFC 5280 §5). Nothing is
 * fetched: whoever runs the service keeps the file fresh and reloads it. */
#ifndef PKI_CRL_H
#define PKI_CRL_H

#include "common/pki/cert.h"

#define CRL_FILE_MAX (16 * 1024 * 1024) /* a few hundred thousand revoked certificates */

struct crl_set; /* shared between threads */

/* One or more PEM CRLs. */
struct crl_set *crl_set_load(const char *pem_path, struct err *e) MUST_CHECK;
/* Read the file again; what was there stays when it fails. */
bool crl_set_reload(struct crl_set *s, const char *pem_path, struct err *e) MUST_CHECK;
void crl_set_free(struct crl_set *s);

/* path: a verified chain, leaf first. A certificate that its issuer's list names is refused with
 * ERR_UNAUTHENTICATED; so is a list that its issuer did not sign. An issuer without a list, or with
 * one past its nextUpdate that does not name the certificate, is no reason to refuse: a file nobody
 * renewed must not stop every device (what it names stays refused). set may be NULL. */
bool crl_set_check(struct crl_set *set, const struct cert_list *path, struct err *e) MUST_CHECK;

#endif
