/* SPDX-License-Identifier: Apache-2.0 */
/* Serial numbers, MASA URLs and idevid-issuers of IDevIDs, good and bad. */
#include "tests/unit/pki_fixture.h"

#include <openssl/sha.h>
#include <stdlib.h>

#include "common/pki/idevid.h"

static EVP_PKEY *ca_key, *ee_key;
static X509 *ca;

static int make_ca(void **state)
{
	struct recipe r = {.cn = "Maker CA", .ext = {FIXTURE_CA}};

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

/* With one extension more than an AKI, or none when name is NULL. */
static struct cert *idevid_with(const char *name, const char *value)
{
	struct recipe r = {.cn = "00-11-22",
		.serial_number = "SN-1",
		.key = ee_key,
		.issuer = ca,
		.issuer_key = ca_key,
		.ext = {{"authorityKeyIdentifier", "keyid"}, {name, value}}};

	return fixture_cert(&r);
}

/* ---- serial numbers ---- */

static void assert_serial(const struct cert *c, enum idevid_serial_source from, const char *want)
{
	struct err e = ERR_INIT;
	char *serial = idevid_serial_number(c, from, &e);

	if (!want) {
		assert_null(serial);
		assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
		return;
	}
	if (!serial)
		fail_msg("%s", e.text);
	assert_string_equal(serial, want);
	free(serial);
	assert_queue_empty();
}

/* req: R8995-REG-008 */
static void idevid_serial_number__each_source__is_read(void **state)
{
	CERT_AUTO struct cert *text = idevid_with(
		"2.5.29.17", "DER:3019a01706082b06010505070804a00b300906022a030403413432");
	CERT_AUTO struct cert *binary = idevid_with(
		"2.5.29.17", "DER:3019a01706082b06010505070804a00b300906022a030403004aff");

	assert_serial(text, IDEVID_SERIAL_SUBJECT, "SN-1");
	assert_serial(text, IDEVID_SERIAL_CN, "00-11-22");
	assert_serial(text, IDEVID_SERIAL_HARDWARE_NAME, "A42");
	assert_serial(binary, IDEVID_SERIAL_HARDWARE_NAME, "004aff");
}

/* req: R8995-REG-008 */
static void idevid_serial_number__missing_or_doubled__is_refused(void **state)
{
	struct recipe r = {.key = ee_key, .issuer = ca, .issuer_key = ca_key};
	CERT_AUTO struct cert *bare = fixture_cert(&r);
	CERT_AUTO struct cert *dns = idevid_with("subjectAltName", "DNS:x.example");
	CERT_AUTO struct cert *twice = idevid_with("2.5.29.17",
		"DER:3032a01706082b06010505070804a00b300906022a030403413432"
		"a01706082b06010505070804a00b300906022a030403413433");
	CERT_AUTO struct cert *broken = idevid_with(
		"2.5.29.17", "DER:3019a01706082b06010505070804a00b300906022a030503413432");
	CERT_AUTO struct cert *two = NULL;
	struct err e = ERR_INIT;

	assert_serial(bare, IDEVID_SERIAL_SUBJECT, NULL);
	assert_serial(bare, IDEVID_SERIAL_CN, NULL);
	assert_serial(bare, IDEVID_SERIAL_HARDWARE_NAME, NULL);
	assert_serial(dns, IDEVID_SERIAL_HARDWARE_NAME, NULL);
	assert_serial(twice, IDEVID_SERIAL_HARDWARE_NAME, NULL);
	assert_serial(broken, IDEVID_SERIAL_HARDWARE_NAME, NULL);
	r.serial_number = "SN-1";
	r.serial_number_twice = true;
	two = fixture_cert(&r);
	assert_null(idevid_serial_number(two, IDEVID_SERIAL_SUBJECT, &e));
	assert_non_null(strstr(e.text, "more than once"));
}

/* ---- MASA URLs: table 1.5 ---- */

static const struct {
	const char *text, *want; /* want NULL: refused */
} urls[] = {
	{"masa.example", "https://masa.example/.well-known/brski"},
	{"masa.example:9443", "https://masa.example:9443/.well-known/brski"},
	{"[2001:db8::1]:9443", "https://[2001:db8::1]:9443/.well-known/brski"},
	{"192.0.2.7", "https://192.0.2.7/.well-known/brski"},
	{"https://masa.example", "https://masa.example/.well-known/brski"},
	{"https://masa.example/", "https://masa.example/.well-known/brski"},
	{"https://masa.example/x", "https://masa.example/x"},
	{"https://masa.example/x/y/", "https://masa.example/x/y"},
	{"https://masa.example/.well-known/brski/", "https://masa.example/.well-known/brski"},
	{"masa.example/x", "https://masa.example/x"},
	{"masa.example/", "https://masa.example/.well-known/brski"},
	{"http://masa.example", NULL},
	{"ldap://masa.example/x", NULL},
	{"ftp://masa.example", NULL},
	{"https://u:p@masa.example/", NULL},
	{"u@masa.example", NULL},
	{"https://masa.example/#f", NULL},
	{"https://masa.example/x?y=1", NULL},
	{"masa.example:0", NULL},
	{"masa.example:99999", NULL},
	{"//masa.example/x", NULL},
	{"/x", NULL},
	{"http:/masa.example", NULL},
	{"ma sa.example", NULL},
	{"", NULL},
};

/* req: R8995-REG-020, R8995-REG-021 */
static void idevid_masa_uri_parse__table_1_5__gives_the_base_or_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct err e = ERR_INIT;
		BUF_AUTO struct buf text = BUF_INIT(1024);
		struct uri u;
		bool good = idevid_masa_uri_parse(urls[i].text, &u, &e);

		if (good != (urls[i].want != NULL))
			fail_msg("%s: %s", urls[i].text, good ? "taken" : e.text);
		if (!good) {
			assert_int_equal(e.kind, ERR_INPUT);
			continue;
		}
		assert_true(uri_format(&u, &text, &e));
		assert_string_equal(buf_str(&text), urls[i].want);
	}
}

/* req: R8995-REG-020 */
static void idevid_masa_uri__any_length_form__is_read(void **state)
{
	char path[201], config[300];
	struct err e = ERR_INIT;
	struct uri u;
	CERT_AUTO struct cert *shorter = idevid_with(MASA_URL_OID, "ASN1:IA5:masa.example:9443");
	CERT_AUTO struct cert *longer = NULL;

	assert_true(idevid_masa_uri(shorter, &u, &e));
	assert_string_equal(u.host, "masa.example");
	assert_int_equal(u.port, 9443);
	memset(path, 'p', 200);
	path[200] = '\0';
	snprintf(config, sizeof(config), "ASN1:IA5:https://masa.example/%s", path);
	longer = idevid_with(MASA_URL_OID, config);
	assert_true(idevid_masa_uri(longer, &u, &e));
	assert_int_equal(strlen(u.path), 201);
}

static void refuse_masa_url(const char *value)
{
	CERT_AUTO struct cert *c = idevid_with(MASA_URL_OID, value);
	struct err e = ERR_INIT;
	struct uri u;

	assert_false(idevid_masa_uri(c, &u, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_queue_empty();
}

/* req: R8995-REG-020 */
static void idevid_masa_uri__critical_malformed_or_absent__is_refused(void **state)
{
	CERT_AUTO struct cert *none = idevid_with(NULL, NULL);
	struct err e = ERR_INIT;
	struct uri u;

	refuse_masa_url("critical,ASN1:IA5:masa.example");
	refuse_masa_url("ASN1:UTF8:masa.example");
	refuse_masa_url("ASN1:PRINTABLE:masa.example");
	refuse_masa_url("DER:6d6173612e6578616d706c65"); /* the bare text */
	refuse_masa_url("DER:160161ff");		 /* something behind it */
	refuse_masa_url("DER:16036100ff");
	refuse_masa_url("DER:1603610062"); /* NUL inside */
	refuse_masa_url("DER:1681016d");   /* length not minimal */
	refuse_masa_url("DER:160a6d617361");
	refuse_masa_url("DER:1600");
	assert_false(idevid_masa_uri(none, &u, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
}

/* ---- idevid-issuer ---- */

/* req: R8995-REG-029, Y-12 */
static void idevid_issuer__with_aki__is_the_whole_tlv(void **state)
{
	CERT_AUTO struct cert *c = idevid_with(NULL, NULL);
	BUF_AUTO struct buf out = BUF_INIT(256);
	struct err e = ERR_INIT;
	struct bytes tlv, key_id;

	assert_true(idevid_issuer(c, &out, &e));
	tlv = buf_bytes(&out);
	assert_int_equal(tlv.len, 26);
	assert_memory_equal(tlv.data, "\x04\x18\x30\x16\x80\x14", 6);
	key_id = idevid_issuer_key_id(tlv);
	assert_true(bytes_equal(key_id, cert_aki(c)));
	assert_true(idevid_issuer_matches(c, tlv));			   /* T-08: the TLV, */
	assert_true(idevid_issuer_matches(c, bytes_of(tlv.data + 2, 24))); /* the SEQUENCE, */
	assert_true(idevid_issuer_matches(c, bytes_of(tlv.data + 6, 20))); /* the bare key id */
	out.data[25] ^= 1;
	assert_false(idevid_issuer_matches(c, tlv));
}

/* What is configured for devices nobody has met yet is what they will say of themselves. */
static void idevid_issuer_of_ca__its_certificate__names_it_as_its_devices_do(void **state)
{
	const struct recipe r = {.cn = "Maker CA", .key = ca_key, .ext = {FIXTURE_CA}};
	CERT_AUTO struct cert *device = idevid_with(NULL, NULL), *issuer = fixture_cert(&r);
	BUF_AUTO struct buf by_ca = BUF_INIT(IDEVID_ISSUER_MAX), by_device = BUF_INIT(256);
	struct err e = ERR_INIT;

	assert_true(idevid_issuer_of_ca(issuer, &by_ca, &e));
	assert_true(idevid_issuer(device, &by_device, &e));
	assert_true(bytes_equal(buf_bytes(&by_ca), buf_bytes(&by_device)));
	buf_clear(&by_ca);
	buf_init(&by_ca, IDEVID_ISSUER_MAX);
	assert_false(idevid_issuer_of_ca(device, &by_ca, &e)); /* no subjectKeyIdentifier */
	assert_int_equal(e.kind, ERR_INPUT);
}

/* req: R8995-REG-029, Y-13 */
static void idevid_issuer__without_aki__is_made_of_the_own_key(void **state)
{
	struct recipe r = {
		.serial_number = "SN-1", .key = ee_key, .issuer = ca, .issuer_key = ca_key};
	CERT_AUTO struct cert *c = fixture_cert(&r);
	struct err e = ERR_INIT;
	CERT_AUTO struct cert *issuer = cert_from_x509(ca, &e);
	BUF_AUTO struct buf out = BUF_INIT(256);
	uint8_t want[26] = {0x04, 0x18, 0x30, 0x16, 0x80, 0x14};
	struct bytes bits = cert_key_bits(c);

	SHA1(bits.data, bits.len, want + 6);
	assert_int_equal(bits.len, 65); /* an uncompressed point, no unused-bits octet */
	assert_true(idevid_issuer(c, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(want, sizeof(want))));
	assert_true(idevid_issuer_matches(c, buf_bytes(&out)));
	SHA1(cert_key_bits(issuer).data, cert_key_bits(issuer).len, want + 6);
	assert_false(idevid_issuer_matches(c, bytes_of(want, sizeof(want))));
}

static void idevid_issuer_key_id__anything_else__is_unknown(void **state)
{
	CERT_AUTO struct cert *c = idevid_with(NULL, NULL);
	static const char *const odd[] = {"", "CN=Maker CA", "/C=DE/O=Maker/CN=Maker CA",
		"\x04\x03\x30\x01\x80", "\x30\x02\x82\x00"};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		assert_int_equal(idevid_issuer_key_id(bytes_of_str(odd[i])).len, 0);
		assert_false(idevid_issuer_matches(c, bytes_of_str(odd[i])));
	}
	assert_int_equal(idevid_issuer_key_id(bytes_of(NULL, 0)).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idevid_serial_number__each_source__is_read),
		cmocka_unit_test(idevid_serial_number__missing_or_doubled__is_refused),
		cmocka_unit_test(idevid_masa_uri_parse__table_1_5__gives_the_base_or_is_refused),
		cmocka_unit_test(idevid_masa_uri__any_length_form__is_read),
		cmocka_unit_test(idevid_masa_uri__critical_malformed_or_absent__is_refused),
		cmocka_unit_test(idevid_issuer__with_aki__is_the_whole_tlv),
		cmocka_unit_test(idevid_issuer_of_ca__its_certificate__names_it_as_its_devices_do),
		cmocka_unit_test(idevid_issuer__without_aki__is_made_of_the_own_key),
		cmocka_unit_test(idevid_issuer_key_id__anything_else__is_unknown),
	};

	return cmocka_run_group_tests(tests, make_ca, free_ca);
}
