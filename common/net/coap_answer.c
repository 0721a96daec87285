/* SPDX-License-Identifier: Apache-2.0 */
/* Answers on their way out: as one message, or the block that is asked for, with the options that
 * belong to it (RFC 7252 §5.10; RFC 7959 §2); piggybacked, separate or non-confirmable as the
 * request has it (RFC 7252 §5.2). */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/coap_exchange_impl.h"
#include "common/wire/coap_format.h"

#define MAX_RETRANSMIT 4 /* RFC 7252 §4.8 */
#define BUSY_MAX_AGE_S 5

/* What an answer may need beside its payload: header and token 12, ETag 9, Content-Format 3,
 * Max-Age 5, Block2 4, Block1 5, Size2 5, Size1 6, marker 1. */
#define ANSWER_HEAD_MAX 56

/* ---- Messages out --------------------------------------------------------------------------- */

static void expect_ack(struct coap_exchange *ex)
{
	int64_t first_ms = coap_peer_config(ex->peer)->limits.repeat_ms;

	ex->repeats_left = MAX_RETRANSMIT;
	ex->repeat_ms =
		first_ms + rng_below((uint32_t)first_ms / 2 + 1); /* ACK_RANDOM_FACTOR 1.5 */
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
	if (coap_message_format(m, &ex->answer, &e)) {
		coap_peer_send(ex->peer, buf_bytes(&ex->answer));
	} else {
		buf_wipe(&ex->answer); /* half a message must not answer a duplicate */
		ex->repeat_due_ms = INT64_MAX;
		log_err(coap_peer_config(ex->peer)->log, "reply-dropped", NULL, &e);
	}
	if (!is_worth_keeping(ex))
		coap_exchange_free(ex);
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

static void add_head(const struct coap_exchange *ex, const struct coap_reply *r,
	struct coap_message *m, struct scratch *s)
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
static void send_small(struct coap_exchange *ex, const struct coap_reply *r)
{
	struct coap_message m = {.payload = buf_bytes(&r->body)};
	struct scratch s = {.used = 0};

	add_head(ex, r, &m, &s);
	transmit(ex, &m);
}

void coap_answer_code(struct coap_exchange *ex, uint8_t code, const char *sentence)
{
	struct coap_reply r = {.code = code, .format = COAP_FORMAT_NONE};
	struct err e = ERR_INIT;

	buf_init(&r.body, COAP_DIAGNOSTIC_MAX);
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

void coap_answer_block(struct coap_exchange *ex, struct coap_held *h, const struct coap_reply *r)
{
	struct coap_message m = {.code = h->code};
	struct scratch s = {.used = 0};
	struct coap_block block;

	if (!choose_block(ex, buf_bytes(&h->body), &block, &m.payload)) {
		coap_answer_code(ex, COAP_BAD_REQUEST, "no such block");
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

static void send_whole(struct coap_exchange *ex, const struct coap_reply *r, const uint8_t *etag)
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

static void send_held(struct coap_exchange *ex, struct coap_reply *r, const uint8_t *etag)
{
	struct err e = ERR_INIT;
	struct coap_held *h =
		coap_transfers_hold(&ex->peer->exchanges.transfers, ex->key, &r->body, &e);

	if (!h) {
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
		return;
	}
	h->code = r->code;
	h->format = r->format;
	h->until_ms = clock_mono_ms() + coap_peer_config(ex->peer)->limits.body_ms;
	memcpy(h->etag, etag, COAP_ETAG_LEN);
	coap_answer_block(ex, h, r);
}

/* Whatever a handler has answered. The body may be taken from it. Frees ex, or keeps it. */
void coap_answer(struct coap_exchange *ex, struct coap_reply *r)
{
	bool asked = ex->has_block2;
	bool content = COAP_CODE_CLASS(r->code) == 2 && r->body.len > 0;
	uint8_t digest[SHA256_LEN];
	struct err e = ERR_INIT;

	if (!content) {
		send_small(ex, r);
	} else if (!digest_sha256(buf_bytes(&r->body), digest, &e)) {
		coap_answer_code(ex, COAP_UNAVAILABLE, NULL);
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

void coap_answer_too_large(struct coap_exchange *ex, size_t max)
{
	struct coap_reply r = {.code = COAP_TOO_LARGE,
		.format = COAP_FORMAT_NONE,
		.has_size1 = true,
		.size1 = (uint32_t)max};

	send_small(ex, &r);
}
