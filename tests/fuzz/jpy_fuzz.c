/* SPDX-License-Identifier: Apache-2.0 */
/* What arrives at a registrar's join port, and at a proxy from a registrar: whatever is taken lies
 * within the datagram, and written again reads the same. */
#include "common/wire/jpy.h"
#include "tests/fuzz/fuzz.h"

static void require_within(struct bytes part, struct bytes whole)
{
	FUZZ_REQUIRE(!part.len || (part.data >= whole.data && part.len <= whole.len &&
					  part.data + part.len <= whole.data + whole.len));
}

/* Where it does not fit, nothing of it stays. */
static void write_into_too_little(const struct jpy *m, size_t room)
{
	BUF_AUTO struct buf out = BUF_INIT(room);
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(!jpy_format(m, &out, &e) && e.kind != ERR_NONE && out.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf out = BUF_INIT(JPY_CONTENT_MAX + JPY_HEADER_MAX + JPY_FRAMING_MAX);
	struct jpy m, again;
	struct err e = ERR_INIT;
	bool ok = jpy_parse(bytes_of(data, len), &m, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	require_within(m.header, bytes_of(data, len));
	require_within(m.content, bytes_of(data, len));
	FUZZ_REQUIRE(jpy_format(&m, &out, &e));
	FUZZ_REQUIRE(out.len <= len + JPY_FRAMING_MAX);
	write_into_too_little(&m, m.content.len);
	if (len > JPY_HEADER_MAX)
		write_into_too_little(&(struct jpy){.header = bytes_of(data, len)}, 2 * len);
	FUZZ_REQUIRE(jpy_parse(buf_bytes(&out), &again, &e));
	FUZZ_REQUIRE(bytes_equal(m.header, again.header) && bytes_equal(m.content, again.content));
	return 0;
}
