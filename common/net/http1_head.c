/* SPDX-License-Identifier: Apache-2.0 */
/* Request line and header fields (RFC 9112 §3, §5, §6; RFC 9110 §5.6). What two readers could
 * understand in two ways is refused: that is what request smuggling is made of. */
#include "common/net/http1_head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Beside letters and digits */
#define TCHAR	   "!#$%&'*+-.^_`|~"
#define HOST_CHARS "!$%&'()*+,-.:;=_~[]"

#define METHOD_MAX	  16 /* the longest registered method of general use has 9 letters */
#define LENGTH_DIGITS_MAX 18 /* below 2^63 whatever the digits */

/* How many letters, digits and `others` the text begins with. */
static size_t span(const char *s, const char *others)
{
	size_t n = 0;

	while (s[n] && (isalnum((unsigned char)s[n]) || strchr(others, s[n])))
		n++;
	return n;
}

static bool refuse(int code, const char *why, int *status, struct err *e)
{
	*status = code;
	return err_set(
		e, code == 413 || code == 431 ? ERR_TOO_LARGE : ERR_INPUT, "HTTP/1.1: %s", why);
}

/* The line at *p as a string; *p moves behind its CRLF. */
static char *take_line(char **p)
{
	char *line = *p;
	char *end = strstr(line, "\r\n");

	*end = '\0';
	*p = end + 2;
	return line;
}

static bool parse_version(const char *version, struct http1_request *rq, int *status, struct err *e)
{
	if (strncmp(version, "HTTP/", 5) != 0 || strlen(version) != 8 || version[6] != '.' ||
		version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9')
		return refuse(400, "malformed version", status, e);
	if (version[5] != '1')
		return refuse(505, "version not supported", status, e);
	rq->minor_version = version[7] == '0' ? 0 : 1;
	return true;
}

/* absolute-form "https://host/path" means "/path": there is one site here (RFC 9112 §3.2.2). */
static const char *origin_form(char *target)
{
	char *p;

	if (strncasecmp(target, "https://", 8) == 0)
		p = target + 8;
	else if (strncasecmp(target, "http://", 7) == 0)
		p = target + 7;
	else
		return target;
	p += strcspn(p, "/?");
	if (*p == '/')
		return p;
	if (*p == '\0')
		return "/";
	*--p = '/'; /* "https://host?query": the host's last letter makes room */
	return p;
}

static bool parse_target(char *target, struct http1_request *rq, int *status, struct err *e)
{
	for (const char *c = target; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#')
			return refuse(400, "character not allowed in the target", status, e);
	rq->target = origin_form(target);
	if (rq->target[0] != '/' && strcmp(rq->target, "*") != 0)
		return refuse(400, "target is not a path", status, e);
	return true;
}

static bool parse_request_line(char *line, struct http1_request *rq, int *status, struct err *e)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version || strchr(version + 1, ' '))
		return refuse(400, "malformed request line", status, e);
	*target++ = '\0';
	*version++ = '\0';
	rq->method = line;
	if (!*line || line[span(line, TCHAR)])
		return refuse(400, "malformed method", status, e);
	if (strlen(line) > METHOD_MAX)
		return refuse(501, "method not known", status, e);
	return parse_version(version, rq, status, e) && parse_target(target, rq, status, e);
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return s;
}

static bool parse_field(char *line, struct http1_request *rq, int *status, struct err *e)
{
	size_t name_len = span(line, TCHAR);

	if (*line == ' ' || *line == '\t')
		return refuse(400, "folded header line", status, e);
	if (name_len == 0 || line[name_len] != ':')
		return refuse(400, "malformed header line", status, e);
	if (rq->header_count == HTTP_HEADERS_MAX)
		return refuse(431, "too many header fields", status, e);
	line[name_len] = '\0';
	rq->headers[rq->header_count++] = (struct http_header){line, trim(line + name_len + 1)};
	return true;
}

/* The field's value, or NULL; *count says how many there are. */
static const char *field(const struct http1_request *rq, const char *name, size_t *count)
{
	const char *value = NULL;

	*count = 0;
	for (size_t i = 0; i < rq->header_count; i++)
		if (strcasecmp(rq->headers[i].name, name) == 0) {
			value = rq->headers[i].value;
			++*count;
		}
	return value;
}

static bool check_host(const struct http1_request *rq, int *status, struct err *e)
{
	size_t count;
	const char *host = field(rq, "Host", &count);

	if (count > 1 || (count == 0 && rq->minor_version > 0))
		return refuse(400, "not exactly one Host field", status, e);
	if (host && host[span(host, HOST_CHARS)])
		return refuse(400, "malformed Host field", status, e);
	return true;
}

/* Is `token` an element of this comma-separated list? */
static bool list_has(const char *list, const char *token)
{
	size_t len = strlen(token);

	while (*list) {
		size_t item = strcspn(list, ", \t");

		if (item == len && strncasecmp(list, token, len) == 0)
			return true;
		list += item;
		list += strspn(list, ", \t");
	}
	return false;
}

static bool wants_close(const struct http1_request *rq)
{
	if (rq->minor_version == 0)
		return true; /* one request a connection is what HTTP/1.0 is sure to understand */
	for (size_t i = 0; i < rq->header_count; i++)
		if (strcasecmp(rq->headers[i].name, "Connection") == 0 &&
			list_has(rq->headers[i].value, "close"))
			return true;
	return false;
}

static bool parse_length(const char *text, struct http1_framing *f, int *status, struct err *e)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits])
		return refuse(400, "malformed Content-Length", status, e);
	text += strspn(text, "0");
	if (strlen(text) > LENGTH_DIGITS_MAX)
		return refuse(413, "body too large", status, e);
	for (f->length = 0; *text; text++)
		f->length = f->length * 10 + (uint64_t)(*text - '0');
	return true;
}

/* Only one coding, chunked, is spoken. Others before a final chunked frame well but are not known
 * (501); anything else leaves open where the body ends (400). RFC 9112 §6.1. */
static bool parse_coding(const char *text, struct http1_framing *f, int *status, struct err *e)
{
	const char *last = strrchr(text, ',');

	f->chunked = true;
	if (strcasecmp(text, "chunked") == 0)
		return true;
	if (!last)
		return refuse(400, "transfer coding without a final chunked", status, e);
	last += 1 + strspn(last + 1, " \t");
	if (strcasecmp(last, "chunked") == 0 && strncasecmp(text, "chunked", 7) != 0)
		return refuse(501, "transfer coding not known", status, e);
	return refuse(400, "chunked is not the one final transfer coding", status, e);
}

static bool parse_framing(
	struct http1_request *rq, struct http1_framing *f, int *status, struct err *e)
{
	size_t codings, lengths;
	const char *coding = field(rq, "Transfer-Encoding", &codings);
	const char *length = field(rq, "Content-Length", &lengths);

	*f = (struct http1_framing){.chunked = false};
	if (codings + lengths > 1)
		return refuse(400, "the length of the body is given twice", status, e);
	if (coding && rq->minor_version == 0)
		return refuse(400, "transfer coding in HTTP/1.0", status, e);
	if (coding && !parse_coding(coding, f, status, e))
		return false;
	if (length && !parse_length(length, f, status, e))
		return false;
	rq->has_body = f->chunked || f->length > 0;
	return true;
}

static bool parse_expect(struct http1_request *rq, int *status, struct err *e)
{
	size_t count;
	const char *expect = field(rq, "Expect", &count);

	if (!expect || rq->minor_version == 0)
		return true;
	if (count > 1 || strcasecmp(expect, "100-continue") != 0)
		return refuse(417, "expectation not known", status, e);
	rq->expect_continue = rq->has_body;
	return true;
}

bool http1_head_parse(char *head, struct http1_request *rq, struct http1_framing *framing,
	int *status, struct err *e)
{
	char *next = head;

	*rq = (struct http1_request){.header_count = 0};
	if (!parse_request_line(take_line(&next), rq, status, e))
		return false;
	while (strncmp(next, "\r\n", 2) != 0)
		if (!parse_field(take_line(&next), rq, status, e))
			return false;
	rq->keep_alive = !wants_close(rq);
	return check_host(rq, status, e) && parse_framing(rq, framing, status, e) &&
	       parse_expect(rq, status, e);
}
