/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of service discovery, octet by octet, and what is wrong with those of others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/dns_message.h"

/* An announcement of one proxy: PTR, SRV, TXT and AAAA, names compressed as responders do. */
#define HEAD "\x00\x00\x84\x00\x00\x00\x00\x04\x00\x00\x00\x00"
#define PTR                                                                                        \
	"\x0c_brski-proxy\x04_tcp\x05local\x00\x00\x0c\x00\x01\x00\x00\x11\x94\x00\x0a\x07"        \
	"a.b c\xc3\xa9\xc0\x0c"
#define SRV                                                                                        \
	"\xc0\x2f\x00\x21\x80\x01\x00\x00\x00\x78\x00\x0c\x00\x05\x00\x07\x11\x5b\x03gw1\xc0\x1e"
#define TXT                                                                                        \
	"\xc0\x2f\x00\x10\x80\x01\x00\x00\x11\x94\x00\x11\x07"                                     \
	"EST-TLS"                                                                                  \
	"\x00\x07"                                                                                 \
	"a=b=c d"
#define AAAA                                                                                       \
	"\xc0\x4b\x00\x1c\x80\x01\x00\x00\x00\x78\x00\x10\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b"
#define WHOLE HEAD PTR SRV TXT AAAA

#define OCTETS(literal) bytes_of(literal, sizeof(literal) - 1)

static struct dns_record nth(struct bytes message, int n)
{
	struct dns_reader r;
	struct dns_record out;
	struct err e = ERR_INIT;
	bool end;

	assert_true(dns_open(message, &r, &e));
	for (int i = 0; i <= n; i++) {
		assert_true(dns_next_record(&r, &out, &end, &e));
		assert_false(end);
	}
	return out;
}

/* The kind of the error that reading all of it ends with; ERR_NONE. */
static enum err_kind verdict(struct bytes message)
{
	struct dns_reader r;
	struct dns_question q;
	struct dns_record record;
	struct err e = ERR_INIT;
	bool end = false;

	if (!dns_open(message, &r, &e))
		return e.kind;
	while (!end)
		if (!dns_next_question(&r, &q, &end, &e))
			return e.kind;
	for (end = false; !end;)
		if (!dns_next_record(&r, &record, &end, &e))
			return e.kind;
	return e.kind;
}

static void is_named(const struct dns_name *n, const char *text)
{
	char formatted[DNS_NAME_TEXT_MAX + 1];

	assert_string_equal(dns_name_format(n, formatted), text);
}

/* req: DISC-REG-002 */
static void dns_next_record__announcement__is_read_whole(void **state)
{
	struct dns_record ptr = nth(OCTETS(WHOLE), 0), srv = nth(OCTETS(WHOLE), 1),
			  txt = nth(OCTETS(WHOLE), 2), host = nth(OCTETS(WHOLE), 3);
	struct dns_reader r;
	struct err e = ERR_INIT;

	is_named(&ptr.name, "_brski-proxy._tcp.local");
	is_named(&ptr.target, "a\\046b\\032c\\195\\169._brski-proxy._tcp.local");
	assert_int_equal(ptr.ttl_s, 4500);
	assert_false(ptr.flush);
	assert_true(dns_name_is_under(&ptr.target, &ptr.name));
	assert_false(dns_name_is_under(&ptr.name, &ptr.name));
	assert_true(dns_name_equal(&srv.name, &ptr.target));
	assert_true(srv.flush);
	assert_int_equal(srv.class, DNS_CLASS_IN);
	assert_int_equal(srv.srv.priority, 5);
	assert_int_equal(srv.srv.weight, 7);
	assert_int_equal(srv.srv.port, 4443);
	is_named(&srv.target, "gw1.local");
	assert_int_equal(txt.type, DNS_TXT);
	assert_true(dns_name_equal(&host.name, &srv.target));
	assert_int_equal(host.data.len, 16);
	assert_true(dns_open(OCTETS(WHOLE), &r, &e));
	assert_true(r.head.flags & DNS_FLAG_RESPONSE);
	assert_int_equal(verdict(OCTETS(WHOLE)), ERR_NONE);
}

static void dns_txt_next__strings__come_one_by_one_without_empty_ones(void **state)
{
	struct dns_record txt = nth(OCTETS(WHOLE), 2);
	struct bytes left = txt.data, key;

	assert_true(dns_txt_next(&left, &key));
	assert_true(bytes_equal(key, bytes_of_str("EST-TLS")));
	assert_true(dns_txt_next(&left, &key));
	assert_true(bytes_equal(key, bytes_of_str("a=b=c d")));
	assert_false(dns_txt_next(&left, &key));
}

static void dns_name__case__makes_no_difference(void **state)
{
	struct dns_name a, b, c;
	struct err e = ERR_INIT;

	assert_true(dns_name_parse("_BRSKI-Proxy._tcp.local.", &a, &e));
	assert_true(dns_name_parse("_brski-proxy._TCP.Local", &b, &e));
	assert_true(dns_name_parse("_brski-proxy._udp.local", &c, &e));
	assert_true(dns_name_equal(&a, &b));
	assert_false(dns_name_equal(&a, &c));
	assert_false(dns_name_parse("a..b", &a, &e));
	assert_int_equal(e.kind, ERR_INPUT);
}

static void dns_name_parse__longer_than_any__is_refused(void **state)
{
	char text[400];
	struct dns_name n;
	struct err e = ERR_INIT;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(dns_name_parse(text, &n, &e)); /* a label of 399 */
	for (size_t i = 50; i < sizeof(text); i += 50)
		text[i] = '.';
	text[254] = '\0';
	assert_false(dns_name_parse(text, &n, &e)); /* 256 octets as it travels */
	text[253] = '\0';
	assert_true(dns_name_parse(text, &n, &e));
	assert_int_equal(n.len, DNS_NAME_MAX);
}

static void dns_read__name_that_leads_in_a_circle__is_refused(void **state)
{
	/* to itself; forwards; two that point at each other; a label in front of a circle */
	assert_int_equal(verdict(OCTETS("\0\0\x84\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")), ERR_INPUT);
	assert_int_equal(
		verdict(OCTETS("\0\0\x84\0\0\1\0\0\0\0\0\0\xc0\x12\0\1\0\1\0")), ERR_INPUT);
	assert_int_equal(
		verdict(OCTETS("\0\0\x84\0\0\2\0\0\0\0\0\0\xc0\x12\0\1\0\1\xc0\x0c\0\1\0\1")),
		ERR_INPUT);
	assert_int_equal(
		verdict(OCTETS("\0\0\x84\0\0\1\0\0\0\0\0\0\1a\xc0\x0c\0\1\0\1")), ERR_INPUT);
}

static void dns_read__name_that_grows_by_pointers__is_refused(void **state)
{
	/* each name is 60 octets and a pointer to the one before: the fifth is longer than any */
	uint8_t message[DNS_MESSAGE_MAX] = {0, 0, 0, 0, 0, 5};
	size_t at = 12, before = 0;

	for (int i = 0; i < 5; i++) {
		size_t begin = at;

		message[at] = 60;
		memset(message + at + 1, 'a', 60);
		at += 61;
		if (i > 0) {
			message[at++] = (uint8_t)(0xc0 | before >> 8);
			message[at++] = (uint8_t)before;
		} else {
			message[at++] = 0;
		}
		message[at + 1] = message[at + 3] = 1;
		at += 4;
		before = begin;
	}
	assert_int_equal(verdict(bytes_of(message, at)), ERR_INPUT);
	message[5] = 4;
	assert_int_equal(verdict(bytes_of(message, at)), ERR_NONE);
}

static void dns_read__cut_anywhere__is_refused(void **state)
{
	for (size_t len = 0; len < sizeof(WHOLE) - 1; len++)
		assert_int_equal(verdict(bytes_of(WHOLE, len)), ERR_INPUT);
}

static void dns_read__more_than_anybody_needs__is_refused(void **state)
{
	assert_int_equal(verdict(OCTETS("\0\0\0\0\0\x21\0\0\0\0\0\0")), ERR_TOO_LARGE);
	assert_int_equal(verdict(OCTETS("\0\0\0\0\0\0\0\x40\0\x40\0\x01")), ERR_TOO_LARGE);
}

static void dns_read__data_that_does_not_fit_its_type__is_refused(void **state)
{
#define ONE "\0\0\x84\0\0\0\0\1\0\0\0\0\1a\0"
	/* an A record of 3 octets, SRV without a target, TXT that ends in a string, a target longer
	 * than its record, one shorter, a label of a kind that was never used */
	assert_int_equal(verdict(OCTETS(ONE "\0\x01\0\1\0\0\0\1\0\3abc")), ERR_INPUT);
	assert_int_equal(verdict(OCTETS(ONE "\0\x21\0\1\0\0\0\1\0\6\0\0\0\0\1\xbb")), ERR_INPUT);
	assert_int_equal(verdict(OCTETS(ONE "\0\x10\0\1\0\0\0\1\0\2\2a")), ERR_INPUT);
	assert_int_equal(verdict(OCTETS(ONE "\0\x0c\0\1\0\0\0\1\0\2\1a\0")), ERR_INPUT);
	assert_int_equal(verdict(OCTETS(ONE "\0\x0c\0\1\0\0\0\1\0\4\1a\0\0")), ERR_INPUT);
	assert_int_equal(verdict(OCTETS(ONE "\0\x0c\0\1\0\0\0\1\0\3\x81\1\0")), ERR_INPUT);
	/* and of a type that is none of ours anything is fine */
	assert_int_equal(verdict(OCTETS(ONE "\0\x2f\0\1\0\0\0\1\0\3abc")), ERR_NONE);
}

static void dns_put_question__what_was_written__is_read_again(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(512);
	struct dns_question q = {.type = DNS_PTR, .class = DNS_CLASS_IN, .unicast = true}, again;
	struct dns_reader r;
	struct err e = ERR_INIT;
	bool end;

	assert_true(dns_name_parse("_brski-proxy._tcp.local", &q.name, &e));
	assert_true(dns_put_query(&out, 0x1234, DNS_FLAG_RECURSE, 1, &e));
	assert_true(dns_put_question(&out, &q, &e));
	assert_memory_equal(out.data,
		"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0c_brski-proxy\x04_"
		"tcp\x05local\x00"
		"\x00\x0c\x80\x01",
		out.len);
	assert_true(dns_open(buf_bytes(&out), &r, &e));
	assert_true(dns_next_question(&r, &again, &end, &e) && !end);
	assert_true(again.unicast && again.class == DNS_CLASS_IN && again.type == DNS_PTR);
	assert_true(dns_name_equal(&again.name, &q.name));
	assert_true(dns_next_question(&r, &again, &end, &e) && end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_next_record__announcement__is_read_whole),
		cmocka_unit_test(dns_txt_next__strings__come_one_by_one_without_empty_ones),
		cmocka_unit_test(dns_name__case__makes_no_difference),
		cmocka_unit_test(dns_name_parse__longer_than_any__is_refused),
		cmocka_unit_test(dns_read__name_that_leads_in_a_circle__is_refused),
		cmocka_unit_test(dns_read__name_that_grows_by_pointers__is_refused),
		cmocka_unit_test(dns_read__cut_anywhere__is_refused),
		cmocka_unit_test(dns_read__more_than_anybody_needs__is_refused),
		cmocka_unit_test(dns_read__data_that_does_not_fit_its_type__is_refused),
		cmocka_unit_test(dns_put_question__what_was_written__is_read_again),
	};

	return cmocka_run_group_tests_name("dns_message", tests, NULL, NULL);
}
