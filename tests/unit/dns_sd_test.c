/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of messages of service discovery: places, and the questions that are left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/dns_browser.h"
#include "common/net/dns_sd.h"

#define ETH0 2
#define ETH1 3

/* Builds a response record by record, without compression. */
struct message {
	uint8_t octets[2048];
	size_t len;
};

static struct message response(void)
{
	return (struct message){.octets = {0, 0, 0x84, 0}, .len = 12};
}

static void put(struct message *m, const void *data, size_t len)
{
	memcpy(m->octets + m->len, data, len);
	m->len += len;
}

static void put_u16(struct message *m, unsigned value)
{
	const uint8_t octets[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(m, octets, 2);
}

static void record(struct message *m, const char *name, uint16_t type, unsigned ttl_s,
	const void *data, size_t len)
{
	struct dns_name n;
	struct err e = ERR_INIT;

	assert_true(dns_name_parse(name, &n, &e));
	put(m, n.octets, n.len);
	put_u16(m, type);
	put_u16(m, 0x8001);
	put_u16(m, 0);
	put_u16(m, ttl_s);
	put_u16(m, (unsigned)len);
	put(m, data, len);
	m->octets[7]++;
}

static void pointer(struct message *m, const char *name, const char *target, unsigned ttl_s)
{
	struct dns_name t;
	struct err e = ERR_INIT;

	assert_true(dns_name_parse(target, &t, &e));
	record(m, name, DNS_PTR, ttl_s, t.octets, t.len);
}

static void service(
	struct message *m, const char *name, unsigned priority, unsigned port, const char *host)
{
	uint8_t data[6 + DNS_NAME_MAX] = {(uint8_t)(priority >> 8), (uint8_t)priority, 0, 9,
		(uint8_t)(port >> 8), (uint8_t)port};
	struct dns_name h;
	struct err e = ERR_INIT;

	assert_true(dns_name_parse(host, &h, &e));
	memcpy(data + 6, h.octets, h.len);
	record(m, name, DNS_SRV, 120, data, 6 + h.len);
}

static void address(struct message *m, const char *host, const char *literal)
{
	struct address a;
	struct err e = ERR_INIT;

	assert_true(address_parse(literal, 1, &a, &e));
	if (a.sa.sa_family == AF_INET)
		record(m, host, DNS_A, 120, &a.v4.sin_addr, 4);
	else
		record(m, host, DNS_AAAA, 120, &a.v6.sin6_addr, 16);
}

#define TXT(m, name, strings) record(m, name, DNS_TXT, 120, strings, sizeof(strings) - 1)
#define PROXIES		      "_brski-proxy._tcp.local"
#define ONE		      "one._brski-proxy._tcp.local"

struct heard {
	struct dns_sd_place places[8];
	struct variations speaks; /* of the last one */
	size_t count;
};

static void on_found(void *arg, const struct dns_sd_place *place)
{
	struct heard *h = arg;

	assert_true(h->count < 8);
	h->speaks = *place->speaks;
	h->places[h->count++] = *place;
}

static struct heard take_from(
	struct dns_sd *d, const struct message *m, unsigned interface, int who)
{
	const struct dns_sd_origin from = {.interface = interface, .sender = {(uint8_t)who}};
	struct heard h = {.count = 0};
	struct err e = ERR_INIT;

	assert_true(dns_sd_take(d, bytes_of(m->octets, m->len), &from, on_found, &h, &e));
	return h;
}

static struct heard take(struct dns_sd *d, const struct message *m, unsigned interface)
{
	return take_from(d, m, interface, 0);
}

static struct message whole(const char *txt, size_t txt_len)
{
	struct message m = response();

	/* the address stands before whose it is, as some responders have it */
	address(&m, "gw.local", "fe80::7");
	address(&m, "gw.local", "192.0.2.7");
	service(&m, ONE, 5, 4443, "gw.local");
	record(&m, ONE, DNS_TXT, 120, txt, txt_len);
	pointer(&m, PROXIES, ONE, 120);
	return m;
}

/* req: R8995-PLG-004, DISC-REG-002 */
static void dns_sd_take__announcement__gives_each_address(void **state)
{
	struct dns_sd d;
	struct message m = whole("\0", 1);
	struct heard h;

	dns_sd_init(&d, "local", false);
	h = take(&d, &m, ETH0);
	assert_int_equal(h.count, 2);
	assert_string_equal(h.places[0].service->name, "_brski-proxy._tcp");
	assert_int_equal(h.places[0].priority, 5);
	assert_int_equal(h.places[0].weight, 9);
	assert_int_equal(address_port(&h.places[0].at), 4443);
	assert_true(address_is_link_local(&h.places[0].at));
	assert_string_equal(h.places[0].variation, "");
}

/* req: DISC-REG-001, DISC-REG-002 */
static void dns_sd_take__variations__only_what_we_speak(void **state)
{
	struct message ours = whole("\x08prm-jose\x07"
				    "EST-TLS\x03"
				    "a=b",
			       21),
		       theirs = whole("\x08prm-jose\x03"
				      "cmp",
			       13),
		       attributes = whole("\x09txtvers=1", 10);
	struct dns_sd d;
	struct heard h;

	dns_sd_init(&d, "local", false);
	h = take(&d, &theirs, ETH0);
	assert_int_equal(h.count, 0);
	h = take(&d, &ours, ETH0); /* it has learnt another one since */
	assert_int_equal(h.count, 2);
	assert_string_equal(h.places[0].variation, "EST-TLS");
	h = take(&d, &attributes, ETH0);
	assert_int_equal(h.count, 2);
	assert_string_equal(h.places[0].variation, "");
}

static void dns_sd_take__piece_by_piece__is_asked_for_and_put_together(void **state)
{
	struct dns_sd d;
	struct dns_question q[8];
	struct message m = response();

	dns_sd_init(&d, "local", false);
	pointer(&m, PROXIES, ONE, 120);
	assert_int_equal(take(&d, &m, ETH0).count, 0);
	assert_int_equal(dns_sd_missing(&d, q, 8), 2);
	assert_true(q[0].type == DNS_SRV && q[1].type == DNS_TXT);
	m = response();
	service(&m, ONE, 0, 443, "gw.local");
	TXT(&m, ONE, "\0");
	assert_int_equal(take(&d, &m, ETH0).count, 0);
	assert_int_equal(dns_sd_missing(&d, q, 8), 2);
	assert_true(q[0].type == DNS_AAAA && q[1].type == DNS_A);
	m = response();
	address(&m, "GW.local", "192.0.2.7");
	assert_int_equal(take(&d, &m, ETH0).count, 1);
	assert_int_equal(dns_sd_missing(&d, q, 8), 0);
}

static void dns_sd_missing__nobody_answers__asks_a_few_times(void **state)
{
	struct dns_sd d;
	struct dns_question q[8];
	struct message m = response();

	dns_sd_init(&d, "local", false);
	pointer(&m, PROXIES, ONE, 120);
	take(&d, &m, ETH0);
	for (int i = 0; i < DNS_SD_ASKS_MAX; i++)
		assert_int_equal(dns_sd_missing(&d, q, 8), 2);
	assert_int_equal(dns_sd_missing(&d, q, 8), 0);
}

static void dns_sd_take__another_link__is_not_mixed_up(void **state)
{
	struct dns_sd d;
	struct message m = response();

	dns_sd_init(&d, "local", false);
	pointer(&m, PROXIES, ONE, 120);
	service(&m, ONE, 0, 443, "gw.local");
	TXT(&m, ONE, "\0");
	take(&d, &m, ETH0);
	m = response();
	address(&m, "gw.local", "192.0.2.7");
	assert_int_equal(take(&d, &m, ETH1).count, 0);
	assert_int_equal(take(&d, &m, ETH0).count, 1);
}

static void dns_sd_take__what_is_none__is_passed_over(void **state)
{
	struct dns_sd d;
	struct message other = response(), goodbye = response(), query = whole("\0", 1),
		       failed = whole("\0", 1), cut = whole("\0", 1);
	const struct dns_sd_origin from = {.interface = ETH0};
	struct heard h = {.count = 0};
	struct err e = ERR_INIT;

	dns_sd_init(&d, "local", false);
	pointer(&other, "_ipp._tcp.local", "p._ipp._tcp.local", 120);
	pointer(&other, PROXIES, "one._ipp._tcp.local", 120);
	service(&other, "p._ipp._tcp.local", 0, 631, "gw.local");
	pointer(&goodbye, PROXIES, ONE, 0);
	query.octets[2] = 0;
	failed.octets[3] = 3;
	cut.len -= 3;
	assert_int_equal(take(&d, &other, ETH0).count, 0);
	assert_int_equal(take(&d, &goodbye, ETH0).count, 0);
	assert_int_equal(take(&d, &query, ETH0).count, 0);
	assert_int_equal(take(&d, &failed, ETH0).count, 0);
	assert_int_equal(d.count, 0);
	assert_false(dns_sd_take(&d, bytes_of(cut.octets, cut.len), &from, on_found, &h, &e));
	assert_int_equal(e.kind, ERR_INPUT);
	assert_int_equal(h.count, 0);
}

static void dns_sd_take__goodbye_of_a_description_or_an_address__tells_of_no_place(void **state)
{
	static const uint8_t at[4] = {192, 0, 2, 7}, srv[] = {0, 0, 0, 0, 1, 0xbb, 2, 'g', 'w', 0};
	struct dns_sd d;
	struct message m = whole("\0", 1), gone = response();

	dns_sd_init(&d, "local", false);
	record(&gone, ONE, DNS_SRV, 0, srv, sizeof(srv));
	assert_int_equal(take(&d, &gone, ETH0).count, 0);
	assert_int_equal(d.count, 0);
	assert_int_equal(take(&d, &m, ETH0).count, 2);
	gone = response();
	record(&gone, "gw.local", DNS_A, 0, at, sizeof(at));
	assert_int_equal(take(&d, &gone, ETH0).count, 0);
}

static void dns_sd_take__more_instances_than_there_is_room__replaces_the_oldest(void **state)
{
	struct dns_sd d;
	struct message good = whole("\0", 1);

	dns_sd_init(&d, "local", false);
	for (int i = 0; i < 3 * DNS_SD_INSTANCES_MAX; i++) {
		struct message m = response();
		char name[64];

		snprintf(name, sizeof(name), "liar%d." PROXIES, i);
		pointer(&m, PROXIES, name, 120);
		take(&d, &m, ETH0);
	}
	assert_int_equal(d.count, DNS_SD_INSTANCES_MAX);
	assert_int_equal(take(&d, &good, ETH0).count, 2);
}

static void dns_sd_take__one_names_more_than_there_is_room__others_keep_theirs(void **state)
{
	struct dns_sd d;
	struct message m = response();

	dns_sd_init(&d, "local", false);
	pointer(&m, PROXIES, ONE, 120);
	service(&m, ONE, 0, 443, "gw.local");
	TXT(&m, ONE, "\0");
	take_from(&d, &m, ETH0, 1);
	for (int i = 0; i < 3 * DNS_SD_INSTANCES_MAX; i++) {
		char name[64];

		m = response();
		snprintf(name, sizeof(name), "liar%d." PROXIES, i);
		pointer(&m, PROXIES, name, 120);
		take_from(&d, &m, ETH0, 2 + (i & 1));
	}
	m = response();
	address(&m, "gw.local", "192.0.2.7");
	assert_int_equal(take_from(&d, &m, ETH0, 1).count, 1);
}

/* req: R8995-JP-004 */
static void dns_sd_take__another_speaks_of_an_instance__changes_nothing_of_it(void **state)
{
	struct dns_sd d;
	struct dns_question q[8];
	struct message m = response(), lie = response();
	struct heard h;

	dns_sd_init(&d, "local", false);
	pointer(&m, PROXIES, ONE, 120);
	service(&m, ONE, 5, 4443, "gw.local");
	TXT(&m, ONE, "\0");
	take_from(&d, &m, ETH0, 1);
	service(&lie, ONE, 0, 9, "elsewhere.local");
	take_from(&d, &lie, ETH0, 2);
	lie = response();
	address(&lie, "gw.local", "192.0.2.66");
	take_from(&d, &lie, ETH0, 2);
	assert_true(dns_sd_missing(&d, q, 2) == 2 && q[0].type == DNS_AAAA && q[1].type == DNS_A);
	m = response();
	address(&m, "gw.local", "192.0.2.7");
	h = take_from(&d, &m, ETH0, 1);
	assert_int_equal(h.count, 1);
	assert_int_equal(address_port(&h.places[0].at), 4443);
}

/* req: R8995-JP-004, DISC-JP-002 */
static void dns_sd_take__for_a_relay__is_registrars_whatever_they_speak(void **state)
{
	struct message proxy = whole("\0", 1), registrar = response();
	struct dns_sd d;
	struct heard h;

	dns_sd_init(&d, "local", true);
	assert_int_equal(take(&d, &proxy, ETH0).count, 0);
	pointer(&registrar, "_brski-registrar._tcp.local", "r._brski-registrar._tcp.local", 120);
	service(&registrar, "r._brski-registrar._tcp.local", 0, 443, "r.local");
	TXT(&registrar, "r._brski-registrar._tcp.local",
		"\x03"
		"new\x03"
		"CMP");
	address(&registrar, "r.local", "fe80::7");
	h = take(&d, &registrar, ETH0);
	assert_int_equal(h.count, 1);
	assert_int_equal(h.speaks.count, 2);
	assert_true(variations_have(&h.speaks, "new") && variations_have(&h.speaks, "cmp"));
}

/* req: X-12 */
static void dns_sd_browse__question__has_each_service_once(void **state)
{
	/* both names of a join proxy of constrained devices; not where stateless ones go */
	static const char *const wanted[] = {"_brski-registrar._tcp.local",
		"_brski-proxy._tcp.local", "_brski-registrar._udp.local", "_brski-proxy._udp.local",
		"_brski-jp._udp.local"};
	BUF_AUTO struct buf out = BUF_INIT(1400);
	char name[DNS_NAME_TEXT_MAX + 1];
	struct dns_sd d;
	struct dns_reader r;
	struct dns_question q;
	struct err e = ERR_INIT;
	bool end = false;
	size_t count = 0;

	dns_sd_init(&d, "local", false);
	assert_true(dns_sd_browse(7, 0, true, &d, &out, &e));
	assert_true(dns_open(buf_bytes(&out), &r, &e));
	while (dns_next_question(&r, &q, &end, &e) && !end) {
		assert_true(q.type == DNS_PTR && q.unicast);
		assert_true(count < 5);
		assert_string_equal(dns_name_format(&q.name, name), wanted[count++]);
	}
	assert_int_equal(count, 5);
}

static void dns_settings_parse__resolv_conf__resolvers_and_domains(void **state)
{
	struct dns_settings s;

	dns_settings_parse(
		"# comment\nnameserver 192.0.2.1\nnameserver 2001:db8::1\r\n"
		"nameserver 127.0.0.1:5300\nnameserver 192.0.2.4\nnameserver x\n"
		"search a.example b.example.\n;domain c\noptions edns0\ndomain d.example\n"
		"search e.example ..",
		&s);
	assert_int_equal(s.resolver_count, 3);
	assert_int_equal(address_port(&s.resolvers[1]), DNS_PORT);
	assert_int_equal(address_port(&s.resolvers[2]), 5300);
	assert_int_equal(s.domain_count, 3);
	assert_string_equal(s.domains[2], "d.example");
	dns_settings_parse("", &s);
	assert_int_equal(s.resolver_count + s.domain_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_sd_take__announcement__gives_each_address),
		cmocka_unit_test(dns_sd_take__variations__only_what_we_speak),
		cmocka_unit_test(dns_sd_take__piece_by_piece__is_asked_for_and_put_together),
		cmocka_unit_test(dns_sd_missing__nobody_answers__asks_a_few_times),
		cmocka_unit_test(dns_sd_take__another_link__is_not_mixed_up),
		cmocka_unit_test(dns_sd_take__what_is_none__is_passed_over),
		cmocka_unit_test(
			dns_sd_take__goodbye_of_a_description_or_an_address__tells_of_no_place),
		cmocka_unit_test(
			dns_sd_take__more_instances_than_there_is_room__replaces_the_oldest),
		cmocka_unit_test(
			dns_sd_take__one_names_more_than_there_is_room__others_keep_theirs),
		cmocka_unit_test(dns_sd_take__another_speaks_of_an_instance__changes_nothing_of_it),
		cmocka_unit_test(dns_sd_take__for_a_relay__is_registrars_whatever_they_speak),
		cmocka_unit_test(dns_sd_browse__question__has_each_service_once),
		cmocka_unit_test(dns_settings_parse__resolv_conf__resolvers_and_domains),
	};

	return cmocka_run_group_tests_name("dns_sd", tests, NULL, NULL);
}
