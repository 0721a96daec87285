/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a voucher for which device, and what a voucher then says. */
#include "tests/unit/masa_fixture.h"

#include "masa/issue.h"
#include "tests/unit/store_fixture.h"

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
	struct store *store;
	struct owners *owners;
	struct owner_policy policy;
	struct device_list found;
	struct permit permit;
	struct err e;
};

static void add_owner(struct fixture *f, const char *name, const struct identity *anchor)
{
	BUF_AUTO struct buf pem = BUF_INIT(8192);
	struct store_op op;

	OK(cert_format_pem(anchor->cert, &pem, e));
	op = records_owner_put(name, buf_str(&pem), NOW);
	OK(store_write_wait(f->store, &op, 1, NULL, e));
	OK(owners_load(f->owners, f->store, e));
}

static void add_device(
	struct fixture *f, const char *serial, struct bytes issuer, const char *owner)
{
	struct device_row row = {.serial = serial,
		.owner = owner,
		.idevid_issuer = issuer,
		.issuer_key = idevid_issuer_key_id(issuer)};
	struct store_op ops[DEVICE_IMPORT_OPS];

	records_device_import(&row, NOW, ops);
	OK(store_write_wait(f->store, ops, DEVICE_IMPORT_OPS, NULL, e));
}

#define ANY_ISSUER ((struct bytes){NULL, 0})

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[STORE_PLACE_MAX];

	f->w = world_new();
	if (cose)
		use_cose(f->w);
	f->by = (struct authenticator){.devices = anchors_of(&f->w->maker_root)};
	OK(f->by.certs = cert_cache_new(64, e));
	OK(f->by.domains = domain_cache_new(64, e));
	store_place(f->w->dir, "m", path);
	OK(f->store = store_open(path, &masa_schema, e));
	OK(f->owners = owners_new(e));
	authentic_init(&f->a);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	permit_clear(&f->permit);
	device_list_clear(&f->found);
	authentic_clear(&f->a);
	owners_free(f->owners);
	store_close(f->store);
	anchors_free(f->by.devices);
	domain_cache_free(f->by.domains);
	cert_cache_free(f->by.certs);
	world_free(f->w);
	free(f);
	return 0;
}

/* Authenticate (which must succeed) and ask for the permit. */
static bool ask(struct fixture *f, struct ask a)
{
	BUF_AUTO struct buf rvr = BUF_INIT(0);

	make_rvr(f->w, &a, &rvr);
	authentic_clear(&f->a);
	authentic_init(&f->a);
	permit_clear(&f->permit);
	device_list_clear(&f->found);
	f->e = (struct err)ERR_INIT;
	OK(authenticate_registrar(&f->by, f->w->format, buf_bytes(&rvr), NOW, &f->a, e));
	OK(authenticate_pledge(&f->by, f->w->format, NOW, &f->a, e));
	OK(records_devices_find(f->store, f->a.rvr.fields.serial_number, &f->found, e));
	return owner_permit(f->owners, &f->policy, &f->a, &f->found, NOW, &f->permit, &f->e);
}

#define NONCELESS .no_pvr = true, .rvr_nonce = ABSENT

static void refused(struct fixture *f, struct ask a, enum err_kind kind)
{
	assert_false(ask(f, a));
	if (f->e.kind != kind)
		fail_msg("%s: %s", err_kind_name(f->e.kind), f->e.text);
}

static void owner_permit__audit_only__lets_any_registrar_beside_the_device(void **state)
{
	struct fixture *f = *state;

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){0}));
	assert_false(f->permit.owner_verified);
	assert_int_equal(f->permit.path.count, 3);
	assert_true(ask(f, (struct ask){.registrar = &f->w->other_registrar}));
	refused(f, (struct ask){.device = &f->w->device2}, ERR_UNKNOWN_DEVICE);
}

static void owner_permit__known_owner__lets_the_owner_only(void **state)
{
	struct fixture *f = *state;

	f->policy.ownership = OWNERSHIP_KNOWN_OWNER;
	add_owner(f, "site", &f->w->root);
	add_owner(f, "other", &f->w->other_root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	add_device(f, "SN-2", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){0}));
	assert_true(f->permit.owner_verified);
	refused(f, (struct ask){.registrar = &f->w->other_registrar}, ERR_REFUSED);
	assert_string_equal(err_sentence(&f->e), "This device belongs to another owner.");
	refused(f, (struct ask){.device = &f->w->device2}, ERR_REFUSED);
	assert_non_null(strstr(err_sentence(&f->e), "no owner on record"));
}

/* The root itself is not in the request: the configured anchor completes the chain. */
static void owner_permit__anchor_not_sent__is_taken_from_the_owner(void **state)
{
	struct fixture *f = *state;
	struct identity short_chain = f->w->registrar;

	f->policy.ownership = OWNERSHIP_KNOWN_OWNER;
	add_owner(f, "site", &f->w->ca);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	assert_true(ask(f, (struct ask){.registrar = &short_chain, .ee_only = true}));
	assert_int_equal(f->permit.path.count, 2);
	assert_true(cert_same(f->permit.path.items[1], f->w->ca.cert));
}

static void owner_permit__nonceless__is_for_owners_where_policy_lets_it(void **state)
{
	struct fixture *f = *state;

	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	refused(f, (struct ask){NONCELESS}, ERR_REFUSED);
	assert_non_null(strstr(err_sentence(&f->e), "without a nonce"));
	f->policy.nonceless = NONCELESS_OWNERS;
	assert_true(ask(f, (struct ask){NONCELESS}));
	assert_true(f->permit.owner_verified);
	refused(f, (struct ask){NONCELESS, .registrar = &f->w->other_registrar}, ERR_REFUSED);
}

/* A nonced request without the pledge's own is heard from owners only, in every policy. */
static void owner_permit__no_pledge_request__is_for_owners(void **state)
{
	struct fixture *f = *state;

	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	assert_true(ask(f, (struct ask){.no_pvr = true}));
	refused(f, (struct ask){.no_pvr = true, .registrar = &f->w->other_registrar}, ERR_REFUSED);
}

/* Word for word the same answer, whether the device exists or not: nobody enumerates serials. */
static void owner_permit__stranger_without_pledge__cannot_tell_which_devices_exist(void **state)
{
	struct fixture *f = *state;
	struct ask known = {NONCELESS, .registrar = &f->w->other_registrar};
	struct ask unknown = {
		NONCELESS, .registrar = &f->w->other_registrar, .device = &f->w->device2};
	char sentence[200];

	f->policy.nonceless = NONCELESS_OWNERS;
	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	add_device(f, "SN-3", ANY_ISSUER, NULL);
	refused(f, known, ERR_REFUSED);
	snprintf(sentence, sizeof(sentence), "%s", err_sentence(&f->e));
	refused(f, unknown, ERR_REFUSED);
	assert_string_equal(err_sentence(&f->e), sentence);
	unknown.rvr_serial = "SN-3";
	refused(f, unknown, ERR_REFUSED);
	assert_string_equal(err_sentence(&f->e), sentence);
	refused(f, (struct ask){NONCELESS, .device = &f->w->device2}, ERR_UNKNOWN_DEVICE);
}

static void owner_permit__two_devices_of_one_serial__are_told_apart_by_issuer(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf ours = BUF_INIT(100);
	uint8_t foreign[26];

	OK(idevid_issuer(f->w->device.cert, &ours, e));
	memcpy(foreign, ours.data, sizeof(foreign));
	foreign[25] ^= 1;
	add_device(f, "SN-1", bytes_of(foreign, sizeof(foreign)), NULL);
	refused(f, (struct ask){0}, ERR_UNKNOWN_DEVICE);
	add_device(f, "SN-1", buf_bytes(&ours), NULL);
	assert_true(ask(f, (struct ask){0}));
	assert_true(f->permit.namesakes);
	assert_true(bytes_equal(buf_bytes(&f->permit.device->idevid_issuer), buf_bytes(&ours)));
}

static void strange_issuer(struct world *w, struct voucher *v)
{
	buf_clear(&v->idevid_issuer);
	set_octets(&v->idevid_issuer, bytes_of_str("CN=Maker CA"));
}

/* T-08. */
static void owner_find_device__issuer_in_an_unknown_shape__leaves_it_to_the_serial(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf ours = BUF_INIT(100);

	f->policy.nonceless = NONCELESS_OWNERS;
	OK(idevid_issuer(f->w->device.cert, &ours, e));
	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", buf_bytes(&ours), "site");
	assert_true(ask(f, (struct ask){NONCELESS, .change_rvr = strange_issuer}));
	assert_true(ask(f, (struct ask){.change_rvr = strange_issuer}));
}

static void owners_load__bad_anchor__keeps_what_was_there(void **state)
{
	struct fixture *f = *state;
	struct store_op op = records_owner_put("bad", "no certificate", NOW);

	add_owner(f, "site", &f->w->root);
	OK(store_write_wait(f->store, &op, 1, NULL, e));
	assert_false(owners_load(f->owners, f->store, &f->e));
	assert_non_null(strstr(f->e.text, "anchors of owner bad"));
	assert_true(owners_exist(f->owners, "site"));
	assert_false(owners_exist(f->owners, "bad"));
	assert_int_equal(owners_count(f->owners), 1);
}

/* ---- what the voucher says ---- */

struct made {
	struct voucher v;
	const struct cert *pinned;
};

static void decide(struct fixture *f, const struct issue_policy *policy, struct made *m)
{
	voucher_init(&m->v, VOUCHER);
	OK(issue_decide(policy, &f->a, &f->permit, NOW, &m->v, &m->pinned, e));
	assert_true(bytes_equal(buf_bytes(&m->v.pinned_domain_cert), cert_der(m->pinned)));
}

static void issue_decide__nonced__mirrors_the_nonce_and_never_expires(void **state)
{
	struct fixture *f = *state;
	struct made m;

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){.pvr_nonce = "-_XE9zK9q8Ll1qylMtLKeg",
				   .rvr_nonce = "-_XE9zK9q8Ll1qylMtLKeg"}));
	decide(f, &(struct issue_policy){.nonceless_lifetime_s = 1200}, &m);
	assert_true(voucher_nonce_equal(m.v.nonce, "-_XE9zK9q8Ll1qylMtLKeg"));
	if (!cose)
		assert_string_equal(m.v.nonce, "-_XE9zK9q8Ll1qylMtLKeg");
	assert_string_equal(m.v.serial_number, "SN-1");
	assert_int_equal(m.v.assertion, ASSERTION_PROXIMITY);
	assert_int_equal(m.v.created_on, NOW);
	assert_false(m.v.has_expires_on);
	assert_false(m.v.has_last_renewal_date);
	assert_int_equal(m.v.idevid_issuer.len, 0);
	assert_int_equal(m.v.prior_signed_voucher_request.len, 0);
	voucher_clear(&m.v);
}

static void issue_decide__pin__is_what_policy_says(void **state)
{
	struct fixture *f = *state;
	struct {
		enum pin pin;
		bool ee_only;
		const struct cert *want;
	} cases[] = {
		{PIN_LOWEST_CA, false, f->w->ca.cert},
		{PIN_END_ENTITY, false, f->w->registrar.cert},
		{PIN_HIGHEST_CA, false, f->w->root.cert},
		{PIN_LOWEST_CA, true, f->w->registrar.cert},
		{PIN_HIGHEST_CA, true, f->w->registrar.cert},
	};

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct made m;

		assert_true(ask(f, (struct ask){.ee_only = cases[i].ee_only}));
		decide(f, &(struct issue_policy){.pin = cases[i].pin}, &m);
		assert_true(cert_same(m.pinned, cases[i].want));
		voucher_clear(&m.v);
	}
}

static void name_the_key(struct world *w, struct voucher *v)
{
	buf_clear(&v->proximity_registrar_cert);
	set_octets(&v->proximity_registrar_pubk, cert_spki(w->registrar.cert));
}

static void name_the_digest(struct world *w, struct voucher *v)
{
	uint8_t digest[SHA256_LEN];

	buf_clear(&v->proximity_registrar_cert);
	OK(digest_sha256(cert_spki(w->registrar.cert), digest, e));
	set_octets(&v->proximity_registrar_pubk_sha256, bytes_of(digest, sizeof(digest)));
}

/* A key is pinned in the form the pledge used, and only where the registrar's own certificate would
 * be: a CA stays a CA. */
/* req: A-06, A-07, Y-09 */
static void issue_decide__pledge_named_a_key__gets_the_key_instead_of_the_end_entity(void **state)
{
	struct fixture *f = *state;
	const struct {
		void (*change_pvr)(struct world *w, struct voucher *v);
		enum pin pin;
		size_t cert, pubk, sha256; /* octets of each leaf; 1: some */
	} cases[] = {
		{NULL, PIN_END_ENTITY, 1, 0, 0},
		{name_the_key, PIN_END_ENTITY, 0, 91, 0},
		{name_the_digest, PIN_END_ENTITY, 0, 0, SHA256_LEN},
		{name_the_key, PIN_LOWEST_CA, 1, 0, 0},
		{name_the_digest, PIN_LOWEST_CA, 1, 0, 0},
	};

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct signers by = {.nonced = &f->w->signer, .nonceless = &f->w->signer};
		BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
		struct made m;

		assert_true(ask(f, (struct ask){.change_pvr = cases[i].change_pvr}));
		voucher_init(&m.v, VOUCHER);
		OK(issue_decide(&(struct issue_policy){.pin = cases[i].pin}, &f->a, &f->permit, NOW,
			&m.v, &m.pinned, e));
		assert_int_equal(m.v.pinned_domain_cert.len > 0, cases[i].cert);
		assert_int_equal(m.v.pinned_domain_pubk.len, cases[i].pubk);
		assert_int_equal(m.v.pinned_domain_pubk_sha256.len, cases[i].sha256);
		OK(issue_sign(&by, f->w->format, &m.v, NOW, &out, e));
		voucher_clear(&m.v);
	}
}

/* Refused before anything is recorded (RFC 8995 §5.6: 406, the format cannot be served). */
static void issue_signer_fits__key_without_a_cose_algorithm__is_not_acceptable(void **state)
{
	struct fixture *f = *state;
	struct identity rsa = {.cert = f->w->signer.cert};
	struct signers by = {.nonced = &rsa, .nonceless = &f->w->signer};
	VOUCHER_AUTO struct voucher v;

	voucher_init(&v, VOUCHER);
	OK(rsa.key = key_generate(KEY_RSA_3072, e));
	OK(issue_signer_fits(&by, f->w->format, &v, e)); /* no nonce: the other one */
	v.nonce = strdup(NONCE);
	assert_int_equal(issue_signer_fits(&by, f->w->format, &v, &f->e), !cose);
	assert_int_equal(f->e.kind, cose ? ERR_NOT_ACCEPTABLE : ERR_NONE);
	key_free(rsa.key);
}

static void issue_decide__assertion__is_what_was_verified(void **state)
{
	struct fixture *f = *state;
	struct made m;

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){.no_proximity = true}));
	decide(f, &(struct issue_policy){.pin = PIN_LOWEST_CA}, &m);
	assert_int_equal(m.v.assertion, ASSERTION_LOGGED);
	voucher_clear(&m.v);
	f->policy.ownership = OWNERSHIP_KNOWN_OWNER;
	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	assert_true(ask(f, (struct ask){.no_proximity = true}));
	decide(f, &(struct issue_policy){.pin = PIN_LOWEST_CA}, &m);
	assert_int_equal(m.v.assertion, ASSERTION_VERIFIED);
	voucher_clear(&m.v);
}

/* req: R8995-MASA-024, R8995-MASA-039, A-08 */
static void issue_decide__nonceless__expires_with_the_first_of_its_certificates(void **state)
{
	struct fixture *f = *state;
	struct issue_policy policy = {.nonceless_lifetime_s = 1200};
	struct identity brief;
	struct made m;

	f->policy.nonceless = NONCELESS_OWNERS;
	add_owner(f, "site", &f->w->root);
	add_device(f, "SN-1", ANY_ISSUER, "site");
	assert_true(ask(f, (struct ask){NONCELESS}));
	decide(f, &policy, &m);
	assert_null(m.v.nonce);
	assert_true(m.v.has_expires_on);
	assert_int_equal(m.v.expires_on, NOW + 1200);
	assert_true(cert_same(m.pinned, f->w->root.cert));
	assert_false(m.v.has_last_renewal_date);
	voucher_clear(&m.v);
	make(&brief, &f->w->ca,
		(struct issue_request){.profile = PROFILE_REGISTRAR,
			.common_name = "R",
			.san = "DNS:localhost",
			.not_after = NOW + 600});
	policy.renewal_promise_s = 30 * DAY;
	assert_true(ask(f, (struct ask){NONCELESS, .registrar = &brief}));
	decide(f, &policy, &m);
	assert_int_equal(m.v.expires_on, NOW + 600);
	assert_true(m.v.has_last_renewal_date);
	assert_int_equal(m.v.last_renewal_date, NOW + 30 * DAY);
	voucher_clear(&m.v);
	identity_clear(&brief);
}

/* req: Y-14 */
static void issue_decide__namesakes__names_the_issuer(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf ours = BUF_INIT(100);
	uint8_t foreign[26];
	struct made m;

	OK(idevid_issuer(f->w->device.cert, &ours, e));
	memcpy(foreign, ours.data, sizeof(foreign));
	foreign[25] ^= 1;
	add_device(f, "SN-1", bytes_of(foreign, sizeof(foreign)), NULL);
	add_device(f, "SN-1", buf_bytes(&ours), NULL);
	assert_true(ask(f, (struct ask){0}));
	decide(f, &(struct issue_policy){.pin = PIN_LOWEST_CA}, &m);
	assert_true(bytes_equal(buf_bytes(&m.v.idevid_issuer), buf_bytes(&ours)));
	voucher_clear(&m.v);
}

/* req: R8995-MASA-037 */
static void issue_sign__voucher__verifies_under_the_signer_meant_for_it(void **state)
{
	struct fixture *f = *state;
	struct signers by = {.nonced = &f->w->signer, .nonceless = &f->w->registrar};
	SIGNED_VOUCHER_AUTO struct signed_voucher back;
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX), out2 = BUF_INIT(CMS_DER_MAX);
	ANCHORS_AUTO struct anchors *maker = anchors_of(&f->w->maker_root);
	struct made m;

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){0}));
	decide(f, &(struct issue_policy){.pin = PIN_LOWEST_CA}, &m);
	OK(issue_sign(&by, f->w->format, &m.v, NOW, &out, e));
	signed_voucher_init(&back);
	OK(f->w->format->open(buf_bytes(&out), NULL, NULL, &back, e));
	assert_true(cert_same(back.signer, f->w->signer.cert));
	OK(chain_verify(maker, back.signer, &back.certs, NOW, NULL, e));
	assert_string_equal(back.fields.nonce, NONCE);
	free(m.v.nonce);
	m.v.nonce = NULL;
	m.v.has_expires_on = true;
	m.v.expires_on = NOW + 60;
	OK(issue_sign(&by, f->w->format, &m.v, NOW, &out2, e));
	signed_voucher_clear(&back);
	OK(f->w->format->open(buf_bytes(&out2), NULL, NULL, &back, e));
	assert_true(cert_same(back.signer, f->w->registrar.cert));
	voucher_clear(&m.v);
}

/* The key of somebody else under the signer's certificate, as after a botched renewal. */
static void issue_sign__key_not_the_certificates__lets_nothing_out(void **state)
{
	struct fixture *f = *state;
	struct identity mixed = {.key = f->w->registrar.key, .cert = f->w->signer.cert};
	struct signers by = {.nonced = &mixed, .nonceless = &mixed};
	BUF_AUTO struct buf out = BUF_INIT(CMS_DER_MAX);
	struct made m;

	add_device(f, "SN-1", ANY_ISSUER, NULL);
	assert_true(ask(f, (struct ask){0}));
	decide(f, &(struct issue_policy){.pin = PIN_LOWEST_CA}, &m);
	assert_false(issue_sign(&by, f->w->format, &m.v, NOW, &out, &f->e));
	assert_int_equal(f->e.kind, ERR_BUG);
	assert_int_equal(out.len, 0);
	voucher_clear(&m.v);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(owner_permit__audit_only__lets_any_registrar_beside_the_device),
		TEST(owner_permit__known_owner__lets_the_owner_only),
		TEST(owner_permit__anchor_not_sent__is_taken_from_the_owner),
		TEST(owner_permit__nonceless__is_for_owners_where_policy_lets_it),
		TEST(owner_permit__no_pledge_request__is_for_owners),
		TEST(owner_permit__stranger_without_pledge__cannot_tell_which_devices_exist),
		TEST(owner_permit__two_devices_of_one_serial__are_told_apart_by_issuer),
		TEST(owner_find_device__issuer_in_an_unknown_shape__leaves_it_to_the_serial),
		TEST(owners_load__bad_anchor__keeps_what_was_there),
		TEST(issue_decide__nonced__mirrors_the_nonce_and_never_expires),
		TEST(issue_decide__pin__is_what_policy_says),
		TEST(issue_decide__pledge_named_a_key__gets_the_key_instead_of_the_end_entity),
		TEST(issue_signer_fits__key_without_a_cose_algorithm__is_not_acceptable),
		TEST(issue_decide__assertion__is_what_was_verified),
		TEST(issue_decide__nonceless__expires_with_the_first_of_its_certificates),
		TEST(issue_decide__namesakes__names_the_issuer),
		TEST(issue_sign__voucher__verifies_under_the_signer_meant_for_it),
		TEST(issue_sign__key_not_the_certificates__lets_nothing_out),
	};

	const int failed = cmocka_run_group_tests_name("CMS", tests, NULL, NULL);

	return failed + cmocka_run_group_tests_name("COSE", tests, take_cose, NULL);
}
