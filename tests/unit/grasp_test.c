/* SPDX-License-Identifier: Apache-2.0 */
/* M_FLOOD as RFC 8995 prints it, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/grasp.h"
#include "common/net/service_names.h"

#define OCTETS(literal) bytes_of(literal, sizeof(literal) - 1)

/* RFC 8995 figure 10 as octets: AN_Proxy at fe80::1, TCP port 4443, for three minutes. */
#define FIGURE                                                                                     \
	"\x85\x09\x1a\x00\xbc\x4e\x4f\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\x00\x02\xbf"   \
	"\x20"                                                                                     \
	"\x82\x84\x68"                                                                             \
	"AN_Proxy"                                                                                 \
	"\x04\x01\x60\x84\x18\x67\x50\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"                       \
	"\x06\x19\x11\x5b"

static bool parses(struct bytes octets, struct grasp_flood *out)
{
	struct err e = ERR_INIT;
	bool ok = grasp_flood_parse(octets, out, &e);

	assert_true(ok || e.kind == ERR_INPUT || e.kind == ERR_TOO_LARGE);
	return ok;
}

/* req: R8995-PLG-003, DISC-REG-004 */
static void grasp_flood__of_the_rfc__is_read_and_written(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(GRASP_MESSAGE_MAX);
	struct grasp_flood f;
	const struct grasp_objective *o = &f.objectives[0];
	struct err e = ERR_INIT;

	assert_true(parses(OCTETS(FIGURE), &f));
	assert_int_equal(f.session, 12340815);
	assert_int_equal(f.ttl_ms, 180000);
	assert_int_equal(f.count, 1);
	assert_string_equal(o->name, "AN_Proxy");
	assert_int_equal(o->flags, GRASP_FLAG_SYNCH);
	assert_int_equal(o->loops, 1);
	assert_true(o->has_value);
	assert_string_equal(o->value, "");
	assert_int_equal(o->locator, GRASP_IPV6_LOCATOR);
	assert_int_equal(o->protocol, IPPROTO_TCP);
	assert_int_equal(o->port, 4443);
	assert_true(grasp_flood_format(&f, &out, &e));
	assert_true(bytes_equal(buf_bytes(&out), OCTETS(FIGURE)));
}

#define BEGIN(elements) elements "\x09\x01\x44\xc0\0\2\1\x19\x03\xe8"
#define NAMED(locator)	"\x82\x83\x61o\x04\x01" locator

static void grasp_flood__each_locator__is_understood(void **state)
{
	struct grasp_flood f;

	assert_true(parses(
		OCTETS(BEGIN("\x89") NAMED("\x80") NAMED("\x84\x18\x68\x44\xc0\0\2\1\x11\x05")
				NAMED("\x84\x18\x69\x63"
				      "a.b"
				      "\x06\x05") NAMED("\x84\x18\x6a\x69https://a\xf6\xf6")
					NAMED("\x82\x18\x6b\xf6")),
		&f));
	assert_int_equal(f.initiator_len, 4);
	assert_int_equal(f.count, 5);
	assert_int_equal(f.objectives[0].locator, GRASP_NO_LOCATOR);
	assert_int_equal(f.objectives[1].locator, GRASP_IPV4_LOCATOR);
	assert_int_equal(f.objectives[1].protocol, IPPROTO_UDP);
	assert_string_equal(f.objectives[2].host, "a.b");
	assert_string_equal(f.objectives[3].host, "https://a");
	assert_int_equal(f.objectives[3].port, 0);
	assert_int_equal(f.objectives[4].locator, GRASP_NO_LOCATOR); /* not known yet */
	assert_false(f.objectives[0].has_value);
}

static void grasp_flood__value_of_another_kind__is_no_text(void **state)
{
	struct grasp_flood f;

	assert_true(parses(OCTETS(BEGIN("\x85") "\x82\x84\x61o\x04\x01\xa1\x01\x02\x80"), &f));
	assert_false(f.objectives[0].has_value);
}

static void grasp_flood__anything_else__is_refused(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} wrong[] = {
#define WRONG(literal) {literal, sizeof(literal) - 1}
		WRONG(""),
		WRONG("\x80"),
		WRONG("\x09"),
		WRONG(BEGIN("\x84")),				      /* no objective */
		WRONG(BEGIN("\x85") "\x81\x83\x61o\x04\x01"),	      /* no place for a locator */
		WRONG(BEGIN("\x85") "\x83\x83\x61o\x04\x01\x80\x80"), /* two */
		WRONG(BEGIN("\x85") "\x82\x82\x61o\x04\x80"),	      /* no loop count */
		WRONG(BEGIN("\x85") "\x82\x85\x61o\x04\x01\x60\x60\x80"), /* two values */
		WRONG(BEGIN("\x85") "\x82\x83\x61o\x19\x01\x00\x01\x80"), /* flags of two octets */
		WRONG(BEGIN("\x85") NAMED("\x84\x18\x67\x44\xc0\0\2\1\x06\x05")), /* IPv6 of four */
		WRONG(BEGIN("\x85")
				NAMED("\x84\x18\x68\x45\xc0\0\2\1\1\x06\x05")), /* IPv4 of five */
		WRONG(BEGIN("\x85") NAMED("\x84\x18\x68\x44\xc0\0\2\1\x06\x1a\0\1\0\0")), /* port */
		WRONG(BEGIN("\x85") NAMED("\x83\x18\x68\x44\xc0\0\2\1\x06")),		  /* none */
		WRONG(BEGIN("\x85") NAMED("\x84\x18\x68\x44\xc0\0\2\1\x06\xf5")),	  /* true */
		WRONG("\x85\x08\x01\x44\xc0\0\2\1\x19\x03\xe8" NAMED("\x80")), /* another message */
		WRONG("\x85\x09\x01\x43\xc0\0\2\x19\x03\xe8" NAMED(
			"\x80")), /* initiator of three */
		WRONG("\x85\x09\x1b\0\0\0\1\0\0\0\0\x44\xc0\0\2\1\x00" NAMED("\x80")), /* session */
		WRONG(FIGURE "\x00"),
	};
	struct grasp_flood f;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(parses(bytes_of(wrong[i].octets, wrong[i].len), &f));
	for (size_t len = 0; len < sizeof(FIGURE) - 1; len++)
		assert_false(parses(bytes_of(FIGURE, len), &f));
}

static void grasp_flood__more_objectives_than_anybody_needs__is_refused(void **state)
{
	BUF_AUTO struct buf out = BUF_INIT(GRASP_MESSAGE_MAX);
	struct grasp_flood f = {.initiator_len = 4, .count = GRASP_OBJECTIVES_MAX};
	struct err e = ERR_INIT;

	assert_true(grasp_flood_format(&f, &out, &e));
	assert_true(parses(buf_bytes(&out), &f));
	out.data[0]++;
	assert_true(buf_append(&out, "\x82\x83\x61o\x04\x01\x80", 7, &e));
	assert_false(grasp_flood_parse(buf_bytes(&out), &f, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void service_grasp_find__name_and_protocol__say_what_it_is(void **state)
{
	const struct service_name *s = service_grasp_find("an_proxy", IPPROTO_TCP);

	assert_true(s && s->role == SERVICE_PROXY && s->scheme == URI_HTTPS);
	s = service_grasp_find("AN_Join_Registrar", IPPROTO_UDP);
	assert_true(s && s->role == SERVICE_REGISTRAR && s->scheme == URI_COAPS);
	assert_null(service_grasp_find("AN_Something", IPPROTO_TCP));
	assert_null(service_grasp_find("AN_Proxy", IPPROTO_SCTP));
}

/* req: DISC-REG-001 */
static void service_speaks__variations__only_those_of_the_carrier(void **state)
{
	assert_true(service_speaks(URI_HTTPS, bytes_of_str("")));
	assert_true(service_speaks(URI_HTTPS, bytes_of_str("EST-TLS")));
	assert_true(service_speaks(URI_COAPS, bytes_of_str("rrm-cose")));
	assert_false(service_speaks(URI_HTTPS, bytes_of_str("rrm-cose")));
	assert_false(service_speaks(URI_HTTPS, bytes_of_str("prm-jose")));
	assert_false(service_speaks(URI_HTTPS, bytes_of_str("est-tlsx")));
	assert_false(service_speaks(URI_HTTPS, bytes_of_str("est")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grasp_flood__of_the_rfc__is_read_and_written),
		cmocka_unit_test(grasp_flood__each_locator__is_understood),
		cmocka_unit_test(grasp_flood__value_of_another_kind__is_no_text),
		cmocka_unit_test(grasp_flood__anything_else__is_refused),
		cmocka_unit_test(grasp_flood__more_objectives_than_anybody_needs__is_refused),
		cmocka_unit_test(service_grasp_find__name_and_protocol__say_what_it_is),
		cmocka_unit_test(service_speaks__variations__only_those_of_the_carrier),
	};

	return cmocka_run_group_tests_name("grasp", tests, NULL, NULL);
}
