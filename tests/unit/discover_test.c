/* SPDX-License-Identifier: Apache-2.0 */
/* When a device asks for registrars: a host that hears all questions by mDNS stands for the link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "pledge/discover.h"

static const struct log quiet = {.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2};

struct asked {
	int fd;
	char place[ADDRESS_TEXT_MAX], interface[8], none[1];
	struct pledge_config config;
	struct candidates set;
	struct discover *d;
};

static void set_up(struct asked *a)
{
	struct address at =
		address_of((struct sockaddr *)&(struct sockaddr_in){.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			sizeof(struct sockaddr_in));
	struct err e = ERR_INIT;

	memset(a, 0, sizeof(*a));
	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(a->fd, &at.sa, at.len), 0);
	assert_int_equal(getsockname(a->fd, &at.sa, &at.len), 0);
	address_format(&at, a->place);
	snprintf(a->interface, sizeof(a->interface), "lo");
	a->config = (struct pledge_config){.discover = a->interface,
		.mdns = a->place,
		.grasp = a->none,
		.discovery_port = 5683};
	candidates_init(&a->set, rng_below);
	a->d = discover_new(&a->config, &a->set, &quiet, &e);
	if (!a->d)
		fail_msg("%s", e.text);
}

static void tear_down(struct asked *a)
{
	discover_free(a->d);
	close(a->fd);
}

/* Milliseconds until the next question; at most limit_ms. */
static int64_t next_question_ms(struct asked *a, int64_t limit_ms)
{
	int64_t from_ms = clock_mono_ms();
	uint8_t octets[2048];

	while (clock_mono_ms() - from_ms < limit_ms) {
		discover_wait(a->d, clock_mono_ms() + 20);
		if (recv(a->fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
			break;
	}
	return clock_mono_ms() - from_ms;
}

/* Whoever has to be asked for the sake of those turned away costs nobody the next question. */
static void discover_wait__some_were_turned_away__asks_again_and_as_often_as_before(void **state)
{
	struct asked a;

	(void)state;
	set_up(&a);
	assert_true(next_question_ms(&a, 3000) < 3000);
	assert_in_range(next_question_ms(&a, 3000), 700, 3000);
	next_question_ms(&a, 1050); /* the third is 2 s after the second */
	a.set.turned_away = true;
	assert_in_range(next_question_ms(&a, 3000), 0, 900);
	assert_false(a.set.turned_away);
	assert_in_range(next_question_ms(&a, 6000), 100, 3000);
	tear_down(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			discover_wait__some_were_turned_away__asks_again_and_as_often_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
