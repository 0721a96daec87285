/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and their answers on one association.
 *
 * An exchange is one message with a request, known by its message id: when that comes again, what
 * was answered is sent again, and while nothing has been answered it is passed over (RFC 7252
 * §4.5). Kept are the last few exchanges that changed something; a peer repeats its latest one
 * (NSTART is 1), and repeating a GET does no harm.
 *
 * A work is one request with a handler, known by its digest. Usually an exchange waits for it.
 * When the answer takes long there are two ways to keep a peer from giving up (rows C-16, C-17):
 *
 *   - a request that came in blocks gets an empty ACK after ack_ms and later a separate response;
 *   - one that came in a single message does not: clients made with libcoap up to 4.3.4 drop a
 *     separate response in blocks unless they sent blocks themselves. Its ACK is held back, which
 *     costs the peer some repetitions, and after late_ms carries 5.03 with Max-Age. The handler
 *     works on, and when the same request comes again it gets that work's answer: neither a lost
 *     ACK nor a slow MASA makes two certificates of one CSR.
 *
 * Bodies in blocks are coap_transfer.c's. */
#include "common/net/coap_exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/coap_peer.h"
#include "common/net/coap_route.h"
#include "common/wire/coap_format.h"

/* RFC 7252 §4.8 */
#define MAX_RETRANSMIT	     4
#define EXCHANGE_LIFETIME_MS 247000

#define EXCHANGES_MAX 32 /* of one peer; it repeats the latest, and NSTART is 1 */
#define WORKS_MAX     4	 /* that one peer keeps handlers busy with, or has not fetched */
#define WORK_KEPT_MS                                                                               \
	120000 /* an answer nobody waits for; no pledge stays away longer than 60 s                \
		*/
#define BUSY_MAX_AGE_S 5
#define DIAGNOSTIC_MAX 100 /* octets; the reason is in our log */
#define ETAGS_MAX      4   /* that a request may name */
#define ANSWER_MAX     (DTLS_MTU_MAX + 64)
/* What an answer may need beside its payload: header and token 12, ETag 9, Content-Format 3,
 * Max-Age 5, Block2 4, Block1 5, Size2 5, Size1 6, marker 1. */
#define ANSWER_HEAD_MAX 56

struct etag {
	uint8_t octets[COAP_ETAG_LEN];
	size_t len;
};

/* What a work ends in. */
struct reply {
	uint8_t code;
	uint32_t format; /* COAP_FORMAT_NONE: no option */
	uint32_t max_age_s, size1;
	bool has_max_age, has_size1, close;
	struct buf body; /* wiped when freed */
};

struct coap_exchange {
	TAILQ_ENTRY(coap_exchange) link;
	struct coap_peer *peer;
	struct coap_work *work; /* waited for; NULL: answered */
	enum coap_type type;
	uint8_t code;
	uint16_t id;
	uint8_t token[COAP_TOKEN_MAX];
	size_t token_len;
	uint8_t key[SHA256_LEN]; /* of coap_route_find() */
	struct coap_block block1, block2;
	bool has_block1, has_block2, wants_size2;
	struct etag etags[ETAGS_MAX];
	size_t etag_count;
	int64_t begun_ms;
	int64_t ack_due_ms, late_due_ms; /* INT64_MAX: never */
	bool acked;			 /* with an empty ACK: the answer is separate */
	struct buf answer;		 /* the message that went out last; wiped when freed */
	/* a separate response that is not acknowledged yet */
	uint16_t own_id;
	unsigned repeats_left;
	int64_t repeat_ms, repeat_due_ms; /* INT64_MAX: acknowledged, or none */
};

struct coap_work {
	TAILQ_ENTRY(coap_work) link;
	struct coap_peer *peer;
	struct call *call;	      /* NULL: finished */
	struct coap_exchange *waiter; /* NULL: told to come later */
	uint8_t digest[SHA256_LEN];
	uint8_t code; /* of the request */
	struct reply reply;
	int64_t until_ms; /* of a finished one */
};

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- Beginning and end ---------------------------------------------------------------------- */

void coap_exchanges_init(struct coap_exchanges *x)
{
	struct err e = ERR_INIT;

	TAILQ_INIT(&x->list);
	TAILQ_INIT(&x->works);
	coap_transfers_init(&x->transfers);
	if (!rng_bytes(&x->next_id, sizeof(x->next_id), &e))
		x->next_id = 1; /* what matters is that they differ from each other */
}

static void exchange_free(struct coap_exchange *ex)
{
	struct coap_exchanges *x = &ex->peer->exchanges;

	TAILQ_REMOVE(&x->list, ex, link);
	x->count--;
	if (ex->work)
		ex->work->waiter = NULL;
	buf_wipe(&ex->answer);
	free(ex);
}

static void work_free(struct coap_work *w)
{
	struct coap_exchanges *x = &w->peer->exchanges;

	TAILQ_REMOVE(&x->works, w, link);
	x->work_count--;
	if (w->call)
		call_detach(w->call);
	if (w->waiter)
		w->waiter->work = NULL;
	buf_wipe(&w->reply.body);
	free(w);
}

void coap_exchanges_clear(struct coap_exchanges *x)
{
	while (!TAILQ_EMPTY(&x->works))
		work_free(TAILQ_FIRST(&x->works));
	while (!TAILQ_EMPTY(&x->list))
		exchange_free(TAILQ_FIRST(&x->list));
	coap_transfers_clear(&x->transfers);
}

size_t coap_exchanges_size(const struct coap_exchanges *x)
{
	const struct coap_exchange *ex;
	const struct coap_work *w;
	size_t n = coap_transfers_size(&x->transfers);

	TAILQ_FOREACH(ex, &x->list, link)
	n += sizeof(*ex) + ex->answer.cap;
	TAILQ_FOREACH(w, &x->works, link)
	n += sizeof(*w) + w->reply.body.cap + (w->call ? w->call->body.cap : 0);
	return n;
}

bool coap_exchanges_serving(const struct coap_exchanges *x)
{
	const struct coap_work *w;

	TAILQ_FOREACH(w, &x->works, link)
	if (w->call)
		return true;
	return false;
}

bool coap_exchanges_busy(const struct coap_exchanges *x)
{
	const struct coap_exchange *ex;

	TAILQ_FOREACH(ex, &x->list, link)
	if (ex->repeat_due_ms != INT64_MAX)
		return true;
	return !TAILQ_EMPTY(&x->works) || coap_transfers_busy(&x->transfers);
}

/* ---- Messages out --------------------------------------------------------------------------- */

/* ACK or RST without anything in it. */
static void send_empty(struct coap_peer *p, enum coap_type type, uint16_t id)
{
	const struct coap_message m = {.type = type, .code = COAP_EMPTY, .id = id};
	struct buf out BUF_AUTO = BUF_INIT(16);
	struct err e = ERR_INIT;

	if (coap_message_format(&m, &out, &e))
		coap_peer_send(p, buf_bytes(&out));
}

static void expect_ack(struct coap_exchange *ex)
{
	int64_t first_ms = coap_peer_config(ex->peer)->limits.repeat_ms;

	ex->repeats_left = MAX_RETRANSMIT;
	ex->repeat_ms = first_ms + rng_below((uint32_t)first_ms / 2); /* ACK_RANDOM_FACTOR 1.5 */
	ex->repeat_due_ms = clock_mono_ms() + ex->repeat_ms;
}

/* Type and message id that the answer goes out with. */
static void address(struct coap_exchange *ex, struct coap_message *m)
{
	memcpy(m->token, ex->token, ex->token_len);
	m->token_len = ex->token_len;
	if (ex->type == COAP_CON && !ex->acked) {
		m->type = COAP_ACK;
		m->id = ex->id;
		return;
	}
	m->type = ex->type;
	m->id = ex->own_id = ex->peer->exchanges.next_id++;
	if (m->type == COAP_CON)
		expect_ack(ex);
}

/* What repeating it would change is remembered, the rest is over. */
static bool is_worth_keeping(const struct coap_exchange *ex)
{
	return ex->code != COAP_GET || ex->repeat_due_ms != INT64_MAX;
}

static void transmit(struct coap_exchange *ex, struct coap_message *m)
{
	struct err e = ERR_INIT;

	if (ex->work)
		ex->work->waiter = NULL;
	ex->work = NULL;
	ex->ack_due_ms = ex->late_due_ms = INT64_MAX;
	address(ex, m);
	buf_wipe(&ex->answer);
	if (coap_message_format(m, &ex->answer, &e))
		coap_peer_send(ex->peer, buf_bytes(&ex->answer));
	else
		log_err(coap_peer_config(ex->peer)->log, "reply-dropped", NULL, &e);
	if (!is_worth_keeping(ex))
		exchange_free(ex);
}

struct scratch { /* of option values */
	uint8_t octets[6][4];
	size_t used;
};

static void add(struct coap_message *m, uint16_t number, struct bytes value)
{
	struct err e = ERR_INIT;

	if (!coap_message_add(m, number, value, &e))
		m->code = COAP_INTERNAL; /* cannot be: there is room for four times as many */
}

static void add_uint(struct coap_message *m, struct scratch *s, uint16_t number, uint32_t value)
{
	add(m, number, coap_uint(value, s->octets[s->used++]));
}

static void add_block(
	struct coap_message *m, struct scratch *s, uint16_t number, const struct coap_block *block)
{
	add(m, number, coap_block_value(block, s->octets[s->used++]));
}

static void add_head(const struct coap_exchange *ex, const struct reply *r, struct coap_message *m,
	struct scratch *s)
{
	struct coap_block block1 = ex->block1;

	m->code = r->code;
	if (r->format != COAP_FORMAT_NONE)
		add_uint(m, s, COAP_OPT_CONTENT_FORMAT, r->format);
	if (r->has_max_age)
		add_uint(m, s, COAP_OPT_MAX_AGE, r->max_age_s);
	if (r->has_size1)
		add_uint(m, s, COAP_OPT_SIZE1, r->size1);
	block1.more = r->code == COAP_CONTINUE;
	/* beside 4.13 it would mean "try smaller blocks" (RFC 7959 §2.9.3) */
	if (ex->has_block1 && r->code != COAP_TOO_LARGE)
		add_block(m, s, COAP_OPT_BLOCK1, &block1);
}

/* ---- Answers -------------------------------------------------------------------------------- */

/* An answer that fits into one message whatever happens. Frees ex, or keeps it. */
static void send_small(struct coap_exchange *ex, const struct reply *r)
{
	struct coap_message m = {.payload = buf_bytes(&r->body)};
	struct scratch s = {.used = 0};

	add_head(ex, r, &m, &s);
	transmit(ex, &m);
}

static void send_code(struct coap_exchange *ex, uint8_t code, const char *sentence)
{
	struct reply r = {.code = code, .format = COAP_FORMAT_NONE};
	struct err e = ERR_INIT;

	buf_init(&r.body, DIAGNOSTIC_MAX);
	r.has_max_age = code == COAP_UNAVAILABLE;
	r.max_age_s = BUSY_MAX_AGE_S;
	if (sentence && !buf_append_str(&r.body, sentence, &e))
		buf_clear(&r.body);
	send_small(ex, &r);
	buf_clear(&r.body);
}

static size_t room_for(const struct coap_exchange *ex)
{
	return dtls_plaintext_max(ex->peer->dtls);
}

/* The block of `body` that is asked for, in a size that fits into a record (row B-12). */
static bool choose_block(const struct coap_exchange *ex, struct bytes body, struct coap_block *out,
	struct bytes *slice)
{
	uint8_t szx = coap_block_szx_for(room_for(ex), ANSWER_HEAD_MAX);

	*out = ex->block2;
	if (!ex->has_block2)
		out->szx = szx;
	if (out->szx > szx) { /* the same offset, counted in smaller blocks */
		out->num <<= out->szx - szx;
		out->szx = szx;
	}
	return coap_block_slice(body, out->num, out->szx, slice, &out->more);
}

static void send_block(struct coap_exchange *ex, struct coap_held *h, const struct reply *r)
{
	struct coap_message m = {.code = h->code};
	struct scratch s = {.used = 0};
	struct coap_block block;

	if (!choose_block(ex, buf_bytes(&h->body), &block, &m.payload)) {
		send_code(ex, COAP_BAD_REQUEST, "no such block");
		return;
	}
	add_head(ex, r, &m, &s);
	add(&m, COAP_OPT_ETAG, bytes_of(h->etag, sizeof(h->etag)));
	add_block(&m, &s, COAP_OPT_BLOCK2, &block);
	if (ex->wants_size2 || block.num == 0)
		add_uint(&m, &s, COAP_OPT_SIZE2, (uint32_t)h->body.len);
	h->fetched = h->fetched || !block.more;
	transmit(ex, &m);
}

static bool shows(const struct coap_exchange *ex, const uint8_t etag[COAP_ETAG_LEN])
{
	for (size_t i = 0; i < ex->etag_count; i++)
		if (ex->etags[i].len == COAP_ETAG_LEN &&
			memcmp(ex->etags[i].octets, etag, COAP_ETAG_LEN) == 0)
			return true;
	return false;
}

static void send_whole(struct coap_exchange *ex, const struct reply *r, const uint8_t *etag)
{
	struct coap_message m = {.payload = buf_bytes(&r->body)};
	struct scratch s = {.used = 0};

	add_head(ex, r, &m, &s);
	if (etag)
		add(&m, COAP_OPT_ETAG, bytes_of(etag, COAP_ETAG_LEN));
	if (ex->wants_size2)
		add_uint(&m, &s, COAP_OPT_SIZE2, (uint32_t)r->body.len);
	transmit(ex, &m);
}

static void send_held(struct coap_exchange *ex, struct reply *r, const uint8_t *etag)
{
	struct err e = ERR_INIT;
	struct coap_held *h =
		coap_transfers_hold(&ex->peer->exchanges.transfers, ex->key, &r->body, &e);

	if (!h) {
		send_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	h->code = r->code;
	h->format = r->format;
	h->until_ms = clock_mono_ms() + coap_peer_config(ex->peer)->limits.body_ms;
	memcpy(h->etag, etag, COAP_ETAG_LEN);
	send_block(ex, h, r);
}

/* Whatever a handler has answered. The body may be taken from it. Frees ex, or keeps it. */
static void send_reply(struct coap_exchange *ex, struct reply *r)
{
	bool asked = ex->has_block2;
	bool content = COAP_CODE_CLASS(r->code) == 2 && r->body.len > 0;
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;

	if (!content) {
		send_small(ex, r);
	} else if (!digest_sha256(buf_bytes(&r->body), digest, &e)) {
		send_code(ex, COAP_UNAVAILABLE, NULL);
	} else if (r->code == COAP_CONTENT && shows(ex, digest)) {
		r->code = COAP_VALID;
		r->format = COAP_FORMAT_NONE;
		buf_wipe(&r->body);
		send_whole(ex, r, digest);
	} else if (!asked && r->body.len + ANSWER_HEAD_MAX <= room_for(ex)) {
		send_whole(ex, r, r->code == COAP_CONTENT ? digest : NULL);
	} else {
		send_held(ex, r, digest);
	}
}

/* ---- Handlers ------------------------------------------------------------------------------- */

/* The end of `text` that leaves no letter of UTF-8 cut. */
static size_t cut_text(struct bytes text, size_t max)
{
	size_t n = text.len < max ? text.len : max;

	while (n > 0 && n < text.len && (text.data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static uint32_t seconds_of(const char *text)
{
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void take_reply(struct coap_work *w, struct call *c)
{
	const char *type = http_fields_get(&c->reply.headers, "Content-Type");
	const char *later = http_fields_get(&c->reply.headers, "Retry-After");
	struct reply *r = &w->reply;

	r->code = coap_code_from_status(c->reply.status, w->code == COAP_GET);
	r->format = coap_format_number(type);
	r->has_max_age = later && r->code == COAP_UNAVAILABLE;
	r->max_age_s = seconds_of(later);
	r->close = c->reply.close;
	r->body = c->reply.body;
	buf_init(&c->reply.body, 0);
	if (r->format == COAP_FORMAT_TEXT || COAP_CODE_CLASS(r->code) != 2) {
		r->format = COAP_FORMAT_NONE; /* a diagnostic payload (RFC 7252 §5.5.2) */
		r->body.len = cut_text(buf_bytes(&r->body), DIAGNOSTIC_MAX);
	}
}

/* The answer of a work that is finished, to the exchange that wants it. */
static void deliver(struct coap_work *w, struct coap_exchange *ex)
{
	struct coap_peer *p = w->peer;
	struct reply r = w->reply;

	buf_init(&w->reply.body, 0);
	ex->work = NULL;
	w->waiter = NULL;
	work_free(w);
	send_reply(ex, &r);
	buf_wipe(&r.body);
	if (r.close)
		coap_peer_close_soon(p);
}

/* The carrier of calls. */
static void answered(void *arg, struct call *c)
{
	struct coap_work *w = arg;
	struct coap_peer *p = w->peer;

	take_reply(w, c);
	w->call = NULL;
	w->until_ms = clock_mono_ms() + WORK_KEPT_MS;
	if (w->waiter)
		deliver(w, w->waiter);
	else if (COAP_CODE_CLASS(w->reply.code) == 5)
		work_free(w); /* who comes again may well be tried again */
	coap_peer_settle(p);
}

static const struct call_carrier carrier = {.answered = answered};

static struct coap_work *work_new(
	struct coap_exchange *ex, const uint8_t digest[SHA256_LEN], struct err *e)
{
	struct coap_exchanges *x = &ex->peer->exchanges;
	struct coap_work *w = mem_new(sizeof(*w), e);

	if (!w)
		return NULL;
	w->peer = ex->peer;
	w->code = ex->code;
	memcpy(w->digest, digest, SHA256_LEN);
	TAILQ_INSERT_TAIL(&x->works, w, link);
	x->work_count++;
	w->call = coap_peer_new_call(ex->peer, &carrier, w, e);
	if (w->call)
		return w;
	work_free(w);
	return NULL;
}

static bool set_field(struct call *c, const char *name, uint32_t format, struct err *e)
{
	const char *type = coap_format_media_type(format);

	return !type || http_fields_add(&c->headers, bytes_of_str(name), bytes_of_str(type), e);
}

static bool fill_call(
	struct coap_work *w, const struct coap_verdict *v, struct buf *body, struct err *e)
{
	struct call *c = w->call;

	c->body = *body;
	buf_init(body, 0);
	return set_field(c, "Content-Type", v->content_format, e) &&
	       set_field(c, "Accept", v->accept, e) &&
	       call_begin(c, v->route->method, v->target, e);
}

static void await(struct coap_exchange *ex, struct coap_work *w)
{
	const struct coap_limits *l = &coap_peer_config(ex->peer)->limits;

	if (w->waiter)
		w->waiter->work = NULL; /* that message will get no answer any more */
	w->waiter = ex;
	ex->work = w;
	if (ex->type != COAP_CON)
		return;
	if (ex->has_block1)
		ex->ack_due_ms = ex->begun_ms + l->ack_ms;
	else
		ex->late_due_ms = ex->begun_ms + l->late_ms;
}

/* An answer that nobody has come for yet makes room; a handler's work does not. */
static bool make_room_for_work(struct coap_exchanges *x)
{
	struct coap_work *w;

	if (x->work_count < WORKS_MAX)
		return true;
	TAILQ_FOREACH(w, &x->works, link)
	if (!w->call) {
		work_free(w);
		return true;
	}
	return false;
}

/* Let the handler have it. Afterwards ex and the work may be gone. */
static void begin_work(struct coap_exchange *ex, const struct coap_verdict *v, struct buf *body,
	const uint8_t digest[SHA256_LEN])
{
	struct err e = ERR_INIT;
	struct coap_work *w;
	struct call *c;

	if (!make_room_for_work(&ex->peer->exchanges)) {
		send_code(ex, COAP_UNAVAILABLE, "too many requests at once");
		return;
	}
	w = work_new(ex, digest, &e);
	c = w ? w->call : NULL;
	if (!w || !fill_call(w, v, body, &e)) {
		log_err(coap_peer_config(ex->peer)->log, "request-dropped", NULL, &e);
		if (w) {
			work_free(w); /* detaches the call */
			call_free(c);
		}
		send_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	await(ex, w);
	call_start_clock(c);
	v->route->handler(c, coap_peer_config(ex->peer)->app);
}

static bool digest_request(const struct coap_exchange *ex, const struct coap_verdict *v,
	struct bytes body, uint8_t out[SHA256_LEN], struct err *e)
{
	uint8_t of_body[SHA256_LEN];
	struct buf all BUF_AUTO = BUF_INIT(2 * SHA256_LEN + sizeof(v->content_format));

	return digest_sha256(body, of_body, e) && buf_append(&all, ex->key, SHA256_LEN, e) &&
	       buf_append(&all, of_body, SHA256_LEN, e) &&
	       buf_append(&all, &v->content_format, sizeof(v->content_format), e) &&
	       digest_sha256(buf_bytes(&all), out, e);
}

static struct coap_work *find_work(struct coap_exchanges *x, const uint8_t digest[SHA256_LEN])
{
	struct coap_work *w;

	TAILQ_FOREACH(w, &x->works, link)
	if (memcmp(w->digest, digest, SHA256_LEN) == 0)
		return w;
	return NULL;
}

/* The request is whole: its answer is under way, or there already, or a handler's business. */
static void execute(struct coap_exchange *ex, const struct coap_verdict *v, struct buf *body)
{
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;
	struct coap_work *w;

	if (!digest_request(ex, v, buf_bytes(body), digest, &e)) {
		send_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	w = find_work(&ex->peer->exchanges, digest);
	if (!w) {
		begin_work(ex, v, body, digest);
	} else if (w->call) {
		await(ex, w);
	} else {
		deliver(w, ex);
	}
}

/* ---- Requests in ---------------------------------------------------------------------------- */

static void send_links(struct coap_exchange *ex, const struct coap_message *m)
{
	struct reply r = {.code = COAP_CONTENT, .format = COAP_FORMAT_LINK};
	struct err e = ERR_INIT;

	buf_init(&r.body, COAP_LINKS_MAX);
	if (coap_route_links(coap_peer_config(ex->peer), m, &r.body, &e))
		send_reply(ex, &r);
	else
		send_code(ex, COAP_UNAVAILABLE, NULL);
	buf_clear(&r.body);
}

static void send_too_large(struct coap_exchange *ex, size_t max)
{
	struct reply r = {.code = COAP_TOO_LARGE,
		.format = COAP_FORMAT_NONE,
		.has_size1 = true,
		.size1 = (uint32_t)max};

	send_small(ex, &r);
}

/* Uploads under one key but with another Request-Tag are two (RFC 9175 §3.3). */
static bool upload_key(const struct coap_exchange *ex, const struct coap_message *m,
	uint8_t out[SHA256_LEN], struct err *e)
{
	struct buf all BUF_AUTO = BUF_INIT(SHA256_LEN + COAP_MESSAGE_MAX);
	const struct coap_option *tag = coap_message_find(m, COAP_OPT_REQUEST_TAG, 0);

	return buf_append(&all, ex->key, SHA256_LEN, e) &&
	       (!tag || buf_append(&all, tag->value.data, tag->value.len, e)) &&
	       digest_sha256(buf_bytes(&all), out, e);
}

static void take_block(
	struct coap_exchange *ex, const struct coap_verdict *v, const struct coap_message *m)
{
	struct coap_transfers *t = &ex->peer->exchanges.transfers;
	int64_t deadline = ex->begun_ms + coap_peer_config(ex->peer)->limits.body_ms;
	struct buf whole BUF_AUTO_WIPE = BUF_INIT(0);
	uint8_t key[SHA256_LEN];
	struct err e = ERR_INIT;

	if (!upload_key(ex, m, key, &e)) {
		send_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	switch (coap_transfers_add(t, key, v->route->body_max, deadline, &ex->block1, m, &whole)) {
	case COAP_BODY_MORE:
		send_code(ex, COAP_CONTINUE, NULL);
		break;
	case COAP_BODY_COMPLETE:
		execute(ex, v, &whole);
		break;
	case COAP_BODY_GAP:
		send_code(ex, COAP_INCOMPLETE, "begin again with block 0");
		break;
	case COAP_BODY_TOO_LARGE:
		send_too_large(ex, v->route->body_max);
		break;
	}
}

static void take_whole(
	struct coap_exchange *ex, const struct coap_verdict *v, const struct coap_message *m)
{
	struct buf body BUF_AUTO_WIPE = BUF_INIT(v->route->body_max);
	struct err e = ERR_INIT;

	if (ex->code == COAP_GET || buf_append(&body, m->payload.data, m->payload.len, &e))
		execute(ex, v, &body);
	else if (e.kind == ERR_TOO_LARGE)
		send_too_large(ex, v->route->body_max);
	else
		send_code(ex, COAP_UNAVAILABLE, NULL);
}

/* A later block of an answer: of what was kept, or of a GET made once more. False: go on. */
static bool answer_from_held(struct coap_exchange *ex, const struct coap_message *m)
{
	struct coap_held *h = coap_transfers_held(&ex->peer->exchanges.transfers, ex->key);
	struct reply r = {.format = COAP_FORMAT_NONE};

	if (!ex->has_block2 || ex->block2.num == 0 || m->payload.len > 0)
		return false;
	ex->has_block1 = false; /* said with the body's last block already */
	if (h) {
		r.code = h->code;
		r.format = h->format;
		ex->code = COAP_GET; /* sending it again changes nothing */
		h->until_ms = ex->begun_ms + coap_peer_config(ex->peer)->limits.body_ms;
		send_block(ex, h, &r);
	} else if (ex->code != COAP_GET) {
		send_code(ex, COAP_INCOMPLETE, "nothing is kept of this answer");
	}
	return h || ex->code != COAP_GET;
}

static void log_refusal(const struct coap_exchange *ex, const struct coap_verdict *v)
{
	char code[5];

	log_event(coap_peer_config(ex->peer)->log, LOG_LEVEL_INFO, "request-refused", NULL, "peer",
		ex->peer->ref->peer.address, "path", v->target[0] ? v->target : NULL, "code",
		coap_code_text(v->code, code), "reason", v->sentence, NULL);
}

static void serve(struct coap_exchange *ex, const struct coap_message *m)
{
	struct coap_verdict v;

	coap_route_find(coap_peer_config(ex->peer), m, &v);
	memcpy(ex->key, v.key, sizeof(ex->key));
	if (!v.route && !v.is_core) {
		log_refusal(ex, &v);
		send_code(ex, v.code, v.sentence);
	} else if (answer_from_held(ex, m)) {
		return;
	} else if (v.is_core) {
		send_links(ex, m);
	} else if (ex->has_block1 && ex->code != COAP_GET) {
		take_block(ex, &v, m);
	} else {
		ex->has_block1 = false;
		take_whole(ex, &v, m);
	}
}

static void read_etags(struct coap_exchange *ex, const struct coap_message *m)
{
	const struct coap_option *o;

	for (size_t n = 0; n < ETAGS_MAX; n++) {
		o = coap_message_find(m, COAP_OPT_ETAG, n);
		if (!o)
			return;
		if (o->value.len > COAP_ETAG_LEN)
			continue; /* elective: what is malformed does not stand there */
		memcpy(ex->etags[ex->etag_count].octets, o->value.data, o->value.len);
		ex->etags[ex->etag_count++].len = o->value.len;
	}
}

/* Keep no more than the last few: of those nobody waits for, the oldest goes. */
static void make_room(struct coap_exchanges *x)
{
	struct coap_exchange *ex;

	if (x->count < EXCHANGES_MAX)
		return;
	TAILQ_FOREACH(ex, &x->list, link)
	if (!ex->work && ex->repeat_due_ms == INT64_MAX) {
		exchange_free(ex);
		return;
	}
	exchange_free(TAILQ_FIRST(&x->list));
}

static struct coap_exchange *exchange_new(struct coap_peer *p, const struct coap_message *m)
{
	struct coap_exchanges *x = &p->exchanges;
	struct coap_exchange *ex;

	make_room(x);
	ex = calloc(1, sizeof(*ex));
	if (!ex)
		return NULL; /* as if it had been lost */
	ex->peer = p;
	ex->type = m->type;
	ex->code = m->code;
	ex->id = m->id;
	memcpy(ex->token, m->token, m->token_len);
	ex->token_len = m->token_len;
	ex->begun_ms = clock_mono_ms();
	ex->ack_due_ms = ex->late_due_ms = ex->repeat_due_ms = INT64_MAX;
	buf_init(&ex->answer, ANSWER_MAX);
	read_etags(ex, m);
	ex->wants_size2 = coap_message_find(m, COAP_OPT_SIZE2, 0) != NULL;
	TAILQ_INSERT_TAIL(&x->list, ex, link);
	x->count++;
	return ex;
}

static struct coap_exchange *find_exchange(struct coap_exchanges *x, uint16_t id)
{
	int64_t oldest = clock_mono_ms() - EXCHANGE_LIFETIME_MS;
	struct coap_exchange *ex;

	TAILQ_FOREACH(ex, &x->list, link)
	if (ex->id == id && ex->begun_ms > oldest)
		return ex;
	return NULL;
}

/* It has been here before. */
static void repeat(struct coap_exchange *ex)
{
	if (ex->type != COAP_CON)
		return;
	if (ex->acked)
		send_empty(ex->peer, COAP_ACK, ex->id);
	else if (!ex->work && ex->answer.len)
		coap_peer_send(ex->peer, buf_bytes(&ex->answer));
}

static void receive_request(struct coap_peer *p, const struct coap_message *m)
{
	struct coap_exchange *ex = find_exchange(&p->exchanges, m->id);
	struct err e = ERR_INIT;

	if (ex) {
		repeat(ex);
		return;
	}
	if (p->close_ms)
		return; /* what comes after the last answer has no place to go */
	ex = exchange_new(p, m);
	if (!ex)
		return;
	if (coap_block_read(m, COAP_OPT_BLOCK1, &ex->has_block1, &ex->block1, &e) &&
		coap_block_read(m, COAP_OPT_BLOCK2, &ex->has_block2, &ex->block2, &e)) {
		serve(ex, m);
		return;
	}
	ex->has_block1 = ex->has_block2 = false;
	send_code(ex, coap_message_bad_option(m, true) ? COAP_BAD_OPTION : COAP_BAD_REQUEST,
		"malformed block option");
}

/* ACK or RST to a separate response: either way it has arrived. */
static void receive_ack(struct coap_exchanges *x, uint16_t id)
{
	struct coap_exchange *ex;

	TAILQ_FOREACH(ex, &x->list, link)
	if (ex->repeat_due_ms != INT64_MAX && ex->own_id == id) {
		ex->repeat_due_ms = INT64_MAX;
		buf_wipe(&ex->answer);
		return;
	}
}

void coap_exchanges_receive(struct coap_peer *p, struct bytes octets)
{
	struct coap_message m = {.type = COAP_NON};
	struct err e = ERR_INIT;
	bool good = coap_message_parse(octets, &m, &e);

	if (m.type == COAP_ACK || m.type == COAP_RST)
		receive_ack(&p->exchanges, m.id);
	else if (good && m.code != COAP_EMPTY && COAP_CODE_CLASS(m.code) == 0)
		receive_request(p, &m);
	else if (m.type == COAP_CON) /* a ping, a response to nothing, or broken (RFC 7252 §4.2) */
		send_empty(p, COAP_RST, m.id);
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void repeat_response(struct coap_exchange *ex, int64_t now_ms)
{
	if (ex->repeats_left-- == 0) {
		ex->repeat_due_ms = INT64_MAX;
		return;
	}
	coap_peer_send(ex->peer, buf_bytes(&ex->answer));
	ex->repeat_ms *= 2;
	ex->repeat_due_ms = now_ms + ex->repeat_ms;
}

/* May free ex. */
static int64_t exchange_on_time(struct coap_exchange *ex, int64_t now_ms)
{
	if (ex->late_due_ms <= now_ms) {
		send_code(ex, COAP_UNAVAILABLE, "not yet; ask again");
		return INT64_MAX;
	}
	if (ex->ack_due_ms <= now_ms) {
		ex->acked = true;
		ex->ack_due_ms = INT64_MAX;
		send_empty(ex->peer, COAP_ACK, ex->id);
	}
	if (ex->repeat_due_ms <= now_ms)
		repeat_response(ex, now_ms);
	return earlier(ex->repeat_due_ms, earlier(ex->ack_due_ms, ex->late_due_ms));
}

int64_t coap_exchanges_on_time(struct coap_peer *p, int64_t now_ms)
{
	struct coap_exchanges *x = &p->exchanges;
	int64_t due = coap_transfers_expire(&x->transfers, now_ms);
	struct coap_exchange *ex, *next;
	struct coap_work *w, *next_w;

	for (ex = TAILQ_FIRST(&x->list); ex; ex = next) {
		next = TAILQ_NEXT(ex, link);
		due = earlier(due, exchange_on_time(ex, now_ms));
	}
	for (w = TAILQ_FIRST(&x->works); w; w = next_w) {
		next_w = TAILQ_NEXT(w, link);
		if (!w->call && w->until_ms <= now_ms)
			work_free(w);
		else if (!w->call)
			due = earlier(due, w->until_ms);
	}
	return due;
}
