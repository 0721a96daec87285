/* SPDX-License-Identifier: Apache-2.0 */
/* Signs of fraud: marked, counted, acted upon. */
#include "registrar/fraud.h"
#include "registrar/limits.h"
#include "tests/unit/records_device.h"

struct lines {
	size_t count;
	char text[8][64]; /* "step outcome reason", the newest first */
};

static bool take_text(void *arg, const struct journal_line *line, struct err *e)
{
	struct lines *l = arg;
	const struct journal_entry *j = &line->entry;

	if (l->count < 8)
		snprintf(l->text[l->count++], sizeof(l->text[0]), "%s %s %s", j->step, j->outcome,
			j->reason ? j->reason : "-");
	return true;
}

static struct lines read_lines(struct fixture *f)
{
	struct lines l = {0};
	struct err e = ERR_INIT;

	assert_true(records_read_journal(f->store, device.serial, 8, take_text, &l, &e));
	return l;
}

static struct fraud second_key(unsigned quarantine_on)
{
	const struct device_record unmarked = {.found = true};
	struct fraud f = {.quarantine_on = quarantine_on};

	fraud_add(&f, &unmarked, FRAUD_SECOND_KEY, "why");
	return f;
}

static void hold_with(struct fixture *f, const struct fraud *fraud)
{
	const struct records_writer w = writer(f);
	struct request_record r = a_request(NOW);
	const struct journal_entry j = a_line("claim");
	struct err e = ERR_INIT;

	r.fraud = fraud;
	r.waits = true;
	assert_int_equal(wait(f, records_hold(&w, &r, &j, &e), &e), ERR_NONE);
}

static void records_hold__with_a_signal__marks_once_and_says_so_once(void **state)
{
	struct fixture *f = *state;
	const struct fraud fraud = second_key(0);

	hold_with(f, &fraud);
	hold_with(f, &fraud);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
	assert_int_equal(read_device(f).quarantined_at, 0);
	assert_int_equal(read_lines(f).count, 1);
	assert_string_equal(read_lines(f).text[0], "fraud second-key why");
}

static void records_fraud__by_policy__quarantines_and_says_who(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	const struct fraud fraud = second_key(FRAUD_BIT(FRAUD_SECOND_KEY));
	const struct journal_entry j = a_line(NULL);
	struct err e = ERR_INIT;

	hold(f, NOW - 5);
	assert_int_equal(wait(f, records_fraud(&w, &fraud, &j, &e), &e), ERR_NONE);
	assert_int_equal(read_device(f).quarantined_at, NOW);
	assert_int_equal(read_device(f).standing, STANDING_QUARANTINED);
	assert_string_equal(read_lines(f).text[0], "device quarantined second-key");
	assert_string_equal(read_lines(f).text[1], "fraud second-key why");
}

static enum err_kind clear_marks(struct fixture *f, int64_t revision)
{
	const struct records_writer w = writer(f);
	struct journal_entry j = a_line("device");
	struct err e = ERR_INIT;

	return wait(f, records_clear_marks(&w, revision, &j, &e), &e);
}

static void records_clear_marks__of_a_marked_device__begins_anew(void **state)
{
	struct fixture *f = *state;
	const struct fraud fraud = second_key(0);

	hold_with(f, &fraud);
	assert_int_equal(clear_marks(f, read_device(f).revision + 1), ERR_CONFLICT);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
	assert_int_equal(clear_marks(f, read_device(f).revision), ERR_NONE);
	assert_int_equal(read_device(f).marks, 0);
	assert_int_equal(clear_marks(f, 0), ERR_CONFLICT);
	hold_with(f, &fraud);
	assert_int_equal(read_device(f).marks, FRAUD_BIT(FRAUD_SECOND_KEY));
}

static size_t lines_after_failures(struct fixture *f, int times, int64_t at)
{
	const struct records_writer w = writer(f);
	struct journal_entry j = a_line("admit");
	struct err e = ERR_INIT;
	size_t lines = 0;

	j.at = at;
	for (int i = 0; i < times; i++) {
		assert_int_equal(
			wait(f, records_failure(&w, &j, DEVICE_LINES_MAX, &e), &e), ERR_NONE);
		lines += (size_t)f->changed[0];
	}
	return lines;
}

static void records_failure__again_and_again__leaves_so_many_lines_a_day(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct journal_entry other = a_line("admit");
	struct err e = ERR_INIT;

	assert_int_equal(lines_after_failures(f, DEVICE_LINES_MAX + 3, NOW), DEVICE_LINES_MAX);
	other.device.serial = "SN-2";
	assert_int_equal(wait(f, records_failure(&w, &other, DEVICE_LINES_MAX, &e), &e), ERR_NONE);
	assert_int_equal(f->changed[0], 1);
	assert_int_equal(lines_after_failures(f, 1, NOW + 86399), 0);
	assert_int_equal(lines_after_failures(f, 1, NOW + 86400), 1);
}

static void records_keep_voucher__day_by_day__is_counted(void **state)
{
	struct fixture *f = *state;
	const int64_t day = NOW / 86400;

	keep_voucher(f, "voucher", "");
	keep_voucher(f, "voucher", "");
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	assert_int_equal(read_device(f).day, day);
	assert_int_equal(read_device(f).joins, 2);
	assert_int_equal(read_device(f).certificates, 1);
	assert_int_equal(issue(f, 2, NOW + 86400), ERR_NONE);
	assert_int_equal(read_device(f).day, day + 1);
	assert_int_equal(read_device(f).joins, 0);
	assert_int_equal(read_device(f).certificates, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_hold__with_a_signal__marks_once_and_says_so_once),
		T(records_fraud__by_policy__quarantines_and_says_who),
		T(records_clear_marks__of_a_marked_device__begins_anew),
		T(records_failure__again_and_again__leaves_so_many_lines_a_day),
		T(records_keep_voucher__day_by_day__is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
