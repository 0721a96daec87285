/* SPDX-License-Identifier: Apache-2.0 */
/* Networks, and which addresses are in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/net/network.h"

static void network_has__an_address__is_inside_or_not(void **state)
{
	static const struct {
		const char *network, *address;
		bool inside;
	} rows[] = {
		{"192.0.2.0/24", "192.0.2.255:40000", true},
		{"192.0.2.0/24", "192.0.3.0:40000", false},
		{"192.0.2.0/24", "192.0.2.7", true},
		{"192.0.2.128/25", "192.0.2.127:1", false},
		{"192.0.2.7/32", "192.0.2.7:1", true},
		{"192.0.2.7/32", "192.0.2.6:1", false},
		{"0.0.0.0/0", "198.51.100.1:1", true},
		{"0.0.0.0/0", "[2001:db8::1]:1", false},
		{"2001:db8::/32", "[2001:db8:1::1]:5684", true},
		{"2001:db8::/32", "[2001:db9::1]:5684", false},
		{"2001:db8::/32", "2001:db8::9", true},
		{"fe80::/10", "[fe80::1%eth0]:5684", true},
		{"192.0.2.0/24", "[::ffff:192.0.2.1]:1", true},
		{"::/0", "192.0.2.1:1", true},
		{"::/0", "", false},
		{"::/0", "unix:uid=0", false},
	};
	struct network n;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		assert_true(network_parse(rows[i].network, &n, &e));
		if (network_has(&n, rows[i].address) != rows[i].inside)
			fail_msg("row %zu", i);
	}
}

static void network_parse__no_network__is_refused(void **state)
{
	static const char *const refused[] = {"", "192.0.2.0", "192.0.2.0/", "192.0.2.0/33",
		"192.0.2.1/24", "192.0.2.0/-1", "192.0.2.0/24x", "192.0.2/24", "2001:db8::/129",
		"2001:db8::1/64", "localhost/8", "/8", "192.0.2.0/9999"};
	struct network n;
	struct err e;

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		e = (struct err)ERR_INIT;
		if (network_parse(refused[i], &n, &e) || e.kind != ERR_INPUT)
			fail_msg("row %zu", i);
	}
}

static void networks_parse__words__are_all_in_it(void **state)
{
	struct networks n;
	struct err e = ERR_INIT;

	assert_true(networks_parse(" 192.0.2.0/24, 2001:db8::/32\t198.51.100.7/32 ", &n, &e));
	assert_int_equal(n.count, 3);
	assert_true(networks_have(&n, "192.0.2.9:1"));
	assert_true(networks_have(&n, "198.51.100.7:1"));
	assert_false(networks_have(&n, "198.51.100.8:1"));
	assert_true(networks_have(&n, "[2001:db8::1]:443"));
	assert_true(networks_parse(NULL, &n, &e));
	assert_false(networks_have(&n, "192.0.2.9:1"));
}

static void networks_parse__too_many_or_no_network__is_refused(void **state)
{
	char words[(NETWORKS_MAX + 1) * 32] = "";
	struct networks n;
	struct err e = ERR_INIT;

	for (int i = 0; i <= NETWORKS_MAX; i++)
		snprintf(words + strlen(words), 32, "192.0.2.%d/32 ", i);
	assert_false(networks_parse(words, &n, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	e = (struct err)ERR_INIT;
	assert_false(networks_parse("192.0.2.0/24 balancer", &n, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_has__an_address__is_inside_or_not),
		cmocka_unit_test(network_parse__no_network__is_refused),
		cmocka_unit_test(networks_parse__words__are_all_in_it),
		cmocka_unit_test(networks_parse__too_many_or_no_network__is_refused),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
