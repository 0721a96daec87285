/* SPDX-License-Identifier: Apache-2.0 */
/* What a device's past says, by policy; and by which names we know ourselves in it. */
#include "common/wire/base64.h"
#include "common/wire/der.h"
#include "registrar/history.h"
#include "tests/unit/registrar_fixture.h"

static const struct history_policy strict = {AUDIT_REFUSE, AUDIT_REFUSE};
static const struct history_policy lax = {AUDIT_WARN, AUDIT_WARN};

static char *text_of(struct bytes id)
{
	BUF_AUTO struct buf out = BUF_INIT(256);
	struct err e = ERR_INIT;
	char *text;

	MUST(base64_encode(id, &out, &e));
	text = str_dup(buf_str(&out), &e);
	assert_non_null(text);
	return text;
}

static char *domain_of(const struct cert *c)
{
	BUF_AUTO struct buf id = BUF_INIT(64);
	struct err e = ERR_INIT;

	MUST(cert_domain_id(c, &id, &e));
	return text_of(buf_bytes(&id));
}

static void add(struct audit_log *log, const char *domain_id, const char *nonce)
{
	struct err e = ERR_INIT;
	FREE_AUTO char *id = str_dup(domain_id, &e);
	FREE_AUTO char *copy = nonce ? str_dup(nonce, &e) : NULL;
	const struct audit_event event = {.date = FIXTURE_NOW,
		.domain_id = id,
		.nonce = copy,
		.assertion = ASSERTION_PROXIMITY};

	MUST(audit_log_add(log, &event, &e));
}

static enum history_state judge(
	const struct site *s, const struct audit_log *log, const struct history_policy *policy)
{
	struct history_verdict v;
	struct err e = ERR_INIT;

	MUST(history_judge(log, &s->domain, policy, &v, &e));
	assert_true(v.reason[0] != '\0');
	return v.state;
}

static void history_judge__our_own_vouchers_only__is_good(void **state)
{
	const struct site *s = *state;
	const struct cert *pins[] = {s->registrar.cert, s->issuing.cert, s->root.cert};
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};

	for (size_t i = 0; i < 3; i++) {
		FREE_AUTO char *id = domain_of(pins[i]);

		add(&log, id, FIXTURE_NONCE);
	}
	assert_int_equal(judge(s, &log, &strict), HISTORY_GOOD);
}

static void history_judge__an_empty_log__is_good(void **state)
{
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};

	assert_int_equal(judge(*state, &log, &strict), HISTORY_GOOD);
}

static void history_judge__another_domain__is_refused_or_warned_of(void **state)
{
	const struct site *s = *state;
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};
	FREE_AUTO char *own = domain_of(s->issuing.cert), *foreign = domain_of(s->stranger.cert);

	add(&log, own, FIXTURE_NONCE);
	add(&log, foreign, FIXTURE_NONCE);
	add(&log, own, FIXTURE_NONCE);
	assert_int_equal(judge(s, &log, &strict), HISTORY_REFUSED);
	assert_int_equal(judge(s, &log, &lax), HISTORY_WARNED);
}

static void history_judge__a_nonceless_voucher__is_refused_whoever_asked(void **state)
{
	const struct site *s = *state;
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};
	FREE_AUTO char *own = domain_of(s->issuing.cert);
	const struct history_policy foreign_is_fine = {AUDIT_WARN, AUDIT_REFUSE};

	add(&log, own, NULL);
	assert_int_equal(judge(s, &log, &strict), HISTORY_REFUSED);
	assert_int_equal(judge(s, &log, &foreign_is_fine), HISTORY_REFUSED);
	assert_int_equal(judge(s, &log, &lax), HISTORY_WARNED);
}

static void history_judge__our_own_nonceless_voucher__is_good_where_those_are_fetched(void **state)
{
	const struct site *s = *state;
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};
	FREE_AUTO char *own = domain_of(s->issuing.cert);
	const struct history_policy ahead = {AUDIT_WARN, AUDIT_REFUSE, true};

	add(&log, own, NULL);
	assert_int_equal(judge(s, &log, &ahead), HISTORY_GOOD);
	add(&log, "not base64 at all!", NULL); /* a stranger's */
	assert_int_equal(judge(s, &log, &ahead), HISTORY_REFUSED);
}

static void history_judge__events_dropped_by_the_masa__is_warned_of(void **state)
{
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1, .arbitrary = 3};

	assert_int_equal(judge(*state, &log, &strict), HISTORY_WARNED);
}

static void history_judge__a_domain_id_that_is_no_base64__is_a_stranger(void **state)
{
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};

	add(&log, "not base64 at all!", FIXTURE_NONCE);
	assert_int_equal(judge(*state, &log, &strict), HISTORY_REFUSED);
}

static bool is_own(const struct site *s, const char *domain_id)
{
	struct err e = ERR_INIT;
	bool own;

	MUST(domain_is_own(&s->domain, domain_id, &own, &e));
	return own;
}

static void domain_is_own__every_known_form_of_our_name__is_recognised(void **state)
{
	const struct site *s = *state;
	struct der d = der_of(cert_spki(s->issuing.cert));
	struct der_tlv spki, algorithm, bits;
	uint8_t sha256[SHA256_LEN], sha1[SHA1_LEN];
	struct err e = ERR_INIT;
	FREE_AUTO char *ski = text_of(cert_ski(s->issuing.cert));
	FREE_AUTO char *fingerprint = NULL, *old = NULL;

	MUST(der_expect(&d, DER_SEQUENCE, &spki, "spki", &e));
	MUST(der_next(&spki.content, &algorithm, &e));
	MUST(der_next(&spki.content, &bits, &e));
	MUST(digest_sha256(cert_spki(s->issuing.cert), sha256, &e));
	MUST(digest_sha1(bytes_of(bits.content.p + 1, bits.content.len - 1), sha1, &e));
	fingerprint = text_of(bytes_of(sha256, sizeof(sha256)));
	old = text_of(bytes_of(sha1, sizeof(sha1)));
	assert_true(is_own(s, ski));
	assert_true(is_own(s, fingerprint));
	assert_true(is_own(s, old));
}

static void domain_is_own__a_stranger_or_a_prefix_of_us__is_not(void **state)
{
	const struct site *s = *state;
	struct bytes ski = cert_ski(s->issuing.cert);
	FREE_AUTO char *stranger = text_of(cert_ski(s->stranger.cert));
	FREE_AUTO char *prefix = text_of(bytes_of(ski.data, ski.len - 3));

	assert_false(is_own(s, stranger));
	assert_false(is_own(s, prefix));
	assert_false(is_own(s, ""));
}

/* A voucher of ours and one of another domain, so much later: is it told as news? */
static bool is_foreign_since(const struct site *s, int64_t later_s)
{
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};
	FREE_AUTO char *own = domain_of(s->issuing.cert), *foreign = domain_of(s->stranger.cert);
	struct history_verdict v;
	struct err e = ERR_INIT;

	add(&log, foreign, FIXTURE_NONCE);
	add(&log, own, FIXTURE_NONCE);
	log.events[0].date += later_s;
	MUST(history_judge(&log, &s->domain, &lax, &v, &e));
	return v.foreign_since;
}

static void history_judge__another_domain_after_us__is_foreign_since(void **state)
{
	AUDIT_LOG_AUTO struct audit_log log = {.version = 1};
	const struct site *s = *state;
	FREE_AUTO char *foreign = domain_of(s->stranger.cert);
	struct history_verdict v;
	struct err e = ERR_INIT;

	assert_true(is_foreign_since(s, 1));
	assert_false(is_foreign_since(s, 0));
	assert_false(is_foreign_since(s, -1));
	add(&log, foreign, FIXTURE_NONCE); /* we never had one */
	MUST(history_judge(&log, &s->domain, &lax, &v, &e));
	assert_false(v.foreign_since);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_judge__another_domain_after_us__is_foreign_since),
		cmocka_unit_test(history_judge__our_own_vouchers_only__is_good),
		cmocka_unit_test(history_judge__an_empty_log__is_good),
		cmocka_unit_test(history_judge__another_domain__is_refused_or_warned_of),
		cmocka_unit_test(history_judge__a_nonceless_voucher__is_refused_whoever_asked),
		cmocka_unit_test(
			history_judge__our_own_nonceless_voucher__is_good_where_those_are_fetched),
		cmocka_unit_test(history_judge__events_dropped_by_the_masa__is_warned_of),
		cmocka_unit_test(history_judge__a_domain_id_that_is_no_base64__is_a_stranger),
		cmocka_unit_test(domain_is_own__every_known_form_of_our_name__is_recognised),
		cmocka_unit_test(domain_is_own__a_stranger_or_a_prefix_of_us__is_not),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
