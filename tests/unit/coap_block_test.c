/* SPDX-License-Identifier: Apache-2.0 */
/* Block-wise transfer without a transport: bodies put together whatever order and size their blocks
 * come in, nothing kept for announcements, and bodies cut. */
#include "common/wire/coap_block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/coap_format.h"

#define BODY_MAX 4096

struct world {
	struct coap_body body;
	uint8_t sent[BODY_MAX + 1];
	uint8_t code;	 /* of the messages that bring blocks */
	uint32_t format; /* COAP_FORMAT_NONE: not said */
	uint32_t size1;	 /* 0: not said */
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	for (size_t i = 0; i < sizeof(w->sent); i++)
		w->sent[i] = (uint8_t)(i * 7 + i / 256);
	w->code = COAP_POST;
	w->format = COAP_FORMAT_VOUCHER_COSE;
	coap_body_init(&w->body, BODY_MAX);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	coap_body_clear(&w->body);
	free(w);
	return 0;
}

static enum coap_body_state add(
	struct world *w, const struct coap_block *block, const void *data, size_t len)
{
	struct coap_message m = {.code = w->code, .payload = bytes_of(data, len)};
	uint8_t format[4], size[4];
	struct err e = ERR_INIT;

	if (w->format != COAP_FORMAT_NONE)
		assert_true(coap_message_add(
			&m, COAP_OPT_CONTENT_FORMAT, coap_uint(w->format, format), &e));
	if (w->size1)
		assert_true(coap_message_add(&m, COAP_OPT_SIZE1, coap_uint(w->size1, size), &e));
	return coap_body_add(&w->body, block, &m);
}

/* Block num of a body of total octets. */
static enum coap_body_state add_num(struct world *w, uint32_t num, uint8_t szx, size_t total)
{
	struct coap_block block = {.num = num, .szx = szx};
	struct bytes part;

	assert_true(coap_block_slice(bytes_of(w->sent, total), num, szx, &part, &block.more));
	return add(w, &block, part.data, part.len);
}

static void expect_body(struct world *w, size_t total)
{
	assert_true(bytes_equal(buf_bytes(&w->body.octets), bytes_of(w->sent, total)));
}

/* ---- the option ---- */

static bool read_block(const void *octets, size_t len, bool *present, struct coap_block *out)
{
	struct coap_message m = {0};
	struct err e = ERR_INIT;

	if (octets)
		assert_true(coap_message_add(&m, COAP_OPT_BLOCK1, bytes_of(octets, len), &e));
	return coap_block_read(&m, COAP_OPT_BLOCK1, present, out, &e);
}

static void coap_block_read__option__says_number_more_and_size(void **state)
{
	struct coap_block b;
	bool present;

	assert_true(read_block(NULL, 0, &present, &b));
	assert_false(present);
	assert_true(read_block("", 0, &present, &b)); /* all zero */
	assert_true(present && b.num == 0 && !b.more && b.szx == 0);
	assert_true(read_block("\x1d", 1, &present, &b));
	assert_true(b.num == 1 && b.more && b.szx == 5);
	assert_true(read_block("\xff\xff\xf6", 3, &present, &b));
	assert_true(b.num == 0xfffff && !b.more && b.szx == 6);
}

static void coap_block_read__reserved_size_or_too_long__is_refused(void **state)
{
	struct coap_block b;
	bool present;

	assert_false(read_block("\x07", 1, &present, &b));
	assert_false(read_block("\x0f", 1, &present, &b));
	assert_false(read_block("\0\0\0\x06", 4, &present, &b));
}

static void coap_block_value__any_block__reads_the_same_again(void **state)
{
	static const struct coap_block blocks[] = {
		{0, false, 0}, {0, true, 6}, {15, true, 5}, {16, false, 4}, {0xfffff, true, 6}};
	struct coap_block back;
	uint8_t scratch[4];
	bool present;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
		struct bytes value = coap_block_value(&blocks[i], scratch);

		assert_true(read_block(value.data, value.len, &present, &back));
		assert_true(back.num == blocks[i].num && back.more == blocks[i].more &&
			    back.szx == blocks[i].szx);
	}
}

/* req: B-09, B-12 */
static void coap_block_szx_for__room__is_never_exceeded(void **state)
{
	assert_int_equal(coap_block_szx_for(16384, 60), 6);
	assert_int_equal(coap_block_szx_for(1084, 60), 6);
	assert_int_equal(coap_block_szx_for(1083, 60), 5);
	assert_int_equal(coap_block_szx_for(1024, 60), 5); /* a fragment length of 1024 */
	assert_int_equal(coap_block_szx_for(512, 60), 4);  /* of 512 */
	assert_int_equal(coap_block_szx_for(80, 70), 0);   /* none fits: the smallest */
}

/* ---- putting together ---- */

/* req: B-01, B-02 */
static void coap_body_add__blocks_in_order_without_a_size__make_the_body(void **state)
{
	struct world *w = *state;

	for (uint32_t num = 0; num < 3; num++)
		assert_int_equal(add_num(w, num, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 3, 5, 1700), COAP_BODY_COMPLETE);
	expect_body(w, 1700);
	assert_int_equal(w->body.format, COAP_FORMAT_VOUCHER_COSE);
}

static void coap_body_add__no_block_option__is_a_whole_body(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 0, 4, 1000), COAP_BODY_MORE);
	assert_int_equal(add(w, NULL, w->sent, 100), COAP_BODY_COMPLETE);
	expect_body(w, 100);
	assert_int_equal(add(w, NULL, NULL, 0), COAP_BODY_COMPLETE);
	expect_body(w, 0);
	assert_int_equal(add(w, NULL, w->sent, BODY_MAX + 1), COAP_BODY_TOO_LARGE);
}

/* req: B-03 */
static void coap_body_add__size_lowered_on_the_way__offset_counts_in_octets(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 0, 6, 1700), COAP_BODY_MORE);
	for (uint32_t num = 4; num < 6; num++)
		assert_int_equal(add_num(w, num, 4, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 6, 4, 1700), COAP_BODY_COMPLETE);
	expect_body(w, 1700);
}

static void coap_body_add__block_seen_before__changes_nothing(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 0, 5, 1100), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 1, 5, 1100), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 1, 5, 1100), COAP_BODY_MORE);
	assert_int_equal(w->body.octets.len, 1024);
	assert_int_equal(add_num(w, 2, 5, 1100), COAP_BODY_COMPLETE);
	assert_int_equal(add_num(w, 2, 5, 1100), COAP_BODY_COMPLETE);
	expect_body(w, 1100);
}

/* req: B-04 */
static void coap_body_add__earlier_block_missing__is_a_gap(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_GAP);
	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 2, 5, 1700), COAP_BODY_GAP);
	assert_int_equal(w->body.octets.len, 0);
	/* what was begun is over: it does not go on behind the gap */
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_GAP);
}

static void coap_body_add__first_block_again__begins_anew(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_MORE);
	w->format = COAP_FORMAT_PKCS10;
	assert_int_equal(add_num(w, 0, 4, 300), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 1, 4, 300), COAP_BODY_COMPLETE);
	expect_body(w, 300);
	assert_int_equal(w->body.format, COAP_FORMAT_PKCS10);
}

static void coap_body_add__overlapping_or_different_octets__are_a_gap(void **state)
{
	struct world *w = *state;
	struct coap_block second = {.num = 1, .more = true, .szx = 5};
	uint8_t other[512] = {0};

	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add(w, &second, other, sizeof(other)), COAP_BODY_GAP);
	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 2, 4, 1700), COAP_BODY_MORE); /* 512 to 768 */
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_GAP);  /* 512 to 1024 */
}

static void coap_body_add__last_block_inside_of_what_is_held__is_a_gap(void **state)
{
	struct world *w = *state;
	struct coap_block inside = {.num = 0, .szx = 4};

	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	inside.num = 1;
	assert_int_equal(add(w, &inside, w->sent + 256, 100), COAP_BODY_GAP);
}

/* req: B-05 */
static void coap_body_add__another_format__is_never_mixed_in(void **state)
{
	struct world *w = *state;

	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	w->format = COAP_FORMAT_PKCS10;
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_GAP);
	w->format = COAP_FORMAT_VOUCHER_COSE;
	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_MORE);
	w->format = COAP_FORMAT_NONE; /* a request says it each time */
	assert_int_equal(add_num(w, 1, 5, 1700), COAP_BODY_GAP);
}

static void coap_body_add__answer_without_the_format_on_later_blocks__is_read(void **state)
{
	struct world *w = *state;

	w->code = COAP_CONTENT;
	assert_int_equal(add_num(w, 0, 5, 600), COAP_BODY_MORE);
	w->format = COAP_FORMAT_NONE;
	assert_int_equal(add_num(w, 1, 5, 600), COAP_BODY_COMPLETE);
	assert_int_equal(w->body.format, COAP_FORMAT_VOUCHER_COSE);
}

static void coap_body_add__block_shorter_or_longer_than_its_size__is_a_gap(void **state)
{
	struct world *w = *state;
	struct coap_block first = {.more = true, .szx = 5}, last = {.szx = 5};

	assert_int_equal(add(w, &first, w->sent, 511), COAP_BODY_GAP);
	assert_int_equal(add(w, &first, w->sent, 513), COAP_BODY_GAP);
	assert_int_equal(add(w, &last, w->sent, 513), COAP_BODY_GAP);
	assert_int_equal(add(w, &last, w->sent, 512), COAP_BODY_COMPLETE);
}

/* req: B-04, B-07 */
static void coap_body_add__more_than_allowed__is_too_large(void **state)
{
	struct world *w = *state;

	w->size1 = 50000000;
	assert_int_equal(add_num(w, 0, 5, 1700), COAP_BODY_TOO_LARGE);
	assert_int_equal(w->body.octets.cap, 0);
	w->size1 = 0;
	for (uint32_t num = 0; num < 4; num++)
		assert_int_equal(add_num(w, num, 6, BODY_MAX + 1), COAP_BODY_MORE);
	assert_int_equal(add_num(w, 4, 6, BODY_MAX + 1), COAP_BODY_TOO_LARGE);
	assert_int_equal(w->body.octets.len, 0);
}

/* req: B-07 */
static void coap_body_add__announced_size__sets_nothing_aside(void **state)
{
	struct world *w = *state;

	w->size1 = BODY_MAX;
	assert_int_equal(add_num(w, 0, 0, 100), COAP_BODY_MORE);
	assert_int_equal(w->body.size_announced, BODY_MAX);
	assert_true(w->body.octets.cap < 128);
}

/* ---- cutting ---- */

static void coap_block_slice__body__ends_with_its_last_block(void **state)
{
	struct world *w = *state;
	struct bytes body = bytes_of(w->sent, 1024), part;
	bool more;

	assert_true(coap_block_slice(body, 0, 5, &part, &more));
	assert_true(part.len == 512 && more);
	assert_true(coap_block_slice(body, 1, 5, &part, &more));
	assert_true(part.len == 512 && !more);
	assert_false(coap_block_slice(body, 2, 5, &part, &more));
	assert_false(coap_block_slice(body, 0xfffff, 6, &part, &more));
	assert_true(coap_block_slice(bytes_of(NULL, 0), 0, 6, &part, &more));
	assert_true(part.len == 0 && !more);
	assert_false(coap_block_slice(bytes_of(NULL, 0), 1, 6, &part, &more));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(coap_block_read__option__says_number_more_and_size),
		CASE(coap_block_read__reserved_size_or_too_long__is_refused),
		CASE(coap_block_value__any_block__reads_the_same_again),
		CASE(coap_block_szx_for__room__is_never_exceeded),
		CASE(coap_body_add__blocks_in_order_without_a_size__make_the_body),
		CASE(coap_body_add__no_block_option__is_a_whole_body),
		CASE(coap_body_add__size_lowered_on_the_way__offset_counts_in_octets),
		CASE(coap_body_add__block_seen_before__changes_nothing),
		CASE(coap_body_add__earlier_block_missing__is_a_gap),
		CASE(coap_body_add__first_block_again__begins_anew),
		CASE(coap_body_add__overlapping_or_different_octets__are_a_gap),
		CASE(coap_body_add__last_block_inside_of_what_is_held__is_a_gap),
		CASE(coap_body_add__another_format__is_never_mixed_in),
		CASE(coap_body_add__answer_without_the_format_on_later_blocks__is_read),
		CASE(coap_body_add__block_shorter_or_longer_than_its_size__is_a_gap),
		CASE(coap_body_add__more_than_allowed__is_too_large),
		CASE(coap_body_add__announced_size__sets_nothing_aside),
		CASE(coap_block_slice__body__ends_with_its_last_block),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
