/* SPDX-License-Identifier: Apache-2.0 */
/* Certs-only CMS: OpenSSL reads what we write, we read what OpenSSL writes, and a container that
 * signs or says something is refused (ECA-02, ECA-11). */
#include "common/pki/pkcs7_certs.h"

#include <openssl/cms.h>
#include <openssl/pkcs7.h>

#include "common/wire/der.h"
#include "tests/unit/identity_fixture.h"

static struct identity one, two;

static struct cert_list both(void)
{
	static struct cert *items[2];

	items[0] = one.cert;
	items[1] = two.cert;
	return (struct cert_list){.items = items, .count = 2};
}

static void take(struct buf *out, uint8_t *der, int len)
{
	struct err e = ERR_INIT;

	assert_true(len > 0);
	MUST(buf_append(out, der, (size_t)len, &e));
	OPENSSL_free(der);
}

/* req: ECA-02 */
static void pkcs7_certs_format__two_certificates__are_read_by_us_and_by_openssl(void **state)
{
	struct err e = ERR_INIT;
	struct cert_list in = both();
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	MUST(pkcs7_certs_format(&in, &der, &e));
	MUST(pkcs7_certs_parse(buf_bytes(&der), &out, &e));
	assert_int_equal(out.count, 2);
	assert_true(cert_list_contains(&out, one.cert) && cert_list_contains(&out, two.cert));

	const uint8_t *p = der.data;
	PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)der.len);
	assert_non_null(p7);
	assert_int_equal(p - der.data, (long)der.len);
	assert_int_equal(sk_X509_num(p7->d.sign->cert), 2);
	PKCS7_free(p7);
	assert_queue_empty();
}

static void pkcs7_certs_format__none_or_too_many__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct cert *items[PKCS7_CERTS_MAX + 1];
	struct cert_list list = {.items = items, .count = 0};
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	REFUSED(pkcs7_certs_format(&list, &der, &e), ERR_INPUT);
	for (size_t i = 0; i <= PKCS7_CERTS_MAX; i++)
		items[i] = one.cert;
	list.count = PKCS7_CERTS_MAX + 1;
	REFUSED(pkcs7_certs_format(&list, &der, &e), ERR_INPUT);
	list.count = PKCS7_CERTS_MAX;
	MUST(pkcs7_certs_format(&list, &der, &e));
}

static void pkcs7_certs_parse__what_openssl_writes__is_accepted(void **state)
{
	struct err e = ERR_INIT;
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);
	PKCS7 *p7 = PKCS7_new();
	uint8_t *octets = NULL;

	assert_int_equal(PKCS7_set_type(p7, NID_pkcs7_signed), 1);
	assert_int_equal(PKCS7_content_new(p7, NID_pkcs7_data), 1);
	PKCS7_set_detached(p7, 1);
	assert_int_equal(PKCS7_add_certificate(p7, cert_x509(one.cert)), 1);
	int len = i2d_PKCS7(p7, &octets);
	take(&der, octets, len);
	PKCS7_free(p7);
	MUST(pkcs7_certs_parse(buf_bytes(&der), &out, &e));
	assert_int_equal(out.count, 1);
	assert_true(cert_same(out.items[0], one.cert));
}

static void openssl_signs(unsigned flags, X509 *cert, EVP_PKEY *key, struct buf *out)
{
	BIO *in = BIO_new_mem_buf("x", 1);
	CMS_ContentInfo *cms = CMS_sign(cert, key, NULL, in, flags | CMS_BINARY);
	uint8_t *octets = NULL;
	int len = i2d_CMS_ContentInfo(cms, &octets);

	take(out, octets, len);
	BIO_free(in);
	CMS_ContentInfo_free(cms);
}

/* req: ECA-02 */
static void pkcs7_certs_parse__with_a_signer_or_content__is_refused(void **state)
{
	struct err e = ERR_INIT;
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	BUF_AUTO struct buf signs = BUF_INIT(PKCS7_CERTS_DER_MAX);
	BUF_AUTO struct buf says = BUF_INIT(PKCS7_CERTS_DER_MAX);

	openssl_signs(CMS_DETACHED, cert_x509(one.cert), key_evp(one.key), &signs);
	REFUSED(pkcs7_certs_parse(buf_bytes(&signs), &out, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "signer"));
	openssl_signs(0, cert_x509(one.cert), key_evp(one.key), &says);
	REFUSED(pkcs7_certs_parse(buf_bytes(&says), &out, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "eContent"));
	assert_int_equal(out.count, 0);
}

/* req: ECA-11 */
static void pkcs7_certs_parse__no_certificate_or_something_else__is_refused(void **state)
{
	struct err e = ERR_INIT;
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	const uint8_t empty[] = {0x30, 0x25, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
		0x07, 0x02, 0xa0, 0x18, 0x30, 0x16, 0x02, 0x01, 0x01, 0x31, 0x00, 0x30, 0x0b, 0x06,
		0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0xa0, 0x00, 0x31, 0x00};

	REFUSED(pkcs7_certs_parse(bytes_of(empty, sizeof(empty)), &out, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "no certificate"));
	REFUSED(pkcs7_certs_parse(cert_der(one.cert), &out, &e), ERR_INPUT);
	REFUSED(pkcs7_certs_parse(bytes_of(NULL, 0), &out, &e), ERR_INPUT);
	REFUSED(pkcs7_certs_parse(bytes_of_str("-----BEGIN PKCS7-----"), &out, &e), ERR_INPUT);
}

static void pkcs7_certs_parse__cut_or_longer__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct cert_list in = both();
	CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	MUST(pkcs7_certs_format(&in, &der, &e));
	for (size_t len = 0; len < der.len; len++) {
		BUF_AUTO struct buf cut = BUF_INIT(PKCS7_CERTS_DER_MAX);

		MUST(buf_append(&cut, der.data, len, &e));
		REFUSED(pkcs7_certs_parse(buf_bytes(&cut), &out, &e), ERR_INPUT);
	}
	MUST(buf_append(&der, "", 1, &e));
	REFUSED(pkcs7_certs_parse(buf_bytes(&der), &out, &e), ERR_INPUT);
}

/* Every bit of a container with one certificate: refused, or still one certificate. */
static void pkcs7_certs_parse__any_bit_changed__never_breaks(void **state)
{
	struct err e = ERR_INIT;
	struct cert_list in = both();
	BUF_AUTO struct buf der = BUF_INIT(PKCS7_CERTS_DER_MAX);

	in.count = 1;
	MUST(pkcs7_certs_format(&in, &der, &e));
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		CERT_LIST_AUTO struct cert_list out = CERT_LIST_INIT;

		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (pkcs7_certs_parse(buf_bytes(&der), &out, &e))
			assert_int_equal(out.count, 1);
		else
			assert_int_equal(out.count, 0);
		assert_queue_empty();
		der.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static int make_identities(void **state)
{
	fixture_identity(KEY_EC_P256, "one", &one);
	fixture_identity(KEY_EC_P384, "two", &two);
	return 0;
}

static int free_identities(void **state)
{
	identity_clear(&one);
	identity_clear(&two);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			pkcs7_certs_format__two_certificates__are_read_by_us_and_by_openssl),
		cmocka_unit_test(pkcs7_certs_format__none_or_too_many__is_refused),
		cmocka_unit_test(pkcs7_certs_parse__what_openssl_writes__is_accepted),
		cmocka_unit_test(pkcs7_certs_parse__with_a_signer_or_content__is_refused),
		cmocka_unit_test(pkcs7_certs_parse__no_certificate_or_something_else__is_refused),
		cmocka_unit_test(pkcs7_certs_parse__cut_or_longer__is_refused),
		cmocka_unit_test(pkcs7_certs_parse__any_bit_changed__never_breaks),
	};

	return cmocka_run_group_tests_name("pkcs7_certs", tests, make_identities, free_identities);
}
