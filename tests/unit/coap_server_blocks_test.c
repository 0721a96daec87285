/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in blocks, both ways (RFC 7959): put together whatever is announced, within bounds; cut to
 * what the peer's records hold. */
#include "tests/unit/coap_server_fixture.h"

static struct fixture fx;
static uint8_t pattern[BODY_MAX * 2];

static int set_up(void **state)
{
	start_server(&fx, NULL);
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
	return 0;
}

static int tear_down(void **state)
{
	stop_server(&fx);
	return 0;
}

static struct ask block_of_upload(const char *path, size_t len, uint32_t num, uint8_t szx)
{
	size_t size = COAP_BLOCK_OCTETS(szx), at = num * size;
	bool more = at + size < len;

	return (struct ask){.code = COAP_POST,
		.path = path,
		.has_block1 = true,
		.block1 = {num, more, szx},
		.payload = bytes_of(pattern + at, more ? size : len - at)};
}

/* All of it; the code of the last block's answer. */
static uint8_t upload(struct mote *m, const char *path, size_t len, uint8_t szx, bool announce)
{
	for (uint32_t num = 0;; num++) {
		struct ask q = block_of_upload(path, len, num, szx);
		struct coap_block echoed;
		uint8_t code;

		q.has_size1 = announce && num == 0;
		q.size1 = (uint32_t)len;
		code = mote_ask(m, &q);
		if (code != COAP_CONTINUE)
			return code;
		assert_true(q.block1.more);
		echoed = block_of(m, COAP_OPT_BLOCK1);
		assert_true(echoed.num == num && echoed.more && echoed.szx == szx);
		assert_int_equal(m->reply.payload.len, 0);
	}
}

/* Fetch the rest of an answer whose first block is in m->reply, as a client does. */
static size_t download(struct mote *m, const struct ask *first, uint8_t *out, size_t room)
{
	struct ask q = *first;
	size_t len = 0;

	q.has_block2 = true;
	q.has_block1 = false;
	q.payload = bytes_of(NULL, 0);
	for (;;) {
		struct coap_block b = block_of(m, COAP_OPT_BLOCK2);

		assert_int_equal(len, (size_t)b.num << (b.szx + 4));
		assert_true(len + m->reply.payload.len <= room);
		memcpy(out + len, m->reply.payload.data, m->reply.payload.len);
		len += m->reply.payload.len;
		if (!b.more)
			return len;
		q.block2 = (struct coap_block){b.num + 1, false, b.szx};
		mote_ask(m, &q);
	}
}

/* ---- In ------------------------------------------------------------------------------------- */

/* req: B-01, B-02, B-08, C-15 */
static void upload__with_and_without_size1__is_whole(void **state)
{
	static const size_t lengths[] = {1, 511, 512, 513, 1700, 5000};
	struct mote m;

	mote_open(&m, &fx);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (int announce = 0; announce < 2; announce++) {
			uint8_t back[sizeof(pattern)];
			struct ask q = {.code = COAP_POST, .path = "/echo"};
			struct coap_block last;

			assert_int_equal(
				upload(&m, "/echo", lengths[i], 5, announce), COAP_CHANGED);
			last = block_of(&m, COAP_OPT_BLOCK1);
			assert_int_equal(last.num, (lengths[i] - 1) / 512);
			assert_false(last.more);
			if (!coap_message_find(&m.reply, COAP_OPT_BLOCK2, 0)) {
				assert_int_equal(m.reply.payload.len, lengths[i]);
				assert_memory_equal(m.reply.payload.data, pattern, lengths[i]);
				continue;
			}
			assert_int_equal(download(&m, &q, back, sizeof(back)), lengths[i]);
			assert_memory_equal(back, pattern, lengths[i]);
		}
	mote_close(&m);
}

/* req: B-03 */
static void upload__smaller_blocks_on_the_way__is_whole(void **state)
{
	struct ask q = block_of_upload("/echo", 512, 0, 4);
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_CONTINUE);
	for (uint32_t num = 4; num < 8; num++) {
		q = block_of_upload("/echo", 512, num, 2);
		assert_int_equal(mote_ask(&m, &q), num < 7 ? COAP_CONTINUE : COAP_CHANGED);
	}
	assert_int_equal(m.reply.payload.len, 512);
	assert_memory_equal(m.reply.payload.data, pattern, 512);
	mote_close(&m);
}

/* req: B-04, B-05 */
static void upload__gap_or_another_format__is_incomplete(void **state)
{
	struct ask q = block_of_upload("/echo", 2000, 1, 5);
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_INCOMPLETE);
	q = block_of_upload("/echo", 2000, 0, 5);
	assert_int_equal(mote_ask(&m, &q), COAP_CONTINUE);
	q = block_of_upload("/echo", 2000, 2, 5);
	assert_int_equal(mote_ask(&m, &q), COAP_INCOMPLETE);
	q = block_of_upload("/echo", 2000, 0, 5);
	assert_int_equal(mote_ask(&m, &q), COAP_CONTINUE);
	q = block_of_upload("/echo", 2000, 1, 5);
	q.has_format = true;
	q.format = COAP_FORMAT_JSON;
	assert_int_equal(mote_ask(&m, &q), COAP_INCOMPLETE);
	assert_int_equal(upload(&m, "/echo", 700, 5, false), COAP_CHANGED);
	mote_close(&m);
}

/* req: B-04, B-07 */
static void upload__too_large__is_told_the_limit(void **state)
{
	struct ask q = block_of_upload("/echo", BODY_MAX, 0, 5);
	struct mote m;

	mote_open(&m, &fx);
	q.has_size1 = true;
	q.size1 = 50000000;
	assert_int_equal(mote_ask(&m, &q), COAP_TOO_LARGE);
	assert_int_equal(option_of(&m, COAP_OPT_SIZE1), BODY_MAX);
	assert_int_equal(option_of(&m, COAP_OPT_BLOCK1), -1);
	assert_int_equal(upload(&m, "/echo", BODY_MAX + 1, 5, false), COAP_TOO_LARGE);
	assert_int_equal(upload(&m, "/echo", BODY_MAX, 5, false), COAP_CHANGED);
	q = (struct ask){.code = COAP_POST, .path = "/close", .payload = bytes_of(pattern, 101)};
	assert_int_equal(mote_ask(&m, &q), COAP_TOO_LARGE);
	assert_int_equal(option_of(&m, COAP_OPT_SIZE1), 100);
	mote_close(&m);
}

/* req: C-20 */
static void upload__repeated_blocks__change_nothing(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	for (uint32_t num = 0; num < 4; num++) {
		struct ask q = block_of_upload("/count", 2000, num, 5);

		q.id = (uint16_t)(1000 + num);
		for (int i = 0; i < 3; i++)
			assert_int_equal(mote_ask(&m, &q), num < 3 ? COAP_CONTINUE : COAP_CHANGED);
		if (num == 0)
			continue;
		q = block_of_upload("/count", 2000, 0, 5); /* one that comes late */
		q.id = 1000;
		assert_int_equal(mote_ask(&m, &q), COAP_CONTINUE);
	}
	assert_int_equal(atomic_load(&fx.app.count), 1);
	mote_close(&m);
}

/* req: B-10 */
static void upload__two_at_once__are_told_apart_by_tag(void **state)
{
	struct mote m;

	mote_open(&m, &fx);
	for (uint32_t num = 0; num < 2; num++)
		for (uint8_t tag = 1; tag <= 2; tag++) {
			struct ask q = block_of_upload("/echo", 32, num, 0);
			uint8_t body[16];

			memset(body, tag, sizeof(body));
			q.payload = bytes_of(body, sizeof(body));
			q.tag = bytes_of(&tag, 1);
			assert_int_equal(mote_ask(&m, &q), num == 0 ? COAP_CONTINUE : COAP_CHANGED);
			if (num == 0)
				continue;
			assert_int_equal(m.reply.payload.len, 32);
			assert_int_equal(m.reply.payload.data[0], tag);
			assert_int_equal(m.reply.payload.data[31], tag);
		}
	mote_close(&m);
}

static void upload__malformed_block_option__is_refused(void **state)
{
	struct ask q = {.code = COAP_POST,
		.path = "/echo",
		.option = COAP_OPT_BLOCK1,
		.option_value = bytes_of("\x0f", 1)};
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_BAD_REQUEST);
	q.option_value = bytes_of("\x01\x02\x03\x04", 4);
	assert_int_equal(mote_ask(&m, &q), COAP_BAD_OPTION);
	mote_close(&m);
}

/* ---- Out ------------------------------------------------------------------------------------ */

#define BIG_AS(f)                                                                                  \
	{                                                                                          \
		.code = COAP_GET, .path = "/big", .has_accept = true, .accept = (f)                \
	}

static void must_be_big(const uint8_t *got, uint8_t first)
{
	for (size_t i = 0; i < BIG; i++)
		assert_int_equal(got[i], (uint8_t)(first + i % 97));
}

/* req: C-15, C-33, B-06 */
static void download__size_and_etag__are_said_and_stay(void **state)
{
	struct ask q = BIG_AS(COAP_FORMAT_CBOR);
	uint8_t got[BIG], etag[8];
	const struct coap_option *o;
	struct mote m;

	mote_open(&m, &fx);
	q.wants_size2 = true;
	assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
	assert_int_equal(option_of(&m, COAP_OPT_SIZE2), BIG);
	assert_int_equal(option_of(&m, COAP_OPT_CONTENT_FORMAT), COAP_FORMAT_CBOR);
	assert_int_equal(m.reply.payload.len, 512); /* an MTU of 1024 */
	o = coap_message_find(&m.reply, COAP_OPT_ETAG, 0);
	assert_non_null(o);
	assert_int_equal(o->value.len, 8);
	memcpy(etag, o->value.data, 8);
	assert_int_equal(download(&m, &q, got, sizeof(got)), BIG);
	must_be_big(got, 0);
	o = coap_message_find(&m.reply, COAP_OPT_ETAG, 0);
	assert_non_null(o);
	assert_memory_equal(o->value.data, etag, 8);
	mote_close(&m);
}

/* req: C-28 */
static void download__etag_shown_again__is_valid(void **state)
{
	struct ask q = BIG_AS(COAP_FORMAT_CBOR);
	uint8_t etag[8];
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
	memcpy(etag, coap_message_find(&m.reply, COAP_OPT_ETAG, 0)->value.data, 8);
	q.etag = bytes_of(etag, 8);
	assert_int_equal(mote_ask(&m, &q), COAP_VALID);
	assert_int_equal(m.reply.payload.len, 0);
	assert_memory_equal(coap_message_find(&m.reply, COAP_OPT_ETAG, 0)->value.data, etag, 8);
	etag[0] ^= 1;
	assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
	mote_close(&m);
}

/* req: B-06 */
static void download__two_formats_in_turns__each_gets_its_own(void **state)
{
	struct ask q[2] = {BIG_AS(COAP_FORMAT_CBOR), BIG_AS(COAP_FORMAT_JSON)};
	struct mote m;

	mote_open(&m, &fx);
	for (uint32_t num = 0; num < 4; num++)
		for (size_t i = 0; i < 2; i++) {
			size_t at = num * 256;

			q[i].has_block2 = true;
			q[i].block2 = (struct coap_block){num, false, 4};
			assert_int_equal(mote_ask(&m, &q[i]), COAP_CONTENT);
			assert_int_equal(m.reply.payload.len, 256);
			assert_int_equal(
				m.reply.payload.data[0], (uint8_t)((i ? 100 : 0) + at % 97));
		}
	mote_close(&m);
}

/* req: B-12, D-07 */
static void download__fragment_length_negotiated__blocks_fit(void **state)
{
	static const struct {
		unsigned fragment;
		size_t block;
	} rows[] = {{512, 256}, {1024, 512}};

	for (size_t i = 0; i < 2; i++) {
		const struct dtls_client_config config = {
			.identity = &fx.device, .max_fragment = rows[i].fragment};
		struct ask q = BIG_AS(COAP_FORMAT_CBOR);
		uint8_t got[BIG];
		struct mote m;

		mote_start(&m, udp_connect(coap_server_port(fx.server)), NULL, &config);
		m.own_fd = true;
		assert_true(mote_finish(&m));
		assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
		assert_int_equal(m.reply.payload.len, rows[i].block);
		assert_int_equal(download(&m, &q, got, sizeof(got)), BIG);
		must_be_big(got, 0);
		q.has_block2 = true;
		q.block2 = (struct coap_block){0, false, 6}; /* more than there is room for */
		assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
		assert_int_equal(m.reply.payload.len, rows[i].block);
		mote_close(&m);
	}
}

/* req: D-09 */
static void download__whatever_is_sent__no_datagram_is_longer_than_the_mtu(void **state)
{
	struct ask q = BIG_AS(COAP_FORMAT_CBOR);
	uint8_t got[BIG];
	struct mote m;

	mote_open(&m, &fx);
	mote_ask(&m, &q);
	download(&m, &q, got, sizeof(got));
	assert_in_range(m.longest, 513, DTLS_MTU_DEFAULT);
	mote_close(&m);
}

static void download__block_out_of_range_or_of_nothing__is_refused(void **state)
{
	struct ask q = BIG_AS(COAP_FORMAT_CBOR);
	struct mote m;

	mote_open(&m, &fx);
	q.has_block2 = true;
	q.block2 = (struct coap_block){1000, false, 5};
	assert_int_equal(mote_ask(&m, &q), COAP_BAD_REQUEST); /* a GET is made once more */
	q.block2 = (struct coap_block){2, false, 5};
	assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
	q = (struct ask){
		.code = COAP_POST, .path = "/count", .has_block2 = true, .block2 = {1, false, 5}};
	assert_int_equal(mote_ask(&m, &q), COAP_INCOMPLETE);
	assert_int_equal(atomic_load(&fx.app.count), 0);
	mote_close(&m);
}

static void download__small_answer_asked_in_blocks__comes_in_one(void **state)
{
	struct ask q = {.code = COAP_GET,
		.path = "/now",
		.has_block2 = true,
		.block2 = {0, false, 2},
		.wants_size2 = true};
	struct mote m;

	mote_open(&m, &fx);
	assert_int_equal(mote_ask(&m, &q), COAP_CONTENT);
	assert_true(said(&m, "now"));
	assert_false(block_of(&m, COAP_OPT_BLOCK2).more);
	assert_int_equal(option_of(&m, COAP_OPT_SIZE2), 3);
	mote_close(&m);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(upload__with_and_without_size1__is_whole),
		T(upload__smaller_blocks_on_the_way__is_whole),
		T(upload__gap_or_another_format__is_incomplete),
		T(upload__too_large__is_told_the_limit),
		T(upload__repeated_blocks__change_nothing),
		T(upload__two_at_once__are_told_apart_by_tag),
		T(upload__malformed_block_option__is_refused),
		T(download__size_and_etag__are_said_and_stay),
		T(download__etag_shown_again__is_valid),
		T(download__two_formats_in_turns__each_gets_its_own),
		T(download__fragment_length_negotiated__blocks_fit),
		T(download__whatever_is_sent__no_datagram_is_longer_than_the_mtu),
		T(download__block_out_of_range_or_of_nothing__is_refused),
		T(download__small_answer_asked_in_blocks__comes_in_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
