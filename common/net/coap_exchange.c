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

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/coap_exchange_impl.h"
#include "common/wire/coap_format.h"

#define EXCHANGE_LIFETIME_MS 247000 /* RFC 7252 §4.8.2 */
#define EXCHANGES_MAX	     32	    /* of one peer; it repeats the latest, and NSTART is 1 */
#define ANSWER_MAX	     (DTLS_MTU_MAX + 64)

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

void coap_exchange_free(struct coap_exchange *ex)
{
	struct coap_exchanges *x = &ex->peer->exchanges;

	TAILQ_REMOVE(&x->list, ex, link);
	x->count--;
	if (ex->work)
		ex->work->waiter = NULL;
	buf_wipe(&ex->answer);
	free(ex);
}

void coap_exchanges_clear(struct coap_exchanges *x)
{
	struct coap_exchange *ex, *next;
	struct coap_work *w, *next_w;

	for (w = TAILQ_FIRST(&x->works); w; w = next_w) {
		next_w = TAILQ_NEXT(w, link);
		coap_work_free(w);
	}
	for (ex = TAILQ_FIRST(&x->list); ex; ex = next) {
		next = TAILQ_NEXT(ex, link);
		coap_exchange_free(ex);
	}
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

/* ACK or RST without anything in it. */
static void send_empty(struct coap_peer *p, enum coap_type type, uint16_t id)
{
	const struct coap_message m = {.type = type, .code = COAP_EMPTY, .id = id};
	struct buf out BUF_AUTO = BUF_INIT(16);
	struct err e = ERR_INIT;

	if (coap_message_format(&m, &out, &e))
		coap_peer_send(p, buf_bytes(&out));
}

/* ---- Requests in ---------------------------------------------------------------------------- */

static void send_links(struct coap_exchange *ex, const struct coap_message *m)
{
	struct coap_reply r = {.code = COAP_CONTENT, .format = COAP_FORMAT_LINK};
	struct err e = ERR_INIT;

	buf_init(&r.body, COAP_LINKS_MAX);
	if (coap_route_links(coap_peer_config(ex->peer), m, &r.body, &e))
		coap_answer(ex, &r);
	else
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
	buf_clear(&r.body);
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
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	switch (coap_transfers_add(t, key, v->route->body_max, deadline, &ex->block1, m, &whole)) {
	case COAP_BODY_MORE:
		coap_answer_code(ex, COAP_CONTINUE, NULL);
		break;
	case COAP_BODY_COMPLETE:
		coap_work_execute(ex, v, &whole);
		break;
	case COAP_BODY_GAP:
		coap_answer_code(ex, COAP_INCOMPLETE, "begin again with block 0");
		break;
	case COAP_BODY_TOO_LARGE:
		coap_answer_too_large(ex, v->route->body_max);
		break;
	case COAP_BODY_NO_MEMORY:
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
		break;
	}
}

static void take_whole(
	struct coap_exchange *ex, const struct coap_verdict *v, const struct coap_message *m)
{
	struct buf body BUF_AUTO_WIPE = BUF_INIT(v->route->body_max);
	struct err e = ERR_INIT;

	if (ex->code == COAP_GET || buf_append(&body, m->payload.data, m->payload.len, &e))
		coap_work_execute(ex, v, &body);
	else if (e.kind == ERR_TOO_LARGE)
		coap_answer_too_large(ex, v->route->body_max);
	else
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
}

/* A later block of an answer: of what was kept, or of a GET made once more. False: go on. */
static bool answer_from_held(struct coap_exchange *ex, const struct coap_message *m)
{
	struct coap_held *h = coap_transfers_held(&ex->peer->exchanges.transfers, ex->key);
	struct coap_reply r = {.format = COAP_FORMAT_NONE};

	if (!ex->has_block2 || ex->block2.num == 0 || m->payload.len > 0)
		return false;
	ex->has_block1 = false; /* said with the body's last block already */
	if (h) {
		r.code = h->code;
		r.format = h->format;
		ex->code = COAP_GET; /* sending it again changes nothing */
		h->until_ms = ex->begun_ms + coap_peer_config(ex->peer)->limits.body_ms;
		coap_answer_block(ex, h, &r);
	} else if (ex->code != COAP_GET) {
		coap_answer_code(ex, COAP_INCOMPLETE, "nothing is kept of this answer");
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
		coap_answer_code(ex, v.code, v.sentence);
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

	for (size_t n = 0; n < COAP_REQUEST_ETAGS_MAX; n++) {
		o = coap_message_find(m, COAP_OPT_ETAG, n);
		if (!o)
			return;
		if (o->value.len > COAP_ETAG_MAX)
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
		coap_exchange_free(ex);
		return;
	}
	coap_exchange_free(TAILQ_FIRST(&x->list));
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
	coap_answer_code(ex, coap_message_bad_option(m, true) ? COAP_BAD_OPTION : COAP_BAD_REQUEST,
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
		coap_answer_code(ex, COAP_UNAVAILABLE, "not yet; ask again");
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
			coap_work_free(w);
		else if (!w->call)
			due = earlier(due, w->until_ms);
	}
	return due;
}
