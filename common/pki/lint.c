/* SPDX-License-Identifier: Apache-2.0 */
/* The rules every certificate we sign has to pass, one function each, and the table that says which
 * profile each is for and where it stands. A rule reads the certificate through the X509 it is
 * about to become, not through the request it was made from, so that a fault in the making shows.
 *
 * Which keys a profile may have: all of P-256, P-384, P-521, RSA 2048 and longer; Ed25519 for CAs,
 * TLS servers and LDevIDs only. An IDevID, a voucher signer and a registrar sign CMS that strangers
 * must read, and the CMS code most of them run (OpenSSL 3.0's) knows no Ed25519. */
#include "common/pki/lint.h"

#include <string.h>

#include "common/pki/idevid.h"
#include "common/pki/name.h"
#include "common/pki/ossl.h"
#include "common/pki/p256.h"
#include "common/pki/signature.h"
#include "common/wire/der.h"

#define SERIAL_OCTETS_MAX 20
#define NO_EXPIRY	  "99991231235959Z"

/* ---- reading ---- */

/* The extension in its struct, NULL when it is absent, malformed or there twice. */
static void *ext_get(X509 *x, int nid, bool *critical)
{
	int crit = -1;
	void *value = X509_get_ext_d2i(x, nid, &crit, NULL);

	*critical = crit > 0;
	if (!value)
		ossl_forget();
	return value;
}

static bool ext_present(X509 *x, int nid)
{
	return X509_get_ext_by_NID(x, nid, -1) >= 0;
}

/* Key usage as bits in the order of RFC 5280 §4.2.1.3 (digitalSignature is 0); 0 when absent. */
#define USAGE_DIGITAL_SIGNATURE (1u << 0)
#define USAGE_KEY_CERT_SIGN	(1u << 5)
#define USAGE_CRL_SIGN		(1u << 6)

static unsigned key_usage(X509 *x, bool *critical)
{
	ASN1_BIT_STRING *bits = ext_get(x, NID_key_usage, critical);
	unsigned usage = 0;

	for (int i = 0; bits && i < 9; i++)
		if (ASN1_BIT_STRING_get_bit(bits, i))
			usage |= 1u << i;
	ASN1_BIT_STRING_free(bits);
	return usage;
}

/* Exactly these purposes, and the extension not critical. */
static bool eku_is(X509 *x, const int *nids, int count)
{
	bool critical;
	OSSL_AUTO(EXTENDED_KEY_USAGE)
	EXTENDED_KEY_USAGE *eku = ext_get(x, NID_ext_key_usage, &critical);

	if (!eku || critical || sk_ASN1_OBJECT_num(eku) != count)
		return false;
	for (int i = 0; i < count; i++) {
		bool found = false;

		for (int k = 0; k < count; k++)
			found = found || OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, k)) == nids[i];
		if (!found)
			return false;
	}
	return true;
}

/* ---- for every certificate ---- */

static bool is_version_3(X509 *x, X509 *issuer)
{
	return X509_get_version(x) == X509_VERSION_3;
}

static bool serial_is_positive_and_short(X509 *x, X509 *issuer)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	int len = ASN1_STRING_length(serial);
	const uint8_t *p = ASN1_STRING_get0_data(serial);
	bool zero = len == 0 || (len == 1 && p[0] == 0);
	bool padded = len > 0 && p[0] >= 0x80; /* DER puts a zero octet in front */

	return ASN1_STRING_type(serial) == V_ASN1_INTEGER && !zero &&
	       len + padded <= SERIAL_OCTETS_MAX;
}

static bool issuer_name_fits(X509 *x, X509 *issuer)
{
	const X509_NAME *name = X509_get_issuer_name(x);

	return X509_NAME_entry_count(name) > 0 &&
	       X509_NAME_cmp(name, X509_get_subject_name(issuer ? issuer : x)) == 0;
}

static bool is_named(X509 *x, X509 *issuer)
{
	int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);

	return X509_NAME_entry_count(X509_get_subject_name(x)) > 0 ||
	       (at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x, at)));
}

static bool dates_are_in_order(X509 *x, X509 *issuer)
{
	return ASN1_TIME_compare(X509_get0_notBefore(x), X509_get0_notAfter(x)) == -1;
}

static bool dates_are_within_the_issuers(X509 *x, X509 *issuer)
{
	return !issuer ||
	       (ASN1_TIME_compare(X509_get0_notBefore(issuer), X509_get0_notBefore(x)) <= 0 &&
		       ASN1_TIME_compare(X509_get0_notAfter(x), X509_get0_notAfter(issuer)) <= 0);
}

static bool has_ski(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(ASN1_OCTET_STRING)
	ASN1_OCTET_STRING *ski = ext_get(x, NID_subject_key_identifier, &critical);

	return ski && !critical && ASN1_STRING_length(ski) > 0;
}

static bool aki_is_the_issuers_ski(X509 *x, X509 *issuer)
{
	bool critical, ignored;
	OSSL_AUTO(AUTHORITY_KEYID)
	AUTHORITY_KEYID *aki = ext_get(x, NID_authority_key_identifier, &critical);
	OSSL_AUTO(ASN1_OCTET_STRING) ASN1_OCTET_STRING *ski = NULL;

	if (!issuer)
		return true; /* RFC 5280 lets a self-signed one leave it out */
	ski = ext_get(issuer, NID_subject_key_identifier, &ignored);
	return aki && ski && !critical && aki->keyid && ASN1_OCTET_STRING_cmp(aki->keyid, ski) == 0;
}

/* A certificate in the making holds its key as octets only. */
static bool key_is_strong(X509 *x, X509 *issuer)
{
	struct err ignored = ERR_INIT;
	OSSL_AUTO(EC_POINT) EC_POINT *on_p256 = NULL;
	OSSL_AUTO(EVP_PKEY) EVP_PKEY *key = NULL;
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);

	if (len > 0)
		on_p256 = p256_point(bytes_of(der, (size_t)len));
	if (len > 0 && !on_p256)
		key = key_parse_spki(bytes_of(der, (size_t)len), &ignored);
	OPENSSL_free(der);
	return on_p256 || (key && signature_key_acceptable(key, &ignored));
}

static bool key_signs_cms(X509 *x, X509 *issuer)
{
	ASN1_OBJECT *oid;

	return X509_PUBKEY_get0_param(&oid, NULL, NULL, NULL, X509_get_X509_PUBKEY(x)) == 1 &&
	       OBJ_obj2nid(oid) != NID_ED25519;
}

/* Before it is signed there is no algorithm: lint_check_signed() asks again when there is. */
static bool algorithm_is_strong(X509 *x, X509 *issuer)
{
	const X509_ALGOR *alg = X509_get0_tbs_sigalg(x);
	const ASN1_OBJECT *oid;
	int nid, digest, key;

	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	nid = OBJ_obj2nid(oid);
	if (nid == NID_undef)
		return true;
	if (nid == NID_ED25519)
		return true;
	return OBJ_find_sigid_algs(nid, &digest, &key) == 1 &&
	       (digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512);
}

static bool no_extension_stands_twice(X509 *x, X509 *issuer)
{
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		const ASN1_OBJECT *oid = X509_EXTENSION_get_object(X509_get_ext(x, i));

		if (X509_get_ext_by_OBJ(x, oid, i) >= 0)
			return false;
	}
	return true;
}

static bool issuer_may_sign(X509 *x, X509 *issuer)
{
	bool critical, ignored;
	OSSL_AUTO(BASIC_CONSTRAINTS) BASIC_CONSTRAINTS *bc = NULL;

	if (!issuer)
		return true;
	bc = ext_get(issuer, NID_basic_constraints, &critical);
	return bc && bc->ca &&
	       (!ext_present(issuer, NID_key_usage) ||
		       (key_usage(issuer, &ignored) & USAGE_KEY_CERT_SIGN));
}

/* One who cannot read where to ask would ask nobody. */
static bool responders_are_named(X509 *x, X509 *issuer)
{
	bool critical, named = true;
	AUTHORITY_INFO_ACCESS *list;

	if (!ext_present(x, NID_info_access))
		return true;
	list = ext_get(x, NID_info_access, &critical);
	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(list); i++)
		named = named && sk_ACCESS_DESCRIPTION_value(list, i)->location->type == GEN_URI;
	named = named && !critical && sk_ACCESS_DESCRIPTION_num(list) > 0;
	AUTHORITY_INFO_ACCESS_free(list);
	return named;
}

/* ---- CAs ---- */

static bool issuer_may_have_cas(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(BASIC_CONSTRAINTS) BASIC_CONSTRAINTS *bc = NULL;

	if (!issuer)
		return true;
	bc = ext_get(issuer, NID_basic_constraints, &critical);
	return bc && (!bc->pathlen || ASN1_INTEGER_get(bc->pathlen) > 0);
}

static bool is_critically_a_ca(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(BASIC_CONSTRAINTS)
	BASIC_CONSTRAINTS *bc = ext_get(x, NID_basic_constraints, &critical);

	return bc && bc->ca && critical;
}

static bool path_length_is_zero(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(BASIC_CONSTRAINTS)
	BASIC_CONSTRAINTS *bc = ext_get(x, NID_basic_constraints, &critical);

	return bc && bc->pathlen && ASN1_INTEGER_get(bc->pathlen) == 0;
}

static bool usage_is_that_of_a_ca(X509 *x, X509 *issuer)
{
	bool critical;

	return key_usage(x, &critical) == (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN) && critical;
}

static bool has_no_eku(X509 *x, X509 *issuer)
{
	return !ext_present(x, NID_ext_key_usage);
}

/* ---- end entities ---- */

static bool is_no_ca(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(BASIC_CONSTRAINTS)
	BASIC_CONSTRAINTS *bc = ext_get(x, NID_basic_constraints, &critical);

	return (!ext_present(x, NID_basic_constraints) || (bc && !bc->ca)) &&
	       !(key_usage(x, &critical) & (USAGE_KEY_CERT_SIGN | USAGE_CRL_SIGN));
}

static bool usage_is_signing(X509 *x, X509 *issuer)
{
	bool critical;

	return key_usage(x, &critical) == USAGE_DIGITAL_SIGNATURE && critical;
}

static bool has_san(X509 *x, X509 *issuer)
{
	bool critical;
	OSSL_AUTO(GENERAL_NAMES)
	GENERAL_NAMES *names = ext_get(x, NID_subject_alt_name, &critical);

	return names && sk_GENERAL_NAME_num(names) > 0;
}

static bool san_is_well_formed(X509 *x, X509 *issuer)
{
	return !ext_present(x, NID_subject_alt_name) || has_san(x, issuer);
}

static bool eku_is_registrars(X509 *x, X509 *issuer)
{
	static const int nids[] = {NID_cmcRA, NID_server_auth, NID_client_auth};

	return eku_is(x, nids, 3);
}

static bool eku_is_tls_servers(X509 *x, X509 *issuer)
{
	static const int nids[] = {NID_server_auth};

	return eku_is(x, nids, 1);
}

static bool eku_is_clients(X509 *x, X509 *issuer)
{
	static const int nids[] = {NID_client_auth};

	return eku_is(x, nids, 1);
}

/* ---- IDevIDs ---- */

static bool has_one_serial_number(X509 *x, X509 *issuer)
{
	char text[CERT_SERIAL_NUMBER_MAX + 1];

	return !name_attribute(X509_get_subject_name(x), NID_serialNumber, text, sizeof(text));
}

static bool never_expires(X509 *x, X509 *issuer)
{
	const ASN1_TIME *t = X509_get0_notAfter(x);

	return ASN1_STRING_length(t) == (int)strlen(NO_EXPIRY) &&
	       memcmp(ASN1_STRING_get0_data(t), NO_EXPIRY, strlen(NO_EXPIRY)) == 0;
}

static bool has_no_key_usage(X509 *x, X509 *issuer)
{
	return !ext_present(x, NID_key_usage);
}

static int masa_url_at(X509 *x)
{
	OSSL_AUTO(ASN1_OBJECT) ASN1_OBJECT *oid = OBJ_txt2obj(MASA_URL_OID, 1);

	return oid ? X509_get_ext_by_OBJ(x, oid, -1) : -1;
}

static bool masa_url_is_sound(X509 *x, X509 *issuer)
{
	struct err ignored = ERR_INIT;
	int at = masa_url_at(x);
	X509_EXTENSION *ext = at < 0 ? NULL : X509_get_ext(x, at);
	const ASN1_OCTET_STRING *value = ext ? X509_EXTENSION_get_data(ext) : NULL;
	FREE_AUTO char *text = NULL;
	struct der_tlv tlv;
	struct der d;
	struct uri u;

	if (!value || X509_EXTENSION_get_critical(ext))
		return false;
	d = der_of(bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)));
	if (!der_expect(&d, DER_IA5_STRING, &tlv, "MASA URL", &ignored) || !der_at_end(&d) ||
		memchr(tlv.content.p, '\0', tlv.content.len))
		return false;
	text = str_dup_n(tlv.content.p, tlv.content.len, &ignored);
	return text && idevid_masa_uri_parse(text, &u, &ignored);
}

static bool has_no_masa_url(X509 *x, X509 *issuer)
{
	return masa_url_at(x) < 0;
}

/* ---- the table ---- */

#define P(name) (1u << PROFILE_##name)
#define ALL	((1u << PROFILE_COUNT) - 1)
#define CAS	(P(ROOT_CA) | P(ISSUING_CA))
#define ENDS	(ALL & ~CAS)

const struct lint_rule lint_rules[] = {
	{"the version is 3", "RFC 5280 §4.1.2.1", ALL, is_version_3},
	{"the serial is positive, at most 20 octets", "RFC 5280 §4.1.2.2", ALL,
		serial_is_positive_and_short},
	{"the issuer's name is the issuer's subject", "RFC 5280 §4.1.2.4", ALL, issuer_name_fits},
	{"there is a subject, or a critical subjectAltName", "RFC 5280 §4.1.2.6", ALL, is_named},
	{"notBefore is before notAfter", "RFC 5280 §4.1.2.5", ALL, dates_are_in_order},
	{"the validity is within the issuer's", "RFC 5280 §6.1.3", ALL & ~P(IDEVID),
		dates_are_within_the_issuers},
	{"there is a subjectKeyIdentifier", "RFC 5280 §4.2.1.2; RFC 8995 §5.8.2", ALL, has_ski},
	{"the authorityKeyIdentifier is the issuer's subjectKeyIdentifier", "RFC 5280 §4.2.1.1",
		ALL, aki_is_the_issuers_ski},
	{"no extension stands twice", "RFC 5280 §4.2", ALL, no_extension_stands_twice},
	{"the key is of a kind and strength believed", "RFC 8995 §11.3; NIST SP 800-57", ALL,
		key_is_strong},
	{"the signature uses SHA-256 or stronger", "RFC 9155 §2; RFC 8995 §11.2", ALL,
		algorithm_is_strong},
	{"the issuer is a CA with keyCertSign", "RFC 5280 §4.2.1.3, §4.2.1.9", ALL,
		issuer_may_sign},
	{"the issuer's pathLenConstraint leaves room for a CA", "RFC 5280 §4.2.1.9", CAS,
		issuer_may_have_cas},
	{"basicConstraints is critical and says CA", "RFC 5280 §4.2.1.9", CAS, is_critically_a_ca},
	{"pathLenConstraint is 0", "RFC 5280 §4.2.1.9", P(ISSUING_CA), path_length_is_zero},
	{"keyUsage is critical: keyCertSign, cRLSign", "RFC 5280 §4.2.1.3", CAS,
		usage_is_that_of_a_ca},
	{"a CA has no extendedKeyUsage", "RFC 5280 §4.2.1.12", CAS, has_no_eku},
	{"authorityInfoAccess, where there is one, is not critical and names URIs",
		"RFC 5280 §4.2.2.1", ALL, responders_are_named},
	{"it is no CA", "RFC 5280 §4.2.1.9", ENDS, is_no_ca},
	{"keyUsage is critical: digitalSignature", "RFC 5280 §4.2.1.3", ENDS & ~P(IDEVID),
		usage_is_signing},
	{"the key can sign CMS that others read", "RFC 8366 §5.4; RFC 8419",
		P(IDEVID) | P(MASA_SIGNER) | P(REGISTRAR), key_signs_cms},
	{"subjectAltName, where there is one, holds names", "RFC 5280 §4.2.1.6", ALL,
		san_is_well_formed},
	{"there is a subjectAltName", "RFC 9525 §2; RFC 7030 §3.6.1", P(TLS_SERVER) | P(REGISTRAR),
		has_san},
	{"extendedKeyUsage: cmcRA, serverAuth, clientAuth, not critical",
		"RFC 8995 §5.5.4; RFC 6402 §2.10", P(REGISTRAR), eku_is_registrars},
	{"extendedKeyUsage: serverAuth", "RFC 5280 §4.2.1.12", P(TLS_SERVER), eku_is_tls_servers},
	{"extendedKeyUsage: clientAuth", "RFC 5280 §4.2.1.12", P(LDEVID), eku_is_clients},
	{"the voucher signer has no extendedKeyUsage", "RFC 8366 §5.4", P(MASA_SIGNER), has_no_eku},
	{"the subject has one serialNumber", "RFC 8995 §2.3.1; IEEE 802.1AR §8.6", P(IDEVID),
		has_one_serial_number},
	{"notAfter is 99991231235959Z", "IEEE 802.1AR §8.7; RFC 8995 §2.6.2", P(IDEVID),
		never_expires},
	{"the MASA URL is an IA5String, not critical, and https", "RFC 8995 §2.3.2", P(IDEVID),
		masa_url_is_sound},
	{"an IDevID has no keyUsage", "RFC 8995 §2.3", P(IDEVID), has_no_key_usage},
	{"an IDevID has no extendedKeyUsage", "RFC 8995 §2.3", P(IDEVID), has_no_eku},
	{"only an IDevID has a MASA URL", "RFC 8995 §2.3.2", ALL & ~P(IDEVID), has_no_masa_url},
};
const size_t lint_rule_count = sizeof(lint_rules) / sizeof(lint_rules[0]);

static bool ask(const struct lint_rule *r, X509 *x, X509 *issuer, struct err *e)
{
	return r->holds(x, issuer) ||
	       err_set(e, ossl_verdict(ERR_INPUT), "certificate breaks the rule \"%s\" (%s)",
		       r->name, r->clause);
}

/* An extension that could not be read looks as if it were not there. */
static bool had_memory(struct err *e)
{
	ossl_forget();
	return !ossl_is_starved() || err_set(e, ERR_NO_MEMORY, "no memory to check a certificate");
}

bool lint_check(X509 *candidate, X509 *issuer, enum cert_profile profile, struct err *e)
{
	ossl_begin();
	for (size_t i = 0; i < lint_rule_count; i++)
		if ((lint_rules[i].profiles & 1u << profile) &&
			!ask(&lint_rules[i], candidate, issuer, e))
			return false;
	return had_memory(e);
}

bool lint_check_signed(X509 *candidate, X509 *issuer, struct err *e)
{
	ossl_begin();
	for (size_t i = 0; i < lint_rule_count; i++)
		if (lint_rules[i].holds == algorithm_is_strong &&
			!ask(&lint_rules[i], candidate, issuer, e))
			return false;
	return had_memory(e);
}
