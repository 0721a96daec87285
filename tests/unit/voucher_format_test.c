/* SPDX-License-Identifier: Apache-2.0 */
/* Signed vouchers: sealed and opened, shown when their signature is bad, chosen by media type. */
#include "tests/unit/pki_fixture.h"

#include "common/message/voucher_format.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"

#define CMS_TYPE  "application/voucher-cms+json"
#define COSE_TYPE "application/voucher+cose"
#define OLD_TYPE  "application/voucher-cose+cbor"
#define cose	  (&voucher_formats[1])
#define NOW	  1618350203

/* A self-signed signer, made once per test. */
static void make_signer(struct identity *out)
{
	struct err e = ERR_INIT;
	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(out->key);
	X509 *x = fixture_x509(&(struct recipe){
		.cn = "Signer", .key = key_evp(out->key), .issuer_key = key_evp(out->key)});
	out->cert = cert_from_x509(x, &e);
	assert_non_null(out->cert);
	X509_free(x);
}

static void make_voucher(struct voucher *v)
{
	struct err e = ERR_INIT;
	voucher_init(v, VOUCHER);
	v->serial_number = str_dup("JADA123456789", &e);
	v->nonce = str_dup("-_XE9zK9q8Ll1qylMtLKeg", &e);
	v->assertion = ASSERTION_LOGGED;
	v->has_created_on = true;
	v->created_on = NOW;
}

static void seal(const struct identity *signer, struct buf *out)
{
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	make_voucher(&v);
	if (!voucher_formats[0].seal(&v, signer, NULL, NOW, out, &e))
		fail_msg("%s", e.text);
}

/* The payload signed as it is, whatever it says. */
static void seal_text(const struct identity *signer, const char *payload, struct buf *out)
{
	struct err e = ERR_INIT;
	if (!cms_seal(bytes_of_str(payload), signer, NULL, NOW, out, &e))
		fail_msg("%s", e.text);
}

/* req: ENC-ALL-003 — opening refuses a voucher without signed attributes */
static void open__what_was_sealed__comes_back_with_its_signer(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	make_signer(&signer);
	seal(&signer, &der);
	assert_true(voucher_formats[0].open(buf_bytes(&der), NULL, NULL, &s, &e));
	assert_int_equal(s.fields.kind, VOUCHER);
	assert_string_equal(s.fields.serial_number, "JADA123456789");
	assert_string_equal(s.fields.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
	assert_true(cert_same(s.signer, signer.cert));
	assert_true(cert_list_contains(&s.certs, signer.cert));
	assert_true(s.has_signing_time);
	assert_int_equal(s.signing_time, NOW);
}

static void open__one_octet_of_the_payload_changed__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	make_signer(&signer);
	seal(&signer, &der);
	uint8_t *serial = memmem(der.data, der.len, "JADA", 4);
	serial[0] = 'K';
	assert_false(voucher_formats[0].open(buf_bytes(&der), NULL, NULL, &s, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	assert_null(s.signer);
}

static void read__one_octet_of_the_payload_changed__shows_it_with_the_verdict(void **state)
{
	struct err e = ERR_INIT, verdict = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	make_signer(&signer);
	seal(&signer, &der);
	uint8_t *serial = memmem(der.data, der.len, "JADA", 4);
	serial[0] = 'K';
	assert_true(voucher_formats[0].read(buf_bytes(&der), NULL, NULL, &s, &verdict, &e));
	assert_int_equal(verdict.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(s.fields.serial_number, "KADA123456789");
	assert_true(cert_same(s.signer, signer.cert));
}

static void read__a_good_signature__leaves_the_verdict_empty(void **state)
{
	struct err e = ERR_INIT, verdict = {.kind = ERR_BUG};
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	make_signer(&signer);
	seal(&signer, &der);
	assert_true(voucher_formats[0].read(buf_bytes(&der), NULL, NULL, &s, &verdict, &e));
	assert_int_equal(verdict.kind, ERR_NONE);
}

/* req: ENC-ALL-007 */
static void open__signed_json_that_is_no_voucher__is_refused_cleanly(void **state)
{
	static const char *const payloads[] = {"{\"ietf-voucher:voucher\":{}}", "{}", "A===", "[]",
		"x", "{\"ietf-voucher-request-prm:voucher\":{\"serial-number\":\"1\"}}"};
	struct identity IDENTITY_AUTO signer;
	make_signer(&signer);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
		struct signed_voucher SIGNED_VOUCHER_AUTO s;
		seal_text(&signer, payloads[i], &der);
		assert_false(voucher_formats[0].open(buf_bytes(&der), NULL, NULL, &s, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_int_equal(strncmp(e.text, "voucher: ", 9), 0);
		assert_null(s.signer);
	}
}

static void open__octets_that_are_no_cms__are_refused(void **state)
{
	static const char *const bodies[] = {"", "A===", "{}", "0", "MIIB"};
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct err e = ERR_INIT;
		struct signed_voucher SIGNED_VOUCHER_AUTO s;
		assert_false(voucher_formats[0].open(bytes_of_str(bodies[i]), NULL, NULL, &s, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void seal__a_voucher_that_cannot_be_written__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO der = BUF_INIT(CMS_DER_MAX);
	struct voucher VOUCHER_AUTO v;
	make_signer(&signer);
	voucher_init(&v, VOUCHER);
	assert_false(voucher_formats[0].seal(&v, &signer, NULL, NOW, &der, &e));
	assert_int_equal(e.kind, ERR_BUG);
	assert_int_equal(der.len, 0);
}

/* req: ENC-ALL-022 */
static void voucher_format_by_media_type__case_and_parameters__do_not_matter(void **state)
{
	assert_ptr_equal(voucher_format_by_media_type(CMS_TYPE), &voucher_formats[0]);
	assert_ptr_equal(voucher_format_by_media_type("Application/Voucher-CMS+JSON; x=y"),
		&voucher_formats[0]);
	assert_null(voucher_format_by_media_type("application/json"));
	assert_null(voucher_format_by_media_type(NULL));
}

static void voucher_format_by_accept__missing_or_wildcard__takes_the_preferred(void **state)
{
	const struct voucher_format *cms = &voucher_formats[0];
	assert_ptr_equal(voucher_format_by_accept(NULL, cms), cms);
	assert_ptr_equal(voucher_format_by_accept("*/*", cms), cms);
	assert_ptr_equal(voucher_format_by_accept("text/html, " CMS_TYPE ";q=0.1", NULL), cms);
}

static void voucher_format_by_accept__nothing_we_can_make__is_null(void **state)
{
	assert_null(voucher_format_by_accept("text/html", &voucher_formats[0]));
	assert_null(voucher_format_by_accept(CMS_TYPE ";q=0", &voucher_formats[0]));
}

/* ---- COSE ---- */

static struct cert_list only(struct identity *who)
{
	return (struct cert_list){.items = &who->cert, .count = 1};
}

static void seal_cose(const struct voucher *v, const struct identity *signer,
	struct cert_list *extra, struct buf *out)
{
	struct err e = ERR_INIT;
	if (!cose->seal(v, signer, extra, NOW, out, &e))
		fail_msg("%s", e.text);
}

/* req: O-09 */
static void cose_open__what_was_sealed__comes_back_with_its_signer(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct identity IDENTITY_AUTO other;
	struct buf BUF_AUTO octets = BUF_INIT(COSE_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	struct signed_voucher SIGNED_VOUCHER_AUTO again;
	struct voucher VOUCHER_AUTO v;
	make_signer(&signer);
	make_signer(&other);
	make_voucher(&v);
	struct cert_list extra = only(&other);
	seal_cose(&v, &signer, &extra, &octets);
	assert_true(cose->open(buf_bytes(&octets), NULL, NULL, &s, &e));
	assert_int_equal(s.fields.kind, VOUCHER);
	assert_true(voucher_nonce_equal(s.fields.nonce, v.nonce));
	assert_true(cert_same(s.signer, signer.cert));
	assert_int_equal(s.certs.count, 2);
	assert_true(cert_list_contains(&s.certs, other.cert));
	assert_false(s.has_signing_time);
	assert_int_equal(s.payload.data[0], 0xa1);
	assert_true(cose->parse(buf_bytes(&octets), NULL, &again, &e));
	assert_true(cert_same(again.signer, signer.cert));
}

/* req: O-05 */
static void cose_seal__a_pledges_request__carries_no_certificate(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO pledge;
	struct buf BUF_AUTO octets = BUF_INIT(COSE_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	struct voucher VOUCHER_AUTO v;
	make_signer(&pledge);
	make_voucher(&v);
	v.kind = VOUCHER_REQUEST;
	struct cert_list hint = only(&pledge);
	seal_cose(&v, &pledge, &hint, &octets);
	assert_false(cose->open(buf_bytes(&octets), NULL, NULL, &s, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	assert_true(cose->parse(buf_bytes(&octets), NULL, &s, &e));
	assert_null(s.signer);
	signed_voucher_clear(&s);
	assert_true(cose->open(buf_bytes(&octets), NULL, &hint, &s, &e));
	assert_true(cert_same(s.signer, pledge.cert));
	assert_int_equal(s.certs.count, 0);
}

/* req: O-06 */
static void cose_seal__a_registrars_request__carries_both_chains(void **state)
{
	struct err e = ERR_INIT;
	struct identity IDENTITY_AUTO registrar;
	struct identity IDENTITY_AUTO pledge;
	struct buf BUF_AUTO octets = BUF_INIT(COSE_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	struct voucher VOUCHER_AUTO v;
	make_signer(&registrar);
	make_signer(&pledge);
	make_voucher(&v);
	v.kind = VOUCHER_REQUEST;
	assert_true(buf_append(&v.prior_signed_voucher_request, "\xd2", 1, &e));
	struct cert_list extra = only(&pledge);
	seal_cose(&v, &registrar, &extra, &octets);
	assert_true(cose->open(buf_bytes(&octets), NULL, NULL, &s, &e));
	assert_true(cert_same(s.signer, registrar.cert));
	assert_true(cert_list_contains(&s.certs, pledge.cert));
}

static void cose_read__one_octet_changed__shows_it_with_the_verdict(void **state)
{
	struct err e = ERR_INIT, verdict = ERR_INIT;
	struct identity IDENTITY_AUTO signer;
	struct buf BUF_AUTO octets = BUF_INIT(COSE_MAX);
	struct signed_voucher SIGNED_VOUCHER_AUTO s;
	struct voucher VOUCHER_AUTO v;
	make_signer(&signer);
	make_voucher(&v);
	seal_cose(&v, &signer, NULL, &octets);
	assert_true(cose->read(buf_bytes(&octets), NULL, NULL, &s, &verdict, &e));
	assert_int_equal(verdict.kind, ERR_NONE);
	signed_voucher_clear(&s);
	uint8_t *serial = memmem(octets.data, octets.len, "JADA", 4);
	serial[0] = 'K';
	assert_true(cose->read(buf_bytes(&octets), NULL, NULL, &s, &verdict, &e));
	assert_int_equal(verdict.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(s.fields.serial_number, "KADA123456789");
	assert_true(cert_same(s.signer, signer.cert));
	signed_voucher_clear(&s);
	assert_false(cose->open(buf_bytes(&octets), NULL, NULL, &s, &e));
	assert_int_equal(e.kind, ERR_UNAUTHENTICATED);
	signed_voucher_clear(&s);
	assert_true(cose->parse(buf_bytes(&octets), NULL, &s, &e));
	assert_null(s.signer);
}

static void cose_open__signed_octets_that_are_no_voucher__are_refused_cleanly(void **state)
{
	static const char *const payloads[] = {"", "{}", "\xa0", "\xa1\x19\x09\x93\xa0"};
	struct identity IDENTITY_AUTO signer;
	make_signer(&signer);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO octets = BUF_INIT(COSE_MAX);
		struct signed_voucher SIGNED_VOUCHER_AUTO s;
		struct cert_list bag = only(&signer);
		assert_true(cose_seal(bytes_of_str(payloads[i]), &signer, &bag, &octets, &e));
		assert_false(cose->open(buf_bytes(&octets), NULL, NULL, &s, &e));
		assert_int_equal(e.kind, ERR_INPUT);
		assert_int_equal(strncmp(e.text, "voucher: ", 9), 0);
		assert_null(s.signer);
	}
}

/* ---- names ---- */

/* req: A-01 */
static void voucher_format_by_media_type__older_names_of_cose__are_cose(void **state)
{
	assert_ptr_equal(voucher_format_by_media_type(COSE_TYPE), cose);
	assert_ptr_equal(voucher_format_by_media_type(OLD_TYPE), cose);
	assert_ptr_equal(
		voucher_format_by_media_type("application/cose; cose-type=\"cose-sign1\""), cose);
	assert_null(voucher_format_by_media_type("application/cbor"));
}

static void voucher_format_by_accept__any_name__finds_the_format(void **state)
{
	const struct voucher_format *cms = &voucher_formats[0];
	assert_ptr_equal(voucher_format_by_accept(OLD_TYPE, cms), cose);
	assert_ptr_equal(voucher_format_by_accept(OLD_TYPE ", " CMS_TYPE, cms), cms);
	assert_ptr_equal(voucher_format_by_accept("*/*", cose), cose);
	assert_ptr_equal(voucher_format_by_accept(CMS_TYPE ";q=0.5, " COSE_TYPE, cms), cose);
}

/* req: A-01 */
static void voucher_format_answer_type__a_name_the_peer_has__is_mirrored(void **state)
{
	assert_string_equal(voucher_format_answer_type(cose, NULL, COSE_TYPE), COSE_TYPE);
	assert_string_equal(voucher_format_answer_type(cose, NULL, NULL), COSE_TYPE);
	assert_string_equal(voucher_format_answer_type(cose, NULL, OLD_TYPE), OLD_TYPE);
	assert_string_equal(voucher_format_answer_type(cose, "*/*", OLD_TYPE), OLD_TYPE);
	assert_string_equal(voucher_format_answer_type(cose, COSE_TYPE, OLD_TYPE), COSE_TYPE);
	assert_string_equal(
		voucher_format_answer_type(cose, "application/cose", CMS_TYPE), "application/cose");
	assert_null(voucher_format_answer_type(cose, CMS_TYPE, COSE_TYPE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open__what_was_sealed__comes_back_with_its_signer),
		cmocka_unit_test(open__one_octet_of_the_payload_changed__is_refused),
		cmocka_unit_test(read__one_octet_of_the_payload_changed__shows_it_with_the_verdict),
		cmocka_unit_test(read__a_good_signature__leaves_the_verdict_empty),
		cmocka_unit_test(open__signed_json_that_is_no_voucher__is_refused_cleanly),
		cmocka_unit_test(open__octets_that_are_no_cms__are_refused),
		cmocka_unit_test(seal__a_voucher_that_cannot_be_written__is_refused),
		cmocka_unit_test(voucher_format_by_media_type__case_and_parameters__do_not_matter),
		cmocka_unit_test(
			voucher_format_by_accept__missing_or_wildcard__takes_the_preferred),
		cmocka_unit_test(voucher_format_by_accept__nothing_we_can_make__is_null),
		cmocka_unit_test(cose_open__what_was_sealed__comes_back_with_its_signer),
		cmocka_unit_test(cose_seal__a_pledges_request__carries_no_certificate),
		cmocka_unit_test(cose_seal__a_registrars_request__carries_both_chains),
		cmocka_unit_test(cose_read__one_octet_changed__shows_it_with_the_verdict),
		cmocka_unit_test(cose_open__signed_octets_that_are_no_voucher__are_refused_cleanly),
		cmocka_unit_test(voucher_format_by_media_type__older_names_of_cose__are_cose),
		cmocka_unit_test(voucher_format_by_accept__any_name__finds_the_format),
		cmocka_unit_test(voucher_format_answer_type__a_name_the_peer_has__is_mirrored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
