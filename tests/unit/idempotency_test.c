/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that come twice: which of them reach their handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/call_impl.h"
#include "registrar/admin/idempotency.h"
#include "registrar/access/principal.h"
#include "registrar/registrar.h"

struct fixture {
	struct registrar r;
	struct loop *loop;
	struct peer_ref *peer;
	struct call_list calls;
	/* the answer of the last call */
	int status;
	char body[300];
	bool replayed;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = ERR_INIT;

	assert_non_null(f);
	f->r.log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = -1};
	f->r.idempotency = idempotency_new(&e);
	f->loop = loop_new(&e);
	f->peer = peer_ref_new(&e);
	assert_true(f->r.idempotency && f->loop && f->peer);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	call_list_free(&f->calls);
	peer_ref_drop(f->peer);
	loop_free(f->loop);
	idempotency_free(f->r.idempotency);
	free(f);
	return 0;
}

static void on_answer(void *arg, struct call *c)
{
	struct fixture *f = arg;

	f->status = c->reply.status;
	f->replayed = http_fields_get(&c->reply.headers, "Idempotency-Replayed") != NULL;
	snprintf(f->body, sizeof(f->body), "%.200s", buf_str(&c->reply.body));
}

static void drop(void *principal)
{
	principal_clear(principal);
	free(principal);
}

/* The call when it is for its handler; NULL when it has its answer. user NULL: nobody. */
static struct call *ask(
	struct fixture *f, const char *user, const char *path, const char *key, const char *body)
{
	static const struct call_carrier carrier = {on_answer};
	const struct call_setup setup = {
		f->loop, &f->r.log, &f->calls, f->peer, &carrier, f, 0, 4096};
	struct principal *p = user ? calloc(1, sizeof(*p)) : NULL;
	struct err e = ERR_INIT;
	struct call *c = call_new(&setup, &e);

	assert_non_null(c);
	if (key)
		assert_true(http_fields_add(
			&c->headers, bytes_of_str("Idempotency-Key"), bytes_of_str(key), &e));
	assert_true(call_begin(c, "POST", path, &e));
	buf_init(&c->body, 1000);
	assert_true(buf_append_str(&c->body, body, &e));
	if (p) {
		snprintf(p->name, sizeof(p->name), "%s", user);
		call_attach(c, p, drop);
	}
	f->status = 0;
	return idempotency_intercept(c, &f->r) ? c : NULL;
}

static void answer(struct call *c, int status, const char *body)
{
	assert_non_null(c);
	call_reply(c, status, "text/plain", bytes_of_str(body));
}

static void same_request__again__gets_the_first_answer(void **state)
{
	struct fixture *f = *state;

	answer(ask(f, "ada", "/x", "k", "{}"), 201, "one");
	assert_false(f->replayed);
	assert_null(ask(f, "ada", "/x", "k", "{}"));
	assert_int_equal(f->status, 201);
	assert_string_equal(f->body, "one");
	assert_true(f->replayed);
}

static void other_principal_path_query_key_or_none__is_another_request(void **state)
{
	struct fixture *f = *state;

	answer(ask(f, "ada", "/x", "k", "{}"), 200, "one");
	answer(ask(f, "bob", "/x", "k", "{}"), 200, "two");
	answer(ask(f, "ada", "/y", "k", "{}"), 200, "three");
	answer(ask(f, "ada", "/x?dry_run=1", "k", "{}"), 200, "four");
	answer(ask(f, "ada", "/x", "K", "{}"), 200, "five");
	answer(ask(f, "ada", "/x", NULL, "{}"), 200, "six");
}

static void nobody__with_a_key__is_not_remembered(void **state)
{
	struct fixture *f = *state;

	answer(ask(f, NULL, "/session", "k", "{}"), 200, "secret");
	answer(ask(f, NULL, "/session", "k", "{}"), 200, "secret");
}

static void same_key__with_another_body_or_too_early__is_refused(void **state)
{
	struct fixture *f = *state;
	struct call *first = ask(f, "ada", "/x", "k", "{}");

	assert_null(ask(f, "ada", "/x", "k", "{}"));
	assert_int_equal(f->status, 409);
	assert_null(ask(f, "ada", "/x", "k", "{ }"));
	assert_int_equal(f->status, 422);
	answer(first, 200, "one");
	assert_null(ask(f, "ada", "/x", "k", "{ }"));
	assert_int_equal(f->status, 422);
}

static void what_failed_here__may_be_tried_again(void **state)
{
	struct fixture *f = *state;

	answer(ask(f, "ada", "/x", "k", "{}"), 503, "later");
	answer(ask(f, "ada", "/x", "k", "{}"), 200, "one");
	assert_null(ask(f, "ada", "/x", "k", "{}"));
	assert_string_equal(f->body, "one");
	call_free(ask(f, "ada", "/y", "k", "{}")); /* nobody answered */
	answer(ask(f, "ada", "/y", "k", "{}"), 200, "two");
}

static char *long_text(size_t len)
{
	char *text = calloc(1, len + 1);

	assert_non_null(text);
	memset(text, 'x', len);
	return text;
}

static void answer__that_is_too_long__is_not_kept_but_known(void **state)
{
	struct fixture *f = *state;
	char *text = long_text(IDEMPOTENCY_ANSWER_MAX + 1);

	answer(ask(f, "ada", "/x", "k", "{}"), 200, text);
	assert_null(ask(f, "ada", "/x", "k", "{}"));
	assert_int_equal(f->status, 409);
	free(text);
}

static void long_answers__of_more_than_fit__push_out_the_oldest(void **state)
{
	struct fixture *f = *state;
	const int fit = IDEMPOTENCY_TOTAL_MAX / IDEMPOTENCY_ANSWER_MAX;
	char *text = long_text(IDEMPOTENCY_ANSWER_MAX), key[16];

	for (int i = 0; i <= fit; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		answer(ask(f, "ada", "/x", key, "{}"), 200, text);
	}
	assert_null(ask(f, "ada", "/x", "k1", "{}"));
	answer(ask(f, "ada", "/x", "k0", "{}"), 200, "anew");
	free(text);
}

static void more_keys_than_places__push_out_the_oldest_that_is_done(void **state)
{
	struct fixture *f = *state;
	struct call *running = ask(f, "ada", "/x", "running", "{}");
	char key[16];

	for (int i = 0; i < IDEMPOTENCY_ENTRIES; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		answer(ask(f, "ada", "/x", key, "{}"), 200, "x");
	}
	assert_null(ask(f, "ada", "/x", "running", "{}"));
	assert_int_equal(f->status, 409);
	answer(ask(f, "ada", "/x", "k0", "{}"), 200, "anew");
	answer(running, 200, "x");
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		test(same_request__again__gets_the_first_answer),
		test(other_principal_path_query_key_or_none__is_another_request),
		test(nobody__with_a_key__is_not_remembered),
		test(same_key__with_another_body_or_too_early__is_refused),
		test(what_failed_here__may_be_tried_again),
		test(answer__that_is_too_long__is_not_kept_but_known),
		test(long_answers__of_more_than_fit__push_out_the_oldest),
		test(more_keys_than_places__push_out_the_oldest_that_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
