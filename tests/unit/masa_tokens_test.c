/* SPDX-License-Identifier: Apache-2.0 */
/* The file of tokens: what is understood, what is refused, and who has one. */
#include "masa/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/file.h"

#define NOW 1795219200 /* 2026-11-21T00:00:00Z */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */
#define ONE "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" /* of "" */

static struct masa_tokens *parse(const char *text, struct err *e)
{
	char *own = strdup(text);
	struct masa_tokens *t;

	assert_non_null(own);
	t = masa_tokens_parse("f", own, e);
	free(own);
	return t;
}

static void refused(const char *text, const char *because)
{
	struct err e = ERR_INIT;

	assert_null(parse(text, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_non_null(strstr(e.text, because));
}

static void parse__comments_and_blank_lines__are_no_tokens(void **state)
{
	struct err e = ERR_INIT;
	struct masa_tokens *t = parse("# all of it\n\n \t\r\n  # more\n", &e);

	assert_non_null(t);
	assert_int_equal(masa_tokens_count(t), 0);
	assert_null(masa_tokens_find(t, "abc", NOW, &e));
	assert_int_equal(e.kind, ERR_LOGIN);
	masa_tokens_free(t);
}

static void parse__words_left_out__read_only_and_without_an_end(void **state)
{
	struct err e = ERR_INIT;
	struct masa_tokens *t = parse("a " ABC, &e);
	const struct masa_token *found = masa_tokens_find(t, "abc", INT64_MAX, &e);

	assert_non_null(found);
	assert_string_equal(found->name, "a");
	assert_false(found->changes);
	assert_int_equal(found->until, 0);
	masa_tokens_free(t);
}

static void parse__word_and_moment__count(void **state)
{
	struct err e = ERR_INIT;
	struct masa_tokens *t =
		parse("x " ONE " read\r\nb\t" ABC " all 2026-11-21T00:00:10Z # until then\n", &e);
	const struct masa_token *found = masa_tokens_find(t, "abc", NOW + 10, &e);

	assert_non_null(found);
	assert_string_equal(found->name, "b");
	assert_true(found->changes);
	assert_null(masa_tokens_find(t, "abc", NOW + 11, &e));
	assert_int_equal(e.kind, ERR_LOGIN);
	assert_null(masa_tokens_find(t, "abd", NOW, &e));
	assert_int_equal(e.kind, ERR_LOGIN);
	masa_tokens_free(t);
}

static void parse__a_day__counts_to_its_end(void **state)
{
	struct err e = ERR_INIT;
	struct masa_tokens *t = parse("a " ABC " 2026-11-21", &e);

	assert_non_null(masa_tokens_find(t, "abc", NOW + 86399, &e));
	assert_null(masa_tokens_find(t, "abc", NOW + 86400, &e));
	masa_tokens_free(t);
}

static void parse__what_is_not_understood__is_refused_with_its_line(void **state)
{
	refused("a", "f:1: behind the name");
	refused("\n\na 00", "f:3: behind the name");
	refused("a " ABC "0", "behind the name");
	refused("a g" ONE, "behind the name");
	refused("a zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"not hexadecimal");
	refused("a/b " ABC, "a name has");
	refused("a\"b " ABC, "a name has");
	refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " ABC,
		"a name has");
	refused("a " ABC " write", "neither read nor all");
	refused("a " ABC " ALL", "neither read nor all");
	refused("a " ABC " all read", "neither read nor all");
	refused("a " ABC " all 2026-13-01", "neither read nor all");
	refused("a " ABC " all 2026-12-01T00:00:00", "neither read nor all");
	refused("a " ABC " all 1969-12-30", "neither read nor all");
	refused("a " ABC " all 2026-12-31 more", "behind the date");
}

static void parse__what_stands_twice__is_refused(void **state)
{
	refused("a " ABC "\na " ONE, "f:2: the name a stands twice");
	refused("a " ABC "\nb " ABC " all", "f:2: a and b are the same token");
}

static void parse__as_many_as_there_may_be__and_one_more(void **state)
{
	BUF_AUTO struct buf text = BUF_INIT(65536);
	struct err e = ERR_INIT;
	struct masa_tokens *t;

	for (int i = 0; i < MASA_TOKENS_MAX; i++)
		assert_true(buf_printf(&text, &e, "t%d %064x\n", i, i));
	t = parse(buf_str(&text), &e);
	assert_non_null(t);
	assert_int_equal(masa_tokens_count(t), MASA_TOKENS_MAX);
	masa_tokens_free(t);
	assert_true(buf_printf(&text, &e, "more " ABC "\n"));
	refused(buf_str(&text), "f:65: more than 64 tokens");
}

static void load__by_who_may_write_and_what_is_in_it(void **state)
{
	char path[] = "/tmp/masa-tokens-XXXXXX";
	struct err e = ERR_INIT;
	struct masa_tokens *t;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0644), 0);
	t = masa_tokens_load(path, &e); /* an empty one: nobody */
	assert_non_null(t);
	assert_int_equal(masa_tokens_count(t), 0);
	masa_tokens_free(t);
	assert_int_equal(write(fd, "a " ABC, 66), 66);
	t = masa_tokens_load(path, &e);
	assert_int_equal(masa_tokens_count(t), 1);
	masa_tokens_free(t);
	for (mode_t bit = S_IWOTH; bit <= S_IWGRP; bit <<= 3) {
		assert_int_equal(fchmod(fd, 0600 | bit), 0);
		assert_null(masa_tokens_load(path, &e));
		assert_non_null(strstr(e.text, "chmod go-w"));
	}
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_int_equal(write(fd, "\0x", 2), 2);
	assert_null(masa_tokens_load(path, &e));
	assert_non_null(strstr(e.text, "not text"));
	close(fd);
	unlink(path);
	assert_null(masa_tokens_load(path, &e));
	assert_int_equal(e.kind, ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse__comments_and_blank_lines__are_no_tokens),
		cmocka_unit_test(parse__words_left_out__read_only_and_without_an_end),
		cmocka_unit_test(parse__word_and_moment__count),
		cmocka_unit_test(parse__a_day__counts_to_its_end),
		cmocka_unit_test(parse__what_is_not_understood__is_refused_with_its_line),
		cmocka_unit_test(parse__what_stands_twice__is_refused),
		cmocka_unit_test(parse__as_many_as_there_may_be__and_one_more),
		cmocka_unit_test(load__by_who_may_write_and_what_is_in_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
