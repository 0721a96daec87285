/* SPDX-License-Identifier: Apache-2.0 */
/* One revocation list as a distribution point serves it: DER, complete, of one issuer (RFC 5280 §5,
 * §6.3.3). It comes from the network, perhaps over plain http, so nothing of it counts before its
 * issuer's signature does. The entries are read by our own DER reader and kept as positions in the
 * octets: a hostile list costs what its size is, no more. (crl.h: files of an administrator.) */
#ifndef PKI_CRL_LIST_H
#define PKI_CRL_LIST_H

#include "common/pki/crl_points.h"

#define CRL_LIST_DER_MAX (1024 * 1024) /* some 25000 revoked certificates; a site has far fewer */
#define CRL_LIST_SKEW_S	 300	       /* thisUpdate of a clock that is ahead of ours */

struct crl_list; /* immutable */

/* Read and verify. issuer: whose list it must be. now_unix_s may be CHAIN_NO_TIME.
 * ERR_INPUT: not one DER list, or of a kind that does not answer alone (delta, indirect, some
 * reasons, extensions nobody knows). ERR_TOO_LARGE. ERR_UNAUTHENTICATED: another issuer, not
 * signed by it, or out of its time; a list without nextUpdate is (RFC 5280 §5.1.2.5).
 * ERR_NO_MEMORY. */
struct crl_list *crl_list_open(
	struct bytes der, const struct cert *issuer, int64_t now_unix_s, struct err *e) MUST_CHECK;
void crl_list_free(struct crl_list *l);
void crl_list_unref(struct crl_list **l);
#define CRL_LIST_AUTO __attribute__((cleanup(crl_list_unref)))

int64_t crl_list_next_update(const struct crl_list *l);
/* Is the list, by its own words, about certificates like this one, whose points are given? A CA may
 * split its list; one part must not pass for the other (RFC 5280 §6.3.3 (b)). ERR_INPUT. */
bool crl_list_covers(const struct crl_list *l, const struct cert *c,
	const struct crl_points *points, struct err *e) MUST_CHECK;
/* Is the certificate, of this list's issuer, revoked? */
bool crl_list_names(const struct crl_list *l, const struct cert *c);
bool crl_list_names_serial(const struct crl_list *l, struct bytes serial);
size_t crl_list_count(const struct crl_list *l);

#endif
