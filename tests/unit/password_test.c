/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords, the thread that computes them, and random proofs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "registrar/access/access.h"
#include "registrar/access/secret.h"

#define PASSWORD "correct horse battery"

static void password_verify__another_password__is_wrong(void **state)
{
	static const char *const others[] = {
		"", "correct horse batter", "correct horse battery ", "Correct horse battery"};
	char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
	struct err e = ERR_INIT;
	bool right;

	assert_true(password_hash(PASSWORD, hash, &e));
	assert_true(password_hash(PASSWORD, again, &e));
	assert_string_not_equal(hash, again);
	assert_memory_equal(hash, "$argon2id$v=19$m=32768,t=3,p=1$", 31);
	assert_true(password_verify(hash, PASSWORD, &right, &e));
	assert_true(right);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_true(password_verify(hash, others[i], &right, &e));
		assert_false(right);
	}
}

static void password_verify__no_hash__is_an_error_and_not_right(void **state)
{
	static const char *const damaged[] = {"", "x", "$argon2id$v=19$m=32768,t=3,p=1$", "$1$a$b",
		"$argon2d$v=19$m=32768,t=3,p=1$c29tZXNhbHQ$abcd"};
	bool right = true;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		struct err e = ERR_INIT;

		assert_false(password_verify(damaged[i], PASSWORD, &right, &e));
		assert_false(right);
		assert_int_equal(e.kind, ERR_STORE);
	}
}

static void password_check__characters_are_counted_not_octets(void **state)
{
	char longest[PASSWORD_OCTETS_MAX + 2];
	struct err e = ERR_INIT;

	assert_true(password_check("twelve chars", &e));
	assert_false(password_check("eleven char", &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_false(password_check("\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4\xc3\xb6", &e));
	memset(longest, 'a', sizeof(longest));
	longest[PASSWORD_OCTETS_MAX] = '\0';
	assert_true(password_check(longest, &e));
	longest[PASSWORD_OCTETS_MAX] = 'a';
	longest[PASSWORD_OCTETS_MAX + 1] = '\0';
	assert_false(password_check(longest, &e));
}

/* ---- The thread ---- */

struct answer {
	struct loop *loop;
	bool right;
	char hash[PASSWORD_HASH_MAX];
	enum err_kind kind;
};

static struct answer *last; /* what done() was given: arg is the hasher's until then */

static void on_hashed(void *arg, bool right, const char *hash, const struct err *e)
{
	last = arg;
	last->right = right;
	memcpy(last->hash, hash, strlen(hash) + 1);
	last->kind = e ? e->kind : ERR_NONE;
	loop_stop(last->loop);
}

static struct answer *new_answer(struct loop *l)
{
	struct answer *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->loop = l;
	return a;
}

/* Of all threads: a busy machine takes its time, which says nothing. */
static int64_t cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Milliseconds it took to reckon. */
static int64_t ask(struct hasher *h, struct loop *l, const char *hash, const char *password,
	const char *fresh, bool *right, char out[PASSWORD_HASH_MAX])
{
	const struct hash_question q = {hash, password, fresh};
	const int64_t began = cpu_ms();
	struct err e = ERR_INIT;

	assert_true(hasher_ask(h, &q, l, on_hashed, new_answer(l), &e));
	loop_run(l);
	assert_int_equal(last->kind, ERR_NONE);
	*right = last->right;
	memcpy(out, last->hash, sizeof(last->hash));
	free(last);
	return cpu_ms() - began;
}

static void hasher_ask__nobody__costs_as_much_as_a_wrong_password(void **state)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	struct hasher *h = hasher_new(&e);
	char hash[PASSWORD_HASH_MAX], ignored[PASSWORD_HASH_MAX];
	int64_t known_ms = 0, nobody_ms = 0;
	bool right;

	ask(h, l, NULL, NULL, PASSWORD, &right, hash);
	assert_true(right);
	for (int i = 0; i < 3; i++) {
		known_ms += ask(h, l, hash, "something else", PASSWORD, &right, ignored);
		assert_false(right);
		assert_string_equal(ignored, "");
		nobody_ms += ask(h, l, NULL, "something else", PASSWORD, &right, ignored);
		assert_false(right);
	}
	assert_in_range(nobody_ms, known_ms / 5, known_ms * 5);
	ask(h, l, hash, PASSWORD, "a new password", &right, ignored);
	assert_true(right);
	assert_true(password_verify(ignored, "a new password", &right, &e) && right);
	ask(h, l, NULL, "a password that nobody has", NULL, &right, ignored);
	assert_false(right);
	hasher_free(h);
	loop_free(l);
}

static void hasher_ask__too_many__come_again_later_and_nothing_is_lost(void **state)
{
	const struct hash_question q = {NULL, PASSWORD, NULL};
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);
	struct hasher *h = hasher_new(&e);
	struct answer *a = NULL;
	int queued = 0;

	while ((a = new_answer(l)) && hasher_ask(h, &q, l, on_hashed, a, &e))
		queued++;
	free(a);
	assert_int_equal(e.kind, ERR_RETRY_LATER);
	assert_in_range(queued, HASHER_QUEUE_MAX, HASHER_QUEUE_MAX + 4);
	hasher_free(h); /* with all of them waiting */
	loop_free(l);
}

/* ---- Random proofs ---- */

static void code_digest__as_a_person_types_it__is_the_same(void **state)
{
	char code[CODE_TEXT_LEN + 1], typed[2 * CODE_TEXT_LEN + 1];
	uint8_t made[SHA256_LEN], again[SHA256_LEN];
	struct err e = ERR_INIT;
	size_t n = 0;

	assert_true(code_make(code, &e) && code_digest(code, made, &e));
	assert_int_equal(strlen(code), CODE_TEXT_LEN);
	for (const char *c = code; *c; c++)
		if (*c != '-') {
			typed[n++] = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
			typed[n++] = ' ';
		}
	typed[n] = '\0';
	assert_true(code_digest(typed, again, &e));
	assert_memory_equal(made, again, SHA256_LEN);
}

static void code_digest__no_code__is_refused(void **state)
{
	static const char *const no[] = {"", "-", "01234-56789-abcde-fghj",
		"01234-56789-abcde-fghjkk", "01234-56789-abcde-fghjl",
		"01234-56789-abcde-fgh\xc3\xa4"};
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (code_digest(no[i], digest, &e))
			fail_msg("row %zu", i);
}

static void csrf_of__another_session__is_another(void **state)
{
	char a[SECRET_TEXT_LEN + 1], b[SECRET_TEXT_LEN + 1];
	char of_a[2 * SHA256_LEN + 1], of_b[2 * SHA256_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(secret_make("", a, &e) && secret_make("", b, &e));
	assert_string_not_equal(a, b);
	assert_true(csrf_of(a, of_a, &e) && csrf_of(b, of_b, &e));
	assert_string_not_equal(of_a, of_b);
	assert_true(csrf_of(a, of_b, &e));
	assert_string_equal(of_a, of_b);
}

static void user_name_is_valid__what_looks_like_another__is_none(void **state)
{
	static const char *const bad[] = {"", "Ada", "ada ", " ada", "ad\xc3\xa4", "a/b", "a\nb",
		".ada", "-x", "_x", "unix:uid=0",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static const char *const good[] = {"ada", "a", "0", "ada.lovelace-2_x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (user_name_is_valid(bad[i]))
			fail_msg("%s", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(user_name_is_valid(good[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(password_verify__another_password__is_wrong),
		cmocka_unit_test(password_verify__no_hash__is_an_error_and_not_right),
		cmocka_unit_test(password_check__characters_are_counted_not_octets),
		cmocka_unit_test(hasher_ask__nobody__costs_as_much_as_a_wrong_password),
		cmocka_unit_test(hasher_ask__too_many__come_again_later_and_nothing_is_lost),
		cmocka_unit_test(code_digest__as_a_person_types_it__is_the_same),
		cmocka_unit_test(code_digest__no_code__is_refused),
		cmocka_unit_test(csrf_of__another_session__is_another),
		cmocka_unit_test(user_name_is_valid__what_looks_like_another__is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
