/* SPDX-License-Identifier: Apache-2.0 */
/* Routing: exact paths and wildcards from the application's table, and the refusals that HTTP
 * itself asks for (RFC 9110 §15.5, §15.6.2), before a body is read. */
#include "common/net/http_route.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/net/status.h"
#include "common/wire/media_type.h"

/* Methods that RFC 9110 §9 and RFC 5789 define: another one is not known (501) instead of not
 * allowed here (405). */
static const char *const known_methods[] = {
	"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"};

static bool is_known(const char *method)
{
	for (size_t i = 0; i < sizeof(known_methods) / sizeof(*known_methods); i++)
		if (strcmp(known_methods[i], method) == 0)
			return true;
	return false;
}

/* 0: no; else the better the larger: an exact path before a wildcard, a long one before a short. */
static size_t path_match(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);

	if (strcmp(pattern, path) == 0)
		return SIZE_MAX;
	if (len < 2 || strcmp(pattern + len - 2, "/*") != 0)
		return 0;
	return strncmp(pattern, path, len - 1) == 0 && path[len - 1] ? len : 0;
}

static bool method_match(const struct http_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

static void allow_one(struct http_verdict *v, const char *method)
{
	size_t used = strlen(v->allow);

	if (strstr(v->allow, method) || used + strlen(method) + 2 > HTTP_ALLOW_MAX)
		return;
	snprintf(v->allow + used, sizeof(v->allow) - used, "%s%s", used ? ", " : "", method);
}

static void allow(struct http_verdict *v, const char *method)
{
	allow_one(v, method);
	if (strcmp(method, "GET") == 0)
		allow_one(v, "HEAD");
}

static void refuse(struct http_verdict *v, int status, const char *sentence)
{
	v->route = NULL;
	v->no = (struct http_refusal){.status = status, .sentence = sentence};
}

struct http_refusal http_refusal_of(const struct err *e)
{
	/* a failure that forgot to say which must not pass for success */
	const enum err_kind kind = e->kind == ERR_NONE ? ERR_BUG : e->kind;
	const struct err bare = {.kind = kind, .code = e->code};

	return (struct http_refusal){status_of(kind), err_code_of(&bare), err_sentence(&bare)};
}

static bool brings_a_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

static void ask_guard(
	const struct http_server_config *config, struct call *c, struct http_verdict *v)
{
	if (config->guard && !config->guard(c, v->route, config->app, &v->no))
		v->route = NULL;
}

static const struct http_route *best_match(
	const struct http_server_config *config, const char *path, const char *method)
{
	const struct http_route *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < config->route_count; i++) {
		size_t match = path_match(config->routes[i].path, path);

		if (match > best && method_match(&config->routes[i], method)) {
			best = match;
			found = &config->routes[i];
		}
	}
	return found;
}

static void allow_all(
	const struct http_server_config *config, const char *path, struct http_verdict *v)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (path_match(config->routes[i].path, path))
			allow(v, config->routes[i].method);
}

void http_route_find(
	const struct http_server_config *config, struct call *c, struct http_verdict *out)
{
	*out = (struct http_verdict){.route = best_match(config, c->path, c->method)};
	if (!out->route)
		allow_all(config, c->path, out);
	if (!out->route && !out->allow[0] && config->otherwise &&
		method_match(config->otherwise, c->method))
		out->route = config->otherwise;
	if (!is_known(c->method))
		refuse(out, 501, "This method is not known here.");
	else if (!out->route && out->allow[0])
		refuse(out, 405, "This resource does not support the method.");
	else if (!out->route)
		refuse(out, 404, "There is nothing at this address.");
	else
		ask_guard(config, c, out);
	if (out->route && out->route->content_type && brings_a_body(c->method) &&
		!media_type_is(call_header(c, "Content-Type"), out->route->content_type))
		refuse(out, 415,
			"The media type of the request is not supported by this resource.");
}

void http_route_dispatch(
	const struct http_server_config *config, const struct http_verdict *v, struct call *c)
{
	if (v->route) {
		call_start_clock(c);
		if (!config->intercept || config->intercept(c, config->app))
			v->route->handler(c, config->app);
		return;
	}
	if (v->no.status == 405)
		call_set_header(c, "Allow", v->allow);
	call_refuse_as(c, v->no.status, v->no.code, v->no.sentence);
	call_free(c);
}
