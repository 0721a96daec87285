/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a certificate, and what a CSR has to say about connection and names. */
#include "common/wire/base64.h"
#include "registrar/enroll_rules.h"
#include "tests/unit/registrar_fixture.h"

static const uint8_t this_cert[SHA256_LEN] = {1}, other_cert[SHA256_LEN] = {2};

/* ---- who ---- */

#define IDEVID	false
#define LDEVID	true
#define FOREVER (FIXTURE_NOW + 1000)
#define OVER	(FIXTURE_NOW - 1)

static const struct {
	enum enroll_kind kind;
	bool is_ldevid;
	int64_t not_after;
	bool found;
	enum device_state state;
	enum claim_state claim;
	bool same_idevid, renew_expired, want;
} rows[] = {
	/* an IDevID, its voucher and what may stand against it */
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_VOUCHED, CLAIM_NONE, true, false, true},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_ENROLLED, CLAIM_APPROVED, true, false, true},
	{ENROLL_KEYGEN, IDEVID, 0, true, DEVICE_VOUCHED, CLAIM_APPROVED, true, false, true},
	{ENROLL_SIMPLE, IDEVID, 0, false, DEVICE_NEW, CLAIM_NONE, false, false, false},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_NEW, CLAIM_APPROVED, true, false, false},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_REFUSED, CLAIM_APPROVED, true, false, false},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_VOUCHED, CLAIM_REJECTED, true, false, false},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_ENROLLED, CLAIM_PENDING, true, false, false},
	{ENROLL_SIMPLE, IDEVID, 0, true, DEVICE_VOUCHED, CLAIM_APPROVED, false, false, false},
	{ENROLL_KEYGEN, IDEVID, 0, true, DEVICE_NEW, CLAIM_NONE, true, false, false},
	/* renewal is for LDevIDs */
	{ENROLL_RENEW, IDEVID, 0, true, DEVICE_ENROLLED, CLAIM_APPROVED, true, true, false},
	{ENROLL_RENEW, LDEVID, FOREVER, true, DEVICE_ENROLLED, CLAIM_APPROVED, false, false, true},
	{ENROLL_RENEW, LDEVID, OVER, true, DEVICE_ENROLLED, CLAIM_APPROVED, false, false, false},
	{ENROLL_RENEW, LDEVID, OVER, true, DEVICE_ENROLLED, CLAIM_APPROVED, false, true, true},
	{ENROLL_RENEW, LDEVID, FOREVER, true, DEVICE_REFUSED, CLAIM_APPROVED, false, true, false},
	{ENROLL_RENEW, LDEVID, FOREVER, true, DEVICE_ENROLLED, CLAIM_REJECTED, false, true, false},
	/* one more certificate with an LDevID, never with an expired one */
	{ENROLL_SIMPLE, LDEVID, FOREVER, true, DEVICE_ENROLLED, CLAIM_APPROVED, false, false, true},
	{ENROLL_SIMPLE, LDEVID, OVER, true, DEVICE_ENROLLED, CLAIM_APPROVED, false, true, false},
	{ENROLL_SIMPLE, LDEVID, FOREVER, true, DEVICE_REFUSED, CLAIM_NONE, false, false, false},
};

/* req: EE-10, EE-11, EE-19, EA-06, R8995-REG-047, R8995-REG-057 */
static void rules_client_allowed__every_row__gives_its_answer(void **state)
{
	char serial[] = FIXTURE_SERIAL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct client client = {.is_ldevid = rows[i].is_ldevid,
			.serial = serial,
			.not_after = rows[i].not_after};
		struct device_record device = {
			.found = rows[i].found, .state = rows[i].state, .claim = rows[i].claim};
		const struct enroll_policy policy = {rows[i].renew_expired, FIXTURE_NOW};
		struct err e = ERR_INIT;

		memcpy(device.idevid_sha256, rows[i].same_idevid ? this_cert : other_cert,
			SHA256_LEN);
		snprintf(device.voucher_type, sizeof(device.voucher_type), "x/y");
		if (rules_client_allowed(rows[i].kind, &client, &device, this_cert, &policy, &e) !=
			rows[i].want)
			fail_msg("row %zu: %s", i, e.text);
		if (!rows[i].want)
			assert_true(e.kind == ERR_REFUSED || e.kind == ERR_UNAUTHENTICATED);
	}
}

/* Shut out, it renews nothing, until it is released. */
static void rules_client_allowed__quarantined__is_refused(void **state)
{
	char serial[] = FIXTURE_SERIAL;
	const struct client client = {
		.is_ldevid = true, .serial = serial, .not_after = FIXTURE_NOW + 1000};
	struct device_record device = {.found = true,
		.state = DEVICE_ENROLLED,
		.claim = CLAIM_APPROVED,
		.quarantined_at = FIXTURE_NOW - 1};
	const struct enroll_policy policy = {false, FIXTURE_NOW};
	struct err e = ERR_INIT;

	assert_false(rules_client_allowed(ENROLL_RENEW, &client, &device, this_cert, &policy, &e));
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_string_equal(err_sentence(&e),
		"This device is quarantined: an administrator has to release it.");
	device.quarantined_at = 0;
	e = (struct err)ERR_INIT;
	assert_true(rules_client_allowed(ENROLL_RENEW, &client, &device, this_cert, &policy, &e));
}

/* Held again for another key and approved: it was enrolled once, and has no voucher. req: EA-06 */
static void rules_client_allowed__voucher_taken_back__is_refused(void **state)
{
	char serial[] = FIXTURE_SERIAL;
	const struct client client = {.serial = serial};
	struct device_record device = {
		.found = true, .state = DEVICE_ENROLLED, .claim = CLAIM_APPROVED};
	const struct enroll_policy policy = {false, FIXTURE_NOW};
	struct err e = ERR_INIT;

	memcpy(device.idevid_sha256, this_cert, SHA256_LEN);
	REFUSED(rules_client_allowed(ENROLL_SIMPLE, &client, &device, this_cert, &policy, &e),
		ERR_REFUSED);
}

/* ---- CSRs ---- */

static struct csr *make_csr(struct bytes subject, struct bytes san, const char *password)
{
	BUF_AUTO struct buf der = BUF_INIT(CSR_DER_MAX);
	struct err e = ERR_INIT;
	KEY_AUTO struct key *key = key_generate(KEY_EC_P256, &e);
	const struct csr_wish wish = {
		.key = key, .subject_der = subject, .san = san, .challenge_password = password};
	struct csr *csr;

	MUST(csr_make(&wish, &der, &e));
	csr = csr_parse(buf_bytes(&der), &e);
	assert_non_null(csr);
	return csr;
}

static void set_binding(struct peer *p, const char *value)
{
	p->channel_binding_len = strlen(value);
	memcpy(p->channel_binding, value, strlen(value));
}

static bool bound(const char *password, const char *binding, bool wanted, struct err *e)
{
	const uint8_t empty_name[] = {0x30, 0};
	const struct csrattrs attrs = {.wants_challenge_password = wanted};
	CSR_AUTO struct csr *csr =
		make_csr(bytes_of(empty_name, sizeof(empty_name)), (struct bytes){0}, password);
	struct peer peer = {.channel_binding_len = 0};

	if (binding)
		set_binding(&peer, binding);
	return rules_channel_binding(csr, &attrs, &peer, e);
}

#define BINDING	    "twelve bytes"
#define BINDING_B64 "dHdlbHZlIGJ5dGVz"

static void rules_channel_binding__of_this_connection__is_good(void **state)
{
	struct err e = ERR_INIT;

	MUST(bound(BINDING_B64, BINDING, false, &e));
	MUST(bound(BINDING_B64, BINDING, true, &e));
}

static void rules_channel_binding__of_another_connection__is_refused_even_when_not_wanted(
	void **state)
{
	struct err e = ERR_INIT;

	REFUSED(bound(BINDING_B64, "another one.", false, &e), ERR_UNAUTHENTICATED);
	REFUSED(bound("dHdlbHZl", BINDING, false, &e), ERR_UNAUTHENTICATED);
	REFUSED(bound("a plain password", BINDING, false, &e), ERR_UNAUTHENTICATED);
	REFUSED(bound(BINDING_B64, NULL, false, &e), ERR_UNAUTHENTICATED);
	REFUSED(bound("", NULL, false, &e), ERR_UNAUTHENTICATED); /* nothing equals nothing */
}

static void rules_channel_binding__missing__matters_only_when_wanted(void **state)
{
	struct err e = ERR_INIT;

	MUST(bound(NULL, BINDING, false, &e));
	REFUSED(bound(NULL, BINDING, true, &e), ERR_INPUT);
}

/* GeneralNames { dNSName } of one letter */
#define SAN(c)                                                                                     \
	{                                                                                          \
		0x30, 0x03, 0x82, 0x01, c                                                          \
	}

static void rules_same_names__other_subject_or_san__is_refused(void **state)
{
	const struct site *s = *state;
	const uint8_t a[] = SAN('a'), b[] = SAN('b');
	const struct recipe recipe = {.cn = "Device", .ext = {{"subjectAltName", "DNS:a"}}};
	IDENTITY_AUTO struct identity ldevid;
	struct bytes subject, san_a = bytes_of(a, sizeof(a)), san_b = bytes_of(b, sizeof(b));
	struct err e = ERR_INIT;

	fixture_leaf(&ldevid, &recipe, &s->issuing, false);
	subject = cert_subject_der(ldevid.cert);
	{
		CSR_AUTO struct csr *same = make_csr(subject, san_a, NULL);
		CSR_AUTO struct csr *other_san = make_csr(subject, san_b, NULL);
		CSR_AUTO struct csr *no_san = make_csr(subject, (struct bytes){0}, NULL);
		CSR_AUTO struct csr *other_name =
			make_csr(cert_subject_der(s->root.cert), san_a, NULL);

		MUST(rules_same_names(same, ldevid.cert, &e));
		REFUSED(rules_same_names(other_san, ldevid.cert, &e), ERR_INPUT);
		REFUSED(rules_same_names(no_san, ldevid.cert, &e), ERR_INPUT);
		REFUSED(rules_same_names(other_name, ldevid.cert, &e), ERR_INPUT);
	}
}

/* The string type of every text in a Name of short attributes changed, and one letter perhaps. */
static void as_printable(struct bytes name, uint8_t *out, char from, char to)
{
	for (size_t i = 0; i < name.len; i++) {
		bool type = i > 4 && name.data[i] == 0x0c && name.data[i - 4] == 0x03 &&
			    name.data[i - 5] == 0x06; /* behind an OID of three octets */

		out[i] = type ? 0x13 : name.data[i] == (uint8_t)from ? (uint8_t)to : name.data[i];
	}
}

/* req: EE-09; strongSwan's pki writes PrintableString where a certificate has UTF8String */
static void rules_same_names__subject_in_another_string_type__is_the_same(void **state)
{
	const struct site *s = *state;
	const struct recipe recipe = {.cn = "Device"};
	IDENTITY_AUTO struct identity ldevid;
	uint8_t printable[256], other_case[256];
	struct bytes subject;
	struct err e = ERR_INIT;

	fixture_leaf(&ldevid, &recipe, &s->issuing, false);
	subject = cert_subject_der(ldevid.cert);
	assert_in_range(subject.len, 1, sizeof(printable));
	as_printable(subject, printable, 'D', 'D');
	as_printable(subject, other_case, 'D', 'd');
	assert_memory_not_equal(printable, subject.data, subject.len);
	{
		struct bytes none = {0};
		CSR_AUTO struct csr *same = make_csr(bytes_of(printable, subject.len), none, NULL);
		CSR_AUTO struct csr *other =
			make_csr(bytes_of(other_case, subject.len), none, NULL);

		MUST(rules_same_names(same, ldevid.cert, &e));
		REFUSED(rules_same_names(other, ldevid.cert, &e), ERR_INPUT);
	}
}

static void rules_same_names__a_san_where_there_was_none__is_refused(void **state)
{
	const struct site *s = *state;
	const uint8_t a[] = SAN('a');
	const struct cert *bare = s->idevid.cert;
	CSR_AUTO struct csr *added = make_csr(cert_subject_der(bare), bytes_of(a, sizeof(a)), NULL);
	CSR_AUTO struct csr *same = make_csr(cert_subject_der(bare), (struct bytes){0}, NULL);
	struct err e = ERR_INIT;

	MUST(rules_same_names(same, bare, &e));
	REFUSED(rules_same_names(added, bare, &e), ERR_INPUT);
}

static void rules_san_wanted__only_when_csrattrs_says_so__is_true(void **state)
{
	static const struct {
		const char *words;
		bool want;
	} cases[] = {{"san", true}, {"ec-p256 san", true}, {"ec-p256", false},
		{"challengePassword", false}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		BUF_AUTO struct buf der = BUF_INIT(CSRATTRS_DER_MAX);
		CSRATTRS_AUTO struct csrattrs attrs = {.extension_count = 0};
		struct err e = ERR_INIT;

		MUST(csrattrs_format(cases[i].words, &der, &e));
		MUST(csrattrs_parse(buf_bytes(&der), &attrs, &e));
		assert_int_equal(rules_san_wanted(&attrs), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_client_allowed__every_row__gives_its_answer),
		cmocka_unit_test(rules_client_allowed__voucher_taken_back__is_refused),
		cmocka_unit_test(rules_client_allowed__quarantined__is_refused),
		cmocka_unit_test(rules_channel_binding__of_this_connection__is_good),
		cmocka_unit_test(
			rules_channel_binding__of_another_connection__is_refused_even_when_not_wanted),
		cmocka_unit_test(rules_channel_binding__missing__matters_only_when_wanted),
		cmocka_unit_test(rules_same_names__other_subject_or_san__is_refused),
		cmocka_unit_test(rules_same_names__subject_in_another_string_type__is_the_same),
		cmocka_unit_test(rules_same_names__a_san_where_there_was_none__is_refused),
		cmocka_unit_test(rules_san_wanted__only_when_csrattrs_says_so__is_true),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
