/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to discovery, sent by anybody on the link: reading ends, what is kept lies within the
 * text, and a link without escapes that is written again reads the same. */
#include <string.h>

#include "common/wire/core_link.h"
#include "tests/fuzz/fuzz.h"

static void require_within(struct bytes part, struct bytes whole)
{
	FUZZ_REQUIRE(!part.len || (part.data >= whole.data && part.len <= whole.len &&
					  part.data + part.len <= whole.data + whole.len));
}

static bool is_plain(struct bytes value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] == '\\' || value.data[i] >= 0x7f)
			return false;
	return true;
}

static void check_round_trip(const struct core_link *l)
{
	BUF_AUTO struct buf out = BUF_INIT(2 * CORE_LINK_DOC_MAX);
	struct core_links r;
	struct core_link again;
	struct err e = ERR_INIT;
	bool end;

	if (!is_plain(l->rt) || !is_plain(l->ct) || !is_plain(l->brski_jp))
		return;
	FUZZ_REQUIRE(core_link_put(l, &out, &e));
	r = core_links_of(buf_bytes(&out));
	FUZZ_REQUIRE(core_link_next(&r, &again, &end, &e) && !end);
	FUZZ_REQUIRE(bytes_equal(l->target, again.target) && bytes_equal(l->rt, again.rt));
	FUZZ_REQUIRE(bytes_equal(l->ct, again.ct) && bytes_equal(l->brski_jp, again.brski_jp));
}

static void check_link(const struct core_link *l, struct bytes whole)
{
	char host[CORE_LINK_HOST_MAX];
	uint16_t port = 0;

	require_within(l->target, whole);
	require_within(l->rt, whole);
	require_within(l->ct, whole);
	require_within(l->brski_jp, whole);
	if (core_link_join_port(l, &port))
		FUZZ_REQUIRE(port > 0);
	if (core_link_authority(l, "jpy", host, &port) ||
		core_link_authority(l, "coaps", host, &port))
		FUZZ_REQUIRE(strlen(host) > 0 && strlen(host) < sizeof(host));
	FUZZ_REQUIRE(core_link_matches(l, bytes_of_str("href=*")));
	FUZZ_REQUIRE(!core_link_matches(l, bytes_of_str("title=*")));
	core_link_matches(l, bytes_of_str("rt=brski*"));
	core_link_matches(l, bytes_of_str("ct=281"));
	core_link_matches(l, bytes_of_str("brski-jp=*"));
	check_round_trip(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes whole = bytes_of(data, len);
	struct core_links r = core_links_of(whole);
	struct core_link l;
	size_t before;
	bool end = false, ok;

	do {
		struct err e = ERR_INIT;

		before = r.rest.len;
		ok = core_link_next(&r, &l, &end, &e);
		fuzz_check_promises(ok, &e);
		FUZZ_REQUIRE(!ok || end || r.rest.len < before);
		if (ok && !end)
			check_link(&l, whole);
	} while (ok && !end);
	return 0;
}
