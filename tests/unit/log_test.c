/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of the log: what is repeated is left out, counted and told of; what must not be missed
 * never is. */
#include "common/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_MAX 200000

static bool admit(
	struct log_limits *x, const char *event, const char *source, int64_t now, uint64_t *told)
{
	struct log_left_out out[LOG_LEFT_OUT_MAX];
	bool ok = log_limits_admit(x, event, source, now, out);

	*told = out[0].lines + out[1].lines;
	return ok;
}

static void log_limits_admit__more_than_the_limit__is_counted_and_told_later(void **state)
{
	struct err e = ERR_INIT;
	struct log_limits *x = log_limits_new(&e);
	struct log_left_out left;
	uint64_t told;

	for (int i = 0; i < LOG_LIMIT_PER_SOURCE; i++)
		assert_true(admit(x, "bad", "192.0.2.1", 1000, &told));
	for (int i = 0; i < 7; i++)
		assert_false(admit(x, "bad", "192.0.2.1", 1999, &told));
	assert_int_equal(log_limits_collect(x, 1999, false).lines, 0); /* its window is not over */
	assert_true(admit(x, "bad", "192.0.2.2", 1999, &told)); /* another source, another event */
	assert_true(admit(x, "worse", "192.0.2.1", 1999, &told));
	assert_true(admit(x, "bad", "192.0.2.1", 2000, &told));
	assert_int_equal(told, 7);
	assert_int_equal(log_limits_collect(x, 9000, false).lines, 0); /* told once */
	for (int i = 0; i < LOG_LIMIT_PER_SOURCE + 2; i++)
		if (admit(x, "bad", "192.0.2.1", 2001, &told))
			assert_int_equal(told, 0);
	left = log_limits_collect(x, 3001, false);
	assert_int_equal(left.lines, 3);
	assert_string_equal(left.event, "bad");
	assert_string_equal(left.source, "192.0.2.1");
	log_limits_free(x);
}

static void log_limits_admit__many_sources__share_the_limit_of_the_event(void **state)
{
	struct err e = ERR_INIT;
	struct log_limits *x = log_limits_new(&e);
	size_t admitted = 0;
	uint64_t told, left_out = 0;

	for (int i = 0; i < 100000; i++) {
		char source[32];

		snprintf(source, sizeof(source), "2001:db8::%x", (unsigned)i);
		admitted += admit(x, "bad", source, 5000, &told);
		left_out += told;
	}
	assert_int_equal(admitted, LOG_LIMIT_PER_EVENT);
	while ((told = log_limits_collect(x, 0, true).lines) > 0)
		left_out += told;
	assert_int_equal(admitted + left_out, 100000);
	log_limits_free(x);
}

/* ---- through the log ---- */

struct written {
	struct log log;
	char path[40];
};

static int set_up(void **state)
{
	struct written *w = calloc(1, sizeof(*w));
	struct err e = ERR_INIT;

	snprintf(w->path, sizeof(w->path), "/tmp/log_test.XXXXXX");
	w->log = (struct log){.program = "t",
		.level = LOG_LEVEL_INFO,
		.fd = mkstemp(w->path),
		.limits = log_limits_new(&e)};
	assert_true(w->log.fd >= 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct written *w = *state;

	close(w->log.fd);
	unlink(w->path);
	free(w);
	return 0;
}

/* Lines with the word in it, after everything was told. */
static size_t lines_with(struct written *w, const char *word)
{
	char *text = calloc(1, TEXT_MAX);
	size_t n = 0;

	log_end(&w->log);
	assert_true(pread(w->log.fd, text, TEXT_MAX - 1, 0) >= 0);
	for (char *p = text, *line; (line = strsep(&p, "\n")) != NULL;)
		n += strstr(line, word) != NULL;
	free(text);
	return n;
}

static void log_event__a_flood_of_complaints__is_cut_and_its_size_told(void **state)
{
	struct written *w = *state;

	for (int i = 0; i < 5000; i++) {
		char peer[32];

		snprintf(peer, sizeof(peer), "192.0.2.1:%d", 1000 + i); /* one source, many ports */
		log_event(&w->log, LOG_LEVEL_INFO, "handshake-failed", NULL, "peer", peer, "reason",
			"bad", NULL);
	}
	assert_in_range(lines_with(w, "event=handshake-failed"), LOG_LIMIT_PER_SOURCE,
		5 * LOG_LIMIT_PER_SOURCE); /* a slow machine may see several windows */
	assert_in_range(lines_with(w, "of=handshake-failed peer=192.0.2.1 suppressed="), 1, 5);
}

static void log_event__errors_alerts_and_facts__are_never_left_out(void **state)
{
	struct written *w = *state;
	struct err e = ERR_INIT;

	err_set(&e, ERR_STORE, "disk full");
	for (int i = 0; i < 300; i++) {
		log_err(&w->log, "issue-failed", NULL, &e);
		log_event(&w->log, LOG_LEVEL_WARNING, "alert-second-idevid", NULL, NULL);
		log_event(&w->log, LOG_LEVEL_INFO, "voucher-issued", NULL, "peer", "192.0.2.1:1",
			NULL);
		log_event(&w->log, LOG_LEVEL_INFO, "claim-rejected", NULL, "reason", "sold", NULL);
	}
	assert_int_equal(lines_with(w, "event=issue-failed"), 300);
	assert_int_equal(lines_with(w, "event=alert-second-idevid"), 300);
	assert_int_equal(lines_with(w, "event=voucher-issued"), 300);
	assert_int_equal(lines_with(w, "event=claim-rejected"), 300);
	assert_int_equal(lines_with(w, "suppressed"), 0);
}

static void log_stranger__facts__are_bounded_and_no_others_fault(void **state)
{
	struct written *w = *state;

	for (int i = 0; i < 5000; i++) {
		log_stranger(&w->log, LOG_LEVEL_INFO, "request", NULL, "peer", "192.0.2.1:9", NULL);
		if (i % 10 == 0)
			log_event(&w->log, LOG_LEVEL_INFO, "request", NULL, "peer", "192.0.2.1:8",
				NULL);
	}
	assert_int_equal(lines_with(w, "peer=192.0.2.1:8"), 500);
	assert_in_range(
		lines_with(w, "peer=192.0.2.1:9"), LOG_LIMIT_PER_SOURCE, 5 * LOG_LIMIT_PER_SOURCE);
	assert_in_range(lines_with(w, "of=request peer=192.0.2.1 suppressed="), 1, 5);
}

static void log_err_about__warnings_of_one_peer__leave_room_for_another(void **state)
{
	struct written *w = *state;
	struct err e = ERR_INIT;

	err_set(&e, ERR_INPUT, "not a request");
	for (int i = 0; i < 200; i++)
		log_err_about(&w->log, "refused", NULL, "192.0.2.1:9", &e);
	log_err_about(&w->log, "refused", NULL, "192.0.2.2:9", &e);
	assert_int_equal(lines_with(w, "peer=192.0.2.2:9"), 1);
}

int main(void)
{
#define LOGGED(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_limits_admit__more_than_the_limit__is_counted_and_told_later),
		cmocka_unit_test(log_limits_admit__many_sources__share_the_limit_of_the_event),
		LOGGED(log_event__a_flood_of_complaints__is_cut_and_its_size_told),
		LOGGED(log_event__errors_alerts_and_facts__are_never_left_out),
		LOGGED(log_stranger__facts__are_bounded_and_no_others_fault),
		LOGGED(log_err_about__warnings_of_one_peer__leave_room_for_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
