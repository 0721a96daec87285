/* SPDX-License-Identifier: Apache-2.0 */
/* What a load balancer sends in front of a connection, read as the server does: piece by piece and
 * never an octet too many. Whatever is taken names somebody who can have a connection. */
#include "common/net/proxy_protocol.h"
#include "tests/fuzz/fuzz.h"

/* As far as it can be read; the octets of the header, or 0. */
static size_t read_on(struct bytes all, struct err *e)
{
	size_t have = 0, length;

	while (proxy_header_length(bytes_of(all.data, have), &length, e)) {
		FUZZ_REQUIRE(length >= have && length <= PROXY_HEADER_MAX);
		if (length == have)
			return have;
		if (length > all.len)
			return 0;
		have = length;
	}
	FUZZ_REQUIRE(e->kind != ERR_NONE);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct proxy_header h;
	struct err e = ERR_INIT;
	size_t length = read_on(bytes_of(data, len), &e);
	bool ok;

	if (!length)
		return 0;
	ok = proxy_header_parse(bytes_of(data, length), &h, &e);
	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(
		!ok || !h.told || (address_port(&h.from) > 0 && !address_is_wildcard(&h.from)));
	if (length == len)
		return 0;
	e = (struct err)ERR_INIT;
	FUZZ_REQUIRE(!proxy_header_parse(bytes_of(data, len), &h, &e) && e.kind == ERR_INPUT);
	return 0;
}
