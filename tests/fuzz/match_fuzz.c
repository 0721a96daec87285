/* SPDX-License-Identifier: Apache-2.0 */
/* The match language: what is taken means the same when it is tried again, and never a row outside
 * of its site. */
#include <stdlib.h>
#include <string.h>

#include "registrar/admin/match.h"
#include "registrar/access/principal.h"
#include "tests/fuzz/fuzz.h"

static const struct claim_row rows[] = {
	{.manufacturer = "Acme",
		.serial = "A-1",
		.model = "gw-200",
		.address = "10.8.3.4:40000",
		.site = "/eu/de",
		.labels = "{\"rack\":\"4\"}",
		.first_seen = FUZZ_NOW - 7200},
	{.manufacturer = "Acme", .serial = "B-2", .decided_at = FUZZ_NOW - 60},
};

static void check(const char *text, enum match_of of, const char *state)
{
	MATCH_AUTO struct match m;
	struct err e = ERR_INIT;
	bool ok = match_parse(text, of, &m, &e);

	fuzz_check_promises(ok, &e);
	for (size_t i = 0; ok && i < sizeof(rows) / sizeof(*rows); i++) {
		bool meant = match_has(&m, &rows[i], state, FUZZ_NOW);

		FUZZ_REQUIRE(meant == match_has(&m, &rows[i], state, FUZZ_NOW));
		FUZZ_REQUIRE(!meant || !m.site ||
			     site_within(rows[i].site ? rows[i].site : "/", m.site));
		FUZZ_REQUIRE(!meant || !m.state || strcmp(m.state, state) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len);

	check(text, MATCH_CLAIMS, "pending");
	check(text, MATCH_DEVICES, "active");
	free(text);
	return 0;
}
