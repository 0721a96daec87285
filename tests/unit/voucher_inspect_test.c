/* SPDX-License-Identifier: Apache-2.0 */
/* The report on a signed object and on the one inside of it. */
#include "tests/unit/pki_fixture.h"

#include "common/message/voucher_format.h"
#include "common/pki/cms.h"
#include "common/pki/cose.h"
#include "voucher/inspect.h"

#define NOW    1618350203
#define SERIAL "JADA123456789"
#define NONCE  "-_XE9zK9q8Ll1qylMtLKeg"

/* A registrar's request around a pledge's, each signed by its own. */
struct fixture {
	struct identity pledge, registrar;
	struct buf inner, outer;
};

static void make_signer(struct identity *out, const char *cn)
{
	struct err e = ERR_INIT;
	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(out->key);
	X509 *x = fixture_x509(&(struct recipe){
		.cn = cn, .key = key_evp(out->key), .issuer_key = key_evp(out->key)});
	out->cert = cert_from_x509(x, &e);
	assert_non_null(out->cert);
	X509_free(x);
}

static void seal(struct voucher *v, const struct identity *signer, struct buf *out)
{
	struct err e = ERR_INIT;
	if (!voucher_formats[0].seal(v, signer, NULL, NOW, out, &e))
		fail_msg("%s", e.text);
}

static void make_request(struct voucher *v)
{
	struct err e = ERR_INIT;
	voucher_init(v, VOUCHER_REQUEST);
	v->assertion = ASSERTION_PROXIMITY;
	v->serial_number = str_dup(SERIAL, &e);
	v->nonce = str_dup(NONCE, &e);
}

/* Sign the outer request around what inner holds now. */
static void wrap(struct fixture *f)
{
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	make_request(&v);
	assert_true(buf_append(&v.prior_signed_voucher_request, f->inner.data, f->inner.len, &e));
	buf_clear(&f->outer);
	seal(&v, &f->registrar, &f->outer);
}

static int set_up(void **state)
{
	static struct fixture f;
	struct voucher VOUCHER_AUTO v;
	f = (struct fixture){.inner = BUF_INIT(CMS_DER_MAX), .outer = BUF_INIT(CMS_DER_MAX)};
	make_signer(&f.pledge, "Pledge");
	make_signer(&f.registrar, "Registrar");
	make_request(&v);
	seal(&v, &f.pledge, &f.inner);
	wrap(&f);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	identity_clear(&f->pledge);
	identity_clear(&f->registrar);
	buf_clear(&f->inner);
	buf_clear(&f->outer);
	return 0;
}

/* The report; `reason` is what must be held against it, NULL: nothing. */
static json_t *report_of(struct fixture *f, const struct inspect_wish *wish, const char *reason)
{
	struct err why = ERR_INIT, e = ERR_INIT;
	json_t *report = NULL;
	if (!inspect(buf_bytes(&f->outer), &voucher_formats[0], wish, &report, &why, &e))
		fail_msg("not readable: %s", e.text);
	if (reason && !strstr(why.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", why.text, reason);
	if (!reason && why.kind != ERR_NONE)
		fail_msg("\"%s\"", why.text);
	return report;
}

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void inspect__a_request_in_a_request__shows_both_as_valid(void **state)
{
	json_t *JSON_AUTO report = report_of(*state, &(struct inspect_wish){0}, NULL);
	const json_t *nested = json_object_get(report, "nested");
	assert_string_equal(text(report, "type"), "voucher-request");
	assert_string_equal(text(report, "format"), "cms");
	assert_string_equal(text(report, "signature"), "valid");
	assert_string_equal(text(report, "chain"), "not-checked");
	assert_string_equal(text(json_object_get(report, "fields"), "serial-number"), SERIAL);
	assert_string_equal(text(json_object_get(report, "signer"), "subject"), "CN=Registrar");
	assert_string_equal(text(nested, "signature"), "valid");
	assert_string_equal(text(json_object_get(nested, "signer"), "subject"), "CN=Pledge");
	assert_true(json_is_null(json_object_get(nested, "nested")));
	assert_int_equal(json_array_size(json_object_get(report, "problems")), 0);
}

static void inspect__inner_signature_bad__counts_against_the_whole(void **state)
{
	struct fixture *f = *state;
	uint8_t *serial = memmem(f->inner.data, f->inner.len, SERIAL, strlen(SERIAL));
	serial[0] = 'K';
	wrap(f);
	json_t *JSON_AUTO report =
		report_of(f, &(struct inspect_wish){0}, "prior-signed-voucher-request: CMS");
	assert_string_equal(text(report, "signature"), "valid");
	assert_string_equal(text(json_object_get(report, "nested"), "signature"), "invalid");
}

static void inspect__inner_octets_are_no_container__keeps_the_shape(void **state)
{
	struct fixture *f = *state;
	f->inner.len = 20;
	wrap(f);
	json_t *JSON_AUTO report =
		report_of(f, &(struct inspect_wish){0}, "prior-signed-voucher-request");
	assert_string_equal(text(report, "signature"), "valid");
	assert_string_equal(text(json_object_get(report, "nested"), "signature"), "unverifiable");
}

static void inspect__outer_payload_changed__is_shown_as_invalid(void **state)
{
	struct fixture *f = *state;
	uint8_t *nonce = memmem(f->outer.data, f->outer.len, NONCE, strlen(NONCE));
	nonce[0] = 'A';
	json_t *JSON_AUTO report = report_of(f, &(struct inspect_wish){0}, "CMS");
	assert_string_equal(text(report, "signature"), "invalid");
	assert_string_equal(
		text(json_object_get(report, "fields"), "nonce"), "A_XE9zK9q8Ll1qylMtLKeg");
}

static void inspect__signer_asked_for__must_have_signed(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct cert_list CERT_LIST_AUTO right = CERT_LIST_INIT, wrong = CERT_LIST_INIT;
	assert_true(cert_list_add(&right, f->registrar.cert, &e));
	assert_true(cert_list_add(&wrong, f->pledge.cert, &e));
	json_t *JSON_AUTO good = report_of(f, &(struct inspect_wish){.signers = &right}, NULL);
	assert_string_equal(text(good, "signature"), "valid");
	json_t *JSON_AUTO bad = report_of(
		f, &(struct inspect_wish){.signers = &wrong}, "not by the signer asked for");
	assert_string_equal(text(bad, "signature"), "invalid");
}

static void inspect__anchors__judge_the_outer_chain_and_leave_the_inner_unchecked(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct cert_list CERT_LIST_AUTO site = CERT_LIST_INIT, maker = CERT_LIST_INIT;
	assert_true(cert_list_add(&site, f->registrar.cert, &e));
	assert_true(cert_list_add(&maker, f->pledge.cert, &e));
	struct anchors *ANCHORS_AUTO site_anchors = anchors_new(&site, &e);
	struct anchors *ANCHORS_AUTO maker_anchors = anchors_new(&maker, &e);
	struct inspect_wish wish = {.anchors = site_anchors, .has_at = true, .at = NOW};
	json_t *JSON_AUTO good = report_of(f, &wish, NULL);
	assert_string_equal(text(good, "chain"), "valid");
	assert_string_equal(text(json_object_get(good, "nested"), "chain"), "not-checked");
	wish.anchors = maker_anchors;
	json_t *JSON_AUTO bad = report_of(f, &wish, "chain");
	assert_string_equal(text(bad, "chain"), "invalid");
	assert_string_equal(text(json_object_get(bad, "nested"), "chain"), "valid");
}

static void inspect__nonce_and_serial_asked_for__are_compared(void **state)
{
	json_t *JSON_AUTO good = report_of(*state,
		&(struct inspect_wish){.nonce = "+/XE9zK9q8Ll1qylMtLKeg==", .serial = SERIAL},
		NULL);
	json_t *JSON_AUTO nonce =
		report_of(*state, &(struct inspect_wish){.nonce = "AAECAwQFBgc="}, "nonce is");
	json_t *JSON_AUTO serial = report_of(
		*state, &(struct inspect_wish){.serial = "jada123456789"}, "serial-number is");
	assert_non_null(good);
	assert_string_equal(text(nonce, "signature"), "valid");
	assert_int_equal(json_array_size(json_object_get(serial, "problems")), 1);
}

static void inspect__a_voucher_after_its_end__is_not_valid_at_that_moment_only(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER);
	v.serial_number = str_dup(SERIAL, &e);
	v.has_expires_on = true;
	v.expires_on = NOW;
	buf_clear(&f->outer);
	seal(&v, &f->registrar, &f->outer);
	json_t *JSON_AUTO before =
		report_of(f, &(struct inspect_wish){.has_at = true, .at = NOW}, NULL);
	json_t *JSON_AUTO after =
		report_of(f, &(struct inspect_wish){.has_at = true, .at = NOW + 1},
			"expired on 2021-04-13T21:43:23Z");
	json_t *JSON_AUTO never = report_of(f, &(struct inspect_wish){.nonce = NULL}, NULL);
	json_t *JSON_AUTO nonceless =
		report_of(f, &(struct inspect_wish){.nonce = NONCE}, "there is no nonce");
	assert_string_equal(text(before, "type"), "voucher");
	assert_true(after && never && nonceless);
}

static void inspect__pin_that_is_no_certificate__is_not_valid(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER);
	v.serial_number = str_dup(SERIAL, &e);
	assert_true(buf_append(&v.pinned_domain_cert, "\x30\x03\x02\x01\x01", 5, &e));
	buf_clear(&f->outer);
	seal(&v, &f->registrar, &f->outer);
	json_t *JSON_AUTO report = report_of(f, &(struct inspect_wish){0}, "pinned-domain-cert");
	assert_string_equal(text(report, "signature"), "valid");
}

static void inspect__requests_nested_without_end__stop_at_the_limit(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	for (int i = 0; i < INSPECT_DEPTH_MAX; i++) {
		buf_clear(&f->inner);
		assert_true(buf_append(&f->inner, f->outer.data, f->outer.len, &e));
		wrap(f);
	}
	json_t *JSON_AUTO report = report_of(f, &(struct inspect_wish){0}, "nested deeper than 3");
	assert_string_equal(text(report, "signature"), "valid");
}

static void inspect__signed_json_that_is_no_voucher__is_not_readable(void **state)
{
	struct fixture *f = *state;
	struct err why = ERR_INIT, e = ERR_INIT;
	json_t *report = NULL;
	buf_clear(&f->outer);
	assert_true(cms_seal(bytes_of_str("{\"ietf-voucher:voucher\":{}}"), &f->registrar, NULL,
		NOW, &f->outer, &e));
	assert_false(inspect(buf_bytes(&f->outer), &voucher_formats[0], &(struct inspect_wish){0},
		&report, &why, &e));
	assert_non_null(strstr(e.text, "serial-number is missing"));
	assert_null(report);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- COSE ---- */

/* req: O-06 */
static void inspect__cose_request_in_a_request__is_verified_by_the_outer_bag(void **state)
{
	struct fixture *f = *state;
	const struct voucher_format *cose =
		voucher_format_by_media_type("application/voucher+cose");
	struct cert_list pledge = {.items = &f->pledge.cert, .count = 1};
	struct err e = ERR_INIT;
	for (size_t i = 0; i < 2; i++) {
		struct buf BUF_AUTO inner = BUF_INIT(CMS_DER_MAX);
		struct buf BUF_AUTO outer = BUF_INIT(CMS_DER_MAX);
		struct voucher VOUCHER_AUTO pvr;
		struct voucher VOUCHER_AUTO rvr;
		make_request(&pvr);
		make_request(&rvr);
		assert_true(cose->seal(&pvr, &f->pledge, NULL, NOW, &inner, &e));
		assert_true(
			buf_append(&rvr.prior_signed_voucher_request, inner.data, inner.len, &e));
		assert_true(cose->seal(&rvr, &f->registrar, i ? NULL : &pledge, NOW, &outer, &e));
		struct err why = ERR_INIT;
		json_t *JSON_AUTO report = NULL;
		assert_true(inspect(
			buf_bytes(&outer), cose, &(struct inspect_wish){0}, &report, &why, &e));
		const json_t *nested = json_object_get(report, "nested");
		assert_string_equal(text(report, "format"), "cose");
		assert_string_equal(text(report, "signature"), "valid");
		assert_string_equal(text(json_object_get(report, "cose"), "alg"), "ES256");
		assert_string_equal(
			text(json_object_get(report, "fields"), "assertion"), "proximity");
		assert_string_equal(text(nested, "signature"), i ? "unverifiable" : "valid");
		assert_int_equal(why.kind, i ? ERR_UNAUTHENTICATED : ERR_NONE);
	}
}

/* req: Y-02 */
static void inspect__cose_keys_nobody_knows__are_shown_as_they_stand(void **state)
{
	/* {2501: {13: "SN-1", 99: 1, 47(2509): "x", "a": h'01', -1: null}} */
	static const uint8_t content[] = {0xa1, 0x19, 0x09, 0xc5, 0xa5, 0x0d, 0x64, 'S', 'N', '-',
		'1', 0x18, 99, 0x01, 0xd8, 0x2f, 0x19, 0x09, 0xcd, 0x61, 'x', 0x61, 'a', 0x41, 0x01,
		0x20, 0xf6};
	struct fixture *f = *state;
	struct cert_list bag = {.items = &f->pledge.cert, .count = 1};
	struct buf BUF_AUTO octets = BUF_INIT(CMS_DER_MAX);
	struct err why = ERR_INIT, e = ERR_INIT;
	json_t *JSON_AUTO report = NULL;
	assert_true(cose_seal(bytes_of(content, sizeof(content)), &f->pledge, &bag, &octets, &e));
	assert_true(inspect(buf_bytes(&octets),
		voucher_format_by_media_type("application/voucher+cose"), &(struct inspect_wish){0},
		&report, &why, &e));
	const json_t *fields = json_object_get(report, "fields");
	assert_int_equal(json_object_size(fields), 5);
	assert_string_equal(text(fields, "serial-number"), "SN-1");
	assert_int_equal(json_integer_value(json_object_get(fields, "SID 2600")), 1);
	assert_string_equal(text(fields, "pinned-domain-cert"), "x");
	assert_string_equal(text(fields, "a"), "AQ==");
	assert_true(json_is_null(json_object_get(fields, "-1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(inspect__a_request_in_a_request__shows_both_as_valid),
		TEST(inspect__cose_request_in_a_request__is_verified_by_the_outer_bag),
		TEST(inspect__cose_keys_nobody_knows__are_shown_as_they_stand),
		TEST(inspect__inner_signature_bad__counts_against_the_whole),
		TEST(inspect__inner_octets_are_no_container__keeps_the_shape),
		TEST(inspect__outer_payload_changed__is_shown_as_invalid),
		TEST(inspect__signer_asked_for__must_have_signed),
		TEST(inspect__anchors__judge_the_outer_chain_and_leave_the_inner_unchecked),
		TEST(inspect__nonce_and_serial_asked_for__are_compared),
		TEST(inspect__a_voucher_after_its_end__is_not_valid_at_that_moment_only),
		TEST(inspect__pin_that_is_no_certificate__is_not_valid),
		TEST(inspect__requests_nested_without_end__stop_at_the_limit),
		TEST(inspect__signed_json_that_is_no_voucher__is_not_readable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
