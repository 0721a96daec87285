/* SPDX-License-Identifier: Apache-2.0 */
/* Making certificates: what a profile contains is a row of a table, the request fills in who.
 * The candidate passes the lint table before it is signed, and again with its signature; then the
 * signature is verified with the issuer's public key, because OpenSSL was measured to report
 * success for broken signatures when memory ran out.
 * RFC 5280 §4; IEEE 802.1AR §8; RFC 8995 §2.3, §5.5.4; RFC 7093 §2 method 1. */
#include "common/pki/issue.h"

#include <openssl/bn.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/pki/crl_points.h"
#include "common/pki/digest.h"
#include "common/pki/idevid.h"
#include "common/pki/lint.h"
#include "common/pki/name.h"
#include "common/pki/oid.h"
#include "common/pki/ossl.h"
#include "common/pki/san.h"
#include "common/wire/der.h"

#define SERIAL_LEN 16 /* 128 random bits; RFC 5280 allows 20 octets, guessing wants 64 bits */
#define SKI_LEN	   20 /* RFC 7093 §2 (1): the leftmost 160 bits of SHA-256 */
#define EKU_MAX	   3
#define NO_EXPIRY  "99991231235959Z"

struct profile {
	bool ca;
	long path_length;  /* -1: none */
	int usage_bits[2]; /* positions in keyUsage; -1: none */
	int eku[EKU_MAX];  /* NID_undef ends the list */
};

/* keyUsage bit positions, RFC 5280 §4.2.1.3 */
enum { DIGITAL_SIGNATURE = 0, KEY_CERT_SIGN = 5, CRL_SIGN = 6 };

static const struct profile profiles[PROFILE_COUNT] = {
	[PROFILE_ROOT_CA] = {true, -1, {KEY_CERT_SIGN, CRL_SIGN}, {NID_undef}},
	[PROFILE_ISSUING_CA] = {true, 0, {KEY_CERT_SIGN, CRL_SIGN}, {NID_undef}},
	[PROFILE_IDEVID] = {false, -1, {-1, -1}, {NID_undef}},
	[PROFILE_MASA_SIGNER] = {false, -1, {DIGITAL_SIGNATURE, -1}, {NID_undef}},
	[PROFILE_TLS_SERVER] = {false, -1, {DIGITAL_SIGNATURE, -1}, {NID_server_auth}},
	[PROFILE_REGISTRAR] = {false, -1, {DIGITAL_SIGNATURE, -1},
		{NID_cmcRA, NID_server_auth, NID_client_auth}},
	[PROFILE_LDEVID] = {false, -1, {DIGITAL_SIGNATURE, -1}, {NID_client_auth}},
};

/* ---- who and when ---- */

static bool set_serial(X509 *x, struct err *e)
{
	uint8_t octets[SERIAL_LEN];
	BIGNUM *n;
	bool ok;

	if (!rng_bytes(octets, sizeof(octets), e))
		return false;
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok || ossl_fail(e, ERR_NO_MEMORY, "serial");
}

static bool set_subject(X509 *x, const struct issue_request *r, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(NAME_DER_MAX);
	OSSL_AUTO(X509_NAME) X509_NAME *name = NULL;
	struct bytes der = r->subject_der;
	const uint8_t *p;

	if (!der.len) {
		if (!name_format(r->organization, r->organizational_unit, r->common_name,
			    r->serial_number, &made, e))
			return false;
		der = buf_bytes(&made);
	}
	p = der.data;
	name = d2i_X509_NAME(NULL, &p, (long)der.len);
	if (!name || p != der.data + der.len)
		return ossl_fail(e, ERR_INPUT, "subject is not a name");
	return X509_set_subject_name(x, name) == 1 || ossl_fail(e, ERR_NO_MEMORY, "subject");
}

static bool set_issuer(X509 *x, const struct issue_request *r, struct err *e)
{
	const X509 *from = r->issuer ? cert_x509(r->issuer->cert) : x;

	return X509_set_issuer_name(x, X509_get_subject_name(from)) == 1 ||
	       ossl_fail(e, ERR_NO_MEMORY, "issuer");
}

static bool set_time(ASN1_TIME *t, int64_t unix_s, struct err *e)
{
	bool ok = unix_s == INT64_MAX ? ASN1_TIME_set_string_X509(t, NO_EXPIRY) == 1
				      : ASN1_TIME_set(t, (time_t)unix_s) != NULL;

	return ok || ossl_fail(e, ERR_INPUT, "time outside of what a certificate can say");
}

/* Within the issuer's validity, except for an IDevID, which outlives every CA (802.1AR §8.7). */
static bool set_validity(X509 *x, const struct issue_request *r, struct err *e)
{
	int64_t from = r->not_before, until = r->not_after;

	if (r->issuer && r->profile != PROFILE_IDEVID) {
		const struct cert *issuer = r->issuer->cert;

		from = from < cert_not_before(issuer) ? cert_not_before(issuer) : from;
		until = until > cert_not_after(issuer) ? cert_not_after(issuer) : until;
	}
	return set_time(X509_getm_notBefore(x), from, e) &&
	       set_time(X509_getm_notAfter(x), until, e);
}

/* ---- extensions ---- */

static bool add_struct(X509 *x, int nid, void *value, bool critical, struct err *e)
{
	return (value && X509_add1_ext_i2d(x, nid, value, critical, X509V3_ADD_APPEND) == 1) ||
	       ossl_fail(e, ERR_NO_MEMORY, "extension %s", OBJ_nid2sn(nid));
}

/* An extension whose value is DER already. */
static bool add_raw(X509 *x, const char *oid, struct bytes value, bool critical, struct err *e)
{
	OSSL_AUTO(ASN1_OBJECT) ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	OSSL_AUTO(ASN1_OCTET_STRING) ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;
	bool ok;

	if (object && octets && ASN1_OCTET_STRING_set(octets, value.data, (int)value.len) == 1)
		ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
	ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok || ossl_fail(e, ERR_NO_MEMORY, "extension %s", oid);
}

static bool add_basic_constraints(X509 *x, const struct profile *p, struct err *e)
{
	OSSL_AUTO(BASIC_CONSTRAINTS) BASIC_CONSTRAINTS *bc = NULL;

	if (!p->ca)
		return true;
	bc = BASIC_CONSTRAINTS_new();
	if (bc) {
		bc->ca = 0xff;
		if (p->path_length >= 0)
			bc->pathlen = ASN1_INTEGER_new();
		if (p->path_length >= 0 &&
			(!bc->pathlen || ASN1_INTEGER_set(bc->pathlen, p->path_length) != 1))
			return ossl_fail(e, ERR_NO_MEMORY, "basicConstraints");
	}
	return add_struct(x, NID_basic_constraints, bc, true, e);
}

static bool add_key_usage(X509 *x, const struct profile *p, struct err *e)
{
	ASN1_BIT_STRING *bits;
	bool ok = true;

	if (p->usage_bits[0] < 0)
		return true;
	bits = ASN1_BIT_STRING_new();
	for (int i = 0; bits && i < 2 && p->usage_bits[i] >= 0; i++)
		ok = ok && ASN1_BIT_STRING_set_bit(bits, p->usage_bits[i], 1) == 1;
	ok = ok ? add_struct(x, NID_key_usage, bits, true, e)
		: ossl_fail(e, ERR_NO_MEMORY, "keyUsage");
	ASN1_BIT_STRING_free(bits);
	return ok;
}

static bool add_eku(X509 *x, const struct profile *p, struct err *e)
{
	OSSL_AUTO(EXTENDED_KEY_USAGE) EXTENDED_KEY_USAGE *eku = NULL;

	if (p->eku[0] == NID_undef)
		return true;
	eku = EXTENDED_KEY_USAGE_new();
	for (int i = 0; eku && i < EKU_MAX && p->eku[i] != NID_undef; i++)
		if (sk_ASN1_OBJECT_push(eku, OBJ_nid2obj(p->eku[i])) <= 0)
			return ossl_fail(e, ERR_NO_MEMORY, "extendedKeyUsage");
	return add_struct(x, NID_ext_key_usage, eku, false, e);
}

/* RFC 7093 §2 (1): a digest that resists second preimages, for the domainID (R8995-MASA-035). */
static bool add_ski(X509 *x, struct bytes spki, struct err *e)
{
	OSSL_AUTO(ASN1_OCTET_STRING) ASN1_OCTET_STRING *ski = ASN1_OCTET_STRING_new();
	uint8_t digest[SHA256_LEN];
	struct bytes bits;

	if (!key_spki_bits(spki, &bits, e) || !digest_sha256(bits, digest, e))
		return false;
	if (!ski || ASN1_OCTET_STRING_set(ski, digest, SKI_LEN) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "subjectKeyIdentifier");
	return add_struct(x, NID_subject_key_identifier, ski, false, e);
}

static bool add_aki(X509 *x, const struct issue_request *r, struct err *e)
{
	OSSL_AUTO(AUTHORITY_KEYID) AUTHORITY_KEYID *aki = NULL;
	struct bytes ski;

	if (!r->issuer)
		return true;
	ski = cert_ski(r->issuer->cert);
	if (!ski.len)
		return err_set(e, ERR_INPUT,
			"the issuing CA's certificate has no subjectKeyIdentifier (RFC 5280 "
			"§4.2.1.2)");
	aki = AUTHORITY_KEYID_new();
	if (!aki || !(aki->keyid = ASN1_OCTET_STRING_new()) ||
		ASN1_OCTET_STRING_set(aki->keyid, ski.data, (int)ski.len) != 1)
		return ossl_fail(e, ERR_NO_MEMORY, "authorityKeyIdentifier");
	return add_struct(x, NID_authority_key_identifier, aki, false, e);
}

static bool add_san(X509 *x, const struct issue_request *r, struct err *e)
{
	BUF_AUTO struct buf made = BUF_INIT(SAN_DER_MAX);
	bool critical = X509_NAME_entry_count(X509_get_subject_name(x)) == 0;

	if (r->san_der.len)
		return add_raw(x, "2.5.29.17", r->san_der, critical, e);
	if (!r->san)
		return true;
	return san_format(r->san, &made, e) &&
	       add_raw(x, "2.5.29.17", buf_bytes(&made), critical, e);
}

/* Cut down to the authority where the rest is the default (R8995-PLG-062). */
static bool masa_url_text(const char *url, struct buf *out, struct err *e)
{
	struct uri u, standard;

	if (!idevid_masa_uri_parse(url, &u, e) || !idevid_masa_uri_parse("h", &standard, e))
		return false;
	if (strcmp(u.path, standard.path) != 0)
		return uri_format(&u, out, e);
	u.path[0] = '\0';
	if (!uri_format(&u, out, e))
		return false;
	buf_consume(out, strlen("https://"));
	return true;
}

static bool add_masa_url(X509 *x, const struct issue_request *r, struct err *e)
{
	BUF_AUTO struct buf text = BUF_INIT(URI_HOST_MAX + URI_PATH_MAX + 32);
	BUF_AUTO struct buf value = BUF_INIT(URI_HOST_MAX + URI_PATH_MAX + 64);

	if (!r->masa_url)
		return true;
	return masa_url_text(r->masa_url, &text, e) &&
	       der_put(&value, DER_IA5_STRING, buf_bytes(&text), e) &&
	       add_raw(x, MASA_URL_OID, buf_bytes(&value), false, e);
}

/* CRLDistributionPoints with one point: a fullName of one URI (RFC 5280 §4.2.1.13). */
static bool add_crl_url(X509 *x, const struct issue_request *r, struct err *e)
{
	static const uint8_t tags[] = {DER_CONTEXT(6), DER_CONTEXT_CONSTRUCTED(0),
		DER_CONTEXT_CONSTRUCTED(0), DER_SEQUENCE, DER_SEQUENCE};
	BUF_AUTO struct buf value = BUF_INIT(CRL_URI_MAX + 64);

	if (!r->crl_url)
		return true;
	if (!buf_append_str(&value, r->crl_url, e))
		return false;
	for (size_t i = 0; i < sizeof(tags); i++) {
		BUF_AUTO struct buf content = value;

		value = (struct buf)BUF_INIT(CRL_URI_MAX + 64);
		if (!der_put(&value, tags[i], buf_bytes(&content), e))
			return false;
	}
	return add_raw(x, "2.5.29.31", buf_bytes(&value), false, e);
}

/* AuthorityInfoAccessSyntax with one description: id-ad-ocsp and a URI (RFC 5280 §4.2.2.1). */
static bool add_ocsp_url(X509 *x, const struct issue_request *r, struct err *e)
{
	BUF_AUTO struct buf method = BUF_INIT(CRL_URI_MAX + 64);
	BUF_AUTO struct buf description = BUF_INIT(CRL_URI_MAX + 64);
	BUF_AUTO struct buf value = BUF_INIT(CRL_URI_MAX + 64);

	if (!r->ocsp_url)
		return true;
	return der_put(&method, DER_OID, (struct bytes)OID_OCSP, e) &&
	       der_put(&method, DER_CONTEXT(6), bytes_of_str(r->ocsp_url), e) &&
	       der_put(&description, DER_SEQUENCE, buf_bytes(&method), e) &&
	       der_put(&value, DER_SEQUENCE, buf_bytes(&description), e) &&
	       add_raw(x, "1.3.6.1.5.5.7.1.1", buf_bytes(&value), false, e);
}

static bool add_extensions(X509 *x, const struct issue_request *r, struct bytes spki, struct err *e)
{
	const struct profile *p = &profiles[r->profile];

	return add_ski(x, spki, e) && add_aki(x, r, e) && add_basic_constraints(x, p, e) &&
	       add_key_usage(x, p, e) && add_eku(x, p, e) && add_san(x, r, e) &&
	       add_masa_url(x, r, e) && add_crl_url(x, r, e) && add_ocsp_url(x, r, e);
}

/* ---- the making ---- */

/* The kinds of parameters that keys we believe have: none, NULL, or the name of a curve. */
static bool copy_parameters(int type, const void *value, void **out, struct err *e)
{
	*out = NULL;
	if (type == V_ASN1_UNDEF || type == V_ASN1_NULL)
		return true;
	if (type != V_ASN1_OBJECT)
		return err_set(e, ERR_INPUT, "public key of a kind that is not supported");
	*out = OBJ_dup(value);
	return *out || ossl_fail(e, ERR_NO_MEMORY, "public key");
}

static bool set_key_parts(X509 *x, const X509_ALGOR *alg, struct bytes bits, struct err *e)
{
	const ASN1_OBJECT *oid;
	const void *value;
	ASN1_OBJECT *own_oid;
	uint8_t *own_bits;
	void *own_value;
	int type;

	X509_ALGOR_get0(&oid, &type, &value, alg);
	if (!copy_parameters(type, value, &own_value, e))
		return false;
	own_oid = OBJ_dup(oid);
	own_bits = OPENSSL_memdup(bits.data, bits.len);
	if (own_oid && own_bits &&
		X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(x), own_oid, type, own_value, own_bits,
			(int)bits.len) == 1)
		return true;
	ASN1_OBJECT_free(own_oid);
	ASN1_OBJECT_free(own_value);
	OPENSSL_free(own_bits);
	return ossl_fail(e, ERR_NO_MEMORY, "public key");
}

/* The octets as they came: X509_set_pubkey() would encode and decode the key again, which is a
 * third of the whole cost. The lint table reads the key out of what stands here. */
static bool set_key(X509 *x, struct bytes spki, struct err *e)
{
	OSSL_AUTO(X509_ALGOR) X509_ALGOR *alg = NULL;
	struct der d = der_of(spki);
	struct der_tlv seq, alg_tlv;
	struct bytes bits;
	const uint8_t *p;

	if (!key_spki_bits(spki, &bits, e) ||
		!der_expect(&d, DER_SEQUENCE, &seq, "public key", e) ||
		!der_expect(&seq.content, DER_SEQUENCE, &alg_tlv, "public key", e))
		return false;
	p = alg_tlv.whole.data;
	alg = d2i_X509_ALGOR(NULL, &p, (long)alg_tlv.whole.len);
	if (!alg)
		return ossl_fail(e, ERR_INPUT, "public key of a kind that is not supported");
	return set_key_parts(x, alg, bits, e);
}

static bool build(X509 *x, const struct issue_request *r, struct bytes spki, struct err *e)
{
	return (X509_set_version(x, X509_VERSION_3) == 1 ||
		       ossl_fail(e, ERR_NO_MEMORY, "version")) &&
	       set_serial(x, e) && set_subject(x, r, e) && set_issuer(x, r, e) &&
	       set_validity(x, r, e) && set_key(x, spki, e) && add_extensions(x, r, spki, e);
}

/* Lint, sign, and lint what signing has put in: the rest stands as it was found good. */
static bool sign(X509 *x, const struct issue_request *r, struct err *e)
{
	X509 *issuer = r->issuer ? cert_x509(r->issuer->cert) : NULL;
	const struct key *key = r->issuer ? r->issuer->key : r->self_key;

	if (!lint_check(x, issuer, r->profile, e))
		return false;
	if (X509_sign(x, key_evp(key), key_digest(key)) <= 0)
		return ossl_fail(e, ERR_NO_MEMORY, "signing");
	return lint_check_signed(x, issuer, e);
}

/* What leaves is what was verified: the octets, read back, under the issuer's certificate. */
static struct cert *read_back(X509 *x, const struct issue_request *r, struct err *e)
{
	struct cert *c = cert_from_x509(x, e);
	const struct cert *issuer = r->issuer ? r->issuer->cert : c;

	if (c && !cert_signed_by(c, issuer, e)) {
		if (e->kind != ERR_NO_MEMORY)
			e->kind = ERR_BUG;
		err_prefix(e, "the new certificate");
		cert_unref(&c);
	}
	return c;
}

struct cert *issue_certificate(const struct issue_request *r, struct err *e)
{
	OSSL_AUTO(X509) X509 *x = X509_new();
	BUF_AUTO struct buf own_spki = BUF_INIT(CERT_DER_MAX);
	struct bytes spki = r->spki;
	struct cert *c = NULL;

	ossl_begin();
	if (r->issuer && !cert_x509(r->issuer->cert)) {
		err_set(e, ERR_NO_MEMORY, "no memory for the issuer's certificate");
		return NULL;
	}
	if (!r->issuer && !r->self_key) {
		err_set(e, ERR_BUG, "neither issuer nor own key");
		return NULL;
	}
	if (!r->issuer) {
		if (!key_public_spki(r->self_key, &own_spki, e))
			return NULL;
		spki = buf_bytes(&own_spki);
	}
	if (!x)
		ossl_fail(e, ERR_NO_MEMORY, "certificate");
	else if (build(x, r, spki, e) && sign(x, r, e))
		c = read_back(x, r, e);
	if (!c)
		err_prefix(e, "certificate not issued");
	ossl_forget();
	return c;
}
