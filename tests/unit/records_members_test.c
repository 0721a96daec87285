/* SPDX-License-Identifier: Apache-2.0 */
/* Registrars that share one store, and the jobs they run. */
#include "registrar/records/members.h"
#include "tests/unit/records_device.h"
#include "tests/unit/records_journal.h"

static bool note_job(void *arg, const struct job_record *job, struct err *e)
{
	struct job_record *out = arg;

	*out = *job;
	out->kind = out->by = out->exchange = out->what = out->reason = out->failures = NULL;
	return true;
}

static void records_interrupt_jobs__what_ran__is_interrupted_and_what_ended_is_not(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.id = 1,
		.state = JOB_RUNNING,
		.kind = "approve",
		.by = "ann",
		.exchange = "x-1",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	assert_true(records_begin_job(f->store, &job, &e));
	job.state = JOB_FINISHED;
	job.ended = NOW + 1;
	job.done = 2000;
	assert_true(records_end_job(f->store, &job, &e));
	job.id = 2;
	job.state = JOB_RUNNING;
	assert_true(records_begin_job(f->store, &job, &e));
	assert_true(records_interrupt_jobs(f->store, NOW + 5, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_FINISHED);
	assert_int_equal(shown.done, 2000);
	assert_true(records_show_job(f->store, 2, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	assert_int_equal(shown.ended, NOW + 5);
	assert_true(records_list_jobs(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.id, 2);
	assert_int_equal(read_chain(f, NULL).last, 4); /* begun, finished, begun, interrupted */
	assert_true(records_interrupt_jobs(f->store, NOW + 9, &e));
	assert_int_equal(read_chain(f, NULL).last, 4);
}

static const struct member_row member_one = {.id = "m1", .host = "a", .started_at = NOW};

static const struct member_row member_two = {.id = "m2", .host = "b", .started_at = NOW + 1};

static bool note_member(void *arg, const struct member_row *m, struct err *e)
{
	char *text = arg;

	snprintf(text + strlen(text), 64, "%s@%s:%lld ", m->id, m->host, (long long)m->beat);
	return true;
}

static void expect_members(struct fixture *f, const char *expected)
{
	char text[256] = "";
	struct err e = ERR_INIT;

	assert_true(records_list_members(f->store, note_member, text, &e));
	assert_string_equal(text, expected);
}

static enum err_kind beat(struct fixture *f, const char *id)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f, records_beat(&w, id, &e), &e);
}

static enum err_kind reserve(struct fixture *f, const char *id, int64_t now)
{
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	return wait(f, records_reserve(&w, idevid, id, now, now + 20, &e), &e);
}

static void records_members__come_beat_and_go__are_listed(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_join_wait(f->store, &member_two, &e));
	assert_int_equal(beat(f, "m2"), ERR_NONE);
	assert_int_equal(beat(f, "m3"), ERR_CONFLICT);
	expect_members(f, "m1@a:0 m2@b:1 ");
	assert_true(records_leave_wait(f->store, "m1", NOW, &e));
	expect_members(f, "m2@b:1 ");
	assert_int_equal(beat(f, "m1"), ERR_CONFLICT);
}

/* Jobs and devices in hand of who is gone are free; nobody else's. */
static void records_bury_member__what_it_had_in_hand__is_free(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.state = JOB_RUNNING,
		.kind = "approve",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW};
	struct job_record shown = {0};
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_join_wait(f->store, &member_two, &e));
	for (job.id = 1; job.id <= 2; job.id++) {
		job.member = job.id == 1 ? "m1" : "m2";
		assert_true(records_begin_job(f->store, &job, &e));
	}
	job.id = 2;
	assert_false(records_begin_job(f->store, &job, &e));
	assert_int_equal(e.kind, ERR_CONFLICT);
	e = (struct err)ERR_INIT;
	assert_int_equal(reserve(f, "m1", NOW), ERR_NONE);
	assert_true(records_interrupt_jobs(f->store, NOW + 1, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_int_equal(wait(f, records_bury_member(&w, "m1", NOW + 5, &e), &e), ERR_NONE);
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	assert_true(records_show_job(f->store, 2, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_int_equal(reserve(f, "m2", NOW + 5), ERR_NONE);
}

static void records_interrupt_all_jobs__of_a_member_of_before__are_interrupted(void **state)
{
	struct fixture *f = *state;
	const struct job_record job = {.id = 1,
		.state = JOB_RUNNING,
		.kind = "approve",
		.what = "state=pending",
		.total = 2000,
		.begun = NOW,
		.member = "m1"};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	assert_true(records_join_wait(f->store, &member_one, &e));
	assert_true(records_begin_job(f->store, &job, &e));
	assert_true(records_interrupt_jobs(f->store, NOW, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_RUNNING);
	assert_true(records_interrupt_all_jobs(f->store, NOW, &e));
	assert_true(records_show_job(f->store, 1, note_job, &shown, &e));
	assert_int_equal(shown.state, JOB_INTERRUPTED);
	expect_members(f, "");
}

static void records_reserve__in_anothers_hands__is_a_conflict_until_it_is_free(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = writer(f);
	struct err e = ERR_INIT;

	assert_int_equal(reserve(f, "m1", NOW), ERR_NONE);
	assert_int_equal(reserve(f, "m2", NOW + 19), ERR_CONFLICT);
	assert_int_equal(reserve(f, "m2", NOW + 20), ERR_NONE);
	/* what was taken over is not the first one's to give back */
	assert_int_equal(wait(f, records_unreserve(&w, idevid, "m1", &e), &e), ERR_NONE);
	assert_int_equal(reserve(f, "m1", NOW + 21), ERR_CONFLICT);
	assert_int_equal(wait(f, records_unreserve(&w, idevid, "m2", &e), &e), ERR_NONE);
	assert_int_equal(reserve(f, "m1", NOW + 21), ERR_NONE);
}

static void records_decide_rows__of_a_job__counts_its_progress(void **state)
{
	struct fixture *f = *state;
	struct job_record job = {.id = 7,
		.state = JOB_RUNNING,
		.kind = "approve",
		.what = "all",
		.total = 2,
		.begun = NOW};
	struct verdict_record v = {.rows = bytes_of_str("[[1,1,\"approved\",2,null]]"),
		.count = 1,
		.at = NOW,
		.job = 7,
		.done = 1,
		.failed = 1};
	struct job_record shown = {0};
	struct err e = ERR_INIT;

	hold(f, NOW);
	assert_true(records_begin_job(f->store, &job, &e));
	assert_int_equal(read_device(f).revision, 2);
	assert_false(records_decide_rows(f->store, &v, &e)); /* not as it was read */
	assert_true(records_show_job(f->store, 7, note_job, &shown, &e));
	assert_int_equal(shown.done, 0);
	v.rows = bytes_of_str("[[1,2,\"approved\",2,null]]");
	assert_true(records_decide_rows(f->store, &v, &e));
	assert_true(records_show_job(f->store, 7, note_job, &shown, &e));
	assert_int_equal(shown.done, 1);
	assert_int_equal(shown.failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(records_interrupt_jobs__what_ran__is_interrupted_and_what_ended_is_not),
		T(records_decide_rows__of_a_job__counts_its_progress),
		T(records_members__come_beat_and_go__are_listed),
		T(records_bury_member__what_it_had_in_hand__is_free),
		T(records_interrupt_all_jobs__of_a_member_of_before__are_interrupted),
		T(records_reserve__in_anothers_hands__is_a_conflict_until_it_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
