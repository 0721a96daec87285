/* SPDX-License-Identifier: Apache-2.0 */
/* URIs, as they come out of an IDevID's MASA URL extension, a Location header or a configuration
 * file (RFC 3986; RFC 6874; RFC 7252 §6.2; RFC 9110 §4.2.2). What a URI names decides where we
 * connect, so everything that different parsers read differently is refused: user information,
 * backslashes, host names that end in a number, percent-encoded hosts.
 */
#include "common/wire/uri.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_DIGITS 5
#define ZONE_MARK   "%25"

static const struct {
	const char *name;
	uint16_t port;
} schemes[] = {
	[URI_HTTPS] = {"https", 443},
	[URI_HTTP] = {"http", 80},
	[URI_COAPS] = {"coaps", 5684},
	[URI_JPY] = {"jpy", 0},
};

const char *uri_scheme_name(enum uri_scheme scheme)
{
	return schemes[scheme].name;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The WHATWG reading: a name whose last label is a number is meant as an address, and resolvers
 * take "127.1" and "0x7f000001" as one. */
static bool ends_in_number(const char *host)
{
	const char *last = strrchr(host, '.');
	last = last ? last + 1 : host;
	if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
		return true;
	return last[strspn(last, "0123456789")] == '\0';
}

static bool check_name(const char *host, struct err *e)
{
	if (host[0] == '.' || host[0] == '-' || strstr(host, ".."))
		return err_set(e, ERR_INPUT, "URI: host \"%s\" is not a name", host);
	for (const char *p = host; *p; p++)
		if (!is_alnum(*p) && !strchr("-._", *p))
			return err_set(
				e, ERR_INPUT, "URI: character 0x%02x in the host", (uint8_t)*p);
	if (ends_in_number(host))
		return err_set(e, ERR_INPUT, "URI: host \"%s\" is neither name nor address", host);
	return true;
}

/* "fe80::1%25eth0" becomes "fe80::1%eth0", as the resolver reads it. A zone is a name on this
 * machine only, so no URI that a stranger wrote has one. */
static bool settle_zone(char *mark, struct err *e)
{
	const char *zone = mark + strlen(ZONE_MARK);
	size_t len;

	if (strncmp(mark, ZONE_MARK, strlen(ZONE_MARK)) != 0)
		return err_set(e, ERR_INPUT, "URI: a zone is written %%25 and its name");
	len = strlen(zone);
	if (len == 0 || len > URI_ZONE_MAX)
		return err_set(e, ERR_INPUT, "URI: zone of %zu characters", len);
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(zone[i]) && !strchr("-._~", zone[i]))
			return err_set(e, ERR_INPUT, "URI: character 0x%02x in the zone",
				(uint8_t)zone[i]);
	memmove(mark + 1, zone, len + 1);
	return true;
}

static bool set_ipv6(struct uri *out, bool zoned, struct err *e)
{
	char *mark = zoned ? strchr(out->host, '%') : NULL;
	struct in6_addr v6;

	if (mark && !settle_zone(mark, e))
		return false;
	if (mark)
		*mark = '\0';
	if (inet_pton(AF_INET6, out->host, &v6) != 1)
		return err_set(e, ERR_INPUT, "URI: not an IPv6 address in brackets");
	if (mark && !IN6_IS_ADDR_LINKLOCAL(&v6))
		return err_set(e, ERR_INPUT, "URI: a zone with an address that needs none");
	if (zoned && !mark && IN6_IS_ADDR_LINKLOCAL(&v6))
		return err_set(e, ERR_INPUT,
			"URI: a link-local address needs its interface, as in [%s%seth0]",
			out->host, ZONE_MARK);
	if (mark)
		*mark = '%';
	out->host_is_ip = out->host_is_ipv6 = true;
	return true;
}

static bool set_host(
	struct uri *out, const char *text, size_t len, bool bracketed, bool zoned, struct err *e)
{
	struct in_addr v4;
	if (len == 0)
		return err_set(e, ERR_INPUT, "URI: no host");
	if (len > URI_HOST_MAX)
		return err_set(e, ERR_INPUT, "URI: host of %zu octets", len);
	memcpy(out->host, text, len);
	out->host[len] = '\0';
	if (bracketed)
		return set_ipv6(out, zoned, e);
	out->host_is_ip = inet_pton(AF_INET, out->host, &v4) == 1;
	return out->host_is_ip || check_name(out->host, e);
}

static uint16_t default_port(const struct uri *u)
{
	return schemes[u->scheme].port;
}

static bool set_port(struct uri *out, const char *text, size_t len, struct err *e)
{
	uint32_t port = 0;
	if (len == 0 || len > PORT_DIGITS)
		return err_set(e, ERR_INPUT, "URI: port of %zu characters", len);
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return err_set(e, ERR_INPUT, "URI: port is not a number");
		port = port * 10 + (uint32_t)(text[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return err_set(e, ERR_INPUT, "URI: port %u", port);
	out->port = (uint16_t)port;
	return true;
}

/* host, host:port, [v6] or [v6]:port in text[0..len). */
static bool set_authority(struct uri *out, const char *text, size_t len, bool zoned, struct err *e)
{
	bool bracketed = len > 0 && text[0] == '[';
	const char *end = memchr(text, bracketed ? ']' : ':', len);
	if (memchr(text, '@', len))
		return err_set(e, ERR_INPUT, "URI: user information is not allowed");
	if (bracketed && !end)
		return err_set(e, ERR_INPUT, "URI: bracket without its end");
	size_t host_len = end ? (size_t)(end - text) : len;
	size_t used = bracketed ? host_len + 1 : host_len;
	if (!set_host(out, text + (bracketed ? 1 : 0), host_len - (bracketed ? 1 : 0), bracketed,
		    zoned, e))
		return false;
	out->port = default_port(out);
	if (used == len)
		return true;
	if (text[used] != ':')
		return err_set(e, ERR_INPUT, "URI: something between host and port");
	return set_port(out, text + used + 1, len - used - 1, e);
}

/* Path and query, as they go into a request line. */
static bool set_path(struct uri *out, const char *text, struct err *e)
{
	size_t len = strlen(text);
	bool query_only = text[0] == '?';
	if (len + query_only > URI_PATH_MAX)
		return err_set(e, ERR_INPUT, "URI: path of %zu octets", len);
	for (const char *p = text; *p; p++) {
		uint8_t c = (uint8_t)*p;
		if (c == '#')
			return err_set(e, ERR_INPUT, "URI: a fragment is not allowed");
		if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c))
			return err_set(e, ERR_INPUT, "URI: character 0x%02x in the path", c);
	}
	if (query_only)
		out->path[0] = '/';
	memcpy(out->path + query_only, text, len + 1);
	return true;
}

/* The rest of `text` behind "SCHEME://"; NULL when it has another one. */
static const char *after_scheme(const char *text, enum uri_scheme scheme)
{
	size_t len = strlen(schemes[scheme].name);

	return strncasecmp(text, schemes[scheme].name, len) == 0 &&
			       strncmp(text + len, "://", 3) == 0
		       ? text + len + 3
		       : NULL;
}

static bool parse(
	const char *text, enum uri_scheme scheme, bool zoned, struct uri *out, struct err *e)
{
	const char *authority = after_scheme(text, scheme);
	size_t len;

	*out = (struct uri){.scheme = scheme, .port = schemes[scheme].port};
	if (!authority)
		return err_set(e, ERR_INPUT, "URI: not an absolute %s URI", schemes[scheme].name);
	len = strcspn(authority, "/?#");
	return set_authority(out, authority, len, zoned, e) && set_path(out, authority + len, e);
}

bool uri_parse(const char *text, struct uri *out, struct err *e)
{
	return parse(text, URI_HTTPS, false, out, e);
}

bool uri_parse_web(const char *text, struct uri *out, struct err *e)
{
	if (!after_scheme(text, URI_HTTP) && !after_scheme(text, URI_HTTPS))
		return err_set(e, ERR_INPUT, "URI: begins neither with http:// nor with https://");
	return parse(text, after_scheme(text, URI_HTTP) ? URI_HTTP : URI_HTTPS, false, out, e);
}

bool uri_parse_server(const char *text, struct uri *out, struct err *e)
{
	if (!after_scheme(text, URI_COAPS) && !after_scheme(text, URI_HTTPS))
		return err_set(e, ERR_INPUT, "URI: begins neither with https:// nor with coaps://");
	return parse(text, after_scheme(text, URI_COAPS) ? URI_COAPS : URI_HTTPS, true, out, e);
}

bool uri_parse_upstream(const char *text, struct uri *out, struct err *e)
{
	if (!after_scheme(text, URI_JPY))
		return uri_parse_server(text, out, e);
	return parse(text, URI_JPY, true, out, e) &&
	       (out->port > 0 || err_set(e, ERR_INPUT, "URI: jpy needs a port"));
}

bool uri_parse_authority(const char *text, struct uri *out, struct err *e)
{
	*out = (struct uri){.scheme = URI_HTTPS, .port = schemes[URI_HTTPS].port};
	return set_authority(out, text, strlen(text), false, e);
}

bool uri_resolve(const struct uri *base, const char *location, struct uri *out, struct err *e)
{
	if (location[0] != '/')
		return uri_parse(location, out, e);
	if (location[1] == '/')
		return err_set(e, ERR_INPUT, "URI: a location without its scheme");
	struct uri resolved = *base;
	if (!set_path(&resolved, location, e))
		return false;
	*out = resolved;
	return true;
}

bool uri_same_origin(const struct uri *a, const struct uri *b)
{
	return a->scheme == b->scheme && a->port == b->port && a->host_is_ipv6 == b->host_is_ipv6 &&
	       strcasecmp(a->host, b->host) == 0;
}

bool uri_blame(const struct uri *u, struct err *e)
{
	return err_prefix(e, u->host_is_ipv6 ? "%s://[%s]:%u" : "%s://%s:%u",
		schemes[u->scheme].name, u->host, (unsigned)u->port);
}

static bool format_host(const struct uri *u, struct buf *out, struct err *e)
{
	const char *zone = u->host_is_ipv6 ? strchr(u->host, '%') : NULL;

	if (!u->host_is_ipv6)
		return buf_append_str(out, u->host, e);
	return buf_printf(out, e, "[%.*s%s%s]", (int)strcspn(u->host, "%"), u->host,
		zone ? ZONE_MARK : "", zone ? zone + 1 : "");
}

bool uri_format(const struct uri *u, struct buf *out, struct err *e)
{
	char port[PORT_DIGITS + 2] = "";
	if (u->port != default_port(u))
		snprintf(port, sizeof(port), ":%u", (unsigned)u->port);
	return buf_printf(out, e, "%s://", schemes[u->scheme].name) && format_host(u, out, e) &&
	       buf_printf(out, e, "%s%s", port, u->path);
}
