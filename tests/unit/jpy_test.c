/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/wire/jpy.h"

static bool parse_hex(const char *hex, struct buf *octets, struct jpy *out)
{
	struct err e = ERR_INIT;
	uint8_t high;

	buf_init(octets, 70000);
	for (; *hex; hex += 2) {
		high = (uint8_t)strtoul((char[]){hex[0], hex[1], '\0'}, NULL, 16);
		assert_true(buf_append(octets, &high, 1, &e));
	}
	return jpy_parse(buf_bytes(octets), out, &e);
}

/* req: J-07 J-12 */
static void jpy_format__sizes_of_the_published_messages__are_the_published_sizes(void **state)
{
	static const uint8_t zeros[427];
	static const struct {
		size_t content, whole;
	} known[] = {{427, 448}, {60, 80}, {1, 16 + 1 + 3}, {23, 16 + 23 + 3}, {24, 16 + 24 + 4}};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		BUF_AUTO struct buf out = BUF_INIT(1000);
		struct jpy m = {bytes_of(zeros, 16), bytes_of(zeros, known[i].content)}, again;

		assert_true(jpy_format(&m, &out, &e));
		assert_int_equal(out.len, known[i].whole);
		assert_true(jpy_parse(buf_bytes(&out), &again, &e));
		assert_int_equal(again.header.len, 16);
		assert_int_equal(again.content.len, known[i].content);
	}
}

/* req: J-07 J-09 */
static void jpy_format__any_octets_in_the_header__come_back_unchanged(void **state)
{
	uint8_t header[JPY_HEADER_WRITE_MAX] = {0};
	BUF_AUTO struct buf out = BUF_INIT(JPY_OVERHEAD_MAX + 3000);
	static const uint8_t content[3000];
	struct jpy m = {bytes_of(header, sizeof(header)), bytes_of(content, sizeof(content))};
	struct jpy again;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(header); i++)
		header[i] = (uint8_t)(i * 37);
	assert_true(jpy_format(&m, &out, &e));
	assert_int_equal(out.len, sizeof(content) + JPY_OVERHEAD_MAX);
	assert_true(jpy_parse(buf_bytes(&out), &again, &e));
	assert_true(bytes_equal(again.header, m.header));
	assert_true(bytes_equal(again.content, m.content));
}

/* req: J-08 */
static void jpy_parse__more_elements_or_longer_encodings__are_taken(void **state)
{
	static const char *const good[] = {
		"8241aa41bb",	      /* as we write it */
		"8441aa41bbf6a10102", /* more elements, of any type */
		"9f41aa41bbff",	      /* an array of indefinite length */
		"98025801aa590001bb", /* lengths longer than needed */
		"824041bb",	      /* an empty header */
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		BUF_AUTO struct buf octets;
		struct jpy m;

		if (!parse_hex(good[i], &octets, &m))
			fail_msg("refused: %s", good[i]);
		assert_int_equal(m.content.len, 1);
		assert_int_equal(m.content.data[0], 0xbb);
	}
}

/* req: J-08 */
static void jpy_parse__anything_else__is_refused(void **state)
{
	static const char *const bad[] = {
		"",			  /* nothing */
		"80",			  /* no element */
		"8141aa",		  /* one element */
		"82616141bb",		  /* text for a header */
		"8241aa6162",		  /* text for a content */
		"8241aa40",		  /* no content */
		"a141aa41bb",		  /* a map */
		"41aa",			  /* a byte string alone */
		"8241aa",		  /* cut short */
		"8241aa42bb",		  /* cut short in the content */
		"8241aa41bb00",		  /* octets behind it */
		"825f41aa41aaff41bb",	  /* a header in pieces */
		"8241aa5f41bb41bbff",	  /* a content in pieces */
		"9f41aa41bb",		  /* no end */
		"9bffffffffffffffff41aa", /* more elements than there is memory */
		"8241aa5affffffffbb",	  /* a length beyond the end */
		"d81841aa",		  /* a tag */
		"16fefd0000000000000000", /* a DTLS record without a wrapping */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		BUF_AUTO struct buf octets;
		struct jpy m;

		if (parse_hex(bad[i], &octets, &m))
			fail_msg("taken: %s", bad[i]);
	}
}

/* req: J-08 */
static void jpy_parse__longer_header_or_datagram_than_any__is_refused(void **state)
{
	static uint8_t large[70000];
	struct err e = ERR_INIT;
	struct jpy m = {bytes_of(large, JPY_HEADER_MAX + 1), bytes_of(large, 1)};
	BUF_AUTO struct buf out = BUF_INIT(1000);

	large[0] = 0x82, large[1] = 0x58, large[2] = JPY_HEADER_MAX + 1;
	large[3 + JPY_HEADER_MAX + 1] = 0x41;
	assert_false(jpy_parse(bytes_of(large, 3 + JPY_HEADER_MAX + 1 + 2), &m, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	m.header = bytes_of(large, JPY_HEADER_MAX + 1);
	assert_false(jpy_format(&m, &out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
	large[2] = JPY_HEADER_MAX, large[3 + JPY_HEADER_MAX] = 0x41;
	assert_true(jpy_parse(bytes_of(large, 3 + JPY_HEADER_MAX + 2), &m, &e));
	assert_false(jpy_parse(bytes_of(large, sizeof(large)), &m, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void jpy_format__no_room__leaves_nothing_behind(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(10);
	struct jpy m = {bytes_of("abc", 3), bytes_of("0123456789", 10)};
	struct err e = ERR_INIT;

	assert_false(jpy_format(&m, &out, &e));
	assert_int_equal(out.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			jpy_format__sizes_of_the_published_messages__are_the_published_sizes),
		cmocka_unit_test(jpy_format__any_octets_in_the_header__come_back_unchanged),
		cmocka_unit_test(jpy_parse__more_elements_or_longer_encodings__are_taken),
		cmocka_unit_test(jpy_parse__anything_else__is_refused),
		cmocka_unit_test(jpy_parse__longer_header_or_datagram_than_any__is_refused),
		cmocka_unit_test(jpy_format__no_room__leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
