/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates a manufacturer or a site begins with: a root, an issuing CA below it, and the
 * servers and signers below that. What makes them, not where they are kept (pki/identity_file.h).
 */
#ifndef PKI_HIERARCHY_H
#define PKI_HIERARCHY_H

#include "common/pki/issue.h"

#define HIERARCHY_DAYS_FOREVER 0    /* 99991231235959Z, or as long as the issuer */
#define HIERARCHY_DOMAIN_DAYS  3650 /* CAs of a site; those of a manufacturer have no end */
#define HIERARCHY_SIGNER_DAYS  3650 /* a MASA's voucher signer */
#define HIERARCHY_SERVER_DAYS  825  /* TLS servers, registrars */

struct hierarchy_order {
	enum key_type key_type; /* of a key that is not there yet */
	int64_t now;		/* unix seconds */
	int days;
};

/* Clocks differ: what is made now was valid a little before. */
int64_t hierarchy_not_before(int64_t now_unix_s);

/* Each fills out; a key that is in it already is certified, otherwise one is made. When it fails,
 * out is the caller's to clear as well. */
bool hierarchy_root(const struct hierarchy_order *o, const char *organization, struct identity *out,
	struct err *e) MUST_CHECK;
bool hierarchy_issuing(const struct hierarchy_order *o, const char *organization,
	const struct identity *root, struct identity *out, struct err *e) MUST_CHECK;

/* A second one, with a name of its own. */
bool hierarchy_standby(const struct hierarchy_order *o, const struct identity *root,
	struct identity *out, struct err *e) MUST_CHECK;

struct hierarchy_member {
	enum cert_profile profile;
	const char *common_name;
	const char *san; /* or NULL */
};
/* Below an issuing CA, with that one's organization. */
bool hierarchy_member(const struct hierarchy_order *o, const struct hierarchy_member *m,
	const struct identity *ca, struct identity *out, struct err *e) MUST_CHECK;

#endif
