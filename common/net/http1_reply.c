/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of HTTP/1.1 answers. The head is collected whole, then taken apart line by line;
 * the body is one of three framings (RFC 9112 §6.3): sized, chunked, or until the connection ends.
 * A head with two framings, or with one of them twice, is refused: that is how answers get
 * smuggled behind each other. */
#include "common/net/http1_reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct framing {
	bool has_length, chunked;
	uint64_t length;
};

void http1_reply_init(struct http1_reply *r, size_t body_max)
{
	memset(r, 0, sizeof(*r));
	buf_init(&r->body, body_max);
	buf_init(&r->line, HTTP1_REPLY_HEAD_MAX);
}

void http1_reply_clear(struct http1_reply *r)
{
	buf_clear(&r->body);
	buf_clear(&r->line);
}

/* ---- The head ------------------------------------------------------------------------------- */

static bool parse_status_line(struct http1_reply *r, const char *line, struct err *e)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
		line[8] != ' ' || strspn(line + 9, "0123456789") != 3 ||
		(line[12] != ' ' && line[12] != '\0'))
		return err_set(e, ERR_PEER, "not an HTTP/1.1 answer");
	r->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	if (r->status < 100 || r->status > 599)
		return err_set(e, ERR_PEER, "status %d does not exist", r->status);
	r->keep_alive = line[7] == '1';
	return true;
}

/* Digits only, no sign, no list, bounded. */
static bool parse_length(const char *value, uint64_t *out, struct err *e)
{
	size_t digits = strspn(value, "0123456789");

	if (digits == 0 || digits > 18 || value[digits] != '\0')
		return err_set(e, ERR_PEER, "Content-Length is not a number");
	*out = 0;
	for (size_t i = 0; i < digits; i++)
		*out = *out * 10 + (uint64_t)(value[i] - '0');
	return true;
}

static bool take_framing(struct http1_reply *r, struct framing *f, const char *name,
	const char *value, struct err *e)
{
	if (strcasecmp(name, "Content-Length") == 0) {
		if (f->has_length)
			return err_set(e, ERR_PEER, "two Content-Length headers");
		f->has_length = true;
		return parse_length(value, &f->length, e);
	}
	if (strcasecmp(name, "Transfer-Encoding") == 0) {
		if (f->chunked || strcasecmp(value, "chunked") != 0)
			return err_set(e, ERR_PEER, "a transfer coding other than chunked");
		f->chunked = true;
	}
	if (strcasecmp(name, "Connection") == 0 && strcasestr(value, "close"))
		r->keep_alive = false;
	return true;
}

static void keep(char *slot, size_t size, const char *value)
{
	if (strlen(value) < size)
		memcpy(slot, value, strlen(value) + 1);
}

static void keep_field(struct http1_reply *r, const char *name, const char *value)
{
	const struct {
		const char *name;
		char *slot;
		size_t size;
	} kept[] = {
		{"Content-Type", r->content_type, sizeof(r->content_type)},
		{"Location", r->location, sizeof(r->location)},
		{"Retry-After", r->retry_after, sizeof(r->retry_after)},
		{"Date", r->date, sizeof(r->date)},
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strcasecmp(name, kept[i].name) == 0)
			keep(kept[i].slot, kept[i].size, value);
}

#define TOKEN "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool parse_field(struct http1_reply *r, struct framing *f, char *line, struct err *e)
{
	size_t name_len = strspn(line, TOKEN), value_len;
	char *value = line + name_len + 1;

	if (name_len == 0 || line[name_len] != ':')
		return err_set(e, ERR_PEER, "a header line is malformed");
	line[name_len] = '\0';
	value += strspn(value, " \t");
	value_len = strlen(value);
	while (value_len > 0 && strchr(" \t", value[value_len - 1]))
		value[--value_len] = '\0';
	for (const char *c = value; *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return err_set(e, ERR_PEER, "a control character in a header");
	keep_field(r, line, value);
	return take_framing(r, f, line, value, e);
}

/* Split at CRLF and nothing else; the head ends with an empty line. */
static bool parse_head_lines(struct http1_reply *r, struct framing *f, struct err *e)
{
	char *line = (char *)r->line.data, *end;

	if (memchr(line, '\0', r->line.len))
		return err_set(e, ERR_PEER, "a NUL in the head");
	for (bool first = true;; first = false) {
		end = strstr(line, "\r\n");
		*end = '\0';
		if (!*line)
			return !first || err_set(e, ERR_PEER, "not an HTTP/1.1 answer");
		if (strpbrk(line, "\r\n"))
			return err_set(e, ERR_PEER, "a bare CR or LF in the head");
		if (!(first ? parse_status_line(r, line, e) : parse_field(r, f, line, e)))
			return false;
		line = end + 2;
	}
}

static bool choose_framing(struct http1_reply *r, const struct framing *f, struct err *e)
{
	if (f->chunked && f->has_length)
		return err_set(e, ERR_PEER, "both Content-Length and Transfer-Encoding");
	if (f->has_length && f->length > r->body.max)
		return err_set(e, ERR_PEER, "answer larger than %zu octets", r->body.max);
	if (r->status == 204 || r->status == 304 || (f->has_length && f->length == 0))
		r->state = HTTP1_REPLY_DONE;
	else if (f->chunked)
		r->state = HTTP1_REPLY_CHUNK_SIZE;
	else
		r->state = f->has_length ? HTTP1_REPLY_SIZED : HTTP1_REPLY_UNTIL_EOF;
	r->left = f->length;
	if (r->state == HTTP1_REPLY_UNTIL_EOF)
		r->keep_alive = false;
	return true;
}

static bool take_head(struct http1_reply *r, struct err *e)
{
	struct framing f = {.has_length = false};

	if (!parse_head_lines(r, &f, e))
		return false;
	buf_clear(&r->line);
	if (r->status >= 200)
		return choose_framing(r, &f, e);
	if (r->status == 101 || ++r->interim > HTTP1_INTERIM_MAX || f.has_length || f.chunked)
		return err_set(e, ERR_PEER, "interim answer %d is not expected", r->status);
	return true;
}

/* Collect octets until `end` is seen; *complete says so. */
static bool collect(struct http1_reply *r, struct bytes in, const char *end, size_t max,
	size_t *used, bool *complete, struct err *e)
{
	size_t end_len = strlen(end);

	for (*complete = false; *used < in.len && !*complete; ++*used) {
		if (r->line.len == max || !buf_append(&r->line, in.data + *used, 1, e))
			return err_set(e, ERR_PEER, "head or chunk line over %zu octets", max);
		*complete = r->line.len >= end_len &&
			    memcmp(r->line.data + r->line.len - end_len, end, end_len) == 0;
	}
	return true;
}

static bool feed_head(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	bool complete;

	if (!collect(r, in, "\r\n\r\n", HTTP1_REPLY_HEAD_MAX, used, &complete, e))
		return false;
	return !complete || take_head(r, e);
}

/* ---- The body ------------------------------------------------------------------------------- */

static bool take_body(struct http1_reply *r, struct bytes in, size_t n, size_t *used, struct err *e)
{
	if (!buf_append(&r->body, in.data + *used, n, e))
		return err_set(e, e->kind == ERR_TOO_LARGE ? ERR_PEER : e->kind,
			"answer larger than %zu octets", r->body.max);
	*used += n;
	return true;
}

static bool feed_counted(struct http1_reply *r, struct bytes in, enum http1_reply_state next,
	size_t *used, struct err *e)
{
	size_t n = in.len - *used;

	if (n > r->left)
		n = (size_t)r->left;
	if (!take_body(r, in, n, used, e))
		return false;
	r->left -= n;
	if (r->left == 0)
		r->state = next;
	return true;
}

/* Hexadecimal, then perhaps an extension, which is ignored (RFC 9112 §7.1.1). */
static bool take_chunk_size(struct http1_reply *r, struct err *e)
{
	const char *line = buf_str(&r->line);
	size_t digits = strspn(line, "0123456789abcdefABCDEF");
	bool extension = line[digits] == ';' || line[digits] == ' ' || line[digits] == '\t';

	if (digits == 0 || digits > 8 || (!extension && strcmp(line + digits, "\r\n") != 0))
		return err_set(e, ERR_PEER, "a chunk's size is malformed");
	r->left = 0;
	for (size_t i = 0; i < digits; i++)
		r->left = r->left * 16 +
			  (uint64_t)(line[i] <= '9' ? line[i] - '0' : (line[i] | 0x20) - 'a' + 10);
	r->state = r->left ? HTTP1_REPLY_CHUNK : HTTP1_REPLY_TRAILER;
	buf_clear(&r->line);
	return true;
}

static bool feed_chunk_size(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	bool complete;

	if (!collect(r, in, "\r\n", HTTP1_REPLY_LINE_MAX, used, &complete, e))
		return false;
	return !complete || take_chunk_size(r, e);
}

static bool feed_chunk_end(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	static const char crlf[] = "\r\n";

	assert(r->line.len < 2);
	if (in.data[*used] != (uint8_t)crlf[r->line.len] ||
		!buf_append(&r->line, in.data + *used, 1, e))
		return err_set(e, ERR_PEER, "a chunk does not end where it said");
	++*used;
	if (r->line.len == 2) {
		buf_clear(&r->line);
		r->state = HTTP1_REPLY_CHUNK_SIZE;
	}
	return true;
}

/* Trailers are dropped; the whole section counts against the head's limit. */
static bool feed_trailer(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	bool complete;
	size_t start = r->left; /* where in the section the current line begins */

	if (!collect(r, in, "\r\n", HTTP1_REPLY_HEAD_MAX, used, &complete, e))
		return false;
	if (!complete)
		return true;
	if (r->line.len == start + 2)
		r->state = HTTP1_REPLY_DONE;
	r->left = r->line.len;
	return true;
}

static bool feed_some(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	switch (r->state) {
	case HTTP1_REPLY_HEAD:
		return feed_head(r, in, used, e);
	case HTTP1_REPLY_SIZED:
		return feed_counted(r, in, HTTP1_REPLY_DONE, used, e);
	case HTTP1_REPLY_UNTIL_EOF:
		return take_body(r, in, in.len - *used, used, e);
	case HTTP1_REPLY_CHUNK_SIZE:
		return feed_chunk_size(r, in, used, e);
	case HTTP1_REPLY_CHUNK:
		return feed_counted(r, in, HTTP1_REPLY_CHUNK_END, used, e);
	case HTTP1_REPLY_CHUNK_END:
		return feed_chunk_end(r, in, used, e);
	case HTTP1_REPLY_TRAILER:
		return feed_trailer(r, in, used, e);
	case HTTP1_REPLY_DONE:
		break;
	}
	return true;
}

bool http1_reply_feed(struct http1_reply *r, struct bytes in, size_t *used, struct err *e)
{
	*used = 0;
	while (*used < in.len && r->state != HTTP1_REPLY_DONE)
		if (!feed_some(r, in, used, e))
			return false;
	return true;
}

bool http1_reply_end(struct http1_reply *r, struct err *e)
{
	if (r->state == HTTP1_REPLY_UNTIL_EOF)
		r->state = HTTP1_REPLY_DONE;
	return r->state == HTTP1_REPLY_DONE ||
	       err_set(e, ERR_PEER, "the connection ended in the middle of the answer");
}
