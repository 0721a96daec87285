/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL makes of a certificate that we accepted: the reference for cert_plain.c, which reads
 * most of them without it. For unit tests and fuzz targets. */
#ifndef TESTS_CERT_REFERENCE_H
#define TESTS_CERT_REFERENCE_H

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "common/pki/cert.h"
#include "common/pki/name.h"

static inline bool reference_octets(struct bytes ours, const ASN1_OCTET_STRING *theirs)
{
	return theirs ? bytes_equal(ours, bytes_of(ASN1_STRING_get0_data(theirs),
						  (size_t)ASN1_STRING_length(theirs)))
		      : ours.len == 0;
}

static inline bool reference_name(const char *ours, const X509_NAME *theirs)
{
	char text[NAME_TEXT_MAX + 1];
	struct err e = ERR_INIT;

	return name_text(theirs, text, &e) && strcmp(text, ours) == 0;
}

static inline bool reference_serial_number(const struct cert *c, const X509_NAME *subject)
{
	char text[CERT_SERIAL_NUMBER_MAX + 1];
	const char *fault = name_attribute(subject, NID_serialNumber, text, sizeof(text));

	if (fault || !cert_serial_number(c))
		return fault && cert_serial_number_fault(c) &&
		       strcmp(fault, cert_serial_number_fault(c)) == 0;
	return strcmp(text, cert_serial_number(c)) == 0;
}

static inline bool reference_time(int64_t ours, const ASN1_TIME *theirs)
{
	static const char no_expiry[] = "99991231235959Z";
	struct tm tm;

	if (ASN1_TIME_to_tm(theirs, &tm) != 1)
		return false;
	if (ours == INT64_MAX)
		return strcmp((const char *)ASN1_STRING_get0_data(theirs), no_expiry) == 0;
	return timegm(&tm) == ours;
}

static inline unsigned reference_eku(X509 *x)
{
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	unsigned bits = eku ? CERT_EKU_PRESENT : 0;

	for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
		int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i));

		bits |= nid == NID_server_auth ? CERT_EKU_SERVER_AUTH : 0;
		bits |= nid == NID_client_auth ? CERT_EKU_CLIENT_AUTH : 0;
		bits |= nid == NID_cmcRA ? CERT_EKU_CMC_RA : 0;
		bits |= nid == NID_anyExtendedKeyUsage ? CERT_EKU_ANY : 0;
	}
	EXTENDED_KEY_USAGE_free(eku);
	return bits;
}

/* What a path might depend on beyond signature, names and times. */
static inline bool reference_is_plain(X509 *x)
{
	EVP_PKEY *key = X509_get0_pubkey(x);

	return !(X509_get_extension_flags(x) &
		       (EXFLAG_CA | EXFLAG_CRITICAL | EXFLAG_PROXY | EXFLAG_SI | EXFLAG_INVALID)) &&
	       X509_get_ext_by_NID(x, NID_name_constraints, -1) < 0 &&
	       X509_get_ext_by_NID(x, NID_certificate_policies, -1) < 0 &&
	       X509_get_ext_by_NID(x, NID_crl_distribution_points, -1) < 0 && key &&
	       EVP_PKEY_get_security_bits(key) >= 112;
}

/* NULL: the same. Else in which respect they differ. */
static inline const char *reference_compare(const struct cert *c, X509 *x)
{
	bool is_self_signed;

	if (X509_check_purpose(x, -1, 0) != 1)
		return "an extension is malformed";
	is_self_signed =
		bytes_equal(cert_subject_der(c), cert_issuer_der(c)) && X509_self_signed(x, 1) == 1;
	if (EVP_PKEY_eq(X509_get0_pubkey(x), cert_public_key(c)) != 1)
		return "public key";
	if (!reference_name(cert_subject(c), X509_get_subject_name(x)) ||
		!reference_name(cert_issuer(c), X509_get_issuer_name(x)))
		return "names";
	if (!reference_serial_number(c, X509_get_subject_name(x)))
		return "serialNumber";
	if (!reference_time(cert_not_before(c), X509_get0_notBefore(x)) ||
		!reference_time(cert_not_after(c), X509_get0_notAfter(x)))
		return "validity";
	if (!reference_octets(cert_ski(c), X509_get0_subject_key_id(x)) ||
		!reference_octets(cert_aki(c), X509_get0_authority_key_id(x)))
		return "key identifiers";
	if (reference_eku(x) != cert_eku(c))
		return "extended key usage";
	if (cert_is_ca(c) != !!(X509_get_extension_flags(x) & EXFLAG_CA))
		return "CA or not";
	if (cert_is_self_signed(c) != is_self_signed)
		return "self-signed or not";
	return cert_is_plain(c) && !reference_is_plain(x) ? "plain or not" : NULL;
}

static inline const char *cert_reference_difference(const struct cert *c)
{
	struct bytes der = cert_der(c);
	const uint8_t *p = der.data;
	X509 *x = d2i_X509(NULL, &p, (long)der.len);
	const char *difference;

	if (!x)
		return "not a certificate";
	difference = p == der.data + der.len ? reference_compare(c, x) : "octets after its end";
	X509_free(x);
	ERR_clear_error();
	return difference;
}

#endif
