/* SPDX-License-Identifier: Apache-2.0 */
/* The table of CoAP resources against the numbers of the documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/wire/coap_format.h"
#include "registrar/coap.h"

static const struct coap_route *route(const char *path)
{
	for (size_t i = 0; i < registrar_coap_route_count; i++)
		if (strcmp(registrar_coap_routes[i].path, path) == 0)
			return &registrar_coap_routes[i];
	fail_msg("no route %s", path);
	return NULL;
}

static void registrar_coap_routes__names_methods_and_numbers__are_the_published_ones(void **state)
{
	/* req: C-03, C-04, R-17 */
	static const struct {
		const char *path, *method, *rt;
		uint16_t abbrev;
	} rows[] = {
		{"/.well-known/est/crts", "GET", "ace.est.crts", 301},
		{"/.well-known/est/sen", "POST", "ace.est.sen", 302},
		{"/.well-known/est/sren", "POST", "ace.est.sren", 303},
		{"/.well-known/est/skg", "POST", "ace.est.skg", 304},
		{"/.well-known/est/skc", "POST", "ace.est.skc", 305},
		{"/.well-known/est/att", "GET", "ace.est.att", 306},
		{"/.well-known/brski/es", "POST", "brski.es", 401},
		{"/.well-known/brski/rv", "POST", "brski.rv", 402},
		{"/.well-known/brski/vs", "POST", "brski.vs", 403},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct coap_route *r = route(rows[i].path);

		assert_string_equal(r->method, rows[i].method);
		assert_string_equal(r->rt, rows[i].rt);
		assert_int_equal(r->abbrev, rows[i].abbrev);
	}
	assert_int_equal(registrar_coap_route_count, sizeof(rows) / sizeof(*rows));
}

static void registrar_coap_routes__formats__are_what_est_coaps_asks_for(void **state)
{
	/* req: C-06, C-29, R-01 */
	static const char *const csr[] = {"/.well-known/est/sen", "/.well-known/est/sren",
		"/.well-known/est/skg", "/.well-known/est/skc"};
	static const char *const enrolled[] = {"/.well-known/est/sen", "/.well-known/est/sren"};
	const struct coap_route *r;

	for (size_t i = 0; i < sizeof(csr) / sizeof(*csr); i++)
		assert_int_equal(route(csr[i])->content_format, 286);
	for (size_t i = 0; i < sizeof(enrolled) / sizeof(*enrolled); i++)
		assert_true(route(enrolled[i])->produces[0] == 281 &&
			    route(enrolled[i])->produces[1] == 287);
	r = route("/.well-known/est/crts");
	assert_int_equal(r->produces[0], 281);
	assert_int_equal(r->produces[1], 62);
	assert_int_equal(r->produces[2], 287);
	assert_int_equal(route("/.well-known/est/skg")->produces[0], 62);
	assert_int_equal(route("/.well-known/est/att")->produces[0], 285);
	assert_int_equal(route("/.well-known/brski/rv")->content_format, 836);
	assert_int_equal(route("/.well-known/brski/rv")->produces[0], 836);
}

static void registrar_coap_routes__every_one__is_below_a_base(void **state)
{
	/* req: R-20 */
	for (size_t i = 0; i < registrar_coap_route_count; i++) {
		const char *path = registrar_coap_routes[i].path;
		size_t found = 0;

		for (size_t j = 0; j < registrar_coap_root_count; j++) {
			size_t len = strlen(registrar_coap_roots[j].path);

			found += strncmp(path, registrar_coap_roots[j].path, len) == 0 &&
				 path[len] == '/';
		}
		assert_int_equal(found, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			registrar_coap_routes__names_methods_and_numbers__are_the_published_ones),
		cmocka_unit_test(registrar_coap_routes__formats__are_what_est_coaps_asks_for),
		cmocka_unit_test(registrar_coap_routes__every_one__is_below_a_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
