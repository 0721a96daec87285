/* SPDX-License-Identifier: Apache-2.0 */
/* Which handler serves a request, and what it is refused for before a handler sees it: 404, 405
 * with Allow, 413, 415, 501, or what the server's guard says (R8995-REG-014, ET-08). */
#ifndef NET_HTTP_ROUTE_H
#define NET_HTTP_ROUTE_H

#include "common/net/call_impl.h"
#include "common/net/http_server.h"

#define HTTP_ALLOW_MAX	 64
#define HTTP_DISCARD_MAX 65536 /* body of a refused request read so that its answer is, too */

struct http_verdict {
	const struct http_route *route; /* NULL: refused */
	struct http_refusal no;
	char allow[HTTP_ALLOW_MAX + 1]; /* with 405 */
};

/* Look at method, path and header fields, and ask the guard; the body has not been seen. */
void http_route_find(
	const struct http_server_config *config, struct call *c, struct http_verdict *out);
/* Enter the handler, or answer with what the verdict refuses it for. Afterwards the call belongs to
 * its handler or is gone. */
void http_route_dispatch(
	const struct http_server_config *config, const struct http_verdict *v, struct call *c);

#endif
