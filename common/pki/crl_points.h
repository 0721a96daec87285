/* SPDX-License-Identifier: Apache-2.0 */
/* Where a certificate says its issuer's revocation list is to be had: the extension
 * cRLDistributionPoints (RFC 5280 §4.2.1.13). */
#ifndef PKI_CRL_POINTS_H
#define PKI_CRL_POINTS_H

#include "common/pki/cert.h"
#include "common/wire/uri.h"

#define CRL_POINTS_MAX 4 /* addresses tried for one certificate; real ones have one or two */
#define CRL_URI_MAX    (URI_HOST_MAX + URI_PATH_MAX + 32)

struct crl_points {
	bool named; /* the extension is there, whatever is in it */
	size_t count;
	char uri[CRL_POINTS_MAX][CRL_URI_MAX + 1]; /* http and https, in the certificate's order */
};

/* Only points that stand for all reasons, and whose list the certificate's own issuer signs, count:
 * one complete list answers everything. Other names (LDAP, directory) and whatever is malformed are
 * passed over; with named set and count 0 the certificate demands a list that cannot be fetched. */
void crl_points_of(const struct cert *c, struct crl_points *out);

#endif
