/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets through the door of the administrator's side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net/call_impl.h"
#include "common/net/http_route.h"
#include "registrar/access/access.h"
#include "registrar/admin/admin.h"
#include "registrar/admin/guard.h"
#include "registrar/records/records.h"
#include "tests/unit/store_fixture.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define NOW	 1790000000

struct fixture {
	char dir[64];
	struct registrar r;
	struct access access;
	struct peer_ref *peer;
	struct call_list calls;
	char asked[PRINCIPAL_NAME_MAX]; /* by whom the handler was entered */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char path[STORE_PLACE_MAX];
	struct err e = ERR_INIT;

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/guard_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "r", path);
	f->r.log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = -1};
	f->r.workers[0].loop = loop_new(&e);
	f->r.store = store_open(path, &records_schema, &e);
	f->peer = peer_ref_new(&e);
	f->access.denials = denials_new(&e);
	f->access.insiders = denials_new(&e);
	f->r.access = &f->access;
	assert_true(f->r.workers[0].loop && f->r.store && f->peer && f->access.denials &&
		    f->access.insiders);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	call_list_free(&f->calls);
	peer_ref_drop(f->peer);
	store_close(f->r.store);
	denials_free(f->access.denials);
	denials_free(f->access.insiders);
	loop_free(f->r.workers[0].loop);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void on_call(struct call *c, void *app)
{
	call_reply(c, 204, NULL, bytes_of(NULL, 0));
}

static const struct http_route routes[] = {
	{"GET", "/forgotten", on_call, 0, NULL},
	{"GET", "/open", on_call, 0, NULL, MAY_ENTER},
	{"GET", "/self", on_call, 0, NULL, MAY_SELF},
	{"GET", "/list", on_call, 0, NULL, MAY_VIEW},
	{"POST", "/list", on_call, 10, "application/json", MAY_ADMIN},
};

/* The verdict's status; 0 where the handler would be entered. */
static int ask(struct fixture *f, const char *peer, const char *method, const char *path)
{
	const struct call_setup setup = {.loop = f->r.workers[0].loop,
		.log = &f->r.log,
		.list = &f->calls,
		.peer = f->peer,
		.header_block_max = 4096};
	const struct http_server_config config = {
		.routes = routes, .route_count = COUNT(routes), .app = &f->r, .guard = admin_guard};
	struct http_verdict v;
	struct err e = ERR_INIT;
	struct call *c = call_new(&setup, &e);

	assert_non_null(c);
	snprintf(f->peer->peer.address, sizeof(f->peer->peer.address), "%s", peer);
	f->peer->peer.unix_uid = 0;
	assert_true(call_begin(c, method, path, &e));
	http_route_find(&config, c, &v);
	snprintf(f->asked, sizeof(f->asked), "%s", admin_by(c));
	assert_true(v.route ? v.no.status == 0 : v.no.sentence != NULL);
	call_free(c);
	return v.route ? 0 : v.no.status;
}

static void admin_routes__every_one__says_what_it_needs(void **state)
{
	for (size_t i = 0; i < admin_route_count; i++)
		if (admin_routes[i].need <= MAY_NOTHING || admin_routes[i].need >= PERMISSION_COUNT)
			fail_msg("%s %s is open to nobody", admin_routes[i].method,
				admin_routes[i].path);
}

static void guard__peer_of_the_socket__is_an_administrator_by_name(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "unix:uid=0", "GET", "/list"), 0);
	assert_string_equal(f->asked, "unix:uid=0");
	assert_int_equal(ask(f, "unix:uid=0", "GET", "/self"), 0);
	assert_int_equal(ask(f, "unix:uid=0", "POST", "/list"), 415);
}

static void guard__route_that_says_nothing__is_refused_to_administrators_too(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "unix:uid=0", "GET", "/forgotten"), 403);
	assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/forgotten"), 401);
}

static void guard__nobody__gets_what_is_open_and_nothing_else(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/open"), 0);
	assert_string_equal(f->asked, "nobody");
	assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/list"), 401);
	assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/self"), 401);
	assert_int_equal(ask(f, "192.0.2.1:4000", "POST", "/list"), 401); /* not 415 */
	assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/nowhere"), 404);
}

static bool count_denied(void *arg, const struct journal_line *line, struct err *e)
{
	int *n = arg;

	*n += strcmp(line->entry.step, "session") == 0 &&
	      strcmp(line->entry.outcome, "denied") == 0;
	return true;
}

static void guard__denials__are_in_the_journal_but_do_not_fill_it(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	int n = 0;

	for (int i = 0; i < 100; i++)
		assert_int_equal(ask(f, "192.0.2.1:4000", "GET", "/list"), 401);
	assert_true(records_journal_wait(f->r.store,
		&(struct journal_entry){.at = NOW, .step = "config", .outcome = "changed"}, &e));
	assert_true(records_list_journal(f->r.store, 0, 1000, count_denied, &n, &e));
	assert_in_range(n, 20, 40); /* the minute may have changed once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(admin_routes__every_one__says_what_it_needs),
		cmocka_unit_test_setup_teardown(
			guard__peer_of_the_socket__is_an_administrator_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			guard__route_that_says_nothing__is_refused_to_administrators_too, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			guard__nobody__gets_what_is_open_and_nothing_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			guard__denials__are_in_the_journal_but_do_not_fill_it, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
