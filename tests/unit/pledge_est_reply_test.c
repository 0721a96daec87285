/* SPDX-License-Identifier: Apache-2.0 */
/* What the pledge reads out of EST's answers, in each of their media types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/pki/pkcs7_certs.h"
#include "common/wire/base64.h"
#include "common/wire/coap_format.h"
#include "common/wire/multipart_core.h"
#include "pledge/est_reply.h"
#include "tests/unit/pledge_fixture.h"

#define PKCS7	  "application/pkcs7-mime; smime-type=certs-only"
#define ONE	  "application/pkix-cert"
#define MULTIPART "application/multipart-core"

struct world {
	struct fixture f;
	struct cert_list cas, out;
	struct key *key, *got;
	struct buf pkcs8, pkcs7;
	struct session_reply reply;
	struct err e;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	fixture_init(&w->f);
	assert_true(cert_list_add(&w->cas, w->f.sub_cert, &w->e));
	assert_true(cert_list_add(&w->cas, w->f.root_cert, &w->e));
	w->key = key_generate(KEY_EC_P256, &w->e);
	buf_init(&w->pkcs8, KEY_PEM_MAX);
	buf_init(&w->pkcs7, PKCS7_CERTS_DER_MAX);
	assert_true(key_format_pkcs8(w->key, &w->pkcs8, &w->e));
	assert_true(pkcs7_certs_format(&w->cas, &w->pkcs7, &w->e));
	buf_init(&w->reply.body, 100000);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	session_reply_clear(&w->reply);
	buf_wipe(&w->pkcs8);
	buf_clear(&w->pkcs7);
	key_free(w->key);
	key_free(w->got);
	cert_list_clear(&w->cas);
	cert_list_clear(&w->out);
	fixture_clear(&w->f);
	free(w);
	return 0;
}

static void answer(struct world *w, const char *type, struct bytes body)
{
	snprintf(w->reply.content_type, sizeof(w->reply.content_type), "%s", type);
	fixture_put(&w->reply.body, body);
}

static void answer_parts(struct world *w, const struct multipart_part *parts, size_t count)
{
	BUF_AUTO struct buf body = BUF_INIT(100000);

	assert_true(multipart_core_put(&body, parts, count, &w->e));
	answer(w, MULTIPART, buf_bytes(&body));
}

static bool read_certs(struct world *w, bool base64)
{
	cert_list_clear(&w->out);
	w->e = (struct err)ERR_INIT;
	return est_reply_certs(&w->reply, base64, &w->out, &w->e);
}

static void expect_refused(struct world *w, bool base64)
{
	assert_false(read_certs(w, base64));
	assert_int_equal(w->e.kind, ERR_INPUT);
}

static bool read_key(struct world *w)
{
	cert_list_clear(&w->out);
	key_unref(&w->got);
	w->e = (struct err)ERR_INIT;
	return est_reply_key(&w->reply, &w->got, &w->out, &w->e);
}

/* ---- certificates ---- */

static void est_reply_certs__certs_only_in_each_writing__is_read(void **state)
{
	struct world *w = *state;
	BUF_AUTO struct buf flat = BUF_INIT(20000), lines = BUF_INIT(20000);

	assert_true(base64_encode(buf_bytes(&w->pkcs7), &flat, &w->e));
	assert_true(base64_encode_wrapped(buf_bytes(&w->pkcs7), 64, &lines, &w->e));
	answer(w, PKCS7, buf_bytes(&w->pkcs7));
	assert_true(read_certs(w, true));
	assert_true(read_certs(w, false));
	answer(w, PKCS7, buf_bytes(&lines));
	assert_true(read_certs(w, true));
	answer(w, PKCS7, buf_bytes(&flat));
	assert_true(read_certs(w, true));
	assert_int_equal(w->out.count, 2);
	expect_refused(w, false); /* row C-05: no base64 over CoAP */
}

static void est_reply_certs__garbage_or_nothing__is_refused(void **state)
{
	static const char *const bodies[] = {"", "@@@@", "A===", "-----BEGIN PKCS7-----", "MAA="};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		answer(w, PKCS7, bytes_of_str(bodies[i]));
		expect_refused(w, true);
		expect_refused(w, false);
		answer(w, ONE, bytes_of_str(bodies[i]));
		expect_refused(w, false);
		answer(w, MULTIPART, bytes_of_str(bodies[i]));
		expect_refused(w, false);
	}
	answer(w, "text/html", buf_bytes(&w->pkcs7));
	assert_false(read_certs(w, false));
	assert_int_equal(w->e.kind, ERR_PEER);
}

static void est_reply_certs__one_certificate__is_read_and_what_follows_it_refused(void **state)
{
	struct world *w = *state;

	answer(w, ONE, cert_der(w->f.sub_cert));
	assert_true(read_certs(w, false));
	assert_int_equal(w->out.count, 1);
	assert_true(cert_same(w->out.items[0], w->f.sub_cert));
	assert_true(buf_append(&w->reply.body, "", 1, &w->e));
	expect_refused(w, false);
}

/* req: C-30, C-31 */
static void est_reply_certs__parts__are_read_in_their_order(void **state)
{
	struct world *w = *state;
	const struct multipart_part parts[] = {
		{COAP_FORMAT_PKIX_CERT, cert_der(w->f.sub_cert)},
		{COAP_FORMAT_PKIX_CERT, cert_der(w->f.root_cert)},
	};

	answer_parts(w, parts, 2);
	assert_true(read_certs(w, false));
	assert_int_equal(w->out.count, 2);
	assert_true(cert_same(w->out.items[0], w->f.sub_cert));
	assert_true(cert_same(w->out.items[1], w->f.root_cert));
}

/* 0x81 and 0x83 are no counts of certificates. req: C-35 */
static void est_reply_certs__half_a_part_or_another_kind__is_refused(void **state)
{
	struct world *w = *state;
	const struct multipart_part odd[] = {
		{COAP_FORMAT_PKIX_CERT, cert_der(w->f.sub_cert)},
		{COAP_FORMAT_PKCS8, buf_bytes(&w->pkcs8)},
	};

	answer_parts(w, odd, 1);
	w->reply.body.data[0] = 0x81;
	expect_refused(w, false);
	w->reply.body.data[0] = 0x83;
	expect_refused(w, false);
	answer_parts(w, odd, 2);
	expect_refused(w, false);
	answer_parts(w, odd, 0);
	expect_refused(w, false);
}

/* ---- a key that the server made (rows C-12 to C-14) ---- */

/* req: C-12, C-13 */
static void est_reply_key__key_and_certificate__in_any_order_are_read(void **state)
{
	struct world *w = *state;
	const struct multipart_part key = {COAP_FORMAT_PKCS8, buf_bytes(&w->pkcs8)},
				    one = {COAP_FORMAT_PKIX_CERT, cert_der(w->f.ee_cert)},
				    both = {COAP_FORMAT_PKCS7_CERTS, buf_bytes(&w->pkcs7)};
	const struct multipart_part orders[][2] = {{key, one}, {one, key}, {key, both}};

	for (size_t i = 0; i < 3; i++) {
		answer_parts(w, orders[i], 2);
		assert_true(read_key(w));
		assert_int_equal(EVP_PKEY_eq(key_evp(w->got), key_evp(w->key)), 1);
		assert_int_equal(w->out.count, i == 2 ? 2 : 1);
	}
}

/* req: C-12, C-13, C-14 */
static void est_reply_key__a_part_missing_doubled_or_encrypted__is_refused(void **state)
{
	struct world *w = *state;
	const struct multipart_part key = {COAP_FORMAT_PKCS8, buf_bytes(&w->pkcs8)},
				    one = {COAP_FORMAT_PKIX_CERT, cert_der(w->f.ee_cert)},
				    cms = {COAP_FORMAT_PKCS7_KEY, buf_bytes(&w->pkcs8)},
				    bad = {COAP_FORMAT_PKCS8, cert_der(w->f.ee_cert)};
	const struct multipart_part orders[][3] = {{key, key, one}, {key, {0}, {0}},
		{one, {0}, {0}}, {cms, one, {0}}, {bad, one, {0}}};
	const size_t counts[] = {3, 1, 1, 2, 2};

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		answer_parts(w, orders[i], counts[i]);
		assert_false(read_key(w));
		assert_int_equal(w->e.kind, ERR_INPUT);
		assert_null(w->got);
		assert_int_equal(w->out.count, 0);
	}
	answer(w, ONE, cert_der(w->f.ee_cert));
	assert_false(read_key(w));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(est_reply_certs__certs_only_in_each_writing__is_read),
		TEST(est_reply_certs__garbage_or_nothing__is_refused),
		TEST(est_reply_certs__one_certificate__is_read_and_what_follows_it_refused),
		TEST(est_reply_certs__parts__are_read_in_their_order),
		TEST(est_reply_certs__half_a_part_or_another_kind__is_refused),
		TEST(est_reply_key__key_and_certificate__in_any_order_are_read),
		TEST(est_reply_key__a_part_missing_doubled_or_encrypted__is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
