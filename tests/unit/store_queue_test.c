/* SPDX-License-Identifier: Apache-2.0 */
/* How long transactions gather, by lower bounds, which no busy machine can break; where nobody may
 * be kept waiting, the quickest of many tries counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/run/store_queue.h"

#define BATCH_MAX 100
#define TRIES	  50

static void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	++*(size_t *)arg;
}

/* So many come at once: µs from the last answer until the writer has them. */
static int64_t take(struct store_queue *q, size_t jobs)
{
	static const struct store_op op = {.statement = 0};
	const int64_t answered_us = q->answered.tv_sec * 1000000 + q->answered.tv_nsec / 1000;
	struct err e = ERR_INIT;
	struct store_job *batch;
	size_t done = 0;
	int64_t us;

	for (size_t i = 0; i < jobs; i++)
		assert_true(store_queue_push(q, &op, 1, NULL, on_done, &done, &e));
	batch = store_queue_take(q, BATCH_MAX);
	us = clock_mono_us() - answered_us;
	store_queue_answer(q, batch);
	assert_int_equal(done, jobs);
	return us;
}

static int64_t quickest_of_lone_jobs(struct store_queue *q)
{
	int64_t least_us = INT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		int64_t us = take(q, 1);

		if (us < least_us)
			least_us = us;
	}
	return least_us;
}

static void store_queue_take__jobs_one_by_one__are_not_kept_waiting(void **state)
{
	struct err e = ERR_INIT;
	struct store_queue q;

	assert_true(store_queue_init(&q, &e));
	assert_true(quickest_of_lone_jobs(&q) < 2000);
	store_queue_destroy(&q);
}

static void store_queue_take__after_jobs_in_company__lets_the_next_gather(void **state)
{
	struct err e = ERR_INIT;
	struct store_queue q;

	assert_true(store_queue_init(&q, &e));
	take(&q, 2);
	assert_true(take(&q, 1) >= 5000);
	take(&q, 31);
	assert_true(take(&q, 1) >= 14500);
	assert_true(take(&q, 1) >= 14500); /* a lone one between crowds does not end it */
	take(&q, BATCH_MAX);
	assert_true(take(&q, 1) >= 20000);
	store_queue_destroy(&q);
}

static void store_queue_take__company_long_gone__does_not_wait_any_more(void **state)
{
	struct err e = ERR_INIT;
	struct store_queue q;

	assert_true(store_queue_init(&q, &e));
	take(&q, BATCH_MAX);
	for (int i = 0; i < 39; i++)
		take(&q, 1);
	assert_true(quickest_of_lone_jobs(&q) < 2000);
	store_queue_destroy(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_queue_take__jobs_one_by_one__are_not_kept_waiting),
		cmocka_unit_test(store_queue_take__after_jobs_in_company__lets_the_next_gather),
		cmocka_unit_test(store_queue_take__company_long_gone__does_not_wait_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
