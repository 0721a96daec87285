/* SPDX-License-Identifier: Apache-2.0 */
/* Every profile is made and judged by OpenSSL's own path validation; every rule of the lint table
 * is broken once and must say so. */
#include "tests/unit/pki_fixture.h"

#include <openssl/sha.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include "common/pki/crl_points.h"
#include "common/pki/idevid.h"
#include "common/pki/issue.h"
#include "common/pki/lint.h"
#include "common/pki/san.h"

#define NOW  1800000000
#define YEAR 31536000

static struct identity root, issuing;
static struct key *device_key;
static struct buf device_spki;

static struct cert *issue(struct issue_request r, struct err *e)
{
	if (!r.not_before)
		r.not_before = NOW;
	if (!r.not_after)
		r.not_after = NOW + YEAR;
	if (!r.spki.len)
		r.spki = buf_bytes(&device_spki);
	return issue_certificate(&r, e);
}

static struct cert *must_issue(struct issue_request r)
{
	struct err e = ERR_INIT;
	struct cert *c = issue(r, &e);

	if (!c)
		fail_msg("%s", e.text);
	assert_queue_empty();
	return c;
}

static int make_hierarchy(void **state)
{
	struct err e = ERR_INIT;
	struct buf spki = BUF_INIT(1024);

	device_spki = (struct buf)BUF_INIT(1024);
	device_key = key_generate(KEY_EC_P256, &e);
	assert_true(key_public_spki(device_key, &device_spki, &e));
	root.key = key_generate(KEY_EC_P384, &e);
	root.cert = must_issue((struct issue_request){.profile = PROFILE_ROOT_CA,
		.self_key = root.key,
		.common_name = "Root",
		.not_before = NOW - YEAR,
		.not_after = NOW + 10 * (int64_t)YEAR});
	issuing.key = key_generate(KEY_EC_P256, &e);
	assert_true(key_public_spki(issuing.key, &spki, &e));
	issuing.cert = must_issue((struct issue_request){.profile = PROFILE_ISSUING_CA,
		.issuer = &root,
		.spki = buf_bytes(&spki),
		.common_name = "Issuing",
		.not_before = NOW - YEAR / 2,
		.not_after = NOW + 5 * (int64_t)YEAR});
	buf_clear(&spki);
	return 0;
}

static int free_hierarchy(void **state)
{
	identity_clear(&root);
	identity_clear(&issuing);
	key_free(device_key);
	buf_clear(&device_spki);
	return 0;
}

static struct issue_request request(enum cert_profile profile)
{
	struct issue_request r = {.profile = profile,
		.issuer = &issuing,
		.common_name = "x",
		.serial_number = "SN-1"};

	if (profile == PROFILE_IDEVID) {
		r.masa_url = "masa.example";
		r.not_after = INT64_MAX;
	}
	if (profile == PROFILE_REGISTRAR || profile == PROFILE_TLS_SERVER)
		r.san = "DNS:registrar.example,IP:192.0.2.1,IP:2001:db8::1";
	return r;
}

static bool openssl_accepts(const struct cert *c, int purpose)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *others = sk_X509_new_null();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	int rc;

	X509_STORE_add_cert(store, cert_x509(root.cert));
	sk_X509_push(others, cert_x509(issuing.cert));
	X509_STORE_CTX_init(ctx, store, cert_x509(c), others);
	p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
	X509_VERIFY_PARAM_set_purpose(p, purpose);
	X509_VERIFY_PARAM_set_time(p, NOW + 60);
	rc = X509_verify_cert(ctx);
	if (rc != 1)
		print_message("%s\n", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	sk_X509_free(others);
	X509_STORE_free(store);
	return rc == 1;
}

/* ---- profiles ---- */

static void issue_certificate__every_profile__passes_openssls_strict_check(void **state)
{
	for (int p = PROFILE_IDEVID; p < PROFILE_COUNT; p++) {
		CERT_AUTO struct cert *c = must_issue(request((enum cert_profile)p));

		assert_true(openssl_accepts(c, X509_PURPOSE_ANY));
		assert_false(cert_is_ca(c));
	}
	assert_true(openssl_accepts(issuing.cert, X509_PURPOSE_ANY));
	assert_true(openssl_accepts(root.cert, X509_PURPOSE_ANY));
}

/* req: R8995-REG-034 */
static void issue_certificate__registrar__serves_and_asks_and_is_a_ra(void **state)
{
	CERT_AUTO struct cert *c = must_issue(request(PROFILE_REGISTRAR));
	bool critical = true;

	assert_int_equal(cert_eku(c),
		CERT_EKU_PRESENT | CERT_EKU_SERVER_AUTH | CERT_EKU_CLIENT_AUTH | CERT_EKU_CMC_RA);
	assert_true(cert_extension(c, "2.5.29.37", &critical).len > 0);
	assert_false(critical);
	assert_true(openssl_accepts(c, X509_PURPOSE_SSL_SERVER));
	assert_true(openssl_accepts(c, X509_PURPOSE_SSL_CLIENT));
	assert_int_equal(X509_check_host(cert_x509(c), "registrar.example", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert_x509(c), "192.0.2.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert_x509(c), "2001:db8::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert_x509(c), "192.0.2.2", 0), 0);
}

/* req: R8995-PLG-062 */
static void issue_certificate__idevid__is_what_802_1ar_and_brski_want(void **state)
{
	CERT_AUTO struct cert *c = must_issue(request(PROFILE_IDEVID));
	struct err e = ERR_INIT;
	struct uri u;
	bool critical = true;

	assert_string_equal(cert_serial_number(c), "SN-1");
	assert_true(cert_not_after(c) == INT64_MAX);
	assert_int_equal(cert_eku(c), 0);
	assert_int_equal(cert_extension(c, "2.5.29.15", NULL).len, 0);
	assert_true(idevid_masa_uri(c, &u, &e));
	assert_string_equal(u.host, "masa.example");
	assert_int_equal(cert_extension(c, MASA_URL_OID, &critical).len, 14);
	assert_false(critical);
	assert_true(bytes_equal(cert_aki(c), cert_ski(issuing.cert)));
}

/* req: R8995-PLG-062 */
static void issue_certificate__masa_url__is_cut_to_the_authority_where_it_can_be(void **state)
{
	static const char *const urls[][2] = {
		{"https://masa.example/.well-known/brski/", "masa.example"},
		{"https://masa.example:9443", "masa.example:9443"},
		{"[2001:db8::1]:9443", "[2001:db8::1]:9443"},
		{"masa.example/x", "https://masa.example/x"},
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct issue_request r = request(PROFILE_IDEVID);
		CERT_AUTO struct cert *c = NULL;
		struct bytes value;

		r.masa_url = urls[i][0];
		c = must_issue(r);
		value = cert_extension(c, MASA_URL_OID, NULL);
		assert_true(bytes_equal(
			bytes_of(value.data + 2, value.len - 2), bytes_of_str(urls[i][1])));
	}
}

/* req: R8995-MASA-035, R8995-REG-045 */
static void issue_certificate__key_identifiers__are_of_sha256(void **state)
{
	CERT_AUTO struct cert *c = must_issue(request(PROFILE_LDEVID));
	uint8_t digest[32];

	SHA256(cert_key_bits(c).data, cert_key_bits(c).len, digest);
	assert_true(bytes_equal(cert_ski(c), bytes_of(digest, 20)));
	assert_true(bytes_equal(cert_aki(c), cert_ski(issuing.cert)));
	assert_true(bytes_equal(cert_spki(c), buf_bytes(&device_spki)));
}

static void issue_certificate__serials__are_long_positive_and_never_the_same(void **state)
{
	CERT_AUTO struct cert *a = must_issue(request(PROFILE_LDEVID));
	CERT_AUTO struct cert *b = must_issue(request(PROFILE_LDEVID));

	assert_false(bytes_equal(cert_serial(a), cert_serial(b)));
	assert_true(cert_serial(a).len >= 12 && cert_serial(a).len <= 17);
	assert_int_equal(cert_serial(a).data[0] & 0x80, 0);
}

static void issue_certificate__longer_than_the_issuer__is_cut(void **state)
{
	struct issue_request r = request(PROFILE_LDEVID);
	CERT_AUTO struct cert *c = NULL;

	r.not_before = NOW - 10 * (int64_t)YEAR;
	r.not_after = INT64_MAX;
	c = must_issue(r);
	assert_true(cert_not_after(c) == cert_not_after(issuing.cert));
	assert_true(cert_not_before(c) == cert_not_before(issuing.cert));
}

static void issue_certificate__subject_from_a_request__is_kept_to_the_octet(void **state)
{
	CERT_AUTO struct cert *idevid = must_issue(request(PROFILE_IDEVID));
	struct issue_request r = request(PROFILE_LDEVID);
	CERT_AUTO struct cert *c = NULL;

	r.subject_der = cert_subject_der(idevid);
	c = must_issue(r);
	assert_true(bytes_equal(cert_subject_der(c), cert_subject_der(idevid)));
}

static void issue_certificate__every_key_type__where_it_is_allowed(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		struct err e = ERR_INIT;
		KEY_AUTO struct key *k = key_generate((enum key_type)t, &e);
		BUF_AUTO struct buf spki = BUF_INIT(1024);

		assert_true(key_public_spki(k, &spki, &e));
		for (int p = PROFILE_IDEVID; p < PROFILE_COUNT; p++) {
			bool signs_cms = p == PROFILE_IDEVID || p == PROFILE_MASA_SIGNER ||
					 p == PROFILE_REGISTRAR;
			struct issue_request r = request((enum cert_profile)p);
			CERT_AUTO struct cert *c = NULL;

			r.spki = buf_bytes(&spki);
			c = issue(r, &e);
			assert_int_equal(c != NULL, !(signs_cms && t == KEY_ED25519));
		}
	}
}

static void issue_certificate__issuer_of_every_key_type__verifies(void **state)
{
	for (int t = 0; t < KEY_TYPE_COUNT; t++) {
		struct err e = ERR_INIT;
		IDENTITY_AUTO struct identity ca = {.key = key_generate((enum key_type)t, &e)};
		struct issue_request r = request(PROFILE_LDEVID);
		CERT_AUTO struct cert *c = NULL;

		ca.cert = must_issue((struct issue_request){
			.profile = PROFILE_ROOT_CA, .self_key = ca.key, .common_name = "CA"});
		r.issuer = &ca;
		c = must_issue(r);
		assert_int_equal(X509_verify(cert_x509(c), cert_public_key(ca.cert)), 1);
	}
}

/* ---- refusals through the request ---- */

static void refuse(struct issue_request r, const char *why)
{
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *c = issue(r, &e);

	assert_null(c);
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, why))
		fail_msg("%s", e.text);
	assert_queue_empty();
}

static void issue_certificate__bad_requests__are_refused_with_the_rule(void **state)
{
	struct issue_request r = request(PROFILE_IDEVID);
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(weak, &der);

	r.serial_number = NULL;
	refuse(r, "one serialNumber");
	r = request(PROFILE_IDEVID);
	r.serial_number = "SN_1";
	refuse(r, "PrintableString");
	r = request(PROFILE_IDEVID);
	r.masa_url = NULL;
	refuse(r, "MASA URL");
	r = request(PROFILE_IDEVID);
	r.masa_url = "http://masa.example/";
	refuse(r, "https");
	r = request(PROFILE_IDEVID);
	r.not_after = NOW + YEAR;
	refuse(r, "99991231235959Z");
	r = request(PROFILE_REGISTRAR);
	r.san = NULL;
	refuse(r, "there is a subjectAltName");
	r = request(PROFILE_TLS_SERVER);
	r.san = "email:a@example";
	refuse(r, "write DNS:name");
	r = request(PROFILE_LDEVID);
	r.masa_url = "masa.example";
	refuse(r, "only an IDevID");
	r = request(PROFILE_LDEVID);
	r.common_name = r.serial_number = NULL;
	refuse(r, "there is a subject");
	r = request(PROFILE_LDEVID);
	r.not_after = NOW - 1;
	refuse(r, "before notAfter");
	r = request(PROFILE_LDEVID);
	r.spki = bytes_of(der, (size_t)len);
	refuse(r, "strength");
	r.spki = bytes_of(der, (size_t)len - 1);
	refuse(r, "");
	r = request(PROFILE_LDEVID);
	r.subject_der = bytes_of("\x30\x00\x00", 3);
	refuse(r, "not a name");
	OPENSSL_free(der);
	EVP_PKEY_free(weak);
}

static void issue_certificate__issuer_that_is_no_ca__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct identity ee = {.key = device_key, .cert = must_issue(request(PROFILE_LDEVID))};
	struct issue_request r = request(PROFILE_LDEVID);

	r.issuer = &ee;
	assert_null(issue(r, &e));
	assert_non_null(strstr(e.text, "issuer is a CA"));
	r = request(PROFILE_ISSUING_CA); /* below a path length of 0 */
	assert_null(issue(r, &e));
	assert_non_null(strstr(e.text, "leaves room"));
	cert_free(ee.cert);
}

/* A key that does not belong to the issuer's certificate must not get anything out. */
static void issue_certificate__wrong_issuer_key__gives_nothing(void **state)
{
	struct err e = ERR_INIT;
	struct identity wrong = {.key = device_key, .cert = issuing.cert};
	struct issue_request r = request(PROFILE_LDEVID);

	r.issuer = &wrong;
	assert_null(issue(r, &e));
	assert_int_equal(e.kind, ERR_BUG);
	assert_queue_empty();
}

/* ---- the table: each rule broken in a certificate that is otherwise good ---- */

static X509 *copy_of(const struct cert *c)
{
	X509 *x = X509_dup(cert_x509(c));

	assert_non_null(x);
	return x;
}

static void drop(X509 *x, int nid)
{
	int at = X509_get_ext_by_NID(x, nid, -1);

	assert_true(at >= 0);
	X509_EXTENSION_free(X509_delete_ext(x, at));
}

static void add(X509 *x, const char *name, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, NULL, name, value);

	assert_non_null(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

static void replace(X509 *x, int nid, const char *name, const char *value)
{
	drop(x, nid);
	add(x, name, value);
}

static void no_ski(X509 *x)
{
	drop(x, NID_subject_key_identifier);
}

static void no_aki(X509 *x)
{
	drop(x, NID_authority_key_identifier);
}

static void other_aki(X509 *x)
{
	replace(x, NID_authority_key_identifier, "2.5.29.35",
		"DER:3016801400112233445566778899aabbccddeeff00112233");
}

static void version_1(X509 *x)
{
	X509_set_version(x, X509_VERSION_1);
}

static void serial_zero(X509 *x)
{
	ASN1_INTEGER_set(X509_get_serialNumber(x), 0);
}

static void serial_negative(X509 *x)
{
	ASN1_INTEGER_set(X509_get_serialNumber(x), -5);
}

static void serial_of_21_octets(X509 *x)
{
	uint8_t octets[20];

	memset(octets, 0xff, sizeof(octets));
	ASN1_STRING_set(X509_get_serialNumber(x), octets, sizeof(octets));
}

static void foreign_issuer_name(X509 *x)
{
	X509_set_issuer_name(x, X509_get_subject_name(cert_x509(root.cert)));
}

static void beyond_the_issuer(X509 *x)
{
	ASN1_TIME_set_string_X509(X509_getm_notAfter(x), "20991231235959Z");
}

static void sha1_signature(X509 *x)
{
	X509_sign(x, key_evp(issuing.key), EVP_sha1());
}

static void ca_true(X509 *x)
{
	add(x, "basicConstraints", "critical,CA:TRUE");
}

static void ca_not_critical(X509 *x)
{
	replace(x, NID_basic_constraints, "basicConstraints", "CA:TRUE,pathlen:0");
}

static void no_path_length(X509 *x)
{
	replace(x, NID_basic_constraints, "basicConstraints", "critical,CA:TRUE");
}

static void usage_too_wide(X509 *x)
{
	replace(x, NID_key_usage, "keyUsage", "critical,digitalSignature,keyCertSign,cRLSign");
}

static void usage_not_critical(X509 *x)
{
	replace(x, NID_key_usage, "keyUsage", "digitalSignature");
}

static void adds_usage(X509 *x)
{
	add(x, "keyUsage", "critical,digitalSignature");
}

static void adds_eku(X509 *x)
{
	add(x, "extendedKeyUsage", "clientAuth");
}

static void eku_without_cmc_ra(X509 *x)
{
	replace(x, NID_ext_key_usage, "extendedKeyUsage", "serverAuth,clientAuth");
}

static void eku_critical(X509 *x)
{
	replace(x, NID_ext_key_usage, "extendedKeyUsage",
		"critical,serverAuth,clientAuth,1.3.6.1.5.5.7.3.28");
}

static void eku_other(X509 *x)
{
	replace(x, NID_ext_key_usage, "extendedKeyUsage", "emailProtection");
}

static void empty_san(X509 *x)
{
	add(x, "2.5.29.17", "DER:3000");
}

static void responder_critical(X509 *x)
{
	add(x, "authorityInfoAccess", "critical,OCSP;URI:http://pki.example/ocsp");
}

static void responder_by_name(X509 *x)
{
	add(x, "authorityInfoAccess", "OCSP;DNS:pki.example");
}

static void no_responder(X509 *x)
{
	add(x, "1.3.6.1.5.5.7.1.1", "DER:3000");
}

static void masa_url_utf8(X509 *x)
{
	ASN1_OBJECT *oid = OBJ_txt2obj(MASA_URL_OID, 1);
	int at = X509_get_ext_by_OBJ(x, oid, -1);

	ASN1_OBJECT_free(oid);
	assert_true(at >= 0);
	X509_EXTENSION_free(X509_delete_ext(x, at));
	add(x, MASA_URL_OID, "ASN1:UTF8:masa.example");
}

static const struct {
	void (*damage)(X509 *x);
	enum cert_profile profile;
	const char *rule;
} faults[] = {
	{no_ski, PROFILE_LDEVID, "there is a subjectKeyIdentifier"},
	{no_aki, PROFILE_LDEVID, "authorityKeyIdentifier"},
	{other_aki, PROFILE_LDEVID, "authorityKeyIdentifier"},
	{version_1, PROFILE_LDEVID, "version is 3"},
	{serial_zero, PROFILE_LDEVID, "serial is positive"},
	{serial_negative, PROFILE_LDEVID, "serial is positive"},
	{serial_of_21_octets, PROFILE_LDEVID, "serial is positive"},
	{foreign_issuer_name, PROFILE_LDEVID, "issuer's name"},
	{beyond_the_issuer, PROFILE_LDEVID, "within the issuer's"},
	{adds_eku, PROFILE_LDEVID, "no extension stands twice"},
	{sha1_signature, PROFILE_LDEVID, "SHA-256 or stronger"},
	{ca_true, PROFILE_LDEVID, "it is no CA"},
	{ca_true, PROFILE_IDEVID, "it is no CA"},
	{usage_too_wide, PROFILE_LDEVID, "it is no CA"},
	{usage_not_critical, PROFILE_LDEVID, "keyUsage is critical"},
	{empty_san, PROFILE_LDEVID, "holds names"},
	{responder_critical, PROFILE_LDEVID, "authorityInfoAccess"},
	{responder_by_name, PROFILE_LDEVID, "authorityInfoAccess"},
	{no_responder, PROFILE_REGISTRAR, "authorityInfoAccess"},
	{eku_other, PROFILE_LDEVID, "clientAuth"},
	{eku_other, PROFILE_TLS_SERVER, "serverAuth"},
	{eku_without_cmc_ra, PROFILE_REGISTRAR, "cmcRA"},
	{eku_critical, PROFILE_REGISTRAR, "cmcRA"},
	{adds_eku, PROFILE_MASA_SIGNER, "voucher signer"},
	{adds_eku, PROFILE_IDEVID, "no extendedKeyUsage"},
	{adds_usage, PROFILE_IDEVID, "no keyUsage"},
	{masa_url_utf8, PROFILE_IDEVID, "IA5String"},
	{beyond_the_issuer, PROFILE_IDEVID, "99991231235959Z"},
	{ca_not_critical, PROFILE_ISSUING_CA, "critical and says CA"},
	{no_path_length, PROFILE_ISSUING_CA, "pathLenConstraint is 0"},
	{usage_too_wide, PROFILE_ISSUING_CA, "keyCertSign, cRLSign"},
	{adds_eku, PROFILE_ISSUING_CA, "CA has no extendedKeyUsage"},
};

static void lint_check__each_fault__is_named_by_its_rule(void **state)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		bool ca = faults[i].profile == PROFILE_ISSUING_CA;
		CERT_AUTO struct cert *good =
			ca ? cert_ref(issuing.cert) : must_issue(request(faults[i].profile));
		const struct identity *by = ca ? &root : &issuing;
		X509 *x = copy_of(good);
		struct err e = ERR_INIT;

		assert_true(lint_check(x, cert_x509(by->cert), faults[i].profile, &e));
		faults[i].damage(x);
		if (lint_check(x, cert_x509(by->cert), faults[i].profile, &e))
			fail_msg("fault %zu passes", i);
		assert_int_equal(e.kind, ERR_INPUT);
		if (!strstr(e.text, faults[i].rule))
			fail_msg("fault %zu: %s", i, e.text);
		X509_free(x);
		assert_queue_empty();
	}
}

static void lint_check_signed__weak_signature_in_any_profile__is_named(void **state)
{
	static const enum cert_profile profiles[] = {PROFILE_LDEVID, PROFILE_IDEVID,
		PROFILE_MASA_SIGNER, PROFILE_REGISTRAR, PROFILE_TLS_SERVER};

	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		CERT_AUTO struct cert *good = must_issue(request(profiles[i]));
		X509 *x = copy_of(good);
		struct err e = ERR_INIT;

		assert_true(lint_check_signed(x, cert_x509(issuing.cert), &e));
		sha1_signature(x);
		assert_false(lint_check_signed(x, cert_x509(issuing.cert), &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_non_null(strstr(e.text, "SHA-256 or stronger"));
		X509_free(x);
		assert_queue_empty();
	}
}

static void lint_rules__every_one__has_a_clause_and_a_profile(void **state)
{
	for (size_t i = 0; i < lint_rule_count; i++) {
		assert_true(*lint_rules[i].name && *lint_rules[i].clause);
		assert_true(lint_rules[i].profiles != 0);
		assert_true(lint_rules[i].profiles < 1u << PROFILE_COUNT);
	}
}

/* ---- subjectAltName ---- */

static void san_format__anything_but_names_and_addresses__is_refused(void **state)
{
	static const char *const bad[] = {"", ",", "DNS:", "DNS:a..b", "DNS:.a", "DNS:a.",
		"DNS:a b", "IP:1.2.3", "IP:x", "localhost", "URI:https://x", "DNS:a,", ",DNS:a",
		"dirName:sect", "DNS:a.*.b", "IP:1.2.3.4/8"};
	BUF_AUTO struct buf out = BUF_INIT(SAN_DER_MAX);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (san_format(bad[i], &out, &e))
			fail_msg("\"%s\" passes", bad[i]);
	assert_true(san_format("DNS:*.example,DNS:a-b.c_d,IP:::1", &out, &e));
}

static void issue_certificate__crl_url__is_the_one_point_of_the_list(void **state)
{
	struct issue_request r = request(PROFILE_LDEVID);
	struct crl_points points;
	bool critical = true;
	struct cert *c;

	r.crl_url = "http://pki.example/issuing.crl";
	c = must_issue(r);
	crl_points_of(c, &points);
	assert_int_equal(points.count, 1);
	assert_string_equal(points.uri[0], r.crl_url);
	assert_true(cert_extension(c, "2.5.29.31", &critical).len > 0);
	assert_false(critical);
	assert_true(openssl_accepts(c, X509_PURPOSE_SSL_CLIENT));
	cert_free(c);
	r.crl_url = NULL;
	c = must_issue(r);
	crl_points_of(c, &points);
	assert_false(points.named);
	cert_free(c);
}

static void assert_one_responder(const struct cert *c, const char *url)
{
	AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(cert_x509(c), NID_info_access, NULL, NULL);
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert_x509(c));

	assert_int_equal(sk_ACCESS_DESCRIPTION_num(list), 1);
	assert_int_equal(sk_OPENSSL_STRING_num(urls), 1);
	assert_string_equal(sk_OPENSSL_STRING_value(urls, 0), url);
	X509_email_free(urls);
	AUTHORITY_INFO_ACCESS_free(list);
}

static void issue_certificate__ocsp_url__is_the_one_responder(void **state)
{
	struct issue_request r = request(PROFILE_LDEVID);
	bool critical = true;
	struct cert *c;

	r.ocsp_url = "http://pki.example/ocsp";
	c = must_issue(r);
	assert_one_responder(c, r.ocsp_url);
	assert_true(cert_extension(c, "1.3.6.1.5.5.7.1.1", &critical).len > 0);
	assert_false(critical);
	assert_true(openssl_accepts(c, X509_PURPOSE_SSL_CLIENT));
	cert_free(c);
	r.ocsp_url = NULL;
	c = must_issue(r);
	assert_int_equal(cert_extension(c, "1.3.6.1.5.5.7.1.1", NULL).len, 0);
	cert_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issue_certificate__every_profile__passes_openssls_strict_check),
		cmocka_unit_test(issue_certificate__registrar__serves_and_asks_and_is_a_ra),
		cmocka_unit_test(issue_certificate__idevid__is_what_802_1ar_and_brski_want),
		cmocka_unit_test(
			issue_certificate__masa_url__is_cut_to_the_authority_where_it_can_be),
		cmocka_unit_test(issue_certificate__key_identifiers__are_of_sha256),
		cmocka_unit_test(issue_certificate__serials__are_long_positive_and_never_the_same),
		cmocka_unit_test(issue_certificate__crl_url__is_the_one_point_of_the_list),
		cmocka_unit_test(issue_certificate__ocsp_url__is_the_one_responder),
		cmocka_unit_test(issue_certificate__longer_than_the_issuer__is_cut),
		cmocka_unit_test(issue_certificate__subject_from_a_request__is_kept_to_the_octet),
		cmocka_unit_test(issue_certificate__every_key_type__where_it_is_allowed),
		cmocka_unit_test(issue_certificate__issuer_of_every_key_type__verifies),
		cmocka_unit_test(issue_certificate__bad_requests__are_refused_with_the_rule),
		cmocka_unit_test(issue_certificate__issuer_that_is_no_ca__is_refused),
		cmocka_unit_test(issue_certificate__wrong_issuer_key__gives_nothing),
		cmocka_unit_test(lint_check__each_fault__is_named_by_its_rule),
		cmocka_unit_test(lint_check_signed__weak_signature_in_any_profile__is_named),
		cmocka_unit_test(lint_rules__every_one__has_a_clause_and_a_profile),
		cmocka_unit_test(san_format__anything_but_names_and_addresses__is_refused),
	};

	return cmocka_run_group_tests(tests, make_hierarchy, free_hierarchy);
}
