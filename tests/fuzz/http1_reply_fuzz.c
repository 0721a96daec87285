/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 answers as the pledge reads them from whoever claims to be a registrar: the same whether
 * they come at once or one octet at a time. */
#include <string.h>

#include "common/net/http1_reply.h"
#include "tests/fuzz/fuzz.h"

#define BODY_MAX 1024

struct outcome {
	bool ok, ended;
	size_t used;
	struct err e;
	struct http1_reply r;
};

static void feed(struct outcome *o, const uint8_t *data, size_t len, size_t step)
{
	memset(o, 0, sizeof(*o));
	http1_reply_init(&o->r, BODY_MAX);
	o->ok = true;
	while (o->ok && o->used < len && o->r.state != HTTP1_REPLY_DONE) {
		size_t n = len - o->used < step ? len - o->used : step, used = 0;

		o->ok = http1_reply_feed(&o->r, bytes_of(data + o->used, n), &used, &o->e);
		FUZZ_REQUIRE(used <= n);
		FUZZ_REQUIRE(used == n || !o->ok || o->r.state == HTTP1_REPLY_DONE);
		o->used += used;
	}
	if (o->ok && o->r.state != HTTP1_REPLY_DONE) {
		o->ended = true;
		o->ok = http1_reply_end(&o->r, &o->e);
	}
	fuzz_check_promises(o->ok, &o->e);
	FUZZ_REQUIRE(!o->ok || o->r.state == HTTP1_REPLY_DONE);
}

static void check_same(const struct outcome *a, const struct outcome *b)
{
	FUZZ_REQUIRE(a->ok == b->ok && a->ended == b->ended && a->e.kind == b->e.kind);
	if (!a->ok)
		return;
	FUZZ_REQUIRE(a->used == b->used);
	FUZZ_REQUIRE(a->r.status == b->r.status && a->r.keep_alive == b->r.keep_alive);
	FUZZ_REQUIRE(a->r.status >= 200 && a->r.status <= 999);
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&a->r.body), buf_bytes(&b->r.body)));
	FUZZ_REQUIRE(strcmp(a->r.content_type, b->r.content_type) == 0);
	FUZZ_REQUIRE(strcmp(a->r.location, b->r.location) == 0);
	FUZZ_REQUIRE(strcmp(a->r.retry_after, b->r.retry_after) == 0);
	FUZZ_REQUIRE(strcmp(a->r.date, b->r.date) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome whole, drip;

	feed(&whole, data, len, len ? len : 1);
	feed(&drip, data, len, 1);
	check_same(&whole, &drip);
	http1_reply_clear(&whole.r);
	http1_reply_clear(&drip.r);
	return 0;
}
