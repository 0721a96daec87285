/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/net/address.h"
#include "common/net/coap_discovery.h"
#include "common/wire/coap_format.h"
#include "common/wire/coap_message.h"
#include "tests/unit/skip.h"

static const struct log quiet = {.program = "test", .level = LOG_LEVEL_ERROR, .fd = 2};

static const struct coap_offer registrar_offers[] = {
	{COAP_OFFER_COAPS, 5684, "/b", NULL},
	{COAP_OFFER_COAPS, 5684, "/e", "ace.est"},
	{COAP_OFFER_JPY, 7634, NULL, NULL},
};
static const struct coap_offer proxy_offers[] = {
	{COAP_OFFER_JOIN_PORT, 57101, NULL, NULL},
	{COAP_OFFER_JOIN_PORT, 57102, NULL, NULL},
};

struct scene {
	struct loop *loop;
	struct coap_responder *responder;
	struct address at;
	struct coap_candidate found[COAP_CANDIDATES_MAX];
	size_t count;
	int ends;
};

static void begin(struct scene *s, const struct coap_offer *offers, size_t n)
{
	struct err e = ERR_INIT;
	struct coap_responder_config c = {.log = &quiet, .address = "127.0.0.1", .any_port = true};

	memset(s, 0, sizeof(*s));
	s->loop = loop_new(&e);
	assert_non_null(s->loop);
	c.loop = s->loop;
	s->responder = coap_responder_new(&c, &e);
	if (!s->responder)
		fail_msg("%s", e.text);
	coap_responder_offer(s->responder, offers, n);
	assert_true(address_parse("127.0.0.1", coap_responder_port(s->responder), &s->at, &e));
}

static void end(struct scene *s)
{
	coap_responder_free(s->responder);
	loop_free(s->loop);
}

static void on_found(void *arg, const struct coap_candidate *found, size_t count)
{
	struct scene *s = arg;

	memcpy(s->found, found, count * sizeof(*found));
	s->count = count;
	s->ends++;
	loop_stop(s->loop);
}

static void ask(struct scene *s, enum coap_find find, bool first, int64_t window_ms)
{
	struct coap_query_config c = {.loop = s->loop,
		.find = find,
		.to = &s->at.sa,
		.to_len = s->at.len,
		.port = address_port(&s->at),
		.window_ms = window_ms,
		.stop_at_first = first};
	struct err e = ERR_INIT;
	struct coap_query *q = coap_query_new(&c, on_found, s, &e);

	assert_non_null(q);
	loop_run(s->loop);
	assert_int_equal(s->ends, 1);
	coap_query_free(q);
}

static const char *place(const struct scene *s, size_t i, char out[ADDRESS_TEXT_MAX])
{
	struct address a = address_of((const struct sockaddr *)&s->found[i].at, s->found[i].at_len);

	return address_format(&a, out);
}

/* req: X-01 X-02 X-03 X-04 */
static void query__join_ports__are_at_the_address_that_answered(void **state)
{
	char text[ADDRESS_TEXT_MAX];
	struct scene s;

	begin(&s, proxy_offers, 2);
	ask(&s, COAP_FIND_JOIN_PORT, true, 5000);
	assert_int_equal(s.count, 2);
	assert_string_equal(place(&s, 0, text), "127.0.0.1:57101");
	assert_string_equal(place(&s, 1, text), "127.0.0.1:57102");
	end(&s);
}

/* req: X-06 J-11 J-20 */
static void query__stateless_port_of_a_registrar__is_found(void **state)
{
	char text[ADDRESS_TEXT_MAX];
	struct scene s;

	begin(&s, registrar_offers, 3);
	ask(&s, COAP_FIND_JPY, true, 5000);
	assert_int_equal(s.count, 1);
	assert_string_equal(place(&s, 0, text), "127.0.0.1:7634");
	end(&s);
}

/* req: X-07 J-20 */
static void query__registrar__is_found_once_whatever_its_path(void **state)
{
	char text[ADDRESS_TEXT_MAX];
	struct scene s;

	begin(&s, registrar_offers, 3);
	ask(&s, COAP_FIND_COAPS, true, 5000);
	assert_int_equal(s.count, 1);
	assert_string_equal(place(&s, 0, text), "127.0.0.1:5684");
	end(&s);
}

/* req: X-08 */
static void query__nobody_has_it__ends_when_the_window_closes(void **state)
{
	struct scene s;

	begin(&s, proxy_offers, 2);
	ask(&s, COAP_FIND_JPY, true, 50);
	assert_int_equal(s.count, 0);
	end(&s);
}

static void query__every_answer_wanted__waits_for_the_window_and_keeps_each_once(void **state)
{
	struct scene s;

	begin(&s, proxy_offers, 2);
	ask(&s, COAP_FIND_JOIN_PORT, false, 1200); /* asked twice in it */
	assert_int_equal(s.count, 2);
	end(&s);
}

/* ---- a client that says what it likes, and the answer octet for octet ---- */

struct reply {
	uint8_t octets[1500];
	ssize_t len;
	struct coap_message message;
};

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Send to the responder and give it a moment; len -1: silence. */
static void exchange(struct scene *s, struct bytes octets, struct reply *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct err e = ERR_INIT;
	struct loop_timer t;

	assert_true(fd >= 0);
	assert_int_equal(
		sendto(fd, octets.data, octets.len, 0, &s->at.sa, s->at.len), (ssize_t)octets.len);
	assert_true(loop_timer_init(&t, s->loop, stop, s->loop, &e));
	loop_timer_arm(&t, 20);
	loop_run(s->loop);
	loop_timer_clear(&t);
	out->len = recv(fd, out->octets, sizeof(out->octets), MSG_DONTWAIT);
	close(fd);
	if (out->len >= 0)
		assert_true(coap_message_parse(
			bytes_of(out->octets, (size_t)out->len), &out->message, &e));
}

static void ask_for(struct scene *s, enum coap_type type, uint8_t code, const char *last_segment,
	const char *query, struct reply *out)
{
	struct coap_message m = {
		.type = type, .code = code, .id = 0x1234, .token = {9}, .token_len = 1};
	BUF_AUTO struct buf octets = BUF_INIT(1000);
	struct err e = ERR_INIT;

	assert_true(coap_message_add(&m, COAP_OPT_URI_PATH, bytes_of_str(".well-known"), &e));
	assert_true(coap_message_add(&m, COAP_OPT_URI_PATH, bytes_of_str(last_segment), &e));
	if (query)
		assert_true(coap_message_add(&m, COAP_OPT_URI_QUERY, bytes_of_str(query), &e));
	assert_true(coap_message_format(&m, &octets, &e));
	exchange(s, buf_bytes(&octets), out);
}

static void check_payload(const struct reply *r, const char *expected)
{
	uint32_t format = 0;

	assert_true(r->len > 0);
	assert_int_equal(r->message.code, COAP_CONTENT);
	assert_true(coap_message_uint(&r->message, COAP_OPT_CONTENT_FORMAT, &format));
	assert_int_equal(format, COAP_FORMAT_LINK);
	assert_true(bytes_equal(r->message.payload, bytes_of_str(expected)));
}

/* req: X-02 X-05 X-06 X-07 X-09 */
static void responder__each_question__gets_its_links(void **state)
{
	struct scene s;
	struct reply r;

	begin(&s, proxy_offers, 1);
	ask_for(&s, COAP_CON, COAP_GET, "core", "brski-jp=*", &r);
	check_payload(&r, "<>;brski-jp=57101");
	assert_int_equal(r.message.type, COAP_ACK);
	assert_int_equal(r.message.id, 0x1234);
	assert_int_equal(r.message.token_len, 1);
	ask_for(&s, COAP_NON, COAP_GET, "core", "rt=brski.jp", &r);
	check_payload(&r, "<coaps://127.0.0.1:57101>;rt=brski.jp");
	assert_int_equal(r.message.type, COAP_NON);
	coap_responder_offer(s.responder, registrar_offers, 3);
	ask_for(&s, COAP_CON, COAP_GET, "core", "rt=brski", &r);
	check_payload(&r, "<coaps://127.0.0.1:5684/b>;rt=brski");
	ask_for(&s, COAP_CON, COAP_GET, "core", "rt=brski.rjp", &r);
	check_payload(&r, "<jpy://127.0.0.1:7634>;rt=brski.rjp");
	ask_for(&s, COAP_CON, COAP_GET, "core", "rt=brski*", &r);
	check_payload(
		&r, "<coaps://127.0.0.1:5684/b>;rt=brski,<jpy://127.0.0.1:7634>;rt=brski.rjp");
	ask_for(&s, COAP_CON, COAP_GET, "core", NULL, &r);
	check_payload(&r,
		"<coaps://127.0.0.1:5684/b>;rt=brski,<coaps://127.0.0.1:5684/e>;rt=ace.est,"
		"<jpy://127.0.0.1:7634>;rt=brski.rjp");
	end(&s);
}

/* req: X-11 */
static void responder__nothing_matches_by_unicast__is_an_empty_answer(void **state)
{
	struct scene s;
	struct reply r;

	begin(&s, proxy_offers, 2);
	ask_for(&s, COAP_CON, COAP_GET, "core", "rt=other", &r);
	check_payload(&r, "");
	ask_for(&s, COAP_CON, COAP_GET, "core", "nonsense", &r);
	check_payload(&r, "");
	end(&s);
}

static void responder__anything_but_the_question__is_refused_by_its_code(void **state)
{
	struct scene s;
	struct reply r;

	begin(&s, proxy_offers, 2);
	ask_for(&s, COAP_CON, COAP_GET, "est", NULL, &r);
	assert_int_equal(r.message.code, COAP_NOT_FOUND);
	ask_for(&s, COAP_CON, COAP_POST, "core", NULL, &r);
	assert_int_equal(r.message.code, COAP_NOT_ALLOWED);
	ask_for(&s, COAP_CON, COAP_CONTENT, "core", NULL, &r);
	assert_int_equal(r.message.type, COAP_RST);
	/* ping */
	exchange(&s, bytes_of("\x40\x00\x12\x34", 4), &r);
	assert_int_equal(r.message.type, COAP_RST);
	/* an unknown critical option, number 9 */
	exchange(&s, bytes_of("\x40\x01\x12\x34\x91x", 6), &r);
	assert_int_equal(r.message.code, COAP_BAD_OPTION);
	/* Accept: CBOR */
	exchange(&s,
		bytes_of("\x40\x01\x12\x34\xbb.well-known\x04"
			 "core\x61\x3c",
			4 + 12 + 5 + 2),
		&r);
	assert_int_equal(r.message.code, COAP_NOT_ACCEPTABLE);
	end(&s);
}

static void responder__garbage__is_met_with_silence_or_reset(void **state)
{
	struct scene s;
	struct reply r;
	uint8_t large[3000] = {0x50, 0x01, 0, 1};

	begin(&s, proxy_offers, 2);
	exchange(&s, bytes_of("", 0), &r);
	assert_int_equal(r.len, -1);
	exchange(&s, bytes_of("\x50", 1), &r);
	assert_int_equal(r.len, -1);
	exchange(&s, bytes_of("\x16\xfe\xfd\x00\x00\x00\x00", 7), &r);
	assert_int_equal(r.len, -1);
	exchange(&s, bytes_of(large, sizeof(large)), &r);
	assert_int_equal(r.len, -1);
	/* a CON that does not parse */
	exchange(&s, bytes_of("\x4f\x01\x12\x34", 4), &r);
	assert_int_equal(r.message.type, COAP_RST);
	assert_int_equal(r.message.id, 0x1234);
	/* and it still answers */
	ask_for(&s, COAP_CON, COAP_GET, "core", "brski-jp=*", &r);
	check_payload(&r, "<>;brski-jp=57101,<>;brski-jp=57102");
	end(&s);
}

/* req: J-19 */
static void responder__one_asks_without_end__is_answered_within_its_part(void **state)
{
	static const char question[] = "\x50\x01\x12\x34\xbb.well-known\x04"
				       "core";
	int fd = socket(AF_INET, SOCK_DGRAM, 0), answers = 0;
	uint8_t room[1500];
	struct scene s;
	struct reply r;

	begin(&s, proxy_offers, 1);
	for (int i = 0; i < 100; i++)
		assert_true(sendto(fd, question, sizeof(question) - 1, 0, &s.at.sa, s.at.len) > 0);
	exchange(&s, bytes_of("", 0), &r); /* lets the loop run */
	while (recv(fd, room, sizeof(room), MSG_DONTWAIT) > 0)
		answers++;
	assert_in_range(answers, 1, 30);
	close(fd);
	end(&s);
}

/* ---- answers from who is not honest ---- */

struct liar {
	int fd;
	struct event *ev;
	const char *payload;
	uint8_t code, token_flip;
	bool no_format;
};

static void on_question(evutil_socket_t fd, short what, void *arg)
{
	struct liar *l = arg;
	uint8_t room[1500], number[4];
	struct address from = {.len = sizeof(from.any)};
	ssize_t n = recvfrom(fd, room, sizeof(room), 0, &from.sa, &from.len);
	struct coap_message question, m = {.type = COAP_CON, .code = l->code, .id = 77};
	BUF_AUTO struct buf octets = BUF_INIT(8000);
	struct err e = ERR_INIT;

	assert_true(n > 0 && coap_message_parse(bytes_of(room, (size_t)n), &question, &e));
	memcpy(m.token, question.token, question.token_len);
	m.token_len = question.token_len;
	m.token[0] ^= l->token_flip;
	m.payload = bytes_of_str(l->payload);
	if (!l->no_format)
		assert_true(coap_message_add(
			&m, COAP_OPT_CONTENT_FORMAT, coap_uint(COAP_FORMAT_LINK, number), &e));
	assert_true(coap_message_format(&m, &octets, &e));
	assert_true(sendto(fd, octets.data, octets.len, 0, &from.sa, from.len) > 0);
}

static size_t lie_at(const char *literal, enum coap_find find, struct liar *l)
{
	struct err e = ERR_INIT;
	struct scene s = {.loop = loop_new(&e)};

	assert_true(address_parse(literal, 0, &s.at, &e));
	l->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(l->fd, &s.at.sa, s.at.len), 0);
	assert_true(address_of_socket(l->fd, &s.at, &e));
	l->ev = event_new(loop_base(s.loop), l->fd, EV_READ | EV_PERSIST, on_question, l);
	event_add(l->ev, NULL);
	ask(&s, find, true, 60);
	event_free(l->ev);
	close(l->fd);
	loop_free(s.loop);
	return s.count;
}

static size_t lie(enum coap_find find, struct liar *l)
{
	return lie_at("127.0.0.1", find, l);
}

/* An address of this machine that others can reach, too; false: it has none. */
static bool find_outer_address(char out[INET_ADDRSTRLEN])
{
	struct ifaddrs *all, *i;
	bool found = false;

	assert_int_equal(getifaddrs(&all), 0);
	for (i = all; i && !found; i = i->ifa_next) {
		const struct sockaddr_in *v4 = (const void *)i->ifa_addr;

		found = v4 && v4->sin_family == AF_INET && (i->ifa_flags & IFF_UP) &&
			!(i->ifa_flags & IFF_LOOPBACK) &&
			inet_ntop(AF_INET, &v4->sin_addr, out, INET_ADDRSTRLEN);
	}
	freeifaddrs(all);
	return found;
}

static void query__stranger_names_this_machines_own_services__is_passed_over(void **state)
{
	static const char *const lies[] = {"<jpy://127.0.0.53:53>;rt=brski.rjp",
		"<jpy://[::1]:53>;rt=brski.rjp", "<jpy://[::ffff:127.0.0.1]:53>;rt=brski.rjp"};
	char here[INET_ADDRSTRLEN];

	if (!find_outer_address(here))
		SKIP_BECAUSE("this machine has no address but the loopback's");
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct liar l = {.code = COAP_CONTENT, .payload = lies[i]};

		assert_int_equal(lie_at(here, COAP_FIND_JPY, &l), 0);
		/* who is here may mean it */
		assert_int_equal(lie(COAP_FIND_JPY, &l), 1);
	}
}

/* req: X-03 X-04 X-06 J-11 */
static void query__answer_that_is_none__is_passed_over(void **state)
{
	const struct {
		enum coap_find find;
		struct liar liar;
		size_t count;
	} rows[] = {
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::2]:9>;rt=brski.rjp"},
			1},
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::2]>;rt=brski.rjp"}, 0},
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::]:9>;rt=brski.rjp"},
			0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT,
				.payload = "<jpy://[::ffff:0.0.0.0]:9>;rt=brski.rjp"},
			0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT, .payload = "<jpy://[ff02::1]:9>;rt=brski.rjp"}, 0},
		{COAP_FIND_COAPS,
			{.code = COAP_CONTENT, .payload = "<coaps://224.0.1.187>;rt=brski"}, 0},
		{COAP_FIND_COAPS,
			{.code = COAP_CONTENT, .payload = "<coaps://255.255.255.255>;rt=brski"}, 0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT, .payload = "<jpy://a.example:9>;rt=brski.rjp"}, 0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT, .payload = "<jpy://[fe80::1%lo]:9>;rt=brski.rjp"},
			0},
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::2]:9>;rt=other"}, 0},
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::2]:9>"}, 0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT,
				.token_flip = 1,
				.payload = "<jpy://[::2]:9>;rt=brski.rjp"},
			0},
		{COAP_FIND_JPY,
			{.code = COAP_CONTENT,
				.no_format = true,
				.payload = "<jpy://[::2]:9>;rt=brski.rjp"},
			0},
		{COAP_FIND_JPY, {.code = COAP_NOT_FOUND, .payload = "<jpy://[::2]:9>;rt=brski.rjp"},
			0},
		/* what stands before the garbage is kept */
		{COAP_FIND_JPY, {.code = COAP_CONTENT, .payload = "<jpy://[::2]:9>;rt=brski.rjp,x"},
			1},
		{COAP_FIND_COAPS, {.code = COAP_CONTENT, .payload = "<coaps://[::2]>;rt=brski"}, 1},
		{COAP_FIND_COAPS, {.code = COAP_CONTENT, .payload = "<coap://[::2]>;rt=brski"}, 0},
		{COAP_FIND_COAPS, {.code = COAP_CONTENT, .payload = "</b>;rt=brski"}, 0},
		{COAP_FIND_JOIN_PORT, {.code = COAP_CONTENT, .payload = "<>;brski-jp=0"}, 0},
		{COAP_FIND_JOIN_PORT,
			{.code = COAP_CONTENT, .payload = "<>;brski-jp=9,<>;brski-jp=9"}, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct liar l = rows[i].liar;
		size_t count = lie(rows[i].find, &l);

		if (count != rows[i].count)
			fail_msg("%s: %zu, not %zu", l.payload, count, rows[i].count);
	}
}

static void query__more_links_than_candidates__keeps_the_first(void **state)
{
	char many[1000] = "";
	struct liar l = {.code = COAP_CONTENT, .payload = many};

	for (int i = 1; i <= 30; i++)
		snprintf(many + strlen(many), 40, "%s<>;brski-jp=%d", i > 1 ? "," : "", i);
	assert_int_equal(lie(COAP_FIND_JOIN_PORT, &l), COAP_CANDIDATES_MAX);
}

static void responder__wildcard_or_no_address__is_refused(void **state)
{
	static const char *const bad[] = {"::", "0.0.0.0", "a.example", "fe80::1%none0"};
	struct err e = ERR_INIT;
	struct loop *loop = loop_new(&e);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct coap_responder_config c = {
			.loop = loop, .log = &quiet, .address = bad[i], .any_port = true};

		assert_null(coap_responder_new(&c, &e));
		assert_int_equal(e.kind, ERR_INPUT);
	}
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query__join_ports__are_at_the_address_that_answered),
		cmocka_unit_test(query__stateless_port_of_a_registrar__is_found),
		cmocka_unit_test(query__registrar__is_found_once_whatever_its_path),
		cmocka_unit_test(query__nobody_has_it__ends_when_the_window_closes),
		cmocka_unit_test(
			query__every_answer_wanted__waits_for_the_window_and_keeps_each_once),
		cmocka_unit_test(responder__each_question__gets_its_links),
		cmocka_unit_test(responder__nothing_matches_by_unicast__is_an_empty_answer),
		cmocka_unit_test(responder__anything_but_the_question__is_refused_by_its_code),
		cmocka_unit_test(responder__garbage__is_met_with_silence_or_reset),
		cmocka_unit_test(responder__one_asks_without_end__is_answered_within_its_part),
		cmocka_unit_test(query__answer_that_is_none__is_passed_over),
		cmocka_unit_test(query__stranger_names_this_machines_own_services__is_passed_over),
		cmocka_unit_test(query__more_links_than_candidates__keeps_the_first),
		cmocka_unit_test(responder__wildcard_or_no_address__is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
