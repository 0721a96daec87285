/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as a chain of all that happened. */
#include "registrar/records/members.h"
#include "tests/unit/records_device.h"
#include "tests/unit/records_journal.h"

static int64_t seal(struct fixture *f, int64_t sequence, const uint8_t *hash, int64_t at)
{
	const struct records_writer w = writer(f);
	struct head_record h = {.head = {.sequence = sequence, .at = at},
		.signature = bytes_of_str("signature"),
		.certificates = "PEM"};
	struct err e = ERR_INIT;

	memcpy(h.head.hash, hash, SHA256_LEN);
	assert_int_equal(wait(f, records_add_head(&w, &h, &e), &e), ERR_NONE);
	return f->changed[0];
}

static void records_journal__of_all_writers__is_one_chain(void **state)
{
	struct fixture *f = *state;
	struct chain c;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_APPROVED);
	keep_voucher(f, "voucher", "");
	assert_int_equal(judge(f, HISTORY_GOOD), ERR_NONE);
	assert_int_equal(issue(f, 1, NOW), ERR_NONE);
	c = read_chain(f, NULL);
	assert_int_equal(c.first, 1);
	assert_int_equal(c.last, 5);
}

static bool is_decision(void *arg, const struct journal_line *line, struct err *e)
{
	int *found = arg;

	*found += line->entry.actor && strcmp(line->entry.actor, "unix:uid=0") == 0 &&
		  strcmp(line->entry.step, "claim") == 0 &&
		  strcmp(line->entry.outcome, "rejected") == 0 &&
		  strcmp(line->entry.reason, "because") == 0;
	return true;
}

static void records_news__behind_a_line__say_what_it_is_about(void **state)
{
	struct fixture *f = *state;
	static const char *const steps[] = {"voucher", "rule", "admit", "hook", "voucher"};
	struct records_news news;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		const struct journal_entry j = {.at = NOW, .step = steps[i], .outcome = "added"};

		assert_true(records_journal_wait(f->store, &j, &e));
	}
	assert_true(records_news(f->store, 0, &news, &e));
	assert_int_equal(news.last, 5);
	assert_int_equal(news.rule, 2);
	assert_int_equal(news.hook, 4);
	assert_true(records_news(f->store, 2, &news, &e));
	assert_int_equal(news.last, 5);
	assert_int_equal(news.rule, 0);
	assert_int_equal(news.hook, 4);
	assert_true(records_news(f->store, 5, &news, &e));
	assert_int_equal(news.last, 0);
}

static void records_decide_rows__a_decision__is_in_the_journal_of_its_device(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int found = 0;

	hold(f, NOW);
	decide(f, read_device(f).id, CLAIM_REJECTED);
	assert_int_equal(try_to_decide(f, read_device(f).id, 1, CLAIM_REJECTED), ERR_CONFLICT);
	assert_true(records_read_journal(f->store, "SN-1", 100, is_decision, &found, &e));
	assert_int_equal(found, 1);
	assert_int_equal(read_chain(f, NULL).last, 2);
}

static void records_add_head__of_a_line_that_is_not_there__is_not_kept(void **state)
{
	struct fixture *f = *state;
	uint8_t wrong[SHA256_LEN] = {1};
	struct chain c;

	hold(f, NOW);
	c = read_chain(f, NULL);
	assert_int_equal(seal(f, 1, wrong, NOW), 0);
	assert_int_equal(seal(f, 2, c.hash, NOW), 0);
	assert_int_equal(seal(f, 1, c.hash, NOW), 1);
	assert_int_equal(seal(f, 1, c.hash, NOW), 0);
}

static void records_sweep__the_journal__goes_up_to_a_head_and_begins_there(void **state)
{
	struct fixture *f = *state;
	const struct sweep_limits rows = {.journal_rows = 4},
				  age = {.journal_before = NOW + 1, .journal_rows = 1000};
	struct chain first;

	for (int i = 0; i < 3; i++)
		hold(f, NOW);
	first = read_chain(f, NULL);
	sweep(f, &(struct sweep_limits){.journal_before = NOW + 9, .journal_rows = 0});
	assert_int_equal(journal_lines(f), 3); /* nothing is signed yet */
	seal(f, 3, first.hash, NOW);
	for (int i = 0; i < 3; i++)
		hold(f, NOW);
	sweep(f, &rows);
	assert_int_equal(journal_lines(f), 6); /* no head leaves four */
	hold(f, NOW);
	sweep(f, &rows);
	assert_int_equal(journal_lines(f), 4);
	assert_int_equal(read_chain(f, first.hash).first, 4);
	seal(f, 7, read_chain(f, first.hash).hash, NOW);
	sweep(f, &age);
	assert_int_equal(journal_lines(f), 4); /* one has to stay for its number */
	hold(f, NOW);
	sweep(f, &age);
	assert_int_equal(journal_lines(f), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_journal__of_all_writers__is_one_chain),
		T(records_decide_rows__a_decision__is_in_the_journal_of_its_device),
		T(records_add_head__of_a_line_that_is_not_there__is_not_kept),
		T(records_sweep__the_journal__goes_up_to_a_head_and_begins_there),
		T(records_news__behind_a_line__say_what_it_is_about),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
