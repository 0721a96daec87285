/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where revocation lists are made (RFC 5280 §5): complete, of one issuer, version 2,
 * with CRL number and authority key identifier. Every list is read back by crl_list.h, signature
 * and entries, before it is given out. */
#ifndef PKI_CRL_MAKE_H
#define PKI_CRL_MAKE_H

#include "common/pki/crl_list.h"
#include "common/pki/identity.h"

#define CRL_ENTRIES_MAX 25000 /* what CRL_LIST_DER_MAX holds, with some room */

struct crl_entry {
	uint8_t serial[CERT_SERIAL_MAX]; /* content octets of the INTEGER */
	size_t serial_len;
	int64_t revoked_at;
};

struct crl_request {
	const struct identity *issuer;
	int64_t number; /* above that of every list the issuer had before */
	int64_t this_update, next_update;
	const struct crl_entry *entries;
	size_t entry_count;
};

/* May the certificate's key sign revocation lists: cRLSign, and a subjectKeyIdentifier to be found
 * by? ERR_INPUT. */
bool crl_issuer_fits(const struct cert *issuer, struct err *e) MUST_CHECK;

/* DER appended. ERR_INPUT: an issuer that may not, times that are none; ERR_TOO_LARGE: more than
 * CRL_ENTRIES_MAX. */
bool crl_make(const struct crl_request *r, struct buf *out, struct err *e) MUST_CHECK;

#endif
