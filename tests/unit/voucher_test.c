/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests as JSON: what is read, what is ignored, what is refused. */
#include "common/message/voucher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a)	   (sizeof(a) / sizeof((a)[0]))
#define VOUCHER_OF(leaves) "{\"ietf-voucher:voucher\":{" leaves "}}"
#define REQUEST_OF(leaves) "{\"ietf-voucher-request:voucher\":{" leaves "}}"
#define SERIAL		   "\"serial-number\":\"JADA123456789\""

static void assert_parses(const char *json, struct voucher *v)
{
	struct err e = ERR_INIT;
	if (!voucher_parse_json(bytes_of_str(json), v, &e))
		fail_msg("%s", e.text);
}

static void assert_refused(const char *json, const char *reason)
{
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	assert_false(voucher_parse_json(bytes_of_str(json), &v, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

static void voucher_parse_json__every_leaf_of_a_voucher__is_read(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(
		VOUCHER_OF(SERIAL
			",\"created-on\":\"2021-04-13T17:43:23.747-04:00\","
			"\"expires-on\":\"2021-04-14T00:00:00Z\",\"last-renewal-date\":\"2022-01-"
			"01T00:00:00Z\","
			"\"assertion\":\"logged\",\"nonce\":\"-_XE9zK9q8Ll1qylMtLKeg\","
			"\"idevid-issuer\":\"BBgwFg==\",\"pinned-domain-cert\":\"MAMCAQE=\","
			"\"pinned-domain-pubk\":\"AQI=\",\"pinned-domain-pubk-sha256\":\"AwQ=\","
			"\"domain-cert-revocation-checks\":false,\"est-domain\":\"https:\\/\\/"
			"est.example\","
			"\"additional-configuration-url\":\"https://conf.example/\""),
		&v);
	assert_int_equal(v.kind, VOUCHER);
	assert_string_equal(v.serial_number, "JADA123456789");
	assert_true(v.has_created_on && v.has_expires_on && v.has_last_renewal_date);
	assert_int_equal(v.created_on, 1618350203);
	assert_int_equal(v.assertion, ASSERTION_LOGGED);
	assert_string_equal(v.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
	assert_true(bytes_equal(buf_bytes(&v.idevid_issuer), bytes_of("\x04\x18\x30\x16", 4)));
	assert_int_equal(v.pinned_domain_cert.len, 5);
	assert_int_equal(v.pinned_domain_pubk.len, 2);
	assert_int_equal(v.pinned_domain_pubk_sha256.len, 2);
	assert_int_equal(v.domain_cert_revocation_checks, FLAG_FALSE);
	assert_string_equal(v.est_domain, "https://est.example");
	assert_string_equal(v.additional_configuration_url, "https://conf.example/");
}

/* req: ENC-ALL-012 */
static void voucher_parse_json__serial_number_alone__is_enough(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(VOUCHER_OF(SERIAL), &v);
	assert_int_equal(v.assertion, ASSERTION_ABSENT);
	assert_null(v.nonce);
	assert_false(v.has_created_on);
	assert_int_equal(v.pinned_domain_cert.len, 0);
}

/* req: ENC-ALL-012 */
static void voucher_parse_json__no_serial_number__is_refused(void **state)
{
	assert_refused(VOUCHER_OF(""), "serial-number is missing");
	assert_refused(REQUEST_OF("\"assertion\":\"proximity\""), "serial-number is missing");
}

static void voucher_parse_json__serial_number_out_of_bounds__is_refused(void **state)
{
	char json[512];
	char run[VOUCHER_SERIAL_MAX + 2];
	struct voucher VOUCHER_AUTO v;
	memset(run, 'x', sizeof(run));
	snprintf(json, sizeof(json), VOUCHER_OF("\"serial-number\":\"%.*s\""), VOUCHER_SERIAL_MAX,
		run);
	assert_parses(json, &v);
	snprintf(json, sizeof(json), VOUCHER_OF("\"serial-number\":\"%.*s\""),
		VOUCHER_SERIAL_MAX + 1, run);
	assert_refused(json, "serial-number");
	assert_refused(VOUCHER_OF("\"serial-number\":\"\""), "serial-number");
	assert_refused(VOUCHER_OF("\"serial-number\":\"a\\nb\""), "control character");
	assert_refused(VOUCHER_OF("\"serial-number\":12"), "not a string");
}

/* req: ENC-ALL-007 */
static void voucher_parse_json__top_member_is_another__is_refused_with_the_reason(void **state)
{
	assert_refused("{\"ietf-voucher-request-prm:voucher\":{" SERIAL "}}", "PRM");
	assert_refused("{\"voucher\":{" SERIAL "}}", "without the module's name");
	assert_refused("{\"ietf-voucher:Voucher\":{" SERIAL "}}", "neither a voucher");
	assert_refused("{}", "0 top-level members");
	assert_refused("{\"ietf-voucher:voucher\":{" SERIAL "},\"x\":1}", "2 top-level members");
	assert_refused("{\"ietf-voucher:voucher\":[]}", "not an object");
	assert_refused("[]", "JSON");
	assert_refused("A===", "JSON");
	assert_refused("", "empty");
}

static void voucher_parse_json__same_leaf_twice__is_refused(void **state)
{
	assert_refused(VOUCHER_OF(SERIAL "," SERIAL), "duplicate");
	assert_refused(REQUEST_OF(SERIAL ",\"proximity-registrar-pubk\":\"AQI=\",\"proximity-"
					 "domain-pubk\":\"AQI=\""),
		"under two names");
}

/* req: ENC-ALL-015 */
static void voucher_parse_json__unknown_members__are_ignored(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(VOUCHER_OF(SERIAL ",\"x-test\":1,\"extension:foo\":{\"a\":[null]},"
					"\"extensions\":[\"foo\"],\"manufacturer-private\":\"AA\""),
		&v);
	assert_string_equal(v.serial_number, "JADA123456789");
}

/* req: R8995-REG-054, R8995-MASA-040 */
static void voucher_parse_json__garbage_in_leaves_a_request_must_not_have__is_ignored(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(REQUEST_OF(SERIAL ",\"pinned-domain-cert\":\"%%%\",\"last-renewal-date\":17,"
					"\"domain-cert-revocation-checks\":\"maybe\""),
		&v);
	assert_int_equal(v.pinned_domain_cert.len, 0);
	assert_false(v.has_last_renewal_date);
	assert_int_equal(v.domain_cert_revocation_checks, FLAG_ABSENT);
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"%%%\""), "pinned-domain-cert");
}

static void voucher_parse_json__prior_request_in_a_voucher__is_ignored(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(VOUCHER_OF(SERIAL ",\"prior-signed-voucher-request\":\"AQI=\""), &v);
	assert_int_equal(v.prior_signed_voucher_request.len, 0);
	voucher_clear(&v);
	assert_parses(REQUEST_OF(SERIAL ",\"prior-signed-voucher-request\":\"AQI=\""), &v);
	assert_int_equal(v.prior_signed_voucher_request.len, 2);
}

static void voucher_parse_json__names_of_the_prose__are_accepted(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(REQUEST_OF(SERIAL ",\"proximity-domain-cert\":\"MAMCAQE=\""), &v);
	assert_int_equal(v.proximity_registrar_cert.len, 5);
}

/* req: ENC-ALL-008, ENC-ALL-009 */
static void voucher_parse_json__certificate_leaf_is_not_one_der_element__is_refused(void **state)
{
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"MAMCAQEA\""), "after the end");
	assert_refused(
		VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"LS0tLS1CRUdJTg==\""), "certificate");
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"MAMCAQ==\""), "certificate");
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"\""), "empty");
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"MAMC\\nAQE=\""), "base64");
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"MAMCAQE\""), "padding");
	assert_refused(VOUCHER_OF(SERIAL ",\"pinned-domain-cert\":\"A===\""), "padding");
}

/* req: ENC-ALL-010 */
static void voucher_parse_json__date_without_zone__is_refused(void **state)
{
	assert_refused(VOUCHER_OF(SERIAL ",\"created-on\":\"2021-04-13T21:43:23\""), "created-on");
	assert_refused(VOUCHER_OF(SERIAL ",\"expires-on\":1618350203"), "expires-on: not a string");
}

/* req: ENC-ALL-014 */
static void voucher_parse_json__assertion_unknown_or_of_other_case__is_no_known_one(void **state)
{
	const char *const unknown[] = {"Proximity", "PROXIMITY", "", "verified ", "other"};
	for (size_t i = 0; i < COUNT(unknown); i++) {
		char json[256];
		struct voucher VOUCHER_AUTO v;
		snprintf(
			json, sizeof(json), VOUCHER_OF(SERIAL ",\"assertion\":\"%s\""), unknown[i]);
		assert_parses(json, &v);
		assert_int_equal(v.assertion, ASSERTION_OTHER);
	}
	assert_refused(VOUCHER_OF(SERIAL ",\"assertion\":2"), "assertion: not a string");
}

static void voucher_parse_json__flag_quoted_as_in_the_rfc__is_read(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(VOUCHER_OF(SERIAL ",\"domain-cert-revocation-checks\":\"true\""), &v);
	assert_int_equal(v.domain_cert_revocation_checks, FLAG_TRUE);
	assert_refused(VOUCHER_OF(SERIAL ",\"domain-cert-revocation-checks\":1"), "not a boolean");
}

static void voucher_parse_json__issuer_in_foreign_words__is_kept_in_a_request_only(void **state)
{
	struct voucher VOUCHER_AUTO v;
	assert_parses(REQUEST_OF(SERIAL ",\"idevid-issuer\":\"CN=Some CA\""), &v);
	assert_true(bytes_equal(buf_bytes(&v.idevid_issuer), bytes_of_str("CN=Some CA")));
	assert_refused(VOUCHER_OF(SERIAL ",\"idevid-issuer\":\"CN=Some CA\""), "idevid-issuer");
}

static void voucher_parse_json__too_large__is_refused_before_it_is_read(void **state)
{
	static char json[VOUCHER_JSON_MAX + 2];
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	memset(json, ' ', sizeof(json));
	assert_false(voucher_parse_json(bytes_of(json, VOUCHER_JSON_MAX + 1), &v, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void voucher_parse_json__a_bad_leaf__is_named_to_the_peer_without_its_value(void **state)
{
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	assert_false(voucher_parse_json(
		bytes_of_str(VOUCHER_OF(SERIAL ",\"created-on\":\"yesterday\"")), &v, &e));
	assert_string_equal(err_sentence(&e), "The member created-on is not valid.");
}

/* req: ENC-ALL-007, ENC-ALL-008 */
static void voucher_format_json__a_pledge_request__has_exactly_these_octets(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_JSON_MAX);
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER_REQUEST);
	v.has_created_on = true;
	v.created_on = 1618350203;
	v.assertion = ASSERTION_PROXIMITY;
	v.serial_number = str_dup("JADA\"1/2", &e);
	v.nonce = str_dup("-_XE9zK9q8Ll1qylMtLKeg", &e);
	assert_true(buf_append(&v.proximity_registrar_cert, "\x30\x03\x02\x01\x01", 5, &e));
	assert_true(voucher_format_json(&v, &out, &e));
	assert_string_equal(buf_str(&out),
		REQUEST_OF("\"created-on\":\"2021-04-13T21:43:23Z\",\"assertion\":\"proximity\","
			   "\"serial-number\":\"JADA\\\"1/2\",\"nonce\":\"-_XE9zK9q8Ll1qylMtLKeg\","
			   "\"proximity-registrar-cert\":\"MAMCAQE=\""));
}

static void voucher_format_json__what_was_read__is_written_the_same(void **state)
{
	const char *json = VOUCHER_OF(
		"\"created-on\":\"2021-04-13T21:43:23Z\",\"expires-on\":\"2021-04-14T00:00:00Z\","
		"\"assertion\":\"agent-proximity\"," SERIAL ",\"idevid-issuer\":\"BBgwFg==\","
		"\"nonce\":\"AAECAwQFBgc=\",\"pinned-domain-cert\":\"MAMCAQE=\","
		"\"pinned-domain-pubk\":\"AQI=\",\"pinned-domain-pubk-sha256\":\"AwQ=\","
		"\"domain-cert-revocation-checks\":true,\"last-renewal-date\":\"2022-01-01T00:00:"
		"00Z\","
		"\"est-domain\":\"https://est.example\",\"additional-configuration-url\":\"x\"");
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_JSON_MAX);
	struct voucher VOUCHER_AUTO v;
	assert_parses(json, &v);
	assert_true(voucher_format_json(&v, &out, &e));
	assert_string_equal(buf_str(&out), json);
}

static void voucher_format_json__leaf_of_the_other_kind_or_no_serial__is_a_bug(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_JSON_MAX);
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER_REQUEST);
	assert_false(voucher_format_json(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
	v.serial_number = str_dup("1", &e);
	assert_true(buf_append(&v.pinned_domain_cert, "x", 1, &e));
	assert_false(voucher_format_json(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
	assert_int_equal(out.len, 0);
}

/* req: ENC-ALL-014 */
static void voucher_format_json__assertion_we_do_not_know__is_never_written(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_JSON_MAX);
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER);
	v.serial_number = str_dup("1", &e);
	v.assertion = ASSERTION_OTHER;
	assert_false(voucher_format_json(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
}

static void voucher_format_json__date_that_cannot_be_written__is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_JSON_MAX);
	struct voucher VOUCHER_AUTO v;
	voucher_init(&v, VOUCHER);
	v.serial_number = str_dup("1", &e);
	v.has_expires_on = true;
	v.expires_on = INT64_MAX;
	assert_false(voucher_format_json(&v, &out, &e));
	assert_non_null(strstr(e.text, "expires-on"));
}

/* req: ENC-ALL-011 */
static void voucher_nonce_octets__eight_to_thirty_two_octets__are_accepted(void **state)
{
	static const struct {
		const char *nonce;
		size_t len; /* 0: refused */
	} rows[] = {{"AAECAwQFBgc=", 8}, {"AAECAwQFBgc", 8}, {"-_XE9zK9q8Ll1qylMtLKeg", 16},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 32}, {"AAECAwQFBg==", 0},
		{"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", 0}, {"", 0}, {"not a nonce", 0}};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		struct buf BUF_AUTO out = BUF_INIT(64);
		assert_int_equal(voucher_nonce_octets(rows[i].nonce, &out, &e), rows[i].len > 0);
		assert_int_equal(out.len, rows[i].len);
	}
}

static void voucher_nonce_equal__strings_or_octets__decide(void **state)
{
	assert_true(voucher_nonce_equal("-_XE9zK9q8Ll1qylMtLKeg", "-_XE9zK9q8Ll1qylMtLKeg"));
	assert_true(voucher_nonce_equal("-_XE9zK9q8Ll1qylMtLKeg", "+/XE9zK9q8Ll1qylMtLKeg=="));
	assert_true(voucher_nonce_equal("not base64!", "not base64!"));
}

static void voucher_nonce_equal__one_octet_differs_or_one_is_absent__is_false(void **state)
{
	assert_false(voucher_nonce_equal("-_XE9zK9q8Ll1qylMtLKeg", "-_XE9zK9q8Ll1qylMtLKew"));
	assert_false(voucher_nonce_equal("-_XE9zK9q8Ll1qylMtLKeg", "-_XE9zK9q8Ll1qylMtLK"));
	assert_false(voucher_nonce_equal("not base64!", "not base64?"));
	assert_false(voucher_nonce_equal("", "AAAA"));
	assert_false(voucher_nonce_equal(NULL, "AAAA"));
	assert_false(voucher_nonce_equal("AAAA", NULL));
	assert_false(voucher_nonce_equal(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(voucher_parse_json__every_leaf_of_a_voucher__is_read),
		cmocka_unit_test(voucher_parse_json__serial_number_alone__is_enough),
		cmocka_unit_test(voucher_parse_json__no_serial_number__is_refused),
		cmocka_unit_test(voucher_parse_json__serial_number_out_of_bounds__is_refused),
		cmocka_unit_test(
			voucher_parse_json__top_member_is_another__is_refused_with_the_reason),
		cmocka_unit_test(voucher_parse_json__same_leaf_twice__is_refused),
		cmocka_unit_test(voucher_parse_json__unknown_members__are_ignored),
		cmocka_unit_test(
			voucher_parse_json__garbage_in_leaves_a_request_must_not_have__is_ignored),
		cmocka_unit_test(voucher_parse_json__prior_request_in_a_voucher__is_ignored),
		cmocka_unit_test(voucher_parse_json__names_of_the_prose__are_accepted),
		cmocka_unit_test(
			voucher_parse_json__certificate_leaf_is_not_one_der_element__is_refused),
		cmocka_unit_test(voucher_parse_json__date_without_zone__is_refused),
		cmocka_unit_test(
			voucher_parse_json__assertion_unknown_or_of_other_case__is_no_known_one),
		cmocka_unit_test(voucher_parse_json__flag_quoted_as_in_the_rfc__is_read),
		cmocka_unit_test(
			voucher_parse_json__issuer_in_foreign_words__is_kept_in_a_request_only),
		cmocka_unit_test(voucher_parse_json__too_large__is_refused_before_it_is_read),
		cmocka_unit_test(
			voucher_parse_json__a_bad_leaf__is_named_to_the_peer_without_its_value),
		cmocka_unit_test(voucher_format_json__a_pledge_request__has_exactly_these_octets),
		cmocka_unit_test(voucher_format_json__what_was_read__is_written_the_same),
		cmocka_unit_test(
			voucher_format_json__leaf_of_the_other_kind_or_no_serial__is_a_bug),
		cmocka_unit_test(voucher_format_json__assertion_we_do_not_know__is_never_written),
		cmocka_unit_test(voucher_format_json__date_that_cannot_be_written__is_refused),
		cmocka_unit_test(voucher_nonce_octets__eight_to_thirty_two_octets__are_accepted),
		cmocka_unit_test(voucher_nonce_equal__strings_or_octets__decide),
		cmocka_unit_test(voucher_nonce_equal__one_octet_differs_or_one_is_absent__is_false),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
