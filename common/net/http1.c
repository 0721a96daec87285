/* SPDX-License-Identifier: Apache-2.0 */
/* The states a request goes through: empty lines, head, body by length or by chunks, trailer, done.
 * Each state is one function in a table; it takes octets and says whether it is content. Fed one
 * octet at a time it gives the same verdict as fed all at once: the head is taken apart only when
 * it is complete, and everything before that is judged octet by octet. RFC 9112 §2.2, §6, §7. */
#include "common/net/http1.h"

#include <stdlib.h>
#include <string.h>

#include "common/net/http1_head.h"
#include "common/wire/hex.h"

#define EMPTY_LINES_MAX	    2	/* before a request line: libest sends one after each body */
#define CHUNK_DIGITS_MAX    8	/* 4 GiB: beyond any body_max */
#define CHUNK_EXTENSION_MAX 256 /* nobody uses them; they must be skipped all the same */

enum state {
	ST_START,
	ST_HEAD,
	ST_BODY_START, /* the caller may set body_max now */
	ST_LENGTH,
	ST_CHUNK_SIZE,
	ST_CHUNK_EXTENSION,
	ST_CHUNK_DATA,
	ST_CHUNK_END,
	ST_TRAILER,
	ST_DONE,
	ST_BAD,
};

struct http1 {
	enum state state;
	size_t head_max;
	struct buf head;
	struct buf body;
	struct http1_request request;
	struct http1_framing framing;
	uint64_t left; /* octets of the body or chunk to come */
	size_t body_max;
	size_t line_len; /* octets of the present line, without CR */
	size_t small;	 /* empty lines, head lines, chunk digits, trailer octets */
	bool after_cr;
	int bad_status;
	struct err bad;
};

enum verdict { GO_ON, MORE, EVENT_HEADERS, EVENT_DONE, REFUSED };

/* What is left of the octets given to http1_feed(). */
struct input {
	const uint8_t *p, *end;
};

static enum verdict refuse(struct http1 *p, int status, const char *why)
{
	p->bad_status = status;
	err_set(&p->bad, status == 400 ? ERR_INPUT : ERR_TOO_LARGE, "HTTP/1.1: %s", why);
	return REFUSED;
}

static enum verdict refuse_oom(struct http1 *p)
{
	p->bad_status = 503;
	return REFUSED;
}

static enum verdict enter(struct http1 *p, enum state s)
{
	p->state = s;
	p->line_len = 0;
	p->small = 0;
	p->after_cr = false;
	return GO_ON;
}

/* One octet of a line: CR and LF come as a pair or not at all, other controls but HTAB never. */
enum line { LINE_BAD, LINE_CR, LINE_END, LINE_OCTET };

static enum line line_octet(struct http1 *p, uint8_t c)
{
	if (p->after_cr) {
		p->after_cr = false;
		return c == '\n' ? LINE_END : LINE_BAD;
	}
	if (c == '\r') {
		p->after_cr = true;
		return LINE_CR;
	}
	if ((c < 0x20 && c != '\t') || c == 0x7f)
		return LINE_BAD;
	p->line_len++;
	return LINE_OCTET;
}

/* RFC 9112 §2.2: a server ignores at least one empty line before the request line. */
static enum verdict on_start(struct http1 *p, struct input *in)
{
	uint8_t c = *in->p;

	if (!p->after_cr && c != '\r')
		return enter(p, ST_HEAD);
	in->p++;
	if (line_octet(p, c) == LINE_BAD)
		return refuse(p, 400, "stray line end before the request");
	if (c == '\n' && ++p->small > EMPTY_LINES_MAX)
		return refuse(p, 400, "too many empty lines before the request");
	return MORE;
}

static enum verdict head_complete(struct http1 *p)
{
	if (!http1_head_parse(
		    (char *)p->head.data, &p->request, &p->framing, &p->bad_status, &p->bad))
		return REFUSED;
	enter(p, ST_BODY_START);
	return EVENT_HEADERS;
}

/* Which line was too long? A request line gets its own status (RFC 9110 §15.5.15). */
static enum verdict refuse_head_size(struct http1 *p)
{
	return p->small == 0 ? refuse(p, 414, "request line too long")
			     : refuse(p, 431, "header fields too large");
}

static enum verdict on_head(struct http1 *p, struct input *in)
{
	const uint8_t *from = in->p;
	size_t room = p->head.max - p->head.len;
	bool complete = false;

	while (in->p < in->end && !complete) {
		bool was_empty = p->line_len == 0;

		if ((size_t)(in->p - from) == room)
			return refuse_head_size(p);
		switch (line_octet(p, *in->p++)) {
		case LINE_BAD:
			return refuse(p, 400, "stray control character");
		case LINE_END:
			complete = was_empty;
			p->line_len = 0;
			p->small++;
			break;
		case LINE_CR:
		case LINE_OCTET:
			break;
		}
	}
	if (!buf_append(&p->head, from, (size_t)(in->p - from), &p->bad))
		return refuse_oom(p);
	return complete ? head_complete(p) : MORE;
}

/* body_max is known now. */
static enum verdict on_body_start(struct http1 *p, struct input *in)
{
	buf_clear(&p->body);
	p->body.max = p->body_max;
	if (p->framing.chunked)
		return enter(p, ST_CHUNK_SIZE);
	if (p->framing.length > p->body_max)
		return refuse(p, 413, "body larger than this resource takes");
	p->left = p->framing.length;
	enter(p, p->left ? ST_LENGTH : ST_DONE);
	return p->left ? GO_ON : EVENT_DONE;
}

static enum verdict keep_body(struct http1 *p, struct input *in)
{
	size_t n = (size_t)(in->end - in->p);

	if (n > p->left)
		n = (size_t)p->left;
	if (!buf_append(&p->body, in->p, n, &p->bad))
		return p->bad.kind == ERR_TOO_LARGE
			       ? refuse(p, 413, "body larger than this resource takes")
			       : refuse_oom(p);
	in->p += n;
	p->left -= n;
	return GO_ON;
}

static enum verdict on_length(struct http1 *p, struct input *in)
{
	enum verdict v = keep_body(p, in);

	if (v != GO_ON || p->left)
		return v == GO_ON ? MORE : v;
	enter(p, ST_DONE);
	return EVENT_DONE;
}

static enum verdict on_chunk_size(struct http1 *p, struct input *in)
{
	int digit = hex_digit((char)*in->p);

	if (digit < 0) {
		bool none = p->small == 0;

		enter(p, ST_CHUNK_EXTENSION);
		if (none || (*in->p != '\r' && *in->p != ';'))
			return refuse(p, 400, "malformed chunk size");
		return GO_ON;
	}
	if (p->small++ == 0)
		p->left = 0;
	if (p->small > CHUNK_DIGITS_MAX)
		return refuse(p, 413, "chunk too large");
	p->left = p->left * 16 + (uint64_t)digit;
	in->p++;
	return MORE;
}

/* The rest of a chunk's first line. */
static enum verdict on_chunk_extension(struct http1 *p, struct input *in)
{
	switch (line_octet(p, *in->p++)) {
	case LINE_BAD:
		return refuse(p, 400, "stray control character in a chunk extension");
	case LINE_END:
		if (p->left > p->body_max - p->body.len)
			return refuse(p, 413, "body larger than this resource takes");
		return enter(p, p->left ? ST_CHUNK_DATA : ST_TRAILER);
	case LINE_CR:
	case LINE_OCTET:
		break;
	}
	if (p->line_len > CHUNK_EXTENSION_MAX)
		return refuse(p, 400, "chunk extension too long");
	return MORE;
}

static enum verdict on_chunk_data(struct http1 *p, struct input *in)
{
	enum verdict v = keep_body(p, in);

	if (v != GO_ON || p->left)
		return v == GO_ON ? MORE : v;
	return enter(p, ST_CHUNK_END);
}

static enum verdict on_chunk_end(struct http1 *p, struct input *in)
{
	enum line l = line_octet(p, *in->p++);

	if (l == LINE_END)
		return enter(p, ST_CHUNK_SIZE);
	return l == LINE_CR ? MORE : refuse(p, 400, "chunk longer than its size");
}

/* Trailer fields are skipped, within the limit of the head (RFC 9110 §6.5.1 allows it). */
static enum verdict on_trailer(struct http1 *p, struct input *in)
{
	bool was_empty = p->line_len == 0;

	if (++p->small > p->head_max)
		return refuse(p, 431, "trailer fields too large");
	switch (line_octet(p, *in->p++)) {
	case LINE_BAD:
		return refuse(p, 400, "stray control character in a trailer");
	case LINE_END:
		p->line_len = 0;
		if (!was_empty)
			return MORE;
		enter(p, ST_DONE);
		return EVENT_DONE;
	case LINE_CR:
	case LINE_OCTET:
		break;
	}
	return MORE;
}

typedef enum verdict state_fn(struct http1 *p, struct input *in);

static state_fn *const steps[] = {
	[ST_START] = on_start,
	[ST_HEAD] = on_head,
	[ST_BODY_START] = on_body_start,
	[ST_LENGTH] = on_length,
	[ST_CHUNK_SIZE] = on_chunk_size,
	[ST_CHUNK_EXTENSION] = on_chunk_extension,
	[ST_CHUNK_DATA] = on_chunk_data,
	[ST_CHUNK_END] = on_chunk_end,
	[ST_TRAILER] = on_trailer,
};

struct http1 *http1_new(size_t header_block_max, struct err *e)
{
	struct http1 *p = mem_new(sizeof(*p), e);

	if (!p)
		return NULL;
	p->head_max = header_block_max;
	buf_init(&p->head, header_block_max);
	http1_reset(p);
	return p;
}

void http1_free(struct http1 *p)
{
	if (!p)
		return;
	buf_clear(&p->head);
	buf_wipe(&p->body);
	free(p);
}

void http1_reset(struct http1 *p)
{
	enter(p, ST_START);
	buf_clear(&p->head);
	buf_wipe(&p->body);
	p->body_max = 0;
	p->request = (struct http1_request){.header_count = 0};
}

void http1_set_body_max(struct http1 *p, size_t body_max)
{
	p->body_max = body_max;
}

static enum http1_event report(struct http1 *p, enum verdict v, int *status, struct err *e)
{
	switch (v) {
	case EVENT_HEADERS:
		return HTTP1_HEADERS;
	case EVENT_DONE:
		return HTTP1_DONE;
	case REFUSED:
		p->state = ST_BAD;
		*status = p->bad_status;
		*e = p->bad;
		return HTTP1_BAD;
	case GO_ON:
	case MORE:
		break;
	}
	return HTTP1_NEED_MORE;
}

enum http1_event http1_feed(
	struct http1 *p, struct bytes in, size_t *used, int *status, struct err *e)
{
	struct input left = {in.data, in.data + in.len};
	enum verdict v = GO_ON;

	if (p->state == ST_BAD)
		v = REFUSED;
	/* the end of the headers needs no further octet to be the end of the request */
	while (p->state < ST_DONE && (v == GO_ON || v == MORE) &&
		(left.p < left.end || p->state == ST_BODY_START))
		v = steps[p->state](p, &left);
	*used = (size_t)(left.p - in.data);
	return p->state == ST_DONE ? HTTP1_DONE : report(p, v, status, e);
}

const struct http1_request *http1_request(const struct http1 *p)
{
	return &p->request;
}

struct bytes http1_body(const struct http1 *p)
{
	return buf_bytes(&p->body);
}

void http1_take_body(struct http1 *p, struct buf *out)
{
	buf_clear(out);
	*out = p->body;
	buf_init(&p->body, 0);
}

bool http1_started(const struct http1 *p)
{
	return p->state != ST_START;
}
