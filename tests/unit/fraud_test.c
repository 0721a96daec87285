/* SPDX-License-Identifier: Apache-2.0 */
/* What tells fraud from an honest device's ways, signal by signal; and what is written of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "registrar/fraud.h"
#include "registrar/limits.h"
#include "registrar/records/sql.h"

#define NOW 1790000000
#define DAY (NOW / 86400)

/* ---- Places ---- */

/* A device asks from these places, a minute apart: is it taken for two? */
static bool is_cloned(const char *const *hosts, size_t count, int64_t apart_s)
{
	struct device_record known = {.found = true};
	struct fraud f = {0};
	struct fraud_place place;

	for (size_t i = 0; i < count; i++) {
		fraud_judge_place(&f, &known, hosts[i], NOW + (int64_t)i * apart_s, &place);
		snprintf(known.address, sizeof(known.address), "%s", hosts[i]);
		memcpy(known.address_before, place.before, sizeof(place.before));
		known.moved_at = place.moved_at;
	}
	return f.found & FRAUD_BIT(FRAUD_CLONE);
}

#define IS_CLONED(apart_s, ...)                                                                    \
	is_cloned((const char *const[]){__VA_ARGS__},                                              \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), apart_s)

static void fraud_judge_place__one_network__is_one_device(void **state)
{
	assert_false(IS_CLONED(60, "10.8.0.1", "10.8.0.1", "10.8.0.200", "10.8.0.1"));
	assert_false(IS_CLONED(60, "2001:db8:1:2::1", "2001:db8:1:3::9", "2001:db8:1:2::1"));
}

static void fraud_judge_place__moving__is_no_signal(void **state)
{
	assert_false(IS_CLONED(60, "10.8.0.1", "10.9.0.1", "10.9.0.1"));
	assert_false(IS_CLONED(60, "10.8.0.1", "10.9.0.1", "10.10.0.1", "10.11.0.1"));
}

static void fraud_judge_place__in_turns__is_a_clone(void **state)
{
	assert_true(IS_CLONED(60, "10.8.0.1", "10.9.0.1", "10.8.0.77"));
	assert_true(IS_CLONED(60, "2001:db8:1::1", "2001:db8:2::1", "2001:db8:1::1"));
}

static void fraud_judge_place__back_after_an_hour__was_carried(void **state)
{
	assert_true(IS_CLONED(FRAUD_TURNS_S - 1, "10.8.0.1", "10.9.0.1", "10.8.0.1"));
	assert_false(IS_CLONED(FRAUD_TURNS_S, "10.8.0.1", "10.9.0.1", "10.8.0.1"));
}

static void fraud_judge_place__two_families__tell_nothing(void **state)
{
	assert_false(IS_CLONED(60, "10.8.0.1", "2001:db8::1", "10.8.0.1", "2001:db8::1"));
	assert_false(IS_CLONED(60, "unix:uid=0", "10.8.0.1", "unix:uid=0", "10.8.0.1"));
}

/* ---- The others ---- */

static const uint8_t key[SHA256_LEN] = {1}, other_key[SHA256_LEN] = {2};

static void fraud_judge_key__another_one__is_a_signal(void **state)
{
	struct device_record known = {.found = true};
	struct fraud f = {0};

	fraud_judge_key(&f, &known, key); /* of before keys were kept */
	memcpy(known.key_sha256, key, SHA256_LEN);
	fraud_judge_key(&f, &known, key);
	assert_int_equal(f.found, 0);
	fraud_judge_key(&f, &known, other_key);
	assert_int_equal(f.found, FRAUD_BIT(FRAUD_SECOND_KEY));
}

static bool rejoin_is_strange(enum device_state state, int64_t not_after, int64_t renewed_at)
{
	const struct device_record known = {
		.found = true, .state = state, .not_after = not_after, .renewed_at = renewed_at};
	struct fraud f = {0};

	fraud_judge_rejoin(&f, &known, NOW);
	return f.found == FRAUD_BIT(FRAUD_REJOIN);
}

static void fraud_judge_rejoin__while_the_certificate_is_renewed__is_a_signal(void **state)
{
	assert_true(rejoin_is_strange(DEVICE_ENROLLED, NOW + 1, NOW - 1));
	assert_false(rejoin_is_strange(DEVICE_ENROLLED, NOW, NOW - 1)); /* it has ended */
	assert_false(rejoin_is_strange(DEVICE_ENROLLED, NOW + 1, 0));	/* never renewed */
	assert_false(rejoin_is_strange(DEVICE_ENROLLED, NOW + 1, NOW - FRAUD_RECENT_S));
	assert_false(rejoin_is_strange(DEVICE_REVOKED, NOW + 1, NOW - 1));
}

static void fraud_judge_renewal__of_before_it_joined_again__is_a_signal(void **state)
{
	const struct device_record known = {.found = true, .vouched_at = NOW};
	struct fraud f = {0};

	fraud_judge_renewal(&f, &known, NOW);
	assert_int_equal(f.found, 0);
	fraud_judge_renewal(&f, &known, NOW - 1);
	assert_int_equal(f.found, FRAUD_BIT(FRAUD_REJOIN));
}

static void fraud_judge_joins__more_than_a_day_has__is_looping(void **state)
{
	const struct device_record known = {
		.found = true, .day = DAY, .joins = 3, .certificates = 5};
	struct fraud f = {0};

	assert_true(fraud_judge_joins(&f, &known, 4, NOW));
	assert_true(fraud_judge_certificates(&f, &known, 6, NOW));
	assert_true(fraud_judge_joins(&f, &known, 3, NOW + 86400)); /* another day */
	assert_int_equal(f.found, 0);
	assert_false(fraud_judge_joins(&f, &known, 3, NOW));
	assert_int_equal(f.found, FRAUD_BIT(FRAUD_LOOPING));
	assert_string_equal(f.reason[FRAUD_LOOPING], "3 vouchers today");
	assert_false(fraud_judge_certificates(&f, &known, 5, NOW));
}

static void fraud_add__what_is_marked_already__is_not_said_again(void **state)
{
	const struct device_record known = {.marks = FRAUD_BIT(FRAUD_CLONE)};
	struct fraud f = {.quarantine_on = ~0u};

	fraud_add(&f, &known, FRAUD_CLONE, "again");
	assert_false(fraud_quarantines(&f));
	fraud_add(&f, &known, FRAUD_LOOPING, "first");
	assert_true(fraud_quarantines(&f));
	f.quarantine_on = FRAUD_BIT(FRAUD_SECOND_KEY);
	assert_false(fraud_quarantines(&f));
}

static void fraud_marks_text__and_json__are_names_of_bits(void **state)
{
	JSON_AUTO json_t *names =
		fraud_marks_json(FRAUD_BIT(FRAUD_SECOND_KEY) | FRAUD_BIT(FRAUD_LOOPING));

	char text[FRAUD_MARKS_TEXT_MAX];

	fraud_marks_text(FRAUD_BIT(FRAUD_SECOND_KEY) | FRAUD_BIT(FRAUD_LOOPING), text);
	assert_string_equal(text, "second-key, looping");
	fraud_marks_text(0, text);
	assert_string_equal(text, "");
	fraud_marks_text((1 << FRAUD_SIGNAL_COUNT) - 1, text);
	assert_string_equal(text + strlen(text) - 9, ", looping");
	assert_int_equal(json_array_size(names), 2);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "second-key");
	assert_string_equal(json_string_value(json_array_get(names, 1)), "looping");
}

static void fraud_ops__all_signals__fit(void **state)
{
	struct fraud f = {.quarantine_on = ~0u, .found = (1u << FRAUD_SIGNAL_COUNT) - 1};
	const struct journal_entry j = {.at = NOW, .device = {"acme", "SN-1"}};
	struct store_op ops[FRAUD_OPS_MAX];

	assert_int_equal(fraud_ops(&f, &j, ops), FRAUD_OPS_MAX);
	f.found = 0;
	assert_int_equal(fraud_ops(&f, &j, ops), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fraud_judge_place__one_network__is_one_device),
		cmocka_unit_test(fraud_judge_place__moving__is_no_signal),
		cmocka_unit_test(fraud_judge_place__in_turns__is_a_clone),
		cmocka_unit_test(fraud_judge_place__back_after_an_hour__was_carried),
		cmocka_unit_test(fraud_judge_place__two_families__tell_nothing),
		cmocka_unit_test(fraud_judge_key__another_one__is_a_signal),
		cmocka_unit_test(fraud_judge_rejoin__while_the_certificate_is_renewed__is_a_signal),
		cmocka_unit_test(fraud_judge_renewal__of_before_it_joined_again__is_a_signal),
		cmocka_unit_test(fraud_judge_joins__more_than_a_day_has__is_looping),
		cmocka_unit_test(fraud_add__what_is_marked_already__is_not_said_again),
		cmocka_unit_test(fraud_marks_text__and_json__are_names_of_bits),
		cmocka_unit_test(fraud_ops__all_signals__fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
