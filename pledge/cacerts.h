/* SPDX-License-Identifier: Apache-2.0 */
/* The CA certificates of a site and the anchors they make (RFC 7030 §4.1; RFC 8995 §5.9.1). The
 * steps work on a session whose server is authenticated. */
#ifndef PLEDGE_CACERTS_H
#define PLEDGE_CACERTS_H

#include "pledge/exchange.h"

/* The site's CA certificates; x->cacerts and x->domain_anchors hold what we believe afterwards.
 * Over CoAPS they are the pinned one for now, and enroll_certificate() fetches the others if need
 * be (N-02, N-03). */
bool cacerts_learn(struct exchange *x, struct err *e) MUST_CHECK;
/* Ask for them in any case; they may still be those with x->cacerts_etag (C-28, C-37). False when
 * the site tells none. */
bool cacerts_refresh(struct exchange *x, struct err *e) MUST_CHECK;
/* The anchors a set of CA certificates makes: its self-signed ones; `pinned` (may be NULL) when
 * there is none (RFC 8995 §5.6.2, R8995-PLG-063). NULL when there is neither. */
struct anchors *cacerts_anchors(
	const struct cert_list *cacerts, struct cert *pinned, struct err *e) MUST_CHECK;

#endif
