/* SPDX-License-Identifier: Apache-2.0 */
/* Who answers first, against listeners on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/net/address.h"
#include "pledge/race.h"

/* A port of loopback that accepts, or (backlog below 0) one that refuses. */
static int listener(int backlog, struct uri *at)
{
	struct address a;
	struct err e = ERR_INIT;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(address_parse("127.0.0.1", 0, &a, &e));
	assert_int_equal(bind(fd, &a.sa, a.len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_true(address_of_socket(fd, &a, &e));
	*at = (struct uri){.scheme = URI_HTTPS, .host = "127.0.0.1", .host_is_ip = true};
	at->port = address_port(&a);
	return fd;
}

#define LIMIT_MS 20000 /* of a race: nothing here waits for it */
#define TRIES	 20    /* on a busy machine any one may take its time */

/* How long a race took whose first has to fail and whose second to win. */
static int64_t run_second_wins(const struct uri *dead, const struct uri *good)
{
	struct runner two[] = {{.to = dead}, {.to = good}};
	int64_t latency_ms, begun_ms = clock_mono_ms();
	int fd;

	assert_int_equal(race_run(two, 2, LIMIT_MS, &fd, &latency_ms), 1);
	assert_true(fd >= 0);
	assert_true(two[0].failed);
	assert_false(two[1].failed);
	close(fd);
	return clock_mono_ms() - begun_ms;
}

static void race_run__first_refuses__second_wins_at_once(void **state)
{
	struct uri dead, good;
	int no = listener(-1, &dead), yes = listener(TRIES, &good), tries = 1;

	while (run_second_wins(&dead, &good) >= 200) /* the whole stagger */
		assert_true(++tries <= TRIES);
	close(no);
	close(yes);
}

/* req: R8995-PLG-007 */
static void race_run__first_is_silent__second_wins_after_a_moment(void **state)
{
	struct uri silent, good;
	/* a backlog that is full lets a handshake hang */
	int full = listener(0, &silent), yes = listener(4, &good), fd, held[4];
	struct runner two[] = {{.to = &silent}, {.to = &good}};
	struct address a;
	struct err e = ERR_INIT;
	int64_t latency_ms, took_ms, begun_ms = clock_mono_ms();

	assert_true(address_parse("127.0.0.1", silent.port, &a, &e));
	for (int i = 0; i < 4; i++) {
		held[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(held[i], &a.sa, a.len);
	}
	assert_int_equal(race_run(two, 2, LIMIT_MS, &fd, &latency_ms), 1);
	took_ms = clock_mono_ms() - begun_ms;
	assert_false(two[0].failed); /* nobody knows what would have become of it */
	assert_in_range(took_ms, 200, LIMIT_MS / 2);
	assert_in_range(latency_ms, 0, took_ms - 200); /* of its own, without the stagger */
	close(fd);
	for (int i = 0; i < 4; i++)
		close(held[i]);
	close(full);
	close(yes);
}

static void race_run__nobody_answers__all_have_failed(void **state)
{
	struct uri dead, nowhere = {.host = "fe80::1%none", .host_is_ip = true, .port = 1};
	int no = listener(-1, &dead), fd;
	struct runner two[] = {{.to = &nowhere}, {.to = &dead}};
	int64_t latency_ms;

	assert_int_equal(race_run(two, 2, 2000, &fd, &latency_ms), 2);
	assert_int_equal(fd, -1);
	assert_true(two[0].failed && two[1].failed);
	close(no);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(race_run__first_refuses__second_wins_at_once),
		cmocka_unit_test(race_run__first_is_silent__second_wins_after_a_moment),
		cmocka_unit_test(race_run__nobody_answers__all_have_failed),
	};

	return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
