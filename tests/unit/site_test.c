/* SPDX-License-Identifier: Apache-2.0 */
/* Names of sites, and labels: one spelling each, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "registrar/site.h"

static bool good(const char *path)
{
	struct err e = ERR_INIT;
	bool ok = site_check(path, &e);

	assert_int_equal(e.kind, ok ? ERR_NONE : ERR_INPUT);
	return ok;
}

static void site_check__paths_of_names__are_taken(void **state)
{
	assert_true(good("/"));
	assert_true(good("/eu"));
	assert_true(good("/eu/de/berlin-3/dock"));
	assert_true(good("/a.b/c_d/..e"));
	assert_true(good("/1/2/3/4/5/6/7/8"));
}

static void site_check__what_could_be_said_in_two_ways__is_refused(void **state)
{
	static const char *const bad[] = {"", "eu", "/eu/", "//eu", "/eu//de", "/Eu", "/e u", "/.",
		"/eu/..", "/eu/\xc3\xa4", "/eu\n", "/1/2/3/4/5/6/7/8/9", "/*", "/eu?x"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(good(bad[i]));
}

static void site_check__as_long_as_a_path_may_be__is_taken_and_one_more_is_not(void **state)
{
	char path[SITE_LEN_MAX + 2];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[SITE_LEN_MAX] = '\0';
	assert_true(good(path));
	path[SITE_LEN_MAX] = 'a';
	path[SITE_LEN_MAX + 1] = '\0';
	assert_false(good(path));
}

static void assert_chain(const char *path, const char *expected)
{
	struct err e = ERR_INIT;
	JSON_AUTO json_t *chain = site_chain(path, &e);
	BUF_AUTO struct buf text = BUF_INIT(1000);

	assert_non_null(chain);
	assert_true(json_format(chain, &text, &e));
	assert_string_equal(buf_str(&text), expected);
}

static void site_chain__of_a_path__is_all_it_is_in(void **state)
{
	assert_chain("/", "[\"/\"]");
	assert_chain("/eu", "[\"/\",\"/eu\"]");
	assert_chain("/eu/de/x", "[\"/\",\"/eu\",\"/eu/de\",\"/eu/de/x\"]");
}

static bool fine(json_t *labels)
{
	struct err e = ERR_INIT;
	bool ok = labels_check(labels, &e);

	assert_int_equal(e.kind, ok ? ERR_NONE : ERR_INPUT);
	json_decref(labels);
	return ok;
}

static json_t *many(size_t count)
{
	json_t *labels = json_object();
	char name[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "l%zu", i);
		json_object_set_new(labels, name, json_string("v"));
	}
	return labels;
}

static void labels_check__names_texts_and_number__have_bounds(void **state)
{
	char name[LABEL_NAME_MAX + 2], value[LABEL_VALUE_MAX + 2];

	memset(name, 'n', sizeof(name));
	memset(value, 'v', sizeof(value));
	name[LABEL_NAME_MAX] = value[LABEL_VALUE_MAX] = '\0';
	assert_true(fine(json_object()));
	assert_true(fine(json_pack("{ss ss}", "rack", "4", "a/b.c_d-e", "")));
	assert_true(fine(json_pack("{ss}", name, value)));
	assert_true(fine(many(LABELS_MAX)));
	assert_false(fine(many(LABELS_MAX + 1)));
	name[LABEL_NAME_MAX] = 'n';
	name[LABEL_NAME_MAX + 1] = '\0';
	assert_false(fine(json_pack("{ss}", name, "v")));
	value[LABEL_VALUE_MAX] = 'v';
	value[LABEL_VALUE_MAX + 1] = '\0';
	assert_false(fine(json_pack("{ss}", "n", value)));
	assert_false(fine(json_pack("{ss}", "", "v")));
	assert_false(fine(json_pack("{ss}", "Rack", "v")));
	assert_false(fine(json_pack("{ss}", "a=b", "v")));
	assert_false(fine(json_pack("{ss}", "a", "two\nlines")));
	assert_false(fine(json_pack("{si}", "a", 1)));
	assert_false(fine(json_pack("[s]", "a")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(site_check__paths_of_names__are_taken),
		cmocka_unit_test(site_check__what_could_be_said_in_two_ways__is_refused),
		cmocka_unit_test(
			site_check__as_long_as_a_path_may_be__is_taken_and_one_more_is_not),
		cmocka_unit_test(site_chain__of_a_path__is_all_it_is_in),
		cmocka_unit_test(labels_check__names_texts_and_number__have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
