/* SPDX-License-Identifier: Apache-2.0 */
/* CoAP messages: what is accepted has one form only, so it is written again octet for octet; and
 * what is said of its options holds. */
#include <string.h>

#include "common/wire/coap_block.h"
#include "common/wire/coap_format.h"
#include "common/wire/coap_message.h"
#include "tests/fuzz/fuzz.h"

static void check_options(const struct coap_message *m, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < m->option_count; i++) {
		const struct coap_option *o = &m->options[i];
		uint8_t scratch[4];
		uint32_t value;

		FUZZ_REQUIRE(i == 0 || o->number >= m->options[i - 1].number);
		FUZZ_REQUIRE(o->value.data >= data && o->value.data + o->value.len <= data + len);
		if (coap_message_uint(m, o->number, &value) && o->value.len <= 4)
			FUZZ_REQUIRE(coap_uint(value, scratch).len <= 4);
	}
	FUZZ_REQUIRE(coap_message_find(m, COAP_OPT_ETAG, m->option_count) == NULL);
}

static void check_written(const struct coap_message *m, const uint8_t *data, size_t len)
{
	BUF_AUTO struct buf again = BUF_INIT(COAP_MESSAGE_MAX);
	struct err e = ERR_INIT;

	FUZZ_REQUIRE(coap_message_format(m, &again, &e));
	FUZZ_REQUIRE(bytes_equal(buf_bytes(&again), bytes_of(data, len)));
}

/* As a server looks at a request, and a client at an answer. */
static void use(const struct coap_message *m)
{
	static const uint16_t blocks[] = {COAP_OPT_BLOCK1, COAP_OPT_BLOCK2};
	BUF_AUTO struct buf path = BUF_INIT(512);
	bool is_request = COAP_CODE_CLASS(m->code) == 0, present, ok;
	uint16_t bad = coap_message_bad_option(m, is_request);
	struct err e = ERR_INIT;
	struct coap_block b;
	char text[5];

	FUZZ_REQUIRE(bad == 0 || (bad % 2 == 1 && coap_message_find(m, bad, 0)));
	ok = coap_message_path(m, &path, &e);
	fuzz_check_promises(ok, &e);
	FUZZ_REQUIRE(!ok || (path.len == strlen(buf_str(&path)) && buf_str(&path)[0] == '/'));
	for (size_t i = 0; i < 2; i++) {
		ok = coap_block_read(m, blocks[i], &present, &b, &e);
		fuzz_check_promises(ok, &e);
		FUZZ_REQUIRE(!ok || b.szx <= COAP_SZX_MAX);
		FUZZ_REQUIRE(!ok || !present || coap_message_find(m, blocks[i], 0));
	}
	FUZZ_REQUIRE(coap_code_to_status(m->code, bad != 0) >= 200);
	FUZZ_REQUIRE(strlen(coap_code_text(m->code, text)) == 4);
}

/* A format's name is found again under its number. */
static void read_media_type(const uint8_t *data, size_t len)
{
	char *text = fuzz_text(data, len);
	uint32_t number = coap_format_number(text);

	free_ptr(&text);
	if (number == COAP_FORMAT_NONE)
		return;
	FUZZ_REQUIRE(coap_format_number(coap_format_media_type(number)) == number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = ERR_INIT;
	struct coap_message m;
	bool ok = coap_message_parse(bytes_of(data, len), &m, &e);

	fuzz_check_promises(ok, &e);
	if (ok) {
		check_options(&m, data, len);
		check_written(&m, data, len);
		use(&m);
		read_media_type(m.payload.data ? m.payload.data : data, m.payload.len);
	}
	return 0;
}
