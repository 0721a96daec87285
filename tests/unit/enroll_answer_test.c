/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to an enrolment in each of its forms. */
#include "common/pki/pkcs7_certs.h"
#include "common/wire/base64.h"
#include "common/wire/cbor.h"
#include "common/wire/coap_format.h"
#include "registrar/enroll_answer.h"
#include "tests/unit/registrar_fixture.h"

struct answer {
	struct buf body;
	char type[ENROLL_ANSWER_TYPE_MAX];
};

static void write_answer(const struct site *s, const struct enroll_answer *how, struct answer *out)
{
	struct enroll_answer a = *how;
	struct err e = ERR_INIT;

	a.cert = s->idevid.cert;
	buf_init(&out->body, ENROLL_ANSWER_MAX);
	MUST(enroll_answer_write(&a, &out->body, out->type, &e));
}

static void is_certs_only(const struct site *s, struct bytes der)
{
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	MUST(pkcs7_certs_parse(der, &certs, &e));
	assert_int_equal(certs.count, 1);
	assert_true(cert_same(certs.items[0], s->idevid.cert));
}

static void enroll_answer_write__certs_only__is_binary_over_coap_and_base64_over_https(void **state)
{
	/* req: C-05, C-07 */
	const struct site *s = *state;
	const struct enroll_answer coap = {
		.wrapping = EST_BINARY, .format = COAP_FORMAT_PKCS7_CERTS};
	const struct enroll_answer https = {
		.wrapping = EST_UNWRAPPED, .format = COAP_FORMAT_PKCS7_CERTS};
	BUF_AUTO struct buf der = BUF_INIT(65536);
	struct err e = ERR_INIT;
	struct answer a;

	write_answer(s, &coap, &a);
	assert_string_equal(a.type, "application/pkcs7-mime; smime-type=certs-only");
	assert_int_equal(a.body.data[0], 0x30);
	is_certs_only(s, buf_bytes(&a.body));
	buf_clear(&a.body);
	write_answer(s, &https, &a);
	assert_string_equal(a.type, "application/pkcs7-mime; smime-type=certs-only");
	MUST(base64_decode(buf_bytes(&a.body), &der, &e));
	is_certs_only(s, buf_bytes(&der));
	buf_clear(&a.body);
}

static void enroll_answer_write__pkix_cert__is_the_certificate_itself(void **state)
{
	/* req: C-08, N-05 */
	const struct site *s = *state;
	const struct enroll_answer how = {.wrapping = EST_BINARY, .format = COAP_FORMAT_PKIX_CERT};
	struct answer a;

	write_answer(s, &how, &a);
	assert_string_equal(a.type, "application/pkix-cert");
	assert_true(bytes_equal(buf_bytes(&a.body), cert_der(s->idevid.cert)));
	buf_clear(&a.body);
}

static void is_the_key(struct bytes pkcs8, const struct key *key)
{
	BUF_AUTO_WIPE struct buf want = BUF_INIT(8192);
	struct err e = ERR_INIT;

	MUST(key_format_pkcs8(key, &want, &e));
	assert_true(bytes_equal(pkcs8, buf_bytes(&want)));
}

static void enroll_answer_write__a_key_over_coap__is_multipart_core_with_the_certificate_asked_for(
	void **state)
{
	/* req: C-12, C-13, C-14 */
	const struct site *s = *state;
	static const uint32_t formats[] = {COAP_FORMAT_PKCS7_CERTS, COAP_FORMAT_PKIX_CERT};

	for (size_t i = 0; i < 2; i++) {
		const struct enroll_answer how = {
			.key = s->idevid.key, .wrapping = EST_BINARY, .format = formats[i]};
		struct cbor_reader r, parts;
		struct bytes key, cert;
		struct err e = ERR_INIT;
		uint64_t first, second;
		struct answer a;

		write_answer(s, &how, &a);
		assert_string_equal(a.type, "application/multipart-core");
		MUST(cbor_open(buf_bytes(&a.body), &r, &e) && cbor_array(&r, &parts, NULL, &e) &&
			cbor_uint(&parts, &first, &e) && cbor_bytes(&parts, &key, &e) &&
			cbor_uint(&parts, &second, &e) && cbor_bytes(&parts, &cert, &e));
		assert_true(cbor_at_end(&parts));
		assert_int_equal(first, COAP_FORMAT_PKCS8);
		is_the_key(key, s->idevid.key);
		assert_int_equal(second, formats[i]);
		if (formats[i] == COAP_FORMAT_PKCS7_CERTS)
			is_certs_only(s, cert);
		else
			assert_true(bytes_equal(cert, cert_der(s->idevid.cert)));
		buf_wipe(&a.body);
	}
}

static void enroll_answer_write__a_key_over_https__is_multipart_mixed(void **state)
{
	const struct site *s = *state;
	const struct enroll_answer how = {
		.key = s->idevid.key, .wrapping = EST_UNWRAPPED, .format = COAP_FORMAT_PKCS7_CERTS};
	const char *boundary;
	struct answer a;

	write_answer(s, &how, &a);
	assert_int_equal(strncmp(a.type, "multipart/mixed; boundary=", 26), 0);
	boundary = a.type + 26;
	assert_int_equal(strncmp(buf_str(&a.body), "--", 2), 0);
	assert_int_equal(strncmp(buf_str(&a.body) + 2, boundary, strlen(boundary)), 0);
	assert_non_null(strstr(buf_str(&a.body), "Content-Type: application/pkcs8\r\n"));
	buf_wipe(&a.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			enroll_answer_write__certs_only__is_binary_over_coap_and_base64_over_https),
		cmocka_unit_test(enroll_answer_write__pkix_cert__is_the_certificate_itself),
		cmocka_unit_test(
			enroll_answer_write__a_key_over_coap__is_multipart_core_with_the_certificate_asked_for),
		cmocka_unit_test(enroll_answer_write__a_key_over_https__is_multipart_mixed),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
