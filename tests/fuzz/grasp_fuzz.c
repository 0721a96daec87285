/* SPDX-License-Identifier: Apache-2.0 */
/* Floods of anybody on the link: what is read is within its limits, and reads the same when it is
 * written again. */
#include <string.h>

#include "common/net/grasp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf out = BUF_INIT(4 * GRASP_MESSAGE_MAX);
	static struct grasp_flood f, again;
	struct err e = ERR_INIT;
	bool ok = grasp_flood_parse(bytes_of(data, len), &f, &e);

	fuzz_check_promises(ok, &e);
	if (!ok)
		return 0;
	FUZZ_REQUIRE(f.count >= 1 && f.count <= GRASP_OBJECTIVES_MAX);
	FUZZ_REQUIRE(f.initiator_len == 4 || f.initiator_len == 16);
	FUZZ_REQUIRE(grasp_flood_format(&f, &out, &e));
	if (out.len > GRASP_MESSAGE_MAX)
		return 0;
	FUZZ_REQUIRE(grasp_flood_parse(buf_bytes(&out), &again, &e));
	FUZZ_REQUIRE(memcmp(&f, &again, sizeof(f)) == 0);
	return 0;
}
