/* SPDX-License-Identifier: Apache-2.0 */
/* CMS vouchers: what we write must be read by OpenSSL, what OpenSSL writes must get the right
 * verdict from us, and every rule that OpenSSL does not have is tried with a hand-made container.
 */
#include "common/pki/cms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/err.h>

#include "common/pki/oid.h"
#include "common/wire/der.h"
#include "tests/unit/identity_fixture.h"

#define NOW		  1795255200 /* 2026-11-21 */
#define HARMLESS_BITS_MAX 130
#define PAYLOAD		  "{\"ietf-voucher:voucher\":{\"serial-number\":\"SN-1\"}}"

static const struct bytes oid_anima = OID_ANIMA_JSON_VOUCHER;
static const struct bytes oid_data = OID_ID_DATA;
static const struct bytes oid_signed_data = OID_SIGNED_DATA;
static const struct bytes oid_content_type = OID_CONTENT_TYPE;
static const struct bytes oid_message_digest = OID_MESSAGE_DIGEST;
static const struct bytes oid_signing_time = OID_SIGNING_TIME;

static const struct bytes alg_sha1 = OCTETS(0x30, 0x07, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a);
static const struct bytes alg_sha256 =
	OCTETS(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01);
static const struct bytes alg_sha512 =
	OCTETS(0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03);
static const struct bytes alg_ecdsa_sha1 =
	OCTETS(0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01);
static const struct bytes alg_ecdsa_sha256 =
	OCTETS(0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02);
static const struct bytes alg_ec_public_key =
	OCTETS(0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01);

static struct identity signer; /* P-256, made once: keys cost time, and nothing changes it */
static struct identity stranger;

static struct bytes payload(void)
{
	return bytes_of_str(PAYLOAD);
}

/* --- a container made by hand, one wrong thing at a time ------------------------------------ */

enum attrs {
	ATTRS_USUAL,
	ATTRS_NONE,
	ATTRS_EMPTY,
	ATTRS_UNSORTED,
	ATTRS_OTHER_TYPE,
	ATTRS_NO_TYPE,
	ATTRS_OTHER_DIGEST,
	ATTRS_NO_DIGEST,
	ATTRS_TYPE_TWICE,
	ATTRS_TWO_VALUES,
	ATTRS_UNKNOWN,
	ATTRS_TOO_MANY,
	ATTRS_NO_TIME_ZONE,
	ATTRS_GENERALIZED_TIME,
};

struct wanted {
	uint8_t version;
	struct bytes content_type;
	enum attrs attrs;
	unsigned signers;
	unsigned certs;
	bool detached;
	bool two_octet_strings;
	bool by_key_id;
	bool crl;
	bool junk_cert;
	bool unsigned_attrs;
	struct bytes digest_alg;
	struct bytes signature_alg;
	const EVP_MD *md;
};

static struct wanted usual(void)
{
	return (struct wanted){.version = 3,
		.content_type = oid_anima,
		.signers = 1,
		.certs = 1,
		.digest_alg = alg_sha256,
		.signature_alg = alg_ecdsa_sha256,
		.md = EVP_sha256()};
}

static void put(struct buf *out, uint8_t tag, struct bytes content)
{
	struct err e = ERR_INIT;

	MUST(der_put(out, tag, content, &e));
}

static void add(struct buf *out, struct bytes octets)
{
	struct err e = ERR_INIT;

	MUST(buf_append(out, octets.data, octets.len, &e));
}

static void wrap(struct buf *b, uint8_t tag)
{
	BUF_AUTO struct buf inner = *b;

	buf_init(b, CMS_DER_MAX * 2);
	put(b, tag, buf_bytes(&inner));
}

static void put_attr(struct buf *out, struct bytes type, uint8_t tag, struct bytes value, int count)
{
	BUF_AUTO struct buf set = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf attr = BUF_INIT(CMS_DER_MAX);

	while (count-- > 0)
		put(&set, tag, value);
	put(&attr, DER_OID, type);
	put(&attr, DER_SET, buf_bytes(&set));
	put(out, DER_SEQUENCE, buf_bytes(&attr));
}

static void put_odd_attrs(struct buf *out, const struct wanted *r)
{
	const uint8_t unknown[] = {0x88, 0x37, 0x01};

	if (r->attrs == ATTRS_UNKNOWN)
		put_attr(out, bytes_of(unknown, 3), DER_NULL, bytes_of(NULL, 0), 1);
	for (uint8_t i = 0; r->attrs == ATTRS_TOO_MANY && i < 20; i++)
		put_attr(out, bytes_of(&i, 1), DER_NULL, bytes_of(NULL, 0), 1);
	if (r->attrs == ATTRS_NO_TIME_ZONE)
		put_attr(out, oid_signing_time, DER_UTC_TIME, bytes_of_str("261121100000"), 1);
	if (r->attrs == ATTRS_GENERALIZED_TIME)
		put_attr(out, oid_signing_time, DER_GENERALIZED_TIME,
			bytes_of_str("20261121100000Z"), 1);
}

/* The content of the SET of signed attributes. */
static void put_attrs(struct buf *out, const struct wanted *r)
{
	BUF_AUTO struct buf type = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf digest = BUF_INIT(CMS_DER_MAX);
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	assert_int_equal(EVP_Digest(PAYLOAD, strlen(PAYLOAD), hash, &len, r->md, NULL), 1);
	if (r->attrs == ATTRS_OTHER_DIGEST)
		hash[0] ^= 1;
	if (r->attrs == ATTRS_EMPTY)
		return;
	if (r->attrs != ATTRS_NO_TYPE)
		put_attr(&type, oid_content_type, DER_OID,
			r->attrs == ATTRS_OTHER_TYPE ? oid_data : r->content_type,
			r->attrs == ATTRS_TWO_VALUES ? 2 : 1);
	if (r->attrs == ATTRS_TYPE_TWICE)
		put_attr(&type, oid_content_type, DER_OID, r->content_type, 1);
	if (r->attrs != ATTRS_NO_DIGEST)
		put_attr(&digest, oid_message_digest, DER_OCTET_STRING, bytes_of(hash, len), 1);
	if (r->attrs == ATTRS_UNSORTED)
		add(out, buf_bytes(&digest));
	add(out, buf_bytes(&type));
	if (r->attrs != ATTRS_UNSORTED)
		add(out, buf_bytes(&digest));
	put_odd_attrs(out, r);
}

static void put_signature(struct buf *out, const struct wanted *r, struct bytes data)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t sig[256];
	size_t len = sizeof(sig);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, r->md, NULL, key_evp(signer.key)), 1);
	assert_int_equal(EVP_DigestSign(ctx, sig, &len, data.data, data.len), 1);
	EVP_MD_CTX_free(ctx);
	put(out, DER_OCTET_STRING, bytes_of(sig, len));
}

static void put_signer_info(struct buf *out, const struct wanted *r)
{
	BUF_AUTO struct buf info = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf sid = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf attrs = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf set = BUF_INIT(CMS_DER_MAX);
	const uint8_t version = r->by_key_id ? 3 : 1;

	put(&info, DER_INTEGER, bytes_of(&version, 1));
	add(&sid, cert_issuer_der(signer.cert));
	put(&sid, DER_INTEGER, cert_serial(signer.cert));
	if (r->by_key_id)
		put(&info, DER_CONTEXT(0), cert_ski(signer.cert));
	else
		put(&info, DER_SEQUENCE, buf_bytes(&sid));
	add(&info, r->digest_alg);
	put_attrs(&attrs, r);
	put(&set, DER_SET, buf_bytes(&attrs));
	if (r->attrs != ATTRS_NONE)
		put(&info, DER_CONTEXT_CONSTRUCTED(0), buf_bytes(&attrs));
	add(&info, r->signature_alg);
	put_signature(&info, r, r->attrs == ATTRS_NONE ? payload() : buf_bytes(&set));
	if (r->unsigned_attrs)
		put(&info, DER_CONTEXT_CONSTRUCTED(1), buf_bytes(&attrs));
	put(out, DER_SEQUENCE, buf_bytes(&info));
}

static void put_content(struct buf *out, const struct wanted *r)
{
	BUF_AUTO struct buf octets = BUF_INIT(CMS_DER_MAX);
	BUF_AUTO struct buf encap = BUF_INIT(CMS_DER_MAX);

	put(&octets, DER_OCTET_STRING, payload());
	if (r->two_octet_strings)
		put(&octets, DER_OCTET_STRING, payload());
	put(&encap, DER_OID, r->content_type);
	if (!r->detached)
		put(&encap, DER_CONTEXT_CONSTRUCTED(0), buf_bytes(&octets));
	put(out, DER_SEQUENCE, buf_bytes(&encap));
}

static void put_crl(struct buf *out)
{
	BUF_AUTO struct buf set = BUF_INIT(CMS_DER_MAX);
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = ASN1_TIME_adj(NULL, NOW, 0, 0);
	uint8_t *der = NULL;
	int len;

	assert_int_equal(
		X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(signer.cert))), 1);
	assert_int_equal(X509_CRL_set1_lastUpdate(crl, now), 1);
	assert_true(X509_CRL_sign(crl, key_evp(signer.key), EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &der);
	assert_true(len > 0);
	add(&set, bytes_of(der, (size_t)len));
	put(out, DER_CONTEXT_CONSTRUCTED(1), buf_bytes(&set));
	OPENSSL_free(der);
	ASN1_TIME_free(now);
	X509_CRL_free(crl);
}

static void cook(const struct wanted *r, struct buf *out)
{
	BUF_AUTO struct buf body = BUF_INIT(CMS_DER_MAX * 2);
	BUF_AUTO struct buf set = BUF_INIT(CMS_DER_MAX * 2);
	BUF_AUTO struct buf infos = BUF_INIT(CMS_DER_MAX);

	put(&body, DER_INTEGER, bytes_of(&r->version, 1));
	put(&body, DER_SET, r->digest_alg);
	put_content(&body, r);
	for (unsigned i = 0; i < r->certs; i++)
		add(&set, cert_der(signer.cert));
	if (r->junk_cert)
		put(&set, DER_SEQUENCE, bytes_of("\x02\x01\x01", 3));
	if (set.len > 0)
		put(&body, DER_CONTEXT_CONSTRUCTED(0), buf_bytes(&set));
	if (r->crl)
		put_crl(&body);
	for (unsigned i = 0; i < r->signers; i++)
		put_signer_info(&infos, r);
	put(&body, DER_SET, buf_bytes(&infos));
	wrap(&body, DER_SEQUENCE);
	wrap(&body, DER_CONTEXT_CONSTRUCTED(0));
	put(out, DER_OID, oid_signed_data);
	add(out, buf_bytes(&body));
	wrap(out, DER_SEQUENCE);
}

static bool opens(const struct wanted *r, struct err *e)
{
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX * 2);
	CMS_AUTO struct cms c;

	cook(r, &der);
	if (!cms_open(buf_bytes(&der), NULL, NULL, &c, e))
		return false;
	assert_true(bytes_equal(buf_bytes(&c.payload), payload()));
	assert_true(cert_same(c.signer, signer.cert));
	return true;
}

static void accepts(struct wanted r)
{
	struct err e = ERR_INIT;

	MUST(opens(&r, &e));
}

static void refuses(struct wanted r, enum err_kind kind, const char *reason)
{
	struct err e = ERR_INIT;

	REFUSED(opens(&r, &e), kind);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
	assert_int_equal(ERR_peek_error(), 0);
}

#define WITH(...)                                                                                  \
	({                                                                                         \
		struct wanted r_ = usual();                                                        \
		struct wanted *w = &r_;                                                            \
		__VA_ARGS__;                                                                       \
		r_;                                                                                \
	})

/* req: ENC-ALL-001, ENC-ALL-004 */
static void cms_open__the_usual_container__is_accepted(void **state)
{
	accepts(usual());
	accepts(WITH(w->unsigned_attrs = true));
	accepts(WITH(w->by_key_id = true));
}

/* req: ENC-ALL-006 */
static void cms_open__any_known_version__is_accepted(void **state)
{
	for (uint8_t version = 1; version <= 5; version++)
		accepts(WITH(w->version = version));
	refuses(WITH(w->version = 0), ERR_INPUT, "version");
	refuses(WITH(w->version = 6), ERR_INPUT, "version");
}

/* req: ENC-ALL-002 */
static void cms_open__id_data__is_accepted_and_other_types_are_refused(void **state)
{
	const uint8_t xml_voucher[] = {
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x29};

	accepts(WITH(w->content_type = oid_data));
	accepts(WITH(w->content_type = oid_data; w->attrs = ATTRS_NONE; w->version = 1));
	refuses(WITH(w->content_type = bytes_of(xml_voucher, sizeof(xml_voucher))), ERR_INPUT,
		"eContentType");
}

/* req: ENC-ALL-003 */
static void cms_open__json_voucher_without_signed_attributes__is_refused(void **state)
{
	refuses(WITH(w->attrs = ATTRS_NONE), ERR_UNAUTHENTICATED, "without signed attributes");
	refuses(WITH(w->attrs = ATTRS_EMPTY), ERR_UNAUTHENTICATED, "content-type attribute");
}

/* req: ENC-ALL-003 */
static void cms_open__content_type_attribute_differs__is_refused(void **state)
{
	refuses(WITH(w->attrs = ATTRS_OTHER_TYPE), ERR_UNAUTHENTICATED, "content-type attribute");
	refuses(WITH(w->attrs = ATTRS_NO_TYPE), ERR_UNAUTHENTICATED, "content-type attribute");
}

static void cms_open__message_digest_differs_or_is_absent__is_refused(void **state)
{
	refuses(WITH(w->attrs = ATTRS_OTHER_DIGEST), ERR_UNAUTHENTICATED, "message-digest");
	refuses(WITH(w->attrs = ATTRS_NO_DIGEST), ERR_UNAUTHENTICATED, "message-digest");
}

static void cms_open__attribute_twice_or_with_two_values__is_refused(void **state)
{
	refuses(WITH(w->attrs = ATTRS_TYPE_TWICE), ERR_INPUT, "twice");
	refuses(WITH(w->attrs = ATTRS_TWO_VALUES), ERR_INPUT, "after the end");
	refuses(WITH(w->attrs = ATTRS_TOO_MANY), ERR_TOO_LARGE, "signed attributes");
}

static void cms_open__unknown_or_unsorted_attributes__are_accepted(void **state)
{
	accepts(WITH(w->attrs = ATTRS_UNKNOWN));
	accepts(WITH(w->attrs = ATTRS_UNSORTED));
}

static void cms_open__signing_time__is_read_or_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;
	struct wanted r = WITH(w->attrs = ATTRS_GENERALIZED_TIME);

	cook(&r, &der);
	cms_init(&c);
	MUST(cms_open(buf_bytes(&der), NULL, NULL, &c, &e));
	assert_true(c.has_signing_time);
	assert_int_equal(c.signing_time, NOW);
	refuses(WITH(w->attrs = ATTRS_NO_TIME_ZONE), ERR_INPUT, "signingTime");
}

/* req: ENC-ALL-004 */
static void cms_open__number_of_signers_not_one__is_refused(void **state)
{
	refuses(WITH(w->signers = 0), ERR_UNAUTHENTICATED, "nobody signed");
	refuses(WITH(w->signers = 2), ERR_INPUT, "more than one signer");
}

/* req: ENC-ALL-001 */
static void cms_open__content_not_in_it_once__is_refused(void **state)
{
	refuses(WITH(w->detached = true), ERR_INPUT, "detached");
	refuses(WITH(w->two_octet_strings = true), ERR_INPUT, "eContent");
}

static void cms_open__sha1__is_refused(void **state)
{
	refuses(WITH(w->digest_alg = alg_sha1; w->signature_alg = alg_ecdsa_sha1;
			w->md = EVP_sha1()),
		ERR_UNAUTHENTICATED, "digest algorithm");
	refuses(WITH(w->digest_alg = alg_sha1; w->signature_alg = alg_ec_public_key;
			w->md = EVP_sha1()),
		ERR_UNAUTHENTICATED, "digest algorithm");
}

static void cms_open__ec_public_key_as_signature_algorithm__is_accepted(void **state)
{
	accepts(WITH(w->signature_alg = alg_ec_public_key));
	accepts(WITH(w->signature_alg = alg_ec_public_key; w->digest_alg = alg_sha512;
		     w->md = EVP_sha512()));
}

static void cms_open__digest_not_the_one_of_the_signature__is_refused(void **state)
{
	refuses(WITH(w->digest_alg = alg_sha512), ERR_UNAUTHENTICATED, "do not belong together");
}

/* req: ENC-ALL-028 */
static void cms_open__revocation_lists__are_passed_over(void **state)
{
	accepts(WITH(w->crl = true));
}

static void cms_open__certificates__are_limited_and_must_parse(void **state)
{
	accepts(WITH(w->certs = CMS_CERTS_MAX));
	refuses(WITH(w->certs = CMS_CERTS_MAX + 1), ERR_TOO_LARGE, "certificates");
	refuses(WITH(w->junk_cert = true), ERR_INPUT, "certificate 2");
}

static void cms_open__signer_not_in_it__needs_the_hint(void **state)
{
	struct err e = ERR_INIT;
	struct cert *items[] = {stranger.cert, signer.cert};
	struct cert_list hint = {.items = items, .count = 2};
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;
	struct wanted r = WITH(w->certs = 0);

	cook(&r, &der);
	cms_init(&c);
	REFUSED(cms_open(buf_bytes(&der), NULL, NULL, &c, &e), ERR_UNAUTHENTICATED);
	assert_non_null(strstr(e.text, "certificate is missing"));
	hint.count = 1;
	REFUSED(cms_open(buf_bytes(&der), NULL, &hint, &c, &e), ERR_UNAUTHENTICATED);
	hint.count = 2;
	MUST(cms_open(buf_bytes(&der), NULL, &hint, &c, &e));
	assert_true(cert_same(c.signer, signer.cert));
	assert_int_equal(c.certs.count, 0);
}

/* The key id or name of the signer, but somebody else's key. */
static void cms_open__signature_of_another_key__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;
	struct identity liar = {.key = stranger.key, .cert = signer.cert};

	cms_init(&c);
	REFUSED(cms_seal(payload(), &liar, NULL, NOW, &der, &e), ERR_BUG);
	assert_int_equal(der.len, 0);
	assert_non_null(strstr(e.text, "does not verify"));
}

static void cms_parse__bad_signature__still_shows_what_it_says(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;

	cms_init(&c);
	MUST(cms_seal(payload(), &signer, NULL, NOW, &der, &e));
	der.data[der.len - 1] ^= 1;
	MUST(cms_parse(buf_bytes(&der), NULL, &c, &e));
	assert_true(bytes_equal(buf_bytes(&c.payload), payload()));
	assert_null(c.signer);
	assert_true(cert_same(cms_signer_cert(&c, NULL), signer.cert));
	REFUSED(cms_verify(&c, NULL, &e), ERR_UNAUTHENTICATED);
	assert_null(c.signer);
	assert_int_equal(ERR_peek_error(), 0);
}

/* req: ENC-ALL-001 */
static void cms_open__octet_after_the_end__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;

	MUST(cms_seal(payload(), &signer, NULL, NOW, &der, &e));
	add(&der, bytes_of("", 1));
	REFUSED(cms_open(buf_bytes(&der), NULL, NULL, &c, &e), ERR_INPUT);
}

static void cms_open__over_the_limit__is_too_large(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf big = BUF_INIT(CMS_DER_MAX + 1);
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;
	uint8_t block[1024] = {0x30};

	while (big.len < CMS_DER_MAX)
		add(&big, bytes_of(block, sizeof(block)));
	REFUSED(cms_seal(buf_bytes(&big), &signer, NULL, NOW, &out, &e), ERR_TOO_LARGE);
	add(&big, bytes_of(block, 1));
	REFUSED(cms_open(buf_bytes(&big), NULL, NULL, &c, &e), ERR_TOO_LARGE);
	REFUSED(cms_open(bytes_of(NULL, 0), NULL, NULL, &c, &e), ERR_INPUT);
}

/* --- ours, read by OpenSSL ------------------------------------------------------------------ */

static X509_STORE *store_of(const struct cert *anchor)
{
	X509_STORE *store = X509_STORE_new();

	assert_int_equal(X509_STORE_add_cert(store, cert_x509(anchor)), 1);
	assert_int_equal(X509_STORE_set_purpose(store, X509_PURPOSE_ANY), 1);
	return store;
}

/* OpenSSL's verdict on our container; its payload must be ours. */
static void assert_openssl_verifies(struct bytes der, const struct cert *anchor)
{
	const uint8_t *p = der.data;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
	BIO *out = BIO_new(BIO_s_mem());
	X509_STORE *store = store_of(anchor);
	char *text;

	assert_non_null(cms);
	assert_int_equal(p - der.data, (long)der.len);
	assert_int_equal(CMS_verify(cms, NULL, store, NULL, out, CMS_BINARY), 1);
	assert_int_equal(BIO_get_mem_data(out, &text), strlen(PAYLOAD));
	assert_memory_equal(text, PAYLOAD, strlen(PAYLOAD));
	/* and it has nothing to reorder: what we wrote is what DER asks for */
	uint8_t *again = NULL;
	int len = i2d_CMS_ContentInfo(cms, &again);
	assert_int_equal(len, der.len);
	assert_memory_equal(again, der.data, der.len);
	OPENSSL_free(again);
	X509_STORE_free(store);
	BIO_free(out);
	CMS_ContentInfo_free(cms);
}

/* req: ENC-ALL-002, ENC-ALL-025 */
static void cms_seal__every_type_of_key__is_read_by_us_and_by_openssl(void **state)
{
	for (enum key_type type = 0; type < KEY_TYPE_COUNT; type++) {
		struct err e = ERR_INIT;
		IDENTITY_AUTO struct identity id;
		BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
		CMS_AUTO struct cms c;

		cms_init(&c);
		fixture_identity(type, "signer of every type", &id);
		MUST(cms_seal(payload(), &id, NULL, NOW, &der, &e));
		MUST(cms_open(buf_bytes(&der), NULL, NULL, &c, &e));
		assert_true(bytes_equal(buf_bytes(&c.payload), payload()));
		assert_true(cert_same(c.signer, id.cert));
		assert_int_equal(c.content_type, CMS_CONTENT_ANIMA_JSON);
		assert_int_equal(c.version, 3);
		assert_true(c.has_signing_time);
		assert_int_equal(c.signing_time, NOW);
		if (type != KEY_ED25519) /* which OpenSSL 3.0 cannot do in CMS */
			assert_openssl_verifies(buf_bytes(&der), id.cert);
	}
}

/* req: ENC-ALL-005 */
static void cms_seal__extra_certificates__are_carried_once(void **state)
{
	struct err e = ERR_INIT;
	struct cert *items[] = {stranger.cert, signer.cert, stranger.cert};
	const struct cert_list extra = {.items = items, .count = 3};
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;

	cms_init(&c);
	MUST(cms_seal(payload(), &signer, &extra, NOW, &der, &e));
	MUST(cms_open(buf_bytes(&der), NULL, NULL, &c, &e));
	assert_int_equal(c.certs.count, 2);
	assert_true(cert_list_contains(&c.certs, stranger.cert));
	assert_openssl_verifies(buf_bytes(&der), signer.cert);
}

static void cms_seal__signing_time_after_2049__is_read_back(void **state)
{
	struct err e = ERR_INIT;
	const int64_t moments[] = {0, 2524607999, 2524608000, 253402300799};

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
		CMS_AUTO struct cms c;

		cms_init(&c);
		MUST(cms_seal(payload(), &signer, NULL, moments[i], &der, &e));
		MUST(cms_open(buf_bytes(&der), NULL, NULL, &c, &e));
		assert_int_equal(c.signing_time, moments[i]);
	}
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	REFUSED(cms_seal(payload(), &signer, NULL, -1, &der, &e), ERR_INPUT);
}

/* --- OpenSSL's, read by us ------------------------------------------------------------------ */

struct openssl_case {
	const char *what;
	unsigned flags;
	bool anima;
	bool two_signers;
	const EVP_MD *(*md)(void);
	enum err_kind verdict; /* ERR_NONE: accepted */
};

static void openssl_signs(const struct openssl_case *k, struct buf *out)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | k->flags);
	BIO *in = BIO_new_mem_buf(PAYLOAD, (int)strlen(PAYLOAD));
	BIO *written = BIO_new(BIO_s_mem());
	ASN1_OBJECT *type = OBJ_txt2obj("1.2.840.113549.1.9.16.1.40", 1);
	char *der;

	assert_non_null(cms);
	if (k->anima)
		assert_int_equal(CMS_set1_eContentType(cms, type), 1);
	assert_non_null(CMS_add1_signer(
		cms, cert_x509(signer.cert), key_evp(signer.key), k->md(), k->flags));
	if (k->two_signers)
		assert_non_null(CMS_add1_signer(
			cms, cert_x509(stranger.cert), key_evp(stranger.key), k->md(), k->flags));
	if (!(k->flags & CMS_STREAM))
		assert_int_equal(CMS_final(cms, in, NULL, k->flags), 1);
	assert_int_equal(i2d_CMS_bio_stream(written, cms, in, (int)k->flags), 1);
	add(out, bytes_of(der, (size_t)BIO_get_mem_data(written, &der)));
	ASN1_OBJECT_free(type);
	BIO_free(written);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
}

static void cms_open__what_openssl_signs__gets_the_right_verdict(void **state)
{
	static const struct openssl_case cases[] = {
		{"with attributes", CMS_BINARY, true, false, EVP_sha256, ERR_NONE},
		{"sha384", CMS_BINARY, true, false, EVP_sha384, ERR_NONE},
		{"sha512", CMS_BINARY, true, false, EVP_sha512, ERR_NONE},
		{"id-data", CMS_BINARY, false, false, EVP_sha256, ERR_NONE},
		{"id-data, no attributes", CMS_BINARY | CMS_NOATTR, false, false, EVP_sha256,
			ERR_NONE},
		{"key id", CMS_BINARY | CMS_USE_KEYID, true, false, EVP_sha256, ERR_NONE},
		{"no S/MIME capabilities", CMS_BINARY | CMS_NOSMIMECAP, true, false, EVP_sha256,
			ERR_NONE},
		{"no attributes", CMS_BINARY | CMS_NOATTR, true, false, EVP_sha256,
			ERR_UNAUTHENTICATED},
		{"two signers", CMS_BINARY, true, true, EVP_sha256, ERR_INPUT},
		{"no certificates", CMS_BINARY | CMS_NOCERTS, true, false, EVP_sha256,
			ERR_UNAUTHENTICATED},
		{"detached", CMS_BINARY | CMS_DETACHED, true, false, EVP_sha256, ERR_INPUT},
		{"BER", CMS_BINARY | CMS_STREAM, true, false, EVP_sha256, ERR_INPUT},
		{"SHA-1", CMS_BINARY, true, false, EVP_sha1, ERR_UNAUTHENTICATED},
		{"SHA-224", CMS_BINARY, true, false, EVP_sha224, ERR_UNAUTHENTICATED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
		CMS_AUTO struct cms c;
		bool ok;

		openssl_signs(&cases[i], &der);
		ok = cms_open(buf_bytes(&der), NULL, NULL, &c, &e);
		if (ok != (cases[i].verdict == ERR_NONE) || (!ok && e.kind != cases[i].verdict))
			fail_msg("%s: %s", cases[i].what, ok ? "accepted" : e.text);
		assert_int_equal(ERR_peek_error(), 0);
		if (ok)
			assert_true(bytes_equal(buf_bytes(&c.payload), payload()) &&
				    cert_same(c.signer, signer.cert));
	}
}

static void openssl_signs_rsa(int padding_pss, struct buf *out, struct identity *id)
{
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY);
	BIO *in = BIO_new_mem_buf(PAYLOAD, (int)strlen(PAYLOAD));
	CMS_SignerInfo *si = CMS_add1_signer(cms, cert_x509(id->cert), key_evp(id->key),
		EVP_sha256(), CMS_BINARY | CMS_KEY_PARAM);
	EVP_PKEY_CTX *ctx = CMS_SignerInfo_get0_pkey_ctx(si);
	uint8_t *der = NULL;
	int len;

	if (padding_pss) {
		assert_true(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0);
		assert_true(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) > 0);
	}
	assert_int_equal(CMS_final(cms, in, NULL, CMS_BINARY), 1);
	len = i2d_CMS_ContentInfo(cms, &der);
	assert_true(len > 0);
	add(out, bytes_of(der, (size_t)len));
	OPENSSL_free(der);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
}

/* req: ENC-ALL-025 */
static void cms_open__rsa_with_either_padding__is_accepted(void **state)
{
	IDENTITY_AUTO struct identity id;

	fixture_identity(KEY_RSA_3072, "rsa", &id);
	for (int pss = 0; pss < 2; pss++) {
		struct err e = ERR_INIT;
		BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
		CMS_AUTO struct cms c;

		cms_init(&c);
		openssl_signs_rsa(pss, &der, &id);
		MUST(cms_open(buf_bytes(&der), NULL, NULL, &c, &e));
		assert_true(cert_same(c.signer, id.cert));
		cms_clear(&c);
		der.data[der.len - 1] ^= 1;
		REFUSED(cms_open(buf_bytes(&der), NULL, NULL, &c, &e), ERR_UNAUTHENTICATED);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

/* The SignerInfo's digest is the second place that names SHA-256; the parameters name it again. */
static void cms_open__pss_hash_not_the_digest__is_refused(void **state)
{
	const struct bytes sha256 = OID_SHA256;
	struct err e = ERR_INIT;
	IDENTITY_AUTO struct identity id;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	CMS_AUTO struct cms c;
	uint8_t *at;

	fixture_identity(KEY_RSA_3072, "rsa", &id);
	openssl_signs_rsa(1, &der, &id);
	at = memmem(der.data, der.len, sha256.data, sha256.len);
	assert_non_null(at);
	at = memmem(at + 1, der.len - (size_t)(at + 1 - der.data), sha256.data, sha256.len);
	assert_non_null(at);
	at[sha256.len - 1] = 0x02; /* SHA-384 */
	REFUSED(cms_open(buf_bytes(&der), NULL, NULL, &c, &e), ERR_UNAUTHENTICATED);
	assert_non_null(strstr(e.text, "PSS hash"));
}

/* --- damaged containers --------------------------------------------------------------------- */

static void cms_open__cut_anywhere__is_refused(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);

	MUST(cms_seal(payload(), &signer, NULL, NOW, &der, &e));
	for (size_t len = 0; len < der.len; len++) {
		CMS_AUTO struct cms c;
		/* a copy of its own, so that a sanitizer sees a read beyond it */
		BUF_AUTO struct buf cut = BUF_INIT(CMS_DER_MAX);

		add(&cut, bytes_of(der.data, len));
		REFUSED(cms_open(buf_bytes(&cut), NULL, NULL, &c, &e), ERR_INPUT);
	}
}

/* A changed bit may change the certificate in ways that only its issuer's signature shows: such a
 * signer does not verify under the issuer any more. Anything else must be refused or harmless. */
static bool forged(const struct cert *c)
{
	bool bad = X509_verify(cert_x509(c), key_evp(signer.key)) != 1;

	ERR_clear_error();
	return bad;
}

static void cms_open__any_bit_changed__changes_nothing_that_is_believed(void **state)
{
	struct err e = ERR_INIT;
	BUF_AUTO struct buf der = BUF_INIT(CMS_DER_MAX);
	struct cert_cache *cache = cert_cache_new(4, &e);
	size_t harmless = 0;

	assert_non_null(cache);
	MUST(cms_seal(payload(), &signer, NULL, NOW, &der, &e));
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		CMS_AUTO struct cms c;

		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		bool ok = cms_open(buf_bytes(&der), cache, NULL, &c, &e);
		assert_int_equal(ERR_peek_error(), 0);
		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!ok)
			continue;
		assert_true(bytes_equal(buf_bytes(&c.payload), payload()));
		assert_int_equal(c.content_type, CMS_CONTENT_ANIMA_JSON);
		if (cert_same(c.signer, signer.cert))
			harmless++;
		else
			assert_true(forged(c.signer));
	}
	/* versions, and the algorithms named outside the SignerInfo: nothing depends on them */
	assert_in_range(harmless, 1, HARMLESS_BITS_MAX);
	cert_cache_free(cache);
}

static int make_identities(void **state)
{
	fixture_identity(KEY_EC_P256, "MASA", &signer);
	fixture_identity(KEY_EC_P256, "somebody else", &stranger);
	return 0;
}

static int free_identities(void **state)
{
	identity_clear(&signer);
	identity_clear(&stranger);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cms_open__the_usual_container__is_accepted),
		cmocka_unit_test(cms_open__any_known_version__is_accepted),
		cmocka_unit_test(cms_open__id_data__is_accepted_and_other_types_are_refused),
		cmocka_unit_test(cms_open__json_voucher_without_signed_attributes__is_refused),
		cmocka_unit_test(cms_open__content_type_attribute_differs__is_refused),
		cmocka_unit_test(cms_open__message_digest_differs_or_is_absent__is_refused),
		cmocka_unit_test(cms_open__attribute_twice_or_with_two_values__is_refused),
		cmocka_unit_test(cms_open__unknown_or_unsorted_attributes__are_accepted),
		cmocka_unit_test(cms_open__signing_time__is_read_or_refused),
		cmocka_unit_test(cms_open__number_of_signers_not_one__is_refused),
		cmocka_unit_test(cms_open__content_not_in_it_once__is_refused),
		cmocka_unit_test(cms_open__sha1__is_refused),
		cmocka_unit_test(cms_open__ec_public_key_as_signature_algorithm__is_accepted),
		cmocka_unit_test(cms_open__digest_not_the_one_of_the_signature__is_refused),
		cmocka_unit_test(cms_open__revocation_lists__are_passed_over),
		cmocka_unit_test(cms_open__certificates__are_limited_and_must_parse),
		cmocka_unit_test(cms_open__signer_not_in_it__needs_the_hint),
		cmocka_unit_test(cms_open__signature_of_another_key__is_refused),
		cmocka_unit_test(cms_parse__bad_signature__still_shows_what_it_says),
		cmocka_unit_test(cms_open__octet_after_the_end__is_refused),
		cmocka_unit_test(cms_open__over_the_limit__is_too_large),
		cmocka_unit_test(cms_seal__every_type_of_key__is_read_by_us_and_by_openssl),
		cmocka_unit_test(cms_seal__extra_certificates__are_carried_once),
		cmocka_unit_test(cms_seal__signing_time_after_2049__is_read_back),
		cmocka_unit_test(cms_open__what_openssl_signs__gets_the_right_verdict),
		cmocka_unit_test(cms_open__rsa_with_either_padding__is_accepted),
		cmocka_unit_test(cms_open__pss_hash_not_the_digest__is_refused),
		cmocka_unit_test(cms_open__cut_anywhere__is_refused),
		cmocka_unit_test(cms_open__any_bit_changed__changes_nothing_that_is_believed),
	};

	return cmocka_run_group_tests_name("cms", tests, make_identities, free_identities);
}
