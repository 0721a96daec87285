/* SPDX-License-Identifier: Apache-2.0 */
/* CoAP messages: what is written byte for byte, and every way in which octets are not a message. */
#include "common/wire/coap_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/coap_format.h"
#include "common/wire/hex.h"

#define STATUS_OK "a26776657273696f6e0166737461747573f5" /* {"version": 1, "status": true} */

static struct bytes from_hex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	return bytes_of(out, n);
}

static void add_text(struct coap_message *m, uint16_t number, const char *text)
{
	struct err e = ERR_INIT;

	assert_true(coap_message_add(m, number, bytes_of_str(text), &e));
}

static void add_number(struct coap_message *m, uint16_t number, uint32_t value, uint8_t scratch[4])
{
	struct err e = ERR_INIT;

	assert_true(coap_message_add(m, number, coap_uint(value, scratch), &e));
}

static void expect_octets(const struct coap_message *m, const char *hex)
{
	BUF_AUTO struct buf out = BUF_INIT(COAP_MESSAGE_MAX);
	uint8_t octets[256];
	struct err e = ERR_INIT;

	assert_true(coap_message_format(m, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), from_hex(hex, octets)));
}

static enum err_kind parse_hex(const char *hex, struct coap_message *m)
{
	static uint8_t octets[512];
	struct err e = ERR_INIT;

	return coap_message_parse(from_hex(hex, octets), m, &e) ? ERR_NONE : e.kind;
}

static struct coap_message report(void)
{
	return (struct coap_message){
		.code = COAP_POST, .id = 0xab0f, .token = {0x4d}, .token_len = 1};
}

/* ---- writing ---- */

/* req */
static void coap_message_format__status_report_on_a_short_path__is_31_octets(void **state)
{
	struct coap_message m = report();
	uint8_t payload[32], scratch[4];

	add_number(&m, COAP_OPT_CONTENT_FORMAT, COAP_FORMAT_CBOR, scratch);
	add_text(&m, COAP_OPT_URI_PATH, "b");
	add_text(&m, COAP_OPT_URI_PATH, "es");
	m.payload = from_hex(STATUS_OK, payload);
	expect_octets(&m, "4102ab0f4db162026573113cff" STATUS_OK);
}

/* req: R-17 */
static void coap_message_format__abbreviated_path__comes_behind_the_format(void **state)
{
	struct coap_message m = report();
	uint8_t payload[32], format[4], path[4];

	add_number(&m, COAP_OPT_URI_PATH_ABBREV, 401, path);
	add_number(&m, COAP_OPT_CONTENT_FORMAT, COAP_FORMAT_CBOR, format);
	m.payload = from_hex(STATUS_OK, payload);
	expect_octets(&m, "4102ab0f4dc13c120191ff" STATUS_OK);
}

/* req: R-19 */
static void coap_message_format__spelled_out_path__is_47_octets(void **state)
{
	struct coap_message m = report();
	uint8_t payload[32], scratch[4];

	add_text(&m, COAP_OPT_URI_PATH, ".well-known");
	add_text(&m, COAP_OPT_URI_PATH, "brski");
	add_text(&m, COAP_OPT_URI_PATH, "es");
	add_number(&m, COAP_OPT_CONTENT_FORMAT, COAP_FORMAT_CBOR, scratch);
	m.payload = from_hex(STATUS_OK, payload);
	expect_octets(&m, "4102ab0f4dbb2e77656c6c2d6b6e6f776e056272736b69026573113cff" STATUS_OK);
}

static void coap_message_format__deltas_and_lengths__grow_where_they_must(void **state)
{
	static const size_t lens[] = {0, 12, 13, 268, 269, 300, 1000};
	static const uint16_t numbers[] = {1, 12, 13, 14, 268, 269, 1000, 65535};
	static uint8_t filler[1000];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++) {
			BUF_AUTO struct buf out = BUF_INIT(COAP_MESSAGE_MAX);
			struct coap_message m = report(), back;
			size_t head = (lens[i] < 13	      ? 0
					      : lens[i] < 269 ? 1
							      : 2) +
				      (numbers[k] < 13		 ? 0u
					      : numbers[k] < 269 ? 1u
								 : 2u);

			assert_true(
				coap_message_add(&m, numbers[k], bytes_of(filler, lens[i]), &e));
			assert_true(coap_message_format(&m, &out, &e));
			assert_int_equal(out.len, 5 + 1 + head + lens[i]);
			assert_true(coap_message_parse(buf_bytes(&out), &back, &e));
			assert_int_equal(back.option_count, 1);
			assert_int_equal(back.options[0].number, numbers[k]);
			assert_int_equal(back.options[0].value.len, lens[i]);
		}
}

static void coap_message_format__options_of_one_number__keep_their_order(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(COAP_MESSAGE_MAX), path = BUF_INIT(100);
	struct coap_message m = report(), back;
	struct err e = ERR_INIT;

	add_text(&m, COAP_OPT_URI_QUERY, "q");
	add_text(&m, COAP_OPT_URI_PATH, "c");
	add_text(&m, COAP_OPT_URI_PATH, "a");
	add_text(&m, COAP_OPT_URI_HOST, "h");
	add_text(&m, COAP_OPT_URI_PATH, "b");
	assert_true(coap_message_format(&m, &out, &e));
	assert_true(coap_message_parse(buf_bytes(&out), &back, &e));
	assert_true(coap_message_path(&back, &path, &e));
	assert_string_equal(buf_str(&path), "/c/a/b");
	assert_int_equal(back.options[0].number, COAP_OPT_URI_HOST);
	assert_int_equal(back.options[4].number, COAP_OPT_URI_QUERY);
}

static void coap_message_format__what_no_message_can_be__is_refused(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(2 * COAP_MESSAGE_MAX);
	static uint8_t filler[COAP_MESSAGE_MAX];
	struct coap_message m = report();
	struct err e = ERR_INIT;

	m.code = COAP_EMPTY; /* with a token */
	assert_false(coap_message_format(&m, &out, &e));
	m = report();
	m.token_len = COAP_TOKEN_MAX + 1;
	assert_false(coap_message_format(&m, &out, &e));
	m = report();
	m.type = COAP_RST;
	assert_false(coap_message_format(&m, &out, &e));
	m = report();
	m.payload = bytes_of(filler, sizeof(filler));
	assert_false(coap_message_format(&m, &out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void coap_message_add__one_more_than_there_is_room__is_refused(void **state)
{
	struct coap_message m = report();
	struct err e = ERR_INIT;

	for (int i = 0; i < COAP_OPTIONS_MAX; i++)
		add_text(&m, COAP_OPT_URI_PATH, "");
	assert_false(coap_message_add(&m, COAP_OPT_URI_PATH, bytes_of_str(""), &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* ---- reading ---- */

static void coap_message_parse__request__gives_its_parts(void **state)
{
	BUF_AUTO struct buf path = BUF_INIT(100);
	struct coap_message m;
	struct err e = ERR_INIT;
	uint32_t format;

	assert_int_equal(parse_hex("4102ab0f4db162026573113cff" STATUS_OK, &m), ERR_NONE);
	assert_int_equal(m.type, COAP_CON);
	assert_int_equal(m.code, COAP_POST);
	assert_int_equal(m.id, 0xab0f);
	assert_int_equal(m.token_len, 1);
	assert_int_equal(m.token[0], 0x4d);
	assert_true(coap_message_path(&m, &path, &e));
	assert_string_equal(buf_str(&path), "/b/es");
	assert_true(coap_message_uint(&m, COAP_OPT_CONTENT_FORMAT, &format));
	assert_int_equal(format, COAP_FORMAT_CBOR);
	assert_int_equal(m.payload.len, 18);
}

static void coap_message_parse__ping_ack_and_reset__are_empty(void **state)
{
	struct coap_message m;

	assert_int_equal(parse_hex("40000001", &m), ERR_NONE);
	assert_int_equal(parse_hex("60001234", &m), ERR_NONE);
	assert_int_equal(m.type, COAP_ACK);
	assert_int_equal(parse_hex("70001234", &m), ERR_NONE);
	assert_int_equal(m.type, COAP_RST);
	assert_int_equal(parse_hex("50001234", &m), ERR_INPUT); /* NON is never empty */
}

static void coap_message_parse__format_errors__are_refused(void **state)
{
	static const char *const broken[] = {
		"", "400101",			/* no whole header */
		"4901000100112233445566778899", /* token lengths 9 to 15 */
		"4f0100010011223344556677889900112233",
		"4400000111223344",		  /* empty code with a token */
		"40000001b161",			  /* … with an option */
		"40000001ff61",			  /* … with a payload */
		"4401000111",			  /* ends within the token */
		"40010001ff",			  /* marker without a payload */
		"40010001b1",			  /* ends within the value */
		"40010001b2aa", "40010001d1",	  /* … within an extended delta */
		"40010001e100", "40010001bd",	  /* … within an extended length */
		"40010001be00", "40010001be0001", /* length 270 of nothing */
		"40010001f1aa",			  /* delta 15 */
		"400100011faa",			  /* length 15 */
		"40010001e0ffff00",		  /* an option number of 65804 */
	};
	struct coap_message m;

	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		assert_int_equal(parse_hex(broken[i], &m), ERR_INPUT);
	assert_int_equal(parse_hex("40010001e0fef200", &m), ERR_NONE);
	assert_int_equal(m.options[1].number, 65535);
	assert_int_equal(parse_hex("40010001e0fef210", &m), ERR_INPUT); /* one more */
}

static void coap_message_parse__codes_that_do_not_fit__are_refused(void **state)
{
	static const char *const bad[] = {
		"40200001", "40c00001", "40e00001", /* classes 1, 6, 7 */
		"60010001",			    /* a request in an ACK */
		"70010001", "70450001",		    /* anything in a RST */
	};
	struct coap_message m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(parse_hex(bad[i], &m), ERR_INPUT);
	assert_int_equal(parse_hex("60450001", &m), ERR_NONE);
	assert_int_equal(parse_hex("40450001", &m), ERR_NONE);
	assert_int_equal(parse_hex("50450001", &m), ERR_NONE);
}

static void coap_message_parse__broken_confirmable__can_be_reset(void **state)
{
	struct coap_message m;

	assert_int_equal(parse_hex("4001abcdff", &m), ERR_INPUT);
	assert_int_equal(m.type, COAP_CON);
	assert_int_equal(m.id, 0xabcd);
	/* another version is ignored silently, so it must not look like a CON */
	assert_int_equal(parse_hex("8001abcd", &m), ERR_INPUT);
	assert_int_equal(m.type, COAP_NON);
	assert_int_equal(parse_hex("0001abcd", &m), ERR_INPUT);
}

static void coap_message_parse__too_many_options_or_octets__is_too_large(void **state)
{
	static uint8_t octets[COAP_MESSAGE_MAX + 1] = {0x40, 1, 0, 1};
	struct coap_message m;
	struct err e = ERR_INIT;

	assert_true(coap_message_parse(bytes_of(octets, 4 + COAP_OPTIONS_MAX), &m, &e));
	assert_int_equal(m.option_count, COAP_OPTIONS_MAX);
	assert_false(coap_message_parse(bytes_of(octets, 5 + COAP_OPTIONS_MAX), &m, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	octets[4] = 0xff;
	assert_true(coap_message_parse(bytes_of(octets, COAP_MESSAGE_MAX), &m, &e));
	assert_false(coap_message_parse(bytes_of(octets, COAP_MESSAGE_MAX + 1), &m, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

/* ---- options ---- */

static void coap_uint__values__are_in_their_shortest_form(void **state)
{
	static const struct {
		uint32_t value;
		size_t len;
	} cases[] = {{0, 0}, {1, 1}, {255, 1}, {256, 2}, {65536, 3}, {UINT32_MAX, 4}};
	struct coap_message m = report();
	uint8_t scratch[4];
	uint32_t back;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		m.option_count = 0;
		add_number(&m, COAP_OPT_SIZE1, cases[i].value, scratch);
		assert_int_equal(m.options[0].value.len, cases[i].len);
		assert_true(coap_message_uint(&m, COAP_OPT_SIZE1, &back));
		assert_int_equal(back, cases[i].value);
	}
}

static void coap_message_uint__leading_zeros__are_read_and_five_octets_are_not(void **state)
{
	struct coap_message m = report();
	struct err e = ERR_INIT;
	uint32_t value;

	assert_false(coap_message_uint(&m, COAP_OPT_ACCEPT, &value));
	assert_true(coap_message_add(&m, COAP_OPT_ACCEPT, bytes_of("\0\0\x3c", 3), &e));
	assert_true(coap_message_uint(&m, COAP_OPT_ACCEPT, &value));
	assert_int_equal(value, 60);
	m.options[0].value = bytes_of("\0\0\0\0\x3c", 5);
	assert_false(coap_message_uint(&m, COAP_OPT_ACCEPT, &value));
}

/* req: C-21, B-11 */
static void coap_message_bad_option__unknown_critical_ones__are_found(void **state)
{
	static const uint16_t unknown[] = {1, 5, 9, 19, 21, 31, 35, 39, 2053};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		struct coap_message m = report();

		add_text(&m, COAP_OPT_URI_PATH, "a");
		add_text(&m, 2052, "elective");
		assert_int_equal(coap_message_bad_option(&m, true), 0);
		add_text(&m, unknown[i], "");
		assert_int_equal(coap_message_bad_option(&m, true), unknown[i]);
		assert_int_equal(coap_message_bad_option(&m, false), COAP_OPT_URI_PATH);
	}
}

/* req: R-18 */
static void coap_message_bad_option__once_only_and_no_longer_than_allowed(void **state)
{
	struct coap_message m = report();

	add_text(&m, COAP_OPT_URI_PATH, "a");
	add_text(&m, COAP_OPT_URI_PATH, "b");
	add_text(&m, COAP_OPT_URI_PATH_ABBREV, "\x01");
	add_text(&m, COAP_OPT_BLOCK1, "\x01");
	assert_int_equal(coap_message_bad_option(&m, true), 0);
	add_text(&m, COAP_OPT_URI_PATH_ABBREV, "\x01");
	assert_int_equal(coap_message_bad_option(&m, true), COAP_OPT_URI_PATH_ABBREV);
	m.option_count -= 2;
	add_text(&m, COAP_OPT_BLOCK1, "\x01\x01\x01\x01");
	assert_int_equal(coap_message_bad_option(&m, true), COAP_OPT_BLOCK1);
	m.option_count--;
	add_text(&m, COAP_OPT_URI_HOST, "");
	assert_int_equal(coap_message_bad_option(&m, true), COAP_OPT_URI_HOST);
}

static void coap_message_bad_option__response__may_bring_blocks_only(void **state)
{
	struct coap_message m = {.type = COAP_ACK, .code = COAP_CONTENT};

	add_text(&m, COAP_OPT_BLOCK2, "");
	add_text(&m, COAP_OPT_ETAG, "x");
	assert_int_equal(coap_message_bad_option(&m, false), 0);
	add_text(&m, 9, "");
	assert_int_equal(coap_message_bad_option(&m, false), 9);
}

static void coap_message_path__segments_that_could_mean_two_things__are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {{"a/b", 3}, {"a\0b", 3}, {".", 1}, {"..", 2}, {"a\n", 2}, {"\x7f", 1}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		BUF_AUTO struct buf path = BUF_INIT(100);
		struct coap_message m = report();
		struct err e = ERR_INIT;

		assert_true(coap_message_add(
			&m, COAP_OPT_URI_PATH, bytes_of(bad[i].text, bad[i].len), &e));
		assert_false(coap_message_path(&m, &path, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
}

static void coap_message_path__none_and_empty_segments__are_written_as_uris_are(void **state)
{
	BUF_AUTO struct buf path = BUF_INIT(100), short_buf = BUF_INIT(2);
	struct coap_message m = report();
	struct err e = ERR_INIT;

	assert_true(coap_message_path(&m, &path, &e));
	assert_string_equal(buf_str(&path), "/");
	buf_clear(&path);
	add_text(&m, COAP_OPT_URI_PATH, "...");
	add_text(&m, COAP_OPT_URI_PATH, "");
	assert_true(coap_message_path(&m, &path, &e));
	assert_string_equal(buf_str(&path), "/.../");
	assert_false(coap_message_path(&m, &short_buf, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(coap_message_format__status_report_on_a_short_path__is_31_octets),
		cmocka_unit_test(coap_message_format__abbreviated_path__comes_behind_the_format),
		cmocka_unit_test(coap_message_format__spelled_out_path__is_47_octets),
		cmocka_unit_test(coap_message_format__deltas_and_lengths__grow_where_they_must),
		cmocka_unit_test(coap_message_format__options_of_one_number__keep_their_order),
		cmocka_unit_test(coap_message_format__what_no_message_can_be__is_refused),
		cmocka_unit_test(coap_message_add__one_more_than_there_is_room__is_refused),
		cmocka_unit_test(coap_message_parse__request__gives_its_parts),
		cmocka_unit_test(coap_message_parse__ping_ack_and_reset__are_empty),
		cmocka_unit_test(coap_message_parse__format_errors__are_refused),
		cmocka_unit_test(coap_message_parse__codes_that_do_not_fit__are_refused),
		cmocka_unit_test(coap_message_parse__broken_confirmable__can_be_reset),
		cmocka_unit_test(coap_message_parse__too_many_options_or_octets__is_too_large),
		cmocka_unit_test(coap_uint__values__are_in_their_shortest_form),
		cmocka_unit_test(
			coap_message_uint__leading_zeros__are_read_and_five_octets_are_not),
		cmocka_unit_test(coap_message_bad_option__unknown_critical_ones__are_found),
		cmocka_unit_test(coap_message_bad_option__once_only_and_no_longer_than_allowed),
		cmocka_unit_test(coap_message_bad_option__response__may_bring_blocks_only),
		cmocka_unit_test(
			coap_message_path__segments_that_could_mean_two_things__are_refused),
		cmocka_unit_test(
			coap_message_path__none_and_empty_segments__are_written_as_uris_are),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
