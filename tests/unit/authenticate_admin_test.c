/* SPDX-License-Identifier: Apache-2.0 */
/* From a request's proofs to who it is: what counts, until when, and what is no proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/net/call_impl.h"
#include "registrar/access/access.h"
#include "registrar/access/authenticate.h"
#include "registrar/records/users.h"
#include "tests/unit/store_fixture.h"

#define NOW	1800000000
#define SESSION "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TOKEN	TOKEN_PREFIX "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define COOKIE	SESSION_COOKIE "=" SESSION

struct fixture {
	struct registrar r;
	struct loop *loop;
	struct call_list calls;
	struct peer_ref *peer;
	char dir[64];
	enum err_kind kind; /* of the last write */
};

static void on_done(void *arg, const int64_t *changed, const struct err *e)
{
	struct fixture *f = arg;

	f->kind = e ? e->kind : ERR_NONE;
	loop_stop(f->loop);
}

static enum err_kind done(struct fixture *f, bool queued, const struct err *e)
{
	if (!queued)
		fail_msg("not queued: %s", e->text);
	loop_run(f->loop);
	return f->kind;
}

#define DO(f, call) assert_int_equal(done(f, call, &e), ERR_NONE)

static struct journal_entry line(const char *outcome)
{
	return (struct journal_entry){.at = NOW, .step = "user", .outcome = outcome};
}

/* Ada, an operator at /eu, with a session and a token. */
static void add_ada(struct fixture *f)
{
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	const struct grant g = {.role = ROLE_OPERATOR, .site = (char *)(uintptr_t) "/eu"};
	const struct grant limit = {.role = ROLE_ADMIN, .until = NOW + 1000};
	const struct journal_entry j = line("added");
	uint8_t code[SHA256_LEN] = {1}, id[SHA256_LEN], token[SHA256_LEN];
	struct err e = ERR_INIT;

	assert_true(secret_digest(SESSION, id, &e) && secret_digest(TOKEN, token, &e));
	DO(f, records_add_user(&w, "ada", code, NOW + 900, &g, &j, &e));
	DO(f, records_start_session(&w,
		      &(struct session_start){.user = "ada", .id_sha256 = id, .at = NOW}, &j, &e));
	DO(f, records_add_token(&w, "ada", "robot", token, &limit, &j, &e));
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = ERR_INIT;
	char path[STORE_PLACE_MAX];

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/authenticate_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	store_place(f->dir, "r", path);
	f->r.log = (struct log){.program = "test", .level = LOG_LEVEL_ERROR, .fd = -1};
	f->r.clock.fixed_unix_s = NOW;
	f->loop = loop_new(&e);
	f->peer = peer_ref_new(&e);
	f->r.store = store_open(path, &records_schema, &e);
	assert_true(f->loop && f->peer && f->r.store);
	snprintf(f->peer->peer.address, sizeof(f->peer->peer.address), "192.0.2.1:40000");
	add_ada(f);
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
	loop_free(f->loop);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Name and value pairs, ended by NULL. ERR_NONE: it is ada, or the socket. */
static enum err_kind ask(
	struct fixture *f, struct principal *p, const char *method, const char *const *headers)
{
	const struct call_setup setup = {.loop = f->loop,
		.log = &f->r.log,
		.list = &f->calls,
		.peer = f->peer,
		.header_block_max = 8192};
	struct err e = ERR_INIT;
	struct call *c = call_new(&setup, &e);
	bool known;

	assert_non_null(c);
	for (; *headers; headers += 2)
		assert_true(http_fields_add(
			&c->headers, bytes_of_str(headers[0]), bytes_of_str(headers[1]), &e));
	assert_true(call_begin(c, method, "/api/v1/claims", &e));
	known = admin_authenticate(&f->r, c, p, &e);
	call_free(c);
	assert_int_equal(known, e.kind == ERR_NONE);
	assert_int_equal(known, p->name[0] != '\0');
	return e.kind;
}

#define ASK(f, p, method, ...) ask(f, p, method, (const char *const[]){__VA_ARGS__, NULL})

static void authenticate__a_session__is_its_user_with_the_grants(void **state)
{
	PRINCIPAL_AUTO struct principal p;

	assert_int_equal(ASK(*state, &p, "GET", "Cookie", COOKIE), ERR_NONE);
	assert_string_equal(p.name, "ada");
	assert_int_equal(p.proof, PROOF_SESSION);
	assert_false(p.local || p.limited);
	assert_true(principal_may(&p, MAY_OPERATE, "acme", "/eu/de", NOW));
	assert_false(principal_may(&p, MAY_OPERATE, "acme", "/us", NOW));
}

static void authenticate__the_ends_of_a_session__are_ends(void **state)
{
	struct fixture *f = *state;
	PRINCIPAL_AUTO struct principal p = {.name = ""};
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	uint8_t id[SHA256_LEN];
	struct err e = ERR_INIT;

	assert_true(secret_digest(SESSION, id, &e));
	f->r.clock.fixed_unix_s = NOW + SESSION_IDLE_S - 1;
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_NONE);
	principal_clear(&p);
	/* that was noted: it goes on from there */
	DO(f, records_touch_session(&w, id, NOW + SESSION_IDLE_S - 1, &e));
	f->r.clock.fixed_unix_s = NOW + 2 * SESSION_IDLE_S - 2;
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_NONE);
	principal_clear(&p);
	DO(f, records_touch_session(&w, id, NOW + 2 * SESSION_IDLE_S - 2, &e));
	f->r.clock.fixed_unix_s = NOW + 3 * SESSION_IDLE_S - 2;
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_LOGIN);
	/* used all day, and over in the evening */
	DO(f, records_touch_session(&w, id, NOW + SESSION_LIFE_S - 10, &e));
	f->r.clock.fixed_unix_s = NOW + SESSION_LIFE_S - 1;
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_NONE);
	principal_clear(&p);
	f->r.clock.fixed_unix_s = NOW + SESSION_LIFE_S;
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_LOGIN);
}

static void authenticate__cookies_among_others__are_found_by_their_whole_name(void **state)
{
	static const struct {
		const char *cookie;
		bool good;
	} rows[] = {
		{"a=1; " COOKIE "; b=2", true},
		{"a=1;" COOKIE, true},
		{"x" COOKIE, false},
		{"brski-session=" SESSION, false},
		{SESSION_COOKIE "=" SESSION "0", false},
		{SESSION_COOKIE "=\"" SESSION "\"", false},
		{SESSION_COOKIE "=", false},
		{SESSION_COOKIE, false},
		{"", false},
		{"a=" COOKIE, false},
		/* the first one of this name is meant; a second one is somebody's trick */
		{SESSION_COOKIE "=x; " COOKIE, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		PRINCIPAL_AUTO struct principal p;

		if (ASK(*state, &p, "GET", "Cookie", rows[i].cookie) !=
			(rows[i].good ? ERR_NONE : ERR_LOGIN))
			fail_msg("row %zu", i);
	}
}

static void authenticate__a_change_by_cookie__needs_token_and_origin(void **state)
{
	PRINCIPAL_AUTO struct principal p = {.name = ""};
	char csrf[2 * SHA256_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(csrf_of(SESSION, csrf, &e));
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE), ERR_NOT_ALLOWED);
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE, "X-CSRF-Token", csrf, "Host",
				 "r.example:8444"),
		ERR_NOT_ALLOWED);
	assert_int_equal(ASK(*state, &p, "DELETE", "Cookie", COOKIE, "X-CSRF-Token", csrf, "Host",
				 "r.example:8444", "Origin", "https://r.example"),
		ERR_NOT_ALLOWED);
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE, "X-CSRF-Token", "x", "Host",
				 "r.example:8444", "Origin", "https://r.example:8444"),
		ERR_NOT_ALLOWED);
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE, "X-CSRF-Token", csrf, "Host",
				 "r.example:8444", "Origin", "https://r.example:8444",
				 "Sec-Fetch-Site", "cross-site"),
		ERR_NOT_ALLOWED);
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE, "X-CSRF-Token", csrf, "Host",
				 "r.example:8444", "Sec-Fetch-Site", "same-origin"),
		ERR_NONE);
	principal_clear(&p);
	assert_int_equal(ASK(*state, &p, "POST", "Cookie", COOKIE, "X-CSRF-Token", csrf, "Host",
				 "r.example:8444", "Origin", "https://r.example:8444"),
		ERR_NONE);
}

static void authenticate__a_token__is_limited_and_ends(void **state)
{
	struct fixture *f = *state;
	PRINCIPAL_AUTO struct principal p = {.name = ""};

	assert_int_equal(ASK(f, &p, "POST", "Authorization", "Bearer " TOKEN), ERR_NONE);
	assert_int_equal(p.proof, PROOF_TOKEN);
	assert_true(p.limited);
	principal_clear(&p);
	assert_int_equal(ASK(f, &p, "GET", "Authorization", "bearer " TOKEN), ERR_NONE);
	principal_clear(&p);
	f->r.clock.fixed_unix_s = NOW + 1000;
	assert_int_equal(ASK(f, &p, "GET", "Authorization", "Bearer " TOKEN), ERR_LOGIN);
}

/* Who shows a wrong token is not let in by a cookie that came along. */
static void authenticate__a_wrong_proof__is_not_passed_over(void **state)
{
	PRINCIPAL_AUTO struct principal p;

	assert_int_equal(
		ASK(*state, &p, "GET", "Authorization", "Bearer x", "Cookie", COOKIE), ERR_LOGIN);
	assert_int_equal(
		ASK(*state, &p, "GET", "Authorization", "Basic YTpi", "Cookie", COOKIE), ERR_LOGIN);
}

static void authenticate__the_socket__needs_no_proof_and_cannot_be_claimed(void **state)
{
	struct fixture *f = *state;
	PRINCIPAL_AUTO struct principal p = {.name = ""};

	assert_int_equal(ASK(f, &p, "GET", "X-Peer", "unix:uid=0"), ERR_LOGIN);
	snprintf(f->peer->peer.address, sizeof(f->peer->peer.address), "unix:uid=7");
	assert_int_equal(ASK(f, &p, "POST", "Authorization", "Bearer x"), ERR_NONE);
	assert_string_equal(p.name, "unix:uid=7");
	assert_true(p.local);
}

static void records_users__the_last_admin__stays(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	const struct grant admin = {.role = ROLE_ADMIN},
			   soon = {.role = ROLE_ADMIN, .until = NOW + 9};
	const struct journal_entry j = line("changed");
	const uint8_t code[SHA256_LEN] = {2};
	struct err e = ERR_INIT;

	DO(f, records_add_user(&w, "bob", code, NOW, &admin, &j, &e));
	assert_int_equal(done(f, records_remove_user(&w, "bob", false, &j, &e), &e), ERR_CONFLICT);
	assert_int_equal(done(f, records_disable_user(&w, "bob", false, &j, &e), &e), ERR_CONFLICT);
	assert_int_equal(
		done(f, records_ungrant(&w, "bob", &admin, false, &j, &e), &e), ERR_CONFLICT);
	assert_int_equal(done(f, records_grant(&w, "bob", &soon, false, &j, &e), &e), ERR_CONFLICT);
	/* one that ends, or is bounded, or disabled, is no other admin; one that is there is */
	DO(f, records_grant(&w, "ada", &soon, false, &j, &e));
	DO(f, records_ungrant(&w, "bob", &admin, false, &j, &e));
	DO(f, records_grant(&w, "bob", &admin, false, &j, &e));
	DO(f, records_disable_user(&w, "ada", false, &j, &e));
	assert_int_equal(done(f, records_remove_user(&w, "bob", false, &j, &e), &e), ERR_CONFLICT);
	DO(f, records_remove_user(&w, "bob", true, &j, &e));
}

static void records_start_session__a_code__is_used_once(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	const struct journal_entry j = line("begun");
	const uint8_t code[SHA256_LEN] = {1}, id[SHA256_LEN] = {9}, id2[SHA256_LEN] = {10};
	struct session_start n = {
		.user = "ada", .id_sha256 = id, .code = code, .password = "hash", .at = NOW + 899};
	PRINCIPAL_AUTO struct principal p;
	struct err e = ERR_INIT;

	DO(f, records_start_session(&w, &n, &j, &e));
	n.id_sha256 = id2;
	assert_int_equal(done(f, records_start_session(&w, &n, &j, &e), &e), ERR_CONFLICT);
	/* with the new password what was open is over */
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_LOGIN);
}

static void records_start_session__a_code_of_yesterday__is_none(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	const struct journal_entry j = line("begun");
	const uint8_t code[SHA256_LEN] = {1}, id[SHA256_LEN] = {9};
	const struct session_start n = {
		.user = "ada", .id_sha256 = id, .code = code, .password = "hash", .at = NOW + 900};
	struct err e = ERR_INIT;

	assert_int_equal(done(f, records_start_session(&w, &n, &j, &e), &e), ERR_CONFLICT);
}

static void records_start_session__more_than_one_has_browsers__the_oldest_ends(void **state)
{
	struct fixture *f = *state;
	const struct records_writer w = {f->r.store, f->loop, on_done, f};
	const struct journal_entry j = line("begun");
	PRINCIPAL_AUTO struct principal p = {.name = ""};
	struct err e = ERR_INIT;

	for (uint8_t i = 1; i < USER_SESSIONS_MAX; i++) {
		const uint8_t id[SHA256_LEN] = {i, 1};

		DO(f, records_start_session(&w,
			      &(struct session_start){
				      .user = "ada", .id_sha256 = id, .at = NOW + i},
			      &j, &e));
	}
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_NONE);
	principal_clear(&p);
	DO(f, records_start_session(&w,
		      &(struct session_start){.user = "ada",
			      .id_sha256 = (const uint8_t[SHA256_LEN]){99},
			      .at = NOW + 100},
		      &j, &e));
	assert_int_equal(ASK(f, &p, "GET", "Cookie", COOKIE), ERR_LOGIN);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(authenticate__a_session__is_its_user_with_the_grants),
		T(authenticate__the_ends_of_a_session__are_ends),
		T(authenticate__cookies_among_others__are_found_by_their_whole_name),
		T(authenticate__a_change_by_cookie__needs_token_and_origin),
		T(authenticate__a_token__is_limited_and_ends),
		T(authenticate__a_wrong_proof__is_not_passed_over),
		T(authenticate__the_socket__needs_no_proof_and_cannot_be_claimed),
		T(records_users__the_last_admin__stays),
		T(records_start_session__a_code__is_used_once),
		T(records_start_session__a_code_of_yesterday__is_none),
		T(records_start_session__more_than_one_has_browsers__the_oldest_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
