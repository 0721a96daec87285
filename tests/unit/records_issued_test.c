/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: issued, revoked, told of before they end. */
#include "tests/unit/records_device.h"

static void records_issue__a_certificate__is_found_by_digest_and_by_request(void **state)
{
	struct fixture *f = *state;
	const uint8_t sha256[SHA256_LEN] = {1}, other[SHA256_LEN] = {9};
	struct certificate_record c;
	BUF_AUTO struct buf der = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_ENROLLED);
	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_true(c.found);
	assert_string_equal(c.serial, "SN-1");
	assert_int_equal(c.not_after, NOW + 1000);
	certificate_record_clear(&c);
	assert_true(records_certificate(f->store, other, &c, &e));
	assert_false(c.found);
	assert_true(records_certificate_for(f->store, csr, client, NOW - 3600, &der, &e));
	assert_int_equal(der.len, 1);
	assert_false(records_certificate_for(f->store, csr, other, NOW - 3600, &der, &e));
	assert_false(records_certificate_for(f->store, csr, client, NOW + 1, &der, &e));
}

static void records_issue__the_same_request_within_the_hour__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW + 3600), ERR_CONFLICT);
	assert_int_equal(issue(f, 3, NOW + 3601), ERR_NONE);
}

/* Rejected while a voucher was fetched or a certificate made: neither is recorded, so neither
 * leaves. req: R8995-REG-012 */
static void records_issue__for_a_device_rejected_meanwhile__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	const uint8_t sha256[SHA256_LEN] = {1};
	struct certificate_record c;
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(issue(f, 1, NOW), ERR_CONFLICT);
	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_false(c.found);
}

static void records_issue__for_a_device_nobody_knows__is_a_conflict(void **state)
{
	assert_int_equal(issue(*state, 1, NOW), ERR_CONFLICT);
}

struct ends {
	int expiring, expired;
};

static bool count_end(void *arg, const struct journal_line *line, struct err *e)
{
	struct ends *n = arg;

	n->expiring += strcmp(line->entry.outcome, "expiring") == 0;
	n->expired += strcmp(line->entry.outcome, "expired") == 0;
	return true;
}

/* Lines about ends after a sweep. */
static void assert_ends(struct fixture *f, int64_t now, int64_t until, int expiring, int expired)
{
	const struct sweep_limits limits = {.now = now, .expiring = until, .journal_rows = 1000};
	struct ends n = {0, 0};
	struct err e = ERR_INIT;

	sweep(f, &limits);
	assert_true(records_read_journal(f->store, "SN-1", 100, count_end, &n, &e));
	assert_int_equal(n.expiring, expiring);
	assert_int_equal(n.expired, expired);
}

static void records_sweep__an_end_that_comes__is_told_once_for_each_certificate(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	issue(f, 1, NOW);
	assert_ends(f, NOW, NOW + 999, 0, 0);
	assert_ends(f, NOW, NOW + 1000, 1, 0);
	assert_ends(f, NOW, NOW + 1000, 1, 0);
	assert_ends(f, NOW + 999, NOW + 1999, 1, 0);
	assert_ends(f, NOW + 1000, NOW + 2000, 1, 1);
	assert_ends(f, NOW + 1000, NOW + 2000, 1, 1);
	issue(f, 2, NOW + 5000);
	assert_ends(f, NOW + 5000, NOW + 6000, 2, 1);
	assert_ends(f, NOW + 6000, NOW + 7000, 2, 2);
}

static int64_t revoked_at(struct fixture *f, uint8_t number)
{
	const uint8_t sha256[SHA256_LEN] = {number};
	struct certificate_record c;
	struct err e = ERR_INIT;
	int64_t at;

	assert_true(records_certificate(f->store, sha256, &c, &e));
	assert_true(c.found);
	at = c.revoked_at;
	certificate_record_clear(&c);
	return at;
}

static void records_retire__a_device_with_certificates__takes_all_of_them(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf out = BUF_INIT(100);
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW - 5000), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_REVOKED);
	assert_int_equal(revoked_at(f, 1), NOW);
	assert_int_equal(revoked_at(f, 2), NOW);
	assert_false(records_voucher(f->store, device, &out, &e));
	assert_false(records_certificate_for(f->store, csr, client, NOW - 3600, &out, &e));
	assert_int_equal(e.kind, ERR_NOT_FOUND);
	assert_int_equal(issue(f, 3, NOW), ERR_CONFLICT);
	assert_int_equal(revoke_device(f), ERR_CONFLICT);
}

static void records_retire__a_device_without_a_voucher__is_a_conflict(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(revoke_device(f), ERR_CONFLICT);
	hold(f, NOW);
	assert_int_equal(revoke_device(f), ERR_CONFLICT);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
}

static void records_keep_voucher__of_a_revoked_device__wants_a_new_approval(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_CONFLICT);
	hold(f, NOW);
	assert_int_equal(read_device(f).claim, CLAIM_PENDING);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_CONFLICT);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	assert_int_equal(try_to_keep_voucher(f, "voucher", ""), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_VOUCHED);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_int_equal(revoked_at(f, 1), NOW);
	assert_int_equal(revoked_at(f, 2), 0);
}

/* A history that speaks against a device must not make it one that comes back by a better one. */
static void records_judge_history__refused_of_a_revoked_device__stays_revoked(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(judge(f, HISTORY_REFUSED), ERR_NONE);
	assert_int_equal(read_device(f).state, DEVICE_REVOKED);
	assert_int_equal(read_device(f).history, HISTORY_REFUSED);
}

static void records_retire__a_rejected_device__stays_rejected(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(read_device(f).claim, CLAIM_REJECTED);
}

static bool count_revoked(void *arg, const struct revoked_row *row, struct err *e)
{
	int *count = arg;

	assert_string_equal(row->serial_hex, "0a");
	assert_int_equal(row->revoked_at, NOW);
	assert_int_equal(row->der.len, 1);
	++*count;
	return true;
}

static void records_list_revoked__what_ended_long_ago__is_left_out(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int count = 0;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW - 5000), ERR_NONE);
	assert_int_equal(issue(f, 2, NOW), ERR_NONE);
	assert_true(records_list_revoked(f->store, 0, count_revoked, &count, &e));
	assert_int_equal(count, 0);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_true(records_list_revoked(f->store, NOW, count_revoked, &count, &e));
	assert_int_equal(count, 1);
	assert_true(records_list_revoked(f->store, NOW - 4000, count_revoked, &count, &e));
	assert_int_equal(count, 3);
}

static enum err_kind keep_crl(struct fixture *f, int64_t before, int64_t number, const char *der)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f,
		records_keep_crl(&w, bytes_of_str("ski"), before, number, bytes_of_str(der), &e),
		&e);
}

static struct issued_standing told_of(struct fixture *f, const char *number, uint8_t issuer)
{
	struct issued_standing out;
	struct err e = ERR_INIT;

	if (!records_issued_standing(f->store, number, bytes_of(&issuer, 1), &out, &e))
		fail_msg("%s", e.text);
	return out;
}

/* Two CAs may have given the same number; here the octet that is the certificate names its CA. */
static void records_issued_standing__by_number_and_ca__is_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	keep_voucher(f, "voucher", "");
	assert_false(told_of(f, "0a", 1).found);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_true(told_of(f, "0a", 1).found);
	assert_int_equal(told_of(f, "0a", 1).revoked_at, 0);
	assert_false(told_of(f, "0b", 1).found);
	assert_false(told_of(f, "0a", 2).found);
	assert_int_equal(revoke_device(f), ERR_NONE);
	assert_int_equal(told_of(f, "0a", 1).revoked_at, NOW);
	assert_false(told_of(f, "0a", 2).found);
	assert_false(told_of(f, "0b", 1).found);
}

/* Such a CA has issued nothing: what others issued is not its own. */
static void records_issued_standing__of_a_ca_without_a_key_identifier__is_not_found(void **state)
{
	struct fixture *f = *state;
	struct issued_standing out;
	struct err e = ERR_INIT;

	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_true(records_issued_standing(f->store, "0a", bytes_of(NULL, 0), &out, &e));
	assert_false(out.found);
}

static void records_keep_crl__a_number_that_was_used__is_a_conflict(void **state)
{
	struct fixture *f = *state;
	BUF_AUTO struct buf der = BUF_INIT(100);
	struct err e = ERR_INIT;
	int64_t number;

	assert_true(records_crl(f->store, bytes_of_str("ski"), &number, &der, &e));
	assert_int_equal(number, 0);
	assert_int_equal(keep_crl(f, 0, 1, "one"), ERR_NONE);
	assert_int_equal(keep_crl(f, 1, 1, "another"), ERR_CONFLICT);
	assert_int_equal(keep_crl(f, 1, 2, "two"), ERR_NONE);
	/* made of what was there before the second: it may lack what that has */
	assert_int_equal(keep_crl(f, 1, 3, "three"), ERR_CONFLICT);
	assert_int_equal(keep_crl(f, 0, 3, "three"), ERR_CONFLICT);
	assert_true(records_crl_number(f->store, bytes_of_str("ski"), &number, &e));
	assert_int_equal(number, 2);
	assert_true(records_crl(f->store, bytes_of_str("ski"), &number, &der, &e));
	assert_int_equal(number, 2);
	assert_string_equal(buf_str(&der), "two");
	assert_true(records_crl(f->store, bytes_of_str("other"), &number, &der, &e));
	assert_int_equal(number, 0);
}

static void records_issue__more_than_are_kept__drops_the_oldest_that_have_ended(void **state)
{
	struct fixture *f = *state;
	const uint8_t first[SHA256_LEN] = {1}, second[SHA256_LEN] = {2}, third[SHA256_LEN] = {3};
	struct certificate_record c;
	struct err e = ERR_INIT;
	const uint8_t *const gone_or_kept[] = {first, second, third};

	keep_voucher(f, "voucher", "");
	f->keep = 1;
	for (uint8_t i = 0; i < 3; i++) /* each ends before the next; one is kept at least */
		assert_int_equal(issue(f, i + 1, NOW + i * 5000), ERR_NONE);
	for (size_t i = 0; i < 3; i++) {
		assert_true(records_certificate(f->store, gone_or_kept[i], &c, &e));
		assert_int_equal(c.found, i == 2);
		certificate_record_clear(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_issue__more_than_are_kept__drops_the_oldest_that_have_ended),
		T(records_issue__a_certificate__is_found_by_digest_and_by_request),
		T(records_issue__the_same_request_within_the_hour__is_a_conflict),
		T(records_issue__for_a_device_rejected_meanwhile__is_a_conflict),
		T(records_issue__for_a_device_nobody_knows__is_a_conflict),
		T(records_retire__a_device_with_certificates__takes_all_of_them),
		T(records_retire__a_device_without_a_voucher__is_a_conflict),
		T(records_keep_voucher__of_a_revoked_device__wants_a_new_approval),
		T(records_judge_history__refused_of_a_revoked_device__stays_revoked),
		T(records_retire__a_rejected_device__stays_rejected),
		T(records_list_revoked__what_ended_long_ago__is_left_out),
		T(records_issued_standing__by_number_and_ca__is_what_became_of_it),
		T(records_issued_standing__of_a_ca_without_a_key_identifier__is_not_found),
		T(records_keep_crl__a_number_that_was_used__is_a_conflict),
		T(records_sweep__an_end_that_comes__is_told_once_for_each_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
