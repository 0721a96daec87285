/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with their handlers. A work is known by its digest, so that a request which comes again
 * as another message, because the peer was told to come later or did not wait, does not enter a
 * handler twice: see coap_exchange.c. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/coap_exchange_impl.h"
#include "common/wire/coap_format.h"

#define WORKS_MAX    4	    /* that one peer keeps handlers busy with, or has not fetched */
#define WORK_KEPT_MS 120000 /* an answer nobody waits for; no pledge stays away above 60 s */

void coap_work_free(struct coap_work *w)
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

/* ---- Handlers ------------------------------------------------------------------------------- */

static uint32_t seconds_of(const char *text)
{
	unsigned long n = text ? strtoul(text, NULL, 10) : 0;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void take_reply(struct coap_work *w, struct call *c)
{
	const char *type = http_fields_get(&c->reply.headers, "Content-Type");
	const char *later = http_fields_get(&c->reply.headers, "Retry-After");
	struct coap_reply *r = &w->reply;

	r->code = coap_code_from_status(c->reply.status, w->code == COAP_GET);
	r->format = coap_format_number(type);
	r->has_max_age = later && r->code == COAP_UNAVAILABLE;
	r->max_age_s = seconds_of(later);
	r->close = c->reply.close;
	r->body = c->reply.body;
	buf_init(&c->reply.body, 0);
	if (r->format == COAP_FORMAT_TEXT || COAP_CODE_CLASS(r->code) != 2) {
		r->format = COAP_FORMAT_NONE; /* a diagnostic payload (RFC 7252 §5.5.2) */
		r->body.len = bytes_cut_text(buf_bytes(&r->body), COAP_DIAGNOSTIC_MAX).len;
	}
}

/* The answer of a work that is finished, to the exchange that wants it. */
static void deliver(struct coap_work *w, struct coap_exchange *ex)
{
	struct coap_peer *p = w->peer;
	struct coap_reply r = w->reply;

	buf_init(&w->reply.body, 0);
	ex->work = NULL;
	w->waiter = NULL;
	coap_work_free(w);
	coap_answer(ex, &r);
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
		coap_work_free(w); /* who comes again may well be tried again */
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
	coap_work_free(w);
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
		coap_work_free(w);
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
		coap_answer_code(ex, COAP_UNAVAILABLE, "too many requests at once");
		return;
	}
	w = work_new(ex, digest, &e);
	c = w ? w->call : NULL;
	if (!w || !fill_call(w, v, body, &e)) {
		log_err(coap_peer_config(ex->peer)->log, "request-dropped", NULL, &e);
		if (w) {
			coap_work_free(w); /* detaches the call */
			call_free(c);
		}
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
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
void coap_work_execute(struct coap_exchange *ex, const struct coap_verdict *v, struct buf *body)
{
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;
	struct coap_work *w;

	if (!digest_request(ex, v, buf_bytes(body), digest, &e)) {
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
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
