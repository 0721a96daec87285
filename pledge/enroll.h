/* SPDX-License-Identifier: Apache-2.0 */
/* EST as a client (RFC 7030, RFC 8951; RFC 8995 §5.9; over CoAPS RFC 9148): the steps that a first
 * enrolment and a renewal share. They work on a session whose server is authenticated. */
#ifndef PLEDGE_ENROLL_H
#define PLEDGE_ENROLL_H

#include "pledge/exchange.h"

#define EST_CSRATTRS	   "/.well-known/est/csrattrs"
#define EST_SIMPLEENROLL   "/.well-known/est/simpleenroll"
#define EST_SIMPLEREENROLL "/.well-known/est/simplereenroll"
/* Server key generation, over CoAPS only: with one certificate, or with certs-only. */
#define EST_KEYGEN_CERT	 "/.well-known/est/skc"
#define EST_KEYGEN_CERTS "/.well-known/est/skg"

/* Ask what the CSR has to carry. */
bool enroll_csrattrs(struct exchange *x, struct err *e) MUST_CHECK;
/* What to ask for and where. */
struct enroll_wish {
	const char *path; /* simpleenroll or simplereenroll */
	struct bytes subject_der;
	struct bytes san; /* extension value, or len 0 */
};
/* Key, CSR, request, and the checks on what comes back, into x->ldevid and x->ldevid_chain. */
bool enroll_certificate(struct exchange *x, const struct enroll_wish *w, struct err *e) MUST_CHECK;

/* ---- pure parts ---- */

struct issued_check { /* all borrowed */
	const struct cert_list *received;
	const struct key *key;
	struct anchors *anchors;
	const struct cert_list *cacerts;
	int64_t now_unix_s;
};
/* Find our certificate among those received and judge it: our key, no CA, under the site's anchors,
 * valid now. chain: the issuers between it and the anchor. */
bool enroll_check_issued(const struct issued_check *in, struct cert **ldevid,
	struct cert_list *chain, struct err *e) MUST_CHECK;

#endif
