/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of CoAP on a clock and a link of the test's own: which messages leave, when
 * again, and what becomes of every kind of answer; then whole exchanges over links that lose,
 * double and reorder. */
#include "common/net/coap_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"

#define PLAINTEXT    1000 /* leaves blocks of 512 octets */
#define OUTBOX_MAX   64
#define DATAGRAM     1300
#define HEADS_MAX    100
#define BIG	     1700
#define IDS_MAX	     512
#define LINK_MAX     64
#define ROUND_TRIP   80
#define LONG_ENOUGH  600000
#define SERVER_TRIES 8

struct datagram {
	uint8_t octets[DATAGRAM];
	size_t len;
	bool to_server;
	int64_t due_ms; /* on the lossy link; 0: the place is free */
};

/* What a server says; a field left 0 is not said. */
struct said {
	enum coap_type type;
	uint8_t code;
	uint16_t id;
	const struct coap_block *block1, *block2;
	const char *etag, *payload;
	struct bytes part; /* instead of payload */
	bool has_max_age, has_format;
	uint32_t max_age_s, format, size2;
	uint16_t strange_option;
};

/* A server that does everything right, for the lossy link. */
struct server {
	uint8_t szx;   /* of its blocks */
	bool separate; /* answers after an empty acknowledgement */
	size_t answer_len;
	struct coap_body body;
	unsigned executed;
	uint16_t ids[IDS_MAX]; /* of requests seen, with what was said to each */
	struct datagram answers[IDS_MAX];
	size_t id_count;
	struct datagram unacknowledged; /* its separate answer … */
	int64_t again_ms;		/* … and when it goes out again; 0: there is none */
	uint16_t next_id;
};

struct world {
	struct coap_client *client;
	struct coap_request rq;
	struct coap_answer answer;
	struct err e;
	int64_t now_ms;
	struct datagram outbox[OUTBOX_MAX];
	size_t out_first, out_count;
	uint8_t sent[4096];

	/* the lossy link */
	bool on_link;
	unsigned lost_percent, doubled_percent;
	uint32_t random;
	struct datagram link[LINK_MAX];
	struct server server;
	unsigned messages; /* of the client */
};

static uint32_t roll(struct world *w)
{
	w->random = w->random * 1664525 + 1013904223;
	return w->random >> 8;
}

static void onto_link(struct world *w, struct bytes m, bool to_server)
{
	unsigned copies = roll(w) % 100 < w->doubled_percent ? 2 : 1;

	for (size_t i = 0; i < LINK_MAX && copies > 0; i++) {
		struct datagram *d = &w->link[i];

		if (d->due_ms != 0)
			continue;
		copies--;
		if (roll(w) % 100 < w->lost_percent)
			continue;
		memcpy(d->octets, m.data, m.len);
		d->len = m.len;
		d->to_server = to_server;
		d->due_ms = w->now_ms + 1 + roll(w) % ROUND_TRIP;
	}
}

static bool on_transmit(void *arg, struct bytes m)
{
	struct world *w = arg;
	struct datagram *d = &w->outbox[(w->out_first + w->out_count) % OUTBOX_MAX];

	assert_true(m.len <= DATAGRAM);
	w->messages++;
	if (w->on_link) {
		onto_link(w, m, true);
		return true;
	}
	assert_true(w->out_count < OUTBOX_MAX);
	memcpy(d->octets, m.data, m.len);
	d->len = m.len;
	w->out_count++;
	return true;
}

static void new_client(struct world *w, size_t plaintext_max)
{
	coap_client_free(w->client);
	w->client = coap_client_new(plaintext_max, on_transmit, w, &w->e);
	assert_non_null(w->client);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	for (size_t i = 0; i < sizeof(w->sent); i++)
		w->sent[i] = (uint8_t)(i * 7 + i / 256);
	w->now_ms = 1000000;
	w->rq = (struct coap_request){.code = COAP_POST,
		.path = "/.well-known/brski/requestvoucher",
		.content_format = COAP_FORMAT_VOUCHER_COSE,
		.accept = COAP_FORMAT_VOUCHER_COSE,
		.body = {w->sent, 100},
		.reply_max = 4096};
	new_client(w, PLAINTEXT);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	buf_clear(&w->answer.body);
	coap_body_clear(&w->server.body);
	coap_client_free(w->client);
	free(w);
	return 0;
}

/* ---- by hand ---- */

static void begin(struct world *w)
{
	assert_true(coap_client_begin(w->client, &w->rq, w->now_ms, &w->e));
}

static void begin_get(struct world *w)
{
	w->rq.code = COAP_GET;
	w->rq.path = "/.well-known/est/cacerts";
	w->rq.body = bytes_of(NULL, 0);
	w->rq.content_format = COAP_FORMAT_NONE;
	begin(w);
}

static void expect_nothing(struct world *w)
{
	assert_int_equal(w->out_count, 0);
}

/* The oldest message that left; valid until the outbox has gone round. */
static struct coap_message expect_message(struct world *w)
{
	struct datagram *d = &w->outbox[w->out_first];
	struct coap_message m;

	assert_true(w->out_count > 0);
	w->out_first = (w->out_first + 1) % OUTBOX_MAX;
	w->out_count--;
	assert_true(coap_message_parse(bytes_of(d->octets, d->len), &m, &w->e));
	return m;
}

static void expect_empty(struct world *w, enum coap_type type, uint16_t id)
{
	struct coap_message m = expect_message(w);

	assert_int_equal(m.type, type);
	assert_int_equal(m.code, COAP_EMPTY);
	assert_int_equal(m.id, id);
}

static void must_add(struct coap_message *m, uint16_t number, struct bytes value)
{
	struct err e = ERR_INIT;

	assert_true(coap_message_add(m, number, value, &e));
}

static void format_said(const struct coap_message *rq, const struct said *s, struct datagram *out)
{
	BUF_AUTO struct buf octets = BUF_INIT(DATAGRAM);
	struct coap_message m = {.type = s->type, .code = s->code, .id = s->id};
	uint8_t block1[4], block2[4], age[4], format[4], size2[4];
	struct err e = ERR_INIT;

	memcpy(m.token, rq->token, sizeof(m.token));
	m.token_len = rq->token_len;
	if (s->block1)
		must_add(&m, COAP_OPT_BLOCK1, coap_block_value(s->block1, block1));
	if (s->block2)
		must_add(&m, COAP_OPT_BLOCK2, coap_block_value(s->block2, block2));
	if (s->etag)
		must_add(&m, COAP_OPT_ETAG, bytes_of_str(s->etag));
	if (s->has_max_age)
		must_add(&m, COAP_OPT_MAX_AGE, coap_uint(s->max_age_s, age));
	if (s->has_format)
		must_add(&m, COAP_OPT_CONTENT_FORMAT, coap_uint(s->format, format));
	if (s->size2)
		must_add(&m, COAP_OPT_SIZE2, coap_uint(s->size2, size2));
	if (s->strange_option)
		must_add(&m, s->strange_option, bytes_of_str("?"));
	m.payload = s->payload ? bytes_of_str(s->payload) : s->part;
	assert_true(coap_message_format(&m, &octets, &e));
	memcpy(out->octets, octets.data, octets.len);
	out->len = octets.len;
}

static void say(struct world *w, const struct coap_message *rq, const struct said *s)
{
	struct datagram d = {.len = 0};

	format_said(rq, s, &d);
	coap_client_receive(w->client, bytes_of(d.octets, d.len), w->now_ms);
}

/* In the acknowledgement. */
static void answer(struct world *w, const struct coap_message *rq, struct said s)
{
	s.type = COAP_ACK;
	s.id = rq->id;
	say(w, rq, &s);
}

static void say_empty(struct world *w, enum coap_type type, uint16_t id)
{
	uint8_t octets[4] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(id >> 8), (uint8_t)id};

	coap_client_receive(w->client, bytes_of(octets, sizeof(octets)), w->now_ms);
}

static void expect_answer(struct world *w, uint8_t code, const char *body)
{
	assert_true(coap_client_is_done(w->client));
	buf_clear(&w->answer.body);
	assert_true(coap_client_take(w->client, &w->answer, &w->e));
	assert_int_equal(w->answer.code, code);
	assert_string_equal(buf_str(&w->answer.body), body);
}

static void expect_failure(struct world *w)
{
	assert_true(coap_client_is_done(w->client));
	buf_clear(&w->answer.body);
	assert_false(coap_client_take(w->client, &w->answer, &w->e));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static struct coap_block block_of(const struct coap_message *m, uint16_t number)
{
	struct coap_block b;
	struct err e = ERR_INIT;
	bool present;

	assert_true(coap_block_read(m, number, &present, &b, &e));
	assert_true(present);
	return b;
}

static void expect_block(
	const struct coap_message *m, uint16_t number, uint32_t num, bool more, uint8_t szx)
{
	struct coap_block b = block_of(m, number);

	assert_int_equal(b.num, num);
	assert_int_equal(b.more, more);
	assert_int_equal(b.szx, szx);
}

static int64_t wait_for_repeat(struct world *w)
{
	int64_t wait = coap_client_timeout_ms(w->client, w->now_ms);

	assert_true(wait > 0);
	coap_client_on_timeout(w->client, w->now_ms + wait - 1);
	expect_nothing(w);
	w->now_ms += wait;
	coap_client_on_timeout(w->client, w->now_ms);
	return wait;
}

/* ---- requests ---- */

/* req: C-19, C-03, R-01, R-24 */
static void coap_client_begin__small_request__is_one_confirmable_message(void **state)
{
	BUF_AUTO struct buf path = BUF_INIT(100);
	struct world *w = *state;
	struct coap_message m;
	uint32_t format, accept;

	begin(w);
	m = expect_message(w);
	expect_nothing(w);
	assert_int_equal(m.type, COAP_CON);
	assert_int_equal(m.code, COAP_POST);
	assert_true(coap_message_path(&m, &path, &w->e));
	assert_string_equal(buf_str(&path), "/.well-known/brski/rv");
	assert_true(coap_message_uint(&m, COAP_OPT_CONTENT_FORMAT, &format));
	assert_true(coap_message_uint(&m, COAP_OPT_ACCEPT, &accept));
	assert_int_equal(format, 836);
	assert_int_equal(accept, 836);
	assert_null(coap_message_find(&m, COAP_OPT_BLOCK1, 0));
	assert_null(coap_message_find(&m, COAP_OPT_REQUEST_TAG, 0));
	assert_null(coap_message_find(&m, COAP_OPT_URI_PATH_ABBREV, 0));
	assert_true(bytes_equal(m.payload, bytes_of(w->sent, 100)));
	assert_int_equal(coap_message_bad_option(&m, true), 0);
}

/* req: B-12, C-15 */
static void coap_client_begin__narrow_link__says_how_large_answers_may_be(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK2, 0, false, 5);
	new_client(w, 512); /* a fragment length of 512 */
	begin(w);
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK2, 0, false, 4);
	new_client(w, 16384);
	begin(w);
	m = expect_message(w);
	assert_null(coap_message_find(&m, COAP_OPT_BLOCK2, 0));
}

static void coap_client_begin__bad_path__is_refused_and_another_goes_through(void **state)
{
	struct world *w = *state;

	w->rq.path = "relative";
	assert_false(coap_client_begin(w->client, &w->rq, w->now_ms, &w->e));
	assert_int_equal(w->e.kind, ERR_INPUT);
	expect_nothing(w);
	w->rq.path = "/es";
	begin(w);
	expect_message(w);
	assert_false(coap_client_begin(w->client, &w->rq, w->now_ms, &w->e)); /* one at a time */
}

/* ---- both forms of answers ---- */

static void coap_client_receive__piggybacked_answer__is_taken(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	assert_false(coap_client_is_done(w->client));
	answer(w, &m,
		(struct said){.code = COAP_CHANGED,
			.payload = "voucher",
			.has_format = true,
			.format = 836});
	expect_answer(w, COAP_CHANGED, "voucher");
	assert_int_equal(w->answer.format, 836);
	expect_nothing(w);
	assert_int_equal(coap_client_timeout_ms(w->client, w->now_ms), -1);
	buf_clear(&w->answer.body);
	assert_false(coap_client_take(w->client, &w->answer, &w->e)); /* once */
}

/* req: C-16 */
static void coap_client_receive__separate_answer__is_waited_for_and_acknowledged(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	say_empty(w, COAP_ACK, m.id);
	assert_int_equal(coap_client_timeout_ms(w->client, w->now_ms), -1);
	assert_false(coap_client_is_done(w->client));
	say(w, &m,
		&(struct said){.type = COAP_CON, .code = COAP_CHANGED, .id = 77, .payload = "v"});
	expect_empty(w, COAP_ACK, 77);
	expect_answer(w, COAP_CHANGED, "v");
}

/* req: C-16 */
static void coap_client_receive__separate_answer_before_its_acknowledgement__is_taken(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	say(w, &m,
		&(struct said){.type = COAP_CON, .code = COAP_CHANGED, .id = 77, .payload = "v"});
	expect_empty(w, COAP_ACK, 77);
	expect_answer(w, COAP_CHANGED, "v");
	say_empty(w, COAP_ACK, m.id); /* late */
	begin(w);
	m = expect_message(w);
	say(w, &m,
		&(struct said){.type = COAP_NON, .code = COAP_CHANGED, .id = 78, .payload = "n"});
	expect_nothing(w);
	expect_answer(w, COAP_CHANGED, "n");
}

/* req: C-16 */
static void coap_client_receive__answer_repeated_by_the_server__is_acknowledged_again(void **state)
{
	struct world *w = *state;
	struct coap_message m;
	struct said s = {.type = COAP_CON, .code = COAP_CHANGED, .id = 77, .payload = "v"};

	begin(w);
	m = expect_message(w);
	say(w, &m, &s);
	expect_empty(w, COAP_ACK, 77);
	expect_answer(w, COAP_CHANGED, "v");
	say(w, &m, &s);
	expect_empty(w, COAP_ACK, 77);
	begin(w);
	expect_message(w);
	say(w, &m, &s); /* while something else is on its way */
	expect_empty(w, COAP_ACK, 77);
	assert_false(coap_client_is_done(w->client));
}

static void coap_client_receive__what_nobody_asked_for__is_reset_or_ignored(void **state)
{
	struct world *w = *state;
	struct coap_message m, other;

	begin(w);
	m = other = expect_message(w);
	other.token[0] ^= 1;
	say(w, &other, &(struct said){.type = COAP_CON, .code = COAP_CHANGED, .id = 5});
	expect_empty(w, COAP_RST, 5);
	say(w, &other, &(struct said){.type = COAP_NON, .code = COAP_CHANGED, .id = 6});
	answer(w, &other, (struct said){.code = COAP_CHANGED});
	say(w, &m,
		&(struct said){.type = COAP_ACK,
			.code = COAP_CHANGED,
			.id = (uint16_t)(m.id + 1)}); /* token right, id wrong */
	say(w, &m, &(struct said){.type = COAP_CON, .code = COAP_POST, .id = 7}); /* a request */
	expect_empty(w, COAP_RST, 7);
	say_empty(w, COAP_CON, 8); /* a ping */
	expect_empty(w, COAP_RST, 8);
	say_empty(w, COAP_ACK, (uint16_t)(m.id + 1));
	say_empty(w, COAP_RST, (uint16_t)(m.id + 1));
	coap_client_receive(w->client, bytes_of("\x40\x01\x00\x09\xff", 5), w->now_ms);
	expect_empty(w, COAP_RST, 9);
	coap_client_receive(w->client, bytes_of("\x80\x01\x00\x09\xff", 5), w->now_ms);
	coap_client_receive(w->client, bytes_of("", 0), w->now_ms);
	expect_nothing(w);
	assert_false(coap_client_is_done(w->client));
	assert_true(coap_client_timeout_ms(w->client, w->now_ms) > 0);
	answer(w, &m, (struct said){.code = COAP_CHANGED, .payload = "v"});
	expect_answer(w, COAP_CHANGED, "v");
}

static void coap_client_receive__reset__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	say_empty(w, COAP_RST, m.id);
	expect_failure(w);
	begin(w); /* but not the client */
	expect_message(w);
}

static void coap_client_receive__critical_option_unknown__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CHANGED, .strange_option = 2052});
	expect_answer(w, COAP_CHANGED, "");
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CHANGED, .strange_option = 2053});
	expect_failure(w);
}

/* req: C-17, C-18 */
static void coap_client_receive__unavailable__says_for_how_long(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	answer(w, &m,
		(struct said){.code = COAP_UNAVAILABLE, .has_max_age = true, .max_age_s = 30});
	expect_answer(w, COAP_UNAVAILABLE, "");
	assert_true(w->answer.has_max_age);
	assert_int_equal(w->answer.max_age_s, 30);
}

/* ---- repeating ---- */

static void coap_client_on_timeout__no_answer__repeats_the_same_octets_ever_slower(void **state)
{
	struct world *w = *state;
	int64_t first, pause, before;
	struct coap_message m, again;

	begin(w);
	m = expect_message(w);
	first = pause = wait_for_repeat(w);
	assert_in_range(first, 2000, 3000);
	for (int i = 0; i < 6; i++) {
		again = expect_message(w);
		assert_int_equal(again.id, m.id);
		assert_memory_equal(again.token, m.token, sizeof(m.token));
		assert_true(bytes_equal(again.payload, bytes_of(w->sent, 100)));
		before = pause;
		pause = wait_for_repeat(w);
		assert_true(pause == before * 2 || pause == 8000);
	}
	answer(w, &m, (struct said){.code = COAP_CHANGED, .payload = "v"});
	expect_answer(w, COAP_CHANGED, "v");
}

static void coap_client_on_timeout__quick_answers_seen__repeats_after_a_second(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	for (int i = 0; i < 8; i++) {
		begin(w);
		m = expect_message(w);
		w->now_ms += 50;
		answer(w, &m, (struct said){.code = COAP_CHANGED});
		expect_answer(w, COAP_CHANGED, "");
	}
	begin(w);
	expect_message(w);
	assert_in_range(coap_client_timeout_ms(w->client, w->now_ms), 1000, 1500);
}

static void coap_client_on_timeout__slow_answers_seen__waits_for_them(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	for (int i = 0; i < 8; i++) {
		begin(w);
		m = expect_message(w);
		w->now_ms += 1900;
		answer(w, &m, (struct said){.code = COAP_CHANGED});
		expect_answer(w, COAP_CHANGED, "");
	}
	begin(w);
	expect_message(w);
	assert_in_range(coap_client_timeout_ms(w->client, w->now_ms), 1900, 6000);
}

static void coap_client_on_timeout__answer_to_a_repeated_message__measures_nothing(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	wait_for_repeat(w);
	expect_message(w);
	w->now_ms += 10;
	answer(w, &m, (struct said){.code = COAP_CHANGED});
	expect_answer(w, COAP_CHANGED, "");
	begin(w);
	expect_message(w);
	assert_in_range(coap_client_timeout_ms(w->client, w->now_ms), 2000, 3000);
}

/* ---- Block1 ---- */

static void continue_with(struct world *w, const struct coap_message *m, uint8_t szx)
{
	struct coap_block b = block_of(m, COAP_OPT_BLOCK1);

	b.szx = szx; /* the number is the one acknowledged */
	answer(w, m, (struct said){.code = COAP_CONTINUE, .block1 = &b});
}

/* req: B-01, B-02, B-08, B-10 */
static void coap_client_upload__large_body__goes_in_blocks_with_one_tag(void **state)
{
	struct world *w = *state;
	struct coap_block last = {3, false, 5};
	struct bytes tag = {NULL, 0};
	struct coap_message m;
	uint32_t size;

	w->rq.body.len = BIG;
	begin(w);
	for (uint32_t num = 0; num < 4; num++) {
		size_t len = num < 3 ? 512 : BIG - 3 * 512;

		m = expect_message(w);
		expect_block(&m, COAP_OPT_BLOCK1, num, num < 3, 5);
		assert_true(bytes_equal(m.payload, bytes_of(w->sent + num * 512, len)));
		assert_int_equal(coap_message_uint(&m, COAP_OPT_SIZE1, &size), num == 0);
		/* the size of the answer's blocks is said with the last one (RFC 7959 §3.3) */
		assert_int_equal(coap_message_find(&m, COAP_OPT_BLOCK2, 0) != NULL, num == 3);
		assert_non_null(coap_message_find(&m, COAP_OPT_CONTENT_FORMAT, 0));
		if (num == 0) {
			assert_int_equal(size, BIG);
			tag = coap_message_find(&m, COAP_OPT_REQUEST_TAG, 0)->value;
		}
		assert_true(
			bytes_equal(tag, coap_message_find(&m, COAP_OPT_REQUEST_TAG, 0)->value));
		if (num < 3)
			continue_with(w, &m, 5);
	}
	answer(w, &m, (struct said){.code = COAP_CHANGED, .block1 = &last, .payload = "done"});
	expect_answer(w, COAP_CHANGED, "done");
}

/* req: B-03 */
static void coap_client_upload__server_wants_smaller_blocks__gets_them(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	w->rq.body.len = BIG;
	begin(w);
	m = expect_message(w);
	continue_with(w, &m, 4);
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK1, 2, true, 4); /* the first 512 octets are there */
	assert_true(bytes_equal(m.payload, bytes_of(w->sent + 512, 256)));
	continue_with(w, &m, 5); /* larger again: no */
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK1, 3, true, 4);
}

static void coap_client_upload__continue_at_another_block__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_block wrong = {2, true, 5};
	struct coap_message m;

	w->rq.body.len = BIG;
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTINUE, .block1 = &wrong});
	expect_failure(w);
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTINUE});
	expect_failure(w);
	w->rq.body.len = 100; /* nothing to go on with */
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTINUE});
	expect_failure(w);
}

/* req: B-04 */
static void coap_client_upload__server_has_lost_blocks__starts_over_some_times(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	w->rq.body.len = BIG;
	begin(w);
	for (int i = 0; i < 4; i++) {
		m = expect_message(w);
		expect_block(&m, COAP_OPT_BLOCK1, 0, true, 5);
		continue_with(w, &m, 5);
		m = expect_message(w);
		expect_block(&m, COAP_OPT_BLOCK1, 1, true, 5);
		answer(w, &m, (struct said){.code = COAP_INCOMPLETE});
	}
	expect_failure(w);
}

/* req: B-04 */
static void coap_client_upload__too_large_with_a_smaller_size__is_tried(void **state)
{
	struct world *w = *state;
	struct coap_block smaller = {0, true, 3}, same = {0, true, 3};
	struct coap_message m;

	w->rq.body.len = BIG;
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_TOO_LARGE, .block1 = &smaller});
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK1, 0, true, 3);
	answer(w, &m, (struct said){.code = COAP_TOO_LARGE, .block1 = &same, .payload = "no"});
	expect_answer(w, COAP_TOO_LARGE, "no");
}

static void coap_client_upload__too_large_for_one_message__is_cut(void **state)
{
	struct world *w = *state;
	struct coap_block small = {0, false, 2};
	struct coap_message m;

	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_TOO_LARGE, .block1 = &small});
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK1, 0, true, 2);
	assert_int_equal(m.payload.len, 64);
}

static void coap_client_upload__refused_under_way__is_the_answer(void **state)
{
	static const uint8_t codes[] = {
		COAP_UNSUPPORTED_FORMAT, COAP_TOO_LARGE, COAP_FORBIDDEN, COAP_UNAVAILABLE};
	struct world *w = *state;
	struct coap_message m;

	w->rq.body.len = BIG;
	for (size_t i = 0; i < sizeof(codes); i++) {
		begin(w);
		m = expect_message(w);
		answer(w, &m, (struct said){.code = codes[i], .payload = "no"});
		expect_answer(w, codes[i], "no");
		expect_nothing(w);
	}
}

static void coap_client_upload__success_under_way__is_none(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	w->rq.body.len = BIG;
	begin(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CHANGED, .payload = "voucher"});
	expect_failure(w);
}

/* ---- Block2 ---- */

/* What the client asks for next of a body of BIG octets. */
static void serve_block(struct world *w, const struct coap_message *m, uint8_t szx_max,
	const char *etag, uint8_t code)
{
	struct coap_block b = block_of(m, COAP_OPT_BLOCK2);
	struct said s = {.code = code, .block2 = &b, .etag = etag};

	if (b.szx > szx_max)
		b.szx = szx_max;
	assert_true(coap_block_slice(bytes_of(w->sent, BIG), b.num, b.szx, &s.part, &b.more));
	answer(w, m, s);
}

static void expect_body(struct world *w)
{
	assert_true(coap_client_is_done(w->client));
	buf_clear(&w->answer.body);
	assert_true(coap_client_take(w->client, &w->answer, &w->e));
	assert_true(bytes_equal(buf_bytes(&w->answer.body), bytes_of(w->sent, BIG)));
}

/* req: C-15, B-06, B-08 */
static void coap_client_download__answer_in_blocks__is_put_together(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	w->rq.body.len = 1000; /* itself in blocks */
	begin(w);
	m = expect_message(w);
	continue_with(w, &m, 5);
	m = expect_message(w);
	serve_block(w, &m, 5, "tag", COAP_CHANGED);
	for (uint32_t num = 1; num < 4; num++) {
		m = expect_message(w);
		expect_block(&m, COAP_OPT_BLOCK2, num, false, 5);
		assert_int_equal(m.code, COAP_POST);
		assert_null(coap_message_find(&m, COAP_OPT_BLOCK1, 0));
		assert_non_null(coap_message_find(&m, COAP_OPT_REQUEST_TAG, 0));
		assert_int_equal(m.payload.len, 0);
		serve_block(w, &m, 5, "tag", COAP_CHANGED);
	}
	expect_nothing(w);
	expect_body(w);
}

/* req: B-03 */
static void coap_client_download__smaller_blocks_than_asked_for__are_taken(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin_get(w);
	m = expect_message(w);
	serve_block(w, &m, 3, NULL, COAP_CONTENT);
	m = expect_message(w);
	expect_block(&m, COAP_OPT_BLOCK2, 1, false, 3);
	while (!coap_client_is_done(w->client)) {
		serve_block(w, &m, 3, NULL, COAP_CONTENT);
		if (!coap_client_is_done(w->client))
			m = expect_message(w);
	}
	expect_body(w);
}

/* req: B-06 */
static void coap_client_download__other_etag_under_way__starts_over_with_a_get(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin_get(w);
	m = expect_message(w);
	serve_block(w, &m, 5, "one", COAP_CONTENT);
	m = expect_message(w);
	serve_block(w, &m, 5, "two", COAP_CONTENT);
	for (uint32_t num = 0; num < 4; num++) {
		m = expect_message(w);
		expect_block(&m, COAP_OPT_BLOCK2, num, false, 5);
		serve_block(w, &m, 5, "two", COAP_CONTENT);
	}
	expect_body(w);
}

/* req: B-06 */
static void coap_client_download__etag_ever_changing__ends_the_request(void **state)
{
	static const char *const etags[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	struct world *w = *state;
	struct coap_message m;

	begin_get(w);
	for (size_t i = 0; i < 8; i++) {
		m = expect_message(w);
		serve_block(w, &m, 5, etags[i], COAP_CONTENT);
	}
	expect_failure(w);
}

/* req: B-06 */
static void coap_client_download__torn_answer_to_a_post__is_not_asked_for_again(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	for (int i = 0; i < 4; i++) {
		begin(w);
		m = expect_message(w);
		serve_block(w, &m, 5, "one", COAP_CHANGED);
		m = expect_message(w);
		if (i == 0) /* another body */
			serve_block(w, &m, 5, "two", COAP_CHANGED);
		else if (i == 1) /* an error */
			answer(w, &m, (struct said){.code = COAP_INCOMPLETE, .etag = "one"});
		else if (i == 2) /* no block */
			answer(w, &m, (struct said){.code = COAP_CHANGED, .etag = "one"});
		else { /* another block */
			struct coap_block b = {2, true, 5};

			answer(w, &m,
				(struct said){.code = COAP_CHANGED,
					.etag = "one",
					.block2 = &b,
					.part = {w->sent, 512}});
		}
		expect_failure(w);
		expect_nothing(w);
	}
}

/* req: C-28 */
static void coap_client_download__version_held_already__is_said_once_and_valid(void **state)
{
	struct world *w = *state;
	struct coap_message m;

	begin_get(w);
	m = expect_message(w);
	assert_null(coap_message_find(&m, COAP_OPT_ETAG, 0));
	answer(w, &m, (struct said){.code = COAP_CONTENT, .etag = "v1", .payload = "certs"});
	expect_answer(w, COAP_CONTENT, "certs");
	assert_true(bytes_equal(bytes_of(w->answer.etag, w->answer.etag_len), bytes_of_str("v1")));
	w->rq.etag = bytes_of_str("v1");
	begin(w);
	m = expect_message(w);
	assert_true(
		bytes_equal(coap_message_find(&m, COAP_OPT_ETAG, 0)->value, bytes_of_str("v1")));
	answer(w, &m, (struct said){.code = COAP_VALID, .etag = "v1"});
	expect_answer(w, COAP_VALID, "");
	begin(w); /* a newer one, in blocks: they are asked for as they are */
	m = expect_message(w);
	serve_block(w, &m, 5, "v2", COAP_CONTENT);
	m = expect_message(w);
	assert_null(coap_message_find(&m, COAP_OPT_ETAG, 0));
}

static void coap_client_download__not_from_the_first_block__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_block b = {1, true, 5};
	struct coap_message m;

	begin_get(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTENT, .block2 = &b, .part = {w->sent, 512}});
	expect_failure(w);
}

static void coap_client_download__more_than_expected__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_block b = {0, true, 4};
	struct coap_message m;

	w->rq.reply_max = 1000;
	begin_get(w);
	for (int i = 0; i < 2; i++) {
		m = expect_message(w);
		serve_block(w, &m, 5, NULL, COAP_CONTENT);
	}
	expect_failure(w);
	begin(w); /* it says so at once */
	m = expect_message(w);
	answer(w, &m,
		(struct said){
			.code = COAP_CONTENT, .block2 = &b, .size2 = 5000, .part = {w->sent, 256}});
	expect_failure(w);
	begin(w); /* or in one message */
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTENT, .part = {w->sent, 1001}});
	expect_failure(w);
}

static void coap_client_download__reserved_block_size__ends_the_request(void **state)
{
	struct world *w = *state;
	struct coap_block b = {0, true, 7};
	struct coap_message m;

	begin_get(w);
	m = expect_message(w);
	answer(w, &m, (struct said){.code = COAP_CONTENT, .block2 = &b, .part = {w->sent, 512}});
	expect_failure(w);
}

/* ---- links that lose ---- */

static void server_says(struct world *w, const struct coap_message *rq, struct said s)
{
	struct server *v = &w->server;
	struct datagram *kept = &v->answers[v->id_count - 1];
	bool separate = v->separate && s.code != COAP_CONTINUE;

	s.type = separate ? COAP_CON : COAP_ACK;
	s.id = separate ? v->next_id++ : rq->id;
	format_said(rq, &s, separate ? &v->unacknowledged : kept);
	if (separate) {
		struct coap_message none = {0};

		v->again_ms = w->now_ms + 300;
		format_said(&none, &(struct said){.type = COAP_ACK, .id = rq->id}, kept);
	}
	onto_link(w, bytes_of(kept->octets, kept->len), false);
}

static void server_answers(
	struct world *w, const struct coap_message *rq, const struct coap_block *block1)
{
	struct coap_block b = {.szx = w->server.szx};
	struct said s = {.code = COAP_CHANGED, .block1 = block1, .block2 = &b, .etag = "t"};
	bool present;

	if (coap_message_find(rq, COAP_OPT_BLOCK2, 0))
		assert_true(coap_block_read(rq, COAP_OPT_BLOCK2, &present, &b, &w->e));
	if (b.szx > w->server.szx) {
		assert_int_equal(b.num, 0);
		b.szx = w->server.szx;
	}
	assert_true(coap_block_slice(
		bytes_of(w->sent, w->server.answer_len), b.num, b.szx, &s.part, &b.more));
	server_says(w, rq, s);
}

static void server_executes(struct world *w, const struct coap_message *rq)
{
	struct coap_block b1, b2;
	bool has1, has2;

	assert_true(coap_block_read(rq, COAP_OPT_BLOCK1, &has1, &b1, &w->e));
	assert_true(coap_block_read(rq, COAP_OPT_BLOCK2, &has2, &b2, &w->e));
	if (has2 && b2.num > 0) {
		server_answers(w, rq, NULL);
		return;
	}
	switch (coap_body_add(&w->server.body, has1 ? &b1 : NULL, rq)) {
	case COAP_BODY_MORE:
		server_says(w, rq, (struct said){.code = COAP_CONTINUE, .block1 = &b1});
		break;
	case COAP_BODY_COMPLETE:
		w->server.executed++;
		server_answers(w, rq, has1 ? &b1 : NULL);
		break;
	case COAP_BODY_GAP:
	case COAP_BODY_TOO_LARGE:
	case COAP_BODY_NO_MEMORY:
		fail_msg("blocks of the client do not fit");
	}
}

/* A request seen before gets the answer it got before. */
static void server_receives(struct world *w, struct bytes octets)
{
	struct server *v = &w->server;
	struct coap_message m;

	assert_true(coap_message_parse(octets, &m, &w->e));
	if (m.type == COAP_ACK && (uint16_t)(m.id + 1) == v->next_id)
		v->again_ms = 0;
	if (m.code == COAP_EMPTY)
		return;
	for (size_t i = 0; i < v->id_count; i++)
		if (v->ids[i] == m.id) {
			onto_link(w, bytes_of(v->answers[i].octets, v->answers[i].len), false);
			return;
		}
	assert_true(v->id_count < IDS_MAX);
	v->ids[v->id_count++] = m.id;
	server_executes(w, &m);
}

static struct datagram *next_due(struct world *w)
{
	struct datagram *next = NULL;

	for (size_t i = 0; i < LINK_MAX; i++)
		if (w->link[i].due_ms != 0 && (!next || w->link[i].due_ms < next->due_ms))
			next = &w->link[i];
	return next;
}

static void deliver(struct world *w, struct datagram *d)
{
	struct datagram copy = *d;
	struct bytes octets = bytes_of(copy.octets, copy.len);

	d->due_ms = 0;
	if (copy.to_server)
		server_receives(w, octets);
	else
		coap_client_receive(w->client, octets, w->now_ms);
}

/* Whatever happens next: a datagram arrives, the client or the server repeats itself. */
static void step(struct world *w)
{
	int64_t pause = coap_client_timeout_ms(w->client, w->now_ms);
	int64_t client = pause < 0 ? INT64_MAX : w->now_ms + pause;
	int64_t server = w->server.again_ms ? w->server.again_ms : INT64_MAX;
	struct datagram *d = next_due(w);
	int64_t due = d ? d->due_ms : INT64_MAX;

	assert_true(client < INT64_MAX || server < INT64_MAX || due < INT64_MAX);
	if (due <= client && due <= server) {
		w->now_ms = due;
		deliver(w, d);
	} else if (server <= client) {
		w->now_ms = server;
		w->server.again_ms += 2500;
		onto_link(w,
			bytes_of(w->server.unacknowledged.octets, w->server.unacknowledged.len),
			false);
	} else {
		w->now_ms = client;
		coap_client_on_timeout(w->client, w->now_ms);
	}
}

static int64_t exchange_over_link(struct world *w, unsigned lost, uint32_t seed, bool separate)
{
	int64_t start = w->now_ms;

	memset(w->link, 0, sizeof(w->link));
	coap_body_clear(&w->server.body);
	w->server = (struct server){.szx = 4, .separate = separate, .answer_len = BIG};
	coap_body_init(&w->server.body, 4096);
	w->on_link = true;
	w->lost_percent = lost;
	w->doubled_percent = 10;
	w->random = seed;
	w->rq.body.len = BIG;
	begin(w);
	while (!coap_client_is_done(w->client)) {
		step(w);
		assert_true(w->now_ms - start < LONG_ENOUGH);
	}
	buf_clear(&w->answer.body);
	assert_true(coap_client_take(w->client, &w->answer, &w->e));
	assert_true(bytes_equal(buf_bytes(&w->answer.body), bytes_of(w->sent, BIG)));
	assert_true(bytes_equal(buf_bytes(&w->server.body.octets), bytes_of(w->sent, BIG)));
	assert_int_equal(w->server.executed, 1);
	return w->now_ms - start;
}

/* req: C-15, C-16, C-20 */
static void coap_client__fifteen_percent_lost_doubled_and_reordered__every_exchange_succeeds(
	void **state)
{
	struct world *w = *state;
	int64_t total = 0;

	for (uint32_t seed = 1; seed <= 100; seed++) {
		new_client(w, PLAINTEXT);
		total += exchange_over_link(w, 15, seed, seed % 2);
	}
	assert_true(total / 100 < 30000); /* 4 blocks up, 7 down: 11 messages each way */
}

static void coap_client__good_link__needs_one_message_for_each_block(void **state)
{
	struct world *w = *state;

	w->messages = 0;
	exchange_over_link(w, 0, 7, false);
	assert_int_equal(w->messages, 4 + 6); /* the last block up is answered by the first down */
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(coap_client_begin__small_request__is_one_confirmable_message),
		CASE(coap_client_begin__narrow_link__says_how_large_answers_may_be),
		CASE(coap_client_begin__bad_path__is_refused_and_another_goes_through),
		CASE(coap_client_receive__piggybacked_answer__is_taken),
		CASE(coap_client_receive__separate_answer__is_waited_for_and_acknowledged),
		CASE(coap_client_receive__separate_answer_before_its_acknowledgement__is_taken),
		CASE(coap_client_receive__answer_repeated_by_the_server__is_acknowledged_again),
		CASE(coap_client_receive__what_nobody_asked_for__is_reset_or_ignored),
		CASE(coap_client_receive__reset__ends_the_request),
		CASE(coap_client_receive__critical_option_unknown__ends_the_request),
		CASE(coap_client_receive__unavailable__says_for_how_long),
		CASE(coap_client_on_timeout__no_answer__repeats_the_same_octets_ever_slower),
		CASE(coap_client_on_timeout__quick_answers_seen__repeats_after_a_second),
		CASE(coap_client_on_timeout__slow_answers_seen__waits_for_them),
		CASE(coap_client_on_timeout__answer_to_a_repeated_message__measures_nothing),
		CASE(coap_client_upload__large_body__goes_in_blocks_with_one_tag),
		CASE(coap_client_upload__server_wants_smaller_blocks__gets_them),
		CASE(coap_client_upload__continue_at_another_block__ends_the_request),
		CASE(coap_client_upload__server_has_lost_blocks__starts_over_some_times),
		CASE(coap_client_upload__too_large_with_a_smaller_size__is_tried),
		CASE(coap_client_upload__too_large_for_one_message__is_cut),
		CASE(coap_client_upload__refused_under_way__is_the_answer),
		CASE(coap_client_upload__success_under_way__is_none),
		CASE(coap_client_download__answer_in_blocks__is_put_together),
		CASE(coap_client_download__smaller_blocks_than_asked_for__are_taken),
		CASE(coap_client_download__other_etag_under_way__starts_over_with_a_get),
		CASE(coap_client_download__etag_ever_changing__ends_the_request),
		CASE(coap_client_download__torn_answer_to_a_post__is_not_asked_for_again),
		CASE(coap_client_download__version_held_already__is_said_once_and_valid),
		CASE(coap_client_download__not_from_the_first_block__ends_the_request),
		CASE(coap_client_download__more_than_expected__ends_the_request),
		CASE(coap_client_download__reserved_block_size__ends_the_request),
		CASE(coap_client__fifteen_percent_lost_doubled_and_reordered__every_exchange_succeeds),
		CASE(coap_client__good_link__needs_one_message_for_each_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
