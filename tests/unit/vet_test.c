/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA that lies or errs: each fault of a voucher is found before the pledge sees it. */
#include "registrar/vet.h"
#include "tests/unit/registrar_fixture.h"

/* A good voucher for the fixture's device; tests change it. */
static void good_voucher(const struct site *s, struct voucher *v)
{
	struct err e = ERR_INIT;
	struct bytes pin = cert_der(s->issuing.cert);

	voucher_init(v, VOUCHER);
	v->has_created_on = true;
	v->created_on = FIXTURE_NOW;
	v->assertion = ASSERTION_PROXIMITY;
	v->serial_number = str_dup(FIXTURE_SERIAL, &e);
	v->nonce = str_dup(FIXTURE_NONCE, &e);
	assert_non_null(v->serial_number);
	assert_non_null(v->nonce);
	MUST(buf_append(&v->pinned_domain_cert, pin.data, pin.len, &e));
}

static bool vet(
	const struct site *s, const struct voucher *v, const struct identity *signer, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(65536);
	const struct voucher_format *cms = &voucher_formats[0];
	const struct vetting w = {
		.format = cms,
		.masa_anchors = s->maker_anchors,
		.domain = &s->domain,
		.idevid = s->idevid.cert,
		.serial = FIXTURE_SERIAL,
		.nonce = FIXTURE_NONCE,
		.now = FIXTURE_NOW,
	};

	if (!cms->seal(v, signer, NULL, FIXTURE_NOW, &octets, e))
		fail_msg("%s", e->text);
	return vet_voucher(&w, buf_bytes(&octets), e);
}

/* The same in COSE, extra in the bag besides the signer. */
static bool vet_cose(const struct site *s, const struct voucher *v, const struct identity *signer,
	const struct cert_list *extra, bool bare_keys, struct err *e)
{
	BUF_AUTO struct buf octets = BUF_INIT(65536);
	const struct voucher_format *cose =
		voucher_format_by_media_type("application/voucher+cose");
	const struct vetting w = {
		.format = cose,
		.masa_anchors = s->maker_anchors,
		.domain = &s->domain,
		.idevid = s->idevid.cert,
		.serial = FIXTURE_SERIAL,
		.nonce = FIXTURE_NONCE,
		.now = FIXTURE_NOW,
		.bare_keys = bare_keys,
	};

	if (!cose->seal(v, signer, extra, FIXTURE_NOW, &octets, e))
		fail_msg("%s", e->text);
	return vet_voucher(&w, buf_bytes(&octets), e);
}

static void pin(struct voucher *v, const struct cert *c)
{
	struct err e = ERR_INIT;
	struct bytes der = cert_der(c);

	buf_clear(&v->pinned_domain_cert);
	MUST(buf_append(&v->pinned_domain_cert, der.data, der.len, &e));
}

static void replace(char **text, const char *by)
{
	struct err e = ERR_INIT;

	free(*text);
	*text = by ? str_dup(by, &e) : NULL;
}

static void vet_voucher__pinned_anywhere_in_our_chain__is_good(void **state)
{
	const struct site *s = *state;
	const struct cert *pins[] = {s->registrar.cert, s->issuing.cert, s->root.cert};
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	for (size_t i = 0; i < sizeof(pins) / sizeof(*pins); i++) {
		pin(&v, pins[i]);
		MUST(vet(s, &v, &s->masa, &e));
	}
}

static void vet_voucher__a_stranger_signed_it__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	REFUSED(vet(s, &v, &s->registrar, &e), ERR_PEER);
}

static void vet_voucher__a_device_of_the_manufacturer_signed_it__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	REFUSED(vet(s, &v, &s->idevid, &e), ERR_PEER);
	assert_non_null(strstr(e.text, "signed by a device"));
}

/* Asked for before its device asks: nobody's nonce may be in it. */
static void vet_voucher__asked_for_without_a_nonce__has_none(void **state)
{
	const struct site *s = *state;
	BUF_AUTO struct buf octets = BUF_INIT(65536), nonced = BUF_INIT(65536);
	const struct vetting w = {.format = &voucher_formats[0],
		.masa_anchors = s->maker_anchors,
		.domain = &s->domain,
		.serial = FIXTURE_SERIAL,
		.now = FIXTURE_NOW};
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	MUST(w.format->seal(&v, &s->masa, &s->masa.chain, FIXTURE_NOW, &nonced, &e));
	REFUSED(vet_voucher(&w, buf_bytes(&nonced), &e), ERR_PEER);
	assert_non_null(strstr(e.text, "nonce"));
	replace(&v.nonce, NULL);
	MUST(w.format->seal(&v, &s->masa, &s->masa.chain, FIXTURE_NOW, &octets, &e));
	MUST(vet_voucher(&w, buf_bytes(&octets), &e));
}

static void vet_voucher__serial_of_another_device__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	replace(&v.serial_number, "SN-2");
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
	assert_non_null(strstr(e.text, "serial-number"));
}

static void vet_voucher__another_nonce_or_none__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	replace(&v.nonce, "YW5vdGhlciBub25jZSBhbHRvZ2V0aGVy");
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
	replace(&v.nonce, NULL);
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
}

static void vet_voucher__the_nonce_in_the_other_alphabet__is_good(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	replace(&v.nonce, "bm9uY2Ugb2YgdGhlIHBsZWRnZQ"); /* padding left out: T-04 */
	MUST(vet(s, &v, &s->masa, &e));
}

static void vet_voucher__pins_a_stranger_or_nothing__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	pin(&v, s->stranger.cert);
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
	buf_clear(&v.pinned_domain_cert);
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
}

static void vet_voucher__expired__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	v.has_expires_on = true;
	v.expires_on = FIXTURE_NOW + 60;
	MUST(vet(s, &v, &s->masa, &e));
	v.expires_on = FIXTURE_NOW - 60;
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
}

static void vet_voucher__a_request_in_place_of_a_voucher__is_refused(void **state)
{
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	v.kind = VOUCHER_REQUEST;
	buf_clear(&v.pinned_domain_cert);
	REFUSED(vet(s, &v, &s->masa, &e), ERR_PEER);
	assert_non_null(strstr(e.text, "voucher-request"));
}

static void vet_voucher__garbage__is_the_masas_fault_and_says_so(void **state)
{
	const struct site *s = *state;
	const struct vetting w = {.format = &voucher_formats[0],
		.masa_anchors = s->maker_anchors,
		.domain = &s->domain,
		.serial = FIXTURE_SERIAL,
		.nonce = FIXTURE_NONCE,
		.now = FIXTURE_NOW};
	struct err e = ERR_INIT;

	REFUSED(vet_voucher(&w, bytes_of_str("<html>"), &e), ERR_PEER);
	REFUSED(vet_voucher(&w, bytes_of("", 0), &e), ERR_PEER);
	assert_non_null(strstr(err_sentence(&e), "MASA"));
}

static void vet_voucher__in_cose_by_a_signer_under_an_anchor__is_good(void **state)
{
	/* req: O-11, A-01 */
	const struct site *s = *state;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	MUST(vet_cose(s, &v, &s->masa, NULL, true, &e));
}

static void vet_voucher__in_cose_by_a_bare_key_in_a_certificate_of_its_own__is_good(void **state)
{
	/* req: O-11 */
	const struct site *s = *state;
	const struct identity bare = {.key = s->stranger.key, .cert = s->stranger.cert};
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	MUST(vet_cose(s, &v, &bare, NULL, true, &e));
	REFUSED(vet_cose(s, &v, &bare, NULL, false, &e), ERR_PEER);
	REFUSED(vet(s, &v, &bare, &e), ERR_PEER);
}

static void vet_voucher__in_cose_by_a_stranger_or_with_more_than_its_own_in_the_bag__is_refused(
	void **state)
{
	/* req: O-11 */
	const struct site *s = *state;
	const struct recipe masa = {.cn = "MASA"};
	const struct identity bare = {.key = s->stranger.key, .cert = s->stranger.cert};
	struct cert *more[1] = {s->maker.cert};
	const struct cert_list extra = {more, 1};
	IDENTITY_AUTO struct identity below;
	VOUCHER_AUTO struct voucher v;
	struct err e = ERR_INIT;

	good_voucher(s, &v);
	REFUSED(vet_cose(s, &v, &bare, &extra, true, &e), ERR_PEER);
	fixture_leaf(&below, &masa, &s->stranger, true);
	REFUSED(vet_cose(s, &v, &below, NULL, true, &e), ERR_PEER);
	REFUSED(vet_cose(s, &v, &below, &below.chain, true, &e), ERR_PEER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vet_voucher__pinned_anywhere_in_our_chain__is_good),
		cmocka_unit_test(vet_voucher__a_stranger_signed_it__is_refused),
		cmocka_unit_test(vet_voucher__a_device_of_the_manufacturer_signed_it__is_refused),
		cmocka_unit_test(vet_voucher__asked_for_without_a_nonce__has_none),
		cmocka_unit_test(vet_voucher__serial_of_another_device__is_refused),
		cmocka_unit_test(vet_voucher__another_nonce_or_none__is_refused),
		cmocka_unit_test(vet_voucher__the_nonce_in_the_other_alphabet__is_good),
		cmocka_unit_test(vet_voucher__pins_a_stranger_or_nothing__is_refused),
		cmocka_unit_test(vet_voucher__expired__is_refused),
		cmocka_unit_test(vet_voucher__a_request_in_place_of_a_voucher__is_refused),
		cmocka_unit_test(vet_voucher__garbage__is_the_masas_fault_and_says_so),
		cmocka_unit_test(vet_voucher__in_cose_by_a_signer_under_an_anchor__is_good),
		cmocka_unit_test(
			vet_voucher__in_cose_by_a_bare_key_in_a_certificate_of_its_own__is_good),
		cmocka_unit_test(
			vet_voucher__in_cose_by_a_stranger_or_with_more_than_its_own_in_the_bag__is_refused),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
