/* SPDX-License-Identifier: Apache-2.0 */
/* The order of a domain's CA certificates, and their list in multipart-core. */
#include "common/wire/cbor.h"
#include "common/wire/coap_format.h"
#include "registrar/ca_order.h"
#include "tests/unit/registrar_fixture.h"

static void list_of(struct cert_list *out, struct cert *const *certs, size_t count)
{
	struct err e = ERR_INIT;

	for (size_t i = 0; i < count; i++)
		MUST(cert_list_add(out, certs[i], &e));
}

#define LIST(out, ...)                                                                             \
	list_of(out, (struct cert *[]){__VA_ARGS__},                                               \
		sizeof((struct cert *[]){__VA_ARGS__}) / sizeof(struct cert *))

static void ca_order__root_before_a_stranger_or_behind__is_second(void **state)
{
	/* req: C-31 */
	const struct site *s = *state;
	struct cert *const orders[2][3] = {
		{s->issuing.cert, s->root.cert, s->stranger.cert},
		{s->issuing.cert, s->stranger.cert, s->root.cert},
	};

	for (size_t i = 0; i < 2; i++) {
		CERT_LIST_AUTO struct cert_list given = CERT_LIST_INIT, out = CERT_LIST_INIT;
		struct err e = ERR_INIT;
		size_t on_path;

		list_of(&given, orders[i], 3);
		MUST(ca_order(&given, &out, &on_path, &e));
		assert_int_equal(on_path, 2);
		assert_int_equal(out.count, 3);
		assert_ptr_equal(out.items[0], s->issuing.cert);
		assert_ptr_equal(out.items[1], s->root.cert);
		assert_ptr_equal(out.items[2], s->stranger.cert);
	}
}

static void ca_order__a_root_that_issues__is_a_path_of_its_own(void **state)
{
	const struct site *s = *state;
	CERT_LIST_AUTO struct cert_list given = CERT_LIST_INIT, out = CERT_LIST_INIT;
	struct err e = ERR_INIT;
	size_t on_path;

	LIST(&given, s->root.cert);
	MUST(ca_order(&given, &out, &on_path, &e));
	assert_int_equal(on_path, 1);
	assert_int_equal(out.count, 1);
}

static void ca_order__a_namesake_with_another_key__is_not_on_the_path(void **state)
{
	const struct site *s = *state;
	CERT_LIST_AUTO struct cert_list given = CERT_LIST_INIT, out = CERT_LIST_INIT;
	struct fixture_issuer namesake = {0}, below = {0};
	struct err e = ERR_INIT;
	size_t on_path;

	fixture_issue(&namesake, "Site root", NULL, true);
	below.key = key_generate(KEY_EC_P256, &e);
	{
		struct recipe r = {.cn = "Below",
			.key = key_evp(below.key),
			.issuer = s->root.x509,
			.issuer_key = key_evp(s->root.key),
			.ext = {{"authorityKeyIdentifier", "keyid:always"}}};

		below.cert = fixture_cert(&r);
	}
	LIST(&given, below.cert, namesake.cert, s->root.cert);
	MUST(ca_order(&given, &out, &on_path, &e));
	assert_int_equal(on_path, 2);
	assert_ptr_equal(out.items[1], s->root.cert);
	assert_ptr_equal(out.items[2], namesake.cert);
	fixture_issuer_clear(&namesake);
	fixture_issuer_clear(&below);
}

/* OldWithNew and NewWithOld of a rollover certify each other. */
static void ca_order__two_that_certified_each_other__come_to_an_end(void **state)
{
	const struct site *s = *state;
	CERT_LIST_AUTO struct cert_list given = CERT_LIST_INIT, out = CERT_LIST_INIT;
	CERT_AUTO struct cert *old_with_new = NULL, *new_with_old = NULL;
	struct fixture_issuer fresh = {0};
	struct err e = ERR_INIT;
	size_t on_path;

	fixture_issue(&fresh, "Site root", NULL, true);
	old_with_new = fixture_cert(&(struct recipe){.cn = "Site root",
		.key = key_evp(s->root.key),
		.issuer = fresh.x509,
		.issuer_key = key_evp(fresh.key),
		.ext = {{"subjectKeyIdentifier", "hash"},
			{"authorityKeyIdentifier", "keyid:always"}}});
	new_with_old = fixture_cert(&(struct recipe){.cn = "Site root",
		.key = key_evp(fresh.key),
		.issuer = s->root.x509,
		.issuer_key = key_evp(s->root.key),
		.ext = {{"subjectKeyIdentifier", "hash"},
			{"authorityKeyIdentifier", "keyid:always"}}});
	LIST(&given, s->issuing.cert, old_with_new, new_with_old);
	MUST(ca_order(&given, &out, &on_path, &e));
	assert_int_equal(on_path, 3);
	assert_ptr_equal(out.items[1], old_with_new);
	assert_ptr_equal(out.items[2], new_with_old);
	fixture_issuer_clear(&fresh);
}

static void ca_order_multipart__pairs_up_to_the_maximum__are_written(void **state)
{
	/* req: C-30, C-32 */
	const struct site *s = *state;
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	struct err e = ERR_INIT;

	LIST(&certs, s->issuing.cert, s->root.cert, s->stranger.cert);
	for (size_t max = 1; max <= 4; max++) {
		BUF_AUTO struct buf out = BUF_INIT(65536);
		struct cbor_reader r, parts;
		size_t count, want = max < 3 ? max : 3;

		MUST(ca_order_multipart(&certs, max, &out, &e));
		MUST(cbor_open(buf_bytes(&out), &r, &e) && cbor_array(&r, &parts, &count, &e));
		assert_int_equal(count, 2 * want);
		for (size_t i = 0; i < want; i++) {
			struct bytes der;
			uint64_t format;

			MUST(cbor_uint(&parts, &format, &e) && cbor_bytes(&parts, &der, &e));
			assert_int_equal(format, COAP_FORMAT_PKIX_CERT);
			assert_true(bytes_equal(der, cert_der(certs.items[i])));
		}
	}
}

static void ca_order_multipart__one_certificate__begins_as_published(void **state)
{
	/* req: C-30 */
	const struct site *s = *state;
	CERT_LIST_AUTO struct cert_list certs = CERT_LIST_INIT;
	BUF_AUTO struct buf out = BUF_INIT(65536);
	struct err e = ERR_INIT;

	LIST(&certs, s->root.cert);
	MUST(ca_order_multipart(&certs, 3, &out, &e));
	assert_memory_equal(out.data, "\x82\x19\x01\x1f\x59", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ca_order__root_before_a_stranger_or_behind__is_second),
		cmocka_unit_test(ca_order__a_root_that_issues__is_a_path_of_its_own),
		cmocka_unit_test(ca_order__a_namesake_with_another_key__is_not_on_the_path),
		cmocka_unit_test(ca_order__two_that_certified_each_other__come_to_an_end),
		cmocka_unit_test(ca_order_multipart__pairs_up_to_the_maximum__are_written),
		cmocka_unit_test(ca_order_multipart__one_certificate__begins_as_published),
	};

	return cmocka_run_group_tests(tests, site_set_up, site_tear_down);
}
