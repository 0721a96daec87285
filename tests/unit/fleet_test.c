/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand pledges that get their power at the same instant, in front of one registrar that can
 * serve so many a second and sends the rest away. No network and no clock: the pauses are those of
 * the pledge's retry.c, all else is a model, and a seed gives the same run each time.
 *
 * What must be true: everybody gets in soon after the registrar could have served them all, and
 * after the first rush, that nobody can avoid, the load is spread: no second sees much more than
 * the mean, and those who were sent away together with the same Retry-After do not come back
 * together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pledge/retry.h"

#define FLEET	    1000
#define SECONDS_MAX 20000
#define SEEDS	    8
#define MIN_S	    2 /* as brski-pledge.conf(5) has them */
#define MAX_S	    3600
#define ASKED_MAX_S 60

static uint64_t seed; /* retry.h's draw has no argument */

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

struct registrar {
	int64_t up_from_ms;    /* refused before */
	int64_t decides_ms;    /* 202 before */
	int64_t service_ms;    /* one onboarding */
	int64_t queue;	       /* so many wait; the rest is sent away */
	int64_t retry_after_s; /* of the 503 and the 202; 0: none */
	int64_t free_from_ms;  /* state */
};

struct fleet {
	int64_t next_ms[FLEET]; /* when it asks; INT64_MAX: it is in */
	unsigned failures[FLEET];
	uint32_t asked[SECONDS_MAX]; /* requests of each second */
	int64_t last_in_ms;
	uint32_t requests;
};

static enum setback ask(struct registrar *r, int64_t now_ms)
{
	if (now_ms < r->up_from_ms)
		return SETBACK_UNREACHABLE;
	if (now_ms < r->decides_ms)
		return SETBACK_NOT_YET;
	if (r->free_from_ms < now_ms)
		r->free_from_ms = now_ms;
	if (r->free_from_ms - now_ms >= r->queue * r->service_ms)
		return SETBACK_BUSY;
	r->free_from_ms += r->service_ms;
	return SETBACK_NONE;
}

/* As rounds.c and exchange.c do it. */
static int64_t pause_ms(struct fleet *f, int i, const struct registrar *r, enum setback s)
{
	const struct retry_rule *rule = retry_rule(s);
	int64_t max_s = retry_asked_max_s(rule, ASKED_MAX_S), asked_s = r->retry_after_s;

	if (asked_s > max_s)
		asked_s = max_s;
	if (rule->next == RETRY_SAME)
		return retry_wait_ms(asked_s, draw);
	return retry_pause_ms(rule, ++f->failures[i], asked_s, MIN_S, MAX_S, draw);
}

static int next_of(const struct fleet *f)
{
	int first = 0;

	for (int i = 1; i < FLEET; i++)
		if (f->next_ms[i] < f->next_ms[first])
			first = i;
	return first;
}

static void run(struct fleet *f, struct registrar *r, uint64_t with_seed)
{
	memset(f, 0, sizeof(*f));
	seed = with_seed * UINT64_C(0x9e3779b97f4a7c15);
	for (;;) {
		int i = next_of(f);
		int64_t now_ms = f->next_ms[i];
		enum setback s;

		if (now_ms == INT64_MAX)
			return;
		assert_true(now_ms / 1000 < SECONDS_MAX);
		f->asked[now_ms / 1000]++;
		f->requests++;
		s = ask(r, now_ms);
		f->next_ms[i] = s ? now_ms + pause_ms(f, i, r, s) : INT64_MAX;
		if (!s)
			f->last_in_ms = r->free_from_ms;
	}
}

/* The busiest of the windows of so many seconds from `from_s` to `to_s`, requests a second. */
static double peak_of(const struct fleet *f, int64_t from_s, int64_t to_s, int64_t window_s)
{
	uint32_t most = 0;

	for (int64_t s = from_s; s + window_s <= to_s; s++) {
		uint32_t sum = 0;

		for (int64_t k = 0; k < window_s; k++)
			sum += f->asked[s + k];
		if (sum > most)
			most = sum;
	}
	return (double)most / (double)window_s;
}

static double mean_of(const struct fleet *f, int64_t from_s, int64_t to_s)
{
	uint64_t sum = 0;

	for (int64_t s = from_s; s < to_s; s++)
		sum += f->asked[s];
	return (double)sum / (double)(to_s - from_s);
}

static void tell(const char *what, const struct fleet *f, double peak, double mean)
{
	print_message("%s: all in after %.0f s, %.1f requests each, peak %.1f/s, mean %.1f/s\n",
		what, (double)f->last_in_ms / 1000, (double)f->requests / FLEET, peak, mean);
}

/* What it can serve is 25 a second: 40 s for all of them. */
#define SERVICE_MS 40
#define IDEAL_S	   (FLEET * SERVICE_MS / 1000)

static void expect_spread(
	const char *what, int64_t retry_after_s, double requests_max, double ratio_max)
{
	for (uint64_t n = 1; n <= SEEDS; n++) {
		struct registrar r = {
			.service_ms = SERVICE_MS, .queue = 50, .retry_after_s = retry_after_s};
		struct fleet f;
		int64_t end_s;
		double peak, mean;

		run(&f, &r, n);
		end_s = f.last_in_ms / 1000;
		/* the rush itself, and the answer to it, are over then */
		peak = peak_of(&f, retry_after_s + 2 * MIN_S + 1, end_s, 1);
		mean = mean_of(&f, retry_after_s + 2 * MIN_S + 1, end_s);
		if (n == 1)
			tell(what, &f, peak, mean);
		assert_int_equal(f.asked[0] >= FLEET, 1);
		assert_true(end_s <= 4 * IDEAL_S);
		assert_true(peak <= ratio_max * mean);
		assert_true((double)f.requests / FLEET <= requests_max);
	}
}

static void fleet__sent_away_without_a_time__spreads_by_itself(void **state)
{
	expect_spread("503", 0, 8, 14);
}

/* The hard one: all are told the same. */
static void fleet__sent_away_for_the_same_time__does_not_come_back_in_step(void **state)
{
	expect_spread("503, Retry-After 5", 5, 6, 7);
	expect_spread("503, Retry-After 30", 30, 4, 7);
}

static void fleet__waits_for_one_decision__asks_evenly_and_less_often_than_told(void **state)
{
	struct registrar r = {
		.service_ms = 1, .queue = 100000, .decides_ms = 7200000, .retry_after_s = 60};
	struct fleet f;
	double peak, mean;

	run(&f, &r, 1);
	/* an hour later the phases are anywhere */
	peak = peak_of(&f, 3600, 7200, 1);
	mean = mean_of(&f, 3600, 7200);
	tell("202, Retry-After 60", &f, peak, mean);
	assert_true(mean < FLEET / 60.0);
	assert_true(peak <= 3 * mean);
	assert_true(f.last_in_ms <= 7200000 + 66000);
}

/* The power came back to the devices first, and to the registrar ten minutes later. */
static void fleet__registrar_comes_later__is_not_run_down_and_nobody_waits_for_hours(void **state)
{
	for (uint64_t n = 1; n <= SEEDS; n++) {
		struct registrar r = {.service_ms = SERVICE_MS, .queue = 50, .up_from_ms = 600000};
		struct fleet f;
		double peak, mean;

		run(&f, &r, n);
		peak = peak_of(&f, 600, f.last_in_ms / 1000 + 1, 5);
		mean = mean_of(&f, 600, f.last_in_ms / 1000 + 1);
		if (n == 1)
			tell("ten minutes late", &f, peak, mean);
		assert_true(peak * SERVICE_MS / 1000 <= 1); /* it is never overloaded */
		assert_true(f.last_in_ms <= (600 + MAX_S) * INT64_C(1000));
		assert_true((double)f.requests / FLEET <= 20);
	}
}

static void fleet__same_seed__is_the_same_run(void **state)
{
	struct registrar r = {.service_ms = SERVICE_MS, .queue = 50}, again = r;
	struct fleet a, b;

	run(&a, &r, 7);
	run(&b, &again, 7);
	assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fleet__sent_away_without_a_time__spreads_by_itself),
		cmocka_unit_test(fleet__sent_away_for_the_same_time__does_not_come_back_in_step),
		cmocka_unit_test(
			fleet__waits_for_one_decision__asks_evenly_and_less_often_than_told),
		cmocka_unit_test(
			fleet__registrar_comes_later__is_not_run_down_and_nobody_waits_for_hours),
		cmocka_unit_test(fleet__same_seed__is_the_same_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
