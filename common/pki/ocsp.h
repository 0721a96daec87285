/* SPDX-License-Identifier: Apache-2.0 */
/* Whether single certificates are revoked, asked and answered: the Online Certificate Status
 * Protocol (RFC 6960) in the profile of RFC 9919, with the nonce of RFC 9654. An answer is signed
 * by the CA that issued the certificates, so that it needs no further certificate to be believed;
 * and is read back by OpenSSL's own reader, signature and statuses, before it is given out.
 *
 * Requests come from anybody. They are read by our own DER reader, which allocates one copy of
 * them; a signature on one is not looked at, for nothing depends on who asks (RFC 6960 §4.1.2). */
#ifndef PKI_OCSP_H
#define PKI_OCSP_H

#include "common/pki/identity.h"

#define OCSP_REQUEST_DER_MAX                                                                       \
	4096		      /* one certificate takes some 80 octets; the rest is for who signs */
#define OCSP_ASKED_MAX	    8 /* certificates in a request; RFC 9919 §3.1.1 has one */
#define OCSP_NONCE_MAX	    128	 /* RFC 9654 §2.1 */
#define OCSP_ANSWER_DER_MAX 8192 /* a request in full, times and an RSA signature of 8192 bits */

/* ---- What is asked ---- */

struct ocsp_asked {
	struct bytes id;		  /* CertID in full, as it is repeated in the answer */
	struct bytes hash;		  /* OID of the digest that: */
	struct bytes name_hash, key_hash; /* of its issuer are made with */
	struct bytes serial; /* content octets of the INTEGER; at most CERT_SERIAL_MAX */
};

struct ocsp_request {
	struct buf der; /* everything below points into it */
	struct ocsp_asked asked[OCSP_ASKED_MAX];
	size_t count;	    /* one at least */
	struct bytes nonce; /* len 0: there is none */
};
#define OCSP_REQUEST_INIT                                                                          \
	{                                                                                          \
		.der = BUF_INIT(OCSP_REQUEST_DER_MAX)                                              \
	}
#define OCSP_REQUEST_AUTO __attribute__((cleanup(ocsp_request_clear)))

/* Exactly one OCSPRequest into an empty one. ERR_INPUT: not one, a version that is not 1, nobody or
 * too many asked about, a critical extension nobody knows, a nonce of none or too many octets.
 * ERR_TOO_LARGE, ERR_NO_MEMORY. */
bool ocsp_request_parse(struct bytes der, struct ocsp_request *out, struct err *e) MUST_CHECK;
void ocsp_request_clear(struct ocsp_request *r);
/* Are all of them said to be issued by this CA? By SHA-1, SHA-256, SHA-384 or SHA-512 of its name
 * and key: made otherwise, they are nobody's. ERR_NO_MEMORY. */
bool ocsp_request_is_of(const struct ocsp_request *r, const struct cert *issuer, bool *is,
	struct err *e) MUST_CHECK;

/* ---- What is answered ---- */

enum ocsp_status { OCSP_GOOD, OCSP_REVOKED, OCSP_UNKNOWN, OCSP_STATUS_COUNT };

struct ocsp_standing {
	enum ocsp_status status;
	int64_t revoked_at;
};

struct ocsp_answer {
	const struct ocsp_request *request;
	const struct ocsp_standing *standings; /* as many as are asked about, in their order */
	const struct identity *signer;	       /* their issuer */
	int64_t this_update, next_update;
};

/* An OCSPResponse, DER, appended; checked. ERR_INPUT: times that are none. */
bool ocsp_answer_make(const struct ocsp_answer *a, struct buf *out, struct err *e) MUST_CHECK;
/* Is this DER signed by that signer, and does it say of everybody just this? ERR_BUG. */
bool ocsp_answer_check(const struct ocsp_answer *a, struct bytes der, struct err *e) MUST_CHECK;

/* Why there is no answer (RFC 6960 §2.3); nobody signs that. */
enum ocsp_refusal {
	OCSP_MALFORMED_REQUEST = 1,
	OCSP_INTERNAL_ERROR = 2,
	OCSP_TRY_LATER = 3,
	OCSP_UNAUTHORIZED = 6
};
bool ocsp_refusal_make(enum ocsp_refusal why, struct buf *out, struct err *e) MUST_CHECK;

#endif
