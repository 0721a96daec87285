/* SPDX-License-Identifier: Apache-2.0 */
/* The site's issuing CA. It is asked for a *thing to be issued* ("an LDevID for this key and
 * name"), never for a signature, so that it can move behind a process boundary without a change
 * here. */
#ifndef REGISTRAR_CA_H
#define REGISTRAR_CA_H

#include "common/pki/chain.h"
#include "common/pki/crl_make.h"
#include "common/pki/csrattrs.h"
#include "common/pki/identity.h"
#include "common/pki/ocsp.h"
#include "registrar/config.h"

struct ca;

enum ca_slot { CA_PRIMARY, CA_STANDBY, CA_SLOT_COUNT };
const char *ca_slot_name(enum ca_slot slot);

/* Load keys, certificates and chain of the issuing CA and, where one is configured, of the one that
 * stands by (else NULL). Refuse a CA that is none, is expired, whose key differs or whose chain has
 * no root (/cacerts must hold it: RFC 7030 §4.1.3), and rollover certificates that are none. Of
 * two, one whose key cannot be used or which is expired is opened without: ca_fault() says why, and
 * it issues nothing. */
bool ca_open_all(const struct registrar_config *c, int64_t now, struct ca *out[CA_SLOT_COUNT],
	struct err *e) MUST_CHECK;
void ca_free(struct ca *ca);
/* NULL: it can issue. */
const char *ca_fault(const struct ca *ca);
const struct cert *ca_cert(const struct ca *ca);
/* Which of the two it is, whatever it is called: the digest of its key. */
const uint8_t *ca_key_sha256(const struct ca *ca);

struct ldevid_wish {
	struct bytes spki;
	struct bytes subject_der;
	struct bytes san_der; /* or len 0 */
};
/* A new certificate, verified; the caller's reference. Any thread. */
struct cert *ca_issue_ldevid(
	struct ca *ca, const struct ldevid_wish *wish, int64_t now, struct err *e) MUST_CHECK;

/* Where revocations are told, by its key: subjectKeyIdentifier, which certificates of ours name as
 * their issuer's. len 0: its certificate does not let it sign revocation lists. */
struct bytes ca_crl_issuer(const struct ca *ca);
struct crl_wish {
	int64_t number;
	const struct crl_entry *entries;
	size_t entry_count;
};
/* A list as of now, verified, appended; it is valid until *next_update. Any thread. */
bool ca_issue_crl(struct ca *ca, const struct crl_wish *wish, int64_t now, struct buf *out,
	int64_t *next_update, struct err *e) MUST_CHECK;

/* Where to ask about single certificates: an answer as of now, verified, appended. standings: of
 * those the request is about, who are all said to be this CA's. Valid until *next_update. Any
 * thread. */
bool ca_answer_ocsp(struct ca *ca, const struct ocsp_request *request,
	const struct ocsp_standing *standings, int64_t now, struct buf *out, int64_t *next_update,
	struct err *e) MUST_CHECK;

/* Did the CA with this name issue it, or the other one of two? By name only: what we issued is
 * found in the store. */
bool ca_may_have_issued(const struct ca *ca, const struct cert *c);
/* Or one whose certificate stands in the chain: an issuing CA that the site had before. */
bool ca_or_predecessor_may_have_issued(const struct ca *ca, const struct cert *c);
const struct cert_list *ca_certs(const struct ca *ca); /* issuing CA, chain, root */
int64_t ca_not_after(const struct ca *ca);
/* /cacerts: DER of the certs-only CMS. */
struct bytes ca_certs_pkcs7(const struct ca *ca);
/* /crts as multipart-core: the issuing CA, upwards, then the others; as many as configured. */
struct bytes ca_certs_multipart(const struct ca *ca);
/* /crts as one certificate: that of the issuing CA; len 0 when devices need further anchors, which
 * one certificate does not lead to. */
struct bytes ca_certs_single(const struct ca *ca);
/* /csrattrs: what CSRs have to hold, and its DER; len 0 when nothing is asked for. */
const struct csrattrs *ca_csrattrs(const struct ca *ca);
struct bytes ca_csrattrs_der(const struct ca *ca);

#endif
