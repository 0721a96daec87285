/* SPDX-License-Identifier: Apache-2.0 */
/* Making revocation lists: see crl_make.h. No entry has a reason: whoever looks at the list only
 * asks whether (RFC 5280 §5.3.1 leaves it out rather than saying "unspecified"). */
#include "common/pki/crl_make.h"

#include <string.h>

#include "common/pki/ossl.h"
#include "common/wire/der.h"

bool crl_issuer_fits(const struct cert *issuer, struct err *e)
{
	X509 *x = cert_x509(issuer);

	if (!x)
		return err_set(e, ERR_NO_MEMORY, "no memory for a certificate");
	if (!(X509_get_key_usage(x) & KU_CRL_SIGN))
		return err_set(e, ERR_INPUT,
			"\"%s\" may not sign revocation lists: its keyUsage lacks cRLSign "
			"(RFC 5280 §4.2.1.3)",
			cert_subject(issuer));
	return cert_ski(issuer).len > 0 ||
	       err_set(e, ERR_INPUT, "\"%s\" has no subjectKeyIdentifier (RFC 5280 §4.2.1.2)",
		       cert_subject(issuer));
}

/* ---- its pieces ---- */

static bool set_times(X509_CRL *crl, const struct crl_request *r, struct err *e)
{
	OSSL_AUTO(ASN1_TIME) ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)r->this_update);
	OSSL_AUTO(ASN1_TIME) ASN1_TIME *until = ASN1_TIME_set(NULL, (time_t)r->next_update);

	if (r->next_update <= r->this_update)
		return err_set(e, ERR_INPUT, "nextUpdate is not after thisUpdate");
	return (from && until && X509_CRL_set1_lastUpdate(crl, from) == 1 &&
		       X509_CRL_set1_nextUpdate(crl, until) == 1) ||
	       ossl_fail(e, ERR_INPUT, "times of a revocation list");
}

/* The octets as they stand in the certificate, negative or padded ones too. */
static ASN1_INTEGER *serial_number(const struct crl_entry *entry)
{
	uint8_t der[2 + CERT_SERIAL_MAX] = {DER_INTEGER, (uint8_t)entry->serial_len};
	const uint8_t *p = der;

	memcpy(der + 2, entry->serial, entry->serial_len);
	return d2i_ASN1_INTEGER(NULL, &p, (long)(2 + entry->serial_len));
}

static bool add_entry(X509_CRL *crl, const struct crl_entry *entry, struct err *e)
{
	OSSL_AUTO(ASN1_INTEGER) ASN1_INTEGER *number = serial_number(entry);
	OSSL_AUTO(ASN1_TIME) ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)entry->revoked_at);
	X509_REVOKED *revoked = X509_REVOKED_new();

	if (number && at && revoked && X509_REVOKED_set_serialNumber(revoked, number) == 1 &&
		X509_REVOKED_set_revocationDate(revoked, at) == 1 &&
		X509_CRL_add0_revoked(crl, revoked) == 1)
		return true;
	X509_REVOKED_free(revoked);
	return ossl_fail(e, ERR_NO_MEMORY, "entry of a revocation list");
}

static bool add_number(X509_CRL *crl, int64_t number, struct err *e)
{
	OSSL_AUTO(ASN1_INTEGER) ASN1_INTEGER *n = ASN1_INTEGER_new();

	return (n && ASN1_INTEGER_set_int64(n, number) == 1 &&
		       X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, X509V3_ADD_APPEND) == 1) ||
	       ossl_fail(e, ERR_NO_MEMORY, "cRLNumber");
}

static bool add_aki(X509_CRL *crl, const struct cert *issuer, struct err *e)
{
	OSSL_AUTO(AUTHORITY_KEYID) AUTHORITY_KEYID *aki = AUTHORITY_KEYID_new();
	struct bytes ski = cert_ski(issuer);

	return (aki && (aki->keyid = ASN1_OCTET_STRING_new()) &&
		       ASN1_OCTET_STRING_set(aki->keyid, ski.data, (int)ski.len) == 1 &&
		       X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, aki, 0,
			       X509V3_ADD_APPEND) == 1) ||
	       ossl_fail(e, ERR_NO_MEMORY, "authorityKeyIdentifier");
}

/* ---- the making ---- */

static bool build(X509_CRL *crl, const struct crl_request *r, struct err *e)
{
	const struct cert *issuer = r->issuer->cert;

	if (X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
		X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(issuer))) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "issuer");
	if (!set_times(crl, r, e))
		return false;
	for (size_t i = 0; i < r->entry_count; i++)
		if (!add_entry(crl, &r->entries[i], e))
			return false;
	return add_aki(crl, issuer, e) && add_number(crl, r->number, e);
}

static bool sign(X509_CRL *crl, const struct key *key, struct buf *out, struct err *e)
{
	uint8_t *der = NULL;
	bool ok;
	int len;

	if (X509_CRL_sort(crl) != 1 || X509_CRL_sign(crl, key_evp(key), key_digest(key)) <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "signing");
	len = i2d_X509_CRL(crl, &der);
	if (len <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "revocation list");
	ok = buf_append(out, der, (size_t)len, e);
	OPENSSL_free(der);
	return ok;
}

/* What leaves is what was verified, and it names everybody it should. */
static bool read_back(const struct crl_request *r, struct bytes der, struct err *e)
{
	CRL_LIST_AUTO struct crl_list *l = crl_list_open(der, r->issuer->cert, r->this_update, e);
	bool whole = l && crl_list_count(l) == r->entry_count;

	for (size_t i = 0; whole && i < r->entry_count; i++)
		whole = crl_list_names_serial(
			l, bytes_of(r->entries[i].serial, r->entries[i].serial_len));
	if (l && !whole)
		err_set(e, ERR_BUG, "the new list does not name who is to be on it");
	if (!whole && e->kind != ERR_NO_MEMORY)
		e->kind = ERR_BUG;
	return whole;
}

static bool make(const struct crl_request *r, struct buf *out, struct err *e)
{
	OSSL_AUTO(X509_CRL) X509_CRL *crl = X509_CRL_new();
	BUF_AUTO struct buf der = BUF_INIT(CRL_LIST_DER_MAX);

	if (!crl)
		return ossl_fail(e, ERR_NO_MEMORY, "revocation list");
	return build(crl, r, e) && sign(crl, r->issuer->key, &der, e) &&
	       read_back(r, buf_bytes(&der), e) && buf_append(out, der.data, der.len, e);
}

bool crl_make(const struct crl_request *r, struct buf *out, struct err *e)
{
	bool ok;

	ossl_begin();
	if (r->entry_count > CRL_ENTRIES_MAX)
		return err_set(e, ERR_TOO_LARGE,
			"revocation list of %zu certificates: more than %d", r->entry_count,
			CRL_ENTRIES_MAX);
	ok = crl_issuer_fits(r->issuer->cert, e) && make(r, out, e);
	ossl_forget();
	return ok || err_prefix(e, "revocation list not made");
}
