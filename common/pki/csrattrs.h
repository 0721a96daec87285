/* SPDX-License-Identifier: Apache-2.0 */
/* EST CSR attributes: read both forms (RFC 7030 §4.5.2 OIDs and attributes; RFC 9908 template),
 * write the first. Unknown entries are ignored (ER-03). */
#ifndef PKI_CSRATTRS_H
#define PKI_CSRATTRS_H

#include "common/pki/key.h"

#define CSRATTRS_DER_MAX 16384
#define CSRATTRS_EXT_MAX 16

struct csrattrs_extension {
	struct bytes oid;   /* content octets, borrowed from der */
	struct bytes value; /* extnValue content; len 0: the client supplies it (ER-11) */
	bool critical;
};

struct csrattrs {
	struct buf der;		       /* own copy of what was parsed */
	bool wants_challenge_password; /* ER-04 */
	bool has_key_type;
	int key_bits;		       /* RSA modulus bits asked for, or 0 */
	struct bytes key_oid;	       /* rsaEncryption or id-ecPublicKey …; len 0 */
	struct bytes curve_oid;	       /* len 0 when none */
	struct bytes subject_template; /* DER Name with values to copy or empty to fill in; len 0 */
	struct csrattrs_extension extensions[CSRATTRS_EXT_MAX];
	size_t extension_count;
};

/* Parse DER; an empty input or an empty SEQUENCE asks for nothing. ERR_INPUT when malformed
 * (ER-05, ER-07, ER-10). */
bool csrattrs_parse(struct bytes der, struct csrattrs *out, struct err *e) MUST_CHECK;
void csrattrs_clear(struct csrattrs *a);
#define CSRATTRS_AUTO __attribute__((cleanup(csrattrs_clear)))

/* The key the registrar wants, as one of ours; false with ERR_INPUT when we have no such key,
 * *out untouched when it does not care (has_key_type is false). RSA sizes take the nearest we make.
 */
bool csrattrs_key_type(const struct csrattrs *a, enum key_type *out, struct err *e) MUST_CHECK;

/* What a registrar asks for, as text from its configuration, one item a word:
 * "challengePassword", "ec-p256", "ec-p384", "rsa-3072", an OID in dots, "san" (client supplies a
 * subjectAltName). Appends the DER CsrAttrs. */
bool csrattrs_format(const char *words, struct buf *out, struct err *e) MUST_CHECK;

#endif
