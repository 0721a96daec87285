/* SPDX-License-Identifier: Apache-2.0 */
/* Routing by path, short path and Uri-Path-Abbrev (draft-ietf-core-uri-path-abbrev §4, rows R-17 to
 * R-20), and the table of what there is as links (rows, C-26). */
#include "common/net/coap_route.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/coap_format.h"
#include "common/wire/core_link.h"

#define CORE_PATH   "/.well-known/core"
#define CORE_ABBREV 0

static bool refuse(struct coap_verdict *v, uint8_t code, const char *sentence)
{
	v->route = NULL;
	v->is_core = false;
	v->code = code;
	v->sentence = sentence;
	return false;
}

/* ---- Where to ------------------------------------------------------------------------------- */

static const char *path_of_abbrev(const struct coap_server_config *config, uint32_t value)
{
	if (value == CORE_ABBREV)
		return CORE_PATH;
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].abbrev == value)
			return config->routes[i].path;
	return NULL;
}

static bool read_abbrev(const struct coap_server_config *config, const struct coap_message *m,
	struct coap_verdict *v)
{
	const char *path;
	uint32_t value;

	if (coap_message_find(m, COAP_OPT_URI_PATH, 0))
		return refuse(v, COAP_BAD_OPTION, "Uri-Path-Abbrev beside Uri-Path");
	path = coap_message_uint(m, COAP_OPT_URI_PATH_ABBREV, &value)
		       ? path_of_abbrev(config, value)
		       : NULL;
	if (!path)
		return refuse(v, COAP_BAD_OPTION, "unknown Uri-Path-Abbrev");
	snprintf(v->target, sizeof(v->target), "%s", path);
	return true;
}

/* "/e/sen" is "/.well-known/est/sen" when the root says so. */
static void expand(
	const struct coap_server_config *config, const char *path, struct coap_verdict *v)
{
	for (size_t i = 0; i < config->root_count; i++) {
		const struct coap_root *root = &config->roots[i];
		size_t len = root->short_path ? strlen(root->short_path) : 0;

		if (len && strncmp(path, root->short_path, len) == 0 && path[len] == '/') {
			snprintf(v->target, sizeof(v->target), "%s%s", root->path, path + len);
			return;
		}
	}
	snprintf(v->target, sizeof(v->target), "%s", path);
}

static bool read_path(const struct coap_server_config *config, const struct coap_message *m,
	struct coap_verdict *v)
{
	struct buf path BUF_AUTO = BUF_INIT(COAP_TARGET_MAX);
	struct err e = ERR_INIT;

	if (coap_message_find(m, COAP_OPT_URI_PATH_ABBREV, 0))
		return read_abbrev(config, m, v);
	if (coap_message_path(m, &path, &e)) {
		expand(config, buf_str(&path), v);
		return true;
	}
	if (e.kind == ERR_NO_MEMORY)
		return refuse(v, COAP_UNAVAILABLE, "no memory");
	return e.kind == ERR_INPUT ? refuse(v, COAP_BAD_REQUEST, "malformed path")
				   : refuse(v, COAP_NOT_FOUND, "there is nothing at this address");
}

/* Handlers get the query as HTTP would have it; what would need escaping no client of ours sends.
 */
static bool is_plain(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f || strchr("#&%", s.data[i]))
			return false;
	return true;
}

static bool read_query(const struct coap_message *m, struct coap_verdict *v)
{
	const struct coap_option *o;

	for (size_t n = 0; (o = coap_message_find(m, COAP_OPT_URI_QUERY, n)) != NULL; n++) {
		size_t used = strlen(v->target);

		if (!is_plain(o->value) || used + 1 + o->value.len > COAP_TARGET_MAX)
			return refuse(v, COAP_BAD_REQUEST, "malformed query");
		snprintf(v->target + used, sizeof(v->target) - used, "%c%.*s", n ? '&' : '?',
			(int)o->value.len, (const char *)o->value.data);
	}
	return true;
}

/* ---- May it be asked so --------------------------------------------------------------------- */

static const char *method_of(uint8_t code)
{
	if (code == COAP_GET)
		return "GET";
	return code == COAP_POST ? "POST" : NULL;
}

static bool find_route(const struct coap_server_config *config, const struct coap_message *m,
	struct coap_verdict *v)
{
	const char *method = method_of(m->code);
	bool known = strcmp(v->target, CORE_PATH) == 0;

	v->is_core = known && m->code == COAP_GET;
	for (size_t i = 0; i < config->route_count && !v->is_core; i++) {
		const struct coap_route *r = &config->routes[i];

		if (strcmp(r->path, v->target) != 0)
			continue;
		known = true;
		if (method && strcmp(r->method, method) == 0)
			v->route = r;
	}
	if (v->route || v->is_core)
		return true;
	return known || !method
		       ? refuse(v, COAP_NOT_ALLOWED, "this resource does not support the method")
		       : refuse(v, COAP_NOT_FOUND, "there is nothing at this address");
}

static bool produces(const uint32_t *formats, uint32_t wanted)
{
	while (*formats != COAP_FORMAT_NONE && *formats != wanted)
		formats++;
	return *formats == wanted;
}

static bool read_accept(const struct coap_message *m, struct coap_verdict *v)
{
	static const uint32_t links[] = {COAP_FORMAT_LINK, COAP_FORMAT_NONE};
	const uint32_t *formats = v->is_core ? links : v->route->produces;

	if (!coap_message_uint(m, COAP_OPT_ACCEPT, &v->accept)) {
		v->accept = COAP_FORMAT_NONE;
		return true;
	}
	return (formats ? produces(formats, v->accept)
			: coap_format_media_type(v->accept) != NULL) ||
	       refuse(v, COAP_NOT_ACCEPTABLE, "this resource has no such representation");
}

/* 4.15 though RFC 8995 §5.3 would have 4.06: a pledge takes both for "wrong format" (R-03, C-06).
 */
static bool read_format(const struct coap_message *m, struct coap_verdict *v)
{
	bool said = coap_message_uint(m, COAP_OPT_CONTENT_FORMAT, &v->content_format);
	bool fits;

	if (!said)
		v->content_format = COAP_FORMAT_NONE;
	if (m->code != COAP_POST)
		return true;
	if (v->route->content_format == COAP_FORMAT_NONE)
		fits = !said || coap_format_media_type(v->content_format);
	else
		fits = said && v->content_format == v->route->content_format;
	return fits || refuse(v, COAP_UNSUPPORTED_FORMAT,
			       "this resource does not take this Content-Format");
}

static bool read_options(const struct coap_message *m, struct coap_verdict *v)
{
	if (coap_message_find(m, COAP_OPT_PROXY_URI, 0) ||
		coap_message_find(m, COAP_OPT_PROXY_SCHEME, 0))
		return refuse(v, COAP_NO_PROXY, "this is no proxy");
	return !coap_message_bad_option(m, true) ||
	       refuse(v, COAP_BAD_OPTION, "unknown or malformed critical option");
}

/* Without the query the target would still name the route, so it comes last. */
static bool make_key(const struct coap_message *m, struct coap_verdict *v)
{
	struct buf text BUF_AUTO = BUF_INIT(COAP_TARGET_MAX + 32);
	struct err e = ERR_INIT;

	return (buf_printf(&text, &e, "%u %u %s", m->code, v->accept, v->target) &&
		       digest_sha256(buf_bytes(&text), v->key, &e)) ||
	       refuse(v, COAP_UNAVAILABLE, "no memory");
}

void coap_route_find(const struct coap_server_config *config, const struct coap_message *m,
	struct coap_verdict *out)
{
	*out = (struct coap_verdict){
		.accept = COAP_FORMAT_NONE, .content_format = COAP_FORMAT_NONE};
	if (read_options(m, out) && read_path(config, m, out) && find_route(config, m, out) &&
		read_accept(m, out) && (out->is_core || read_format(m, out)) && read_query(m, out))
		make_key(m, out);
}

/* ---- Links ---------------------------------------------------------------------------------- */

/* The path as it goes into a link: the short one when there is one, it costs less air. */
static void shorten(
	const struct coap_server_config *config, const char *path, char *out, size_t room)
{
	for (size_t i = 0; i < config->root_count; i++) {
		const struct coap_root *root = &config->roots[i];
		size_t len = strlen(root->path);

		if (root->short_path && strncmp(path, root->path, len) == 0 &&
			(path[len] == '/' || !path[len])) {
			snprintf(out, room, "%s%s", root->short_path, path + len);
			return;
		}
	}
	snprintf(out, room, "%s", path);
}

static bool matches(const struct coap_message *m, const struct core_link *l)
{
	const struct coap_option *o;

	for (size_t n = 0; (o = coap_message_find(m, COAP_OPT_URI_QUERY, n)) != NULL; n++)
		if (!core_link_matches(l, o->value))
			return false;
	return true;
}

/* `numbers` as "281 287"; nothing when there are none. */
static struct bytes format_list(const uint32_t *numbers, char *out, size_t room)
{
	size_t used = 0;

	for (; numbers && *numbers != COAP_FORMAT_NONE && used < room; numbers++)
		used += (size_t)snprintf(
			out + used, room - used, "%s%u", used ? " " : "", *numbers);
	return used ? bytes_of(out, used < room ? used : room - 1) : bytes_of(NULL, 0);
}

static bool put_link(const struct coap_server_config *config, const struct coap_message *m,
	const char *path, const char *rt, const uint32_t *formats, struct buf *out, struct err *e)
{
	char target[COAP_TARGET_MAX], ct[64];
	struct core_link l;

	shorten(config, path, target, sizeof(target));
	l = (struct core_link){.target = bytes_of_str(target),
		.rt = bytes_of_str(rt),
		.ct = format_list(formats, ct, sizeof(ct))};
	return !matches(m, &l) || core_link_put(&l, out, e);
}

bool coap_route_links(const struct coap_server_config *config, const struct coap_message *m,
	struct buf *out, struct err *e)
{
	for (size_t i = 0; i < config->root_count; i++)
		if (config->roots[i].rt && !put_link(config, m, config->roots[i].path,
						   config->roots[i].rt, NULL, out, e))
			return false;
	for (size_t i = 0; i < config->route_count; i++) {
		const struct coap_route *r = &config->routes[i];
		const uint32_t takes[] = {r->content_format, COAP_FORMAT_NONE};

		if (r->rt && !put_link(config, m, r->path, r->rt, r->produces ? r->produces : takes,
				     out, e))
			return false;
	}
	return true;
}
