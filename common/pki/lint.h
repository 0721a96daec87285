/* SPDX-License-Identifier: Apache-2.0 */
/* A table of rules that every certificate we sign has to pass, each with the clause it comes from.
 */
#ifndef PKI_LINT_H
#define PKI_LINT_H

#include "common/pki/issue.h"

struct lint_rule {
	const char *name;
	const char *clause;			      /* "RFC 5280 §4.2.1.1" */
	unsigned profiles;			      /* bits 1 << enum cert_profile */
	bool (*holds)(X509 *candidate, X509 *issuer); /* issuer NULL when self-signed */
};

extern const struct lint_rule lint_rules[];
extern const size_t lint_rule_count;

/* First rule that does not hold → ERR_INPUT naming it. candidate is complete but for its signature.
 */
bool lint_check(X509 *candidate, X509 *issuer, enum cert_profile profile, struct err *e) MUST_CHECK;

/* Only what signing has put into one that passed: the algorithm. Of every profile. */
bool lint_check_signed(X509 *candidate, X509 *issuer, struct err *e) MUST_CHECK;

#endif
