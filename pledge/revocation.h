/* SPDX-License-Identifier: Apache-2.0 */
/* What a voucher's domain-cert-revocation-checks demands (RFC 8366 §5.3, R8995-PLG-040): true, and
 * the registrar's chain is held against the revocation lists it points to, all of them; otherwise
 * this is not called, and no list is fetched. Blocks while it fetches. */
#ifndef PLEDGE_REVOCATION_H
#define PLEDGE_REVOCATION_H

#include "common/pki/cert.h"

struct revocation_input {		      /* all borrowed */
	const struct cert_list *path;	      /* registrar's certificate first, the pin last */
	const struct cert_list *server_chain; /* as sent in TLS */
	int64_t now_unix_s;		      /* CHAIN_NO_TIME without a trusted clock */
	unsigned address_classes;	/* where lists may be: bits of enum http_address_class */
	int64_t connect_ms, timeout_ms; /* timeout_ms: for everything together */
};

/* Every certificate below the pin must name a list. The pin, which the manufacturer vouches for,
 * only counts if it names one, and then its issuer has to be in server_chain.
 * ERR_UNAUTHENTICATED: revoked, or not to be found out. ERR_NO_MEMORY. */
bool revocation_check(const struct revocation_input *in, struct err *e) MUST_CHECK;

#endif
