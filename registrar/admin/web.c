/* SPDX-License-Identifier: Apache-2.0 */
/* Pages out of the table of web_files.h. Browsers may keep them, but ask each time whether they
 * are still right (ETag, RFC 9110 §8.8.3), so that an update is seen at once. */
#include "registrar/admin/web.h"

#include <string.h>

#include "registrar/access/principal.h"
#include "registrar/registrar.h"

#define PAGE_POLICY                                                                                \
	"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "             \
	"frame-ancestors 'none'"
#define API_POLICY "default-src 'none'; frame-ancestors 'none'"

void admin_web_set_headers(struct call *c)
{
	call_set_header(c, "Cache-Control", "no-store");
	call_set_header(c, "Content-Security-Policy", API_POLICY);
	call_set_header(c, "X-Content-Type-Options", "nosniff");
	call_set_header(c, "Referrer-Policy", "no-referrer");
}

/* If-None-Match is a list of tags, or a star (RFC 9110 §13.1.2). */
static bool is_known(const struct call *c, const char *etag)
{
	const char *given = call_header(c, "If-None-Match");

	return given && (strcmp(given, "*") == 0 || strstr(given, etag));
}

static void web_serve(struct call *c, void *app)
{
	struct registrar *r = app;
	struct registrar_setup *s = registrar_setup_take(r);
	const struct web_file *f = s->admin.web ? web_files_find(s->admin.web, call_path(c)) : NULL;
	struct err e = ERR_INIT;

	if (!f) {
		err_set(&e, ERR_NOT_FOUND, "no page");
		call_reply_err(c, &r->log, "admin-failed", &e);
	} else {
		call_set_header(c, "Cache-Control", "no-cache");
		call_set_header(c, "Content-Security-Policy", PAGE_POLICY);
		call_set_header(c, "Cross-Origin-Opener-Policy", "same-origin");
		call_set_header(c, "ETag", f->etag);
		if (is_known(c, f->etag))
			call_reply(c, 304, NULL, bytes_of(NULL, 0));
		else
			call_reply(c, 200, f->type, buf_bytes(&f->content));
	}
	registrar_setup_free(s);
}

const struct http_route admin_web_route = {"GET", "/*", web_serve, 0, NULL, MAY_ENTER};
