/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where certificates are made. What is asked for is a *thing to be issued*, never a
 * signature over a digest. Every certificate passes the lint table before it is signed and is
 * verified after. Serial numbers are 128 random bits; SKI is SHA-256 based (RFC 7093 method 1). */
#ifndef PKI_ISSUE_H
#define PKI_ISSUE_H

#include "common/pki/identity.h"

enum cert_profile {
	PROFILE_ROOT_CA,     /* self-signed, pathlen free */
	PROFILE_ISSUING_CA,  /* pathlen 0 */
	PROFILE_IDEVID,	     /* 802.1AR: serialNumber, 99991231235959Z, MASA URL, no KU/EKU
				(R8995-PLG-062) */
	PROFILE_MASA_SIGNER, /* digitalSignature */
	PROFILE_TLS_SERVER,  /* serverAuth, SAN */
	PROFILE_REGISTRAR,   /* cmcRA + serverAuth + clientAuth, SAN */
	PROFILE_LDEVID,	     /* digitalSignature, clientAuth; subject and SAN from policy */
	PROFILE_COUNT
};

struct issue_request {
	enum cert_profile profile;
	const struct identity *issuer; /* NULL: self-signed with `self_key` */
	const struct key *self_key;
	struct bytes spki;		 /* public key to certify (ignored when self-signed) */
	struct bytes subject_der;	 /* a DER Name, or len 0 and: */
	const char *common_name;	 /*   CN, or NULL */
	const char *organization;	 /*   O, or NULL */
	const char *organizational_unit; /*   OU, or NULL; of an IDevID: the model */
	const char *serial_number;	 /*   2.5.4.5, or NULL */
	const char *masa_url;		 /* PROFILE_IDEVID */
	const char *san;		 /* "DNS:name,IP:1.2.3.4", or NULL */
	struct bytes san_der;		 /* or a ready extension value, len 0 */
	const char *crl_url;		 /* where the issuer's revocation list is, or NULL */
	const char *ocsp_url;		 /* where it answers about single ones, or NULL */
	int64_t not_before;
	int64_t not_after; /* INT64_MAX: 99991231235959Z; cut to the issuer's notAfter otherwise */
};

/* A new certificate, reference owned by the caller. ERR_INPUT: a lint rule speaks against it,
 * with the rule and its clause in the text. */
struct cert *issue_certificate(const struct issue_request *r, struct err *e) MUST_CHECK;

#endif
