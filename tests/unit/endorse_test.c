/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a registrar voucher-request, and what does not. */
#include "common/pki/idevid.h"
#include "registrar/endorse.h"
#include "tests/unit/registrar_fixture.h"

/* URL-safe and without padding, as other pledges write it: it has to come through untouched. */
#define ODD_NONCE "-_XE9zK9q8Ll1qylMtLKeg"

static const char octets[] = "the pledge's own octets";

static void pledge_request(const struct site *s, struct voucher *v)
{
	struct err e = ERR_INIT;
	struct bytes own = cert_der(s->registrar.cert);

	voucher_init(v, VOUCHER_REQUEST);
	v->assertion = ASSERTION_PROXIMITY;
	v->serial_number = str_dup("what the pledge claims", &e);
	v->nonce = str_dup(ODD_NONCE, &e);
	MUST(buf_append(&v->proximity_registrar_cert, own.data, own.len, &e));
	MUST(buf_append(&v->pinned_domain_cert, "\x30\x00", 2, &e));
	v->domain_cert_revocation_checks = FLAG_TRUE;
}

static void endorsed(
	const struct site *s, const struct identity *idevid, struct signed_voucher *out)
{
	BUF_AUTO struct buf rvr = BUF_INIT(65536);
	VOUCHER_AUTO struct voucher request;
	struct err e = ERR_INIT;
	const struct endorsement w = {
		.format = &voucher_formats[0],
		.pledge_request = &request,
		.pledge_octets = bytes_of_str(octets),
		.idevid = idevid->cert,
		.serial = FIXTURE_SERIAL,
		.registrar = &s->registrar,
		.now = FIXTURE_NOW,
	};

	pledge_request(s, &request);
	MUST(endorse(&w, &rvr, &e));
	signed_voucher_init(out);
	MUST(voucher_formats[0].open(buf_bytes(&rvr), NULL, NULL, out, &e));
}

static void endorse__the_leaves_of_the_request__are_those_of_the_rfc(void **state)
{
	const struct site *s = *state;
	SIGNED_VOUCHER_AUTO struct signed_voucher v;

	endorsed(s, &s->idevid, &v);
	assert_int_equal(v.fields.kind, VOUCHER_REQUEST);
	assert_true(v.fields.has_created_on);
	assert_int_equal(v.fields.created_on, FIXTURE_NOW);
	assert_string_equal(v.fields.serial_number, FIXTURE_SERIAL);
	assert_string_equal(v.fields.nonce, ODD_NONCE);
	assert_int_equal(v.fields.assertion, ASSERTION_PROXIMITY);
	assert_true(bytes_equal(
		buf_bytes(&v.fields.prior_signed_voucher_request), bytes_of_str(octets)));
	assert_true(bytes_equal(buf_bytes(&v.fields.idevid_issuer), cert_aki_tlv(s->idevid.cert)));
	assert_int_equal(v.fields.idevid_issuer.data[0], 0x04);
}

static void endorse__what_only_a_pledge_or_a_masa_writes__stays_out(void **state)
{
	const struct site *s = *state;
	SIGNED_VOUCHER_AUTO struct signed_voucher v;

	endorsed(s, &s->idevid, &v);
	assert_int_equal(v.fields.proximity_registrar_cert.len, 0);
	assert_int_equal(v.fields.pinned_domain_cert.len, 0);
	assert_int_equal(v.fields.domain_cert_revocation_checks, FLAG_ABSENT);
	assert_false(v.fields.has_last_renewal_date);
	assert_false(v.fields.has_expires_on);
}

static void endorse__the_certificates__are_ours_up_to_the_domain_ca_and_no_other(void **state)
{
	const struct site *s = *state;
	SIGNED_VOUCHER_AUTO struct signed_voucher v;

	endorsed(s, &s->idevid, &v);
	assert_true(cert_same(v.signer, s->registrar.cert));
	assert_int_equal(v.certs.count, 2);
	assert_true(cert_list_contains(&v.certs, s->registrar.cert));
	assert_true(cert_list_contains(&v.certs, s->issuing.cert));
}

static void endorse__in_cose__carries_what_the_pledge_presented_and_its_octets(void **state)
{
	/* req: O-06, Y-12, Y-16, Y-17 */
	const struct site *s = *state;
	const struct voucher_format *cose =
		voucher_format_by_media_type("application/voucher+cose");
	struct cert *presented[] = {s->idevid.cert, s->maker.cert, s->issuing.cert};
	const struct cert_list list = {presented, 3};
	BUF_AUTO struct buf rvr = BUF_INIT(65536);
	SIGNED_VOUCHER_AUTO struct signed_voucher v;
	VOUCHER_AUTO struct voucher request;
	struct err e = ERR_INIT;
	const struct endorsement w = {
		.format = cose,
		.pledge_request = &request,
		.pledge_octets = bytes_of_str(octets),
		.idevid = s->idevid.cert,
		.serial = FIXTURE_SERIAL,
		.registrar = &s->registrar,
		.presented = &list,
		.now = FIXTURE_NOW,
	};

	pledge_request(s, &request);
	MUST(endorse(&w, &rvr, &e));
	signed_voucher_init(&v);
	MUST(cose->open(buf_bytes(&rvr), NULL, NULL, &v, &e));
	assert_true(cert_same(v.signer, s->registrar.cert));
	assert_int_equal(v.certs.count, 4); /* what both have goes once */
	assert_true(cert_list_contains(&v.certs, s->registrar.cert));
	assert_true(cert_list_contains(&v.certs, s->issuing.cert));
	assert_true(cert_list_contains(&v.certs, s->idevid.cert));
	assert_true(cert_list_contains(&v.certs, s->maker.cert));
	assert_int_equal(v.fields.assertion, ASSERTION_PROXIMITY);
	assert_string_equal(v.fields.serial_number, FIXTURE_SERIAL);
	assert_true(voucher_nonce_equal(v.fields.nonce, ODD_NONCE));
	assert_true(bytes_equal(
		buf_bytes(&v.fields.prior_signed_voucher_request), bytes_of_str(octets)));
	assert_true(bytes_equal(buf_bytes(&v.fields.idevid_issuer), cert_aki_tlv(s->idevid.cert)));
	assert_int_equal(v.fields.proximity_registrar_cert.len, 0);
}

static void endorse__an_idevid_without_aki__is_named_by_its_own_key(void **state)
{
	const struct site *s = *state;
	const struct recipe bare = {.cn = "Device", .serial_number = FIXTURE_SERIAL};
	SIGNED_VOUCHER_AUTO struct signed_voucher v;
	IDENTITY_AUTO struct identity device;

	fixture_leaf(&device, &bare, &s->maker, false);
	assert_int_equal(cert_aki_tlv(device.cert).len, 0);
	endorsed(s, &device, &v);
	assert_int_equal(v.fields.idevid_issuer.len, 26);
	assert_memory_equal(v.fields.idevid_issuer.data, "\x04\x18\x30\x16\x80\x14", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endorse__the_leaves_of_the_request__are_those_of_the_rfc),
		cmocka_unit_test(endorse__what_only_a_pledge_or_a_masa_writes__stays_out),
		cmocka_unit_test(
			endorse__the_certificates__are_ours_up_to_the_domain_ca_and_no_other),
		cmocka_unit_test(
			endorse__in_cose__carries_what_the_pledge_presented_and_its_octets),
		cmocka_unit_test(endorse__an_idevid_without_aki__is_named_by_its_own_key),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
