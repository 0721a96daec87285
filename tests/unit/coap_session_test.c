/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's CoAPS session against a server on loopback: honest, slow of speech, rude. What bad
 * links do is in coap_client_test and dtls_test, on clocks of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/net/coap_session.h"
#include "common/wire/base64.h"
#include "tests/unit/coap_peer.h"
#include "tests/unit/identity_fixture.h"

#define KIB_4	   4096
#define SOON_MS	   10000 /* what must not wait for a time-out, on a busy machine */
#define PATIENT_MS 20000

struct world {
	struct identity ca, other_ca, server, elsewhere, device;
	struct coap_peer peer;
	struct anchors *anchors;
	struct session_config config;
	struct coap_session *session;
	struct session_request request;
	struct session_reply reply;
	uint8_t octets[KIB_4];
	struct err e;
};

static void make_ca(struct identity *out, const char *cn)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = cn, .ext = {FIXTURE_CA}};

	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(out->key);
	r.key = key_evp(out->key);
	out->cert = fixture_cert(&r);
}

static void issue(struct identity *out, const struct identity *ca, const char *san)
{
	struct err e = ERR_INIT;
	struct recipe r = {.cn = "leaf",
		.issuer = cert_x509(ca->cert),
		.issuer_key = key_evp(ca->key),
		.ext = {{san ? "subjectAltName" : NULL, san}}};

	*out = (struct identity){.key = key_generate(KEY_EC_P256, &e)};
	assert_non_null(out->key);
	r.key = key_evp(out->key);
	out->cert = fixture_cert(&r);
	MUST(cert_list_add(&out->chain, ca->cert, &e));
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	make_ca(&w->ca, "CA");
	make_ca(&w->other_ca, "Other");
	issue(&w->server, &w->ca, "DNS:localhost,IP:127.0.0.1");
	issue(&w->elsewhere, &w->ca, "DNS:elsewhere.example");
	issue(&w->device, &w->other_ca, NULL);
	for (size_t i = 0; i < sizeof(w->octets); i++)
		w->octets[i] = (uint8_t)(i * 7 + i / 256);
	w->peer.identity = &w->server;
	w->peer.body = "good day";
	w->peer.format = COAP_FORMAT_NONE;
	w->config = (struct session_config){
		.server = {.scheme = URI_COAPS, .host = "127.0.0.1", .host_is_ip = true},
		.identity = &w->device,
		.now_unix_s = 1800000000,
		.connect_ms = PATIENT_MS,
		.timeout_ms = PATIENT_MS};
	w->request =
		(struct session_request){.method = "GET", .path = "/hello", .reply_max = KIB_4};
	*state = w;
	return 0;
}

static void drop_session(struct world *w)
{
	buf_clear(&w->reply.body);
	coap_session_free(w->session);
	w->session = NULL;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct identity *all[] = {&w->ca, &w->other_ca, &w->server, &w->elsewhere, &w->device};

	drop_session(w);
	coap_peer_stop(&w->peer);
	anchors_free(w->anchors);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		identity_clear(all[i]);
	assert_int_equal(ERR_peek_error(), 0);
	free(w);
	return 0;
}

static void start(struct world *w)
{
	drop_session(w);
	coap_peer_start(&w->peer);
	w->config.server.port = w->peer.port;
	w->session = coap_session_new(&w->config, &w->e);
	assert_non_null(w->session);
}

static bool send_once(struct world *w)
{
	buf_clear(&w->reply.body);
	return coap_session_send(w->session, &w->request, &w->reply, &w->e);
}

static void expect_answer(struct world *w)
{
	if (!send_once(w))
		fail_msg("%s", w->e.text);
	assert_int_equal(w->reply.status, 200);
	assert_string_equal(buf_str(&w->reply.body), "good day");
}

static void expect_failure(struct world *w, enum err_kind kind)
{
	assert_false(send_once(w));
	if (w->e.kind != kind)
		fail_msg("%s: %s", err_kind_name(w->e.kind), w->e.text);
}

static void post(struct world *w, size_t len)
{
	w->request.method = "POST";
	w->request.path = "/.well-known/brski/requestvoucher";
	w->request.content_type = w->request.accept = "application/voucher+cose";
	w->request.body = bytes_of(w->octets, len);
}

/* ---- connections ---- */

/* req: D-10, D-11 */
static void coap_session_connect__chain__is_known_before_anything_is_sent(void **state)
{
	struct world *w = *state;
	const struct cert_list *chain;

	start(w);
	assert_int_equal(coap_session_server_chain(w->session)->count, 0);
	assert_false(coap_session_is_open(w->session));
	assert_true(coap_session_connect(w->session, &w->e));
	chain = coap_session_server_chain(w->session);
	assert_int_equal(chain->count, 2);
	assert_true(cert_same(chain->items[0], w->server.cert));
	assert_true(cert_same(chain->items[1], w->ca.cert));
	assert_true(coap_session_is_open(w->session));
	assert_int_equal(w->peer.requests, 0);
	expect_answer(w);
	assert_true(w->peer.client_cert);
	assert_int_equal(w->peer.associations, 1);
}

/* req: D-12, D-13, C-25 */
static void coap_session_send__several_requests__share_the_one_association(void **state)
{
	struct world *w = *state;

	start(w);
	for (int i = 0; i < 5; i++)
		expect_answer(w);
	assert_int_equal(w->peer.requests, 5);
	assert_int_equal(w->peer.associations, 1);
	assert_int_equal(w->peer.repeated, 0);
}

static void coap_session_connect__name_with_a_silent_address__tries_the_next(void **state)
{
	struct world *w = *state;

	w->config.server = (struct uri){.scheme = URI_COAPS, .host = "localhost"};
	start(w); /* on 127.0.0.1; [::1] may come first and has nobody */
	expect_answer(w);
}

static void coap_session_connect__ipv6_literal__is_reached(void **state)
{
	struct world *w = *state;

	w->peer.ipv6 = true;
	w->config.server = (struct uri){
		.scheme = URI_COAPS, .host = "::1", .host_is_ip = true, .host_is_ipv6 = true};
	start(w);
	expect_answer(w);
}

static void coap_session_connect__nobody_there__is_said_at_once(void **state)
{
	struct world *w = *state;
	int64_t before;

	start(w);
	coap_peer_stop(&w->peer);
	before = clock_mono_ms();
	expect_failure(w, ERR_RETRY_LATER);
	assert_true(clock_mono_ms() - before < SOON_MS);
	assert_non_null(strstr(w->e.text, "coaps://127.0.0.1:"));
	expect_failure(w, ERR_PEER); /* and does not try again by itself */
}

static void coap_session_connect__unknown_name__is_retry_later(void **state)
{
	struct world *w = *state;

	w->config.server = (struct uri){.scheme = URI_COAPS, .host = "no-such-host.invalid"};
	start(w);
	expect_failure(w, ERR_RETRY_LATER);
}

static void coap_session_connect__silence_or_babble__ends_with_the_deadline(void **state)
{
	struct world *w = *state;
	int64_t before;

	w->config.connect_ms = 200;
	w->peer.deaf = true;
	start(w);
	before = clock_mono_ms();
	expect_failure(w, ERR_PEER_TIMEOUT);
	assert_in_range(clock_mono_ms() - before, 200, SOON_MS);
	coap_peer_stop(&w->peer);
	w->peer.babbles = true; /* which would restart a time-out that is no deadline */
	start(w);
	before = clock_mono_ms();
	expect_failure(w, ERR_PEER_TIMEOUT);
	assert_in_range(clock_mono_ms() - before, 200, SOON_MS);
	coap_peer_stop(&w->peer);
}

/* ---- requests ---- */

/* req: R-01, C-03 */
static void coap_session_send__post__has_short_path_and_numbers(void **state)
{
	struct world *w = *state;

	w->peer.format = COAP_FORMAT_VOUCHER_COSE;
	start(w);
	post(w, 300);
	expect_answer(w);
	assert_string_equal(w->reply.content_type, "application/voucher+cose");
	assert_string_equal(w->peer.path, "/.well-known/brski/rv");
	assert_int_equal(w->peer.accept, 836);
	assert_int_equal(w->peer.request.format, 836);
	assert_true(bytes_equal(buf_bytes(&w->peer.request.octets), w->request.body));
}

static void coap_session_send__media_type_without_a_number__is_refused_here(void **state)
{
	struct world *w = *state;

	start(w);
	w->request.accept = "application/voucher-cms+json";
	expect_failure(w, ERR_INPUT);
	assert_int_equal(w->peer.associations, 0);
}

/* req: B-01, B-08, B-09, B-12, D-07, D-09 */
static void coap_session_send__4_kib_both_ways__go_in_blocks_that_fit(void **state)
{
	static const size_t mtus[] = {0, 512, 1280};
	struct world *w = *state;

	w->peer.body = NULL;
	w->peer.filler = KIB_4;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(*mtus); i++) {
		w->config.mtu = w->peer.mtu = mtus[i];
		w->peer.longest = 0;
		start(w);
		post(w, KIB_4);
		if (!send_once(w))
			fail_msg("%s", w->e.text);
		assert_true(
			bytes_equal(buf_bytes(&w->reply.body), bytes_of(w->peer.octets, KIB_4)));
		assert_true(bytes_equal(buf_bytes(&w->peer.request.octets), w->request.body));
		assert_in_range(w->peer.longest, 256, mtus[i] ? mtus[i] : DTLS_MTU_DEFAULT);
		coap_peer_stop(&w->peer);
	}
}

/* req: B-03 */
static void coap_session_send__server_lowers_the_block_size__is_followed(void **state)
{
	struct world *w = *state;

	w->peer.szx = 3;
	w->peer.body = NULL;
	w->peer.filler = 1000;
	start(w);
	post(w, 2000);
	assert_true(send_once(w));
	assert_true(bytes_equal(buf_bytes(&w->reply.body), bytes_of(w->peer.octets, 1000)));
	assert_true(bytes_equal(buf_bytes(&w->peer.request.octets), w->request.body));
	assert_true(w->peer.requests > 1000 / 128 + 2000 / 512);
}

/* req: C-16 */
static void coap_session_send__separate_answer__is_read_in_blocks_too(void **state)
{
	struct world *w = *state;

	w->peer.separate = true;
	start(w);
	expect_answer(w);
	w->peer.body = NULL;
	w->peer.filler = KIB_4;
	assert_true(send_once(w));
	assert_int_equal(w->reply.body.len, KIB_4);
}

/* req: C-20 */
static void coap_session_send__answer_lost__is_asked_for_again_and_executed_once(void **state)
{
	struct world *w = *state;

	w->peer.loses_answers = true;
	start(w);
	expect_answer(w);
	post(w, 100);
	expect_answer(w);
	assert_int_equal(w->peer.requests, 2);
	assert_true(w->peer.repeated >= 1);
}

/* req: B-06 */
static void coap_session_send__etag_changes_with_every_block__is_an_error(void **state)
{
	struct world *w = *state;

	w->peer.etag_changes = true;
	w->peer.body = NULL;
	w->peer.filler = KIB_4;
	start(w);
	expect_failure(w, ERR_PEER);
	w->peer.etag_changes = false;
	assert_true(send_once(w)); /* the association is as good as before */
}

static void coap_session_send__more_than_expected__is_an_error(void **state)
{
	struct world *w = *state;

	w->peer.body = NULL;
	w->peer.filler = KIB_4 + 1;
	start(w);
	expect_failure(w, ERR_PEER);
}

static void coap_session_send__no_answer__ends_with_the_deadline(void **state)
{
	struct world *w = *state;
	int64_t before;

	w->peer.silent = true;
	w->config.timeout_ms = 200;
	start(w);
	assert_true(coap_session_connect(w->session, &w->e));
	before = clock_mono_ms();
	expect_failure(w, ERR_PEER_TIMEOUT);
	assert_in_range(clock_mono_ms() - before, 200, SOON_MS);
	assert_false(coap_session_is_open(w->session));
	expect_failure(w, ERR_PEER);
	assert_int_equal(coap_session_server_chain(w->session)->count, 2);
	assert_int_equal(w->peer.associations, 1);
}

/* req: R-06 */
static void coap_session_send__answer_and_close__is_an_answer_and_the_end(void **state)
{
	struct world *w = *state;

	w->peer.closes = true;
	w->peer.code = COAP_UNAUTHORIZED;
	w->peer.body = "somebody is between us";
	start(w);
	assert_true(send_once(w));
	assert_int_equal(w->reply.status, 401);
	assert_string_equal(buf_str(&w->reply.body), "somebody is between us");
	expect_failure(w, ERR_PEER);
	assert_false(coap_session_is_open(w->session));
	assert_int_equal(w->peer.associations, 1);
}

static void coap_session_is_open__server_has_closed__says_no(void **state)
{
	struct world *w = *state;

	start(w);
	expect_answer(w);
	assert_true(coap_session_is_open(w->session));
	coap_peer_stop(&w->peer);
	assert_false(coap_session_is_open(w->session));
	expect_failure(w, ERR_PEER);
}

/* ---- codes ---- */

/* req: C-17, C-18 */
static void coap_session_send__unavailable_for_a_while__is_202(void **state)
{
	struct world *w = *state;

	w->peer.code = COAP_UNAVAILABLE;
	w->peer.has_max_age = true;
	w->peer.max_age_s = 30;
	start(w);
	assert_true(send_once(w));
	assert_int_equal(w->reply.status, 202);
	assert_string_equal(w->reply.retry_after, "30");
}

/* req: C-28 */
static void coap_session_send__version_we_have__is_304(void **state)
{
	struct world *w = *state;

	start(w);
	expect_answer(w);
	assert_int_equal(w->reply.etag_len, 1);
	w->request.etag = bytes_of("\7", 1);
	w->peer.code = COAP_VALID;
	w->peer.body = "";
	assert_true(send_once(w));
	assert_int_equal(w->reply.status, 304);
	assert_true(bytes_equal(w->request.etag, bytes_of(w->reply.etag, w->reply.etag_len)));
}

/* req: C-22, R-08 */
static void coap_session_send__error__comes_with_its_sentence(void **state)
{
	static const struct {
		uint8_t code;
		int status;
	} codes[] = {{COAP_BAD_REQUEST, 400}, {COAP_FORBIDDEN, 403}, {COAP_NOT_FOUND, 404},
		{COAP_NOT_ACCEPTABLE, 406}, {COAP_UNSUPPORTED_FORMAT, 415}, {COAP_INTERNAL, 500}};
	struct world *w = *state;

	w->peer.body = "no";
	start(w);
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		w->peer.code = codes[i].code;
		assert_true(send_once(w));
		assert_int_equal(w->reply.status, codes[i].status);
		assert_string_equal(w->reply.content_type, "text/plain; charset=utf-8");
		assert_string_equal(buf_str(&w->reply.body), "no");
		assert_string_equal(w->reply.retry_after, "");
	}
}

/* ---- whom it talks to ---- */

static void anchor(struct world *w, const struct identity *ca)
{
	CERT_LIST_AUTO struct cert_list list = CERT_LIST_INIT;

	assert_true(cert_list_add(&list, ca->cert, &w->e));
	w->anchors = anchors_new(&list, &w->e);
	assert_non_null(w->anchors);
	w->config.anchors = w->anchors;
}

static void coap_session_anchored__right_anchor_and_name__is_talked_to(void **state)
{
	struct world *w = *state;

	anchor(w, &w->ca);
	start(w);
	expect_answer(w);
}

static void coap_session_anchored__other_anchor__is_refused(void **state)
{
	struct world *w = *state;

	anchor(w, &w->other_ca);
	start(w);
	expect_failure(w, ERR_UNAUTHENTICATED);
	assert_int_equal(w->peer.requests, 0);
}

static void coap_session_anchored__other_name__is_refused(void **state)
{
	struct world *w = *state;

	w->peer.identity = &w->elsewhere;
	anchor(w, &w->ca);
	start(w);
	expect_failure(w, ERR_UNAUTHENTICATED);
	assert_int_equal(w->peer.requests, 0);
}

/* req: D-12 */
static void coap_session_same_server__another_certificate__is_refused(void **state)
{
	struct world *w = *state;

	w->config.same_server = w->server.cert;
	start(w);
	expect_answer(w);
	coap_peer_stop(&w->peer);
	w->peer.identity = &w->elsewhere;
	w->peer.requests = 0;
	start(w);
	expect_failure(w, ERR_UNAUTHENTICATED);
	assert_int_equal(w->peer.requests, 0);
}

/* req: C-38 */
static void coap_session_channel_binding__both_ends__see_the_same(void **state)
{
	BUF_AUTO struct buf mine = BUF_INIT(200), theirs = BUF_INIT(200);
	struct world *w = *state;

	start(w);
	assert_false(coap_session_channel_binding(w->session, &mine, &w->e));
	assert_int_equal(w->e.kind, ERR_PEER);
	expect_answer(w);
	assert_true(coap_session_channel_binding(w->session, &mine, &w->e));
	assert_true(base64_encode(buf_bytes(&w->peer.binding), &theirs, &w->e));
	assert_string_equal(buf_str(&mine), buf_str(&theirs));
	assert_true(mine.len > 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(coap_session_connect__chain__is_known_before_anything_is_sent),
		CASE(coap_session_send__several_requests__share_the_one_association),
		CASE(coap_session_connect__name_with_a_silent_address__tries_the_next),
		CASE(coap_session_connect__ipv6_literal__is_reached),
		CASE(coap_session_connect__nobody_there__is_said_at_once),
		CASE(coap_session_connect__unknown_name__is_retry_later),
		CASE(coap_session_connect__silence_or_babble__ends_with_the_deadline),
		CASE(coap_session_send__post__has_short_path_and_numbers),
		CASE(coap_session_send__media_type_without_a_number__is_refused_here),
		CASE(coap_session_send__4_kib_both_ways__go_in_blocks_that_fit),
		CASE(coap_session_send__server_lowers_the_block_size__is_followed),
		CASE(coap_session_send__separate_answer__is_read_in_blocks_too),
		CASE(coap_session_send__answer_lost__is_asked_for_again_and_executed_once),
		CASE(coap_session_send__etag_changes_with_every_block__is_an_error),
		CASE(coap_session_send__more_than_expected__is_an_error),
		CASE(coap_session_send__no_answer__ends_with_the_deadline),
		CASE(coap_session_send__answer_and_close__is_an_answer_and_the_end),
		CASE(coap_session_is_open__server_has_closed__says_no),
		CASE(coap_session_send__unavailable_for_a_while__is_202),
		CASE(coap_session_send__version_we_have__is_304),
		CASE(coap_session_send__error__comes_with_its_sentence),
		CASE(coap_session_anchored__right_anchor_and_name__is_talked_to),
		CASE(coap_session_anchored__other_anchor__is_refused),
		CASE(coap_session_anchored__other_name__is_refused),
		CASE(coap_session_same_server__another_certificate__is_refused),
		CASE(coap_session_channel_binding__both_ends__see_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
