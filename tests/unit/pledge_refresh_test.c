/* SPDX-License-Identifier: Apache-2.0 */
/* When the CA certificates are asked for by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "pledge/refresh.h"
#include "tests/unit/pledge_fixture.h"

#define DAY_S	(24 * 3600)
#define MONTH_S (30 * DAY_S)

struct world {
	struct fixture f;
	struct enrolment n;
	int64_t now;
	struct err e;
};

/* The root of the fixture lives for 100 days from now on, the device's certificate began now. */
static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	enrolment_init(&w->n);
	w->now = time(NULL);
	w->n.ldevid.cert = cert_ref(w->f.ee_cert);
	assert_true(cert_list_add(&w->n.cacerts, w->f.root_cert, &w->e));
	w->n.cacerts_asked_unix_s = w->now;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	enrolment_clear(&w->n);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

static bool is_due_after(const struct world *w, int days, bool trusted_clock)
{
	return refresh_is_due(&w->n, w->now + (int64_t)days * DAY_S, trusted_clock);
}

/* req: C-37 */
static void refresh_is_due__with_a_clock__from_half_the_life_of_a_ca(void **state)
{
	const struct world *w = *state;

	assert_false(is_due_after(w, 0, true));
	assert_false(is_due_after(w, 31, true));
	assert_false(is_due_after(w, 49, true));
	assert_true(is_due_after(w, 51, true));
}

/* req: C-37 */
static void refresh_is_due__asked_within_the_month__is_not_asked_again(void **state)
{
	struct world *w = *state;

	w->n.cacerts_asked_unix_s = w->now + 51 * DAY_S;
	assert_false(is_due_after(w, 80, true));
	assert_true(is_due_after(w, 82, true));
	assert_false(is_due_after(w, 80, false));
	assert_true(is_due_after(w, 82, false));
}

/* req: C-37 */
static void refresh_is_due__without_a_clock__is_each_month(void **state)
{
	const struct world *w = *state;

	assert_false(is_due_after(w, 29, false));
	assert_true(is_due_after(w, 30, false));
	assert_true(is_due_after(w, -1, false)); /* it was set back: no telling how long ago */
}

/* req: C-37 */
static void refresh_is_due__certificate_newer_than_the_question__is_after_a_month(void **state)
{
	struct world *w = *state;

	w->n.cacerts_asked_unix_s = cert_not_before(w->f.ee_cert) - 1;
	assert_false(is_due_after(w, 29, true));
	assert_true(is_due_after(w, 31, true));
	w->n.cacerts_asked_unix_s = 0; /* never */
	assert_true(is_due_after(w, 0, true));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refresh_is_due__with_a_clock__from_half_the_life_of_a_ca),
		TEST(refresh_is_due__asked_within_the_month__is_not_asked_again),
		TEST(refresh_is_due__without_a_clock__is_each_month),
		TEST(refresh_is_due__certificate_newer_than_the_question__is_after_a_month),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
