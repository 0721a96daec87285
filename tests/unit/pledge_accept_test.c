/* SPDX-License-Identifier: Apache-2.0 */
/* The table of checks on a voucher: a good one passes, and each check refuses what it is there for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "common/pki/digest.h"
#include "common/pki/idevid.h"
#include "pledge/accept.h"
#include "pledge/limits.h"
#include "tests/unit/pledge_fixture.h"

#define NONCE	    "AAECAwQFBgcICQoLDA0ODw=="
#define OTHER_NONCE "BBECAwQFBgcICQoLDA0ODw=="

struct world {
	struct fixture f;
	struct voucher v;
	const struct identity *signer;
	int64_t now, signed_at;
	struct buf octets;
	struct accept_input in;
	struct err e;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	w->now = w->signed_at = time(NULL);
	fixture_voucher(&w->f, &w->v, NONCE, w->now);
	w->signer = &w->f.masa;
	buf_init(&w->octets, VOUCHER_REPLY_MAX);
	w->in = (struct accept_input){
		.content_type = "application/voucher-cms+json; charset=utf-8",
		.masa_anchors = w->f.masa_anchors,
		.idevid = w->f.idevid.cert,
		.serial_number = FIXTURE_SERIAL,
		.nonce = NONCE,
		.asked_with = PIN_CERT,
		.server_chain = &w->f.server_chain,
		.now_unix_s = w->now,
		.nonceless = NONCELESS_ACCEPT,
		.assertion = ACCEPT_ANY,
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	voucher_clear(&w->v);
	buf_clear(&w->octets);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

static void seal(struct world *w)
{
	buf_clear(&w->octets);
	fixture_seal(&w->v, w->signer, w->signed_at, &w->octets);
}

static bool judge(struct world *w)
{
	ACCEPTED_AUTO struct accepted a;
	bool ok;

	w->in.octets = buf_bytes(&w->octets);
	ok = accept_voucher(&w->in, &a, &w->e);
	assert_int_equal(ok, a.path.count > 0);
	assert_int_equal(ok && a.form == PIN_CERT, a.pinned != NULL);
	return ok;
}

static void expect_accepted(struct world *w)
{
	seal(w);
	if (!judge(w))
		fail_msg("%s", w->e.text);
}

static void expect_refused_unsealed(struct world *w, const char *check)
{
	char start[100];

	assert_false(judge(w));
	snprintf(start, sizeof(start), "voucher: %s (", check);
	if (strncmp(w->e.text, start, strlen(start)) != 0)
		fail_msg("not by '%s': %s", check, w->e.text);
}

static void expect_refused(struct world *w, const char *check)
{
	seal(w);
	expect_refused_unsealed(w, check);
}

/* ---- accepted ---- */

static void accept_voucher__for_us_and_this_registrar__is_accepted(void **state)
{
	expect_accepted(*state);
}

static void accept_voucher__pinning_root_issuer_or_end_entity__is_accepted(void **state)
{
	struct world *w = *state;
	struct cert *pins[] = {w->f.root_cert, w->f.sub_cert, w->f.ee_cert};

	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
		fixture_put(&w->v.pinned_domain_cert, cert_der(pins[i]));
		expect_accepted(w);
	}
}

static void accept_voucher__pinning_another_certificate_of_the_same_key__is_accepted(void **state)
{
	struct world *w = *state;

	fixture_put(&w->v.pinned_domain_cert, cert_der(w->f.renewed_cert));
	expect_accepted(w);
}

static void accept_voucher__nonceless__is_accepted_unless_the_profile_refuses(void **state)
{
	struct world *w = *state;

	fixture_set(&w->v.nonce, NULL);
	w->v.has_expires_on = true;
	w->v.expires_on = w->now + 3600;
	expect_accepted(w);
	w->in.nonceless = NONCELESS_REFUSE;
	expect_refused(w, "nonce");
}

static void accept_voucher__our_idevid_issuer__is_accepted(void **state)
{
	struct world *w = *state;

	assert_true(idevid_issuer(w->f.idevid.cert, &w->v.idevid_issuer, &w->e));
	expect_accepted(w);
}

static void accept_voucher__revocation_checks_false__is_accepted(void **state)
{
	struct world *w = *state;

	w->v.domain_cert_revocation_checks = FLAG_FALSE;
	expect_accepted(w);
}

/* ---- refused, one per check ---- */

static void accept_voucher__unknown_media_type__is_refused(void **state)
{
	struct world *w = *state;

	w->in.content_type = "text/html";
	expect_refused(w, "media type");
	w->in.content_type = "";
	expect_refused(w, "media type");
}

static void accept_voucher__empty_or_cut_or_changed__is_refused(void **state)
{
	struct world *w = *state;

	expect_refused_unsealed(w, "signature");
	seal(w);
	w->octets.len--;
	expect_refused_unsealed(w, "signature");
	seal(w);
	w->octets.data[w->octets.len - 1] ^= 1;
	expect_refused_unsealed(w, "signature");
}

static void accept_voucher__signed_under_another_manufacturer__is_refused(void **state)
{
	struct world *w = *state;

	w->signer = &w->f.other_masa; /* brings its own complete chain along */
	expect_refused(w, "signer");
}

/* req: R8995-PLG-032 */
static void accept_voucher__signed_by_a_device_under_the_same_anchor__is_refused(void **state)
{
	struct world *w = *state;

	w->signer = &w->f.idevid;
	expect_refused(w, "signer's role");
}

static void accept_voucher__a_request_signed_by_the_masa__is_refused(void **state)
{
	struct world *w = *state;

	w->v.kind = VOUCHER_REQUEST;
	buf_clear(&w->v.pinned_domain_cert);
	expect_refused(w, "kind");
}

static void accept_voucher__other_serial_number__is_refused(void **state)
{
	struct world *w = *state;

	fixture_set(&w->v.serial_number, "SN-4712");
	expect_refused(w, "serial-number");
	fixture_set(&w->v.serial_number, "sn-4711");
	expect_refused(w, "serial-number");
}

static void accept_voucher__other_idevid_issuer__is_refused(void **state)
{
	struct world *w = *state;

	assert_true(idevid_issuer(w->f.idevid.cert, &w->v.idevid_issuer, &w->e));
	w->v.idevid_issuer.data[w->v.idevid_issuer.len - 1] ^= 1;
	expect_refused(w, "idevid-issuer");
}

static void accept_voucher__nonce_of_another_attempt__is_refused(void **state)
{
	struct world *w = *state;

	fixture_set(&w->v.nonce, OTHER_NONCE);
	expect_refused(w, "nonce");
}

static void accept_voucher__expired__is_refused_with_a_clock_only(void **state)
{
	struct world *w = *state;

	w->v.has_expires_on = true;
	w->v.expires_on = w->now;
	expect_refused(w, "dates");
	w->in.now_unix_s = CHAIN_NO_TIME;
	expect_accepted(w);
}

static void accept_voucher__from_the_future__is_refused(void **state)
{
	struct world *w = *state;

	w->v.created_on = w->now + CLOCK_SKEW_S;
	expect_accepted(w);
	w->v.created_on++;
	expect_refused(w, "dates");
	w->v.created_on = w->now;
	w->signed_at = w->now + CLOCK_SKEW_S + 60;
	expect_refused(w, "dates");
}

static void accept_voucher__renewal_date_without_an_end__is_refused(void **state)
{
	struct world *w = *state;

	w->v.has_last_renewal_date = true;
	w->v.last_renewal_date = w->now + 3600;
	w->in.now_unix_s = CHAIN_NO_TIME;
	expect_refused(w, "dates");
}

static void accept_voucher__assertion_below_policy__is_refused(void **state)
{
	struct world *w = *state;

	w->in.assertion = ACCEPT_PROXIMITY;
	expect_accepted(w);
	w->v.assertion = ASSERTION_LOGGED;
	expect_refused(w, "assertion");
	w->v.assertion = ASSERTION_ABSENT;
	expect_refused(w, "assertion");
	w->v.assertion = ASSERTION_PROXIMITY;
	w->in.assertion = ACCEPT_VERIFIED;
	expect_refused(w, "assertion");
	w->v.assertion = ASSERTION_VERIFIED;
	expect_accepted(w);
}

static void accept_voucher__no_pin__is_refused(void **state)
{
	struct world *w = *state;

	buf_clear(&w->v.pinned_domain_cert);
	expect_refused(w, "pin");
}

/* ---- the forms of a pin (rows Y-09, K-03, K-04) ---- */

static struct buf *leaf(struct world *w, enum pin_form form)
{
	return (struct buf *)(uintptr_t)pin_leaf(&w->v, form);
}

static void put_hash(struct world *w, struct bytes spki)
{
	uint8_t digest[SHA256_LEN];

	assert_true(digest_sha256(spki, digest, &w->e));
	fixture_put(leaf(w, PIN_SHA256), bytes_of(digest, sizeof(digest)));
}

/* req: K-04 */
static void accept_voucher__pinning_the_registrars_key_alone__is_accepted(void **state)
{
	struct world *w = *state;

	buf_clear(&w->v.pinned_domain_cert);
	fixture_put(leaf(w, PIN_KEY), cert_spki(w->f.ee_cert));
	expect_accepted(w);
	w->in.asked_with = PIN_KEY;
	expect_accepted(w);
	buf_clear(leaf(w, PIN_KEY));
	put_hash(w, cert_spki(w->f.ee_cert));
	expect_accepted(w);
	w->in.asked_with = PIN_SHA256;
	expect_accepted(w);
}

/* req: K-04 */
static void accept_voucher__pinning_another_key__is_refused(void **state)
{
	struct world *w = *state;

	buf_clear(&w->v.pinned_domain_cert);
	fixture_put(leaf(w, PIN_KEY), cert_spki(w->f.root_cert)); /* a CA's is nobody's own */
	expect_refused(w, "registrar");
	fixture_put(leaf(w, PIN_KEY), bytes_of("not a key", 9));
	expect_refused(w, "registrar");
	buf_clear(leaf(w, PIN_KEY));
	put_hash(w, cert_spki(w->f.sub_cert));
	expect_refused(w, "registrar");
}

/* The second, wrong one decides nothing. req: Y-09, R8995-PLG-059 */
static void accept_voucher__two_pins__the_form_asked_with_decides(void **state)
{
	struct world *w = *state;

	put_hash(w, cert_spki(w->f.other_root_cert));
	expect_accepted(w); /* by certificate */
	w->in.asked_with = PIN_SHA256;
	expect_refused(w, "registrar");
	put_hash(w, cert_spki(w->f.ee_cert));
	fixture_put(&w->v.pinned_domain_cert, cert_der(w->f.other_root_cert));
	expect_accepted(w);
	w->in.asked_with = PIN_KEY; /* not there: the first there is */
	expect_accepted(w);
	w->in.asked_with = PIN_CERT;
	expect_refused(w, "registrar");
}

/* req: Y-09, R8995-PLG-059 */
static void accept_voucher__two_pins_without_a_nonce__hash_then_key_then_certificate(void **state)
{
	struct world *w = *state;

	free_ptr(&w->v.nonce);
	fixture_put(leaf(w, PIN_KEY), cert_spki(w->f.other_root_cert));
	expect_refused(w, "registrar");
	put_hash(w, cert_spki(w->f.ee_cert));
	expect_accepted(w);
}

/* req: K-04 */
static void accept_voucher__key_pinned_and_registrar_expired__is_refused_with_a_clock_only(
	void **state)
{
	struct world *w = *state;
	CERT_LIST_AUTO struct cert_list chain = CERT_LIST_INIT;
	struct peer_identity old = peer_identity_make(
		&(struct peer_cert_wish){.cn = "old", .from_s = -7200, .until_s = -3600});
	CERT_AUTO struct cert *c = fixture_cert(old.cert);

	peer_identity_free(&old);
	assert_true(cert_list_add(&chain, c, &w->e));
	w->in.server_chain = &chain;
	buf_clear(&w->v.pinned_domain_cert);
	fixture_put(leaf(w, PIN_KEY), cert_spki(c));
	expect_refused(w, "registrar");
	w->in.now_unix_s = CHAIN_NO_TIME;
	expect_accepted(w);
}

static void accept_voucher__pin_of_another_site__is_refused(void **state)
{
	struct world *w = *state;

	fixture_put(&w->v.pinned_domain_cert, cert_der(w->f.other_root_cert));
	expect_refused(w, "registrar");
}

static void accept_voucher__server_sent_only_its_own__is_refused_for_a_pinned_root(void **state)
{
	struct world *w = *state;

	w->f.server_chain.count = 1; /* no path without the issuing CA */
	expect_refused(w, "registrar");
	w->f.server_chain.count = 2;
}

static void accept_voucher__registrar_expired__is_refused_with_a_clock_only(void **state)
{
	struct world *w = *state;
	CERT_LIST_AUTO struct cert_list chain = CERT_LIST_INIT;
	struct peer_identity old = peer_identity_make(&(struct peer_cert_wish){
		.cn = "old", .issuer = &w->f.root, .from_s = -7200, .until_s = -3600});
	CERT_AUTO struct cert *c = fixture_cert(old.cert);
	struct cert *pins[] = {w->f.root_cert, c};

	peer_identity_free(&old);
	assert_true(cert_list_add(&chain, c, &w->e));
	w->in.server_chain = &chain;
	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
		fixture_put(&w->v.pinned_domain_cert, cert_der(pins[i]));
		w->in.now_unix_s = w->now;
		expect_refused(w, "registrar");
		w->in.now_unix_s = CHAIN_NO_TIME;
		expect_accepted(w);
	}
}

/* ---- est-domain ---- */

static bool names_est(struct world *w, const char *est_domain, struct uri *est)
{
	ACCEPTED_AUTO struct accepted a;
	bool ok;

	w->in.server_verified = true;
	fixture_set(&w->v.est_domain, est_domain);
	seal(w);
	w->in.octets = buf_bytes(&w->octets);
	ok = accept_voucher(&w->in, &a, &w->e) && a.has_est;
	*est = a.est;
	return ok;
}

static void accept_voucher__est_domain_as_uri_or_bare__names_the_server(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {
		{"https://est.example:8443/", "est.example", 8443},
		{"https://est.example", "est.example", 443},
		{"https://[2001:db8::1]/.well-known/est/", "2001:db8::1", 443},
		{"est.example", "est.example", 443},
		{"est.example:8443", "est.example", 8443},
	};
	struct world *w = *state;
	struct uri est;

	fixture_put(&w->v.pinned_domain_cert, cert_der(w->f.other_root_cert));
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_true(names_est(w, good[i].text, &est));
		assert_string_equal(est.host, good[i].host);
		assert_int_equal(est.port, good[i].port);
		assert_string_equal(est.path, "");
	}
}

static void accept_voucher__est_domain_that_is_none__is_refused(void **state)
{
	static const char *const bad[] = {"", "http://est.example/", "https://a@est.example/",
		"https://est.example/other/est", "coaps://est.example", "est.example/x",
		"https://est.example:99999/", "est example"};
	struct world *w = *state;
	struct uri est;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(names_est(w, bad[i], &est));
		assert_int_equal(w->e.kind, ERR_INPUT);
	}
}

static void accept_voucher__est_domain_of_who_is_not_verified__is_no_way_round_the_pin(void **state)
{
	struct world *w = *state;
	struct uri est;

	assert_true(names_est(w, "https://est.example/", &est));
	w->in.server_verified = false;
	expect_accepted(w);
	fixture_put(&w->v.pinned_domain_cert, cert_der(w->f.other_root_cert));
	expect_refused(w, "registrar");
}

/* There is no chain to a key: the server could not be known. */
static void accept_voucher__est_domain_with_a_key_for_a_pin__is_refused(void **state)
{
	struct world *w = *state;
	struct uri est;

	buf_clear(&w->v.pinned_domain_cert);
	fixture_put(leaf(w, PIN_KEY), cert_spki(w->f.ee_cert));
	assert_false(names_est(w, "https://est.example/", &est));
	assert_int_equal(w->e.kind, ERR_INPUT);
}

static void accept_checks__each__has_a_name_and_a_clause(void **state)
{
	assert_int_equal(accept_check_count, 13);
	for (size_t i = 0; i < accept_check_count; i++) {
		assert_true(strlen(accept_checks[i].name) > 0);
		assert_non_null(strstr(accept_checks[i].clause, " §"));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accept_voucher__for_us_and_this_registrar__is_accepted),
		TEST(accept_voucher__pinning_root_issuer_or_end_entity__is_accepted),
		TEST(accept_voucher__pinning_another_certificate_of_the_same_key__is_accepted),
		TEST(accept_voucher__nonceless__is_accepted_unless_the_profile_refuses),
		TEST(accept_voucher__our_idevid_issuer__is_accepted),
		TEST(accept_voucher__revocation_checks_false__is_accepted),
		TEST(accept_voucher__unknown_media_type__is_refused),
		TEST(accept_voucher__empty_or_cut_or_changed__is_refused),
		TEST(accept_voucher__signed_under_another_manufacturer__is_refused),
		TEST(accept_voucher__signed_by_a_device_under_the_same_anchor__is_refused),
		TEST(accept_voucher__a_request_signed_by_the_masa__is_refused),
		TEST(accept_voucher__other_serial_number__is_refused),
		TEST(accept_voucher__other_idevid_issuer__is_refused),
		TEST(accept_voucher__nonce_of_another_attempt__is_refused),
		TEST(accept_voucher__expired__is_refused_with_a_clock_only),
		TEST(accept_voucher__from_the_future__is_refused),
		TEST(accept_voucher__renewal_date_without_an_end__is_refused),
		TEST(accept_voucher__assertion_below_policy__is_refused),
		TEST(accept_voucher__no_pin__is_refused),
		TEST(accept_voucher__pinning_the_registrars_key_alone__is_accepted),
		TEST(accept_voucher__pinning_another_key__is_refused),
		TEST(accept_voucher__two_pins__the_form_asked_with_decides),
		TEST(accept_voucher__two_pins_without_a_nonce__hash_then_key_then_certificate),
		TEST(accept_voucher__key_pinned_and_registrar_expired__is_refused_with_a_clock_only),
		TEST(accept_voucher__pin_of_another_site__is_refused),
		TEST(accept_voucher__server_sent_only_its_own__is_refused_for_a_pinned_root),
		TEST(accept_voucher__registrar_expired__is_refused_with_a_clock_only),
		TEST(accept_voucher__est_domain_as_uri_or_bare__names_the_server),
		TEST(accept_voucher__est_domain_that_is_none__is_refused),
		TEST(accept_voucher__est_domain_of_who_is_not_verified__is_no_way_round_the_pin),
		TEST(accept_voucher__est_domain_with_a_key_for_a_pin__is_refused),
		TEST(accept_checks__each__has_a_name_and_a_clause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
