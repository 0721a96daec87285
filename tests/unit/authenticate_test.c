/* SPDX-License-Identifier: Apache-2.0 */
/* Every check of the MASA on a voucher-request, each with a request that fails it alone. */
#include "tests/unit/masa_fixture.h"

#include "common/pki/cose.h"
#include "masa/authenticate.h"
#include "masa/limits.h"

static bool cose; /* the tests run once with CMS and once with COSE */

static int take_cose(void **state)
{
	cose = true;
	return 0;
}

struct fixture {
	struct world *w;
	struct authenticator by;
	struct authentic a;
	int64_t now;
	struct err e;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->w = world_new();
	if (cose)
		use_cose(f->w);
	f->now = NOW;
	f->by = (struct authenticator){
		.devices = anchors_of(&f->w->maker_root), .require_prior = true};
	OK(f->by.certs = cert_cache_new(64, e));
	OK(f->by.domains = domain_cache_new(64, e));
	authentic_init(&f->a);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	authentic_clear(&f->a);
	anchors_free(f->by.devices);
	domain_cache_free(f->by.domains);
	cert_cache_free(f->by.certs);
	crl_set_free(f->by.crls);
	world_free(f->w);
	free(f);
	return 0;
}

static bool judge(struct fixture *f, struct bytes rvr)
{
	authentic_clear(&f->a);
	authentic_init(&f->a);
	f->e = (struct err)ERR_INIT;
	return authenticate_registrar(&f->by, f->w->format, rvr, f->now, &f->a, &f->e) &&
	       authenticate_pledge(&f->by, f->w->format, f->now, &f->a, &f->e);
}

static bool ask(struct fixture *f, struct ask a)
{
	BUF_AUTO struct buf rvr = BUF_INIT(0);

	make_rvr(f->w, &a, &rvr);
	return judge(f, buf_bytes(&rvr));
}

static void refused(struct fixture *f, struct ask a, enum err_kind kind, const char *reason)
{
	assert_false(ask(f, a));
	if (!strstr(f->e.text, reason))
		fail_msg("%s: not for: %s", f->e.text, reason);
	assert_int_equal(f->e.kind, kind);
}

static void authenticate__good_request__has_proximity_and_its_chain(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, (struct ask){0}));
	assert_true(f->a.has_pvr);
	assert_true(f->a.proximity);
	assert_int_equal(f->a.domain.count, 3);
	assert_true(cert_same(f->a.domain.items[0], f->w->registrar.cert));
	assert_true(cert_same(f->a.domain.items[2], f->w->root.cert));
	assert_true(ask(f, (struct ask){0})); /* the chain remembered */
	assert_int_equal(f->a.domain.count, 3);
}

static void authenticate__end_entity_alone__is_its_own_temporary_anchor(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, (struct ask){.ee_only = true}));
	assert_int_equal(f->a.domain.count, 1);
	assert_true(f->a.proximity);
}

static void authenticate__registrar_signature_broken__is_refused(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf rvr = BUF_INIT(0);

	make_rvr(f->w, &(struct ask){0}, &rvr);
	rvr.data[rvr.len - 5] ^= 1;
	assert_false(judge(f, buf_bytes(&rvr)));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
	assert_false(judge(f, bytes_of_str("garbage")));
	assert_int_equal(f->e.kind, ERR_INPUT);
	assert_false(judge(f, bytes_of(rvr.data, rvr.len - 100)));
	assert_int_equal(f->e.kind, ERR_INPUT);
}

static void authenticate__voucher_in_place_of_a_request__is_refused(void **state)
{
	struct fixture *f = *state;
	VOUCHER_AUTO struct voucher v;
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);

	voucher_init(&v, VOUCHER);
	set_text(&v.serial_number, "SN-1", NULL);
	OK(f->w->format->seal(&v, &f->w->registrar, &f->w->registrar.chain, NOW, &out, e));
	assert_false(judge(f, buf_bytes(&out)));
	assert_int_equal(f->e.kind, ERR_INPUT);
	assert_non_null(strstr(f->e.text, "a voucher, not a voucher-request"));
}

static void authenticate__signer_without_cmc_ra__is_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.registrar = &f->w->ldevid}, ERR_UNAUTHENTICATED, "id-kp-cmcRA");
}

static void authenticate__registrar_expired__is_refused_even_when_remembered(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, (struct ask){0}));
	f->now = NOW + 400 * DAY;
	refused(f, (struct ask){0}, ERR_UNAUTHENTICATED, "registrar's chain");
	f->now = NOW - 2 * DAY;
	refused(f, (struct ask){0}, ERR_UNAUTHENTICATED, "registrar's chain");
}

/* The issuer's name is copied, its key is not: the link must be proven, not read. */
static void authenticate__chain_by_name_only__is_refused(void **state)
{
	struct fixture *f = *state;
	struct identity false_root, false_registrar;

	make(&false_root, NULL,
		(struct issue_request){.profile = PROFILE_ROOT_CA, .common_name = "Maker Root"});
	make(&false_registrar, &false_root,
		(struct issue_request){
			.profile = PROFILE_REGISTRAR, .common_name = "R", .san = "DNS:localhost"});
	cert_list_clear(&false_registrar.chain);
	OK(cert_list_add(&false_registrar.chain, f->w->maker_root.cert, e));
	assert_true(ask(f, (struct ask){.registrar = &false_registrar}));
	/* the AKI does not match, so the foreign root is left out: nothing of it may be pinned */
	assert_int_equal(f->a.domain.count, 1);
	identity_clear(&false_registrar);
	identity_clear(&false_root);
}

/* req: R8995-MASA-007 */
static void authenticate__registrar_revoked_by_its_ca__is_refused(void **state)
{
	struct fixture *f = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/crl.pem", f->w->dir);
	write_crl(path, &f->w->ca, &f->w->ca, &f->w->registrar);
	OK(f->by.crls = crl_set_load(path, e));
	refused(f, (struct ask){0}, ERR_UNAUTHENTICATED, "is revoked");
	assert_true(ask(f, (struct ask){.registrar = &f->w->other_registrar}));
}

static void authenticate__nonce_of_wrong_length__is_refused(void **state)
{
	struct fixture *f = *state;

	if (!cose) /* whose parser refuses it: nobody could write it either */
		refused(f, (struct ask){.rvr_nonce = "MDEyMw==", .pvr_nonce = "MDEyMw=="},
			ERR_INPUT, "");
	assert_true(ask(f, (struct ask){.rvr_nonce = "MDEyMzQ1Njc", .pvr_nonce = "MDEyMzQ1Njc"}));
}

static void say_proximity(struct world *w, struct voucher *v)
{
	set_octets(&v->proximity_registrar_cert, cert_der(w->registrar.cert));
}

static void authenticate__proximity_in_the_registrars_request__is_refused(void **state)
{
	refused(*state, (struct ask){.change_rvr = say_proximity}, ERR_UNAUTHENTICATED,
		"must not contain proximity-registrar-cert");
}

static void say_forbidden_things(struct world *w, struct voucher *v)
{
	v->has_created_on = false;
	v->assertion = ASSERTION_VERIFIED;
}

static void authenticate__what_a_request_asserts__is_ignored(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, (struct ask){.change_rvr = say_forbidden_things, .no_proximity = true}));
	assert_false(f->a.proximity);
}

static void authenticate__pledge_request_tampered_or_garbage__is_refused_with_403(void **state)
{
	refused(*state, (struct ask){.tampered_pvr = true}, ERR_UNAUTHENTICATED, "signature");
	refused(*state, (struct ask){.garbage_pvr = "not a CMS"}, ERR_UNAUTHENTICATED, "");
}

static void authenticate__device_of_another_maker__is_refused(void **state)
{
	struct fixture *f = *state;
	struct identity stranger;

	make(&stranger, &f->w->other_ca,
		(struct issue_request){.profile = PROFILE_IDEVID,
			.serial_number = "SN-1",
			.masa_url = "masa.example",
			.not_after = INT64_MAX});
	refused(f, (struct ask){.device = &stranger}, ERR_UNAUTHENTICATED, "");
	assert_string_equal(
		err_sentence(&f->e), "The pledge's certificate is not from this manufacturer.");
	identity_clear(&stranger);
}

static void authenticate__serials_differ__is_refused(void **state)
{
	refused(*state, (struct ask){.rvr_serial = "SN-2"}, ERR_UNAUTHENTICATED,
		"serial-number is not the one in the pledge's certificate");
	refused(*state, (struct ask){.rvr_serial = "sn-1"}, ERR_UNAUTHENTICATED, "serial-number");
	refused(*state, (struct ask){.rvr_serial = "SN-1 "}, ERR_UNAUTHENTICATED, "serial-number");
	refused(*state, (struct ask){.pvr_serial = "SN-2"}, ERR_UNAUTHENTICATED,
		"serial-number of the pledge's request");
}

static void authenticate__nonces_differ__is_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.rvr_nonce = "ZmVkY2JhOTg3NjU0MzIxMA=="}, ERR_UNAUTHENTICATED,
		"nonce differs");
	refused(f, (struct ask){.rvr_nonce = ABSENT}, ERR_UNAUTHENTICATED, "nonce differs");
	refused(f, (struct ask){.pvr_nonce = ABSENT}, ERR_UNAUTHENTICATED, "nonce differs");
	assert_true(ask(f, (struct ask){.pvr_nonce = ABSENT, .rvr_nonce = ABSENT}));
}

static void authenticate__pledge_saw_somebody_else__is_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.seen = &f->w->other_registrar}, ERR_UNAUTHENTICATED,
		"did not talk to");
	assert_false(f->a.proximity);
}

static void authenticate__pledge_saw_the_sub_ca_key__counts_as_the_chain(void **state)
{
	struct fixture *f = *state;

	assert_true(ask(f, (struct ask){.seen = &f->w->ca}));
	assert_true(f->a.proximity);
}

/* req: R8995-MASA-013 */
static void authenticate__tls_key_apart_from_the_signing_key__needs_its_certificate(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.seen = &f->w->split}, ERR_UNAUTHENTICATED, "did not talk to");
	assert_true(ask(f, (struct ask){.seen = &f->w->split, .also = &f->w->split}));
	assert_true(f->a.proximity);
}

/* A registrar that adds the certificate of the one the pledge really talked to. */
static void authenticate__certificate_of_another_domain_along__does_not_count(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.seen = &f->w->other_registrar, .also = &f->w->other_registrar},
		ERR_UNAUTHENTICATED, "did not talk to");
	refused(f, (struct ask){.seen = &f->w->ldevid, .also = &f->w->ldevid}, ERR_UNAUTHENTICATED,
		"did not talk to");
}

static void wrong_hash_beside_right_cert(struct world *w, struct voucher *v)
{
	uint8_t digest[SHA256_LEN];

	OK(digest_sha256(cert_spki(w->other_registrar.cert), digest, e));
	set_octets(&v->proximity_registrar_pubk_sha256, bytes_of(digest, sizeof(digest)));
}

static void right_hash_beside_wrong_cert(struct world *w, struct voucher *v)
{
	uint8_t digest[SHA256_LEN];

	OK(digest_sha256(cert_spki(w->registrar.cert), digest, e));
	buf_clear(&v->proximity_registrar_cert);
	set_octets(&v->proximity_registrar_cert, cert_der(w->other_registrar.cert));
	set_octets(&v->proximity_registrar_pubk_sha256, bytes_of(digest, sizeof(digest)));
}

static void right_key_beside_wrong_cert(struct world *w, struct voucher *v)
{
	buf_clear(&v->proximity_registrar_cert);
	set_octets(&v->proximity_registrar_cert, cert_der(w->other_registrar.cert));
	set_octets(&v->proximity_registrar_pubk, cert_spki(w->registrar.cert));
}

/* req: R8995-MASA-041 */
static void authenticate__several_proximity_leaves__the_most_compact_decides(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.change_pvr = wrong_hash_beside_right_cert}, ERR_UNAUTHENTICATED,
		"did not talk to");
	assert_true(ask(f, (struct ask){.change_pvr = right_hash_beside_wrong_cert}));
	assert_true(ask(f, (struct ask){.change_pvr = right_key_beside_wrong_cert}));
	assert_true(f->a.proximity);
}

/* ---- COSE: no certificate is in the pledge's request, all are in the registrar's ---- */

/* req: O-06, A-04 */
static void authenticate__idevid_not_in_the_bag__is_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.no_idevid = true}, ERR_UNAUTHENTICATED,
		"none of the 3 certificates");
	refused(f, (struct ask){.no_idevid = true, .also = &f->w->device2}, ERR_UNAUTHENTICATED,
		"none of the 4 certificates");
	/* its issuer is missing: the anchor above does not help */
	refused(f, (struct ask){.no_idevid = true, .also = &f->w->device}, ERR_UNAUTHENTICATED,
		"issuer");
	assert_true(ask(f, (struct ask){.also = &f->w->device2}));
}

/* req: O-08 */
static void authenticate__bag_in_another_order__finds_the_registrar(void **state)
{
	struct fixture *f = *state;
	CERT_LIST_AUTO struct cert_list bag = CERT_LIST_INIT;
	BUF_AUTO struct buf rvr = BUF_INIT(0), shuffled = BUF_INIT(COSE_MAX);
	COSE_AUTO struct cose c;

	make_rvr(f->w, &(struct ask){0}, &rvr);
	OK(cose_parse(buf_bytes(&rvr), NULL, &c, e));
	for (size_t i = c.certs.count; i > 0; i--)
		OK(cert_list_add(&bag, c.certs.items[i - 1], e));
	OK(cose_seal(buf_bytes(&c.payload), &f->w->registrar, &bag, &shuffled, e));
	assert_true(judge(f, buf_bytes(&shuffled)));
	assert_true(cert_same(f->a.rvr.signer, f->w->registrar.cert));
	assert_true(cert_same(f->a.pvr.signer, f->w->device.cert));
}

static void bad_proximity_cert(struct world *w, struct voucher *v)
{
	buf_clear(&v->proximity_registrar_cert);
	set_octets(&v->proximity_registrar_cert, bytes_of("\x30\x03\x02\x01\x01", 5));
}

static void authenticate__proximity_certificate_unreadable__is_refused(void **state)
{
	struct fixture *f = *state;

	assert_false(ask(f, (struct ask){.change_pvr = bad_proximity_cert}));
	assert_int_equal(f->e.kind, ERR_UNAUTHENTICATED);
}

static void authenticate__no_pledge_request__only_where_none_is_needed(void **state)
{
	struct fixture *f = *state;

	refused(f, (struct ask){.no_pvr = true}, ERR_UNAUTHENTICATED,
		"prior-signed-voucher-request is missing");
	assert_true(ask(f, (struct ask){.no_pvr = true, .rvr_nonce = ABSENT}));
	assert_false(f->a.has_pvr);
	f->by.require_prior = false;
	assert_true(ask(f, (struct ask){.no_pvr = true}));
	assert_false(f->a.proximity);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(authenticate__good_request__has_proximity_and_its_chain),
		TEST(authenticate__end_entity_alone__is_its_own_temporary_anchor),
		TEST(authenticate__registrar_signature_broken__is_refused),
		TEST(authenticate__voucher_in_place_of_a_request__is_refused),
		TEST(authenticate__signer_without_cmc_ra__is_refused),
		TEST(authenticate__registrar_expired__is_refused_even_when_remembered),
		TEST(authenticate__chain_by_name_only__is_refused),
		TEST(authenticate__registrar_revoked_by_its_ca__is_refused),
		TEST(authenticate__nonce_of_wrong_length__is_refused),
		TEST(authenticate__proximity_in_the_registrars_request__is_refused),
		TEST(authenticate__what_a_request_asserts__is_ignored),
		TEST(authenticate__pledge_request_tampered_or_garbage__is_refused_with_403),
		TEST(authenticate__device_of_another_maker__is_refused),
		TEST(authenticate__serials_differ__is_refused),
		TEST(authenticate__nonces_differ__is_refused),
		TEST(authenticate__pledge_saw_somebody_else__is_refused),
		TEST(authenticate__pledge_saw_the_sub_ca_key__counts_as_the_chain),
		TEST(authenticate__tls_key_apart_from_the_signing_key__needs_its_certificate),
		TEST(authenticate__certificate_of_another_domain_along__does_not_count),
		TEST(authenticate__several_proximity_leaves__the_most_compact_decides),
		TEST(authenticate__proximity_certificate_unreadable__is_refused),
		TEST(authenticate__no_pledge_request__only_where_none_is_needed),
	};

	const struct CMUnitTest cose_tests[] = {
		TEST(authenticate__idevid_not_in_the_bag__is_refused),
		TEST(authenticate__bag_in_another_order__finds_the_registrar),
	};
	const int failed = cmocka_run_group_tests_name("CMS", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("COSE", tests, take_cose, NULL) +
	       cmocka_run_group_tests_name("COSE alone", cose_tests, take_cose, NULL);
}
