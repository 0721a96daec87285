/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of CoAP against a server that says anything: every message it sends is one,
 * blocks of its body are cut where they say, it says little for what it hears, and the answer is
 * within its limit. Two octets choose the request; then records of a length and what is said:
 * octets as they are, or a head that is made to fit the last request. */
#include <string.h>

#include "common/net/coap_client.h"
#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"
#include "tests/fuzz/fuzz.h"

#define REPLY_MAX 2048
#define BODY_MAX  4096

struct peer {
	struct coap_client *client;
	struct coap_message last; /* request; its token and id are wanted */
	uint8_t body[BODY_MAX];
	size_t body_len;
	size_t sent; /* messages */
};

static bool on_transmit(void *arg, struct bytes message)
{
	struct peer *p = arg;
	struct err e = ERR_INIT;
	struct coap_message m;
	struct coap_block b;
	bool present;

	FUZZ_REQUIRE(coap_message_parse(message, &m, &e));
	p->sent++;
	if (m.code == COAP_EMPTY) {
		FUZZ_REQUIRE(m.type == COAP_ACK || m.type == COAP_RST);
		return true;
	}
	FUZZ_REQUIRE(m.type == COAP_CON && coap_message_bad_option(&m, true) == 0);
	FUZZ_REQUIRE(coap_block_read(&m, COAP_OPT_BLOCK1, &present, &b, &e));
	if (present) {
		size_t offset = (size_t)b.num << (b.szx + 4);

		FUZZ_REQUIRE(offset + m.payload.len <= p->body_len);
		FUZZ_REQUIRE(memcmp(p->body + offset, m.payload.data, m.payload.len) == 0);
		FUZZ_REQUIRE(b.more == (offset + m.payload.len < p->body_len));
	}
	p->last = m;
	return true;
}

enum { AS_IT_IS = 1, TYPE_AT = 1, OTHER_ID = 8, OTHER_TOKEN = 16, LATER = 32 };

/* A message that answers the last request unless told otherwise. */
static void hear(struct peer *p, const uint8_t *said, size_t len, int64_t now_ms)
{
	uint8_t octets[4 + COAP_TOKEN_MAX + 256];
	uint16_t id = (uint16_t)(p->last.id + (said[0] & OTHER_ID ? 1 : 0));
	size_t n = 4, token_len = said[1] ? p->last.token_len : 0;

	if (said[0] & AS_IT_IS) {
		coap_client_receive(p->client, bytes_of(said + 1, len - 1), now_ms);
		return;
	}
	octets[0] = (uint8_t)(0x40 | ((said[0] >> TYPE_AT) & 3) << 4 | token_len);
	octets[1] = said[1];
	octets[2] = (uint8_t)(id >> 8);
	octets[3] = (uint8_t)id;
	memcpy(octets + n, p->last.token, token_len);
	if (token_len && said[0] & OTHER_TOKEN)
		octets[n] ^= 1;
	n += token_len;
	memcpy(octets + n, said + 2, len - 2);
	coap_client_receive(p->client, bytes_of(octets, n + len - 2), now_ms);
}

static void begin(struct peer *p, uint8_t kind, int64_t now_ms)
{
	struct coap_request rq = {.code = kind & 1 ? COAP_GET : COAP_POST,
		.path = "/.well-known/est/simpleenroll",
		.content_format = COAP_FORMAT_PKCS10,
		.accept = COAP_FORMAT_NONE,
		.reply_max = REPLY_MAX};
	struct err e = ERR_INIT;

	p->body_len = kind & 1 ? 0 : (size_t)(kind >> 1) * 32;
	rq.body = bytes_of(p->body, p->body_len);
	FUZZ_REQUIRE(coap_client_begin(p->client, &rq, now_ms, &e));
}

static void take(struct peer *p)
{
	struct coap_answer answer;
	struct err e = ERR_INIT;
	bool ok = coap_client_take(p->client, &answer, &e);

	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || answer.body.len <= REPLY_MAX);
	FUZZ_REQUIRE(!ok || (COAP_CODE_CLASS(answer.code) >= 2 && answer.code != COAP_CONTINUE));
	buf_clear(&answer.body);
}

static void converse(struct peer *p, const uint8_t *data, size_t len, uint8_t kind)
{
	int64_t now_ms = 1000000;

	begin(p, kind, now_ms);
	while (len >= 3) {
		size_t n = data[0] % (len - 1) + 1, before = p->sent;

		if (n < 2)
			n = 2;
		now_ms += data[1] & LATER ? 10000 : 100;
		coap_client_on_timeout(p->client, now_ms);
		hear(p, data + 1, n, now_ms);
		FUZZ_REQUIRE(p->sent <= before + 3); /* a repetition, an ACK, the next block */
		data += 1 + n;
		len -= 1 + n;
		if (coap_client_is_done(p->client)) {
			FUZZ_REQUIRE(coap_client_timeout_ms(p->client, now_ms) == -1);
			take(p);
			begin(p, kind, now_ms);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct peer p = {.sent = 0};
	struct err e = ERR_INIT;

	if (len < 2)
		return 0;
	for (size_t i = 0; i < sizeof(p.body); i++)
		p.body[i] = (uint8_t)(i * 7 + i / 256);
	p.client = coap_client_new(128 + data[0] * 8u, on_transmit, &p, &e);
	FUZZ_REQUIRE(p.client);
	converse(&p, data + 2, len - 2, data[1]);
	coap_client_free(p.client);
	return 0;
}
