/* SPDX-License-Identifier: Apache-2.0 */
/* https URIs as BRSKI uses them (RFC 3986, RFC 9110 §4.2), coaps ones for registrars (RFC 7252
 * §6.2), and http ones for signed objects. */
#ifndef WIRE_URI_H
#define WIRE_URI_H

#include "common/base/buf.h"

#define URI_HOST_MAX 255
#define URI_PATH_MAX 512
#define URI_ZONE_MAX 15 /* an interface's name (IF_NAMESIZE - 1) */

enum uri_scheme {
	URI_HTTPS,
	URI_HTTP,  /* only uri_parse_web() gives such a one */
	URI_COAPS, /* only uri_parse_server() and uri_parse_upstream() */
	URI_JPY,   /* only uri_parse_upstream() */
};

struct uri {
	enum uri_scheme scheme;
	/* without the brackets of an IPv6 literal; uri_parse_server() may leave "%eth0" at its end
	 */
	char host[URI_HOST_MAX + 1];
	bool host_is_ip;
	bool host_is_ipv6;
	uint16_t port;		     /* 443 when not given (http: 80, coaps: 5684, jpy: none) */
	char path[URI_PATH_MAX + 1]; /* begins with '/', or "" when the URI has none; query kept */
};

/* Parse an absolute https URI. Refused: other schemes, userinfo, fragment, control characters,
 * space, empty host, port 0 or above 65535. */
bool uri_parse(const char *text, struct uri *out, struct err *e) MUST_CHECK;
/* As uri_parse(), but http is allowed, too: for objects that carry their own signature, such as the
 * revocation lists that certificates point to (RFC 5280 §4.2.1.13). */
bool uri_parse_web(const char *text, struct uri *out, struct err *e) MUST_CHECK;
/* As uri_parse(), but coaps is allowed, too, and a zone in a link-local address (RFC 6874,
 * "[fe80::1%25eth0]"; it stays in host, as "fe80::1%eth0"): for the servers that a configuration
 * names, or that were found on the link. */
bool uri_parse_server(const char *text, struct uri *out, struct err *e) MUST_CHECK;
/* As uri_parse_server(), but jpy is allowed, too: a registrar's port for stateless join proxies
 * (draft-ietf-anima-constrained-join-proxy §4.4, §5.1.1), which has no default (row J-11). */
bool uri_parse_upstream(const char *text, struct uri *out, struct err *e) MUST_CHECK;
/* "https", "http", "coaps" or "jpy". */
const char *uri_scheme_name(enum uri_scheme scheme);
/* Parse "host", "host:port" or "[v6]:port" alone. */
bool uri_parse_authority(const char *text, struct uri *out, struct err *e) MUST_CHECK;
/* Resolve a Location header against the request's URI: absolute https URI or absolute path. */
bool uri_resolve(
	const struct uri *base, const char *location, struct uri *out, struct err *e) MUST_CHECK;
/* Same scheme, host (case-insensitive) and port (RFC 6454). */
bool uri_same_origin(const struct uri *a, const struct uri *b);
/* Put "SCHEME://host:port" in front of an error, an IPv6 address in brackets. Always false. */
bool uri_blame(const struct uri *u, struct err *e);
/* Append "SCHEME://host[:port]" (port left out when it is the scheme's own), then the path. */
bool uri_format(const struct uri *u, struct buf *out, struct err *e) MUST_CHECK;

#endif
