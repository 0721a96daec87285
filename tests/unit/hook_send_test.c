/* SPDX-License-Identifier: Apache-2.0 */
/* The signature on what hooks are sent, and which addresses a hook may have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/pki/hmac.h"
#include "common/wire/hex.h"
#include "registrar/notify/hook_send.h"

static void mac_is(struct bytes key, struct bytes in, const char *want)
{
	uint8_t mac[SHA256_LEN];
	char text[2 * SHA256_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(hmac_sha256(key, in, mac, &e));
	hex_encode(bytes_of(mac, sizeof(mac)), text);
	assert_string_equal(text, want);
}

static void hmac_sha256__vectors_of_rfc_4231__come_out(void **state)
{
	uint8_t key[131];

	memset(key, 0x0b, 20);
	mac_is(bytes_of(key, 20), bytes_of_str("Hi There"),
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	mac_is(bytes_of_str("Jefe"), bytes_of_str("what do ya want for nothing?"),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	mac_is(bytes_of(key, sizeof(key)),
		bytes_of_str("Test Using Larger Than Block-Size Key - Hash Key First"),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	mac_is((struct bytes){NULL, 0}, (struct bytes){NULL, 0},
		"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret */
static void hook_sign__a_body__is_signed_with_its_time(void **state)
{
	char one[HOOK_SIGNATURE_LEN + 1], other[HOOK_SIGNATURE_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(hook_sign("secret", 1700000000, bytes_of_str("{\"a\":1}"), one, &e));
	assert_string_equal(
		one, "sha256=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
	assert_true(hook_sign("secret", 1700000001, bytes_of_str("{\"a\":1}"), other, &e));
	assert_string_not_equal(one, other);
	assert_true(hook_sign("Secret", 1700000000, bytes_of_str("{\"a\":1}"), other, &e));
	assert_string_not_equal(one, other);
}

static void hook_sign__a_body_beyond_the_limit__is_refused(void **state)
{
	static const uint8_t body[HOOK_BODY_MAX + 100];
	char out[HOOK_SIGNATURE_LEN + 1];
	struct err e = ERR_INIT;

	assert_false(hook_sign("secret", 1, bytes_of(body, sizeof(body)), out, &e));
	assert_int_equal(e.kind, ERR_TOO_LARGE);
}

static void hook_secret_new__two__differ(void **state)
{
	char a[HOOK_SECRET_LEN + 1], b[HOOK_SECRET_LEN + 1];
	struct err e = ERR_INIT;

	assert_true(hook_secret_new(a, &e) && hook_secret_new(b, &e));
	assert_int_equal(strlen(a), HOOK_SECRET_LEN);
	assert_string_not_equal(a, b);
}

static void hook_url_parse__https_or_this_machine__is_allowed(void **state)
{
	static const char *const allowed[] = {"https://example.com/hook?x=1",
		"https://192.0.2.1:8443", "http://localhost:8080/x", "http://127.0.0.1/",
		"http://127.1.2.3:1/", "http://[::1]:80/", "HTTP://LOCALHOST/"};
	static const char *const refused[] = {"http://example.com/", "http://192.0.2.1/",
		"http://localhost.example.com/", "http://127.0.0.1.example.com/",
		"http://[2001:db8::1]/", "https://a:b@example.com/", "ftp://127.0.0.1/", "",
		"example.com", "https://"};
	struct uri u;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		struct err e = ERR_INIT;

		if (!hook_url_parse(allowed[i], &u, &e))
			fail_msg("%s", allowed[i]);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct err e = ERR_INIT;

		if (hook_url_parse(refused[i], &u, &e) || e.kind != ERR_INPUT)
			fail_msg("%s", refused[i]);
	}
}

static void hook_was_taken__only_2xx__says_so(void **state)
{
	static const struct {
		int status;
		bool taken;
	} rows[] = {{200, true}, {204, true}, {299, true}, {302, false}, {307, false}, {400, false},
		{410, false}, {500, false}, {199, false}};
	const struct err lost = {.kind = ERR_PEER, .text = "lost"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct http_reply reply = {.status = rows[i].status, .content_type = ""};
		struct err e = ERR_INIT;

		if (hook_was_taken(&reply, NULL, &e) != rows[i].taken)
			fail_msg("%d", rows[i].status);
	}
	struct err e = ERR_INIT;
	assert_false(hook_was_taken(NULL, &lost, &e));
	assert_string_equal(e.text, "lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_sha256__vectors_of_rfc_4231__come_out),
		cmocka_unit_test(hook_sign__a_body__is_signed_with_its_time),
		cmocka_unit_test(hook_sign__a_body_beyond_the_limit__is_refused),
		cmocka_unit_test(hook_secret_new__two__differ),
		cmocka_unit_test(hook_url_parse__https_or_this_machine__is_allowed),
		cmocka_unit_test(hook_was_taken__only_2xx__says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
