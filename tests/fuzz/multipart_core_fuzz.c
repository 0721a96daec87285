/* SPDX-License-Identifier: Apache-2.0 */
/* multipart-core: what is read is written again with the same parts. */
#include "common/wire/multipart_core.h"
#include "tests/fuzz/fuzz.h"

#define PARTS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct multipart_part parts[PARTS_MAX], again[PARTS_MAX];
	BUF_AUTO struct buf out = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	size_t count, count_again;
	bool ok = multipart_core_read(bytes_of(data, len), parts, PARTS_MAX, &count, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(ok || count == 0);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(count <= PARTS_MAX);
	FUZZ_REQUIRE(multipart_core_put(&out, parts, count, &e));
	FUZZ_REQUIRE(multipart_core_read(buf_bytes(&out), again, PARTS_MAX, &count_again, &e));
	FUZZ_REQUIRE(count == count_again);
	for (size_t i = 0; i < count; i++) {
		FUZZ_REQUIRE(parts[i].format == again[i].format);
		FUZZ_REQUIRE(bytes_equal(parts[i].content, again[i].content));
		FUZZ_REQUIRE(parts[i].content.len == 0 ||
			     (parts[i].content.data >= data &&
				     parts[i].content.data + parts[i].content.len <= data + len));
	}
	out.max = out.len; /* no room for a part more */
	FUZZ_REQUIRE(!multipart_core_put(&out, again, count, &e));
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned seed)
{
	return fuzz_mutate_cbor(data, len, room, seed);
}
