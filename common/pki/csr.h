/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#10 (RFC 2986) as EST uses it (RFC 7030 §4.2, RFC 9908). */
#ifndef PKI_CSR_H
#define PKI_CSR_H

#include "common/pki/cert.h"
#include "common/pki/csrattrs.h"
#include "common/pki/key.h"

#define CSR_DER_MAX	      16384
#define CSR_EXT_MAX	      32  /* requested extensions; real ones are below 10 */
#define CSR_SERIAL_NUMBER_MAX 128 /* as in certificates */
#define CSR_PASSWORD_MAX      255 /* RFC 2985 §5.4.1 */

struct csr; /* parsed; owned by the caller */

/* Parse; neither signature nor key is looked at (EK-02). ERR_INPUT for anything that is not one DER
 * PKCS#10 (a certificate in its place included), a known attribute or an extension twice, or a
 * subject serialNumber that cannot be told (EE-16: twice, or of an odd string type). */
struct csr *csr_parse(struct bytes der, struct err *e) MUST_CHECK;
void csr_free(struct csr *c);
void csr_unref(struct csr **c);
#define CSR_AUTO __attribute__((cleanup(csr_unref)))

/* Proof of possession: the CSR's own signature. ERR_INPUT when it fails (EE-03: 400). Keys weaker
 * than RSA-2048 or off the supported curves are refused. */
bool csr_verify(const struct csr *c, struct err *e) MUST_CHECK;
struct bytes csr_der(const struct csr *c);
struct bytes csr_spki(const struct csr *c);
struct bytes csr_subject_der(const struct csr *c);
const char *csr_serial_number(const struct csr *c); /* subject's 2.5.4.5 or NULL */
struct bytes csr_san(const struct csr *c);	    /* requested subjectAltName value; len 0 */
/* A requested extension's value by the content octets of its OID; false when not asked for. */
bool csr_extension(const struct csr *c, struct bytes oid, struct bytes *value);
/* challengePassword, or NULL (RFC 7030 §3.5: channel binding, base64). */
const char *csr_challenge_password(const struct csr *c);
bool csr_has_change_subject_name(const struct csr *c);
/* DecryptKeyIdentifier or the asymmetric one (EK-06). */
bool csr_asks_key_encryption(const struct csr *c);
/* Does the CSR carry all that csrattrs asks for? ERR_INPUT naming what is missing (EE-18). */
bool csr_satisfies(const struct csr *c, const struct csrattrs *wanted, struct err *e) MUST_CHECK;

/* A request to be made. */
struct csr_wish {
	const struct key *key;
	struct bytes subject_der;	/* DER Name, e.g. the IDevID's subject, or the LDevID's */
	struct bytes san;		/* subjectAltName extension value, or len 0 */
	const struct csrattrs *attrs;	/* what the registrar asked for, or NULL */
	const char *challenge_password; /* or NULL */
};
/* Append the DER; it was verified before it is returned. */
bool csr_make(const struct csr_wish *wish, struct buf *out, struct err *e) MUST_CHECK;

#endif
