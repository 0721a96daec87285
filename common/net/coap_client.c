/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of CoAP: what goes out again until it is answered (RFC 7252 §4.2, §4.8), which
 * message answers which (§4.5, §5.3.2), and the blocks of requests (RFC 7959 §2.3, §2.9) and
 * answers (§2.4). Every message has a token of its own, so that a late answer to an earlier block
 * cannot pass for one to the present. */
#include "common/net/coap_client_impl.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/wire/coap_format.h"

/* A message is repeated after 2 s at first (§4.8), then as RFC 6298 §2 says from what was measured,
 * never sooner than 1 s (RFC 8085 §3.1.1). The pause doubles up to a limit, because a join has a
 * deadline and only one message is ever on its way. */
#define REPEAT_FIRST_MS 2000
#define REPEAT_MIN_MS	1000
#define REPEAT_MAX_MS	8000

#define RESTARTS_MAX  3	   /* of one transfer: the peer may forget blocks, not every time */
#define UNBLOCKED_MAX 1024 /* octets of a body in one message (RFC 7252 §4.6) */

struct coap_client *coap_client_new(
	size_t plaintext_max, coap_transmit *transmit, void *arg, struct err *e)
{
	struct coap_client *c = mem_new(sizeof(*c), e);

	if (!c)
		return NULL;
	c->plaintext_max = plaintext_max;
	c->transmit = transmit;
	c->arg = arg;
	c->szx = COAP_SZX_MAX;
	buf_init(&c->message, COAP_MESSAGE_MAX);
	coap_body_init(&c->body, 0);
	if (rng_bytes(&c->id, sizeof(c->id), e) && rng_bytes(&c->token, sizeof(c->token), e) &&
		rng_bytes(c->tag, sizeof(c->tag), e))
		return c;
	coap_client_free(c);
	return NULL;
}

void coap_client_free(struct coap_client *c)
{
	if (!c)
		return;
	buf_wipe(&c->message);
	buf_wipe(&c->body.octets);
	free(c);
}

/* The request's end without an answer. */
static void fail(struct coap_client *c, const struct err *why)
{
	c->failure = *why;
	c->state = COAP_CLIENT_DONE;
	coap_body_clear(&c->body);
}

static void fail_with(struct coap_client *c, const char *why)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_PEER, "answer: %s", why);
	fail(c, &e);
}

/* ---- Repeating ------------------------------------------------------------------------------ */

static int64_t first_pause_ms(const struct coap_client *c)
{
	int64_t pause = c->srtt_ms ? c->srtt_ms + 4 * c->rttvar_ms : REPEAT_FIRST_MS;

	if (pause < REPEAT_MIN_MS)
		pause = REPEAT_MIN_MS;
	if (pause > REPEAT_MAX_MS)
		pause = REPEAT_MAX_MS;
	return pause + rng_below((uint32_t)pause / 2); /* ACK_RANDOM_FACTOR 1.5 */
}

/* RFC 6298 §2, and §3: what was sent more than once measures nothing. */
static void measure(struct coap_client *c, int64_t now_ms)
{
	int64_t rtt = now_ms - c->sent_ms > 0 ? now_ms - c->sent_ms : 1, off;

	if (c->acknowledged || c->sent != 1)
		return;
	if (c->srtt_ms == 0) {
		c->srtt_ms = rtt;
		c->rttvar_ms = rtt / 2;
		return;
	}
	off = rtt > c->srtt_ms ? rtt - c->srtt_ms : c->srtt_ms - rtt;
	c->rttvar_ms = (3 * c->rttvar_ms + off) / 4;
	c->srtt_ms = (7 * c->srtt_ms + rtt) / 8;
}

static bool is_waiting(const struct coap_client *c)
{
	return c->state == COAP_CLIENT_UPLOADING || c->state == COAP_CLIENT_DOWNLOADING;
}

static void send_again(struct coap_client *c, int64_t now_ms)
{
	c->transmit(c->arg, buf_bytes(&c->message));
	c->sent++;
	c->due_ms = now_ms + c->pause_ms;
	c->pause_ms = c->pause_ms * 2 > REPEAT_MAX_MS ? REPEAT_MAX_MS : c->pause_ms * 2;
}

int64_t coap_client_timeout_ms(const struct coap_client *c, int64_t now_ms)
{
	if (!is_waiting(c) || c->acknowledged)
		return -1;
	return c->due_ms > now_ms ? c->due_ms - now_ms : 0;
}

void coap_client_on_timeout(struct coap_client *c, int64_t now_ms)
{
	if (coap_client_timeout_ms(c, now_ms) == 0)
		send_again(c, now_ms);
}

/* ---- Sending requests ----------------------------------------------------------------------- */

static bool send_next(struct coap_client *c, int64_t now_ms, struct err *e)
{
	c->id++;
	c->token++;
	if (!coap_client_format(c, e))
		return false;
	c->acknowledged = false;
	c->sent = 0;
	c->sent_ms = now_ms;
	c->pause_ms = first_pause_ms(c);
	send_again(c, now_ms);
	return true;
}

static void go_on(struct coap_client *c, int64_t now_ms)
{
	struct err e = ERR_INIT;

	if (!send_next(c, now_ms, &e))
		fail(c, &e);
}

/* From the first block, as another transfer. */
static void start_over(struct coap_client *c, int64_t now_ms)
{
	c->state = COAP_CLIENT_UPLOADING;
	c->offset = 0;
	c->tag[0]++;
	coap_body_clear(&c->body);
	go_on(c, now_ms);
}

static bool may_start_over(struct coap_client *c)
{
	return c->restarts++ < RESTARTS_MAX;
}

bool coap_client_begin(
	struct coap_client *c, const struct coap_request *rq, int64_t now_ms, struct err *e)
{
	size_t head;
	uint8_t fits;

	if (is_waiting(c))
		return err_set(e, ERR_BUG, "a request is on its way already");
	c->state = COAP_CLIENT_IDLE;
	c->rq = *rq;
	c->restarts = 0;
	c->offset = 0;
	c->tag[1]++;
	coap_body_clear(&c->body);
	coap_body_init(&c->body, rq->reply_max);
	if (!coap_client_head_len(c, &head, e))
		return false;
	fits = coap_block_szx_for(c->plaintext_max, head);
	c->szx = fits < c->szx ? fits : c->szx;
	c->in_blocks = rq->body.len > UNBLOCKED_MAX || head + rq->body.len > c->plaintext_max;
	c->state = COAP_CLIENT_UPLOADING;
	if (send_next(c, now_ms, e))
		return true;
	c->state = COAP_CLIENT_IDLE;
	return false;
}

/* ---- Reading answers ------------------------------------------------------------------------ */

static void lower(struct coap_client *c, uint8_t szx)
{
	if (szx < c->szx)
		c->szx = szx;
}

/* 2.31: the server has this block and wants the next (§2.3). */
static void on_continue(
	struct coap_client *c, bool has_block1, const struct coap_block *block1, int64_t now_ms)
{
	if (!coap_client_has_more(c) || !has_block1 ||
		block1->num != (uint32_t)(c->offset >> (c->szx + 4))) {
		fail_with(c, "it asks to go on with something else");
		return;
	}
	c->offset += coap_client_part_len(c);
	lower(c, block1->szx);
	go_on(c, now_ms);
}

static struct bytes etag_of(const struct coap_message *m)
{
	const struct coap_option *o = coap_message_find(m, COAP_OPT_ETAG, 0);

	return o && o->value.len <= COAP_ETAG_MAX ? o->value : bytes_of(NULL, 0);
}

static void remember_head(struct coap_client *c, const struct coap_message *m)
{
	struct bytes etag = etag_of(m);

	c->code = m->code;
	c->etag_len = etag.len;
	if (etag.len)
		memcpy(c->etag, etag.data, etag.len);
	c->has_max_age = coap_message_uint(m, COAP_OPT_MAX_AGE, &c->max_age_s);
}

/* An answer that changes under way can be asked for anew when that does nothing (B-06). */
static void on_torn_answer(struct coap_client *c, const char *why, int64_t now_ms)
{
	if (c->rq.code == COAP_GET && may_start_over(c))
		start_over(c, now_ms);
	else
		fail_with(c, why);
}

static void add_to_answer(struct coap_client *c, const struct coap_message *m,
	const struct coap_block *block, int64_t now_ms)
{
	switch (coap_body_add(&c->body, block, m)) {
	case COAP_BODY_COMPLETE:
		c->state = COAP_CLIENT_DONE;
		break;
	case COAP_BODY_MORE:
		c->state = COAP_CLIENT_DOWNLOADING;
		lower(c, block->szx);
		go_on(c, now_ms);
		break;
	case COAP_BODY_GAP:
		on_torn_answer(c, "its blocks do not fit together", now_ms);
		break;
	case COAP_BODY_TOO_LARGE:
		fail_with(c, "larger than anything expected");
		break;
	case COAP_BODY_NO_MEMORY:
		fail_with(c, "no memory to keep it");
		break;
	}
}

static void on_first_block(struct coap_client *c, const struct coap_message *m,
	const struct coap_block *block, int64_t now_ms)
{
	if (block && block->num != 0) {
		fail_with(c, "it does not begin with its first block");
		return;
	}
	remember_head(c, m);
	add_to_answer(c, m, block, now_ms);
}

static void on_further_block(struct coap_client *c, const struct coap_message *m,
	const struct coap_block *block, int64_t now_ms)
{
	if (m->code != c->code || !block ||
		!bytes_equal(etag_of(m), bytes_of(c->etag, c->etag_len)))
		on_torn_answer(c, "it became another one between two blocks", now_ms);
	else if ((uint64_t)block->num << (block->szx + 4) != c->body.octets.len)
		on_torn_answer(c, "another block than the one asked for", now_ms);
	else
		add_to_answer(c, m, block, now_ms);
}

/* 4.13 with a smaller block size is an offer to try that (§2.9.3). */
static bool offers_smaller(
	const struct coap_client *c, bool has_block1, const struct coap_block *block1)
{
	return has_block1 && c->rq.body.len > COAP_BLOCK_OCTETS(block1->szx) &&
	       (!c->in_blocks || block1->szx < c->szx);
}

static void on_upload_answer(struct coap_client *c, const struct coap_message *m, bool has_block1,
	const struct coap_block *block1, const struct coap_block *block2, int64_t now_ms)
{
	if (m->code == COAP_CONTINUE) {
		on_continue(c, has_block1, block1, now_ms);
	} else if (m->code == COAP_INCOMPLETE && c->in_blocks) {
		if (may_start_over(c))
			start_over(c, now_ms);
		else
			fail_with(c, "the server loses blocks of the request");
	} else if (m->code == COAP_TOO_LARGE && offers_smaller(c, has_block1, block1) &&
		   may_start_over(c)) {
		c->in_blocks = true;
		lower(c, block1->szx);
		start_over(c, now_ms);
	} else if (COAP_CODE_CLASS(m->code) == 2 && coap_client_has_more(c)) {
		fail_with(c, "it came before the whole request had gone");
	} else {
		on_first_block(c, m, block2, now_ms);
	}
}

static void on_answer(struct coap_client *c, const struct coap_message *m, int64_t now_ms)
{
	struct coap_block block1, block2;
	struct err e = ERR_INIT;
	bool has1, has2;

	if (coap_message_bad_option(m, false) != 0)
		fail_with(c, "an option that must be understood and is not");
	else if (!coap_block_read(m, COAP_OPT_BLOCK1, &has1, &block1, &e) ||
		 !coap_block_read(m, COAP_OPT_BLOCK2, &has2, &block2, &e))
		fail_with(c, "a block option that none is");
	else if (c->state == COAP_CLIENT_DOWNLOADING)
		on_further_block(c, m, has2 ? &block2 : NULL, now_ms);
	else
		on_upload_answer(c, m, has1, &block1, has2 ? &block2 : NULL, now_ms);
}

/* ---- Messages ------------------------------------------------------------------------------- */

static void reply_empty(struct coap_client *c, enum coap_type type, uint16_t id)
{
	BUF_AUTO struct buf out = BUF_INIT(COAP_MESSAGE_MAX);
	struct coap_message m = {.type = type, .code = COAP_EMPTY, .id = id};
	struct err e = ERR_INIT;

	if (coap_message_format(&m, &out, &e))
		c->transmit(c->arg, buf_bytes(&out));
}

static bool was_seen(const struct coap_client *c, uint16_t id)
{
	for (size_t i = 0; i < c->seen_count && i < COAP_CLIENT_SEEN_MAX; i++)
		if (c->seen[i] == id)
			return true;
	return false;
}

static void on_empty(struct coap_client *c, const struct coap_message *m, int64_t now_ms)
{
	if (m->type == COAP_CON) /* "CoAP ping" (§4.3) */
		reply_empty(c, COAP_RST, m->id);
	else if (is_waiting(c) && m->id == c->id && m->type == COAP_RST)
		fail_with(c, "the server does not take the request");
	else if (is_waiting(c) && m->id == c->id && m->type == COAP_ACK) {
		measure(c, now_ms);
		c->acknowledged = true; /* the answer comes by itself (§5.2.2) */
	}
}

static bool answers_ours(const struct coap_client *c, const struct coap_message *m)
{
	return is_waiting(c) && COAP_CODE_CLASS(m->code) >= 2 &&
	       m->token_len == COAP_CLIENT_TOKEN_LEN && m->token[0] == (uint8_t)(c->token >> 8) &&
	       m->token[1] == (uint8_t)c->token && (m->type != COAP_ACK || m->id == c->id);
}

/* An answer that was taken before is acknowledged again; the first acknowledgement was lost. */
static void on_stray(struct coap_client *c, const struct coap_message *m)
{
	if (m->type == COAP_CON)
		reply_empty(c, was_seen(c, m->id) ? COAP_ACK : COAP_RST, m->id);
}

void coap_client_receive(struct coap_client *c, struct bytes message, int64_t now_ms)
{
	struct coap_message m;
	struct err e = ERR_INIT;

	if (!coap_message_parse(message, &m, &e)) {
		if (m.type == COAP_CON)
			reply_empty(c, COAP_RST, m.id);
	} else if (m.code == COAP_EMPTY) {
		on_empty(c, &m, now_ms);
	} else if (!answers_ours(c, &m)) {
		on_stray(c, &m);
	} else {
		if (m.type == COAP_CON) {
			c->seen[c->seen_count++ % COAP_CLIENT_SEEN_MAX] = m.id;
			reply_empty(c, COAP_ACK, m.id);
		}
		measure(c, now_ms);
		on_answer(c, &m, now_ms);
	}
}

bool coap_client_is_done(const struct coap_client *c)
{
	return c->state == COAP_CLIENT_DONE;
}

bool coap_client_take(struct coap_client *c, struct coap_answer *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (c->state != COAP_CLIENT_DONE)
		return err_set(e, ERR_BUG, "there is no answer yet");
	c->state = COAP_CLIENT_IDLE;
	if (c->failure.kind != ERR_NONE) {
		*e = c->failure;
		c->failure = (struct err)ERR_INIT;
		return false;
	}
	out->code = c->code;
	out->format = c->body.format;
	out->has_max_age = c->has_max_age;
	out->max_age_s = c->max_age_s;
	memcpy(out->etag, c->etag, c->etag_len);
	out->etag_len = c->etag_len;
	out->body = c->body.octets;
	coap_body_init(&c->body, 0);
	return true;
}
