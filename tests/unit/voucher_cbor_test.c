/* SPDX-License-Identifier: Apache-2.0 */
/* Vouchers and voucher-requests as YANG-CBOR: SIDs, names and a mix of both are read, one form is
 * written, and a value of another type is refused.
 */
#include "common/message/voucher_cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/cbor.h"
#include "common/wire/hex.h"

#define OCTETS(...)  bytes_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define NONCE_OCTETS OCTETS(0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe)
#define NONCE	     "EDJUdpi63P4="
#define MADE_MAX     (2 * VOUCHER_CBOR_MAX)

/* What a test writes by hand; a failure to write is a failure of the test. */
struct maker {
	struct buf out;
	struct err e;
};
#define MAKER                                                                                      \
	{                                                                                          \
		.out = BUF_INIT(MADE_MAX), .e = ERR_INIT                                           \
	}
#define MAKER_AUTO __attribute__((cleanup(maker_clear)))

static void maker_clear(struct maker *m)
{
	buf_clear(&m->out);
}

static void uint_(struct maker *m, uint64_t n)
{
	assert_true(cbor_put_uint(&m->out, n, &m->e));
}

static void text(struct maker *m, const char *s)
{
	assert_true(cbor_put_text(&m->out, s, &m->e));
}

static void octets(struct maker *m, struct bytes b)
{
	assert_true(cbor_put_bytes(&m->out, b, &m->e));
}

static void map(struct maker *m, size_t count)
{
	assert_true(cbor_put_map(&m->out, count, &m->e));
}

static void tag(struct maker *m, uint64_t n)
{
	assert_true(cbor_put_tag(&m->out, n, &m->e));
}

static void raw(struct maker *m, struct bytes b)
{
	assert_true(buf_append(&m->out, b.data, b.len, &m->e));
}

/* {2501: {13: "SN-1", and count more} } */
static void begin(struct maker *m, uint64_t container, size_t count)
{
	map(m, 1);
	uint_(m, container);
	map(m, count + 1);
	uint_(m, container == 2451 ? 11 : 13);
	text(m, "SN-1");
}

static void assert_parses(const struct maker *m, struct voucher *v)
{
	struct err e = ERR_INIT;
	if (!voucher_parse_cbor(buf_bytes(&m->out), v, &e))
		fail_msg("%s", e.text);
}

static void assert_refused(const struct maker *m, const char *reason)
{
	struct err e = ERR_INIT;
	struct voucher VOUCHER_AUTO v;
	assert_false(voucher_parse_cbor(buf_bytes(&m->out), &v, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

/* One leaf besides the serial-number, its value as given. */
static void assert_leaf_refused(
	uint64_t container, uint64_t delta, struct bytes value, const char *reason)
{
	struct maker MAKER_AUTO m = MAKER;
	begin(&m, container, 1);
	uint_(&m, delta);
	raw(&m, value);
	assert_refused(&m, reason);
}

/* ---- reading ---- */

/* req: Y-01 */
static void voucher_parse_cbor__every_leaf_of_a_voucher__is_read(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	struct voucher VOUCHER_AUTO v;
	map(&m, 1);
	uint_(&m, 2451);
	map(&m, 13);
	uint_(&m, 1);
	uint_(&m, 1);
	uint_(&m, 2);
	text(&m, "2021-04-13T17:43:23.747-04:00");
	uint_(&m, 3);
	raw(&m, OCTETS(0xf4));
	uint_(&m, 4);
	text(&m, "2021-04-14T00:00:00Z");
	uint_(&m, 5);
	octets(&m, OCTETS(0x04, 0x02, 0x30, 0x00));
	uint_(&m, 6);
	text(&m, "2022-01-01T00:00:00Z");
	uint_(&m, 7);
	octets(&m, NONCE_OCTETS);
	uint_(&m, 8);
	octets(&m, OCTETS(0x30, 0x03, 0x02, 0x01, 0x01));
	uint_(&m, 9);
	octets(&m, OCTETS(1, 2));
	uint_(&m, 10);
	octets(&m, OCTETS(3, 4, 5));
	uint_(&m, 11);
	text(&m, "JADA123456789");
	uint_(&m, 12);
	text(&m, "https://conf.example/");
	uint_(&m, 13);
	text(&m, "https://est.example");
	assert_parses(&m, &v);
	assert_int_equal(v.kind, VOUCHER);
	assert_int_equal(v.assertion, ASSERTION_LOGGED);
	assert_true(v.has_created_on && v.has_expires_on && v.has_last_renewal_date);
	assert_int_equal(v.created_on, 1618350203);
	assert_int_equal(v.domain_cert_revocation_checks, FLAG_FALSE);
	assert_int_equal(v.idevid_issuer.len, 4);
	assert_string_equal(v.nonce, NONCE);
	assert_int_equal(v.pinned_domain_cert.len, 5);
	assert_int_equal(v.pinned_domain_pubk.len, 2);
	assert_int_equal(v.pinned_domain_pubk_sha256.len, 3);
	assert_string_equal(v.serial_number, "JADA123456789");
	assert_string_equal(v.additional_configuration_url, "https://conf.example/");
	assert_string_equal(v.est_domain, "https://est.example");
	/* and written again it has the same octets, but for the fraction of a second and the zone
	 */
	struct buf BUF_AUTO out = BUF_INIT(MADE_MAX);
	struct voucher VOUCHER_AUTO again;
	struct err e = ERR_INIT;
	assert_true(voucher_format_cbor(&v, &out, &e));
	assert_int_equal(out.len, m.out.len - strlen(".747-05:00") + strlen("Z") - 1);
	assert_true(voucher_parse_cbor(buf_bytes(&out), &again, &e));
	assert_int_equal(again.created_on, v.created_on);
}

static void put_request(struct maker *m, bool names, bool outer_name, bool tagged)
{
	static const struct {
		const char *name;
		uint64_t sid;
	} keys[] = {{"assertion", 2502}, {"nonce", 2508}, {"proximity-registrar-pubk-sha256", 2512},
		{"serial-number", 2514}};
	map(m, 1);
	if (outer_name)
		text(m, "ietf-voucher-request:voucher");
	else
		uint_(m, 2501);
	map(m, 4);
	for (size_t i = 0; i < 4; i++) {
		if (names && (i & 1 || !tagged)) {
			text(m, keys[i].name);
		} else if (tagged) {
			tag(m, 47);
			uint_(m, keys[i].sid);
		} else {
			uint_(m, keys[i].sid - 2501);
		}
		if (i == 0)
			uint_(m, 2);
		else if (i == 3)
			text(m, "SN-1");
		else
			octets(m, NONCE_OCTETS);
	}
}

/* req: Y-02 */
static void voucher_parse_cbor__sids_names_and_a_mix__read_the_same(void **state)
{
	struct maker MAKER_AUTO plain = MAKER;
	put_request(&plain, false, false, false);
	for (unsigned form = 0; form < 8; form++) {
		struct maker MAKER_AUTO m = MAKER;
		struct voucher VOUCHER_AUTO v;
		struct buf BUF_AUTO out = BUF_INIT(MADE_MAX);
		struct err e = ERR_INIT;
		put_request(&m, form & 1, form & 2, form & 4);
		assert_parses(&m, &v);
		assert_int_equal(v.kind, VOUCHER_REQUEST);
		assert_int_equal(v.assertion, ASSERTION_PROXIMITY);
		assert_int_equal(v.proximity_registrar_pubk_sha256.len, 8);
		assert_true(voucher_format_cbor(&v, &out, &e));
		assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&plain.out)));
	}
}

/* req: Y-02 */
static void voucher_parse_cbor__unknown_keys__are_ignored(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	struct voucher VOUCHER_AUTO v;
	begin(&m, 2501, 7);
	uint_(&m, 200);
	map(&m, 0);
	tag(&m, 47);
	uint_(&m, 2451); /* a leaf of another module */
	text(&m, "x");
	tag(&m, 46);
	uint_(&m, 2508);
	uint_(&m, 0);
	text(&m, "a-name-that-is-longer-than-any-leaf-of-a-voucher-or-of-a-voucher-request");
	uint_(&m, 0);
	raw(&m, OCTETS(0xf4, 0x00));					     /* false: 0 */
	raw(&m, OCTETS(0x20, 0x00));					     /* -1: 0 */
	raw(&m, OCTETS(0x1b, 255, 255, 255, 255, 255, 255, 255, 255, 0x00)); /* overflows nothing */
	assert_parses(&m, &v);
	assert_null(v.nonce);
}

/* req: Y-02 */
static void voucher_parse_cbor__one_leaf_under_two_keys__is_refused(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	begin(&m, 2501, 1);
	text(&m, "serial-number");
	text(&m, "SN-1");
	assert_refused(&m, "under two keys");
	struct maker MAKER_AUTO tagged = MAKER;
	begin(&tagged, 2501, 1);
	tag(&tagged, 47);
	uint_(&tagged, 2514);
	text(&tagged, "SN-1");
	assert_refused(&tagged, "under two keys");
}

/* req: Y-18 */
static void voucher_parse_cbor__same_key_twice__is_refused(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	begin(&m, 2501, 1);
	raw(&m, OCTETS(0x18, 13));
	text(&m, "SN-2");
	assert_refused(&m, "twice");
}

/* req: Y-18 */
static void voucher_parse_cbor__indefinite_lengths__are_read(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	struct voucher VOUCHER_AUTO v;
	raw(&m, OCTETS(0xbf, 0x19, 0x09, 0xc5, 0xbf, 0x0d, 0x7f, 0x62, 'S', 'N', 0x62, '-', '1',
			0xff, 0x07, 0x5f, 0x44, 1, 2, 3, 4, 0x44, 5, 6, 7, 8, 0xff, 0xff, 0xff));
	assert_parses(&m, &v);
	assert_string_equal(v.serial_number, "SN-1");
	assert_string_equal(v.nonce, "AQIDBAUGBwg=");
	raw(&m, OCTETS(0x00));
	assert_refused(&m, "after the end");
}

/* req: Y-01 */
static void voucher_parse_cbor__another_container__is_refused(void **state)
{
	static const uint64_t sids[] = {0, 2450, 2452, 2500, 1001154};
	for (size_t i = 0; i < 5; i++) {
		struct maker MAKER_AUTO m = MAKER;
		begin(&m, sids[i], 0);
		assert_refused(&m, "no voucher");
	}
	struct maker MAKER_AUTO name = MAKER;
	map(&name, 1);
	text(&name, "ietf-voucher:Voucher");
	map(&name, 0);
	assert_refused(&name, "no voucher");
	struct maker MAKER_AUTO none = MAKER;
	map(&none, 0);
	assert_refused(&none, "0 top-level members");
	struct maker MAKER_AUTO two = MAKER;
	map(&two, 2);
	uint_(&two, 2451);
	map(&two, 0);
	uint_(&two, 2501);
	map(&two, 0);
	assert_refused(&two, "2 top-level members");
	struct maker MAKER_AUTO array = MAKER;
	raw(&array, OCTETS(0x80));
	assert_refused(&array, "array where map belongs");
}

/* req: Y-04 */
static void voucher_parse_cbor__value_of_another_type__is_refused(void **state)
{
	static const uint8_t proximity[] = "\x69proximity";
	struct bytes word = bytes_of(proximity, 10), zero = OCTETS(0x00);
	assert_leaf_refused(2501, 1, word, "assertion");
	assert_leaf_refused(2501, 1, OCTETS(0x20), "assertion");
	assert_leaf_refused(2501, 2, zero, "created-on");
	assert_leaf_refused(2501, 2, word, "created-on");
	assert_leaf_refused(2501, 2, OCTETS(0xc1, 0x1a, 0x5d, 0x1e, 0x49, 0x97), "created-on");
	assert_leaf_refused(2451, 3, word, "domain-cert-revocation-checks");
	assert_leaf_refused(2451, 3, OCTETS(0xf6), "domain-cert-revocation-checks");
	assert_leaf_refused(2451, 5, word, "idevid-issuer");
	assert_leaf_refused(2451, 5, OCTETS(0x40), "idevid-issuer: empty");
	assert_leaf_refused(2451, 7, word, "nonce");
	assert_leaf_refused(2451, 8, word, "pinned-domain-cert");
	assert_leaf_refused(2451, 8, OCTETS(0x43, 0x30, 0x00, 0x00), "pinned-domain-cert");
	assert_leaf_refused(2451, 12, zero, "additional-configuration-url");
	assert_leaf_refused(2501, 9, word, "prior-signed-voucher-request");
}

/* The leaves of a voucher that have no meaning in a request are not even looked at. */
/* req: Y-07 */
static void voucher_parse_cbor__leaves_without_meaning_in_a_request__are_ignored(void **state)
{
	static const uint8_t deltas[] = {3, 6, 8, 17, 18, 19, 20};
	for (size_t i = 0; i < sizeof(deltas); i++) {
		struct maker MAKER_AUTO m = MAKER;
		struct voucher VOUCHER_AUTO v;
		begin(&m, 2501, 1);
		uint_(&m, deltas[i]);
		map(&m, 0);
		assert_parses(&m, &v);
	}
}

/* req: Y-05 */
static void voucher_parse_cbor__nonce_of_another_length__is_refused(void **state)
{
	uint8_t many[33] = {0};
	for (size_t len = 7; len <= 33; len++) {
		struct maker MAKER_AUTO m = MAKER;
		struct voucher VOUCHER_AUTO v;
		voucher_init(&v, VOUCHER);
		begin(&m, 2451, 1);
		uint_(&m, 7);
		octets(&m, bytes_of(many, len));
		if (len >= 8 && len <= 32)
			assert_parses(&m, &v);
		else
			assert_refused(&m, "8 to 32");
	}
}

/* req: Y-06 */
static void voucher_parse_cbor__no_serial_number_or_a_bad_one__is_refused(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	map(&m, 1);
	uint_(&m, 2451);
	map(&m, 0);
	assert_refused(&m, "serial-number is missing");
	struct maker MAKER_AUTO other = MAKER; /* 13 is est-domain in a voucher */
	map(&other, 1);
	uint_(&other, 2451);
	map(&other, 1);
	uint_(&other, 13);
	text(&other, "SN-1");
	assert_refused(&other, "serial-number is missing");
	struct maker MAKER_AUTO bytes = MAKER;
	map(&bytes, 1);
	uint_(&bytes, 2451);
	map(&bytes, 1);
	uint_(&bytes, 11);
	octets(&bytes, OCTETS('S', 'N'));
	assert_refused(&bytes, "serial-number");
	struct maker MAKER_AUTO control = MAKER;
	map(&control, 1);
	uint_(&control, 2451);
	map(&control, 1);
	uint_(&control, 11);
	text(&control, "S\nN");
	assert_refused(&control, "control character");
}

static void voucher_parse_cbor__assertion_nobody_knows__is_kept_out(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	struct voucher VOUCHER_AUTO v;
	begin(&m, 2451, 1);
	uint_(&m, 1);
	uint_(&m, 4);
	assert_parses(&m, &v);
	assert_int_equal(v.assertion, ASSERTION_OTHER);
}

static void voucher_parse_cbor__too_long__is_refused(void **state)
{
	struct maker MAKER_AUTO m = MAKER;
	struct voucher VOUCHER_AUTO v;
	struct err e = ERR_INIT;
	while (m.out.len <= VOUCHER_CBOR_MAX)
		raw(&m, OCTETS(0, 0, 0, 0, 0, 0, 0, 0));
	assert_false(voucher_parse_cbor(buf_bytes(&m.out), &v, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* ---- writing ---- */

/* req: Y-18, Y-03 */
static void voucher_format_cbor__a_pledge_request__has_exactly_these_octets(void **state)
{
	static const char expected[] = "a1" /* {2501: */
				       "1909c5"
				       "a4" /* {1: 2, 7: nonce, 11: digest, 13: serial} */
				       "0102"
				       "07481032547698badcfe"
				       "0b420102"
				       "0d64534e2d31";
	struct voucher VOUCHER_AUTO v;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_CBOR_MAX);
	struct err e = ERR_INIT;
	char text[2 * 64 + 1];
	voucher_init(&v, VOUCHER_REQUEST);
	v.serial_number = str_dup("SN-1", &e);
	v.nonce = str_dup("EDJUdpi63P4", &e); /* without its padding, as JSON peers write it */
	v.assertion = ASSERTION_PROXIMITY;
	assert_true(buf_append(&v.proximity_registrar_pubk_sha256, "\x01\x02", 2, &e));
	assert_true(voucher_format_cbor(&v, &out, &e));
	hex_encode(buf_bytes(&out), text);
	assert_string_equal(text, expected);
}

static void voucher_format_cbor__what_came_as_json__says_the_same(void **state)
{
	static const char json[] =
		"{\"ietf-voucher-request:voucher\":{\"created-on\":\"2026-11-21T10:00:00Z\","
		"\"assertion\":\"proximity\",\"serial-number\":\"SN-1\",\"idevid-issuer\":"
		"\"BBgwFg==\",\"nonce\":\"EDJUdpi63P4=\",\"prior-signed-voucher-request\":\"AQI=\","
		"\"proximity-registrar-cert\":\"MAMCAQE=\"}}";
	struct voucher VOUCHER_AUTO v;
	struct voucher VOUCHER_AUTO again;
	struct buf BUF_AUTO cbor = BUF_INIT(VOUCHER_CBOR_MAX);
	struct buf BUF_AUTO back = BUF_INIT(VOUCHER_JSON_MAX);
	struct err e = ERR_INIT;
	assert_true(voucher_parse_json(bytes_of_str(json), &v, &e));
	assert_true(voucher_format_cbor(&v, &cbor, &e));
	assert_true(voucher_parse_cbor(buf_bytes(&cbor), &again, &e));
	assert_true(voucher_nonce_equal(v.nonce, again.nonce));
	assert_true(voucher_format_json(&again, &back, &e));
	assert_string_equal(buf_str(&back), json);
}

static void voucher_format_cbor__what_it_cannot_say__is_no_success(void **state)
{
	struct voucher VOUCHER_AUTO v;
	struct buf BUF_AUTO out = BUF_INIT(VOUCHER_CBOR_MAX);
	struct err e = ERR_INIT;
	voucher_init(&v, VOUCHER);
	assert_false(voucher_format_cbor(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
	v.serial_number = str_dup("SN-1", &e);
	v.assertion = ASSERTION_OTHER;
	assert_false(voucher_format_cbor(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
	v.assertion = ASSERTION_ABSENT;
	v.nonce = str_dup("no base64!", &e);
	assert_false(voucher_format_cbor(&v, &out, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	free_ptr(&v.nonce);
	assert_true(buf_append(&v.proximity_registrar_pubk, "x", 1, &e));
	assert_false(voucher_format_cbor(&v, &out, &e));
	assert_int_equal(e.kind, ERR_BUG);
}

/* ---- names ---- */

static void voucher_sid_name__of_either_module__is_the_leafs(void **state)
{
	assert_string_equal(voucher_sid_name(VOUCHER, 2451), "ietf-voucher:voucher");
	assert_string_equal(voucher_sid_name(VOUCHER, 2460), "pinned-domain-pubk");
	assert_string_equal(
		voucher_sid_name(VOUCHER_REQUEST, 2510), "prior-signed-voucher-request");
	assert_string_equal(voucher_sid_name(VOUCHER_REQUEST, 2509), "pinned-domain-cert");
	assert_string_equal(voucher_sid_name(VOUCHER_REQUEST, 2517), "agent-signed-data");
	assert_null(voucher_sid_name(VOUCHER, 2510));
	assert_null(voucher_sid_name(VOUCHER, 0));
	assert_null(voucher_sid_name(VOUCHER_REQUEST, 2524));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(voucher_parse_cbor__every_leaf_of_a_voucher__is_read),
		cmocka_unit_test(voucher_parse_cbor__sids_names_and_a_mix__read_the_same),
		cmocka_unit_test(voucher_parse_cbor__unknown_keys__are_ignored),
		cmocka_unit_test(voucher_parse_cbor__one_leaf_under_two_keys__is_refused),
		cmocka_unit_test(voucher_parse_cbor__same_key_twice__is_refused),
		cmocka_unit_test(voucher_parse_cbor__indefinite_lengths__are_read),
		cmocka_unit_test(voucher_parse_cbor__another_container__is_refused),
		cmocka_unit_test(voucher_parse_cbor__value_of_another_type__is_refused),
		cmocka_unit_test(
			voucher_parse_cbor__leaves_without_meaning_in_a_request__are_ignored),
		cmocka_unit_test(voucher_parse_cbor__nonce_of_another_length__is_refused),
		cmocka_unit_test(voucher_parse_cbor__no_serial_number_or_a_bad_one__is_refused),
		cmocka_unit_test(voucher_parse_cbor__assertion_nobody_knows__is_kept_out),
		cmocka_unit_test(voucher_parse_cbor__too_long__is_refused),
		cmocka_unit_test(voucher_format_cbor__a_pledge_request__has_exactly_these_octets),
		cmocka_unit_test(voucher_format_cbor__what_came_as_json__says_the_same),
		cmocka_unit_test(voucher_format_cbor__what_it_cannot_say__is_no_success),
		cmocka_unit_test(voucher_sid_name__of_either_module__is_the_leafs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
