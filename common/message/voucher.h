/* SPDX-License-Identifier: Apache-2.0 */
/* Voucher and voucher-request as plain data (RFC 8366 §5.3, RFC 8995 §3.4, rfc8366bis), and their
 * JSON (RFC 7951). One struct for both: a request is a voucher that asks; `kind` tells them apart.
 * The signed container around it is voucher_format's business. */
#ifndef MESSAGE_VOUCHER_H
#define MESSAGE_VOUCHER_H

#include "common/base/buf.h"

enum voucher_kind { VOUCHER, VOUCHER_REQUEST };

enum voucher_assertion {
	ASSERTION_ABSENT,
	ASSERTION_VERIFIED,
	ASSERTION_LOGGED,
	ASSERTION_PROXIMITY,
	ASSERTION_AGENT_PROXIMITY,
	ASSERTION_OTHER, /* a string we do not know: kept out of every decision (ENC-ALL-014) */
};
const char *voucher_assertion_name(enum voucher_assertion a); /* "verified", …; NULL for absent */
enum voucher_assertion voucher_assertion_parse(const char *name);

enum voucher_flag { FLAG_ABSENT, FLAG_FALSE, FLAG_TRUE };

#define VOUCHER_NONCE_MIN  8
#define VOUCHER_NONCE_MAX  32
#define VOUCHER_SERIAL_MAX 128
#define VOUCHER_JSON_MAX                                                                           \
	65536 /* as CMS_DER_MAX: a registrar request is mostly the pledge request */
#define PLEDGE_REQUEST_MAX                                                                         \
	32768 /* octets a registrar takes from a pledge: wrapped it stays below 64 KiB */

/* All owned. A NULL pointer, an empty buf or has_… = false means the leaf is absent. */
struct voucher {
	enum voucher_kind kind;
	bool has_created_on;
	int64_t created_on; /* unix seconds */
	bool has_expires_on;
	int64_t expires_on;
	bool has_last_renewal_date;
	int64_t last_renewal_date;
	enum voucher_assertion assertion;
	char *serial_number;
	char *nonce;		       /* the string as it stood: never re-encoded (T-04) */
	struct buf idevid_issuer;      /* octets */
	struct buf pinned_domain_cert; /* DER of one certificate */
	struct buf pinned_domain_pubk; /* DER SubjectPublicKeyInfo */
	struct buf pinned_domain_pubk_sha256;
	enum voucher_flag domain_cert_revocation_checks;
	struct buf prior_signed_voucher_request; /* the whole signed object */
	struct buf proximity_registrar_cert;	 /* DER */
	struct buf proximity_registrar_pubk;
	struct buf proximity_registrar_pubk_sha256;
	char *est_domain;
	char *additional_configuration_url;
};

void voucher_init(struct voucher *v, enum voucher_kind kind);
void voucher_clear(struct voucher *v);
#define VOUCHER_AUTO __attribute__((cleanup(voucher_clear)))

/* Parse the JSON object with exactly one top-level member; which of the two names it has decides
 * kind. Unknown members inside are ignored (ENC-ALL-015); a known leaf with a bad value is
 * ERR_INPUT naming it. Only serial-number is demanded (ENC-ALL-012). Nonce length is not judged
 * here: see voucher_nonce_octets(). */
bool voucher_parse_json(struct bytes json, struct voucher *out, struct err *e) MUST_CHECK;
/* Compact JSON; leaves that do not belong to the kind are a bug. Appends. */
bool voucher_format_json(const struct voucher *v, struct buf *out, struct err *e) MUST_CHECK;

/* Decode a nonce string, either alphabet, padding optional; 8 to 32 octets (ENC-ALL-011). */
bool voucher_nonce_octets(const char *nonce, struct buf *out, struct err *e) MUST_CHECK;
/* Equal as strings, else equal as octets; constant time on equal lengths (T-04). NULL, a nonce that
 * is absent, equals nothing. */
bool voucher_nonce_equal(const char *a, const char *b);

#endif
