/* SPDX-License-Identifier: Apache-2.0 */
/* Who goes when there is no room: age, kind, source, identity, and who never goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/net/http_conn.h"

static bool serving(void *p)
{
	return *(bool *)p;
}

static const struct conn_protocol protocol = {.is_serving = serving};
static const struct shed_wish anyone = {.source = NULL};

static struct shed queues;
static struct conn conns[6];
static bool busy[6];

static int set_up(void **state)
{
	memset(conns, 0, sizeof(conns));
	memset(busy, 0, sizeof(busy));
	shed_init(&queues);
	for (size_t i = 0; i < 6; i++) {
		conns[i].protocol = &protocol;
		conns[i].p = &busy[i];
		conns[i].source[0] = (uint8_t)(i % 2);
		shed_enter(&queues, &conns[i]);
	}
	return 0;
}

static void assert_goes(const struct shed_wish *wish, int which)
{
	assert_ptr_equal(shed_choose(&queues, wish), which < 0 ? NULL : &conns[which]);
}

static void all_alike__the_oldest_goes(void **state)
{
	assert_goes(&anyone, 0);
	shed_leave(&queues, &conns[0]);
	assert_goes(&anyone, 1);
}

static void answered__goes_only_when_its_kind_is_the_larger(void **state)
{
	shed_served(&queues, &conns[0]);
	shed_served(&queues, &conns[1]);
	assert_goes(&anyone, 2);
	shed_served(&queues, &conns[2]);
	shed_served(&queues, &conns[3]);
	assert_goes(&anyone, 0);
}

static void answered_again__is_the_newest_of_its_kind(void **state)
{
	for (size_t i = 0; i < 6; i++)
		shed_served(&queues, &conns[i]);
	shed_served(&queues, &conns[0]);
	assert_goes(&anyone, 1);
}

static void source__wished_for__others_stay(void **state)
{
	const struct shed_wish wish = {.source = conns[1].source};

	assert_goes(&wish, 1);
	shed_served(&queues, &conns[1]); /* one of three: the larger kind of this source goes */
	assert_goes(&wish, 3);
}

static void identity__wished_for__those_without_stay(void **state)
{
	const uint8_t wanted[HTTP_SOURCE_LEN] = {0};
	const struct shed_wish wish = {.identity = wanted};

	assert_goes(&wish, -1);
	conns[4].identified = true;
	assert_goes(&wish, 4);
}

static void memory__wished_for__who_holds_none_stays(void **state)
{
	const struct shed_wish wish = {.holds_memory = true};

	assert_goes(&wish, -1);
	conns[3].held = 1;
	assert_goes(&wish, 3);
}

static void handler_at_work_or_turn_running__stays(void **state)
{
	busy[0] = true;
	conns[1].in_turn = true;
	assert_goes(&anyone, 2);
	for (size_t i = 0; i < 6; i++)
		busy[i] = true;
	assert_goes(&anyone, -1);
}

static void handshake__not_finished__can_go(void **state)
{
	conns[0].protocol = NULL;
	assert_goes(&anyone, 0);
}

#define test(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(all_alike__the_oldest_goes),
		test(answered__goes_only_when_its_kind_is_the_larger),
		test(answered_again__is_the_newest_of_its_kind),
		test(source__wished_for__others_stay),
		test(identity__wished_for__those_without_stay),
		test(memory__wished_for__who_holds_none_stays),
		test(handler_at_work_or_turn_running__stays),
		test(handshake__not_finished__can_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
