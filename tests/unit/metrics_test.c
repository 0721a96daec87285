/* SPDX-License-Identifier: Apache-2.0 */
/* Counting and telling, octet by octet; that Prometheus' own reader takes it is for
 * tests/scenario/test_metrics.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/run/metrics.h"

enum { REQUESTS, DEPTH, TOOK, TOOK_BY };

static const char *const kinds[] = {"a", "b", NULL};
static const char *const ends[] = {"ok", "failed", NULL};
static const int64_t bounds[] = {1000, 250000, 2000000, 0};

static const struct metric table[] = {
	[REQUESTS] = {"requests_total", METRIC_COUNTER, "Asked.",
		{{"kind", kinds}, {"result", ends}}, NULL},
	[DEPTH] = {"depth", METRIC_GAUGE, "How deep.", {{NULL, NULL}}, NULL},
	[TOOK] = {"took_seconds", METRIC_HISTOGRAM, "How long.", {{NULL, NULL}}, bounds},
	[TOOK_BY] = {"by_seconds", METRIC_HISTOGRAM, "Whose.", {{"kind", kinds}}, bounds},
};
static const struct metrics_schema schema = {"t_", table, 4};

static int set_up(void **state)
{
	struct err e = ERR_INIT;

	*state = metrics_new(&schema, &e);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	metrics_free(*state);
	return 0;
}

static struct buf text = BUF_INIT(METRICS_TEXT_MAX);

/* All of it; good until the next one. */
static const char *told(const struct metrics *m)
{
	struct err e = ERR_INIT;

	buf_clear(&text);
	assert_true(metrics_format(m, &text, &e));
	return buf_str(&text);
}

static void assert_line(const struct metrics *m, const char *line)
{
	const char *all = told(m), *at = strstr(all, line);

	if (!at || (at != all && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, all);
}

static void metrics_format__nothing_counted__tells_zeros_and_no_gauge(void **state)
{
	assert_string_equal(told(*state),
		"# HELP t_requests_total Asked.\n# TYPE t_requests_total counter\n"
		"t_requests_total{kind=\"a\",result=\"ok\"} 0\n"
		"t_requests_total{kind=\"a\",result=\"failed\"} 0\n"
		"t_requests_total{kind=\"b\",result=\"ok\"} 0\n"
		"t_requests_total{kind=\"b\",result=\"failed\"} 0\n"
		"# HELP t_depth How deep.\n# TYPE t_depth gauge\n"
		"# HELP t_took_seconds How long.\n# TYPE t_took_seconds histogram\n"
		"t_took_seconds_bucket{le=\"0.001\"} 0\n"
		"t_took_seconds_bucket{le=\"0.25\"} 0\n"
		"t_took_seconds_bucket{le=\"2\"} 0\n"
		"t_took_seconds_bucket{le=\"+Inf\"} 0\n"
		"t_took_seconds_sum 0\nt_took_seconds_count 0\n"
		"# HELP t_by_seconds Whose.\n# TYPE t_by_seconds histogram\n"
		"t_by_seconds_bucket{kind=\"a\",le=\"0.001\"} 0\n"
		"t_by_seconds_bucket{kind=\"a\",le=\"0.25\"} 0\n"
		"t_by_seconds_bucket{kind=\"a\",le=\"2\"} 0\n"
		"t_by_seconds_bucket{kind=\"a\",le=\"+Inf\"} 0\n"
		"t_by_seconds_sum{kind=\"a\"} 0\nt_by_seconds_count{kind=\"a\"} 0\n"
		"t_by_seconds_bucket{kind=\"b\",le=\"0.001\"} 0\n"
		"t_by_seconds_bucket{kind=\"b\",le=\"0.25\"} 0\n"
		"t_by_seconds_bucket{kind=\"b\",le=\"2\"} 0\n"
		"t_by_seconds_bucket{kind=\"b\",le=\"+Inf\"} 0\n"
		"t_by_seconds_sum{kind=\"b\"} 0\nt_by_seconds_count{kind=\"b\"} 0\n");
}

static void metrics_count__of_one_series__leaves_the_others(void **state)
{
	metrics_count(*state, REQUESTS, 1, 0);
	metrics_add(*state, REQUESTS, 1, 0, 41);
	metrics_count(*state, REQUESTS, 0, 1);
	assert_line(*state, "t_requests_total{kind=\"b\",result=\"ok\"} 42");
	assert_line(*state, "t_requests_total{kind=\"a\",result=\"failed\"} 1");
	assert_line(*state, "t_requests_total{kind=\"a\",result=\"ok\"} 0");
	assert_line(*state, "t_took_seconds_count 0");
}

static void metrics_set__a_gauge__is_told_until_it_is_not_known(void **state)
{
	metrics_set(*state, DEPTH, 0, 0, -3);
	assert_line(*state, "t_depth -3");
	metrics_unset(*state, DEPTH, 0, 0);
	assert_null(strstr(told(*state), "t_depth -"));
}

static void metrics_observe__at_and_beyond_a_bound__is_in_its_bucket_and_all_above(void **state)
{
	metrics_observe(*state, TOOK, 0, 0, 1000);
	metrics_observe(*state, TOOK, 0, 0, 1001);
	metrics_observe(*state, TOOK, 0, 0, 2000001);
	assert_line(*state, "t_took_seconds_bucket{le=\"0.001\"} 1");
	assert_line(*state, "t_took_seconds_bucket{le=\"0.25\"} 2");
	assert_line(*state, "t_took_seconds_bucket{le=\"2\"} 2");
	assert_line(*state, "t_took_seconds_bucket{le=\"+Inf\"} 3");
	assert_line(*state, "t_took_seconds_sum 2.002002");
	assert_line(*state, "t_took_seconds_count 3");
}

static void metrics_observe__of_one_series__leaves_the_others(void **state)
{
	metrics_observe(*state, TOOK_BY, 1, 0, 10000000);
	assert_line(*state, "t_by_seconds_sum{kind=\"b\"} 10");
	assert_line(*state, "t_by_seconds_count{kind=\"a\"} 0");
	assert_line(*state, "t_took_seconds_count 0");
}

static void metrics_format__no_room__says_so(void **state)
{
	BUF_AUTO struct buf small = BUF_INIT(100);
	struct err e = ERR_INIT;

	assert_false(metrics_format(*state, &small, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

#define THREADS 4
#define EACH	20000

static void *count_much(void *m)
{
	for (int i = 0; i < EACH; i++) {
		metrics_count(m, REQUESTS, 0, 0);
		metrics_observe(m, TOOK, 0, 0, 10);
	}
	return NULL;
}

/* Nothing is lost, and a histogram is one in itself whenever it is read. */
static void metrics_count__from_many_threads__loses_nothing(void **state)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_much, *state), 0);
	for (int i = 0; i < 50; i++) {
		const char *all = told(*state), *inf = strstr(all, "le=\"+Inf\"} ") + 11;

		assert_int_equal(strtoll(inf, NULL, 10),
			strtoll(strstr(all, "t_took_seconds_count ") + 21, NULL, 10));
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_line(*state, "t_requests_total{kind=\"a\",result=\"ok\"} 80000");
	assert_line(*state, "t_took_seconds_sum 0.8");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(metrics_format__nothing_counted__tells_zeros_and_no_gauge),
		T(metrics_count__of_one_series__leaves_the_others),
		T(metrics_set__a_gauge__is_told_until_it_is_not_known),
		T(metrics_observe__at_and_beyond_a_bound__is_in_its_bucket_and_all_above),
		T(metrics_observe__of_one_series__leaves_the_others),
		T(metrics_format__no_room__says_so),
		T(metrics_count__from_many_threads__loses_nothing),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_clear(&text);
	return failed;
}
