/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, lists of them, their cache, and identities. */
#include "tests/cert_reference.h"
#include "tests/unit/pki_fixture.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/pki/cert_cache.h"
#include "common/pki/identity.h"
#include "common/pki/name.h"

static EVP_PKEY *ca_key, *ee_key;
static X509 *ca;

static int make_ca(void **state)
{
	struct recipe r = {.cn = "Test CA", .ext = {FIXTURE_CA}};

	ca_key = fixture_ec("P-256");
	ee_key = fixture_ec("P-256");
	r.key = ca_key;
	ca = fixture_x509(&r);
	return 0;
}

static int free_ca(void **state)
{
	X509_free(ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(ee_key);
	return 0;
}

static struct recipe ee_recipe(void)
{
	return (struct recipe){.cn = "device",
		.serial_number = "SN-1",
		.key = ee_key,
		.issuer = ca,
		.issuer_key = ca_key,
		.ext = {{"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid"}}};
}

static bool read_as_openssl_reads_it(const struct cert *c)
{
	const char *difference = cert_reference_difference(c);

	if (difference)
		print_error("%s\n", difference);
	return !difference;
}

/* A device's certificate is read without OpenSSL, and its key made when somebody asks for it: what
 * is no key has to be found out before. */
static void cert_parse__point_that_is_none__is_refused(void **state)
{
	static const struct {
		size_t at;  /* from the point's first octet */
		size_t len; /* of it is overwritten */
		uint8_t with;
	} faults[] = {
		{64, 1, 0},	/* off the curve */
		{1, 32, 0xff},	/* x beyond the field */
		{33, 32, 0xff}, /* y */
		{1, 64, 0},	/* a point of zeros */
		{0, 65, 0},	/* at infinity, with something behind it */
		{0, 1, 0},
		{0, 1, 2}, /* said to be compressed */
		{0, 1, 5},
	};
	struct recipe r = ee_recipe();
	struct bytes made = fixture_der(&r);
	uint8_t der[1024], spki[] = {0x03, 0x42, 0x00, 0x04}, *point;

	assert_true(made.len <= sizeof(der));
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct err e = ERR_INIT;

		memcpy(der, made.data, made.len);
		point = memmem(der, made.len, spki, sizeof(spki));
		assert_non_null(point);
		point += sizeof(spki) - 1;
		if (faults[i].len == 1 && faults[i].with == point[faults[i].at])
			point[faults[i].at] ^= 1;
		else
			memset(point + faults[i].at, faults[i].with, faults[i].len);
		assert_null(cert_parse(bytes_of(der, made.len), &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_queue_empty();
	}
	fixture_free(made);
}

static void cert_parse__certificate_of_a_device__is_plain_and_what_openssl_reads(void **state)
{
	static const char *const times[][2] = {{"20250101000000Z", "99991231235959Z"},
		{"19500101000000Z", "20491231235959Z"}, {"20240229235959Z", "20500101000000Z"}};
	static const char *const ext[][FIXTURE_EXTS][2] = {{{NULL}},
		{{"subjectKeyIdentifier", "hash"}, {"authorityKeyIdentifier", "keyid"}},
		{{"keyUsage", "critical,digitalSignature"}, {"extendedKeyUsage", "clientAuth"}},
		{{"keyUsage", "decipherOnly"}, {"basicConstraints", "CA:FALSE"}},
		{{"extendedKeyUsage", "critical,serverAuth,1.3.6.1.5.5.7.3.28"}},
		{{"1.3.6.1.5.5.7.1.32", "ASN1:IA5:masa.example"}}};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(ext) / sizeof(ext[0]); i++) {
		struct recipe r = ee_recipe();
		struct recipe issuing = {.cn = "Test CA", .key = ca_key, .ext = {FIXTURE_CA}};
		CERT_AUTO struct cert *c = NULL, *by = fixture_cert(&issuing);

		r.cn = "device (1)/a.b-c_d:e'";
		r.not_before = times[i % 3][0];
		r.not_after = times[i % 3][1];
		memcpy(r.ext, ext[i], sizeof(r.ext));
		c = fixture_cert(&r);
		assert_true(cert_is_plain(c));
		assert_true(read_as_openssl_reads_it(c));
		assert_true(cert_signed_by(c, by, &e));
		assert_false(cert_signed_by(c, c, &e));
		assert_non_null(cert_x509(c));
		assert_ptr_equal(cert_x509(c), cert_x509(c));
	}
}

static void cert_parse__anything_unusual__is_left_to_openssl(void **state)
{
	EVP_PKEY *keys[] = {ee_key, fixture_ec("P-384"), EVP_RSA_gen(2048)};
	struct recipe base = ee_recipe(), odd[24];
	size_t count = 0;

	memset(base.ext, 0, sizeof(base.ext));
	for (size_t i = 0; i < 24; i++)
		odd[i] = base;
	odd[count++].key = keys[1];
	odd[count++].key = keys[2];
	odd[count++].cn = "a,b";
	odd[count++].cn = "a+b";
	odd[count++].cn = "#a";
	odd[count++].cn = " a";
	odd[count++].cn = "a ";
	odd[count++].cn = "M\xc3\xa4rz";
	odd[count++].serial_number_twice = true;
	odd[count++].serial_number_type = V_ASN1_BMPSTRING;
	odd[count++].version = 1;
	odd[count++].digest = "SHA1";
	memcpy(odd[count++].ext, (const char *[1][2]){{"basicConstraints", "CA:TRUE"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"subjectAltName", "DNS:a"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"nameConstraints", "permitted;DNS:a"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"crlDistributionPoints", "URI:a"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"2.5.29.32", "DER:30:06:30:04:06:02:2a:03"}},
		16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"extendedKeyUsage", "codeSigning"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"1.2.3", "critical,ASN1:NULL"}}, 16);
	memcpy(odd[count++].ext,
		(const char *[1][2]){{"1.3.6.1.5.5.7.1.32", "critical,ASN1:IA5:a"}}, 16);
	memcpy(odd[count++].ext, (const char *[1][2]){{"authorityKeyIdentifier", "issuer:always"}},
		16);
	for (size_t i = 0; i < count; i++) {
		CERT_AUTO struct cert *c = NULL;

		c = fixture_cert(&odd[i]);
		assert_false(cert_is_plain(c));
		assert_true(read_as_openssl_reads_it(c));
	}
	EVP_PKEY_free(keys[1]);
	EVP_PKEY_free(keys[2]);
}

static void cert_parse__good_certificate__tells_its_facts(void **state)
{
	struct recipe r = ee_recipe();
	X509 *x = fixture_x509(&r);
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *c = cert_from_x509(x, &e);
	CERT_AUTO struct cert *again = NULL;
	uint8_t digest[32], *spki = NULL, *name = NULL;
	bool critical = true;
	int len;

	assert_non_null(c);
	SHA256(cert_der(c).data, cert_der(c).len, digest);
	assert_memory_equal(cert_sha256(c), digest, sizeof(digest));
	len = i2d_PUBKEY(ee_key, &spki);
	assert_true(bytes_equal(cert_spki(c), bytes_of(spki, (size_t)len)));
	len = i2d_X509_NAME(X509_get_subject_name(x), &name);
	assert_true(bytes_equal(cert_subject_der(c), bytes_of(name, (size_t)len)));
	assert_string_equal(cert_subject(c), "serialNumber=SN-1,CN=device");
	assert_string_equal(cert_issuer(c), "CN=Test CA");
	assert_string_equal(cert_serial_number(c), "SN-1");
	assert_null(cert_serial_number_fault(c));
	assert_int_equal(cert_ski(c).len, 20);
	assert_int_equal(cert_aki(c).len, 20);
	assert_int_equal(cert_aki_tlv(c).data[0], 0x04);
	assert_int_equal(cert_aki_tlv(c).len, 26);
	assert_int_equal(cert_extension(c, "2.5.29.35", &critical).len, 24);
	assert_false(critical);
	assert_int_equal(cert_extension(c, "2.5.29.19", NULL).len, 0);
	assert_int_equal(cert_extension(c, "not an oid", NULL).len, 0);
	assert_int_equal(cert_not_before(c), 1577836800);
	assert_int_equal(cert_not_after(c), 2524607999);
	assert_false(cert_is_ca(c));
	assert_false(cert_is_self_signed(c));
	assert_int_equal(cert_eku(c), 0);
	again = cert_parse(cert_der(c), &e);
	assert_non_null(again);
	assert_true(cert_same(c, again));
	assert_true(cert_same_key(c, again));
	OPENSSL_free(spki);
	OPENSSL_free(name);
	X509_free(x);
	assert_queue_empty();
}

static void cert_parse__ca__is_ca_and_self_signed(void **state)
{
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *c = cert_from_x509(ca, &e);
	bool critical = false;

	assert_true(cert_is_ca(c));
	assert_true(cert_is_self_signed(c));
	assert_true(cert_extension(c, "2.5.29.19", &critical).len > 0);
	assert_true(critical);
}

static void cert_is_self_signed__own_name_but_foreign_signature__is_not(void **state)
{
	struct recipe r = {.cn = "Test CA", .key = ee_key, .issuer = ca, .issuer_key = ca_key};
	CERT_AUTO struct cert *c = fixture_cert(&r);

	assert_string_equal(cert_subject(c), cert_issuer(c));
	assert_false(cert_is_self_signed(c));
}

/* req: R8995-REG-007 */
static void cert_not_after__no_expiry__is_the_end_of_time(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *c = NULL;
	CERT_AUTO struct cert *almost = NULL;

	r.not_after = "99991231235959Z";
	c = fixture_cert(&r);
	assert_true(cert_not_after(c) == INT64_MAX);
	r.not_after = "99991231235958Z";
	almost = fixture_cert(&r);
	assert_true(cert_not_after(almost) == 253402300798);
}

static void cert_eku__all_kinds__are_told(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *c = NULL;
	CERT_AUTO struct cert *other = NULL;

	r.ext[2][0] = "extendedKeyUsage";
	r.ext[2][1] = "serverAuth,clientAuth,1.3.6.1.5.5.7.3.28";
	c = fixture_cert(&r);
	assert_int_equal(cert_eku(c),
		CERT_EKU_PRESENT | CERT_EKU_SERVER_AUTH | CERT_EKU_CLIENT_AUTH | CERT_EKU_CMC_RA);
	r.ext[2][1] = "anyExtendedKeyUsage,emailProtection";
	other = fixture_cert(&r);
	assert_int_equal(cert_eku(other), CERT_EKU_PRESENT | CERT_EKU_ANY);
}

static void cert_serial_number__utf8_and_printable__read_alike(void **state)
{
	static const int types[] = {V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_IA5STRING};

	for (size_t i = 0; i < 3; i++) {
		struct recipe r = ee_recipe();
		CERT_AUTO struct cert *c = NULL;

		r.serial_number_type = types[i];
		c = fixture_cert(&r);
		assert_string_equal(cert_serial_number(c), "SN-1");
	}
}

static void refuse_serial(struct recipe r, const char *why)
{
	CERT_AUTO struct cert *c = fixture_cert(&r);

	assert_null(cert_serial_number(c));
	assert_non_null(strstr(cert_serial_number_fault(c), why));
	assert_queue_empty();
}

static void cert_serial_number__odd_ones__are_refused_with_a_reason(void **state)
{
	struct recipe r = ee_recipe();

	r.serial_number = NULL;
	refuse_serial(r, "not there");
	r = ee_recipe();
	r.serial_number_twice = true;
	refuse_serial(r, "more than once");
	r = ee_recipe();
	r.serial_number_type = V_ASN1_UTF8STRING;
	r.serial_number = "SN\0-1";
	r.serial_number_len = 5;
	refuse_serial(r, "control");
	r.serial_number = "SN\n1";
	r.serial_number_len = 4;
	refuse_serial(r, "control");
	r = ee_recipe();
	r.serial_number_type = V_ASN1_T61STRING;
	refuse_serial(r, "string type");
}

static void cert_parse__octet_after_the_end__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes der = fixture_der(&r);
	uint8_t *longer = calloc(1, der.len + 1);
	struct err e = ERR_INIT;

	memcpy(longer, der.data, der.len);
	assert_null(cert_parse(bytes_of(longer, der.len + 1), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	free(longer);
	fixture_free(der);
	assert_queue_empty();
}

static void cert_parse__truncated_anywhere__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes der = fixture_der(&r);

	for (size_t n = 0; n < der.len; n++) {
		struct err e = ERR_INIT;
		uint8_t *part = malloc(n ? n : 1);

		memcpy(part, der.data, n);
		assert_null(cert_parse(bytes_of(part, n), &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_queue_empty();
		free(part);
	}
	fixture_free(der);
}

/* Whatever one wrong octet makes of it: parsed or refused, never a crash, nothing left behind. */
static void cert_parse__any_octet_changed__does_not_crash(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes der = fixture_der(&r);
	uint8_t *odd = malloc(der.len);

	for (size_t i = 0; i < der.len; i++) {
		struct err e = ERR_INIT;
		struct cert *c;

		memcpy(odd, der.data, der.len);
		odd[i] ^= 0xff;
		c = cert_parse(bytes_of(odd, der.len), &e);
		assert_true(c || e.kind != ERR_NONE);
		cert_free(c);
		assert_queue_empty();
	}
	free(odd);
	fixture_free(der);
}

static void cert_parse__extensions_in_version_1__are_refused(void **state)
{
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;
	struct bytes der;
	CERT_AUTO struct cert *plain = NULL;

	r.version = 1;
	der = fixture_der(&r);
	assert_null(cert_parse(der, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, "version 1"));
	fixture_free(der);
	memset(r.ext, 0, sizeof(r.ext));
	plain = fixture_cert(&r); /* a version 1 certificate without them is one */
	assert_non_null(plain);
}

static void cert_parse__same_extension_twice__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;
	struct bytes der;

	r.ext[2][0] = "subjectKeyIdentifier";
	r.ext[2][1] = "hash";
	der = fixture_der(&r);
	assert_null(cert_parse(der, &e));
	assert_non_null(strstr(e.text, "twice"));
	fixture_free(der);
}

static void cert_parse__malformed_extension__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;
	struct bytes der;

	r.ext[2][0] = "2.5.29.19"; /* basicConstraints that is an OCTET STRING */
	r.ext[2][1] = "DER:0403010203";
	der = fixture_der(&r);
	assert_null(cert_parse(der, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	fixture_free(der);
	r.ext[2][0] = "2.5.29.37";
	r.ext[2][1] = "DER:0500";
	der = fixture_der(&r);
	assert_null(cert_parse(der, &e));
	fixture_free(der);
	assert_queue_empty();
}

static void cert_parse__too_large__is_refused_before_it_is_read(void **state)
{
	struct err e = ERR_INIT;
	uint8_t *big = calloc(1, CERT_DER_MAX + 1);

	assert_null(cert_parse(bytes_of(big, CERT_DER_MAX + 1), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	free(big);
}

static void cert_subject__very_long__is_cut_at_a_character(void **state)
{
	struct recipe r = ee_recipe();
	char cn[61] = "";
	CERT_AUTO struct cert *c = NULL;

	for (size_t i = 0; i < 60; i += 2)
		memcpy(cn + i, "\xc3\xa4", 2);
	r.cn = cn;
	r.cn_times = 9;
	c = fixture_cert(&r);
	assert_true(strlen(cert_subject(c)) <= NAME_TEXT_MAX);
	assert_true(strlen(cert_subject(c)) >= NAME_TEXT_MAX - 1);
	assert_int_equal((uint8_t)cert_subject(c)[strlen(cert_subject(c)) - 1], 0xa4);
}

/* req: R8995-MASA-034, R8995-REG-043 */
static void cert_domain_id__ski_or_fingerprint__as_the_rfc_says(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *with = fixture_cert(&r);
	CERT_AUTO struct cert *without = NULL;
	BUF_AUTO struct buf id = BUF_INIT(64);
	struct err e = ERR_INIT;
	uint8_t digest[32];

	assert_true(cert_domain_id(with, &id, &e));
	assert_true(bytes_equal(buf_bytes(&id), cert_ski(with)));
	memset(r.ext, 0, sizeof(r.ext));
	without = fixture_cert(&r);
	buf_clear(&id);
	assert_true(cert_domain_id(without, &id, &e));
	SHA256(cert_spki(without).data, cert_spki(without).len, digest);
	assert_true(bytes_equal(buf_bytes(&id), bytes_of(digest, 32)));
}

/* ---- lists and PEM ---- */

static void cert_list_parse_pem__chain_with_text_and_key_between__reads_all_in_order(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *ee = fixture_cert(&r);
	BUF_AUTO struct buf pem = BUF_INIT(65536);
	CERT_LIST_AUTO struct cert_list l = CERT_LIST_INIT;
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *ca_cert = cert_from_x509(ca, &e);
	BIO *bio = BIO_new(BIO_s_mem());
	char *key_pem;
	long len;

	PEM_write_bio_PKCS8PrivateKey(bio, ee_key, NULL, NULL, 0, NULL, NULL);
	len = BIO_get_mem_data(bio, &key_pem);
	assert_true(buf_append_str(&pem, "some words\n", &e));
	assert_true(cert_format_pem(ee, &pem, &e));
	assert_true(buf_append(&pem, key_pem, (size_t)len, &e));
	assert_true(cert_format_pem(ca_cert, &pem, &e));
	assert_true(cert_list_parse_pem(buf_bytes(&pem), &l, &e));
	assert_int_equal(l.count, 2);
	assert_true(cert_same(l.items[0], ee));
	assert_true(cert_same(l.items[1], ca_cert));
	assert_true(cert_list_contains(&l, ee));
	BIO_free(bio);
	assert_queue_empty();
}

static void cert_list_append_and_merge__some_are_there__once_more_or_not(void **state)
{
	CERT_LIST_AUTO struct cert_list l = CERT_LIST_INIT, more = CERT_LIST_INIT;
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *a = fixture_cert(&r);
	CERT_AUTO struct cert *b = cert_from_x509(ca, &e);

	assert_true(cert_list_add(&l, a, &e));
	assert_true(cert_list_add(&more, a, &e) && cert_list_add(&more, b, &e));
	assert_true(cert_list_merge(&l, &more, &e));
	assert_int_equal(l.count, 2);
	assert_ptr_equal(l.items[1], b);
	assert_true(cert_list_append(&l, &more, &e));
	assert_int_equal(l.count, 4);
	assert_ptr_equal(l.items[2], a);
	assert_ptr_equal(l.items[3], b);
}

static void cert_list_parse_pem__nothing_or_broken__is_refused(void **state)
{
	struct recipe r = ee_recipe();
	CERT_AUTO struct cert *ee = fixture_cert(&r);
	BUF_AUTO struct buf pem = BUF_INIT(65536);
	struct cert_list l;
	struct err e = ERR_INIT;

	assert_false(cert_list_parse_pem(bytes_of_str("no PEM"), &l, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_false(cert_list_parse_pem(bytes_of(NULL, 0), &l, &e));
	assert_true(cert_format_pem(ee, &pem, &e));
	assert_true(cert_format_pem(ee, &pem, &e));
	pem.data[pem.len - 60] = '!'; /* the second one is broken: the first must not hide it */
	assert_false(cert_list_parse_pem(buf_bytes(&pem), &l, &e));
	assert_int_equal(l.count, 0);
	assert_int_equal(e.kind, ERR_INPUT);
	assert_queue_empty();
}

/* ---- cache ---- */

static void cert_cache_get__same_octets__gives_the_same_object(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes a = fixture_der(&r), b = fixture_der(&r);
	struct err e = ERR_INIT;
	struct cert_cache *cache = cert_cache_new(1, &e);
	CERT_AUTO struct cert *first = cert_cache_get(cache, a, &e);
	CERT_AUTO struct cert *second = cert_cache_get(cache, a, &e);
	CERT_AUTO struct cert *other = cert_cache_get(cache, b, &e);
	CERT_AUTO struct cert *third = cert_cache_get(cache, a, &e);

	assert_ptr_equal(first, second);
	assert_ptr_not_equal(first, other);
	assert_ptr_not_equal(first, third); /* pushed out meanwhile, parsed anew, still the same */
	assert_true(cert_same(first, third));
	cert_cache_free(cache);
	assert_string_equal(cert_serial_number(first), "SN-1"); /* outlives the cache */
	fixture_free(a);
	fixture_free(b);
}

static void cert_cache_get__no_cache_or_garbage__parses_or_refuses(void **state)
{
	struct recipe r = ee_recipe();
	struct bytes a = fixture_der(&r);
	struct err e = ERR_INIT;
	struct cert_cache *cache = cert_cache_new(4, &e);
	CERT_AUTO struct cert *c = cert_cache_get(NULL, a, &e);

	assert_non_null(c);
	assert_null(cert_cache_get(cache, bytes_of("x", 1), &e));
	assert_int_equal(e.kind, ERR_INPUT);
	cert_cache_free(cache);
	fixture_free(a);
}

struct hammer {
	struct cert_cache *cache;
	struct bytes der[3];
	bool good;
};

static void *hammer_cache(void *arg)
{
	struct hammer *h = arg;

	h->good = true;
	for (int i = 0; i < 300; i++) {
		struct err e = ERR_INIT;
		CERT_AUTO struct cert *c = cert_cache_get(h->cache, h->der[i % 3], &e);

		h->good = h->good && c && bytes_equal(cert_der(c), h->der[i % 3]);
	}
	return NULL;
}

static void cert_cache_get__several_threads__all_get_what_they_asked_for(void **state)
{
	struct recipe r = ee_recipe();
	struct err e = ERR_INIT;
	struct hammer h[4] = {{.cache = cert_cache_new(2, &e)}};
	pthread_t threads[4];

	for (int i = 0; i < 3; i++)
		h[0].der[i] = fixture_der(&r);
	for (int i = 0; i < 4; i++) {
		h[i] = h[0];
		pthread_create(&threads[i], NULL, hammer_cache, &h[i]);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_true(h[i].good);
	}
	cert_cache_free(h[0].cache);
	for (int i = 0; i < 3; i++)
		fixture_free(h[0].der[i]);
}

/* ---- identity ---- */

static void write_file(const char *path, const struct buf *content)
{
	struct err e = ERR_INIT;

	assert_true(file_write_atomic(path, buf_bytes(content), 0600, &e));
}

static void identity_load__matching_key__takes_end_entity_and_chain(void **state)
{
	char dir[] = "/tmp/cert_testXXXXXX", key_path[64], cert_path[64];
	struct err e = ERR_INIT;
	KEY_AUTO struct key *k = key_generate(KEY_EC_P256, &e);
	KEY_AUTO struct key *stranger = key_generate(KEY_EC_P256, &e);
	struct recipe r = ee_recipe();
	BUF_AUTO struct buf pem = BUF_INIT(65536);
	CERT_AUTO struct cert *ca_cert = cert_from_x509(ca, &e);
	CERT_AUTO struct cert *ee = NULL;
	IDENTITY_AUTO struct identity id = {0};

	r.key = key_evp(k);
	ee = fixture_cert(&r);
	assert_non_null(mkdtemp(dir));
	snprintf(key_path, sizeof(key_path), "%s/k", dir);
	snprintf(cert_path, sizeof(cert_path), "%s/c", dir);
	assert_true(cert_format_pem(ee, &pem, &e));
	assert_true(cert_format_pem(ca_cert, &pem, &e));
	write_file(cert_path, &pem);
	assert_true(key_save(k, key_path, &e));
	assert_true(identity_load(&id, key_path, cert_path, &e));
	assert_true(cert_same(id.cert, ee));
	assert_int_equal(id.chain.count, 1);
	identity_clear(&id);

	assert_true(key_save(stranger, key_path, &e));
	assert_false(identity_load(&id, key_path, cert_path, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_null(id.key);
	unlink(key_path);
	assert_false(identity_load(&id, key_path, cert_path, &e));
	assert_int_equal(e.kind, ERR_IO);
	unlink(cert_path);
	rmdir(dir);
	assert_queue_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cert_parse__point_that_is_none__is_refused),
		cmocka_unit_test(
			cert_parse__certificate_of_a_device__is_plain_and_what_openssl_reads),
		cmocka_unit_test(cert_parse__anything_unusual__is_left_to_openssl),
		cmocka_unit_test(cert_parse__good_certificate__tells_its_facts),
		cmocka_unit_test(cert_parse__ca__is_ca_and_self_signed),
		cmocka_unit_test(cert_is_self_signed__own_name_but_foreign_signature__is_not),
		cmocka_unit_test(cert_not_after__no_expiry__is_the_end_of_time),
		cmocka_unit_test(cert_eku__all_kinds__are_told),
		cmocka_unit_test(cert_serial_number__utf8_and_printable__read_alike),
		cmocka_unit_test(cert_serial_number__odd_ones__are_refused_with_a_reason),
		cmocka_unit_test(cert_parse__octet_after_the_end__is_refused),
		cmocka_unit_test(cert_parse__truncated_anywhere__is_refused),
		cmocka_unit_test(cert_parse__any_octet_changed__does_not_crash),
		cmocka_unit_test(cert_parse__extensions_in_version_1__are_refused),
		cmocka_unit_test(cert_parse__same_extension_twice__is_refused),
		cmocka_unit_test(cert_parse__malformed_extension__is_refused),
		cmocka_unit_test(cert_parse__too_large__is_refused_before_it_is_read),
		cmocka_unit_test(cert_subject__very_long__is_cut_at_a_character),
		cmocka_unit_test(cert_domain_id__ski_or_fingerprint__as_the_rfc_says),
		cmocka_unit_test(
			cert_list_parse_pem__chain_with_text_and_key_between__reads_all_in_order),
		cmocka_unit_test(cert_list_append_and_merge__some_are_there__once_more_or_not),
		cmocka_unit_test(cert_list_parse_pem__nothing_or_broken__is_refused),
		cmocka_unit_test(cert_cache_get__same_octets__gives_the_same_object),
		cmocka_unit_test(cert_cache_get__no_cache_or_garbage__parses_or_refuses),
		cmocka_unit_test(cert_cache_get__several_threads__all_get_what_they_asked_for),
		cmocka_unit_test(identity_load__matching_key__takes_end_entity_and_chain),
	};

	return cmocka_run_group_tests(tests, make_ca, free_ca);
}
