/* SPDX-License-Identifier: Apache-2.0 */
/* Certification requests: ours are read by OpenSSL, OpenSSL's by us, and whatever is not exactly a
 * PKCS#10 with a good signature is refused. */
#include "common/pki/csr.h"

#include "common/pki/oid.h"
#include "common/wire/der.h"
#include "tests/unit/identity_fixture.h"

#define DER(...) bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct key *key; /* P-256, made once */

/* --- requests made by OpenSSL ---------------------------------------------------------------- */

struct request {
	EVP_PKEY *key;		   /* NULL: the usual one */
	const char *serial_number; /* NULL: none */
	int serial_number_type;	   /* 0: PrintableString */
	bool serial_number_twice;
	const char *password;
	const char *san;
	const char *attribute; /* a further attribute, its OID in dots, with the value "x" */
	const EVP_MD *md;      /* NULL: SHA-256 */
	long version;
};

static void add_attribute(X509_REQ *req, const char *oid, int type, const char *value)
{
	assert_int_equal(X509_REQ_add1_attr_by_txt(
				 req, oid, type, (const uint8_t *)value, (int)strlen(value)),
		1);
}

static void add_san(X509_REQ *req, const char *san)
{
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);

	assert_non_null(ext);
	sk_X509_EXTENSION_push(list, ext);
	assert_int_equal(X509_REQ_add_extensions(req, list), 1);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

static void build(const struct request *r, struct buf *out)
{
	struct err e = ERR_INIT;
	X509_REQ *req = X509_REQ_new();
	X509_NAME *name = X509_REQ_get_subject_name(req);
	EVP_PKEY *k = r->key ? r->key : key_evp(key);
	uint8_t *der = NULL;
	int type = r->serial_number_type ? r->serial_number_type : V_ASN1_PRINTABLESTRING;

	assert_int_equal(X509_REQ_set_version(req, r->version), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(
				 name, "CN", MBSTRING_UTF8, (const uint8_t *)"device", -1, -1, 0),
		1);
	for (int i = 0; r->serial_number && i <= (r->serial_number_twice ? 1 : 0); i++)
		assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_serialNumber, type,
					 (const uint8_t *)r->serial_number,
					 (int)strlen(r->serial_number), -1, 0),
			1);
	assert_int_equal(X509_REQ_set_pubkey(req, k), 1);
	if (r->password)
		add_attribute(req, "challengePassword", MBSTRING_ASC, r->password);
	if (r->san)
		add_san(req, r->san);
	if (r->attribute)
		add_attribute(req, r->attribute, V_ASN1_UTF8STRING, "x");
	assert_true(X509_REQ_sign(req, k, r->md ? r->md : EVP_sha256()) > 0);
	int len = i2d_X509_REQ(req, &der);
	assert_true(len > 0);
	buf_init(out, CSR_DER_MAX);
	MUST(buf_append(out, der, (size_t)len, &e));
	OPENSSL_free(der);
	X509_REQ_free(req);
}

static struct csr *parsed(const struct request *r)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;
	struct csr *c;

	build(r, &der);
	c = csr_parse(buf_bytes(&der), &e);
	if (!c)
		fail_msg("%s", e.text);
	assert_true(bytes_equal(csr_der(c), buf_bytes(&der)));
	return c;
}

static void refused(const struct request *r, const char *reason)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(r, &der);
	REFUSED(csr_parse(buf_bytes(&der), &e), ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
	assert_queue_empty();
}

/* req: EE-03, EE-04 */
static void csr_parse__what_openssl_makes__is_read(void **state)
{
	struct err e = ERR_INIT;
	CSR_AUTO struct csr *c = parsed(&(struct request){
		.serial_number = "SN-1", .password = "c2VjcmV0+/==", .san = "DNS:device.example"});
	BUF_AUTO struct buf spki = BUF_INIT(1024);

	MUST(csr_verify(c, &e));
	MUST(key_public_spki(key, &spki, &e));
	assert_true(bytes_equal(csr_spki(c), buf_bytes(&spki)));
	assert_string_equal(csr_serial_number(c), "SN-1");
	assert_string_equal(csr_challenge_password(c), "c2VjcmV0+/==");
	assert_int_equal(csr_san(c).len, 2 + 2 + strlen("device.example"));
	assert_false(csr_has_change_subject_name(c));
	assert_false(csr_asks_key_encryption(c));
	assert_queue_empty();
}

static void csr_parse__bare_request__has_nothing_more(void **state)
{
	CSR_AUTO struct csr *c = parsed(&(struct request){.serial_number = NULL});

	assert_null(csr_serial_number(c));
	assert_null(csr_challenge_password(c));
	assert_int_equal(csr_san(c).len, 0);
}

static void csr_parse__attributes_of_est__are_noticed(void **state)
{
	CSR_AUTO struct csr *change = parsed(&(struct request){.attribute = "1.3.6.1.5.5.7.7.36"});
	CSR_AUTO struct csr *symmetric =
		parsed(&(struct request){.attribute = "1.2.840.113549.1.9.16.2.37"});
	CSR_AUTO struct csr *asymmetric =
		parsed(&(struct request){.attribute = "1.2.840.113549.1.9.16.2.54"});
	CSR_AUTO struct csr *unknown = parsed(&(struct request){.attribute = "2.999.1"});

	assert_true(csr_has_change_subject_name(change));
	assert_false(csr_asks_key_encryption(change));
	assert_true(csr_asks_key_encryption(symmetric));
	assert_true(csr_asks_key_encryption(asymmetric));
	assert_false(csr_has_change_subject_name(unknown) || csr_asks_key_encryption(unknown));
}

/* OpenSSL makes none, so an unstructuredName (…9.2) is turned into a challengePassword (…9.7). */
static void csr_parse__known_attribute_twice__is_refused(void **state)
{
	static const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02};
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(&(struct request){.password = "a", .attribute = "1.2.840.113549.1.9.2"}, &der);
	CSR_AUTO struct csr *once = csr_parse(buf_bytes(&der), &e);
	assert_non_null(once);
	uint8_t *at = memmem(der.data, der.len, oid, sizeof(oid));
	assert_non_null(at);
	at[sizeof(oid) - 1] = 0x07;
	REFUSED(csr_parse(buf_bytes(&der), &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "stands twice"));
}

/* req: EE-16 */
static void csr_parse__serial_number_that_cannot_be_told__is_refused(void **state)
{
	refused(&(struct request){.serial_number = "SN-1", .serial_number_twice = true},
		"more than once");
	refused(&(struct request){.serial_number = "SN-1",
			.serial_number_type = V_ASN1_TELETEXSTRING},
		"string type");
	refused(&(struct request){.serial_number = ""}, "empty");
}

static void csr_parse__version_not_zero__is_refused(void **state)
{
	refused(&(struct request){.version = 1}, "version 1");
}

/* req: EE-03 */
static void csr_parse__certificate_instead__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct recipe v3 = {.cn = "x", .key = key_evp(key)};
	struct recipe v1 = {.cn = "x", .key = key_evp(key), .version = 1};
	struct bytes certs[] = {fixture_der(&v3), fixture_der(&v1)};

	for (size_t i = 0; i < 2; i++) {
		REFUSED(csr_parse(certs[i], &e), ERR_INPUT);
		assert_queue_empty();
		fixture_free(certs[i]);
	}
}

static void csr_parse__octets_after_it_or_something_else__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(&(struct request){.version = 0}, &der);
	MUST(buf_append(&der, "\n", 1, &e));
	REFUSED(csr_parse(buf_bytes(&der), &e), ERR_INPUT);
	REFUSED(csr_parse(bytes_of(NULL, 0), &e), ERR_INPUT);
	REFUSED(csr_parse(bytes_of_str("-----BEGIN CERTIFICATE REQUEST-----"), &e), ERR_INPUT);
}

static void csr_parse__over_the_limit__is_too_large(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf big = BUF_INIT(CSR_DER_MAX + 1);
	uint8_t block[1024] = {0x30};

	while (big.len < CSR_DER_MAX)
		MUST(buf_append(&big, block, sizeof(block), &e));
	MUST(buf_append(&big, block, 1, &e));
	REFUSED(csr_parse(buf_bytes(&big), &e), ERR_TOO_LARGE);
}

/* req: EE-03 */
static void csr_verify__changed_signature__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(&(struct request){.version = 0}, &der);
	der.data[der.len - 1] ^= 1;
	CSR_AUTO struct csr *c = csr_parse(buf_bytes(&der), &e);
	assert_non_null(c);
	REFUSED(csr_verify(c, &e), ERR_INPUT);
	assert_string_equal(
		err_sentence(&e), "The signature of the request does not match its key.");
	assert_queue_empty();
}

static void csr_verify__weak_key_or_digest__is_refused(void **state)
{
	struct err e = ERR_INIT;
	EVP_PKEY *rsa_1024 = EVP_RSA_gen(1024);
	EVP_PKEY *rsa_2048 = EVP_RSA_gen(2048);
	EVP_PKEY *koblitz = fixture_ec("secp256k1");
	const struct request weak[] = {{.key = rsa_1024}, {.key = koblitz}, {.md = EVP_sha1()},
		{.key = rsa_2048, .md = EVP_md5()}, {.md = EVP_sha224()}};

	for (size_t i = 0; i < sizeof(weak) / sizeof(weak[0]); i++) {
		CSR_AUTO struct csr *c = parsed(&weak[i]);

		REFUSED(csr_verify(c, &e), ERR_INPUT);
		assert_queue_empty();
	}
	EVP_PKEY_free(rsa_1024);
	EVP_PKEY_free(rsa_2048);
	EVP_PKEY_free(koblitz);
}

/* --- damaged requests ------------------------------------------------------------------------ */

static void csr_parse__cut_anywhere__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(&(struct request){.serial_number = "SN-1", .password = "a", .san = "DNS:a"}, &der);
	for (size_t len = 0; len < der.len; len++) {
		BUF_AUTO struct buf cut = BUF_INIT(CSR_DER_MAX);

		MUST(buf_append(&cut, der.data, len, &e));
		REFUSED(csr_parse(buf_bytes(&cut), &e), ERR_INPUT);
	}
}

/* The signature covers all but the names of the algorithm's parameters; no changed request may
 * verify and say something else. */
static void csr_verify__any_bit_changed__is_refused_or_says_the_same(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der;

	build(&(struct request){.serial_number = "SN-1", .password = "a", .san = "DNS:a"}, &der);
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		CSR_AUTO struct csr *c = NULL;

		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		c = csr_parse(buf_bytes(&der), &e);
		assert_false(c && csr_verify(c, &e));
		assert_queue_empty();
		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

/* The signature does not cover what comes with the name of its algorithm: nothing but NULL may. */
static void csr_verify__more_in_the_algorithm_than_its_name__is_refused(void **state)
{
	static const uint8_t name[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		0x01, 0x01, 0x0b, 0x05, 0x00}; /* sha256WithRSAEncryption, NULL */
	struct err e = ERR_INIT;
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	BUF_AUTO struct buf der, longer = BUF_INIT(CSR_DER_MAX);
	uint8_t *end;

	build(&(struct request){.key = rsa}, &der);
	end = (uint8_t *)memmem(der.data, der.len, name, sizeof(name)) + sizeof(name);
	MUST(buf_append(&longer, der.data, (size_t)(end - der.data), &e));
	MUST(buf_append(&longer, "\x05\x00", 2, &e)); /* once more */
	MUST(buf_append(&longer, end, der.len - (size_t)(end - der.data), &e));
	longer.data[3] += 2; /* the length of all, its last octet */
	longer.data[end - der.data - (ptrdiff_t)sizeof(name) + 1] += 2;
	CSR_AUTO struct csr *twice = csr_parse(buf_bytes(&longer), &e);
	end[-2] = 0x04; /* an OCTET STRING in the place of NULL */
	CSR_AUTO struct csr *other = csr_parse(buf_bytes(&der), &e);
	assert_true(twice && other);
	REFUSED(csr_verify(twice, &e), ERR_INPUT);
	REFUSED(csr_verify(other, &e), ERR_INPUT);
	EVP_PKEY_free(rsa);
}

/* --- requests made by us --------------------------------------------------------------------- */

static struct bytes subject(void)
{
	static uint8_t der[64];
	static size_t len;

	if (len == 0) {
		X509_NAME *name = X509_NAME_new();
		uint8_t *p = der;

		assert_int_equal(
			X509_NAME_add_entry_by_NID(name, NID_serialNumber, V_ASN1_PRINTABLESTRING,
				(const uint8_t *)"SN-1", -1, -1, 0),
			1);
		len = (size_t)i2d_X509_NAME(name, &p);
		X509_NAME_free(name);
	}
	return bytes_of(der, len);
}

static void make(const struct csr_wish *wish, struct buf *out)
{
	struct err e = ERR_INIT;

	buf_init(out, CSR_DER_MAX);
	MUST(csr_make(wish, out, &e));
	assert_queue_empty();
}

static void attrs_of(struct bytes der, struct csrattrs *out)
{
	struct err e = ERR_INIT;

	MUST(csrattrs_parse(der, out, &e));
}

static void attrs_of_words(const char *words, struct csrattrs *out)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);

	MUST(csrattrs_format(words, &der, &e));
	attrs_of(buf_bytes(&der), out);
}

/* req: EE-07 */
static void csr_make__every_type_of_key__is_verified_by_openssl(void **state)
{
	for (enum key_type type = 0; type < KEY_TYPE_COUNT; type++) {
		struct err e = ERR_INIT;
		KEY_AUTO struct key *k = key_generate(type, &e);
		struct csr_wish wish = {.key = k,
			.subject_der = subject(),
			.san = DER(0x30, 0x03, 0x82, 0x01, 'a'),
			.challenge_password = "YmluZGluZw=="};
		BUF_AUTO struct buf der;

		make(&wish, &der);
		const uint8_t *p = der.data;
		X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.len);
		assert_non_null(req);
		assert_int_equal(p - der.data, (long)der.len);
		assert_int_equal(X509_REQ_verify(req, key_evp(k)), 1);
		assert_int_equal(X509_REQ_get_attr_count(req), 2);
		X509_REQ_free(req);
		CSR_AUTO struct csr *c = csr_parse(buf_bytes(&der), &e);
		assert_non_null(c);
		assert_string_equal(csr_serial_number(c), "SN-1");
		assert_string_equal(csr_challenge_password(c), "YmluZGluZw==");
		assert_true(bytes_equal(csr_san(c), wish.san));
		assert_true(bytes_equal(csr_subject_der(c), subject()));
	}
}

static void csr_make__password_asked_for_and_not_there__is_refused(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	BUF_AUTO struct buf der = BUF_INIT(CSR_DER_MAX);
	struct csr_wish wish = {.key = key, .subject_der = subject(), .attrs = &attrs};

	attrs_of_words("challengePassword", &attrs);
	REFUSED(csr_make(&wish, &der, &e), ERR_INPUT);
	assert_int_equal(der.len, 0);
}

/* CsrAttrs { extensionRequest { SAN critical, otherName id-on-AcpNodeName "rfc8994+@a" } } */
#define ACP_NAMES                                                                                  \
	0x30, 0x1a, 0xa0, 0x18, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x0a, 0xa0,  \
		0x0c, 0x16, 0x0a, 'r', 'f', 'c', '8', '9', '9', '4', '+', '@', 'a'
#define ACP_ATTRS                                                                                  \
	0x30, 0x39, 0x30, 0x37, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e,  \
		0x31, 0x2a, 0x30, 0x28, 0x30, 0x26, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x01, 0x01,      \
		0xff, 0x04, 0x1c, ACP_NAMES

/* req: ER-05, ER-11 */
static void csr_make__wanted_other_name__is_copied(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	BUF_AUTO struct buf der;
	struct csr_wish wish = {.key = key,
		.subject_der = subject(),
		.san = DER(0x30, 0x03, 0x82, 0x01, 'a'),
		.attrs = &attrs};

	attrs_of(DER(ACP_ATTRS), &attrs);
	make(&wish, &der);
	CSR_AUTO struct csr *c = csr_parse(buf_bytes(&der), &e);
	assert_non_null(c);
	assert_true(bytes_equal(csr_san(c), DER(ACP_NAMES)));
	MUST(csr_satisfies(c, &attrs, &e));
	/* and without it the same attributes are not satisfied */
	BUF_AUTO struct buf plain;
	wish.attrs = NULL;
	make(&wish, &plain);
	CSR_AUTO struct csr *other = csr_parse(buf_bytes(&plain), &e);
	assert_non_null(other);
	REFUSED(csr_satisfies(other, &attrs, &e), ERR_INPUT);
	assert_non_null(strstr(err_sentence(&e), "subjectAltName"));
}

/* CsrAttrs { template { version 0, subject { CN open, OU "d" }, [0] P-256, [1] { challengePassword,
 * extension template { SAN { dNSName "f", iPAddress open }, keyUsage open } } } } */
#define TEMPLATE                                                                                   \
	0x30, 0x7f, 0x30, 0x7d, 0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10,  \
		0x02, 0x3d, 0x31, 0x6e, 0x30, 0x6c, 0x02, 0x01, 0x00, /* version */                \
		0x30, 0x15, 0x31, 0x07, 0x30, 0x05, 0x06, 0x03, 0x55, 0x04, 0x03, 0x31, 0x0a,      \
		0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x01, 'd', /* subject */           \
		0xa0, 0x15, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,      \
		0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, /* key */              \
		0xa1, 0x39, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,      \
		0x09, 0x07, 0x31, 0x00, /* challengePassword */                                    \
		0x30, 0x28, 0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10,      \
		0x02, 0x3e, 0x31, 0x19, 0x30, 0x17, 0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x11,      \
		0x04, 0x07, 0x30, 0x05, 0x82, 0x01, 'f', 0x87, 0x00, /* subjectAltName */          \
		0x30, 0x05, 0x06, 0x03, 0x55, 0x1d, 0x0f	     /* keyUsage */

/* req: ER-08, ER-11 */
static void csr_make__template__is_filled_in(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	BUF_AUTO struct buf der;
	struct bytes usage;
	struct csr_wish wish = {.key = key,
		.subject_der = subject(),
		.san = DER(0x30, 0x09, 0x82, 0x01, 'x', 0x87, 0x04, 10, 0, 0, 1),
		.attrs = &attrs,
		.challenge_password = "YQ=="};

	attrs_of(DER(TEMPLATE), &attrs);
	make(&wish, &der);
	CSR_AUTO struct csr *c = csr_parse(buf_bytes(&der), &e);
	assert_non_null(c);
	assert_true(
		bytes_equal(csr_san(c), DER(0x30, 0x09, 0x82, 0x01, 'f', 0x87, 0x04, 10, 0, 0, 1)));
	const struct bytes key_usage = OID_KEY_USAGE;
	assert_true(csr_extension(c, key_usage, &usage));
	assert_true(bytes_equal(usage, DER(0x03, 0x02, 0x07, 0x80)));
	assert_null(csr_serial_number(c)); /* the template has none */
	assert_true(bytes_equal(
		csr_subject_der(c), DER(0x30, 0x1b, 0x31, 0x0d, 0x30, 0x0b, 0x06, 0x03, 0x55, 0x04,
					    0x03, 0x13, 0x04, 'S', 'N', '-', '1', 0x31, 0x0a, 0x30,
					    0x08, 0x06, 0x03, 0x55, 0x04, 0x0b, 0x0c, 0x01, 'd')));
	MUST(csr_satisfies(c, &attrs, &e));
}

static void csr_make__open_names_we_have_none_of__are_left_out(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	BUF_AUTO struct buf der;
	struct csr_wish wish = {.key = key,
		.subject_der = subject(),
		.attrs = &attrs,
		.challenge_password = "YQ=="};

	attrs_of(DER(TEMPLATE), &attrs);
	make(&wish, &der);
	CSR_AUTO struct csr *c = csr_parse(buf_bytes(&der), &e);
	assert_non_null(c);
	assert_true(bytes_equal(csr_san(c), DER(0x30, 0x03, 0x82, 0x01, 'f')));
	REFUSED(csr_satisfies(c, &attrs, &e), ERR_INPUT);
}

/* --- what the registrar asked for ------------------------------------------------------------ */

/* req: EE-18, ER-04 */
static void csr_satisfies__what_is_missing__is_named(void **state)
{
	static const struct {
		const char *words;
		const char *sentence; /* NULL: satisfied */
	} cases[] = {
		{"", NULL},
		{"2.999.1", NULL},
		{"challengePassword ec-p256 san", NULL},
		{"ec-p384", "curve 1.3.132.0.34"},
		{"rsa-3072", "1.2.840.113549.1.1.1"},
		{"2.5.29.15", "extension 2.5.29.15"},
	};
	CSR_AUTO struct csr *full = parsed(&(struct request){.password = "a", .san = "DNS:a"});
	CSR_AUTO struct csr *bare = parsed(&(struct request){.version = 0});

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		CSRATTRS_AUTO struct csrattrs attrs;

		attrs_of_words(cases[i].words, &attrs);
		if (!cases[i].sentence) {
			MUST(csr_satisfies(full, &attrs, &e));
			continue;
		}
		REFUSED(csr_satisfies(full, &attrs, &e), ERR_INPUT);
		if (!strstr(err_sentence(&e), cases[i].sentence))
			fail_msg("%s", err_sentence(&e));
		assert_queue_empty();
	}
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	attrs_of_words("challengePassword", &attrs);
	REFUSED(csr_satisfies(bare, &attrs, &e), ERR_INPUT);
	assert_non_null(strstr(err_sentence(&e), "challengePassword"));
}

static void csr_satisfies__rsa_key__has_to_be_large_enough(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	EVP_PKEY *small = EVP_RSA_gen(2048), *large = EVP_RSA_gen(3072);
	CSR_AUTO struct csr *c_small = parsed(&(struct request){.key = small});
	CSR_AUTO struct csr *c_large = parsed(&(struct request){.key = large});

	attrs_of_words("rsa-3072", &attrs);
	MUST(csr_satisfies(c_large, &attrs, &e));
	REFUSED(csr_satisfies(c_small, &attrs, &e), ERR_INPUT);
	EVP_PKEY_free(small);
	EVP_PKEY_free(large);
}

/* The subject of a template: open attributes have to be there, given ones with their value. */
static void csr_satisfies__subject_of_the_template__is_compared(void **state)
{
	struct err e = ERR_INIT;
	CSRATTRS_AUTO struct csrattrs attrs;
	CSR_AUTO struct csr *c =
		parsed(&(struct request){.password = "a", .san = "DNS:f,IP:10.0.0.1"});

	attrs_of(DER(TEMPLATE), &attrs);
	REFUSED(csr_satisfies(c, &attrs, &e), ERR_INPUT);
	assert_non_null(strstr(err_sentence(&e), "2.5.4.11"));
}

static int make_key(void **state)
{
	struct err e = ERR_INIT;

	key = key_generate(KEY_EC_P256, &e);
	return key ? 0 : -1;
}

static int free_key(void **state)
{
	key_free(key);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csr_parse__what_openssl_makes__is_read),
		cmocka_unit_test(csr_parse__bare_request__has_nothing_more),
		cmocka_unit_test(csr_parse__attributes_of_est__are_noticed),
		cmocka_unit_test(csr_parse__known_attribute_twice__is_refused),
		cmocka_unit_test(csr_parse__serial_number_that_cannot_be_told__is_refused),
		cmocka_unit_test(csr_parse__version_not_zero__is_refused),
		cmocka_unit_test(csr_parse__certificate_instead__is_refused),
		cmocka_unit_test(csr_parse__octets_after_it_or_something_else__is_refused),
		cmocka_unit_test(csr_parse__over_the_limit__is_too_large),
		cmocka_unit_test(csr_verify__changed_signature__is_refused),
		cmocka_unit_test(csr_verify__weak_key_or_digest__is_refused),
		cmocka_unit_test(csr_parse__cut_anywhere__is_refused),
		cmocka_unit_test(csr_verify__any_bit_changed__is_refused_or_says_the_same),
		cmocka_unit_test(csr_verify__more_in_the_algorithm_than_its_name__is_refused),
		cmocka_unit_test(csr_make__every_type_of_key__is_verified_by_openssl),
		cmocka_unit_test(csr_make__password_asked_for_and_not_there__is_refused),
		cmocka_unit_test(csr_make__wanted_other_name__is_copied),
		cmocka_unit_test(csr_make__template__is_filled_in),
		cmocka_unit_test(csr_make__open_names_we_have_none_of__are_left_out),
		cmocka_unit_test(csr_satisfies__what_is_missing__is_named),
		cmocka_unit_test(csr_satisfies__rsa_key__has_to_be_large_enough),
		cmocka_unit_test(csr_satisfies__subject_of_the_template__is_compared),
	};

	return cmocka_run_group_tests_name("csr", tests, make_key, free_key);
}
