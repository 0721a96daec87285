/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of a program that a rule asks about a device: whatever it says, what is taken is one
 * of three decisions, with texts within their bounds; what is refused holds the device. */
#include <string.h>

#include "registrar/notify/ask_answer.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	ASK_ANSWER_AUTO struct ask_answer a;
	struct err e = ERR_INIT;
	bool ok = ask_answer_parse(bytes_of(data, len), "q1", &a, &e);

	fuzz_check_promises(ok, &e);
	if (!ok) {
		FUZZ_REQUIRE(a.decision == ASK_HOLD);
		return 0;
	}
	FUZZ_REQUIRE(a.decision < ASK_DECISION_COUNT);
	FUZZ_REQUIRE(strlen(a.reason) <= REASON_LEN_MAX);
	FUZZ_REQUIRE(!a.site[0] || site_check(a.site, &e));
	FUZZ_REQUIRE(a.labels.len <= LABELS_TEXT_MAX);
	return 0;
}
