/* SPDX-License-Identifier: Apache-2.0 */
/* The description of the administrators' side and its routes say the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/net/call_impl.h"
#include "common/net/http_route.h"
#include "common/wire/json.h"
#include "registrar/admin/admin.h"
#include "registrar/admin/openapi.h"
#include "registrar/access/principal.h"

#define ROUTES_MAX 200
#define PATH_MAX_  200

static const char *const permission_names[PERMISSION_COUNT] = {
	[MAY_NOTHING] = "nothing",
	[MAY_VIEW] = "view",
	[MAY_ANNOUNCE] = "announce",
	[MAY_DECIDE] = "decide",
	[MAY_OPERATE] = "operate",
	[MAY_AUDIT] = "audit",
	[MAY_ADMIN] = "admin",
	[MAY_SELF] = "self",
	[MAY_ENTER] = "enter",
};

/* What everybody who has logged in may ask for is judged by its handler. */
static bool needs(const struct http_route *r, const char *said)
{
	return strcmp(permission_names[r->need], said) == 0 ||
	       (r->need == MAY_SELF && strcmp(said, permission_names[MAY_ADMIN]) == 0);
}

static json_t *load(void)
{
	struct bytes text = openapi_document();
	json_t *doc = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(doc);
	return doc;
}

/* "/devices/{id}/move" with something for {id} */
static void example_of(const char *template, char *out)
{
	while (*template) {
		if (*template == '{') {
			*out++ = '7';
			template += strcspn(template, "}") + 1;
		} else {
			*out++ = *template ++;
		}
	}
	*out = '\0';
}

static const char *first_type(const json_t *operation)
{
	json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");

	return json_object_iter_key(json_object_iter(content));
}

/* The route that serves an operation, found as a request would find it. */
static const struct http_route *route_of(
	const char *template, const char *method, const json_t *operation)
{
	const struct http_server_config config = {
		.routes = admin_routes, .route_count = admin_route_count};
	struct http_verdict v;
	struct err e = ERR_INIT;
	struct loop *loop = loop_new(&e);
	struct peer_ref *peer = peer_ref_new(&e);
	const struct call_setup setup = {.loop = loop, .peer = peer, .header_block_max = 4096};
	struct call *c = call_new(&setup, &e);
	char path[PATH_MAX_], name[16] = "";

	assert_non_null(c);
	assert_true(strlen(template) < sizeof(path) && strlen(method) < sizeof(name));
	example_of(template, path);
	for (size_t i = 0; method[i]; i++)
		name[i] = (char)toupper((unsigned char)method[i]);
	if (first_type(operation))
		assert_true(http_fields_add(&c->headers, bytes_of_str("Content-Type"),
			bytes_of_str(first_type(operation)), &e));
	assert_true(call_begin(c, name, path, &e));
	http_route_find(&config, c, &v);
	call_free(c);
	peer_ref_drop(peer);
	loop_free(loop);
	return v.route;
}

static void every_operation__has_a_route_that_needs_what_it_says(void **state)
{
	JSON_AUTO json_t *doc = load();
	const char *path, *method;
	json_t *item, *operation;

	json_object_foreach(json_object_get(doc, "paths"), path, item)
		json_object_foreach(item, method, operation)
	{
		const struct http_route *r = route_of(path, method, operation);
		const char *need = json_string_value(json_object_get(operation, "x-permission"));

		if (!r)
			fail_msg("no route serves %s %s", method, path);
		if (json_is_true(json_object_get(operation, "x-everywhere")) != r->everywhere)
			fail_msg("%s %s: are bounds allowed?", method, path);
		if (!need || !needs(r, need))
			fail_msg("%s %s needs %s", method, path, permission_names[r->need]);
		if (!json_object_get(operation, "requestBody") != (r->body_max == 0) &&
			strcmp(method, "post") != 0)
			fail_msg("%s %s: is there a body?", method, path);
	}
}

static void every_route__is_described(void **state)
{
	JSON_AUTO json_t *doc = load();
	bool described[ROUTES_MAX] = {false};
	const char *path, *method;
	json_t *item, *operation;

	assert_true(admin_route_count <= ROUTES_MAX);
	json_object_foreach(json_object_get(doc, "paths"), path, item)
		json_object_foreach(item, method, operation)
	{
		const struct http_route *r = route_of(path, method, operation);

		if (r)
			described[r - admin_routes] = true;
	}
	for (size_t i = 0; i < admin_route_count; i++)
		if (!described[i])
			fail_msg("docs/openapi/registrar.json lacks %s %s", admin_routes[i].method,
				admin_routes[i].path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation__has_a_route_that_needs_what_it_says),
		cmocka_unit_test(every_route__is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
