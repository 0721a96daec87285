/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 requests: the verdict and what was understood are the same whether the octets come at
 * once or one at a time, and a request that is accepted has one meaning only. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/net/http1.h"
#include "tests/fuzz/fuzz.h"

#define HEAD_MAX 2048
#define BODY_MAX 512

struct outcome {
	enum http1_event event;
	int status;
	size_t used, requests, headers, body_octets;
	enum err_kind kind;
};

static void check_request(const struct http1_request *r)
{
	size_t hosts = 0, lengths = 0, codings = 0;

	FUZZ_REQUIRE(r->method[0] && r->target[0]);
	FUZZ_REQUIRE(!strpbrk(r->method, " \r\n\t") && !strpbrk(r->target, " \r\n\t"));
	for (size_t i = 0; i < r->header_count; i++) {
		FUZZ_REQUIRE(r->headers[i].name[0]);
		FUZZ_REQUIRE(!strpbrk(r->headers[i].name, " \t\r\n:"));
		FUZZ_REQUIRE(!strpbrk(r->headers[i].value, "\r\n"));
		hosts += !strcasecmp(r->headers[i].name, "Host");
		lengths += !strcasecmp(r->headers[i].name, "Content-Length");
		codings += !strcasecmp(r->headers[i].name, "Transfer-Encoding");
	}
	FUZZ_REQUIRE(hosts == 1 || (hosts == 0 && r->minor_version == 0));
	FUZZ_REQUIRE(lengths + codings <= 1);
}

static void note(struct outcome *o, const struct http1 *p, enum http1_event event)
{
	o->event = event;
	if (event == HTTP1_HEADERS) {
		check_request(http1_request(p));
		o->headers += http1_request(p)->header_count;
	}
	if (event == HTTP1_DONE) {
		o->requests++;
		o->body_octets += http1_body(p).len;
		FUZZ_REQUIRE(http1_body(p).len <= BODY_MAX);
	}
}

/* Feed step octets at a time until all are taken or refused. */
static struct outcome feed(const uint8_t *data, size_t len, size_t step)
{
	struct outcome o = {.event = HTTP1_NEED_MORE};
	struct err e = ERR_INIT;
	struct http1 *p = http1_new(HEAD_MAX, &e);

	FUZZ_REQUIRE(p);
	while (o.used < len && o.event != HTTP1_BAD) {
		size_t n = len - o.used < step ? len - o.used : step, used = 0;

		note(&o, p, http1_feed(p, bytes_of(data + o.used, n), &used, &o.status, &e));
		FUZZ_REQUIRE(used <= n);
		FUZZ_REQUIRE(used > 0 || o.event != HTTP1_NEED_MORE);
		o.used += used;
		if (o.event == HTTP1_HEADERS)
			http1_set_body_max(p, BODY_MAX);
		if (o.event == HTTP1_DONE)
			http1_reset(p);
	}
	o.kind = e.kind;
	if (o.event == HTTP1_BAD) {
		fuzz_check_promises(false, &e);
		FUZZ_REQUIRE(o.status >= 400 && o.status < 600);
		o.used = 0; /* how far it read ahead may differ */
	}
	http1_free(p);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct outcome whole = feed(data, len, len ? len : 1), drip = feed(data, len, 1);

	FUZZ_REQUIRE((whole.event == HTTP1_BAD) == (drip.event == HTTP1_BAD));
	FUZZ_REQUIRE(whole.status == drip.status && whole.kind == drip.kind);
	FUZZ_REQUIRE(whole.requests == drip.requests);
	FUZZ_REQUIRE(whole.headers == drip.headers);
	FUZZ_REQUIRE(whole.body_octets == drip.body_octets);
	FUZZ_REQUIRE(whole.used == drip.used);
	return 0;
}
