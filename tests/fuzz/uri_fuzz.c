/* SPDX-License-Identifier: Apache-2.0 */
/* URIs from certificates, headers and configuration: what is accepted is a host, a port and a
 * path and nothing else, and reads the same when it is written again. Two lines: the second is a
 * Location to resolve against the first. */
#include <stdlib.h>
#include <string.h>

#include "common/wire/percent.h"
#include "common/wire/uri.h"
#include "tests/fuzz/fuzz.h"

typedef bool parser(const char *, struct uri *, struct err *);

/* Written out, the parser that took it takes it again. */
static void check_uri(const struct uri *u, parser *parse)
{
	BUF_AUTO struct buf text = BUF_INIT(2048);
	struct err e = ERR_INIT;
	struct uri again;

	FUZZ_REQUIRE(u->host[0] && u->port > 0);
	FUZZ_REQUIRE(!strpbrk(u->host, "/@?# []\\"));
	FUZZ_REQUIRE(!u->path[0] || u->path[0] == '/' || u->path[0] == '?');
	FUZZ_REQUIRE(!strpbrk(u->path, " #\r\n\t"));
	FUZZ_REQUIRE(uri_format(u, &text, &e));
	FUZZ_REQUIRE(parse(buf_str(&text), &again, &e));
	FUZZ_REQUIRE(uri_same_origin(u, &again) && strcmp(u->path, again.path) == 0);
	FUZZ_REQUIRE(u->host_is_ip == again.host_is_ip && u->host_is_ipv6 == again.host_is_ipv6);
}

static void read_percent(const char *text)
{
	BUF_AUTO struct buf plain = BUF_INIT(4096), coded = BUF_INIT(3 * 4096),
			    again = BUF_INIT(4096), value = BUF_INIT(4096);
	struct err e = ERR_INIT;
	bool found;

	if (!percent_query(text, "a", &value, &found, &e) ||
		!percent_decode(bytes_of_str(text), &plain, &e))
		return;
	FUZZ_REQUIRE(percent_encode(buf_bytes(&plain), &coded, &e));
	FUZZ_REQUIRE(percent_decode(buf_bytes(&coded), &again, &e));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&plain), buf_bytes(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len), *location = strchr(text, '\n');
	struct err e = ERR_INIT, ignored = ERR_INIT;
	struct uri u, resolved;
	bool ok;

	if (location)
		*location++ = '\0';
	ok = uri_parse(text, &u, &e);
	fuzz_check_promises(ok, &e);
	if (ok)
		check_uri(&u, uri_parse);
	if (ok && location && uri_resolve(&u, location, &resolved, &ignored))
		check_uri(&resolved, uri_parse);
	if (uri_parse_server(text, &u, &ignored))
		check_uri(&u, uri_parse_server);
	if (uri_parse_web(text, &u, &ignored))
		check_uri(&u, uri_parse_web);
	if (uri_parse_upstream(text, &u, &ignored))
		check_uri(&u, uri_parse_upstream);
	if (uri_parse_authority(text, &u, &ignored))
		check_uri(&u, uri_parse);
	read_percent(text);
	free(text);
	return 0;
}
